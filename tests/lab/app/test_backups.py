"""A backup taken in the midst of a campaign is of one moment: restored elsewhere, the campaign ends as it would have."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.app import Laboratory, Settings, prepare
from lab.app.backups import _until, back_up, restore
from lab.engine.progress import Progress, StepEnded
from lab.errors import BadInput, StoreUnusable
from lab.store import Store
from lab.types import CampaignStatus
from tests.campaign_files import write_campaign
from tests.lab.store.examples import a_campaign
from tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]

MOMENTS = (3, 40, 75)
"""Steps after which a backup is begun, while the campaign goes on; a batch of three takes some fifty."""


def results(store: Store) -> list[tuple[str, float, float]]:
    (record,) = store.campaigns()
    history = store.history(record.campaign.id)
    names = {one.id: one.candidate.id for one in history.experiments}
    return [(names[o.experiment_id], o.value, o.standard_error) for o in history.observations]


def deeds(store: Store) -> Counter[str]:
    """What the twin of a store has done with liquid, tips and plates, each with how often."""
    (bench,) = store.benches()
    actions = [json.loads(line) for line in Path(bench.ledger).read_text().splitlines()[1:]]
    done = ("aspirate", "dispense", "pick_up_tips", "drop_tips", "pick", "place", "read")
    return Counter(
        json.dumps([one["instrument"], one["action"], one["arguments"]])
        for one in actions
        if one["action"] in done
    )


@dataclass
class Taken:
    """Backups that were taken while a campaign ran to its end, its results, and what was done for it.

    Args:
        between: taken between two steps.
        amid: taken at any moment, by somebody else.
    """

    between: list[Path]
    amid: list[Path]
    results: list[tuple[str, float, float]]
    deeds: Counter[str]


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    folder = tmp_path_factory.mktemp("lab")
    settings = Settings(store=str(folder / "lab.db"))
    begun = {moment: threading.Event() for moment in MOMENTS}
    seen: list[StepEnded] = []
    between: list[Path] = []
    amid: list[Path] = []

    def watch(event: Progress) -> None:
        if isinstance(event, StepEnded):
            seen.append(event)
            if len(seen) in begun:
                between.append(folder / f"between_{len(seen)}.tar.gz")
                back_up(settings.store, between[-1])
                begun[len(seen)].set()

    with Laboratory.open(settings) as laboratory:
        laboratory.watch = watch
        file = prepare(write_campaign(folder, budget=6, batch_size=3))
        working = threading.Thread(target=lambda: laboratory.run([file], baseline=False))
        working.start()
        for moment in MOMENTS:
            assert begun[moment].wait(60.0)
            amid.append(folder / f"amid_{moment}.tar.gz")
            back_up(settings.store, amid[-1])
        working.join()
        return Taken(between, amid, results(laboratory.store), deeds(laboratory.store))


@pytest.mark.parametrize("which", range(len(MOMENTS)))
def test_a_campaign_goes_on_from_a_backup_as_if_nothing_had_been(
    taken: Taken, tmp_path: Path, which: int
) -> None:
    settings = Settings(store=str(tmp_path / "elsewhere" / "lab.db"))
    made = restore(taken.between[which], settings)
    assert made.campaigns == len(made.ledgers) == 1
    with Laboratory.open(settings) as laboratory:
        (record,) = laboratory.store.campaigns()
        ledger = Path(laboratory.store.bench(record.bench_id).ledger)
        assert ledger.parent == (tmp_path / "elsewhere" / "twins").resolve()
        (outcome,) = laboratory.resume()
        assert outcome.status is CampaignStatus.FINISHED
        # Nothing was lost and nothing was done twice.
        assert deeds(laboratory.store) == taken.deeds
        found = results(laboratory.store)
        assert [name for name, _, _ in found] == [name for name, _, _ in taken.results]
        # A bench that is brought to its safe state in between dries longer, and a heat that is cut off is not the same.
        assert [value for _, value, _ in found] == pytest.approx([v for _, v, _ in taken.results], abs=0.03)


@pytest.mark.parametrize("which", range(len(MOMENTS)))
def test_a_backup_in_the_midst_of_a_step_is_as_good_as_a_power_cut_there(
    taken: Taken, tmp_path: Path, which: int
) -> None:
    """So the step may have to be asked about, and tips be taken anew; but no liquid is given twice or never."""
    settings = Settings(store=str(tmp_path / "lab.db"))
    restore(taken.amid[which], settings)
    with Laboratory.open(settings) as laboratory:
        if laboratory.store.campaigns()[0].status is not CampaignStatus.FINISHED:
            (outcome,) = laboratory.resume()
            if outcome.status is CampaignStatus.HELD:
                assert "can't know" in outcome.sentence
                assert not given(deeds(laboratory.store)) - given(taken.deeds)
                return
        assert given(deeds(laboratory.store)) == given(taken.deeds)


def given(done: Counter[str]) -> Counter[str]:
    """What of it gives liquid, or moves and reads plates."""
    return Counter(
        {deed: n for deed, n in done.items() if json.loads(deed)[1] in ("dispense", "place", "read")}
    )


def test_nothing_is_ever_written_over(taken: Taken, tmp_path: Path) -> None:
    settings = Settings(store=str(tmp_path / "lab.db"))
    restore(taken.between[0], settings)
    with pytest.raises(StoreUnusable, match="already"):
        restore(taken.between[1], settings)
    with pytest.raises(BadInput, match="there already"):
        back_up(settings.store, taken.between[0])
    (tmp_path / "lab.db").unlink()
    for log in tmp_path.glob("lab.db-*"):
        log.unlink()
    with pytest.raises(StoreUnusable, match="another ledger"):
        restore(taken.between[1], settings)
    restore(taken.between[0], settings)  # what was cut off after the ledgers were in place is done again
    assert not list(tmp_path.glob(".restore-*"))


def test_only_its_owner_can_read_a_backup_and_it_leaves_nothing_beside_it(taken: Taken) -> None:
    assert taken.between[0].stat().st_mode & 0o077 == 0
    assert not list(taken.between[0].parent.glob(".backup-*"))


def rewritten(source: Path, target: Path, name: str, change: Any) -> Path:
    """A backup with one of its files changed."""
    with tarfile.open(source) as old, tarfile.open(target, "w:gz") as new:
        for entry in old.getmembers():
            file = old.extractfile(entry)
            assert file is not None
            content = file.read()
            if entry.name == name:
                content = change(content)
            entry.size = len(content)
            new.addfile(entry, io.BytesIO(content))
    return target


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A place where nothing comes to be, whatever is tried."""
    yield Settings(store=str(tmp_path / "lab.db"))
    assert not (tmp_path / "lab.db").exists()
    assert not list(tmp_path.glob(".restore-*"))


