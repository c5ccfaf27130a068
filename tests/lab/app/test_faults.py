"""Faults that a workcell file asks for reach the devices of its twin, each in its own seam."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from devices.incubator import Incubate
from devices.liquid_handler import AddReagent, Distribute, Mix
from devices.plate_hotel import Move, PutLid, TakeLid
from devices.plate_reader import ReadAbsorbance, ReadFluorescence
from devices.thermocycler import CloseLid, Heat, OpenLid
from digital_twin.chemistry import chemistry
from digital_twin.faults import applicable
from digital_twin.world import World
from lab.app.benches import belief_of, build_devices
from lab.app.drivers import seats
from lab.bench import Bench
from lab.clock import LabClock
from lab.errors import DeviceFault, FaultKind
from lab.files import FaultSpec, FaultsSpec, WorkcellSpec, load_workcell
from lab.interfaces import Command
from tests.digital_twin.seams import NAMES
from tests.project.source_tree import REPOSITORY

MOVE = Move(labware="assay_1", destination="thermocycler")
DRAW = Distribute(
    source_labware="buffer", source_well="A1", targets=(("library_1", "A1", 5.0),), tip_volume_ul=50.0
)
READ = ReadAbsorbance(plate="assay_1", wavelength_nm=480.0)


def carried_out(
    tmp_path: Path, rule: str, role: str, command: Command, *, at: str
) -> tuple[DeviceFault | None, World]:
    """A command on the bench of the repository with one fault: what it raised, and the world."""
    text = (REPOSITORY / "workcells" / "protein_bench_twin.yaml").read_text(encoding="utf-8")
    file = tmp_path / "bench.yaml"
    file.write_text(f"{text.rstrip()}\nfaults:\n  rules:\n    - {{{rule}}}\n", encoding="utf-8")
    spec = load_workcell(file)
    bench = belief_of(spec, ())
    bench.move("library_1" if role == "handler" else "assay_1", at)
    return carry_out_on(spec, bench, role, command)


def carry_out_on(
    spec: WorkcellSpec, bench: Bench, role: str, command: Command
) -> tuple[DeviceFault | None, World]:
    """A command on a twin's bench: what it raised or remarked, and the world."""
    with LabClock(virtual=True) as clock:
        world = World(
            clock=clock, seed=1, ledger=None, bench=bench, chemistry=chemistry("protein_g"), seats=seats(spec)
        )
        device = build_devices(spec, bench, world)[role]

        async def carry_out() -> DeviceFault | None:
            await device.connect()
            verb = getattr(device, command.verb)
            try:
                await verb.set(command)
            except DeviceFault as fault:
                return fault
            return verb.remark()

        return clock.run(carry_out()), world


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


PLATE = "library_1"
COMMANDS: dict[str, tuple[Command, str]] = {
    "distribute": (
        Distribute(
            source_labware="buffer",
            source_well="A1",
            targets=((PLATE, "A1", 5.0), (PLATE, "A2", 5.0)),
            tip_volume_ul=50.0,
        ),
        "deck_plate_1",
    ),
    "add_reagent": (
        AddReagent(
            source_labware="buffer",
            source_well="A1",
            labware=PLATE,
            wells=("A1", "B1"),
            volume_ul=5.0,
            tip_volume_ul=50.0,
        ),
        "deck_plate_1",
    ),
    "mix": (
        Mix(labware=PLATE, wells=("A1", "B1"), volume_ul=20.0, cycles=3, tip_volume_ul=50.0),
        "deck_plate_1",
    ),
    "fluorescence": (
        ReadFluorescence(plate=PLATE, excitation_nm=480.0, emission_nm=540.0, gain=100.0),
        "reader",
    ),
    "absorbance": (ReadAbsorbance(plate=PLATE, wavelength_nm=480.0), "reader"),
    "heat": (Heat(plate=PLATE, temperature_c=75.0, hold_s=60.0), "thermocycler"),
    "open_lid": (OpenLid(), "hotel_50"),
    "close_lid": (CloseLid(), "hotel_50"),
    "incubate": (
        Incubate(plate=PLATE, temperature_c=37.0, hold_s=60.0, shaking_rpm=500.0),
        "shaker",
    ),
    "move": (Move(labware=PLATE, destination="thermocycler"), "hotel_50"),
    "put_lid": (PutLid(lid="lid_1", plate=PLATE), "deck_plate_1"),
    "take_lid": (TakeLid(plate=PLATE, destination="lids_1"), "deck_plate_1"),
}
"""A command of each verb, and where its plate stands."""

ROLES = {driver: role for driver, role in NAMES.items() if driver != "plate_reader/clariostar"}
"""Of the bench of the repository."""


@pytest.fixture(scope="module")
def bench_file() -> WorkcellSpec:
    return load_workcell(REPOSITORY / "workcells" / "protein_bench_twin.yaml")


@pytest.mark.parametrize(
    ("driver", "verb", "kind"), [one for one in applicable() if one[0] in ROLES], ids=str
)
def test_a_fault_of_a_twin_is_the_same_kind_of_fault_in_its_device(
    bench_file: WorkcellSpec, driver: str, verb: str, kind: FaultKind
):
    role = ROLES[driver]
    command, at = COMMANDS[verb]
    rule = FaultSpec(number=1, device=role, fault=kind, verb=verb, at=(1,))
    spec = replace(bench_file, faults=FaultsSpec(rules=(rule,)))
    bench = belief_of(spec, ())
    bench.move(PLATE, at)
    for well in ("A1", "B1"):
        bench.fill(PLATE, well, {"assay_buffer": 60.0})
    if verb == "take_lid":
        bench.put_lid("lid_1", PLATE)
    seen, world = carry_out_on(spec, bench, role, command)
    assert seen is not None
    assert seen.kind is kind
    assert sum(one.action == "fault" for one in world.ledger.actions) == 1


def test_a_bench_without_a_rule_for_a_device_writes_nothing_of_it_down(tmp_path: Path):
    rule = "device: arm, fault: busy, verb: move, at: [1]"
    fault, world = carried_out(tmp_path, rule, "thermocycler", OpenLid(), at="hotel_30")
    assert fault is None
    assert not [one for one in world.ledger.actions if one.action in ("chance", "fault")]


def test_the_reader_of_a_twin_can_be_asked_for_its_last_reading(tmp_path: Path):
    rule = f"device: reader, fault: {FaultKind.CONNECTION_LOST}, verb: absorbance, at: [1], moment: after"
    _, world = carried_out(tmp_path, rule, "reader", READ, at="reader")
    assert len(world.state.readings["reader"].cycles) == 1
