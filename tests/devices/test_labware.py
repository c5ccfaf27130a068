"""Labware by name."""

from __future__ import annotations

import pytest

from devices.labware import LABWARE_TYPES, labware_type, make_labware, make_resource, tips_in_order
from lab.bench import LabwareType
from lab.errors import BadInput

NOT_THERE = {"syringe_10ml"}
"""What stands on no deck of PyLabRobot's."""


@pytest.mark.parametrize("name", [name for name in LABWARE_TYPES if name not in NOT_THERE])
def test_every_type_is_in_pylabrobot_as_we_describe_it(name: str) -> None:
    kind = labware_type(name)
    resource = make_resource(kind, "piece")
    assert resource.name == "piece"
    match kind.kind:
        case "plate":
            assert [well.get_identifier() for well in resource.get_all_items()][:2] == ["A1", "B1"]
            assert (resource.num_items_y, resource.num_items_x) == (kind.rows, kind.columns)
            assert resource.get_item("A1").max_volume >= kind.max_volume_ul
        case "tip_rack":
            assert resource.num_items == len(kind.wells)
            # Tecan's hold some more than they are called after.
            assert 1.0 <= resource.get_item("A1").get_tip().nominal_volume / kind.tip_volume_ul <= 1.2
        case "trough":
            assert resource.max_volume == kind.max_volume_ul
        case "lid":
            assert resource.category == "lid"


def test_a_misspelt_type_names_the_nearest() -> None:
    with pytest.raises(BadInput, match="pcr_plate_69") as refused:
        labware_type("pcr_plate_69")
    assert "Did you mean pcr_plate_96?" in refused.value.way_out


def test_labware_that_nobody_defines_is_refused() -> None:
    with pytest.raises(BadInput, match="no_such_plate"):
        make_resource(LabwareType(name="no_such_plate", kind="plate"), "piece")


def test_tips_are_used_down_the_columns() -> None:
    order = tips_in_order(labware_type("tips_50ul"))
    assert order[:9] == ["A1", "B1", "C1", "D1", "E1", "F1", "G1", "H1", "A2"]
    assert len(set(order)) == 96


def test_a_full_rack_and_a_filled_plate_come_out_of_their_boxes() -> None:
    rack = make_labware("tips", labware_type("tips_50ul"), "deck")
    plate = make_labware("plate", labware_type("pcr_plate_96"), "hotel", contents={"B2": ("T16I", 60.0)})
    assert len(rack.tips) == 96
    assert not rack.wells
    assert plate.wells["B2"].parts == {"T16I": 60.0}
    assert plate.wells["B3"].volume_ul == 0.0
    assert (plate.home, plate.clean) == ("hotel", False)


@pytest.mark.parametrize(("well", "volume_ul"), [("Z9", 10.0), ("A1", 201.0), ("A1", 0.0)])
def test_contents_that_do_not_fit_are_refused(well: str, volume_ul: float) -> None:
    with pytest.raises(BadInput):
        make_labware("plate", labware_type("pcr_plate_96"), "hotel", contents={well: ("T16I", volume_ul)})
