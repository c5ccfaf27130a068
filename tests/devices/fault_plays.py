"""One thing that goes wrong with one driver while it does one job, and what the driver made of it.

A case is played twice over the same world: left alone, and with the fault. What the driver says is held against the first
and against the world's own ledger. After a fault it is treated as the engine treats it: look, safe state, reconcile, and
once more where nothing was done.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Sequence
from concurrent.futures import TimeoutError as NoEnd
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from digital_twin.faults import (
    BEFORE_OR_AFTER,
    NO_FAULTS,
    FaultRule,
    FaultScript,
    Moment,
)
from lab.clock import LabClock
from lab.errors import DeviceFault, FaultKind
from lab.interfaces import Answer
from lab.types import JsonValue, Mark
from tests.devices.fault_cases import CHECK, READ, Case, DriverBench, Job, Outcome, Setup, Verdict
from tests.devices.taps import Spoil
from tests.devices.wire_kinds import Bad, spoilt

__all__ = ["cases_of", "play"]

BOUND_S = 36_000.0
"""Lab time within which a job ends, whatever goes wrong; left alone, the longest takes some minutes."""

WALL_S = 120.0
"""Wall time of a whole case; left alone it takes a fraction of a second."""

SETTLE_S = 600.0
"""Lab time after which nothing that was begun goes on, and nothing that is late still comes."""


@dataclass(slots=True)
class Tried:
    """One try of a job: its marks, what it gave, or what it ended with."""

    marks: list[Mark] = field(default_factory=list)
    given: JsonValue = None
    error: BaseException | None = None
    ended: bool = True


async def _try(made: Setup, job: Job, clock: LabClock, token: int) -> Tried:
    tried = Tried()

    async def work() -> None:
        tried.given = await _do(made, job, clock, tried.marks, token)

    task = asyncio.ensure_future(work())
    await asyncio.wait({task}, timeout=BOUND_S)
    if not task.done():
        tried.ended = False
        task.cancel()
        await asyncio.wait({task}, timeout=BOUND_S)
        return tried
    tried.error = asyncio.CancelledError() if task.cancelled() else task.exception()
    return tried


async def _do(made: Setup, job: Job, clock: LabClock, marks: list[Mark], token: int) -> Any:
    device = made.device
    if job.name == "connect":
        await device.connect(force_reconnect=token > 1)
        identity = await device.identify()
        return {"model": identity.model, "serial": identity.serial, "origin": str(identity.origin)}
    if job.command is None:
        if job is CHECK:
            await device.identify()
        shown = {**await device.read(), **await device.read_configuration()}
        return {name: _plain(one["value"]) for name, one in shown.items()}

    async def mark(name: str, details: JsonValue) -> None:
        marks.append(Mark(name=name, details=details, lab_time_s=clock.now()))

    verb = getattr(device, job.command.verb)
    verb.engage(token=token, limit_s=BOUND_S / 2.0, mark=mark)
    await verb.set(job.command)
    result = verb.result()
    if (remark := verb.remark()) is not None:
        # Done, and told to whoever asked for it that it is not as it should be.
        raise remark
    # The engine keeps it as JSON.
    return _plain(result)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def play(case: Case) -> Verdict:
    """Play a case and judge it."""
    with LabClock(virtual=True) as clock:
        return _bounded(clock, _played(case, clock))


def _bounded(clock: LabClock, work: Any) -> Verdict:
    try:
        verdict: Verdict = asyncio.run_coroutine_threadsafe(work, clock.loop).result(WALL_S)
        return verdict
    except NoEnd:
        return Verdict(Outcome.HANG, f"no end within {WALL_S:.0f} s of wall time")


async def _played(case: Case, clock: LabClock) -> Verdict:
    script = NO_FAULTS if case.rule is None else FaultScript(case.seed, (case.rule,))
    async with case.bench.setup(clock, script, case.job) as made:
        await _prepare(made, case.job)
        began = len(made.world.ledger.actions)
        made.tap.arm(case.spoil)
        tried = await _try(made, case.job, clock, 1)
        struck = made.tap.struck or any(a.action == "fault" for a in made.world.ledger.actions[began:])
        made.tap.arm(None)
        if not struck:
            return Verdict(Outcome.MISSED)
        expected = _left_alone(case.bench, case.job)
        return await _judged(case, made, clock, tried, expected, began)


async def _prepare(made: Setup, job: Job) -> None:
    if job.name == "connect":
        return
    await made.device.connect()
    for command in job.first:
        await getattr(made.device, command.verb).set(command)
        command.believe(made.bench)


async def _judged(
    case: Case, made: Setup, clock: LabClock, tried: Tried, expected: Any, began: int
) -> Verdict:
    job = case.job
    if not tried.ended:
        return Verdict(Outcome.HANG, f"no end within {BOUND_S:.0f} s of lab time")
    if tried.error is None:
        wrong = _wrong(made, job, tried.given, expected, began)
        if wrong:
            return Verdict(Outcome.WRONG, wrong)
        # What came too often or too late must not be taken for an answer to what is asked next.
        after = await _try(made, CHECK, clock, 2)
        if not isinstance(after.error, DeviceFault):
            return _after(
                case, after, Outcome.RIGHT, "", _left_alone(case.bench, READ) if job is READ else None
            )
        again = await _well_again(made, CHECK, clock, 3)
        return _after(case, again, Outcome.FOUND, f"at the next question, {after.error}")
    if not isinstance(tried.error, DeviceFault):
        return Verdict(Outcome.UNTYPED, repr(tried.error)[:300])
    said = f"{type(tried.error).__name__}: {tried.error}"
    if case.rule is not None and tried.error.kind is not case.rule.kind:
        return Verdict(Outcome.WRONG, f"it is told as {tried.error.kind}: {said}")
    if job.command is not None and getattr(made.device, job.command.verb).result() is not None:
        # It is done, and remarked upon.
        return Verdict(Outcome.FOUND, said)
    if job.command is None:
        after = await _well_again(made, job, clock, 2)
        return _after(case, after, Outcome.FOUND, said, expected)
    return await _recovered(case, made, clock, tried, expected, began, said)


async def _well_again(made: Setup, job: Job, clock: LabClock, token: int) -> Tried:
    """Tried at once, and once more when nothing can still be late."""
    tried = await _try(made, job, clock, token)
    if not isinstance(tried.error, DeviceFault) or (job.command is not None and not tried.error.nothing_done):
        return tried
    await asyncio.sleep(SETTLE_S)
    return await _try(made, job, clock, token + 1)


def _after(case: Case, after: Tried, well: Outcome, said: str, expected: Any = None) -> Verdict:
    """Whether asking again with a good wire gives what it should."""
    if not after.ended:
        return Verdict(Outcome.HANG, f"after {said}: no end of what was asked next")
    if isinstance(after.error, DeviceFault):
        return Verdict(Outcome.STUCK, f"after {said}: {after.error}")
    if after.error is not None:
        return Verdict(Outcome.UNTYPED, f"after {said}: {after.error!r}"[:300])
    if expected is not None and (wrong := _differs(after.given, expected, case.job.near)):
        return Verdict(Outcome.WRONG, f"after {said}: {wrong}")
    return Verdict(well, said)


async def _recovered(
    case: Case, made: Setup, clock: LabClock, tried: Tried, expected: Any, began: int, said: str
) -> Verdict:
    """As the engine goes on after a fault."""
    job, device = case.job, made.device
    verb = getattr(device, job.command.verb)
    fault = tried.error
    assert isinstance(fault, DeviceFault)

    async def asked() -> Any:
        await device.look()
        await device.safe()
        return await verb.reconcile(job.command, tried.marks)

    try:
        async with asyncio.timeout(BOUND_S):
            try:
                answer = await asked()
            except DeviceFault:
                await asyncio.sleep(SETTLE_S)
                answer = await asked()
    except TimeoutError:
        return Verdict(Outcome.HANG, f"after {said}: no end of making it safe")
    except DeviceFault as second:
        return Verdict(Outcome.STUCK, f"after {said}: {second}")
    except Exception as error:  # noqa: BLE001  (what is no fault is what is looked for)
        return Verdict(Outcome.UNTYPED, f"after {said}: {error!r}"[:300])
    await asyncio.sleep(SETTLE_S)
    actions = made.world.ledger.actions[began:]
    if fault.nothing_done and job.begun(made.world, actions):
        return Verdict(Outcome.WRONG, f"{said} says that nothing was done")
    if answer.answer is Answer.DONE:
        if wrong := _wrong(made, job, _known(answer.result, expected), expected, began):
            return Verdict(Outcome.WRONG, f"after {said}: done ({answer.sentence}), but {wrong}")
        return Verdict(Outcome.FOUND, said)
    if answer.answer is Answer.UNKNOWN:
        return Verdict(Outcome.FOUND, said)
    if job.begun(made.world, actions):
        return Verdict(Outcome.WRONG, f"after {said}: not done ({answer.sentence}), but it was begun")
    job.command.believe_part(made.bench, answer.part)
    return await _again(case, made, clock, expected, began, said)


async def _again(case: Case, made: Setup, clock: LabClock, expected: Any, began: int, said: str) -> Verdict:
    again = await _well_again(made, case.job, clock, 2)
    if case.rule is not None and isinstance(again.error, DeviceFault) and again.error.kind is case.rule.kind:
        # What has fallen lies there until a person comes.
        return Verdict(Outcome.FOUND, said)
    after = _after(case, again, Outcome.FOUND, said)
    if after.outcome is not Outcome.FOUND:
        return after
    wrong = _wrong(made, case.job, again.given, expected, began)
    return Verdict(Outcome.WRONG, f"after {said}, once more: {wrong}") if wrong else after


def _wrong(made: Setup, job: Job, given: Any, expected: Any, began: int) -> str:
    """What is not so of a job that is said to be done; empty where all is."""
    actions = [
        a for a in made.world.ledger.actions[began:] if a.action not in ("fault", "chance", "recovered")
    ]
    if job.happened is not None and not job.happened(made.world, actions):
        return f"it was not carried out: {[a.action for a in actions]}"
    return _differs(given, expected, job.near) if job.values else ""


def _differs(given: Any, expected: Any, near: tuple[float, float], where: str = "") -> str:
    """How two values differ; empty where they are the same but for noise and for when they were taken."""
    if isinstance(expected, dict) and isinstance(given, dict) and expected.keys() == given.keys():
        return next(
            filter(
                None,
                (
                    _differs(given[name], expected[name], near, f"{where}.{name}")
                    for name in expected
                    if "time" not in name and "lab_s" not in name
                ),
            ),
            "",
        )
    if isinstance(expected, list | tuple) and isinstance(given, list | tuple) and len(expected) == len(given):
        pairs = enumerate(zip(given, expected, strict=True))
        return next(filter(None, (_differs(g, e, near, f"{where}[{n}]") for n, (g, e) in pairs)), "")
    if _number(given) and _number(expected):
        share, plain = near
        if math.isclose(given, expected, rel_tol=share, abs_tol=plain) or (
            math.isnan(given) and math.isnan(expected)
        ):
            return ""
    elif given == expected:
        return ""
    return f"{where.lstrip('.') or 'it'} is {given!r}, not {expected!r}"[:300]


def _known(given: Any, expected: Any) -> Any:
    """What is not known any more is not wrong."""
    if isinstance(given, dict) and isinstance(expected, dict):
        return expected | {name: value for name, value in given.items() if value is not None}
    return given


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# ---------------------------------------------------------------------------------------------------- what can be tried

_ALONE: dict[tuple[str, str], tuple[Any, list[bytes]]] = {}


def _alone(bench: DriverBench, job: Job) -> tuple[Any, list[bytes]]:
    """What a job gives, and the answers that it takes, when nothing goes wrong."""
    key = (bench.driver, job.name)
    if key not in _ALONE:

        async def body(clock: LabClock) -> tuple[Any, list[bytes]]:
            async with bench.setup(clock, NO_FAULTS, job) as made:
                await _prepare(made, job)
                began = len(made.world.ledger.actions)
                made.tap.arm(None)
                tried = await _try(made, job, clock, 1)
                if tried.error is not None or not tried.ended:
                    raise AssertionError(f"{bench.driver} {job.name} left alone") from tried.error
                wrong = _wrong(made, job, tried.given, tried.given, began)
                assert not wrong, f"{bench.driver} {job.name} left alone: {wrong}"
                return tried.given, list(made.tap.heard)

        with LabClock(virtual=True) as clock:
            _ALONE[key] = asyncio.run_coroutine_threadsafe(body(clock), clock.loop).result(WALL_S)
    return _ALONE[key]


def _left_alone(bench: DriverBench, job: Job) -> Any:
    return _ALONE[bench.driver, job.name][0]


def cases_of(bench: DriverBench, seeds: Sequence[int]) -> list[Case]:
    """Every kind with every job, once for each seed, at an answer that it can strike; and every fault of the instrument."""
    made: list[Case] = []
    for job in bench.jobs:
        _, answers = _alone(bench, job)
        for kind in Bad:
            for seed in () if kind in bench.without or _harmless(bench, job, kind) else seeds:
                spoil = _spoil(bench, job, kind, seed, answers)
                if spoil is not None:
                    made.append(Case(bench=bench, job=job, kind=str(kind), seed=seed, spoil=spoil))
        made += [
            Case(bench=bench, job=job, kind=str(rule.kind), seed=seed, rule=rule)
            for seed in seeds
            for rule in _rules(bench, job, seed)
        ]
    return made


def _harmless(bench: DriverBench, job: Job, kind: Bad) -> bool:
    """Names are no numbers that could be past what there is, and may be in any script where the protocol's text is."""
    odd = (Bad.OUT_OF_RANGE, Bad.OTHER_DIGIT, *((Bad.UNICODE,) if bench.names_in_unicode else ()))
    return job.name == "connect" and kind in odd


