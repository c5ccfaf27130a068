"""For tests of one's own protocols: ``from lab.testing import twin`` gives pytest a fixture that runs them on a twin.

::

    from lab.testing import twin

    def test_dilution(twin):
        run = twin("dilution.py", workcell="bench.yaml", factor=3)
        assert run.results["first"] > run.results["last"]

What it checks without being asked: that nothing is past a limit, too full, too little or left standing; that the protocol
asks for the same steps each time, also in another process; and that a run which is killed between two steps goes on to the
same steps and the same bench as one that is not, and reads the same plates, as near as a few minutes' delay allows.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.app import Laboratory, Outcome, Settings
from lab.app.belief import read_bench
from lab.app.script_records import script_readings
from lab.app.scripts import ScriptRehearsal, prepare_script, rehearse_script
from lab.dry_run import DryRun
from lab.engine.progress import Progress, StepEnded
from lab.errors import DrywetError, Infeasible
from lab.store import Store
from lab.types import CampaignStatus, JsonValue, StepStatus

__all__ = ["BrokenContract", "TwinRun", "check_on_twin", "twin"]

_NEAR = 0.05
"""Of the strongest well of a plate: what the minutes that a resumed run is late may change in any well."""

_CHILD_S = 120.0
"""Wall time for a dry run in another process."""


class BrokenContract(AssertionError):
    """A protocol does not do what every protocol must; says what, one problem a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinRun:
    """What a protocol did on a twin.

    Args:
        steps: device, action and arguments of each, in order.
        readings: of plates, in order (:class:`protocols.scripts.Reading`).
        results: target -> value.
        dry_run: of the way that its readings led it in the dry run with the most steps.
        kills: after how many steps it was killed and went on to the same end.
    """

    steps: tuple[tuple[str, str, JsonValue], ...]
    readings: tuple[Any, ...]
    results: Mapping[str, float]
    dry_run: DryRun
    kills: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traces:
    """What a finished run has left in its store, as far as two runs can be compared."""

    steps: tuple[tuple[str, str, str, JsonValue], ...]
    readings: tuple[Any, ...]
    results: Mapping[str, float]
    bench: JsonValue


@pytest.fixture
def twin(tmp_path: Path) -> Callable[..., TwinRun]:
    """``twin(protocol, workcell=..., **parameters)`` checks a protocol on a twin: see :func:`check_on_twin`."""

    def check(
        protocol: str | Path,
        *,
        workcell: str | Path,
        library: str | Path | None = None,
        seed: int = 1,
        kills: int = 3,
        **parameters: JsonValue,
    ) -> TwinRun:
        folder = tmp_path / f"twin_{len(list(tmp_path.glob('twin_*'))) + 1}"
        return check_on_twin(
            protocol, workcell, parameters, folder=folder, library=library, seed=seed, kills=kills
        )

    return check


