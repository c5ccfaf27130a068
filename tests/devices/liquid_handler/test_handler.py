"""The liquid handler, end to end: on its twin in virtual time, in a run engine, and on PyLabRobot's own STAR firmware."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky.run_engine import RunEngine, _ensure_event_loop_running
from bluesky.utils import FailedStatus
from pylabrobot.liquid_handling.backends.hamilton.STAR_chatterbox import STARChatterboxBackend
from pylabrobot.resources import does_tip_tracking, does_volume_tracking

from devices.identity import Identity
from devices.liquid_handler import AddReagent, Distribute, Mix
from devices.liquid_handler.handler import Handler, PipettingDriver
from devices.liquid_handler.star import real_star, star, star_deck, star_keywords
from digital_twin.chemistry import chemistry
from digital_twin.instruments.liquid_handler import star_twin
from digital_twin.world import World
from lab.bench import Bench, Position
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    CommandTimeout,
    ConnectionLost,
    DeviceFault,
    InstrumentError,
    LostTip,
    OutOfRange,
)
from lab.interfaces import Verb
from lab.types import Origin
from tests.devices.broken_off import Breaker, try_once
from tests.twin_bench import SEATS, small_bench

TARGETS = (*(("assay_1", f"A{column}", 5.0) for column in (1, 2, 3)), ("assay_2", "B1", 5.0))
DISTRIBUTE = Distribute(
    source_labware="library", source_well="A1", targets=TARGETS, tip_volume_ul=50.0, mix_cycles=3
)
WHOLE_PLATE = tuple(f"{row}{column}" for row in "ABCDEFGH" for column in range(1, 13))
ADD = AddReagent(
    source_labware="buffer",
    source_well="A1",
    labware="assay_1",
    wells=WHOLE_PLATE,
    volume_ul=45.0,
    tip_volume_ul=300.0,
)
MIX = Mix(labware="library", wells=("A1", "B1", "C1"), volume_ul=20.0, cycles=5, tip_volume_ul=50.0)


@dataclass
class Rig:
    """A handler on its twin, and what stands around it."""

    clock: LabClock
    bench: Bench
    world: World
    handler: Handler

    def do(self, verb: Any, command: Any) -> float:
        """Carry a command out and believe it; gives back the lab time it took."""
        assert not verb.problems(command, self.bench)

        async def carry_out() -> float:
            begun = self.clock.now()
            await verb.set(command)
            return self.clock.now() - begun

        took_s = self.clock.run(carry_out())
        command.believe(self.bench)
        return took_s


def engine_of(clock: LabClock) -> RunEngine:
    """A run engine on the clock's loop, which runs already."""
    _ensure_event_loop_running.loop_to_thread[clock.loop] = clock.thread  # type: ignore[attr-defined]
    return RunEngine({}, loop=clock.loop, context_managers=[])


@pytest.fixture
def rig() -> Iterator[Rig]:
    bench = small_bench()
    with LabClock(virtual=True) as clock:
        world = World(
            clock=clock, seed=7, ledger=None, bench=bench, chemistry=chemistry("protein_g"), seats=SEATS
        )
        handler = star("handler", star_twin(world, name="handler"), bench=bench)
        clock.run(handler.connect())
        yield Rig(clock, bench, world, handler)
        clock.run(handler.disconnect())


def test_what_is_believed_is_about_what_is_true(rig: Rig) -> None:
    rig.do(rig.handler.add_reagent, ADD)
    rig.do(rig.handler.distribute, DISTRIBUTE)
    for labware in ("assay_1", "assay_2", "library"):
        for well, contents in rig.bench.labware[labware].wells.items():
            assert rig.world.volume_ul(labware, well) == pytest.approx(contents.volume_ul, rel=0.08, abs=0.3)
    assert rig.world.state.pieces["tips_large"].tips == set(rig.bench.labware["tips_large"].tips)
    assert rig.world.state.pieces["tips_1"].tips == set(rig.bench.labware["tips_1"].tips)
    assert rig.world.tips_on("handler") == (False,) * 8


