"""Faults of a STAR's twin: what becomes of tips and liquid, seen from PyLabRobot's front end."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from pylabrobot.liquid_handling.backends.hamilton.STAR_backend import ClotDetectedError
from pylabrobot.liquid_handling.errors import ChannelizedError
from pylabrobot.resources.errors import NoTipError, TooLittleLiquidError

from devices.liquid_handler.tracking import tracking
from digital_twin.faults import FaultRule, Moment
from digital_twin.instruments.liquid_handler import ANSWER_TIMEOUT_S
from digital_twin.state import Channel
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import FaultKind
from tests.digital_twin.seams import Pipettor, Silence, a_world, faults_of, script, told
from tests.twin_bench import small_bench

Work = Callable[[Pipettor, World], Coroutine[Any, Any, None]]


def with_fault(kind: FaultKind, where: str, work: Work, **rule: Any) -> World:
    """Pipette with one fault on the way; gives back the world."""
    bench = small_bench()
    with LabClock(virtual=True) as clock:
        world = a_world(clock, bench=bench)
        rules = script(
            FaultRule(instrument="handler", kind=kind, where=where, **{"at": (1,), **rule}), seed=3
        )

        async def begin() -> None:
            pipettor = Pipettor(world, bench, rules)
            await pipettor.front.setup()
            with tracking():
                await work(pipettor, world)

        clock.run(begin())
    assert len(faults_of(world)) == 1
    return world


def channels(world: World) -> list[Channel]:
    return world.state.head("handler")


async def fails(awaitable: Coroutine[Any, Any, None]) -> dict[int, Exception]:
    """What each channel reports."""
    with pytest.raises(ChannelizedError) as caught:
        await awaitable
    return dict(caught.value.errors)


def test_a_failed_aspirate_drew_air_and_the_other_channels_drew_liquid():
    async def work(star: Pipettor, world: World) -> None:
        before_ul = world.volume_ul("buffer", "A1")
        await star.fetch(0, 1, 2)
        errors = await fails(star.draw(0, 1, 2))
        (failed,) = errors
        assert isinstance(errors[failed], TooLittleLiquidError)
        for number in (0, 1, 2):
            liquid_ul, air_ul = channels(world)[number].liquid.volume_ul, channels(world)[number].air_ul
            full, empty = (air_ul, liquid_ul) if number == failed else (liquid_ul, air_ul)
            assert full == pytest.approx(20.0, rel=0.1)
            assert empty == pytest.approx(0.0, abs=1e-9)
        assert before_ul - world.volume_ul("buffer", "A1") == pytest.approx(40.0, rel=0.1)

    with_fault(FaultKind.FAILED_ASPIRATE, "add_reagent", work)


@pytest.mark.parametrize("silent", [False, True])
def test_a_short_aspirate_draws_part_of_it_whether_the_machine_says_so_or_not(silent: bool):
    async def work(star: Pipettor, world: World) -> None:
        await star.fetch(0)
        if silent:
            await star.draw(0)
        else:
            await fails(star.draw(0))
        assert 5.0 < channels(world)[0].liquid.volume_ul < 17.0
        drawn_ul = channels(world)[0].liquid.volume_ul + channels(world)[0].air_ul
        assert drawn_ul == pytest.approx(20.0, rel=0.1)

    with_fault(FaultKind.SHORT_VOLUME, "distribute", work, silent=silent)


def test_a_clogged_tip_keeps_its_liquid_and_says_so_until_it_is_thrown_away():
    async def work(star: Pipettor, world: World) -> None:
        await star.fetch(0)
        await star.draw(0)
        held_ul = channels(world)[0].liquid.volume_ul
        for _ in range(2):
            errors = await fails(star.give(0))
            assert isinstance(errors[0], ClotDetectedError)
            assert channels(world)[0].liquid.volume_ul == held_ul
            assert world.volume_ul("assay_1", "A1") == 0.0
        await star.drop(0)
        await star.fetch(1)
        await star.draw(1)
        await star.give(1)
        assert world.volume_ul("assay_1", "B1") == pytest.approx(10.0, rel=0.1)

    with_fault(FaultKind.CLOG, "distribute", work)


def test_a_tip_that_clogs_while_drawing_draws_nothing_at_all():
    async def work(star: Pipettor, world: World) -> None:
        await star.fetch(0)
        await fails(star.draw(0))
        assert (channels(world)[0].liquid.volume_ul, channels(world)[0].air_ul) == (0.0, 0.0)

    with_fault(FaultKind.CLOG, "aspirate", work)


@pytest.mark.parametrize(("moment", "drawn"), [(Moment.BEFORE, False), (Moment.AFTER, True)])
def test_a_tip_lost_at_an_aspirate_leaves_its_channel_empty(moment: Moment, drawn: bool):
    async def work(star: Pipettor, world: World) -> None:
        before_ul = world.volume_ul("buffer", "A1")
        await star.fetch(0)
        errors = await fails(star.draw(0))
        assert isinstance(errors[0], NoTipError)
        assert await star.front.backend.request_tip_presence() == [False] * 8
        assert channels(world)[0].liquid.volume_ul == 0.0
        assert (world.volume_ul("buffer", "A1") < before_ul - 15.0) is drawn

    with_fault(FaultKind.LOST_TIP, "distribute", work, moment=moment)


@pytest.mark.parametrize(("moment", "in_rack"), [(Moment.BEFORE, True), (Moment.AFTER, False)])
def test_a_tip_that_is_not_picked_up_stays_in_its_rack_and_one_that_falls_does_not(
    moment: Moment, in_rack: bool
):
    async def work(star: Pipettor, world: World) -> None:
        errors = await fails(star.fetch(0, 1))
        (failed,) = errors
        other = 1 - failed
        assert isinstance(errors[failed], NoTipError)
        on = await star.front.backend.request_tip_presence()
        assert (on[failed], on[other]) == (False, True)
        spots = {0: "A1", 1: "B1"}
        assert (spots[failed] in world.state.pieces["tips_1"].tips) is in_rack
        assert spots[other] not in world.state.pieces["tips_1"].tips

    with_fault(FaultKind.LOST_TIP, "pick_up", work, moment=moment)


def test_tips_that_are_left_are_thrown_away_though_one_is_missing():
    async def work(star: Pipettor, world: World) -> None:
        await star.fetch(0, 1)
        await fails(star.draw(0, 1))
        (lost,) = [c for c in (0, 1) if not world.tips_on("handler")[c]]
        errors = await fails(star.drop(0, 1))
        assert set(errors) == {lost}
        assert not any(world.tips_on("handler"))

    with_fault(FaultKind.LOST_TIP, "add_reagent", work)


@pytest.mark.parametrize("kind", [FaultKind.CONNECTION_LOST, FaultKind.TIMEOUT])
@pytest.mark.parametrize(("moment", "given"), [(Moment.BEFORE, False), (Moment.AFTER, True)])
def test_whether_liquid_was_given_before_the_answer_was_lost_is_a_matter_of_the_moment(
    kind: FaultKind, moment: Moment, given: bool
):
    async def work(star: Pipettor, world: World) -> None:
        await star.fetch(0)
        await star.draw(0)
        with pytest.raises(ConnectionError if kind is FaultKind.CONNECTION_LOST else TimeoutError):
            await star.give(0)
        assert (world.volume_ul("assay_1", "A1") > 5.0) is given

    with_fault(kind, "distribute", work, moment=moment)


def test_a_machine_that_times_out_does_so_after_a_while_and_a_silent_one_never_does():
    async def work(star: Pipettor, world: World) -> None:
        begun_s = world.clock.now()
        answer = await told(lambda: star.fetch(0))
        if isinstance(answer, Silence):
            assert silent
        else:
            assert isinstance(answer, TimeoutError)
            assert world.clock.now() - begun_s == pytest.approx(ANSWER_TIMEOUT_S)
            assert not silent

    for silent in (False, True):
        with_fault(FaultKind.TIMEOUT, "pick_up", work, silent=silent)


def test_a_busy_machine_does_nothing():
    async def work(star: Pipettor, world: World) -> None:
        with pytest.raises(Exception, match="PIP task busy"):
            await star.fetch(0)
        assert not any(world.tips_on("handler"))
        await star.fetch(0)
        assert world.tips_on("handler")[0]

    with_fault(FaultKind.BUSY, "distribute", work)
