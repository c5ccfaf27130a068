"""How a running process can be stopped, paused and asked to go on from outside: it watches the control folder.

In a thread of its own, on the clock on the wall: it needs neither the loop, nor the store, nor lab time, and goes on looking
while a stop is carried out, whatever hangs.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import queue
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from lab.app.control import (
    Action,
    Answer,
    Presence,
    Request,
    sweep,
    take_requests,
    write_answer,
)
from lab.app.outcome import Standing
from lab.app.stopping import StopReport
from lab.errors import StoreUnusable
from lab.recovery import SAFE_BOUND_S

__all__ = ["LOOK_EVERY_S", "Controller"]

log = logging.getLogger("drywet.stop")

LOOK_EVERY_S = 0.1
"""Wall time between two looks into the control folder."""


class Steerable(Protocol):
    """What can be stopped and paused from elsewhere: a laboratory, or a house of several."""

    def request_stop(self, reason: str, campaign: str | None = None) -> None:
        """Stop before the next step."""

    def stop_now(
        self, reason: str, campaign: str | None = None, tell: Callable[[StopReport], None] = ...
    ) -> StopReport:
        """Stop in the midst of the step under way."""

    def pause(self, reason: str, campaign: str | None = None) -> None:
        """Begin no more steps for a while."""

    def let_go_on(self, campaign: str | None = None) -> None:
        """Begin steps again."""

    def note(self, kind: str, sentence: str, campaign: str | None = None) -> None:
        """Keep with campaigns under way that somebody asked something of them."""

    def standings(self, campaign: str | None = None) -> tuple[Standing, ...]:
        """How campaigns under way stand."""

    @property
    def real_workcells(self) -> tuple[str, ...]:
        """Names of the workcells of real instruments that are at work."""


@dataclass(slots=True)
class _Case:
    """A request that is not answered to the end.

    Args:
        told: it was said that it is accepted.
        carried_out: the laboratory has been told.
        names: of the campaigns that were at work then.
        early: what a stop did, before it is known whether that could be kept.
    """

    request: Request
    told: bool = False
    carried_out: bool = False
    names: list[str] = field(default_factory=list)
    thread: threading.Thread | None = None
    early: StopReport | None = None
    report: StopReport | None = None


class Controller:
    """Reachable from other processes for as long as the block lasts.

    Args:
        folder: of control files; made where it is missing.
        store: name of the store that this process writes to.
        service: where it answers as a lab service; empty where it is none.
        lab: the service's folder.
    """

    def __init__(self, folder: Path, store: str, *, service: str = "", lab: str = "") -> None:
        self._folder = folder
        self._presence = replace(Presence.this(store, folder), service=service, lab=lab)
        self._laboratory: Steerable | None = None
        self._cases: list[_Case] = []
        self._own: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="control", daemon=True)
        self._file = -1
        self._written = 0
        self._last: dict[str, Standing] = {}

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            sweep(self._folder)
            self._appear()
        except OSError as error:
            raise StoreUnusable(
                f"{self._folder}: the folder by which this process could be stopped can't be used ({error.strerror}).",
                way_out="Make the folder writable for you, or keep the store elsewhere.",
            ) from error
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        try:
            self._say_farewell()
            self._presence.path.unlink(missing_ok=True)
            self._say_farewell()  # to who asked meanwhile; nobody finds this process any more
        except (
            OSError
        ) as failure:  # A disk that takes nothing; a file that nobody holds is known for what it is.
            log.error("What this process leaves in %s can't be cleared up: %s", self._folder, failure)
        finally:
            self._forget()

    def _say_farewell(self) -> None:
        """The last word to everybody who waits, while the file still says that this process is there to give it."""
        self._cases.extend(_Case(request) for request in self._unseen())
        for case in self._cases:
            if case.thread is not None:
                case.thread.join(
                    2 * SAFE_BOUND_S
                )  # bounded itself; this is for a machine that is short of breath
            self._answer(case, "done", f"{self._how_they_stand()} The process has ended.".lstrip())
        self._cases.clear()

    def steer(self, laboratory: Steerable) -> None:
        """Pass requests on to a laboratory from here on."""
        self._laboratory = laboratory

    def stop_now(self, reason: str) -> None:
        """Have everything stopped in the midst of its step, soon. Waits for no lock, so a signal handler may call it."""
        number = "by-signal"
        self._own.put(
            Request(id=number, to=self._presence.id, action=Action.STOP_NOW, reason=reason, campaign=None)
        )

    def _appear(self) -> None:
        """The file is locked before it has its name, so that nobody takes it for one that a dead process left."""
        beside = self._presence.path.with_suffix(".json.new")
        self._file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._note()
            beside.rename(self._presence.path)
        except OSError:
            beside.unlink(missing_ok=True)
            self._forget()
            raise
        # A forked child would keep the lock after this process is gone.
        this = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forget(this()))

    def _note(self) -> None:
        text = json.dumps(self._presence.to_json()).encode()
        os.pwrite(self._file, text.ljust(self._written), 0)  # in one piece, over all that stood there
        self._written = max(self._written, len(text))

    def _forget(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            try:
                self._look()
            except Exception:  # Whoever stops looking can't be stopped: it goes on, whatever went wrong.
                log.exception("A look into %s failed.", self._folder)

    def _look(self) -> None:
        self._tell_what_runs()
        for request in self._unseen():
            log.warning("Asked for: %s of %s. %s", request.action, request.campaign or "all", request.reason)
            self._cases.append(_Case(request))
        for case in list(self._cases):
            if self._went_on(case):
                self._cases.remove(case)

    def _unseen(self) -> list[Request]:
        found = []
        while not self._own.empty():
            found.append(self._own.get())
        found.extend(take_requests(self._folder, self._presence.id))
        return found

    def _tell_what_runs(self) -> None:
        laboratory = self._laboratory
        if laboratory is None:
            return
        for one in laboratory.standings():
            self._last[one.name] = one
        names = tuple(one.name for one in self._last.values() if one.at_work)
        real = laboratory.real_workcells
        if (names, real) != (self._presence.campaigns, self._presence.real):
            self._presence = replace(self._presence, campaigns=names, real=real)
            with suppress(OSError):  # a full disk; what was there before still tells who it is
                self._note()

    def _went_on(self, case: _Case) -> bool:
        """Take a request one step further; whether it is answered to the end."""
        laboratory, request = self._laboratory, case.request
        everything = request.campaign is None and request.action in (Action.STOP, Action.STOP_NOW)
        # A service works on nothing at times, and what is asked then is not meant for what begins later.
        serves = bool(self._presence.service)
        ready = laboratory is not None and (serves or everything or bool(laboratory.standings()))
        if laboratory is None or not ready:
            if not case.told:
                self._answer(case, "accepted", "It is getting ready; this is done as soon as it begins.")
            return False
        concerned = laboratory.standings(request.campaign)
        if not case.carried_out:
            at_work = case.names = [one.name for one in concerned if one.at_work]
            if not at_work and not everything:
                running = ", ".join(one.name for one in laboratory.standings() if one.at_work) or "none"
                self._answer(
                    case, "refused", f"{request.campaign or 'Nothing'} does not run here. Running: {running}."
                )
                return True
            self._carry_out(case, laboratory)
            if request.action is Action.CONTINUE:
                self._answer(case, "done", f"{', '.join(at_work)} may go on.")
                return True
            self._answer(case, "accepted", _begun(request.action, at_work))
            return False
        return self._is_done(case, laboratory, concerned)

    def _carry_out(self, case: _Case, laboratory: Steerable) -> None:
        request = case.request
        case.carried_out = True
        match request.action:
            case Action.STOP:
                laboratory.request_stop(request.reason, request.campaign)
            case Action.PAUSE:
                laboratory.pause(request.reason, request.campaign)
                _keep(laboratory, request)
            case Action.CONTINUE:
                laboratory.let_go_on(request.campaign)
                _keep(laboratory, request)
            case Action.STOP_NOW:
                # At once for the lanes; the devices' part may take its time, while others ask.
                laboratory.request_stop(request.reason, request.campaign)
                case.thread = threading.Thread(
                    target=self._break_off, args=(case, laboratory), name="stop now", daemon=True
                )
                case.thread.start()

    def _break_off(self, case: _Case, laboratory: Steerable) -> None:
        request = case.request

        def tell(report: StopReport) -> None:
            case.early = report
            self._answer(case, "accepted", report.sentence)

        try:
            case.report = laboratory.stop_now(request.reason, request.campaign, tell)
        except Exception as error:  # Told to whoever asked, who has to look at the bench.
            log.exception("The stop failed.")
            case.report = StopReport(
                reason=request.reason, errors=(f"The stop failed: {type(error).__name__}: {error}",)
            )
        self._answer(case, "accepted", case.report.sentence)

    def _is_done(self, case: _Case, laboratory: Steerable, concerned: tuple[Standing, ...]) -> bool:
        """Whether what was asked for has come about; where the whole process ends, that is said when it does."""
        action = case.request.action
        if action is Action.STOP_NOW and case.report is None:
            return False
        if action is Action.PAUSE:
            if any(one.at_work and one.pausing and not one.paused for one in concerned):
                return False
            resting = [one.name for one in concerned if one.at_work and one.paused]
            sentence = f"{', '.join(resting)} paused." if resting else "It has ended or goes on by now."
            self._answer(case, "done", sentence)
            return True
        others = any(one.at_work for one in laboratory.standings())
        serves = bool(self._presence.service)  # it does not end with what it works on
        if any(one.at_work for one in concerned) or not (others or serves):
            return False
        told = self._how_they_stand({one.name for one in concerned} or set(case.names))
        self._answer(case, "done", told or "Nothing was at work.")
        return True

    def _how_they_stand(self, names: set[str] | None = None) -> str:
        self._refresh()
        told = [
            f"{one.name}: {one.status}." for name, one in self._last.items() if names is None or name in names
        ]
        return " ".join(told)

    def _refresh(self) -> None:
        if self._laboratory is not None:
            for one in self._laboratory.standings():
                self._last[one.name] = one

    def _answer(self, case: _Case, state: str, sentence: str) -> None:
        case.told = True
        report = case.report or case.early
        answer = Answer(state=state, sentence=sentence, report=None if report is None else report.to_json())
        try:
            write_answer(self._folder, case.request, answer)
        except OSError as error:
            log.error("The answer to %s can't be written (%s): %s", case.request, error, sentence)


def _keep(laboratory: Steerable, request: Request) -> None:
    """Have the store keep a pause or its end, in a thread that nobody waits for: neither depends on it."""

    def write() -> None:
        try:
            laboratory.note(str(request.action), request.reason, request.campaign)
        except Exception as error:  # noqa: BLE001  It is done all the same; that the store doesn't know is told here.
            log.warning("The store does not know that somebody asked for this: %s. %s", request.reason, error)

    threading.Thread(target=write, name="keeping a pause", daemon=True).start()


def _begun(action: Action, names: list[str]) -> str:
    who = ", ".join(names) or "It"
    match action:
        case Action.STOP_NOW:
            return f"{who}: the step under way is being broken off."
        case Action.PAUSE:
            return f"{who}: pausing after the step under way."
        case _:
            return f"{who}: stopping after the step under way."


def _forget(controller: Controller | None) -> None:
    if controller is not None:
        controller._forget()
