"""What a policy wants is done as far as it makes sense."""

from __future__ import annotations

import pytest

from devices.liquid_handler.commands import AddReagent, Distribute
from devices.plate_hotel.commands import Move
from devices.thermocycler.commands import Heat, OpenLid
from lab.bench import Bench, Labware, LabwareType, Position, WellContents
from lab.engine.settle import decide
from lab.errors import FaultKind
from lab.interfaces import Command
from lab.recovery import Recovery, RecoveryPolicy
from lab.types import Layout, WellUse

PLATE = LabwareType(name="plate", kind="plate", rows=8, columns=12, max_volume_ul=200)
WELLS = ("A1", "A2", "A3", "B1", "B2")

LAYOUT = Layout(
    labware={"heated": "assay_1"},
    wells=tuple(
        WellUse(labware="assay_1", well=well, content=content, kind=kind)
        for well, content, kind in (
            ("A1", "T16I", "variant"),
            ("A2", "WT", "reference"),
            ("A3", "WT", "reference"),
            ("B1", "blank", "blank"),
            ("B2", "blank", "blank"),
        )
    ),
)

SKIP = RecoveryPolicy(dict.fromkeys(FaultKind, (Recovery.SKIP_SAMPLE,)))


def bench() -> Bench:
    positions = [
        Position(name="block", device="thermocycler"),
        Position(name="slot", device="arm", home=True),
    ]
    wells = {well: WellContents() for well in PLATE.wells}
    plates = [
        Labware(id="assay_1", type=PLATE, position="block", home="slot", wells=wells),
        Labware(
            id="stock", type=PLATE, position="slot", home="slot", wells={"A1": WellContents(volume_ul=100.0)}
        ),
    ]
    return Bench(positions, plates)


def decided(command: Command, wells: tuple[str, ...], policy: RecoveryPolicy = SKIP) -> Recovery:
    places = [("assay_1", well) for well in wells]
    return decide(policy, FaultKind.UNKNOWN_OUTCOME, 1, command, bench(), places=places, layout=LAYOUT)


def distribute(*wells: str) -> Distribute:
    return Distribute(
        source_labware="stock",
        source_well="A1",
        targets=tuple(("assay_1", well, 1.0) for well in wells),
        tip_volume_ul=50.0,
    )


def test_samples_whose_plate_keeps_its_controls_are_left_out() -> None:
    assert decided(distribute("A1", "A2", "B1"), ("A1", "A2", "B1")) is Recovery.SKIP_SAMPLE


@pytest.mark.parametrize("lost", [("A2", "A3"), ("B1", "B2"), ("*",)], ids=["reference", "blanks", "all"])
def test_a_batch_whose_plate_would_lose_its_last_control_is_done_again(lost: tuple[str, ...]) -> None:
    reagent = AddReagent(
        source_labware="stock",
        source_well="A1",
        labware="assay_1",
        wells=WELLS,
        volume_ul=5.0,
        tip_volume_ul=50.0,
    )
    assert decided(reagent, lost) is Recovery.REDO_BATCH


@pytest.mark.parametrize(
    "command", [Move(labware="assay_1", destination="slot"), OpenLid()], ids=["a move", "a lid"]
)
def test_what_all_that_follows_builds_on_can_not_be_left_out(command: Command) -> None:
    assert decided(command, ()) is Recovery.HOLD


def test_a_plate_that_was_half_heated_has_no_controls_left() -> None:
    heat = Heat(plate="assay_1", temperature_c=75.0, hold_s=600.0)
    assert decided(heat, ("*",)) is Recovery.REDO_BATCH


def test_what_the_policy_wants_else_is_done_as_it_is() -> None:
    for wanted in (Recovery.HOLD, Recovery.ABORT, Recovery.REDO_BATCH):
        policy = RecoveryPolicy({FaultKind.UNKNOWN_OUTCOME: (wanted,)})
        assert decided(distribute("A1"), ("*",), policy) is wanted