def _rng(bench: DriverBench, job: Job, kind: str, seed: int) -> random.Random:
    return random.Random(crc32(f"{bench.driver} {job.name} {kind} {seed}".encode()))


def _spoil(bench: DriverBench, job: Job, kind: Bad, seed: int, answers: Sequence[bytes]) -> Spoil | None:
    """A place where a kind can strike; None where there is none in this job."""
    rng = _rng(bench, job, kind, seed)
    shape = bench.shape
    places = list(range(len(answers)))
    rng.shuffle(places)
    for at in places:
        draw = rng.randrange(2**31)
        steps = spoilt(kind, answers[at], shape, random.Random(draw))
        if steps is not None and steps != [answers[at]]:
            return Spoil(kind, at, draw)
    return None


def _rules(bench: DriverBench, job: Job, seed: int) -> list[FaultRule]:
    """Faults of the instrument that a job can meet, each at one occasion."""
    if job.command is None or job.command.verb not in bench.repertoire.verbs:
        return []
    if job is not next(one for one in bench.jobs if one.command and one.command.verb == job.command.verb):
        # The first job of a verb is the one with all that the verb does.
        return []
    made = []
    for kind in sorted(bench.repertoire.verbs[job.command.verb]):
        rng = _rng(bench, job, kind, seed)
        after = kind in BEFORE_OR_AFTER and rng.random() < 0.5
        # A tip that draws too little and does not say so leaves nothing that a driver could notice.
        silent = kind is FaultKind.TIMEOUT and rng.random() < 0.5
        made.append(
            FaultRule(
                instrument=bench.name,
                kind=kind,
                where=job.command.verb,
                at=(1,),
                moment=Moment.AFTER if after else Moment.BEFORE,
                silent=silent,
            )
        )
    return made