def check_on_twin(
    protocol: str | Path,
    workcell: str | Path,
    parameters: Mapping[str, JsonValue],
    *,
    folder: Path,
    library: str | Path | None = None,
    seed: int = 1,
    kills: int = 3,
) -> TwinRun:
    """Run a protocol on a twin and hold it to what every protocol must do.

    Args:
        protocol: ``FILE`` or ``FILE:function``.
        parameters: those that differ from their defaults.
        folder: for its stores; made where it is not there.
        library: table of ``variant,plate,well`` that says what plates of candidates hold.
        kills: how often a run is killed, evenly over its steps.

    Raises:
        BrokenContract: it does not.
        BadInput: there is no such protocol, or a parameter is wrong.
    """
    settings = dict(parameters)
    library = None if library is None else Path(library)
    prepared = prepare_script(str(protocol), Path(workcell), settings, seed=seed, library=library)
    if not prepared.file.workcell.twin:
        raise BrokenContract(f"{workcell} has real instruments; a test runs on a twin (twin: true).")
    try:
        rehearsal = rehearse_script(prepared)
    except Infeasible as wrong:
        raise BrokenContract("\n".join(wrong.problems)) from wrong
    except DrywetError as wrong:
        raise BrokenContract(str(wrong)) from wrong
    if rehearsal.problems:
        raise BrokenContract("\n".join(rehearsal.problems))
    command = [str(protocol), "--workcell", str(workcell), "--seed", str(seed)]
    command += [] if library is None else ["--library", str(library)]
    _refuse_other_process(rehearsal, [*command, *_as_options(settings)])
    work = folder / "run"
    points = _points(len(rehearsal.longest.dry_run.steps), kills)
    whole, killed = _run(lambda laboratory: laboratory.run([prepared])[0], work, points)
    for after, saved in killed.items():
        shutil.move(work, folder / f"before_{after}")
        shutil.move(saved, work)  # to the very place, for the store names its twin's ledger by its path
        again, _ = _run(lambda laboratory: laboratory.resume()[0], work, ())
        _refuse_difference(after, whole, again)
    return TwinRun(
        steps=tuple((device, action, arguments) for _, device, action, arguments in whole.steps),
        readings=whole.readings,
        results=whole.results,
        dry_run=rehearsal.longest.dry_run,
        kills=tuple(killed),
    )


def _points(steps: int, kills: int) -> tuple[int, ...]:
    """After which steps a run is killed: evenly over all of them, never after the last."""
    return tuple(sorted({max(1, round(steps * n / (kills + 1))) for n in range(1, kills + 1)} - {steps}))


def _run(
    work: Callable[[Laboratory], Outcome], folder: Path, points: tuple[int, ...]
) -> tuple[_Traces, dict[int, Path]]:
    """Run to the end; on the way keep what a process that is killed after some steps leaves on the disk.

    Returns:
        What the run left, and number of steps -> folder of what a kill would have left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    where = folder / "lab.db"
    saved: dict[int, Path] = {}
    with Laboratory.open(Settings(store=str(where))) as laboratory:

        def watch(event: Progress) -> None:
            # Called between the step's last write and the next step's first.
            if isinstance(event, StepEnded) and event.number in points and event.number not in saved:
                saved[event.number] = _snapshot(where, folder.parent / f"killed_after_{event.number}")

        laboratory.watch = watch
        outcome = work(laboratory)
        if outcome.status is not CampaignStatus.FINISHED:
            raise BrokenContract(
                f"The run on the twin was {outcome.status}: {outcome.error or outcome.sentence}"
            )
        return _traces(laboratory.store, outcome), saved


def _snapshot(where: Path, folder: Path) -> Path:
    """What is on the disk of a store and its twins' ledgers at this moment."""
    (folder / "twins").mkdir(parents=True)
    with closing(sqlite3.connect(where)) as live, closing(sqlite3.connect(folder / where.name)) as copy:
        live.backup(copy)
    for ledger in (where.parent / "twins").iterdir():
        shutil.copy2(ledger, folder / "twins" / ledger.name)
    return folder


def _traces(store: Store, outcome: Outcome) -> _Traces:
    record = store.campaign(outcome.campaign.id)
    steps = [step for one in store.runs(record.campaign.id) for step in store.steps(one.run.id)]
    undone = [step for step in steps if step.status is not StepStatus.DONE]
    if undone:
        raise BrokenContract(f"{undone[0].action} on {undone[0].device} is {undone[0].status}.")
    return _Traces(
        steps=tuple((step.key, step.device, step.action, step.arguments) for step in steps),
        readings=tuple(reading for _, reading in script_readings(store, record)),
        results={o.target: o.value for o in store.history(record.campaign.id).observations},
        bench=read_bench(store, record.bench_id).bench.to_json(),
    )