def test_the_variant_reaches_the_wells_it_was_meant_for(rig: Rig) -> None:
    rig.do(rig.handler.distribute, DISTRIBUTE)
    wells = rig.world.state.pieces["assay_1"].wells
    assert wells is not None
    found = {well for well in wells.names if wells.amount("native:WT")[wells.index(well)] > 0.0}
    assert found == {"A1", "A2", "A3"}


@pytest.mark.parametrize("command", [DISTRIBUTE, ADD, MIX])
def test_a_command_takes_about_as_long_as_expected(rig: Rig, command: Any) -> None:
    verb: Verb = getattr(rig.handler, command.verb)
    expected_s = verb.duration_s(command, rig.bench)
    assert rig.do(verb, command) == pytest.approx(expected_s, rel=0.3)


def test_lab_time_costs_no_wall_time(rig: Rig) -> None:
    begun = time.monotonic()
    lab_s = sum(rig.do(rig.handler.mix, MIX) for _ in range(20))
    wall_s = time.monotonic() - begun
    assert lab_s > 300.0
    assert wall_s < lab_s / 30.0


def test_the_result_names_the_tips_that_belief_counts_as_used(rig: Rig) -> None:
    before = set(rig.bench.labware["tips_1"].tips)
    rig.do(rig.handler.mix, MIX)
    used = {spot for rack, spot in rig.handler.mix.result()["tips"] if rack == "tips_1"}
    assert used == before - set(rig.bench.labware["tips_1"].tips)


def test_eight_channels_mix_a_column_at_once(rig: Rig) -> None:
    together = rig.do(rig.handler.mix, MIX)
    alone = rig.do(
        rig.handler.mix, Mix(labware="library", wells=("A1",), volume_ul=20.0, cycles=5, tip_volume_ul=50.0)
    )
    assert together < 1.5 * alone


def test_reagent_from_above_leaves_the_tips_clean(rig: Rig) -> None:
    rig.do(rig.handler.distribute, DISTRIBUTE)
    rig.do(rig.handler.add_reagent, ADD)
    wells = rig.world.state.pieces["assay_1"].wells
    assert wells is not None
    clean = [wells.index(well) for well in WHOLE_PLATE if well not in ("A1", "A2", "A3")]
    assert not wells.amount("native:WT")[clean].any()


def test_two_commands_in_a_run_engine(rig: Rig) -> None:
    engine = engine_of(rig.clock)

    def plan() -> Any:
        yield from bps.abs_set(rig.handler.add_reagent, ADD, wait=True)
        ADD.believe(rig.bench)
        yield from bps.abs_set(rig.handler.distribute, DISTRIBUTE, wait=True)

    engine(plan())
    assert rig.world.volume_ul("assay_1", "A1") == pytest.approx(50.0, abs=2.0)


def test_a_fault_of_the_machine_reaches_the_plan_with_its_name(rig: Rig) -> None:
    rig.world.act("arm", "pick", position="deck_plate_2")
    engine = engine_of(rig.clock)

    def plan() -> Any:
        yield from bps.abs_set(rig.handler.distribute, DISTRIBUTE, wait=True)

    with pytest.raises(FailedStatus) as failed:
        engine(plan())
    fault = failed.value.__cause__
    assert isinstance(fault, InstrumentError)
    assert fault.device == "handler"
    assert "assay_2 does not stand on the deck" in str(fault)


def test_after_a_fault_no_tip_is_left_on_and_the_next_command_works(rig: Rig) -> None:
    rig.world.act("arm", "pick", position="deck_plate_2")
    with pytest.raises(InstrumentError):
        rig.do(rig.handler.distribute, DISTRIBUTE)
    assert rig.world.tips_on("handler") == (False,) * 8
    rig.world.act("arm", "place", position="deck_plate_2")
    rig.bench.use_tips([("tips_1", "A1")])
    rig.do(rig.handler.distribute, DISTRIBUTE)
    assert rig.world.volume_ul("assay_2", "B1") == pytest.approx(5.0, abs=0.5)


def test_a_tip_that_is_believed_but_not_there_is_a_fault(rig: Rig) -> None:
    rig.world.act("handler", "pick_up_tips", channels=[0], tips=[["tips_1", "A1"]])
    rig.world.act("handler", "drop_tips", channels=[0])
    with pytest.raises(LostTip, match="no tip at A1 of tips_1"):
        rig.do(rig.handler.distribute, DISTRIBUTE)


