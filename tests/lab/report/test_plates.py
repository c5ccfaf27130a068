from __future__ import annotations

import numpy as np
import pytest

from lab.bench import well_names
from lab.report.plates import plate_readings, versions_of
from lab.types import Layout, WellUse

WELLS = well_names(8, 12)


def layout() -> Layout:
    def use(well: str, content: str, kind: str) -> WellUse:
        return WellUse(labware="assay_1", well=well, content=content, kind=kind)  # type: ignore[arg-type]

    wells = [use("A1", "T16I", "variant"), use("H12", "T16I", "variant")]
    wells += [use(w, "WT", "reference") for w in ("B1", "B2", "B3")] + [
        use(w, "blank", "blank") for w in ("C1", "C2", "C3")
    ]
    return Layout(labware={"heated_82": "assay_1"}, wells=tuple(wells))


def event(values: np.ndarray, **more: object) -> tuple[str, dict]:
    data = {
        "reader-value": values,
        "reader-plate": "assay_1",
        "reader-mode": "fluorescence",
        "reader-saturated": np.zeros(96, dtype=bool),
        "reader-lab_time_s": 12.0,
        **more,
    }
    return "event", {"data": data}


def readings() -> np.ndarray:
    values = np.full(96, 50.0)
    for well, value in {
        "A1": 700.0,
        "H12": 710.0,
        "B1": 1010.0,
        "B2": 990.0,
        "B3": 1000.0,
        "C1": 11.0,
        "C2": 9.0,
        "C3": 10.0,
    }.items():
        values[WELLS.index(well)] = value
    return values


def test_a_reading_knows_its_plates_role_and_what_each_well_is_for():
    (plate,) = plate_readings("run_1", 3, layout(), [event(readings())])
    assert (plate.batch, plate.role, plate.labware, plate.mode, plate.lab_time_s) == (
        3,
        "heated_82",
        "assay_1",
        "fluorescence",
        12.0,
    )
    by_name = {w.well: w for w in plate.wells}
    assert (by_name["A1"].row, by_name["A1"].column, by_name["A1"].content, by_name["A1"].value) == (
        0,
        0,
        "T16I",
        700.0,
    )
    assert (by_name["H12"].row, by_name["H12"].column, by_name["H12"].value) == (7, 11, 710.0)
    assert by_name["D4"].kind == "unused"


def test_the_controls_of_a_plate_give_its_z_prime_and_cv():
    (plate,) = plate_readings("run_1", 1, layout(), [event(readings())])
    assert plate.z_prime == pytest.approx(1 - 3 * (10 + 1) / 990)
    assert plate.reference_cv == pytest.approx(10 / 990)


def test_saturated_control_wells_do_not_enter_the_z_prime():
    saturated = np.zeros(96, dtype=bool)
    saturated[[WELLS.index("B1"), WELLS.index("B2")]] = True
    (plate,) = plate_readings("run_1", 1, layout(), [event(readings(), **{"reader-saturated": saturated})])
    assert plate.z_prime is None
    assert sum(w.saturated for w in plate.wells) == 2


def test_wells_without_a_number_stay_empty():
    values = readings()
    values[0] = np.nan
    (plate,) = plate_readings("run_1", 1, layout(), [event(values)])
    assert plate.wells[0].value is None


def test_wells_that_the_analysis_left_out_are_known():
    (plate,) = plate_readings(
        "run_1", 1, layout(), [event(readings())], frozenset({("assay_1", "A1"), ("assay_9", "A2")})
    )
    assert [w.well for w in plate.wells if w.left_out] == ["A1"]


def test_events_that_are_no_plate_are_passed_over():
    documents = [
        ("event", {"data": {"thermocycler-temperature": 82.0}}),
        ("stop", {"exit_status": "success"}),
        event(readings()),
    ]
    assert len(plate_readings("run_1", 1, layout(), documents)) == 1


def test_versions_come_from_the_start_document():
    assert versions_of([("start", {"versions": {"bluesky": "1.15.1"}}), ("stop", {})]) == {
        "bluesky": "1.15.1"
    }


@pytest.mark.parametrize(
    ("stream", "told"),
    [("fluorescence_aged", "aged"), ("fluorescence", "heated_82"), ("fluorescence_kinetic", "heated_82")],
)
def test_a_plate_that_is_read_more_than_once_is_told_by_the_state_that_its_stream_names(stream, told):
    kind, body = event(readings())
    documents = [("descriptor", {"uid": "d", "name": stream}), (kind, {**body, "descriptor": "d"})]
    (plate,) = plate_readings("run_1", 3, layout(), documents)
    assert plate.role == told


def spectra(wells: list[str], absorbance: np.ndarray) -> dict[str, object]:
    """An event of a spectrometer at three wavelengths."""
    return {
        "spectrometer-plate": "assay_1",
        "spectrometer-wells": wells,
        "spectrometer-wavelength_nm": np.array([400.0, 500.0, 600.0]),
        "spectrometer-absorbance": absorbance,
        "spectrometer-lab_time_s": 7.0,
    }


def test_spectra_of_wells_are_shown_as_a_plate_of_their_mean_absorbances():
    documents = [
        ("descriptor", {"uid": "d", "name": "spectra_aged"}),
        (
            "event",
            {
                "descriptor": "d",
                "data": spectra(
                    ["B1", "C1", "H12"], np.array([0.9, 1.0, 1.1, 0.0, 0.1, np.nan, *[np.nan] * 3])
                ),
            },
        ),
    ]
    (plate,) = plate_readings("run_1", 3, layout(), documents)
    values = {well.well: (well.value, well.kind) for well in plate.wells}
    assert (plate.role, plate.mode, plate.rows, plate.columns, plate.lab_time_s) == (
        "aged",
        "absorbance",
        8,
        12,
        7.0,
    )
    assert values["B1"] == (pytest.approx(1.0), "reference")
    assert values["C1"] == (pytest.approx(0.05), "blank")
    assert values["H12"] == (None, "variant")
    assert values["A1"] == (None, "variant")  # no spectrum of it was taken


@pytest.mark.parametrize(
    ("wells", "absorbance"),
    [(["B1"], np.zeros(0)), (["B1", "B2"], np.zeros(3)), (["somewhere"], np.zeros(3)), ([], np.zeros(0))],
)
def test_spectra_that_are_of_no_plate_are_passed_over(wells: list[str], absorbance: np.ndarray):
    assert plate_readings("run_1", 3, layout(), [("event", {"data": spectra(wells, absorbance)})]) == ()


def test_standards_are_no_part_of_the_reference():
    used = layout()
    pure = WellUse(labware="assay_1", well="D1", content="pure dye", kind="standard")
    values = readings()
    values[WELLS.index("D1")] = 9000.0
    (plate,) = plate_readings(
        "run_1", 3, Layout(labware=used.labware, wells=(*used.wells, pure)), [event(values)]
    )
    (alone,) = plate_readings("run_1", 3, used, [event(readings())])
    assert plate.z_prime == alone.z_prime
    assert [well.kind for well in plate.wells if well.well == "D1"] == ["standard"]