def _refuse_difference(after: int, whole: _Traces, again: _Traces) -> None:
    """Refuse a run that ended otherwise because it was killed.

    Raises:
        BrokenContract: says what differs.
    """
    told = f"Killed after step {after} and resumed, the run"
    number = _first_difference(whole.steps, again.steps)
    if number is not None:
        one, other = whole.steps[number - 1], again.steps[number - 1]
        raise BrokenContract(f"{told} differs in step {number}: {other[1:]} in place of {one[1:]}.")
    if len(whole.steps) != len(again.steps):
        raise BrokenContract(f"{told} has {len(again.steps)} steps in place of {len(whole.steps)}.")
    if len(whole.readings) != len(again.readings):
        raise BrokenContract(f"{told} has {len(again.readings)} readings in place of {len(whole.readings)}.")
    for number, (one, other) in enumerate(zip(whole.readings, again.readings, strict=True), start=1):
        if (one.plate, one.mode) != (other.plate, other.mode):
            raise BrokenContract(f"{told} reads {other.plate} in place of {one.plate}.")
        if not _near(one, other):
            raise BrokenContract(f"{told} reads other values of {one.plate} (reading {number}).")
    if set(whole.results) != set(again.results):
        raise BrokenContract(f"{told} gives {sorted(again.results)} in place of {sorted(whole.results)}.")
    if whole.bench != again.bench:
        raise BrokenContract(f"{told} leaves another bench.")


def _near(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two readings are of the same liquids: those of a run that was resumed are made a little later."""
    scale = max((abs(value) for value in one.values() if math.isfinite(value)), default=0.0)
    return all(
        (math.isnan(value) and math.isnan(other[well])) or abs(value - other[well]) <= _NEAR * scale
        for well, value in one.items()
    )


def _as_options(settings: Mapping[str, JsonValue]) -> list[str]:
    return [
        part
        for name, value in settings.items()
        for part in ("--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}")
    ]


def _refuse_other_process(rehearsal: ScriptRehearsal, command: list[str]) -> None:
    """Refuse a protocol that asks for other steps in another process, where sets of texts have another order.

    Raises:
        BrokenContract: names the first step that differs.
    """
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    done = subprocess.run(
        [sys.executable, "-m", "lab.cli", "protocol", "dry-run", *command, "--json"],
        env={**os.environ, "PYTHONHASHSEED": seed},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_CHILD_S,
        check=False,
    )
    if done.returncode != 0:
        raise BrokenContract(f"In another process it can't be tried out: {done.stdout or done.stderr}")
    there = [
        [[step["device"], step["action"], step["arguments"]] for step in way["steps"]]
        for way in json.loads(done.stdout)["ways"]
    ]
    ways = [
        [[step.device, step.action, step.arguments] for step in way.dry_run.steps] for way in rehearsal.ways
    ]
    _refuse_other_ways(json.loads(json.dumps(ways)), there)


def _refuse_other_ways(ways: Sequence[Sequence[JsonValue]], there: Sequence[Sequence[JsonValue]]) -> None:
    """Refuse what another process has found of a protocol, where it is not what this one has: each way, and each step.

    Raises:
        BrokenContract: it is not.
    """
    for here, then in zip(ways, there, strict=False):
        number = _first_difference(here, then)
        if number is not None:
            raise BrokenContract(
                f"In another process the protocol asks for other steps: step {number} is {then[number - 1]} in place of "
                f"{here[number - 1]}. Sets have no order; write lists, or sorted(...)."
            )
        if len(here) != len(then):
            raise BrokenContract(
                f"In another process the protocol has {len(then)} steps in place of {len(here)}."
            )
    if len(ways) != len(there):
        raise BrokenContract(
            f"In another process its readings lead the protocol {len(there)} ways in place of {len(ways)}."
        )


def _first_difference(one: Sequence[object], other: Sequence[object]) -> int | None:
    """Where two lists differ first, counted from 1; None where they do not, as far as the shorter one goes."""
    pairs = enumerate(zip(one, other, strict=False), start=1)  # the caller compares their lengths
    return next((number for number, (a, b) in pairs if a != b), None)
