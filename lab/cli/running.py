"""``drywet run`` and ``drywet resume``: campaigns in worker threads, the view in this one."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from lab.app import Laboratory, Outcome, Prepared, Settings, prepare, read_pace, report_campaign
from lab.app.control import control_folder, store_name
from lab.app.watching import Controller
from lab.cli.choosing import refuse_missing
from lab.cli.explaining import explain
from lab.cli.logs import logging_to
from lab.cli.summary import show_outcome
from lab.cli.view import LiveView
from lab.cli.writing import refuse_unwritable
from lab.engine.progress import Progress
from lab.errors import BadInput, StoreUnusable
from lab.store import Store
from lab.types import CampaignStatus

__all__ = ["Show", "Wishes", "resume_campaign", "run_files", "run_prepared"]

Show = Callable[[Store, Outcome, str | None, Console], None]
"""Tells how a campaign ended: the store, the outcome, the store as written on the command line, where to print."""

_AT_ONCE = "Ctrl-C once more breaks that step off."

EXIT_CODES = {CampaignStatus.FINISHED: 0, CampaignStatus.HELD: 1, CampaignStatus.STOPPED: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What ``run`` and ``resume`` are told alike, as written on the command line."""

    store: str | None
    report: Path | None
    pace: str
    as_json: bool

    @property
    def settings(self) -> Settings:
        """The environment's, with the command line's store over it."""
        return Settings() if self.store is None else Settings(store=self.store)


def run_files(
    files: Sequence[Path], wishes: Wishes, *, new: bool, baseline: bool, out: Console, err: Console
) -> int:
    """Run or go on with the campaigns of these files; gives the exit code.

    Raises:
        BadInput: something can't be used; nothing was started.
    """
    prepared = [prepare(path) for path in files]
    return run_prepared(prepared, wishes, new=new, baseline=baseline, out=out, err=err)


def run_prepared(
    prepared: Sequence[Prepared],
    wishes: Wishes,
    *,
    new: bool,
    out: Console,
    err: Console,
    baseline: bool = False,
    show: Show = show_outcome,
) -> int:
    """Run or go on with what is read already; gives the exit code.

    Args:
        show: tells how each campaign ended; not called where JSON is wanted.

    Raises:
        BadInput: something can't be used; nothing was started.
    """
    return _carry_out(
        wishes,
        lambda laboratory: laboratory.run(prepared, new=new, baseline=baseline),
        must_exist=False,
        out=out,
        err=err,
        show=show,
    )


def resume_campaign(name: str | None, wishes: Wishes, *, out: Console, err: Console) -> int:
    """Go on with a campaign of the store; gives the exit code.

    Raises:
        BadInput: there is nothing to go on with.
    """
    return _carry_out(wishes, lambda laboratory: laboratory.resume(name), must_exist=True, out=out, err=err)


def _carry_out(
    wishes: Wishes,
    work: Callable[[Laboratory], tuple[Outcome, ...]],
    *,
    must_exist: bool,
    out: Console,
    err: Console,
    show: Show = show_outcome,
) -> int:
    settings, pace = wishes.settings, read_pace(wishes.pace)
    if must_exist:
        refuse_missing(settings.store)
    if wishes.report is not None:
        refuse_unwritable(wishes.report)  # before the experiments, not after days of them
    with (
        logging_to(settings.twin_folder.parent) as log,
        Controller(control_folder(settings), store_name(settings.store)) as controller,
        Laboratory.open(settings, pace=pace) as laboratory,
    ):
        controller.steer(laboratory)
        outcomes = _watched(laboratory, controller, lambda: work(laboratory), wishes.as_json, out, err)
        return _conclude(laboratory, outcomes, wishes, log, out, err, show)


def _watched(
    laboratory: Laboratory,
    controller: Controller,
    work: Callable[[], tuple[Outcome, ...]],
    as_json: bool,
    out: Console,
    err: Console,
) -> tuple[Outcome, ...]:
    """Do the work in a thread and show it here, so that Ctrl-C finds this thread awake."""
    events: queue.SimpleQueue[Progress] = queue.SimpleQueue()
    laboratory.watch = events.put
    outcomes: list[tuple[Outcome, ...]] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            outcomes.append(work())
        except BaseException as error:  # noqa: BLE001  raised again below, in the thread that reports it
            failure.append(error)

    worker = threading.Thread(target=target, name="campaigns")
    with _stop_on_interrupt(laboratory, controller) as notices:
        worker.start()
        _show(laboratory, events, notices, worker, None if as_json else out, err)
        worker.join()
    if failure:
        raise failure[0]
    return outcomes[0]


