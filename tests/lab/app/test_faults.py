"""Faults that a workcell file asks for reach the devices of its twin, each in its own seam."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devices.liquid_handler import Distribute
from devices.plate_hotel import Move
from devices.plate_reader import ReadAbsorbance
from devices.thermocycler import OpenLid
from digital_twin.chemistry import chemistry
from digital_twin.world import World
from lab.app.benches import belief_of, build_devices
from lab.app.drivers import seats
from lab.clock import LabClock
from lab.errors import DeviceFault, FaultKind
from lab.files import load_workcell
from lab.interfaces import Command
from tests.project.source_tree import REPOSITORY

MOVE = Move(labware="assay_1", destination="thermocycler")
DRAW = Distribute(
    source_labware="buffer", source_well="A1", targets=(("library_1", "A1", 5.0),), tip_volume_ul=50.0
)
READ = ReadAbsorbance(plate="assay_1", wavelength_nm=480.0)


def carried_out(tmp_path: Path, rule: str, role: str, command: Command, *, at: str) -> tuple[Any, World]:
    """A command on the bench of the repository with one fault: what it raised, and the world."""
    text = (REPOSITORY / "workcells" / "protein_bench_twin.yaml").read_text(encoding="utf-8")
    file = tmp_path / "bench.yaml"
    file.write_text(f"{text.rstrip()}\nfaults:\n  rules:\n    - {{{rule}}}\n", encoding="utf-8")
    spec = load_workcell(file)
    bench = belief_of(spec, ())
    bench.move("library_1" if role == "handler" else "assay_1", at)
    with LabClock(virtual=True) as clock:
        world = World(
            clock=clock, seed=1, ledger=None, bench=bench, chemistry=chemistry("protein_g"), seats=seats(spec)
        )
        device = build_devices(spec, bench, world)[role]

        async def carry_out() -> None:
            await device.connect()
            await getattr(device, command.verb).set(command)

        try:
            clock.run(carry_out())
        except DeviceFault as fault:
            return fault, world
    return None, world


@pytest.mark.parametrize(
    ("role", "rule", "command", "at"),
    [
        ("thermocycler", "fault: nonsense_reply, verb: open_lid, at: [1]", OpenLid(), "hotel_30"),
        ("arm", "fault: busy, verb: move, at: [1]", MOVE, "hotel_30"),
        ("handler", "fault: failed_aspirate, verb: distribute, at: [1]", DRAW, "deck_plate_1"),
        ("reader", "fault: connection_lost, verb: absorbance, at: [1]", READ, "reader"),
    ],
)
def test_a_fault_of_the_file_fails_the_command_of_its_device(
    tmp_path: Path, role: str, rule: str, command: Command, at: str
):
    fault, world = carried_out(tmp_path, f"device: {role}, {rule}", role, command, at=at)
    assert fault is not None
    assert fault.device == role
    struck = [one for one in world.ledger.actions if one.action == "fault"]
    assert [one.instrument for one in struck] == [role]


def test_a_bench_without_a_rule_for_a_device_writes_nothing_of_it_down(tmp_path: Path):
    rule = "device: arm, fault: busy, verb: move, at: [1]"
    fault, world = carried_out(tmp_path, rule, "thermocycler", OpenLid(), at="hotel_30")
    assert fault is None
    assert not [one for one in world.ledger.actions if one.action in ("chance", "fault")]


def test_the_reader_of_a_twin_can_be_asked_for_its_last_reading(tmp_path: Path):
    rule = f"device: reader, fault: {FaultKind.CONNECTION_LOST}, verb: absorbance, at: [1], moment: after"
    _, world = carried_out(tmp_path, rule, "reader", READ, at="reader")
    assert len(world.state.readings["reader"].cycles) == 1
