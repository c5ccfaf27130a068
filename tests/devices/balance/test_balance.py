"""The balance, its driver byte for byte, and whether what it shows is what stands on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from devices.balance import Weigh, Zero
from devices.balance.balance import Balance
from devices.balance.gravimetry import dispensed, water_density_kg_m3, z_factor_ul_per_mg
from devices.balance.mettler_toledo import WXS205, MtSics, mettler_toledo, mettler_toledo_driver
from digital_twin.actions.machines import load_g
from digital_twin.faults import BEFORE_OR_AFTER, NO_FAULTS, FaultRule, FaultScript, Moment
from digital_twin.instruments.balance import METTLER_TOLEDO, BalanceTwin
from digital_twin.instruments.faulty_line import FaultyLine
from digital_twin.instruments.line_port import TwinPort
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    CommandBrokenOff,
    CommandTimeout,
    ConnectionLost,
    DeviceFault,
    FaultKind,
    InstrumentBusy,
    InstrumentError,
    NonsenseReply,
    OutOfRange,
)
from lab.interfaces import Answer
from tests.devices.broken_off import Breaker, try_once
from tests.devices.line_bench import Water
from tests.devices.machine_fault_benches import balance_bench
from tests.devices.taps import TappedPort

WEIGH = Weigh(labware="plate_1")


class Rig:
    """A balance in a world."""

    def __init__(self, clock: LabClock, *, seed: int = 7, plate_at: str = "pan") -> None:
        self.clock = clock
        self.bench = balance_bench(plate_at=plate_at)
        self.world = World(
            clock=clock, seed=seed, ledger=None, bench=self.bench, chemistry=Water(), seats={"pan": "bench"}
        )

    async def balance(self, script: FaultScript = NO_FAULTS) -> tuple[Balance, TappedPort]:
        """As a new process makes it."""
        model = BalanceTwin(self.world, name="balance", position="pan")
        faulty = FaultyLine(model, METTLER_TOLEDO, world=self.world, name="balance", script=script)
        wire = TappedPort(faulty)
        device = mettler_toledo("balance", mettler_toledo_driver(MtSics(wire)), bench=self.bench)
        await device.connect()
        wire.sent.clear()
        return device, wire

    def true_g(self) -> float:
        return load_g(self.world.state, self.world.state.at("pan"))


def run(body: Callable[[Rig], Coroutine[Any, Any, None]], *, plate_at: str = "pan", seed: int = 7) -> None:
    with LabClock(virtual=True) as clock:
        clock.run(body(Rig(clock, plate_at=plate_at, seed=seed)))


def test_it_says_who_it_is_and_stamps_its_origin() -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.balance()
        identity = await device.identify()
        assert (identity.model, identity.serial) == ("WXS205SDU", "TWIN-WXS205-7")
        await device.weigh.set(WEIGH)
        assert (await device.read())["balance-origin"]["value"] == "twin"

    run(body)


def test_what_it_shows_is_what_stands_on_it_to_within_its_repeatability_and_sensitivity() -> None:
    async def body(rig: Rig) -> None:
        device, wire = await rig.balance()
        await device.weigh.set(WEIGH)
        shown_g = await device.mass_g.get_value()
        assert wire.sent == [b"S\r\n"]
        assert shown_g == pytest.approx(rig.true_g(), abs=5 * 0.00004 + 1e-5 * rig.true_g())
        assert 20.0 < shown_g < 30.0

    run(body)


def test_two_weighings_differ_by_noise_and_the_noise_is_that_of_the_data_sheet() -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.balance()
        shown = []
        for _ in range(40):
            await device.weigh.set(WEIGH)
            shown.append(await device.mass_g.get_value())
        mean = sum(shown) / len(shown)
        spread = (sum((g - mean) ** 2 for g in shown) / (len(shown) - 1)) ** 0.5
        assert 0.5 * WXS205.repeatability_g < spread < 2.0 * WXS205.repeatability_g

    run(body)


def test_its_zero_drifts_until_it_is_set_again() -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.balance()
        await device.zero.set(Zero())
        shown = []
        for _ in range(2):
            await asyncio.sleep(48 * 3600.0)
            await device.weigh.set(WEIGH)
            shown.append(await device.mass_g.get_value())
            await device.zero.set(Zero())
        await device.weigh.set(WEIGH)
        fresh = await device.mass_g.get_value()
        assert abs(fresh) < 0.0003
        assert all(abs(g) > abs(fresh) for g in shown)

    run(body, plate_at="deck", seed=3)


def test_a_dispensed_volume_is_found_by_weighing_before_and_after() -> None:
    """The plate is carried to the handler and back in belief and in the world; the pipettor is the world's own."""

    async def body(rig: Rig) -> None:
        device, _ = await rig.balance()
        await device.weigh.set(WEIGH)
        before_g = await device.mass_g.get_value()
        rig.world.act("arm", "pick", position="pan")
        rig.world.act("arm", "place", position="deck")
        rig.world.act("handler", "pick_up_tips", channels=[0], tips=[["tips_1", "A1"]])
        rig.world.act("handler", "aspirate", channels=[0], labware="source", wells=["A1"], volumes_ul=[45.0])
        rig.world.act(
            "handler",
            "dispense",
            channels=[0],
            labware="plate_1",
            wells=["A1"],
            volumes_ul=[40.0],
            contact=True,
        )
        true_ul = rig.world.volume_ul("plate_1", "A1")
        rig.world.act("arm", "pick", position="deck")
        rig.world.act("arm", "place", position="pan")
        await device.weigh.set(WEIGH)
        after_g = await device.mass_g.get_value()
        found = dispensed(before_g, after_g, repeatability_g=WXS205.repeatability_g, temperature_c=22.0)
        assert true_ul == pytest.approx(40.0, rel=0.1)
        # What evaporates within the seconds of a weighing is far below the balance's own spread.
        assert found.volume_ul == pytest.approx(true_ul, abs=4.0 * found.standard_error_ul + 0.05)
        assert 0.0 < found.standard_error_ul < 0.1

    run(body)


