"""What every line device says of a command that was broken off, wherever that was, held against the world's own ledger.

Each command is cut at each of its requests and physical actions. What is there afterwards asks the instrument, and its
answer must be true: DONE only if the ledger has the whole command, NOT_DONE only if sending it again harms nothing, which
is tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import StaleLease
from lab.interfaces import Answer, Reconciliation
from tests.devices.atc_bench import ATC_TRIALS
from tests.devices.bus_trials import BUS_TRIALS, QUICK_BUS_TRIALS
from tests.devices.line_bench import Water, Wire, make_bench
from tests.devices.line_cuts import Broken, Cut, When, broken_off, connected, heir, on_bench
from tests.devices.line_trials import QUICK_TRIALS, TRIALS, Trial
from tests.devices.masterflex_bench import MASTERFLEX_TRIALS
from tests.devices.module_bench import MODULE_TRIALS, QUICK_MODULE_TRIALS
from tests.devices.tec_bench import TEC_TRIALS

PACE = 100.0
"""Lab seconds per wall second where a socket is in it."""

WHOLE = Cut(When.BEFORE, -1)
"""No cut at all."""

IN_DOUBT = {"heat", "give", "hold", "cool", "warm", "shake", "still", "off", "reach", "keep", "open_door"}
"""Marks after which an instrument may have nothing certain to say."""

trials = pytest.mark.parametrize(
    "trial",
    [*TRIALS, *BUS_TRIALS, *MODULE_TRIALS, *TEC_TRIALS, *MASTERFLEX_TRIALS, *ATC_TRIALS],
    ids=lambda trial: trial.name,
)


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


async def _lengths(trial: Trial, clock: LabClock, ledger: Path) -> dict[When, int]:
    """How many requests and actions a whole command takes."""
    async with on_bench(trial, clock, ledger) as bench:
        blade = await broken_off(bench, WHOLE)
        assert not blade.fallen
        assert trial.happened(bench.world, bench.actions())
        requests, acts = blade.requests, blade.acts
    return {When.BEFORE: requests, When.DURING: requests, When.AFTER: requests, When.ACTED: acts}


async def _judge(bench: Broken, answer: Reconciliation, *, settle_s: float = 300.0) -> None:
    """Hold an answer against the ledger, and act on it as the engine does."""
    trial, last = bench.trial, bench.marks[-1].name if bench.marks else "none"
    where = f"{trial.name}, last mark {last}: {answer.sentence}"
    # What an instrument was in the middle of has ended by then, were it not for the safe state.
    await asyncio.sleep(settle_s)
    match answer.answer:
        case Answer.DONE:
            assert trial.happened(bench.world, bench.actions()), where
        case Answer.NOT_DONE:
            assert not trial.begun(bench.world, bench.actions()), where
            await bench.send(trial.command)
            assert trial.happened(bench.world, bench.actions()), where
        case Answer.UNKNOWN:
            assert last in IN_DOUBT, where


Mode = Callable[[Trial, LabClock, Path, Cut], AbstractAsyncContextManager[Broken]]
"""What is left of controller and instrument after a cut."""


async def _all_cuts(
    trial: Trial, clock: LabClock, folder: Path, whens: tuple[When, ...], mode: object
) -> set[str]:
    lengths = await _lengths(trial, clock, folder / "whole.jsonl")
    answers = set()
    for when in whens:
        for n in range(lengths[when]):
            ledger = folder / f"{when.name}_{n}.jsonl"
            async with mode(trial, clock, ledger, Cut(when, n)) as bench:
                answer = await bench.recover()
                await _judge(bench, answer)
                answers.add(str(answer.answer))
    return answers


@asynccontextmanager
async def _killed(trial: Trial, clock: LabClock, ledger: Path, cut: Cut) -> AsyncIterator[Broken]:
    """The process is gone, and its twin with it: both are made again from what is on disk."""
    copy = ledger.with_suffix(".copy")
    async with on_bench(trial, clock, ledger) as dead:
        blade = await broken_off(dead, cut, copy=copy)
        assert blade.fallen
    world = World.rebuild(copy, clock=clock, chemistry=Water())
    belief = make_bench(plate_at=trial.case.plate_at)
    wire = Wire(trial.case.twin(world))
    try:
        async with connected(trial, clock, world, wire, belief) as alive:
            yield heir(dead, alive)
    finally:
        world.close()


@asynccontextmanager
async def _orphaned(
    trial: Trial, clock: LabClock, ledger: Path, cut: Cut, *, socket: bool = False, after_s: float = 0.0
) -> AsyncIterator[Broken]:
    """The controller is gone, the instrument goes on; after some time a new controller finds it as it is by then."""
    async with on_bench(trial, clock, ledger, socket=socket) as dead:
        blade = await broken_off(dead, cut)
        assert blade.fallen
        await asyncio.sleep(after_s)
        blade.lift()
        belief = make_bench(plate_at=trial.case.plate_at)
        async with connected(trial, clock, dead.world, dead.wire, belief, socket=socket) as alive:
            yield heir(dead, alive)


@asynccontextmanager
async def _blinked(trial: Trial, clock: LabClock, ledger: Path, cut: Cut) -> AsyncIterator[Broken]:
    """One exchange was lost; controller and instrument are both still there."""
    async with on_bench(trial, clock, ledger) as bench:
        blade = await broken_off(bench, cut, once=True)
        assert blade.fallen
        blade.lift()
        yield bench


@trials
def test_after_a_crash_of_all_a_command_cut_anywhere_is_answered_truly(
    trial: Trial, clock: LabClock, tmp_path: Path
) -> None:
    whens = (When.BEFORE, When.AFTER, When.ACTED)
    answers = clock.run(_all_cuts(trial, clock, tmp_path, whens, _killed))
    assert answers == set((trial.anew or trial.answers).split())


@pytest.mark.parametrize("after_s", [0.0, 600.0])
@trials
def test_after_a_crash_of_the_controller_alone_a_command_cut_anywhere_is_answered_truly(
    trial: Trial, after_s: float, clock: LabClock, tmp_path: Path
) -> None:
    whens = (When.BEFORE, When.DURING, When.AFTER)
    answers = clock.run(_all_cuts(trial, clock, tmp_path, whens, partial(_orphaned, after_s=after_s)))
    anew = trial.anew or trial.answers
    expected = trial.late if after_s and trial.late else anew
    assert answers == set(expected.split())


@trials
def test_after_any_lost_exchange_a_command_is_answered_truly(
    trial: Trial, clock: LabClock, tmp_path: Path
) -> None:
    whens = (When.BEFORE, When.DURING, When.AFTER)
    answers = clock.run(_all_cuts(trial, clock, tmp_path, whens, _blinked))
    assert answers == set(trial.answers.split())


@pytest.mark.parametrize(
    "trial", [*QUICK_TRIALS, *QUICK_BUS_TRIALS, *QUICK_MODULE_TRIALS], ids=lambda trial: trial.name
)
def test_over_a_socket_a_command_cut_at_each_of_its_parts_is_answered_truly(
    trial: Trial, clock: LabClock, tmp_path: Path
) -> None:
    async def parts() -> list[int]:
        """Which requests are the first of their parts."""
        async with on_bench(trial, clock, tmp_path / "whole.jsonl") as bench:
            await broken_off(bench, WHOLE)
            lines = [at for at, (kind, _) in enumerate(bench.trace) if kind == "line"]
            return [
                next(
                    n
                    for n, at in enumerate(lines)
                    if at > mark and not bench.trace[at][1].startswith(trial.questions)
                )
                for mark, (kind, name) in enumerate(bench.trace)
                if kind == "mark" and name in trial.parts
            ]

    requests = clock.run(parts())
    with LabClock(virtual=True, pace=PACE) as paced:

        async def body() -> None:
            for n in requests:
                ledger = tmp_path / f"{n}.jsonl"
                async with _orphaned(trial, paced, ledger, Cut(When.DURING, n), socket=True) as bench:
                    await _judge(bench, await bench.recover(), settle_s=20.0)

        paced.run(body())


@trials
def test_each_part_is_marked_before_it_is_sent(trial: Trial, clock: LabClock, tmp_path: Path) -> None:
    async def body() -> None:
        async with on_bench(trial, clock, tmp_path / "ledger.jsonl") as bench:
            await broken_off(bench, WHOLE)
            changing = [
                (kind, what)
                for kind, what in bench.trace
                if kind == "mark" or not what.startswith(trial.questions)
            ]
            for name, line in trial.parts.items():
                at = changing.index(("mark", name))
                assert changing[at + 1][1].startswith(line)
                assert not any(kind == "line" and what.startswith(line) for kind, what in changing[:at])
            assert changing[0][0] == "mark", "nothing that changes anything is sent before the first mark"

    clock.run(body())


@trials
def test_a_lease_older_than_one_it_has_seen_is_refused_and_nothing_is_sent(
    trial: Trial, clock: LabClock, tmp_path: Path
) -> None:
    async def body() -> None:
        async with on_bench(trial, clock, tmp_path / "ledger.jsonl") as bench:
            bench.device.fence.admit(50)
            before = len(bench.wire.sent)
            with pytest.raises(StaleLease, match="Nothing was sent"):
                await bench.send(trial.command)
            assert len(bench.wire.sent) == before
            assert not bench.marks

    clock.run(body())


@trials
def test_a_command_whose_lease_is_given_to_another_sends_nothing_more(
    trial: Trial, clock: LabClock, tmp_path: Path
) -> None:
    async def cut_at(n: int, ledger: Path) -> bool:
        """Whether the command was still under way at its n-th request."""
        async with on_bench(trial, clock, ledger) as bench:
            model, sent = bench.wire.model, 0

            async def answer(line: str) -> str:
                nonlocal sent
                sent += 1
                reply = await model.reply(line)
                if sent == n:
                    bench.device.fence.admit(bench.token + 1)
                return reply

            bench.wire.instead = answer
            try:
                await bench.send(trial.command)
            except StaleLease:
                assert sent == n
                return True
            return False

    async def body() -> None:
        ended = [await cut_at(n, tmp_path / f"{n}.jsonl") for n in range(1, 8)]
        assert ended[0], "the first request is not the last"

    clock.run(body())
