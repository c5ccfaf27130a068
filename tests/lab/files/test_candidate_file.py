"""Candidate files: every row that can't be used is named, with what to do about it."""

from __future__ import annotations

import pytest

from lab.files import read_candidates, sequence_of
from lab.files.source import SHOWN

PARENT = "MTYKLILN"


@pytest.mark.parametrize(
    ("name", "sequence"),
    [
        ("WT", "MTYKLILN"),
        ("T2A", "MAYKLILN"),
        ("T2A+Y3F", "MAFKLILN"),
        ("N8A/T2A", "MAYKLILA"),
        ("M1A", "ATYKLILN"),
    ],
)
def test_names_of_variants_are_read_against_the_parent(name, sequence):
    assert sequence_of(name, PARENT) == sequence


@pytest.mark.parametrize(
    ("row", "field", "reason", "way_out"),
    [
        (",1,B1", "variant", "This row has no variant.", "Name it, or take the row out."),
        (
            "A2T,1,B1",
            "variant",
            "A2T: the parent has T at position 2, not A.",
            "Compare it with the campaign's `parent`.",
        ),
        ("T2B,1,B1", "variant", "T2B: 'B' is no amino acid.", "Compare it with the campaign's `parent`."),
        (
            "K9A,1,B1",
            "variant",
            "K9A: the parent has positions 1 to 8, no 9.",
            "Compare it with the campaign's `parent`.",
        ),
        (
            "T0A,1,B1",
            "variant",
            "T0A: the parent has positions 1 to 8, no 0.",
            "Compare it with the campaign's `parent`.",
        ),
        ("T2T,1,B1", "variant", "T2T: T2T changes nothing.", "Compare it with the campaign's `parent`."),
        (
            "T2C+T2D,1,B1",
            "variant",
            "T2C+T2D: position 2 is changed twice.",
            "Compare it with the campaign's `parent`.",
        ),
        (
            "best one,1,B1",
            "variant",
            "'best one' is no mutation such as T16I, and no sequence is given for it.",
            "Compare it with the campaign's `parent`.",
        ),
        (
            "T2A,1,B1",
            "variant",
            "T2A stands here a second time; the first is in line 2.",
            "Keep one of the rows.",
        ),
        (
            "K4R,3,B1",
            "plate",
            "There is no library plate '3'; the workcell has plates 1 to 2.",
            "Correct it, or raise the count of the library plates in the workcell file.",
        ),
        (
            "K4R,0,B1",
            "plate",
            "There is no library plate '0'; the workcell has plates 1 to 2.",
            "Correct it, or raise the count of the library plates in the workcell file.",
        ),
        (
            "K4R,one,B1",
            "plate",
            "There is no library plate 'one'; the workcell has plates 1 to 2.",
            "Correct it, or raise the count of the library plates in the workcell file.",
        ),
        ("K4R,1,I1", "well", "A library plate has no well 'I1'.", "Wells are A1 to H12."),
        ("K4R,1,A13", "well", "A library plate has no well 'A13'.", "Wells are A1 to H12."),
        ("K4R,1,", "well", "A library plate has no well ''.", "Wells are A1 to H12."),
        (
            "K4R,1,A2",
            "well",
            "Well A2 of plate 1 is used twice; the first time in line 3.",
            "One well holds one variant: correct one of the rows.",
        ),
        (
            "K4R,1,a02",
            "well",
            "Well A2 of plate 1 is used twice; the first time in line 3.",
            "One well holds one variant: correct one of the rows.",
        ),
        ("K4R,1", None, "This row has 2 cells, the heading has 3.", "Separate cells by one comma each."),
        ("K4R,1,B1,x", None, "This row has 4 cells, the heading has 3.", "Separate cells by one comma each."),
    ],
)
def test_a_row_that_cannot_be_used_is_named(desk, row, field, reason, way_out):
    desk.table.write_text(desk.table.read_text() + row + "\n")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("library.csv", 6, field)
    assert (bad.reason, bad.way_out) == (reason, way_out)


def test_two_names_of_one_protein_are_a_duplicate(desk):
    desk.table.write_text(desk.table.read_text() + "K4R+L5I,1,B1\nL5I+K4R,1,B2\n")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("library.csv", 7, "variant")
    assert bad.reason == "L5I+K4R is the same protein as K4R+L5I in line 6."
    assert bad.way_out == "Keep one of the rows."


def test_blank_lines_and_comments_are_passed_over(desk):
    desk.table.write_text("# plates of May\n\n" + desk.table.read_text() + "\n,,\n")
    assert len(desk.load().candidates) == 2


@pytest.mark.parametrize("rows", ["", "WT,1,A2\n"])
def test_a_file_without_candidates_is_refused(desk, rows):
    desk.table.write_text("variant,plate,well\n" + rows)
    bad = desk.problem()
    assert (bad.file, bad.line) == ("library.csv", None)
    assert bad.reason == "The file holds no candidates."
    assert bad.way_out == "Add a row for each: variant, plate, well."


def test_an_empty_file_is_refused(desk):
    desk.table.write_text("\n")
    bad = desk.problem()
    assert bad.file == "library.csv"
    assert bad.reason == "The candidate file is empty."