def test_volumes_follow_the_standard_for_testing_pipettes() -> None:
    # ISO 8655-6, table of factors at 1013 hPa: 1.0029 ul/mg at 20.0 C, 1.0033 at 22.0 C, 1.0040 at 25.0 C.
    assert z_factor_ul_per_mg(20.0) == pytest.approx(1.0029, abs=0.0001)
    assert z_factor_ul_per_mg(22.0) == pytest.approx(1.0033, abs=0.0001)
    assert z_factor_ul_per_mg(25.0) == pytest.approx(1.0040, abs=0.0001)
    assert water_density_kg_m3(4.0) == pytest.approx(999.975, abs=0.001)


@pytest.mark.parametrize("temperature_c", [-1.0, 41.0, float("nan")])
def test_water_that_may_be_ice_or_is_hot_is_refused(temperature_c: float) -> None:
    with pytest.raises(BadInput):
        water_density_kg_m3(temperature_c)


def test_a_weighing_that_is_no_number_gives_no_volume() -> None:
    with pytest.raises(BadInput):
        dispensed(float("nan"), 1.0, repeatability_g=0.1, temperature_c=20.0)
    with pytest.raises(BadInput):
        dispensed(0.0, 1.0, repeatability_g=-0.1, temperature_c=20.0)


def test_zero_is_refused_while_something_stands_on_it_and_nothing_is_sent() -> None:
    async def body(rig: Rig) -> None:
        device, wire = await rig.balance()
        with pytest.raises(OutOfRange, match="plate_1 stands on it"):
            await device.zero.set(Zero())
        assert wire.sent == []
        assert device.zero.problems(Zero(), rig.bench)

    run(body)


def test_what_does_not_stand_on_it_is_not_weighed() -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.balance()
        assert device.weigh.problems(Weigh(labware="source"), rig.bench)
        assert device.weigh.problems(Weigh(labware="nothing"), rig.bench)
        assert not device.weigh.problems(WEIGH, rig.bench)

    run(body)


def test_a_balance_has_no_limits_to_narrow() -> None:
    with pytest.raises(BadInput, match="no limit"):
        mettler_toledo(
            "balance",
            mettler_toledo_driver(MtSics(TwinPort(None))),  # type: ignore[arg-type]
            bench=balance_bench(),
            limits={"mass_g": (0.0, 1.0)},
        )


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"", CommandTimeout),
        (b"S S", CommandTimeout),
        (b"S S 24.0\r\n", NonsenseReply),
        (b"S S 24.0 oz\r\n", NonsenseReply),
        (b"S S 2\xc2\xb24.0 g\r\n", NonsenseReply),
        (b"S S nan g\r\n", NonsenseReply),
        (b"S S 1e3 g\r\n", NonsenseReply),
        (b"S D 24.00000 g\r\n", NonsenseReply),
        (b"S S \xef\xbc\x92 g\r\n", NonsenseReply),
        (b"Z A\r\n", NonsenseReply),
        (b"S\r\n", NonsenseReply),
        (b"x" * 10_000 + b"\r\n", NonsenseReply),
        (b"S S 900.00000 g\r\n", InstrumentError),
        (b"S I\r\n", InstrumentBusy),
        (b"S +\r\n", InstrumentError),
        (b"S -\r\n", InstrumentError),
        (b"ES\r\n", InstrumentError),
        (b"ET\r\n", InstrumentError),
        (b"S S Error 1b\r\n", InstrumentError),
    ],
)
def test_bad_answers_are_typed_faults_and_the_next_answer_is_the_next_ones(
    said: bytes, fault: type[DeviceFault]
) -> None:
    async def body(rig: Rig) -> None:
        device, wire = await rig.balance()
        wire.instead = lambda line: said if line == b"S\r\n" else None
        with pytest.raises(fault):
            await device.weigh.set(WEIGH)
        wire.instead = lambda line: None
        await device.weigh.set(WEIGH)
        assert await device.mass_g.get_value() == pytest.approx(rig.true_g(), abs=0.001)

    run(body)


