"""Results that people hand in: all of what was asked for, or a sentence for each thing that is wrong."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from lab.errors import BadInput, CampaignFileError
from lab.worklists import Expected, read_results
from lab.worklists.results import OVER

EXPECTED = Expected(
    plate="assay_1",
    barcode="P0042",
    rows=8,
    columns=12,
    wells=("A1", "A2", "B12"),
    unit="OD",
    lowest=0.0,
    highest=4.0,
)


def problems(path: Path, *, barcode: str = "") -> list[str]:
    with pytest.raises(CampaignFileError) as caught:
        read_results(path, EXPECTED, barcode=barcode)
    return [one.reason for one in caught.value.problems]


def written(folder: Path, text: str, name: str = "results.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


GOOD = "barcode,well,value,unit\nP0042,A1,0.412,OD\nP0042,A2,OVRFLW,OD\nP0042,B12,1.5e0,AU\n"


def test_a_list_gives_a_number_for_each_well_that_was_asked_for(tmp_path: Path) -> None:
    handed = read_results(written(tmp_path, GOOD), EXPECTED)
    assert handed.values == {"A1": 0.412, "A2": OVER, "B12": 1.5}
    assert len(handed.sha256) == 64


def test_wells_that_nobody_asked_for_are_named_and_not_used(tmp_path: Path) -> None:
    handed = read_results(written(tmp_path, GOOD + "P0042,H12,0.1,OD\n"), EXPECTED)
    assert handed.left_out == ("H12",)
    assert set(handed.values) == {"A1", "A2", "B12"}


@pytest.mark.parametrize("text", ["\ufeff" + GOOD, GOOD.replace("\n", "\r\n"), GOOD.replace(",", "\t")])
def test_what_editors_do_to_a_list_does_not_matter(tmp_path: Path, text: str) -> None:
    assert read_results(written(tmp_path, text), EXPECTED).values["A1"] == 0.412


def test_a_decimal_comma_is_read_where_semicolons_separate_columns_and_nowhere_else(tmp_path: Path) -> None:
    german = GOOD.replace(",", ";").replace(".", ",")
    assert read_results(written(tmp_path, german), EXPECTED).values["A1"] == 0.412
    quoted = GOOD.replace("0.412", '"0,412"')
    assert problems(written(tmp_path, quoted)) == ["'0,412' in A1 is no number."]


@pytest.mark.parametrize(
    "text",
    [
        "barcode,well,value\nP0042,A1,0.4\nP0042,A2,0,412\nP0042,B12,0.5\n",
        "barcode,well,value,comment\nP0042,A1,0.4,\nP0042,A2,0,412,\nP0042,B12,0.5,\n",
        ",1,2,3,4,5,6,7,8,9,10,11,12\n\nA,0,4,1,,,,,,,,,,\nB,,,,,,,,,,,,0.6\n",
        ",1,2,3,4,5,6,7,8,9,10,11,12\nA,0,4,1,2\nB,,,,,,,,,,,,0.6\n",
    ],
)
def test_a_number_that_a_comma_has_cut_in_two_is_never_half_of_it(tmp_path: Path, text: str) -> None:
    (found,) = problems(written(tmp_path, text), barcode="P0042")
    assert "cells, and its heading has" in found


def test_two_columns_of_values_are_refused(tmp_path: Path) -> None:
    text = "barcode,well,value,Value\nP0042,A1,0.4,0.5\nP0042,A2,0.4,0.5\nP0042,B12,0.5,0.5\n"
    assert problems(written(tmp_path, text)) == ["It has two columns 'value'."]


def test_a_grid_is_read_where_somebody_scanned_its_plate(tmp_path: Path) -> None:
    grid = "Gen5 export\n\n,1,2,3,4,5,6,7,8,9,10,11,12\nA,0.4,0.5,,,,,,,,,,\nB,,,,,,,,,,,,0.6\n"
    path = written(tmp_path, grid)
    assert read_results(path, EXPECTED, barcode="P0042").values == {"A1": 0.4, "A2": 0.5, "B12": 0.6}
    assert problems(path) == ["The file does not say of which plate it is."]


def test_a_workbook_gives_the_same_numbers_as_text(tmp_path: Path) -> None:
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(["Read by Ada"])
    for row in (["Barcode", "Well", "Value", "Unit"], ["P0042", "a01", 0.412, "OD"]):
        page.append(row)
    page.append(["P0042", "A2", "over", "OD"])
    page.append(["P0042", "B12", 1.5, "OD"])
    path = tmp_path / "results.xlsx"
    book.save(path)
    assert read_results(path, EXPECTED).values == {"A1": 0.412, "A2": OVER, "B12": 1.5}
    with pytest.raises(BadInput, match="It has no sheet 'Two'"):
        read_results(path, EXPECTED, sheet="Two")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            ("P0042", "P0043"),
            "The results are of P0043, and the worklist is of assay_1 with the barcode P0042.",
        ),
        (("P0042,A2,OVRFLW,OD\n", ""), "No number for A2."),
        (("A2,OVRFLW", "A1,0.5"), "A1 stands here twice; the first time in line 2."),
        (("0.412,OD", "0.412,mOD"), "A1 is in 'mOD', and 'OD' was asked for."),
        (("0.412", "41.2"), "41.2 in A1 is outside 0 to 4 OD."),
        (("0.412", "-0.4"), "-0.4 in A1 is outside 0 to 4 OD."),
        (("0.412", "n.d."), "'n.d.' in A1 is no number."),
        (("0.412", ""), "A1 has no number."),
        (("0.412", "nan"), "'nan' in A1 is no number."),
        (("0.412", "1e999"), "'1e999' in A1 is no number."),
        (("0.412", "０.４１２"), "'０.４１２' in A1 is no number."),
        (("P0042,A1,", "P0042,I1,"), "The plate has no well 'I1'."),
    ],
)
def test_each_thing_that_is_wrong_has_its_sentence(
    tmp_path: Path, changed: tuple[str, str], sentence: str
) -> None:
    assert sentence in problems(written(tmp_path, GOOD.replace(*changed)))


def test_all_that_is_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("0.412", "x").replace("1.5e0", "9"))
    with pytest.raises(CampaignFileError) as caught:
        read_results(path, EXPECTED)
    assert [(one.line, one.reason) for one in caught.value.problems[:2]] == [
        (2, "'x' in A1 is no number."),
        (4, "9 in B12 is outside 0 to 4 OD."),
    ]


def test_a_plate_that_was_scanned_and_is_another_one_is_refused(tmp_path: Path) -> None:
    (sentence,) = problems(written(tmp_path, GOOD), barcode="P0001")
    assert sentence == "P0001 was scanned, and the worklist is of assay_1 with the barcode P0042."


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "It is empty."),
        (b"\xff\xfe\x00", "It is no UTF-8 text."),
        (b"a\0b", "It is no text."),
        (b'well,value\n"A1,0.4\n', "This row can't be read"),
        (b"hello,world\n1,2\n", "It holds neither a list nor a grid."),
        (b"x" * 9_000_000, "more than any plate's results"),
        (b"well,value\n", "Under its heading stands nothing."),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path: Path, raw: bytes, sentence: str) -> None:
    path = tmp_path / "results.csv"
    path.write_bytes(raw)
    with pytest.raises(BadInput, match=sentence) as caught:
        read_results(path, EXPECTED)
    assert caught.value.file == path


@pytest.mark.parametrize("raw", [b"PK\x03\x04 not really", b"", b"well,value\nA1,1\n"])
def test_what_is_no_workbook_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "results.xlsx"
    path.write_bytes(raw)
    with pytest.raises(BadInput, match="no Excel workbook"):
        read_results(path, EXPECTED)


@given(st.binary(max_size=400))
def test_whatever_is_in_a_file_it_gives_all_numbers_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "results.csv"
    path.write_bytes(raw)
    try:
        handed = read_results(path, EXPECTED, barcode="P0042")
    except BadInput:
        return  # Anything else that it raises fails the test.
    assert set(handed.values) == set(EXPECTED.wells)
    assert all(value == OVER or math.isfinite(float(value)) for value in handed.values.values())
