"""Exports of plate readers: the numbers that were asked for, or a sentence. Read by allotropy in its own environment."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import BadInput, CampaignFileError, MissingData
from lab.worklists.reader_files import ENVIRONMENT, environment, read_export
from tests.lab.worklists.test_results import EXPECTED

MARS = """User: ADA,Path: C:\\BMG\\CLARIOstar\\User\\Data,Test run no.: 12,,,,,,,,,,
Test name: growth 96,Date: 05/01/2026,Time: 09:12:44,,,,,,,,,,
,,,,,,,,,,,,
ID1: P0042,,,,,,,,,,,,
Absorbance,,,,,,,,,,,,
,,,,,,,,,,,,
Raw Data (600),,,,,,,,,,,,
,,,,,,,,,,,,
,1,2,3,4,5,6,7,8,9,10,11,12
A,0.412,0.5,,,,,,,,,,
B,,,,,,,,,,,,1.5
C,,,,,,,,,,,,
D,,,,,,,,,,,,
E,,,,,,,,,,,,
F,,,,,,,,,,,,
G,,,,,,,,,,,,
H,,,,,,,,,,,,
"""
"""After the CSV that BMG's MARS writes: head, kind, wavelength, and the plate as a grid."""


@pytest.fixture(autouse=True, scope="module")
def allotropy() -> None:
    try:
        environment()
    except MissingData as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))


def written(folder: Path, text: str = MARS) -> Path:
    path = folder / "export.csv"
    path.write_text(text)
    return path


def test_an_export_gives_the_numbers_of_the_plate_that_it_names_or_that_somebody_scanned(
    tmp_path: Path,
) -> None:
    wanted = {"A1": 0.412, "A2": 0.5, "B12": 1.5}
    assert read_export(written(tmp_path), "BMG_MARS", EXPECTED).values == wanted
    unnamed = written(tmp_path, MARS.replace("P0042", "growth"))
    assert read_export(unnamed, "BMG_MARS", EXPECTED, barcode="P0042").values == wanted


def test_an_export_of_another_plate_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, MARS.replace("P0042", "growth"))
    with pytest.raises(CampaignFileError, match="The results are of growth, and the worklist is of assay_1"):
        read_export(path, "BMG_MARS", EXPECTED)


def test_another_kind_of_measurement_and_what_is_no_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="It holds absorbance, and rfu asks for fluorescence"):
        read_export(written(tmp_path), "BMG_MARS", replace(EXPECTED, unit="rfu"))
    with pytest.raises(BadInput, match="no number where one should be"):
        read_export(written(tmp_path, MARS.replace("0.412", "OVERFLOW")), "BMG_MARS", EXPECTED)


@pytest.mark.parametrize("row", ["A,0,412,0,5,,,,,,,,,,", "A,0,412,0,5"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_a_grid_whose_numbers_commas_have_cut_in_two_is_refused_with_its_line(
    tmp_path: Path, row: str, encoding: str
) -> None:
    path = tmp_path / "export.csv"
    text = MARS.replace("A,0.412,0.5,,,,,,,,,,", row).replace("User: ADA", "User: Zoé")
    path.write_bytes(text.encode(encoding))
    with pytest.raises(CampaignFileError, match="cells, and its heading has 13") as cut:
        read_export(path, "BMG_MARS", replace(EXPECTED, lowest=None, highest=None), barcode="P0042")
    assert cut.value.line == 10


def test_a_workbook_is_left_to_its_reader(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(b"PK\x03\x04\x00\x00,1,2,3\nA,0,4,1,2\n")
    with pytest.raises(BadInput, match="can't be read as BMG_MARS"):
        read_export(path, "BMG_MARS", EXPECTED, barcode="P0042")


def test_a_make_that_nobody_knows_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="allotropy knows no reader ENIAC") as caught:
        read_export(written(tmp_path), "ENIAC", EXPECTED)
    assert "MOLDEV_SOFTMAX_PRO" in caught.value.way_out


def test_without_its_environment_the_way_to_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "python"))
    with pytest.raises(MissingData, match=ENVIRONMENT):
        read_export(written(tmp_path), "BMG_MARS", EXPECTED)