def test_tips_left_on_by_a_crash_are_thrown_away_at_the_next_start(rig: Rig) -> None:
    rig.world.act("handler", "pick_up_tips", channels=[0, 5], tips=[["tips_1", "A1"], ["tips_1", "B1"]])
    again = star("handler", star_twin(rig.world, name="handler"), bench=rig.bench)
    rig.clock.run(again.connect())
    assert rig.world.tips_on("handler") == (False,) * 8
    rig.clock.run(again.disconnect())


def test_the_safe_state_can_be_asked_for_at_any_time(rig: Rig) -> None:
    rig.clock.run(rig.handler.safe())
    rig.clock.run(rig.handler.safe())
    rig.do(rig.handler.distribute, DISTRIBUTE)


def test_labware_that_the_arm_brought_is_found_at_its_new_place(rig: Rig) -> None:
    for position in ("hotel_1", "deck_plate_1"):
        rig.world.act("arm", "pick", position=rig.bench.labware["assay_1"].position)
        rig.world.act("arm", "place", position=position)
        rig.bench.move("assay_1", position)
        if position == "hotel_1":
            assert rig.handler.distribute.problems(DISTRIBUTE, rig.bench)
    rig.do(rig.handler.distribute, DISTRIBUTE)


def test_pylabrobot_s_switches_are_on_during_a_command_only(rig: Rig) -> None:
    seen = []
    original = rig.world.act

    def noted(*args: Any, **kwargs: Any) -> Any:
        seen.append((does_tip_tracking(), does_volume_tracking()))
        return original(*args, **kwargs)

    rig.world.act = noted  # type: ignore[method-assign]
    rig.do(rig.handler.distribute, DISTRIBUTE)
    assert set(seen) == {(True, True)}
    assert (does_tip_tracking(), does_volume_tracking()) == (False, False)


def test_a_volume_past_the_limits_is_never_sent(rig: Rig) -> None:
    narrow = star(
        "narrow", star_twin(rig.world, name="narrow"), bench=rig.bench, limits={"volume_ul": (6.0, 100.0)}
    )
    assert "volume_ul 5 is outside 6 to 100" in " ".join(narrow.distribute.problems(DISTRIBUTE, rig.bench))

    async def attempt() -> None:
        await narrow.distribute.set(DISTRIBUTE)

    with pytest.raises(OutOfRange):
        rig.clock.run(attempt())


def test_a_limit_that_a_handler_does_not_have_is_refused() -> None:
    with pytest.raises(BadInput, match="temperature_c"):
        star("handler", real_star(), bench=small_bench(), limits={"temperature_c": (4.0, 99.0)})


def test_a_twin_says_that_it_is_one(rig: Rig) -> None:
    identity = rig.clock.run(rig.handler.identify())
    assert identity.origin is Origin.TWIN
    assert identity.serial.startswith("TWIN")
    configuration = rig.clock.run(rig.handler.read_configuration())
    assert configuration["handler-origin"]["value"] == "twin"


def test_a_mock_sends_nothing_and_needs_no_machine() -> None:
    with LabClock(virtual=True) as clock:
        handler = star("handler", real_star(), bench=small_bench())

        async def pretend() -> None:
            await handler.connect(mock=True)
            await handler.distribute.set(DISTRIBUTE)

        clock.run(pretend())


def test_a_deck_that_is_too_small_is_refused() -> None:
    bench = small_bench()
    positions = [Position(name=f"deck_{n}", device="handler") for n in range(60)]
    with pytest.raises(BadInput, match="no room"):
        star_deck("handler", Bench(positions, [*bench.labware.values()][:0]))


