"""Real instruments have one deck: campaigns share it, and two that believe in different ones are not let at it together."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.person.folder import SheetFolder
from lab.app import Laboratory, Settings, prepare
from lab.engine.progress import Progress, RunOpened, StepEnded
from lab.errors import BenchBusy
from lab.types import CampaignStatus
from tests.devices.person.bench import CAMPAIGN, Worker, write_bench


def another(folder: Path, bench: Path) -> Path:
    """A campaign of another name whose bench is that of a folder, as its own file says."""
    bench.mkdir(exist_ok=True)
    write_bench(bench)
    path = bench / "another.yaml"
    path.write_text(CAMPAIGN.replace("name: by_people", "name: another").replace("budget: 6", "budget: 3"))
    return path


def test_a_second_deck_of_the_same_instruments_is_refused_before_anything_moves(tmp_path: Path) -> None:
    files = [write_bench(tmp_path), another(tmp_path, tmp_path / "elsewhere")]
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        with pytest.raises(BenchBusy, match="paper_bench are at work with another deck"):
            laboratory.run([prepare(file) for file in files], baseline=False)
        steps = [
            step
            for record in laboratory.store.campaigns()
            for run in laboratory.store.runs(record.campaign.id)
            for step in laboratory.store.steps(run.run.id)
        ]
    assert steps == []
    assert not list(tmp_path.rglob("sheet.json"))


def test_campaigns_of_one_workcell_file_share_the_instruments(tmp_path: Path) -> None:
    files = [write_bench(tmp_path), another(tmp_path, tmp_path)]
    benches: set[str] = set()
    open_at_once = 0
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:

        def watch(event: Progress) -> None:
            nonlocal open_at_once
            if isinstance(event, RunOpened | StepEnded):
                records = laboratory.store.campaigns()
                benches.update(record.bench_id for record in records)
                open_at_once = max(open_at_once, len(laboratory.store.open_runs(records[0].bench_id)))

        laboratory.watch = watch
        with Worker(SheetFolder(tmp_path / "worklists")):
            outcomes = laboratory.run([prepare(file) for file in files], baseline=False)
    assert [one.status for one in outcomes] == [CampaignStatus.FINISHED] * 2
    assert len(benches) == 1
    assert open_at_once == 2
