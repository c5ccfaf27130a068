"""Worklists on the command line: what is out, and handing it in with its results."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.person.folder import SheetFolder
from devices.person.paper import papers_of
from devices.person.sheet import Asked, Line, PlateShown, Sheet
from lab.cli import main
from tests.devices.person.bench import write_bench

PLATE = PlateShown(id="assay_1", barcode="P1", type="flat", rows=8, columns=12, at="bench_2")

Drywet = Callable[..., int]


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    write_bench(tmp_path)
    return tmp_path / "bench.yaml"


@pytest.fixture
def folder(bench: Path) -> SheetFolder:
    """One worklist out, which asks for two numbers."""
    made = SheetFolder(bench.parent / "worklists")
    made.make()
    sheet = Sheet(
        id=made.reserve(),
        device="reader",
        verb="measure",
        arguments={},
        title="Measure",
        lines=(Line(action="measure", source="assay_1", note="turbidity"),),
        labware=(PLATE,),
        asks=Asked(plate="assay_1", quantity="turbidity", unit="NTU", wells=("B2", "B3")),
        made_utc="2026-01-05T09:00:00+00:00",
    )
    made.hand_out(sheet, papers_of(sheet))
    return made


@pytest.fixture
def drywet(monkeypatch: pytest.MonkeyPatch) -> Drywet:
    def run(*words: object) -> int:
        monkeypatch.setattr(sys, "argv", ["drywet", "worklist", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0)

    return run


def test_what_is_out_is_listed_until_it_is_handed_in(
    bench: Path, folder: SheetFolder, drywet: Drywet, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drywet("list", bench, "--json") == 0
    (one,) = json.loads(capsys.readouterr().out)["worklists"]
    assert (one["id"], one["handed_in"], one["taken"]) == ("sheet_0001", None, False)
    filled = folder.path / "sheet_0001" / "results.csv"
    filled.write_text(filled.read_text().replace("B2,,", "B2,1.5,").replace("B3,,", "B3,over,"))
    assert drywet("done", bench, "--results", filled, "--by", "Ada") == 0
    answer = folder.answer("sheet_0001")
    assert answer is not None
    assert answer.values == {"B2": 1.5, "B3": "over"}
    assert (answer.by, answer.source, len(answer.source_sha256)) == ("Ada", "results.csv", 64)
    capsys.readouterr()
    assert drywet("list", bench) == 0
    assert "No worklist is out." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["done"], "sheet_0001 asks for turbidity of 2 wells of assay_1."),
        (["done", "sheet_0009"], "There is no worklist sheet_0009"),
        (["done", "--results", "nowhere.csv"], "It can't be read"),
        (["done", "--results", "empty.csv"], "No number for B2, B3."),
        (
            ["done", "--results", "good.csv", "--barcode", "P2"],
            "P2 was scanned, and the worklist is of assay_1",
        ),
        (
            ["done", "--results", "good.csv", "--reader", "BMG_MARS"],
            "A reader's export has no numbers in 'NTU'.",
        ),
    ],
)
def test_what_can_not_be_handed_in_is_refused_and_the_worklist_stays_out(
    bench: Path,
    folder: SheetFolder,
    drywet: Drywet,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(bench.parent)
    Path("empty.csv").write_text("barcode,well,value\nP1,C1,1\n")
    Path("good.csv").write_text("barcode,well,value\nP1,B2,1\nP1,B3,2\n")
    verb, *more = words
    assert drywet(verb, bench, *more) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert folder.answer("sheet_0001") is None


def test_not_done_and_unsure_are_kept_as_said(folder: SheetFolder, drywet: Drywet) -> None:
    assert drywet("unsure", folder.path, "--note", "the phone rang", "--by", "Ada") == 0
    answer = folder.answer("sheet_0001")
    assert answer is not None
    assert (answer.said, answer.note) == ("unsure", "the phone rang")


def test_a_bench_without_persons_has_no_worklists(
    bench: Path, drywet: Drywet, capsys: pytest.CaptureFixture[str]
) -> None:
    text = bench.read_text()
    handler = "{driver: liquid_handler/star}"
    lines = [
        f"  {line.split(':')[0].strip()}: {handler}" if "person/" in line else line
        for line in text.splitlines()
    ]
    bench.write_text("\n".join(lines))
    assert drywet("list", bench) == 2
    assert "No person works on this bench." in capsys.readouterr().err
