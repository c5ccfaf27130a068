"""The deck before a run: what must stand where, and a person who has looked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from devices.person.folder import SheetFolder
from devices.person.sheet import HandIn, Sheet
from lab.app import Laboratory, Settings, prepare
from lab.cli import main
from lab.types import CampaignStatus
from tests.devices.person.bench import Worker, handed, write_bench

GOOD = "position,barcode\nbench_1,L0001\nbench_2,P1\nbench_3,P2\nbench_4,P3\nbench_5,P4\n"


def drywet(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["drywet", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_checklist_of_a_campaign_says_what_stands_where_and_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drywet(monkeypatch, "deck", write_bench(tmp_path), "--json") == 0
    found = {piece["position"]: piece for piece in json.loads(capsys.readouterr().out)["pieces"]}
    assert found["bench_1"]["barcode"] == "L0001"
    assert found["bench_1"]["contents"] == "8 of the candidates, 300 ul in each of 8 wells"
    assert found["bench_2"]["contents"] == "empty"
    assert found["bench_6"]["contents"] == "50 ml of assay_buffer"
    assert found["bench_7"]["contents"] == "96 tips of 300 ul"
    assert list(found) == [f"bench_{n}" for n in range(1, 8)]


def test_it_can_be_printed_and_a_workcell_has_one_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bench(tmp_path)
    page = tmp_path / "deck.html"
    assert drywet(monkeypatch, "deck", tmp_path / "bench.yaml", "--html", page) == 0
    text = page.read_text()
    assert text.count('<td class="box"></td>') == 7
    assert "candidates, as the candidate file says" in text


def test_scans_that_agree_are_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scans = tmp_path / "scans.csv"
    scans.write_text(GOOD)
    assert drywet(monkeypatch, "deck", write_bench(tmp_path), "--scans", scans) == 0


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            "bench_2,P1",
            "bench_2,P2",
            "bench_2 should hold assay_1 (P1), and P2 was scanned, which belongs to bench_3.",
        ),
        ("bench_2,P1\n", "", "bench_2 should hold assay_1 (P1), and nothing was scanned there."),
        (
            "bench_2,P1",
            "bench_2,p1",
            "bench_2 should hold assay_1 (P1), and p1 was scanned, which nobody knows.",
        ),
        ("bench_2,P1", "bench_8,P1", "bench_8 was scanned, and nothing is to stand there."),
        ("bench_3,P2", "bench_2,P2", "bench_2 was scanned twice."),
        ("position,barcode", "where,what", "The heading is not position,barcode."),
        ("bench_2,P1", 'bench_2,"P1', "This row can't be read"),
    ],
)
def test_a_deck_that_is_loaded_otherwise_is_refused_by_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    before: str,
    after: str,
    sentence: str,
) -> None:
    scans = tmp_path / "scans.csv"
    scans.write_text(GOOD.replace(before, after))
    assert drywet(monkeypatch, "deck", write_bench(tmp_path), "--scans", scans) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_on_a_real_bench_a_run_starts_only_when_somebody_has_looked_at_the_deck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_bench(tmp_path)
    store = tmp_path / "lab.db"
    assert drywet(monkeypatch, "run", path, "--store", store) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "Nobody has said that the deck of by_people is loaded." in said
    assert "--deck-checked" in said
    assert not store.exists()


def test_on_a_real_bench_a_protocol_starts_only_when_somebody_has_looked_at_the_deck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bench(tmp_path)
    protocol = tmp_path / "fill.py"
    protocol.write_text(
        "from protocols.scripts import Plate, protocol\n\n\n@protocol\ndef fill(bench, plate: Plate):\n"
        '    yield from bench.transfer(10, "assay_buffer", plate["A1"])\n'
    )
    asked = ("protocol", "run", protocol, "--workcell", tmp_path / "bench.yaml")
    assert drywet(monkeypatch, *asked, "--store", tmp_path / "lab.db") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "Nobody has said that the deck of paper_bench is loaded." in said
    assert "then start again with: --deck-checked" in said
    assert not (tmp_path / "worklists").exists()


def test_somebody_at_a_terminal_is_asked_piece_by_piece_and_a_wrong_one_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_bench(tmp_path)
    answers = iter(["L0001", "P2", "P1", "P3", "P4"])
    asked: list[str] = []

    def answer(question: str, **more: object) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("lab.cli.deck.typer.prompt", answer)
    assert drywet(monkeypatch, "run", path, "--store", tmp_path / "lab.db") == 2
    assert asked == [f"Scan or type bench_{n}" for n in range(1, 6)]
    said = " ".join(capsys.readouterr().err.split())
    assert "bench_2 should hold assay_1 (P1), and P2 was scanned, which belongs to bench_3." in said


class TestWhereACampaignWaitsToGoOn:
    @pytest.fixture
    def held(self, tmp_path: Path) -> Path:
        """A campaign whose first plate was prepared, and of whose first reading nobody is sure."""
        path = write_bench(tmp_path)
        worker: Worker

        def unsure_of_numbers(sheet: Sheet) -> HandIn:
            return handed(sheet, said="unsure") if sheet.asks else worker.honest(sheet)

        worker = Worker(SheetFolder(tmp_path / "worklists"), unsure_of_numbers)
        with worker, Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
            (outcome,) = laboratory.run([prepare(path)])
        assert outcome.status is CampaignStatus.HELD
        return path

    def shown(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        file: Path,
        store: Path,
    ) -> dict[str, Any]:
        assert drywet(monkeypatch, "deck", file, "--store", store, "--json") == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found | {"pieces": {piece["labware"]: piece["contents"] for piece in found["pieces"]}}

    def test_the_deck_is_what_it_has_left_and_else_what_the_file_says(
        self,
        tmp_path: Path,
        held: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        for file in (held, tmp_path / "bench.yaml"):
            found = self.shown(monkeypatch, capsys, file, tmp_path / "lab.db")
            assert found["left_by"] == "by_people"
            assert found["pieces"]["library"] == "8 wells with 270 to 300 ul"
            assert found["pieces"]["assay_1"] == "12 wells with 100 ul"
            assert found["pieces"]["assay_2"] == "empty"
            assert found["pieces"]["buffer"].endswith("ml of assay_buffer")
            assert found["pieces"]["buffer"] != "50 ml of assay_buffer"
            fresh = self.shown(monkeypatch, capsys, file, tmp_path / "other.db")
            assert fresh["left_by"] == ""
            assert fresh["pieces"]["assay_1"] == "empty"

    @pytest.mark.parametrize("command", ["run", "resume"])
    def test_going_on_asks_for_the_deck_as_starting_does(
        self,
        tmp_path: Path,
        held: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        command: str,
    ) -> None:
        named: list[str | Path] = [held] if command == "run" else []
        asked: tuple[str | Path, ...] = (command, *named, "--store", tmp_path / "lab.db")
        assert drywet(monkeypatch, *asked) == 2
        assert "Nobody has said that the deck of by_people is loaded." in " ".join(
            capsys.readouterr().err.split()
        )
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
        monkeypatch.setattr("lab.cli.deck.typer.prompt", lambda question, **more: "")
        assert drywet(monkeypatch, *asked) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "by_people as by_people has left it" in said
        assert "12 wells with 100 ul" in said
        assert "bench_1 should hold library (L0001), and nothing was scanned there." in said
