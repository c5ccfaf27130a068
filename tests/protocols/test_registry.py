"""Protocols by name, and from a folder of the user's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import protocols
from lab.errors import BadInput

MINE = """
from lab.strict import StrictModel

class Parameters(StrictModel):
    pass

def targets(parameters): ...
def layout(batch, campaign, bench, parameters, rng): ...
def plan(batch, campaign, workcell, layout, parameters): ...
def analyse(record, batch, campaign, parameters): ...
"""


@pytest.fixture(autouse=True)
def forget_user_protocols() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("_user_protocol_"):
            del sys.modules[name]


def test_our_protocols_are_found_by_name() -> None:
    assert set(protocols.protocol_names()) == {
        "by_hand",
        "film_ageing",
        "formulation_ageing",
        "kinetic_activity",
        "reporter_expression",
        "thermal_challenge",
    }
    assert list(protocols.protocol_names()) == sorted(protocols.protocol_names())
    assert protocols.protocol("thermal_challenge").Parameters().replicates == 3


def test_a_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(BadInput, match="Did you mean 'thermal_challenge'"):
        protocols.protocol("thermal_chalenge")
    with pytest.raises(BadInput, match=r"Known are .*thermal_challenge"):
        protocols.protocol("zzz")


def test_a_folder_adds_protocols_and_ours_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    assert set(protocols.protocol_names(tmp_path)) == {"mine", *protocols.protocol_names()}
    assert protocols.load("mine", tmp_path).Parameters() is not None
    assert protocols.load("thermal_challenge", tmp_path) is protocols.load("thermal_challenge")


def test_a_name_that_is_in_neither_is_refused_with_both_in_mind(tmp_path: Path) -> None:
    (tmp_path / "melting_curve.py").write_text(MINE)
    with pytest.raises(BadInput, match="Did you mean 'melting_curve'"):
        protocols.load("melting_curv", tmp_path)


def test_a_name_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInput, match="There is no protocol"):
        protocols.load("../mine", tmp_path / "folder")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        protocols.load("mine", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x = 1\ndef broken(:\n", 2, "SyntaxError"),
        ("x = 1\n\nx = 1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("import no_such_library\n", 1, "No module named 'no_such_library'"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(BadInput, match=said) as refused:
        protocols.load("mine", tmp_path)
    assert (refused.value.file, refused.value.line) == (tmp_path / "mine.py", line)
    assert "_user_protocol_mine" not in sys.modules


def test_a_file_that_is_no_protocol_says_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Parameters: ...\ndef plan(): ...\n")
    with pytest.raises(BadInput, match="lacks targets, layout, analyse"):
        protocols.load("mine", tmp_path)