def _show(
    laboratory: Laboratory,
    events: queue.SimpleQueue[Progress],
    notices: queue.SimpleQueue[str],
    worker: threading.Thread,
    out: Console | None,
    err: Console,
) -> None:
    """Tell what happens until the worker ends: a live block on a terminal, lines only in a file or a pipe."""
    view: LiveView | None = None
    live = None
    if out is not None and out.is_terminal:
        waiting = Text("Reading the files and trying the first batch out dry ...", style="dim")
        live = Live(waiting, console=out, refresh_per_second=8, transient=True)
    with live or nullcontext():
        while worker.is_alive() or not events.empty() or not notices.empty():
            while not notices.empty():
                # Over the live block where there is one; a program that reads standard output is not disturbed.
                (live.console if live else err).print(
                    f"[yellow]{notices.get()}[/]", highlight=False, soft_wrap=True
                )
            try:
                event = events.get(timeout=0.1)
            except queue.Empty:
                continue
            if out is None:
                continue
            if view is None:
                view = LiveView(live.console if live else out, laboratory.campaigns)
                view.begin()
                if live:
                    live.update(view)
            view.tell(event)


@contextmanager
def _stop_on_interrupt(laboratory: Laboratory, controller: Controller) -> Iterator[queue.SimpleQueue[str]]:
    """Ctrl-C and a polite kill stop between two steps, Ctrl-C once more at once; gives what to tell whoever asked for it."""
    notices: queue.SimpleQueue[str] = queue.SimpleQueue()
    asked: list[int] = []

    def stop(number: int, frame: Any) -> None:
        # In the middle of whatever this thread does: nothing here may wait for a lock that it could hold.
        reason = "Stopped by Ctrl-C." if number == signal.SIGINT else "Stopped by a signal."
        laboratory.request_stop(reason)
        if number == signal.SIGINT and signal.SIGINT in asked:
            controller.stop_now("Stopped by Ctrl-C, twice.")
            notices.put("Breaking the step under way off; every instrument is brought to its safe state.")
        elif asked:
            notices.put(f"Still stopping: the step under way must end first. {_AT_ONCE}")
        else:
            notices.put(f"Stopping after the step under way; nothing is lost. {_AT_ONCE}")
        asked.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield notices
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _conclude(
    laboratory: Laboratory,
    outcomes: tuple[Outcome, ...],
    wishes: Wishes,
    log: Path,
    out: Console,
    err: Console,
    show: Show,
) -> int:
    asked_for = [outcome for outcome in outcomes if not outcome.campaign.baseline_of]
    written = None
    if wishes.report is not None and asked_for:
        written = report_campaign(laboratory.store, asked_for[0].campaign.id, wishes.report)
    if wishes.as_json:
        from lab.cli.text import print_json

        print_json(
            {
                "campaigns": [outcome.to_json() for outcome in outcomes],
                "report": None if written is None else str(written),
            }
        )
    else:
        for outcome in asked_for:
            show(laboratory.store, outcome, wishes.store, out)
        if written is not None:
            out.print(f"Report: [bold]{written}[/]", highlight=False, soft_wrap=True)
    for outcome in outcomes:
        if outcome.error is not None:
            explain(outcome.error, err)
            if log.exists() and not isinstance(outcome.error, BadInput):
                err.print(
                    f"What the instruments' drivers logged is in {log}.", highlight=False, soft_wrap=True
                )
    codes = [_code(outcome) for outcome in outcomes]
    return max(codes, key=lambda code: (code == 2, code == 1, code == 3), default=0)


def _code(outcome: Outcome) -> int:
    """2 where a person can mend what they gave; a store that fails in mid-run holds what was begun."""
    if isinstance(outcome.error, BadInput) and not isinstance(outcome.error, StoreUnusable):
        return 2
    return EXIT_CODES.get(outcome.status, 1)
