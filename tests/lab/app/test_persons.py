"""Whole campaigns on a bench without robots: worklists out, results in, and nothing asked for twice."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.person.folder import SheetFolder
from devices.person.sheet import HandIn, Said, Sheet
from lab.app import Laboratory, Outcome, Settings, prepare
from lab.app.resolving import Verdict, resolve, unresolved
from lab.errors import BadInput
from lab.types import CampaignStatus, Origin, StepStatus
from tests.devices.person.bench import STRENGTH, Worker, handed, write_bench


def run(folder: Path) -> Outcome:
    with Laboratory.open(Settings(store=str(folder / "lab.db"))) as laboratory:
        (outcome,) = laboratory.run([prepare(folder / "campaign.yaml")])
    return outcome


def test_a_lab_without_robots_runs_a_campaign_from_worklists(tmp_path: Path) -> None:
    write_bench(tmp_path)
    folder = SheetFolder(tmp_path / "worklists")
    with Worker(folder) as worker:
        outcome = run(tmp_path)
    assert outcome.status is CampaignStatus.FINISHED
    assert [sheet.verb for sheet in worker.done] == ["work", "measure"] * 2
    assert all(folder.taken(sheet.id) for sheet in folder.sheets())
    assert len(outcome.results) == 6
    for experiment, observation in outcome.results:
        assert observation.usable
        assert observation.origin is Origin.MANUAL
        expected = STRENGTH[experiment.candidate.id] / STRENGTH["WT"]
        assert observation.value == pytest.approx(expected, rel=0.05)


def test_the_papers_name_barcodes_wells_and_volumes_and_draw_the_plate(tmp_path: Path) -> None:
    write_bench(tmp_path)
    folder = SheetFolder(tmp_path / "worklists")
    with Worker(folder):
        run(tmp_path)
    work, measure = folder.sheets()[:2]
    papers = tmp_path / "worklists" / work.id
    rows = (papers / "worklist.csv").read_text().splitlines()
    assert rows[0].startswith("line,action,source_barcode,source_labware,source_well,holds,target_barcode")
    assert len(rows) == 1 + len(work.lines)
    assert rows[1].startswith("1,pipette,L0001,library,")
    assert rows[-1] == "25,then,,,,,,,,,Shake for 10 min."
    page = (papers / "worklist.html").read_text()
    assert "L0001" in page
    assert page.count('<table class="map">') == 2
    asked = (tmp_path / "worklists" / measure.id / "results.csv").read_text().splitlines()
    assert asked[0] == "barcode,well,value,unit"
    assert len(asked) == 1 + 12
    assert asked[1].startswith("P1,")
    assert asked[1].endswith(",,OD")


def stopped_with_a_worklist_out(tmp_path: Path, folder: SheetFolder) -> Sheet:
    """A campaign whose first worklist is out when somebody has it stopped at once."""
    return _stopped(tmp_path, folder, lambda laboratory: laboratory.stop_now("Going home."))


def asked_to_stop_with_a_worklist_out(tmp_path: Path, folder: SheetFolder) -> Sheet:
    """A campaign whose first worklist is out when somebody has it stopped after the step under way: it may take days."""
    return _stopped(tmp_path, folder, lambda laboratory: laboratory.request_stop("Going home."))


def _stopped(tmp_path: Path, folder: SheetFolder, stop: Callable[[Laboratory], object]) -> Sheet:
    write_bench(tmp_path)
    out = threading.Event()
    settings = Settings(store=str(tmp_path / "lab.db"))
    with Laboratory.open(settings) as laboratory, Worker(folder, lambda sheet: out.set()):
        running = threading.Thread(target=laboratory.run, args=([prepare(tmp_path / "campaign.yaml")],))
        running.start()
        assert out.wait(60)
        stop(laboratory)
        running.join(60)
        assert not running.is_alive()
        (record,) = laboratory.store.campaigns()
        assert record.status is CampaignStatus.STOPPED
    (sheet,) = folder.sheets()
    assert folder.answer(sheet.id) is None
    return sheet


def done_steps(laboratory: Laboratory, campaign_id: str) -> list[str]:
    runs = laboratory.store.runs(campaign_id)
    steps = [step for one in runs for step in laboratory.store.steps(one.run.id)]
    return [step.action for step in steps if step.status is StepStatus.DONE]


STOPPED = pytest.mark.parametrize("stopped", [stopped_with_a_worklist_out, asked_to_stop_with_a_worklist_out])


@STOPPED
def test_a_worklist_that_is_out_when_the_run_is_broken_off_is_waited_for_and_not_handed_out_twice(
    tmp_path: Path, stopped: Callable[[Path, SheetFolder], Sheet]
) -> None:
    folder = SheetFolder(tmp_path / "worklists")
    sheet = stopped(tmp_path, folder)
    with Worker(folder) as worker, Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        (outcome,) = laboratory.resume()
        done = done_steps(laboratory, outcome.campaign.id)
    assert outcome.status is CampaignStatus.FINISHED
    assert worker.done[0].id == sheet.id
    assert [one.verb for one in folder.sheets()] == done == ["work", "measure"] * 2


@STOPPED
def test_what_was_handed_in_while_nobody_ran_counts_once_the_run_goes_on(
    tmp_path: Path, stopped: Callable[[Path, SheetFolder], Sheet]
) -> None:
    folder = SheetFolder(tmp_path / "worklists")
    sheet = stopped(tmp_path, folder)
    meanwhile = Worker(folder)
    folder.hand_in(meanwhile.honest(sheet))
    with (
        Worker(folder, meanwhile.honest),
        Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory,
    ):
        (outcome,) = laboratory.resume()
        done = done_steps(laboratory, outcome.campaign.id)
    assert outcome.status is CampaignStatus.FINISHED
    assert [one.verb for one in folder.sheets()] == done == ["work", "measure"] * 2


def killed_with_a_worklist_out(tmp_path: Path, folder: SheetFolder) -> Sheet:
    """A campaign whose first worklist is out when its program is killed."""
    path = write_bench(tmp_path)
    store = str(tmp_path / "lab.db")
    command = [sys.executable, "-m", "lab.cli", "run", str(path), "--store", store, "--deck-checked"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as killed:
        while not folder.sheets():
            assert killed.poll() is None, killed.stderr and killed.stderr.read()
            threading.Event().wait(0.02)
        killed.kill()
    (sheet,) = folder.sheets()
    return sheet


def test_after_the_program_was_killed_the_same_worklist_is_asked_about(tmp_path: Path) -> None:
    folder = SheetFolder(tmp_path / "worklists")
    sheet = killed_with_a_worklist_out(tmp_path, folder)
    meanwhile = Worker(folder)
    folder.hand_in(meanwhile.honest(sheet))
    with (
        Worker(folder, meanwhile.honest),
        Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory,
    ):
        (outcome,) = laboratory.resume()
        done = done_steps(laboratory, outcome.campaign.id)
    assert outcome.status is CampaignStatus.FINISHED
    assert [one.verb for one in folder.sheets()] == done == ["work", "measure"] * 2


@pytest.mark.parametrize("cut_off", [killed_with_a_worklist_out, stopped_with_a_worklist_out])
def test_work_that_nobody_is_sure_of_while_nothing_runs_is_decided_once(
    tmp_path: Path, cut_off: Callable[[Path, SheetFolder], Sheet]
) -> None:
    folder = SheetFolder(tmp_path / "worklists")
    sheet = cut_off(tmp_path, folder)
    folder.hand_in(handed(sheet, said="unsure"))
    settings = Settings(store=str(tmp_path / "lab.db"))
    with Laboratory.open(settings) as laboratory:
        (outcome,) = laboratory.resume()
        assert outcome.status is CampaignStatus.HELD
        (step,) = unresolved(laboratory.store, laboratory.store.campaigns()[0].bench_id)
        resolve(laboratory.store, step.id, Verdict.NOT_DONE, who="Ada")
    with Worker(folder), Laboratory.open(settings) as laboratory:
        (outcome,) = laboratory.resume()
    assert outcome.status is CampaignStatus.FINISHED
    assert [one.verb for one in folder.sheets()] == ["work", "work", "measure", "work", "measure"]


def test_a_worklist_of_a_run_that_is_given_up_is_withdrawn_and_counts_for_no_other(tmp_path: Path) -> None:
    folder = SheetFolder(tmp_path / "worklists")
    sheet = stopped_with_a_worklist_out(tmp_path, folder)
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        store = laboratory.store
        (record,) = store.campaigns()
        (step,) = store.steps(store.runs(record.campaign.id)[0].run.id)
        store.decide_step(step.id, "redo_batch")
    worker = Worker(folder)

    def not_the_first(one: Sheet) -> HandIn | None:
        return None if one.id == sheet.id else worker.honest(one)

    with (
        Worker(folder, not_the_first),
        Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory,
    ):
        (outcome,) = laboratory.resume()
    assert outcome.status is CampaignStatus.FINISHED
    answer = folder.answer(sheet.id)
    assert answer is not None
    assert (answer.said, answer.note) == (Said.WITHDRAWN, "Its run was given up.")
    assert "do nothing of it" in (tmp_path / "worklists" / sheet.id / "WITHDRAWN.txt").read_text()
    with pytest.raises(BadInput, match="was handed in before, as withdrawn by drywet"):
        folder.hand_in(handed(sheet))
    assert [one.verb for one in folder.sheets()] == ["work", "work", "measure", "work", "measure"]


def test_work_that_may_or_may_not_be_done_holds_the_run_for_a_person(tmp_path: Path) -> None:
    write_bench(tmp_path)
    folder = SheetFolder(tmp_path / "worklists")
    with Worker(folder, lambda sheet: handed(sheet, said="unsure")):
        outcome = run(tmp_path)
    assert outcome.status is CampaignStatus.HELD
    assert "Ada says that sheet_0001 may or may not be done." in str(outcome.error)
    assert "drywet resolve" in str(outcome.error)


def test_work_that_was_not_done_is_asked_for_again_on_a_new_worklist(tmp_path: Path) -> None:
    write_bench(tmp_path)
    folder = SheetFolder(tmp_path / "worklists")
    first = True
    worker: Worker

    def not_at_first(sheet: Sheet) -> HandIn:
        nonlocal first
        if first:
            first = False
            return handed(sheet, said="not-done")
        return worker.honest(sheet)

    worker = Worker(folder, not_at_first)
    with worker:
        outcome = run(tmp_path)
    assert outcome.status is CampaignStatus.FINISHED
    assert [one.verb for one in folder.sheets()] == ["work", "work", "measure", "work", "measure"]


def test_work_of_which_a_person_finds_that_it_was_done_is_not_handed_out_again(tmp_path: Path) -> None:
    write_bench(tmp_path)
    folder = SheetFolder(tmp_path / "worklists")
    first = Worker(folder, lambda sheet: handed(sheet, said="unsure"))
    with first:
        assert run(tmp_path).status is CampaignStatus.HELD
    later = Worker(folder)
    later.honest(first.done[0])  # in truth all of it was done
    with (
        Worker(folder, later.honest),
        Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory,
    ):
        (bench_id,) = {laboratory.store.campaigns()[0].bench_id}
        (step,) = unresolved(laboratory.store, bench_id)
        resolve(laboratory.store, step.id, Verdict.DONE, who="Ada")
        (outcome,) = laboratory.resume()
    assert outcome.status is CampaignStatus.FINISHED
    assert [one.verb for one in folder.sheets()] == ["work", "measure", "work", "measure"]


def test_a_measurement_of_which_nobody_knows_is_not_resolved_as_done(tmp_path: Path) -> None:
    write_bench(tmp_path)
    folder = SheetFolder(tmp_path / "worklists")
    worker: Worker

    def unsure_of_numbers(sheet: Sheet) -> HandIn:
        return handed(sheet, said="unsure") if sheet.asks else worker.honest(sheet)

    worker = Worker(folder, unsure_of_numbers)
    with worker:
        assert run(tmp_path).status is CampaignStatus.HELD
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        (bench_id,) = {laboratory.store.campaigns()[0].bench_id}
        (step,) = unresolved(laboratory.store, bench_id)
        with pytest.raises(BadInput, match="is a reading"):
            resolve(laboratory.store, step.id, Verdict.DONE, who="Ada")
