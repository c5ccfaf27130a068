"""Shapes of wells, mixing and drying."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.labware import LABWARE_TYPES, labware_type, make_resource
from digital_twin.mixing import critical_speed_rpm, mixed_by_pipetting
from digital_twin.wells import Liquid, Wells, well_shape
from lab.bench import LabwareType

PCR = labware_type("pcr_plate_96")


@given(volume_ul=st.floats(min_value=1.0, max_value=200.0))
def test_depth_of_a_pcr_well_agrees_with_the_definition_in_pylabrobot(volume_ul: float) -> None:
    depth = float(well_shape(PCR).liquid_depth_mm(np.array([volume_ul]))[0])
    well = make_resource(PCR, "plate").get_item("A1")  # type: ignore[attr-defined]
    assert well._compute_volume_from_height(depth) == pytest.approx(volume_ul, rel=1e-6)


def test_a_trough_is_as_deep_as_in_pylabrobot() -> None:
    kind = labware_type("trough_60ml")
    trough = make_resource(kind, "trough")
    for volume_ul in (20_000.0, 45_000.0, 60_000.0):
        ours = float(well_shape(kind).liquid_depth_mm(np.array([volume_ul]))[0])
        assert ours == pytest.approx(trough.compute_height_from_volume(volume_ul), abs=1.5)  # type: ignore[attr-defined]


def test_every_kind_of_labware_fits_its_believed_volume() -> None:
    for kind in LABWARE_TYPES.values():
        if kind.kind in ("plate", "trough"):
            assert well_shape(kind).brim_ul >= kind.max_volume_ul


def test_unknown_labware_gets_a_flat_well_that_holds_its_volume() -> None:
    shape = well_shape(LabwareType(name="own_plate", kind="plate", rows=8, columns=12, max_volume_ul=300.0))
    assert shape.brim_ul == pytest.approx(330.0)
    assert shape.liquid_depth_mm(np.array([0.0, 100.0])) == pytest.approx([0.0, 3.108], abs=0.001)


def test_drawing_all_of_a_well_empties_it() -> None:
    wells = Wells(PCR)
    wells.pour(5, Liquid(volume_ul=10.0, amounts_pmol={"dye": 40.0}))
    taken = wells.draw(5, 25.0)
    assert (taken.volume_ul, taken.amounts_pmol) == (10.0, {"dye": 40.0})
    assert wells.volume_ul[5] == 0.0
    assert wells.amount("dye")[5] == 0.0
    assert wells.draw(5, 1.0).volume_ul == 0.0


def test_concentration_of_a_dry_well_is_zero() -> None:
    wells = Wells(PCR)
    wells.pour(0, Liquid(volume_ul=10.0, amounts_pmol={"dye": 40.0}))
    assert wells.concentration_umol_l("dye")[:2].tolist() == [4.0, 0.0]
    assert not wells.concentration_umol_l("other").any()


def test_what_is_poured_on_top_is_unmixed_and_what_is_first_is_not() -> None:
    wells = Wells(PCR)
    wells.pour(0, Liquid(volume_ul=50.0))
    assert wells.unmixed[0] == 0.0
    wells.pour(0, Liquid(volume_ul=50.0))
    assert wells.unmixed[0] == pytest.approx(0.5)


def test_strokes_mix() -> None:
    assert mixed_by_pipetting(unmixed=0.5, volume_ul=50.0, stroke_ul=25.0, cycles=5) == pytest.approx(
        0.5 / 32
    )
    assert mixed_by_pipetting(unmixed=0.5, volume_ul=50.0, stroke_ul=25.0, cycles=0) == 0.5


def test_less_liquid_needs_faster_shaking() -> None:
    slow, fast = critical_speed_rpm(volume_ul=np.array([100.0, 20.0]), diameter_mm=5.5)
    assert 600.0 < slow < 900.0 < fast
