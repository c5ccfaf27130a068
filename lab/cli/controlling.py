"""``drywet stop``, ``pause``, ``continue`` and ``safe``: what reaches a bench from another process.

None of them opens the store: they work when it is gone, full or locked, and ask nobody to log in.
"""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from lab.app import Settings
from lab.app.control import (
    Action,
    Answer,
    Presence,
    Request,
    ask,
    control_folder,
    newest_answer,
    present,
    store_name,
)
from lab.errors import BadInput
from lab.recovery import SAFE_BOUND_S
from lab.types import JsonValue

__all__ = ["ANSWER_S", "ask_running", "make_safe", "refuse_held"]

ANSWER_S = 10.0
"""Wall time within which a process that is well takes a request up."""

END_S = 60.0
"""Wall time that a process has to end once its devices are in their safe state."""

_POLL_S = 0.1

_REASONS = {
    Action.STOP: "Stopped by {who} with drywet stop.",
    Action.STOP_NOW: "Stopped by {who} with drywet stop --now.",
    Action.PAUSE: "Paused by {who} with drywet pause.",
    Action.CONTINUE: "Continued by {who} with drywet continue.",
}


@dataclass(slots=True)
class _Asked:
    """A process that was asked, and what it last said."""

    presence: Presence
    request: Request
    answer: Answer | None = None
    trouble: str = ""


def ask_running(
    action: Action,
    *,
    campaign: str | None,
    reason: str,
    store: str | None,
    wait: bool,
    as_json: bool,
    out: Console,
    err: Console,
) -> int:
    """Ask the process at work on a store to do something, and wait until it has; gives the exit code.

    0: it is done (or asked, without waiting). 1: the process does not answer, or a device may not be safe.

    Raises:
        BadInput: nothing runs here, or nothing of that name.
    """
    settings = Settings() if store is None else Settings(store=store)
    folder = control_folder(settings)
    running = _running(folder, settings, campaign)
    why = reason or _REASONS[action].format(who=_who())
    asked = [_Asked(presence, ask(presence, action, why, campaign)) for presence in running]
    lines: Callable[[str], None] = (lambda line: None) if as_json else _printer(out)
    for one in asked:
        _follow(one, action, folder, wait=wait, say=lines, out=out if not as_json else None)
    if as_json:
        from lab.cli.text import print_json

        print_json({"asked": [_asked_json(one) for one in asked]})
    for one in asked:
        if one.trouble and not as_json:
            err.print(one.trouble, markup=False, highlight=False, soft_wrap=True)
    refused = [one for one in asked if one.answer is not None and one.answer.state == "refused"]
    if len(refused) == len(asked) and asked[0].answer is not None:
        raise BadInput(asked[0].answer.sentence, way_out="See what runs with: drywet status")
    return int(any(one.trouble or _unsafe(one) for one in asked))


def _running(folder: Path, settings: Settings, campaign: str | None) -> list[Presence]:
    """The processes at work on this store.

    Raises:
        BadInput: there is none.
    """
    here = present(folder)
    name = store_name(settings.store)
    mine = [one for one in here if one.store == name]
    if mine:
        return mine
    others = "".join(f" {one.label.capitalize()} works on {one.store}: --store {one.store}." for one in here)
    raise BadInput(
        f"Nothing is running on {name}.",
        way_out=f"See where campaigns stand with: drywet status.{others} If an instrument may still be on: drywet safe "
        "--workcell FILE",
    )


def _follow(
    one: _Asked,
    action: Action,
    folder: Path,
    *,
    wait: bool,
    say: Callable[[str], None],
    out: Console | None,
) -> None:
    """Wait until a process has done what it was asked, or will not; says each new thing that it says."""
    began = time.monotonic()
    reported_at: float | None = None
    said: set[str] = set()
    with _spinner(out, one.presence):
        while True:
            answer = newest_answer(folder, one.request)
            if answer is not None and answer != one.answer:
                one.answer = answer
                if answer.report is not None and reported_at is None:
                    reported_at = time.monotonic()
                for line in _lines(answer):
                    if line not in said:
                        say(line)
                        said.add(line)
            if answer is not None and (answer.final or not wait):
                return
            if not one.presence.alive:
                one.answer = newest_answer(folder, one.request) or one.answer
                if one.answer is None or not one.answer.final:
                    _died(one, action, say)
                return
            one.trouble = _overdue(one, action, time.monotonic() - began, reported_at)
            if one.trouble:
                return
            time.sleep(_POLL_S)


def _died(one: _Asked, action: Action, say: Callable[[str], None]) -> None:
    """It has ended without a last word."""
    if action in (Action.PAUSE, Action.CONTINUE) or (
        one.answer is not None and one.answer.report is not None
    ):
        say(f"{one.presence.label.capitalize()} has ended.")
        return
    one.trouble = (
        f"{one.presence.label.capitalize()} ended without saying how. If an instrument may still be on: "
        "drywet safe --workcell FILE"
    )