class RecordedStar(STARChatterboxBackend):
    """PyLabRobot's own STAR backend, real down to the firmware strings, which are kept instead of sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    async def _write_and_read_command(self, id_: int | None, cmd: str, **kwargs: Any) -> None:
        self.sent.append(cmd)


async def _introduce() -> Identity:
    return Identity(vendor="Hamilton", model="STAR", serial="1234", firmware="", origin=Origin.REAL)


@pytest.mark.parametrize("command", [DISTRIBUTE, ADD, MIX])
def test_the_same_device_drives_the_firmware_of_a_real_star(command: Any) -> None:
    backend, bench = RecordedStar(), small_bench()
    driver = PipettingDriver(backend=backend, introduce=_introduce, from_above=star_keywords)
    with LabClock(virtual=True) as clock:
        handler = star("handler", driver, bench=bench)

        async def carry_out() -> None:
            await handler.connect()
            backend.sent.clear()
            await getattr(handler, command.verb).set(command)
            await handler.disconnect()

        clock.run(carry_out())
    verbs = [line[:4] for line in backend.sent]
    assert verbs[-1] == "C0TR"
    assert verbs.count("C0TP") == verbs.count("C0TR") == 1
    expected = {"distribute": (1, 4), "add_reagent": (2, 12), "mix": (1, 0)}[command.verb]
    assert (verbs.count("C0AS"), verbs.count("C0DS")) == expected


def test_jets_from_above_and_contact_below_are_told_apart_by_the_firmware() -> None:
    backend, bench = RecordedStar(), small_bench()
    driver = PipettingDriver(backend=backend, introduce=_introduce, from_above=star_keywords)
    with LabClock(virtual=True) as clock:
        handler = star("handler", driver, bench=bench)

        async def carry_out() -> None:
            await handler.connect()
            await handler.add_reagent.set(ADD)
            await handler.distribute.set(DISTRIBUTE)
            await handler.disconnect()

        clock.run(carry_out())
    modes = [line.split("dm", 1)[1][0] for line in backend.sent if line.startswith("C0DS")]
    assert modes == ["0"] * 12 + ["2"] * 4


def test_only_a_command_that_sent_nothing_says_that_nothing_was_done(rig: Rig) -> None:
    for rack in ("tips_1", "tips_2"):
        rig.bench.labware[rack].tips.clear()
    with pytest.raises(DeviceFault, match="1 tips of 50 ul are needed and 0 are left") as unsent:
        rig.clock.run(sent(rig.handler.distribute, DISTRIBUTE))
    assert unsent.value.nothing_done
    rig.bench.labware["tips_1"].tips.append("A1")
    rig.world.act("arm", "pick", position="deck_plate_2")
    with pytest.raises(InstrumentError) as broken:
        rig.clock.run(sent(rig.handler.distribute, DISTRIBUTE))
    assert not broken.value.nothing_done


async def sent(verb: Any, command: Any) -> None:
    """Send a command and wait for its end."""
    await verb.set(command)


def test_the_safe_state_goes_by_the_sensors_of_the_machine(rig: Rig) -> None:
    killed = Breaker(at=1)
    killed.stand_before(rig.handler._driver.backend, ["pick_up_tips", "aspirate"])

    async def part_way() -> None:
        await try_once(rig.clock, rig.handler.distribute, DISTRIBUTE, killed)

    # A tip that fell off is not thrown away once more, though PyLabRobot remembers it.
    rig.clock.run(part_way())
    assert rig.world.tips_on("handler")[0]
    rig.world.act("handler", "drop_tips", channels=[0])
    rig.clock.run(rig.handler.safe())
    # A tip that is still on goes, though PyLabRobot has forgotten it.
    rig.world.act("handler", "pick_up_tips", channels=[0], tips=[["tips_1", "B1"]])
    rig.clock.run(rig.handler.look())
    told = rig.clock.run(rig.handler.distribute.reconcile(DISTRIBUTE, []))
    assert "Its sensors saw tips on channels 1." in told.sentence
    rig.clock.run(rig.handler.safe())
    assert rig.world.tips_on("handler") == (False,) * 8


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ConnectionRefusedError("no such port"), ConnectionLost), (TimeoutError(), CommandTimeout)],
    ids=["refused", "silent"],
)
def test_a_machine_that_can_t_be_reached_is_a_fault_from_the_first(
    rig: Rig, error: Exception, kind: type[DeviceFault]
) -> None:
    async def setup() -> None:
        raise error

    rig.handler._driver.backend.setup = setup
    with pytest.raises(kind) as caught:
        rig.clock.run(rig.handler.set_up(again=True))
    assert caught.value.device == "handler"
