"""Candidates described by values: columns of a candidate file, on workcells with a library and without."""

from __future__ import annotations

import pytest

from lab.files import read_candidates

TABLE = """\
variant,PCE10,PCBM,solvent_name
blend_1,0.25,0.75,toluene
blend_2,1,0,xylene
standard,0.5,0.5,toluene
"""

LIBRARY = "  - {id: library, type: pcr_plate_96, count: 2, at: hotel, holds: candidates, volume_ul: 60}\n"


def read(desk, *, plates=(), by_name=False):
    return read_candidates(
        desk.table,
        parent=None,
        reference="standard",
        plates=plates,
        wells=("A1", "A2", "A3") if plates else (),
        by_name=by_name,
    )


@pytest.fixture
def blends(desk):
    desk.table.write_text(TABLE)
    return desk


def test_each_column_beyond_the_name_is_a_value_of_the_candidate(blends):
    table = read(blends)
    assert [c.id for c in table.candidates] == ["blend_1", "blend_2"]
    assert dict(table.candidates[0].values) == {"PCE10": 0.25, "PCBM": 0.75, "solvent_name": "toluene"}
    assert table.candidates[0].sequence == ""
    assert table.reference is not None
    assert table.reference.values["PCE10"] == 0.5
    assert table.values == ("PCE10", "PCBM", "solvent_name")
    assert table.material == ()


def test_on_a_workcell_with_a_library_they_stand_in_wells_like_any_other(blends):
    blends.table.write_text(
        "variant,plate,well,salt_mmol_l\nfirst,1,A1,50\nstandard,1,A2,100\nstandard,1,A3,100\n"
    )
    table = read(blends, plates=("library_1",))
    assert [(m.content, m.well) for m in table.material] == [
        ("first", "A1"),
        ("standard", "A2"),
        ("standard", "A3"),
    ]
    assert dict(table.candidates[0].values) == {"salt_mmol_l": 50.0}


def test_a_whole_campaign_of_them_needs_no_library(blends):
    blends.change(blends.campaign, "  parent: MTYKLILN\n  reference: WT\n", "  reference: standard\n")
    blends.change(blends.workcell, LIBRARY, "")
    campaign = blends.load().campaign("cmp_1")
    assert [c.id for c in campaign.candidates] == ["blend_1", "blend_2"]
    assert campaign.reference.id == "standard"
    assert campaign.sources == {}


def test_sequences_do_need_a_library(desk):
    desk.change(desk.workcell, LIBRARY, "")
    bad = desk.problem()
    assert (bad.file, bad.field, bad.reason) == ("bench.yaml", "labware", "No labware here holds candidates.")


@pytest.mark.parametrize(
    ("row", "field", "reason", "way_out"),
    [
        ("blend_3,0.1,,toluene", "PCBM", "blend_3 has no PCBM.", "Write its value."),
        (
            "blend_3,0.1,a lot,toluene",
            "PCBM",
            "PCBM of blend_3 is 'a lot', and a number in line 2.",
            "Write numbers in the whole column, with a point for the decimals, or text.",
        ),
        ("blend_3,nan,0.5,toluene", "PCE10", "PCE10 of blend_3 is nan.", "Write a number or a word."),
        (
            'blend_3,0.25,"0,75",toluene',
            "PCBM",
            "PCBM of blend_3 is '0,75', with a comma for the decimals.",
            "Write it with a point.",
        ),
        (
            "blend_3,0.25,0.750,toluene",
            "variant",
            "blend_3 has the same values as blend_1 in line 2.",
            "Keep one of the rows.",
        ),
        (
            "blend_1,0.3,0.7,toluene",
            "variant",
            "blend_1 stands here a second time; the first is in line 2.",
            "Keep one of the rows.",
        ),
        (
            "standard,0.3,0.7,toluene",
            "variant",
            "standard stands here a second time; the first is in line 4.",
            "Keep one of the rows.",
        ),
        (
            "blend_3,0,25,0,75,toluene",
            None,
            "This row has 6 cells, the heading has 4.",
            "Separate cells by one comma each.",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_named_with_its_line(blends, row, field, reason, way_out):
    blends.table.write_text(TABLE + row + "\n")
    bad = blends.problem(lambda: read(blends))
    assert (bad.file, bad.line, bad.field) == ("library.csv", 5, field)
    assert (bad.reason, bad.way_out) == (reason, way_out)


def test_text_that_looks_like_a_number_stays_text_in_a_column_of_text(blends):
    blends.table.write_text(TABLE + "blend_3,0.1,0.9,1234\n")
    assert read(blends).candidates[-1].values["solvent_name"] == "1234"


def test_a_column_of_decimal_commas_is_refused_and_not_taken_for_text(blends):
    blends.table.write_text('variant,ph\nblend_1,"6,5"\nstandard,7.0\n')
    bad = blends.problem(lambda: read(blends))
    assert (bad.line, bad.field) == (2, "ph")
    assert bad.reason == "ph of blend_1 is '6,5', with a comma for the decimals."


def test_names_with_an_underscore_between_digits_are_text(blends):
    blends.table.write_text("variant,lot\nblend_1,2_1\nstandard,2_2\n")
    assert read(blends).candidates[0].values == {"lot": "2_1"}


@pytest.mark.parametrize(
    ("heading", "field", "reason", "way_out"),
    [
        (
            "varaint,PCE10,PCBM,solvent_name",
            "varaint",
            "There is no column 'varaint'.",
            "Did you mean 'variant'?",
        ),
        ("variant,PCE10,PCE10,solvent_name", "PCE10", "The column 'PCE10' stands here twice.", "Keep one."),
        (
            "variant,PCE10,PCBM,well",
            "well",
            "Candidates have no well here: the workcell has no library.",
            "Take the column out, or add library plates to the workcell file.",
        ),
    ],
)
def test_a_heading_that_cannot_be_used_is_named(blends, heading, field, reason, way_out):
    blends.change(blends.table, "variant,PCE10,PCBM,solvent_name", heading)
    bad = blends.problems(lambda: read(blends))[0]
    assert (bad.file, bad.line, bad.field) == ("library.csv", 1, field)
    assert (bad.reason, bad.way_out) == (reason, way_out)


def test_a_heading_without_rows_says_what_a_row_needs(blends):
    blends.table.write_text("variant,PCE10,PCBM\n")
    bad = blends.problem(lambda: read(blends))
    assert bad.reason == "The file holds no candidates."
    assert bad.way_out == "Add a row for each: variant and its values."


def test_values_may_be_alike_where_a_model_tells_candidates_apart(blends):
    blends.table.write_text(TABLE + "blend_3,0.25,0.75,toluene\n")
    assert blends.problem(lambda: read(blends)).reason == "blend_3 has the same values as blend_1 in line 2."
    found = read(blends, by_name=True).candidates
    assert [c.id for c in found] == ["blend_1", "blend_2", "blend_3"]
    assert found[0].values == found[2].values