def _overdue(one: _Asked, action: Action, waited_s: float, reported_at: float | None) -> str:
    """What to do about a process that does not answer within its bound; empty while there is time."""
    presence = one.presence
    here = "" if presence.host == socket.gethostname() else f" on {presence.host}"
    way_out = (
        f"End it with kill {presence.pid}{here}, or kill -KILL {presence.pid}{here} if that does not help; then bring the "
        "instruments to their safe state: drywet safe --workcell FILE"
    )
    if one.answer is None:
        if waited_s > ANSWER_S:
            return f"{presence.label.capitalize()} does not answer. {way_out}"
    elif action is Action.STOP_NOW and reported_at is None:
        if waited_s > ANSWER_S + 2 * SAFE_BOUND_S:
            return f"{presence.label.capitalize()} does not say what came of the stop. {way_out}"
    elif reported_at is not None and time.monotonic() - reported_at > END_S + SAFE_BOUND_S:
        return f"{presence.label.capitalize()} told its devices to be safe, but has not ended. {way_out}"
    return ""


def _lines(answer: Answer) -> list[str]:
    lines = [] if answer.state == "refused" else [answer.sentence]
    report: Any = answer.report
    if report is None:
        return lines
    lines += [f"  {one['device']}: {one['error'] or 'safe'}" for one in report["devices"]]
    lines += [
        f"  {one['action']} on {one['device']} of {one['campaign']} ended: {one['error'] or 'done'}"
        for one in report["broken_off"]
    ]
    return lines + [f"  {error}" for error in report["errors"]]


def _unsafe(one: _Asked) -> bool:
    report = None if one.answer is None else one.answer.report
    return report is not None and not report["safe"]


def _asked_json(one: _Asked) -> JsonValue:
    answer = one.answer
    return {
        "process": one.presence.to_json(),
        "state": "no_answer" if answer is None else answer.state,
        "sentence": one.trouble or ("" if answer is None else answer.sentence),
        "report": None if answer is None else answer.report,
    }


def _printer(out: Console) -> Callable[[str], None]:
    return lambda line: out.print(line, markup=False, highlight=False, soft_wrap=True)


def _spinner(out: Console | None, presence: Presence) -> AbstractContextManager[Any]:
    if out is None or not out.is_terminal:
        return nullcontext()
    return out.status(f"Waiting for {presence.label}. Ctrl-C ends only the waiting.")


def _who() -> str:
    """Who asks, for the record; whoever it is may stop."""
    try:
        return f"{getpass.getuser()} on {socket.gethostname()}"
    except (KeyError, OSError):  # a user without a name, as in some containers
        return f"somebody on {socket.gethostname()}"


def make_safe(
    workcell: Path, *, force: bool, store: str | None, as_json: bool, out: Console, err: Console
) -> int:
    """Bring every instrument of a workcell file to its safe state; gives the exit code: 1 where one may not be safe.

    Raises:
        BadInput: the file is wrong, or a program at work holds the bench.
    """
    from lab.app.safe_bench import bring_to_safety, twin_or_name

    twin, name = twin_or_name(workcell)
    if twin:
        sentence = (
            f"{name} is a twin: all its instruments are simulated, and there is nothing real to make safe."
        )
        if as_json:
            _print_safe(name, sentence, ())
        else:
            out.print(sentence, markup=False, highlight=False, soft_wrap=True)
        return 0
    settings = Settings() if store is None else Settings(store=store)
    if not force:
        refuse_held(present(control_folder(settings)), name, workcell)
    outcome = bring_to_safety(workcell)
    unsafe = [one.device for one in outcome if not one.safe]
    sentence = (
        f"NOT known to be in the safe state: {', '.join(unsafe)}. Look at the bench."
        if unsafe
        else f"All {len(outcome)} instruments of {name} are in their safe state."
    )
    if as_json:
        _print_safe(
            name, sentence, [{"device": one.device, "safe": one.safe, "error": one.error} for one in outcome]
        )
    else:
        for one in outcome:
            out.print(f"{one.device}: {one.error or 'safe'}", markup=False, highlight=False, soft_wrap=True)
        (err if unsafe else out).print(sentence, markup=False, highlight=False, soft_wrap=True)
    return int(bool(unsafe))


def refuse_held(running: Sequence[Presence], name: str, workcell: Path) -> None:
    """Leave instruments alone that a program at work has.

    Raises:
        BadInput: one has, or may have, this bench.
    """
    for one in running:
        if name in one.real or not one.campaigns:
            doing = "works on this bench" if name in one.real else "is getting ready, maybe on this bench"
            raise BadInput(
                f"{one.label.capitalize()} {doing}. Two programs that talk to one instrument disturb each other.",
                way_out="Let it do that: drywet stop --now. If it does not answer, give --force.",
                file=workcell,
            )


def _print_safe(name: str, sentence: str, devices: Sequence[JsonValue]) -> None:
    from lab.cli.text import print_json

    print_json({"workcell": name, "sentence": sentence, "devices": list(devices)})