def test_an_answer_that_comes_late_or_twice_is_never_taken_for_the_next_one() -> None:
    async def body(rig: Rig) -> None:
        device, wire = await rig.balance()
        status = device.weigh.set(WEIGH)
        await asyncio.sleep(1.0)
        device.weigh.break_off("stop")
        with pytest.raises(CommandBrokenOff):
            await status
        wire.hears(b"S S  11.00000 g\r\nS S  12.00000 g\r\n")
        await device.weigh.set(WEIGH)
        assert await device.mass_g.get_value() == pytest.approx(rig.true_g(), abs=0.001)
        assert b"@\r\n" in wire.sent

    run(body)


def test_a_port_that_is_there_again_is_found_again() -> None:
    async def body(rig: Rig) -> None:
        device, wire = await rig.balance()
        wire.pull()
        with pytest.raises(ConnectionLost):
            await device.weigh.set(WEIGH)
        await device.weigh.set(WEIGH)
        assert await device.mass_g.get_value() == pytest.approx(rig.true_g(), abs=0.001)

    run(body)


def test_the_safe_state_ends_a_weighing_and_may_be_asked_for_twice() -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.balance()
        await device.safe()
        await device.safe()
        await device.weigh.set(WEIGH)

    run(body)


SCRIPTED = [
    (command, FaultRule(instrument="balance", kind=kind, where=command.verb, at=(1,), moment=moment))
    for command in (WEIGH, Zero())
    for kind in sorted(METTLER_TOLEDO.repertoire.verbs[command.verb])
    for moment in ((Moment.BEFORE, Moment.AFTER) if kind in BEFORE_OR_AFTER else (Moment.BEFORE,))
]


@pytest.mark.parametrize(
    ("command", "rule"), SCRIPTED, ids=lambda value: getattr(value, "key", "") or value.verb
)
def test_every_fault_is_told_by_its_kind_and_the_command_can_be_sent_again(
    command: Any, rule: FaultRule
) -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.balance(FaultScript(rules=(rule,)))
        verb = getattr(device, command.verb)
        tried = await try_once(rig.clock, verb, command, Breaker(at=None))
        assert tried.fault is not None
        assert tried.fault.kind is rule.kind
        await device.look()
        await device.safe()
        said = await verb.reconcile(command, tried.marks)
        assert said.answer is Answer.NOT_DONE
        again = await try_once(rig.clock, verb, command, Breaker(at=None))
        assert again.fault is None

    run(body, plate_at="pan" if command is WEIGH else "deck")


def test_a_weighing_is_there_again_after_a_resume() -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.balance()
        done = await try_once(rig.clock, device.weigh, WEIGH, Breaker(at=None))
        later, _ = await rig.balance()
        await later.weigh.restore(done.result)
        assert await later.mass_g.get_value() == done.result["mass_g"]
        assert await later.labware.get_value() == "plate_1"

    run(body)


def test_each_part_is_marked_before_it_is_sent() -> None:
    async def body(rig: Rig) -> None:
        device, wire = await rig.balance()
        marked: list[str] = []

        async def mark(name: str, details: Any) -> None:
            assert b"S\r\n" not in wire.sent
            marked.append(name)

        device.weigh.engage(token=1, limit_s=600.0, mark=mark)
        await device.weigh.set(WEIGH)
        assert marked == ["weigh"]

    run(body)


def test_a_silent_timeout_of_the_twin_is_a_timeout() -> None:
    async def body(rig: Rig) -> None:
        rule = FaultRule(instrument="balance", kind=FaultKind.TIMEOUT, where="weigh", at=(1,), silent=True)
        device, _ = await rig.balance(FaultScript(rules=(rule,)))
        with pytest.raises(CommandTimeout):
            await device.weigh.set(WEIGH)

    run(body)
