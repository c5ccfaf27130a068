"""Every fault of the twins of furnace, syringe pump and spectrometer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devices.furnace import Anneal
from devices.spectrometer import TakeSpectrum
from devices.syringe_pump import Dispense
from digital_twin.faults import BEFORE_OR_AFTER, FaultRule, Moment
from lab.bench import Bench
from lab.clock import LabClock
from lab.errors import (
    DeviceFault,
)
from tests.devices.bus_bench import BUS_CASES
from tests.devices.bus_rig import FAULTS, BusRig, bus_rig
from tests.devices.line_bench import Case

ANNEAL = Anneal(plate="assay_1", temperature_c=120.0, hold_s=600.0, ramp_c_per_min=20.0, cool_to_c=60.0)
DISPENSE = Dispense(syringe="syringe", labware="assay_1", well="A1", volume_ul=100.0, rate_ul_per_min=300.0)
SPECTRUM = TakeSpectrum(plate="assay_1", wells=("A1",), to_nm=500.0, points=101)
COMMANDS = {"furnace": ANNEAL, "pump": DISPENSE, "spectrometer": SPECTRUM}


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


SCRIPTED = [
    (case, FaultRule(instrument=case.name, kind=kind, where=where, at=(1,), moment=moment))
    for case in BUS_CASES
    for where, kinds in (
        *FAULTS[case.name].repertoire.verbs.items(),
        *FAULTS[case.name].repertoire.parts.items(),
    )
    for kind in sorted(kinds)
    for moment in ((Moment.BEFORE, Moment.AFTER) if kind in BEFORE_OR_AFTER else (Moment.BEFORE,))
]


@pytest.mark.parametrize(
    ("case", "rule"), SCRIPTED, ids=lambda value: getattr(value, "key", "") or value.name
)
def test_each_fault_of_a_twin_is_told_by_its_kind_and_leaves_nothing_going(
    case: Case, rule: FaultRule, clock: LabClock
) -> None:
    async def body() -> None:
        async with bus_rig(case, clock, rule) as rig:
            met = await _fault(rig)
            assert met.kind is rule.kind
            struck = [a for a in rig.world.ledger.actions if a.action == "fault"]
            assert [a.arguments["rule"] for a in struck] == [rule.key]
            # A silent wire may have kept the first safe state from being reached.
            await rig.device.safe()
            assert rig.world.state.climates["furnace"].set_c is None
            assert rig.world.state.memory.get("pump", {}).get("run") is None

    clock.run(body())


async def _fault(rig: BusRig) -> DeviceFault:
    with pytest.raises(DeviceFault) as caught:
        await rig.do(COMMANDS[rig.device.name])
    return caught.value


def test_a_bench_that_holds_none_of_it_is_told_so() -> None:
    empty = Bench([], [])
    for command in (ANNEAL, DISPENSE, SPECTRUM):
        assert command.problems(empty)
