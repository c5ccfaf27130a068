"""A function's signature is its form; what a person writes into it is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import BadInput, CampaignFileError
from protocols.scripts import PlateMap, Wells, load_script, read_plate_map
from protocols.scripts.script import parameters_of
from tests.protocols.script_files import script

MINE = '''
from typing import Annotated, Literal
from pydantic import Field

@protocol
def growth(
    bench,
    cells: Reagent,
    plate: Plate,
    wells: Wells = "A1:H1",
    incubation_s: float = "10 min",
    factor: Annotated[float, Field(ge=1.5, le=10, description="From one well to the next.")] = 2.0,
    mode: Literal["slow", "fast"] = "slow",
    map: PlateMap = {},
):
    """Grow cells and read them.

    The second paragraph is for whoever reads the file.

    Args:
        cells: What grows,
            over two lines.
        wells: Where.
    """
    yield from bench.read_absorbance(plate, 600)
'''


def test_the_signature_is_the_form():
    entries = {entry.name: entry for entry in script(MINE).form.entries}
    assert list(entries) == ["cells", "plate", "wells", "incubation_s", "factor", "mode", "map"]
    assert (entries["cells"].words, entries["cells"].required) == ("reagent", True)
    assert (entries["plate"].words, entries["plate"].default) == ("plate", "fresh")
    assert (entries["incubation_s"].unit, entries["factor"].limits) == ("s", "1.5 to 10")
    assert entries["mode"].words == "slow or fast"
    assert entries["cells"].help == "What grows, over two lines."
    assert entries["wells"].help == "Where."
    assert entries["factor"].help == "From one well to the next."


def test_the_first_paragraph_of_the_docstring_says_what_it_does():
    assert script(MINE).form.summary == "Grow cells and read them."


def test_a_default_with_a_unit_is_a_number_in_the_unit_of_its_name():
    assert script(MINE).Parameters(cells="yeast").incubation_s == 600.0


def test_a_program_gets_a_json_schema_with_limits_defaults_and_what_is_needed():
    schema = script(MINE).form.schema
    assert schema["required"] == ["cells"]
    assert schema["properties"]["factor"]["maximum"] == 10
    assert schema["properties"]["mode"]["enum"] == ["slow", "fast"]


def test_all_that_is_wrong_with_parameters_is_said_at_once():
    with pytest.raises(CampaignFileError) as wrong:
        parameters_of(script(MINE), {"cels": "yeast", "factor": 100.0, "mode": "medium"})
    told = {one.field: one.reason for one in wrong.value.problems}
    assert set(told) == {"cels", "factor", "mode"}
    assert "Did you mean 'cells'?" in [one.way_out for one in wrong.value.problems]


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ("bench, plate", "plate has no type."),
        ("bench, *plates: Plate", "*plates is nothing that a form can ask for."),
        ("", "mine takes no bench."),
        ("bench, x: Nonsense", "name 'Nonsense' is not defined"),
    ],
)
def test_a_signature_that_makes_no_form_is_refused_with_its_line(signature: str, reason: str):
    with pytest.raises(BadInput) as wrong:
        script(f"\n@protocol\ndef mine({signature}):\n    yield from bench.wait(1)\n")
    assert reason in wrong.value.reason
    assert (str(wrong.value.file), wrong.value.line) == ("mine.py", 2)


def test_a_function_without_a_step_is_refused():
    with pytest.raises(BadInput, match="mine has no step"):
        script("@protocol\ndef mine(bench):\n    return 1\n")


def test_a_file_that_is_no_python_names_its_line():
    with pytest.raises(BadInput) as wrong:
        script("@protocol\ndef mine(bench:\n    pass\n")
    assert wrong.value.line in (2, 3)
    assert "no Python" in wrong.value.reason


def test_of_several_protocols_in_a_file_one_has_to_be_named():
    two = "@protocol\ndef a(bench):\n    yield\n\n@protocol\ndef b(bench):\n    yield\n"
    assert script(two, function="b").name == "b"
    with pytest.raises(BadInput, match="There are 2 protocols"):
        script(two)
    with pytest.raises(BadInput, match="no protocol 'c'"):
        script(two, function="c")


class TestWells:
    @pytest.mark.parametrize(
        ("written", "wells"),
        [
            ("A1", ["A1"]),
            ("a1, C3", ["A1", "C3"]),
            ("A1:A3", ["A1", "A2", "A3"]),
            ("A1:C1", ["A1", "B1", "C1"]),
            ("A1:B2", ["A1", "B1", "A2", "B2"]),
            ("H01 H12", ["H1", "H12"]),
        ],
    )
    def test_are_read_as_people_write_them(self, written: str, wells: list[str]):
        assert list(Wells.read(written)) == wells

    def test_all_are_as_many_as_the_plate_has(self):
        assert len(Wells.read("all")) == 96
        assert len(Wells.read("all", 16, 24)) == 384

    @pytest.mark.parametrize(
        "written", ["", "I1", "A13", "A0", "B2:A1", "A1,A1", "Ä1", "A1:", "1A", "A1:Z99"]
    )
    def test_what_is_none_is_refused(self, written: str):
        if written == "A1:":
            assert list(Wells.read(written)) == ["A1"]
            return
        with pytest.raises(BadInput):
            Wells.read(written)

    def test_can_be_split_into_replicates(self):
        assert [list(some) for some in Wells.read("A1:F1").split(2)] == [
            ["A1", "B1"],
            ["C1", "D1"],
            ["E1", "F1"],
        ]
        with pytest.raises(BadInput):
            Wells.read("A1").split(0)


class TestPlateMap:
    def test_is_read_from_two_columns(self, tmp_path: Path):
        (tmp_path / "map.csv").write_text("well,name\nA1,control\nB01,T16I\nc2,control\n")
        found = PlateMap(read_plate_map(tmp_path / "map.csv"))
        assert found == {"A1": "control", "B1": "T16I", "C2": "control"}
        assert {name: list(wells) for name, wells in found.groups.items()} == {
            "control": ["A1", "C2"],
            "T16I": ["B1"],
        }

    def test_is_read_from_a_grid_as_the_plate_looks(self, tmp_path: Path):
        (tmp_path / "map.csv").write_text(",1,2,3\nA,x,,y\nB,,z,\n")
        assert read_plate_map(tmp_path / "map.csv") == {"A1": "x", "A3": "y", "B2": "z"}

    @pytest.mark.parametrize("text", ["", "well,name\n", "well,name\nA99,x\n", "A1,x\nA1,y\n", "\x00"])
    def test_that_is_none_is_refused(self, tmp_path: Path, text: str):
        (tmp_path / "map.csv").write_text(text)
        with pytest.raises(BadInput):
            read_plate_map(tmp_path / "map.csv")

    def test_that_is_not_there_is_refused(self, tmp_path: Path):
        with pytest.raises(BadInput, match="can't be read"):
            read_plate_map(tmp_path / "none.csv")


@pytest.mark.parametrize("call", ["yield from fill(bench, plate)", "fill(bench, plate)"])
def test_steps_of_a_function_of_ones_own_are_refused_where_nobody_takes_them(
    tmp_path: Path, call: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"""from protocols.scripts import Plate, protocol

def fill(bench, plate):
    yield from bench.transfer(5, "assay_buffer", plate["A1"])

def told(bench):
    def inner():
        yield 1
    bench.label

@protocol
def mine(bench, plate: Plate):
    told(bench)
    {call}
    yield from bench.read_absorbance(plate, 450)
""")
    if call.startswith("yield"):
        assert load_script(str(path)).name == "mine"
        return
    with pytest.raises(BadInput, match="its steps are not taken") as refused:
        load_script(str(path))
    assert refused.value.line == 14