@pytest.mark.parametrize(
    ("heading", "field", "reason", "way_out"),
    [
        ("varient,plate,well", "varient", "There is no column 'varient'.", "Did you mean 'variant'?"),
        ("variant,well", "plate", "The column 'plate' is missing.", "Add it."),
        ("variant,plate,well,well", "well", "The column 'well' stands here twice.", "Keep one."),
        (
            "variant;plate;well",
            None,
            "Columns are not separated by commas.",
            "Save it as comma-separated values.",
        ),
        (
            "variant\tplate\twell",
            None,
            "Columns are not separated by commas.",
            "Save it as comma-separated values.",
        ),
    ],
)
def test_a_heading_that_cannot_be_used_is_named(desk, heading, field, reason, way_out):
    desk.change(desk.table, "variant,plate,well", heading)
    bad = next(p for p in desk.problems())
    assert (bad.file, bad.line, bad.field) == ("library.csv", 1, field)
    assert (bad.reason, bad.way_out) == (reason, way_out)


def test_a_quote_that_never_ends_is_named(desk):
    desk.table.write_text(desk.table.read_text() + '"K4R,1,B1\n')
    bad = desk.problem()
    assert (bad.file, bad.line) == ("library.csv", 6)
    assert bad.reason.startswith("This row can't be read: ")
    assert bad.way_out == "Check its quotes and commas."


def test_another_encoding_is_named_with_its_line(desk):
    desk.table.write_bytes(desk.table.read_bytes() + "# Mär".encode("latin-1"))
    bad = desk.problem()
    assert (bad.file, bad.line) == ("library.csv", 6)
    assert bad.reason == "The candidate file is not UTF-8 text: byte 0xE4 stands where a character should."


def test_a_spreadsheet_in_its_own_format_is_no_table(desk):
    desk.table.write_bytes(b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00\x9c\xdd")
    bad = desk.problem()
    assert bad.file == "library.csv"
    assert bad.way_out == "Save it as UTF-8 in your editor or spreadsheet program."


def test_a_folder_is_no_table(desk):
    desk.table.unlink()
    desk.table.mkdir()
    bad = desk.problem()
    assert bad.reason == "This is a folder, not a candidate file."


def test_all_wrong_rows_are_shown_up_to_a_screenful(desk):
    desk.table.write_text(desk.table.read_text() + "".join(f"bad {n},1,B{n % 12 + 1}\n" for n in range(50)))
    found = desk.problems()
    assert len(found) == SHOWN + 1
    assert [bad.line for bad in found[:3]] == [6, 7, 8]
    assert found[-1].reason.endswith("more problems follow in this file.")


class TestSequences:
    """Candidates that are given by their letters."""

    def read(self, desk, parent=None):
        return read_candidates(
            desk.table, parent=parent, reference="WT", plates=("library_1",), wells=("A1", "A2", "A3")
        )

    def test_without_a_parent_each_row_gives_its_letters(self, desk):
        desk.table.write_text("variant,plate,well,sequence\nfirst,1,A1,MTY\nWT,1,A2,MAY\n")
        table = self.read(desk)
        assert table.candidates[0].sequence == "MTY"
        assert table.reference is not None
        assert table.reference.sequence == "MAY"

    def test_without_a_parent_and_letters_nothing_can_be_read(self, desk):
        bad = desk.problem(lambda: self.read(desk))
        assert (bad.file, bad.line, bad.field) == ("library.csv", 1, "sequence")
        assert bad.reason == "The column 'sequence' is missing."
        assert bad.way_out == "Add it, or give the campaign a `parent`, or add a column for each value."

    def test_with_a_model_that_knows_more_of_them_a_name_is_enough(self, desk):
        desk.table.write_text("variant,plate,well\nfirst,1,A1\nsecond,1,A2\nWT,1,A3\n")
        table = read_candidates(
            desk.table,
            parent=None,
            reference="WT",
            plates=("library_1",),
            wells=("A1", "A2", "A3"),
            by_name=True,
        )
        assert [(c.id, c.sequence, dict(c.values)) for c in table.candidates] == [
            ("first", "", {}),
            ("second", "", {}),
        ]
        assert table.reference is not None
        assert table.reference.id == "WT"

    def test_letters_that_are_no_amino_acid_are_refused(self, desk):
        desk.table.write_text("variant,plate,well,sequence\nfirst,1,A1,MTXY\nWT,1,A2,MAY\n")
        bad = desk.problem(lambda: self.read(desk))
        assert (bad.file, bad.line, bad.field) == ("library.csv", 2, "sequence")
        assert bad.reason == "'X' at position 3 of first is no amino acid."
        assert bad.way_out == "Use the one-letter codes ACDEFGHIKLMNPQRSTVWY."

    def test_letters_that_disagree_with_the_name_are_refused(self, desk):
        desk.table.write_text("variant,plate,well,sequence\nT2A,1,A1,MCYKLILN\nWT,1,A2,\n")
        bad = desk.problem(lambda: self.read(desk, parent=PARENT))
        assert (bad.file, bad.line, bad.field) == ("library.csv", 2, "sequence")
        assert bad.reason == "The letters given for T2A are not those of the parent with that change."
        assert bad.way_out == "Correct one of them, or give the row another name."

    def test_a_row_without_letters_is_refused(self, desk):
        desk.table.write_text("variant,plate,well,sequence\nfirst,1,A1,\nWT,1,A2,MAY\n")
        bad = desk.problems(lambda: self.read(desk))[0]
        assert (bad.line, bad.field, bad.reason) == (2, "sequence", "first has no sequence.")
        assert bad.way_out == "Write its letters."