def test_what_was_damaged_on_its_way_is_refused(taken: Taken, tmp_path: Path, settings: Settings) -> None:
    flipped = lambda content: content[:5000] + b"x" + content[5001:]  # noqa: E731  it has no name of its own
    with pytest.raises(BadInput, match="damaged"):
        restore(rewritten(taken.between[0], tmp_path / "a.tar.gz", "store.db", flipped), settings)
    (tmp_path / "cut.tar.gz").write_bytes(taken.between[0].read_bytes()[:-2000])
    (tmp_path / "text.tar.gz").write_text("a backup of another program")
    for name in ("cut", "text"):
        with pytest.raises(BadInput, match="damaged"):
            restore(tmp_path / f"{name}.tar.gz", settings)
    with pytest.raises(BadInput, match="no such file"):
        restore(tmp_path / "none.tar.gz", settings)


def test_a_name_that_leads_elsewhere_is_refused(taken: Taken, tmp_path: Path, settings: Settings) -> None:
    def elsewhere(manifest: bytes) -> bytes:
        told = json.loads(manifest)
        told["files"]["../outside"] = "0" * 64
        return json.dumps(told).encode()

    with pytest.raises(BadInput, match="damaged"):
        restore(rewritten(taken.between[0], tmp_path / "a.tar.gz", "manifest.json", elsewhere), settings)
    assert not (tmp_path.parent / "outside").exists()


def test_a_backup_of_a_newer_drywet_is_refused(taken: Taken, tmp_path: Path, settings: Settings) -> None:
    def newer(manifest: bytes) -> bytes:
        return json.dumps({**json.loads(manifest), "format": 2}).encode()

    with pytest.raises(BadInput, match="newer"):
        restore(rewritten(taken.between[0], tmp_path / "a.tar.gz", "manifest.json", newer), settings)


def test_campaigns_of_a_real_bench_are_held_as_nobody_knows_what_was_done_since(tmp_path: Path) -> None:
    with Store.open(tmp_path / "lab.db") as store:
        bench = store.create_bench(workcell="bench", twin=False, seed=1, ledger="", snapshot={})
        store.create_campaign(a_campaign(), bench.id, "sha", {})
        made = back_up(str(tmp_path / "lab.db"), tmp_path / "real.tar.gz")
    assert made.real == ("protein_bench_twin",)
    elsewhere = Settings(store=str(tmp_path / "elsewhere" / "lab.db"))
    restore(tmp_path / "real.tar.gz", elsewhere)
    with Store.open(elsewhere.store) as store:
        (record,) = store.campaigns()
    assert record.status is CampaignStatus.HELD
    assert record.sentence.startswith("Restored from a backup of ")


def line(lab_time_s: float) -> bytes:
    return json.dumps({"n": 0, "lab_time_s": lab_time_s}).encode() + b"\n"


def test_a_ledger_is_cut_after_the_last_moment_that_the_journal_knows(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    old, grown = line(50.0), [line(8.0), line(9.0), line(12.0)]
    path.write_bytes(old + b"".join(grown) + b'{"torn')
    end = path.stat().st_size
    assert _until(path, len(old), end, 10.0) == len(old) + len(grown[0]) + len(grown[1])
    assert _until(path, len(old), end, 9.0) is None  # at that very moment: nobody can tell
    assert _until(path, len(old), end, 5.0) == len(old)
    assert _until(path, len(old), end, 99.0) == end - len(b'{"torn')


@pytest.mark.postgres
def test_a_store_on_a_server_comes_back_in_an_empty_database(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is not installed.")
    monkeypatch.chdir(tmp_path)  # where ledgers of a server's store go
    url = postgres_server.url(postgres_server.new_database())
    with Laboratory.open(Settings(store=url)) as laboratory:
        (outcome,) = laboratory.run(
            [prepare(write_campaign(tmp_path, budget=3, batch_size=3))], baseline=False
        )
        back_up(url, tmp_path / "lab.tar.gz")
        expected = results(laboratory.store)
    with pytest.raises(StoreUnusable, match="not empty"):
        restore(tmp_path / "lab.tar.gz", Settings(store=url))
    with pytest.raises(BadInput, match="backup of a postgresql store"):
        restore(tmp_path / "lab.tar.gz", Settings(store=str(tmp_path / "lab.db")))
    other = postgres_server.url(postgres_server.new_database())
    restore(tmp_path / "lab.tar.gz", Settings(store=other))
    with Store.open(other, read_only=True) as store:
        assert results(store) == expected
        assert store.campaign(outcome.campaign.id).status is CampaignStatus.FINISHED
