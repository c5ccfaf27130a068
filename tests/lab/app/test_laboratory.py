"""Whole campaigns on the twin: they finish, repeat to the last bit, stop and go on, and share a bench."""

from __future__ import annotations

import json
import math
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from lab.app import Laboratory, Outcome, Settings, prepare
from lab.campaign import CampaignLoop
from lab.cli import main
from lab.engine.progress import BatchProposed, Progress, ResultsRecorded, RunOpened, StepEnded
from lab.errors import BadInput, Infeasible
from lab.types import CampaignStatus, ExperimentStatus, StepStatus
from tests.campaign_files import write_campaign
from tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_campaign(tmp_path, budget=6, batch_size=3, baseline="random")


def table(outcome: Outcome) -> list[tuple[Any, ...]]:
    """What a campaign measured, identifiers apart."""
    return [
        (e.candidate.id, e.reason.sentence, o.value, o.standard_error, o.quality, o.lab_time_s)
        for e, o in outcome.results
    ]


def run(folder: Path, *files: Path, baseline: bool = False, new: bool = False) -> tuple[Outcome, ...]:
    with Laboratory.open(Settings(store=str(folder / "lab.db"))) as laboratory:
        return laboratory.run([prepare(file) for file in files], baseline=baseline, new=new)


def test_a_campaign_spends_its_budget_and_says_why_it_ended(tmp_path: Path, file: Path) -> None:
    (outcome,) = run(tmp_path, file)
    assert outcome.status is CampaignStatus.FINISHED
    assert outcome.sentence == "The budget of 6 experiments is spent."
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        history = laboratory.store.history(outcome.campaign.id)
        runs = laboratory.store.runs(outcome.campaign.id)
        steps = [step for one in runs for step in laboratory.store.steps(one.run.id)]
    assert len(history.experiments) == 6
    assert {e.status for e in history.experiments} <= {ExperimentStatus.MEASURED, ExperimentStatus.FAILED}
    assert all(e.reason.sentence for e in history.experiments)
    assert {s.status for s in steps} == {StepStatus.DONE}
    assert outcome.lab_s == pytest.approx(steps[-1].ended_lab_s, rel=0.05)


def test_the_same_seed_gives_the_same_table_to_the_last_bit(tmp_path: Path, file: Path) -> None:
    first, second = (run(tmp_path, file, new=True) for _ in range(2))
    assert table(first[0]) == table(second[0])


def test_another_seed_gives_another_table(tmp_path: Path) -> None:
    (first,) = run(tmp_path, write_campaign(tmp_path, "one", budget=3, batch_size=3, seed=1))
    (second,) = run(tmp_path, write_campaign(tmp_path, "two", budget=3, batch_size=3, seed=2))
    assert table(first) != table(second)


def test_the_baseline_runs_on_an_identical_twin_and_leaves_the_campaign_as_it_is(
    tmp_path: Path, file: Path
) -> None:
    (alone,) = run(tmp_path, file)
    both = run(tmp_path, file, baseline=True, new=True)
    assert [o.campaign.planner.name for o in both] == ["adaptive", "random"]
    assert both[1].campaign.baseline_of == both[0].campaign.id
    assert table(both[0]) == table(alone)


@pytest.mark.parametrize("stop_at", [1, 12, 40, 75])
def test_a_stopped_campaign_goes_on_to_the_table_of_an_undisturbed_one(
    tmp_path: Path, file: Path, stop_at: int
) -> None:
    (undisturbed,) = run(tmp_path, file)
    settings = Settings(store=str(tmp_path / "stopped" / "lab.db"))
    seen: list[StepEnded] = []
    with Laboratory.open(settings) as laboratory:

        def watch(event: Progress) -> None:
            if isinstance(event, StepEnded):
                seen.append(event)
                if len(seen) == stop_at:
                    laboratory.request_stop("lunch")

        laboratory.watch = watch
        (stopped,) = laboratory.run([prepare(file)], baseline=False)
        assert stopped.status is CampaignStatus.STOPPED
        assert stopped.sentence == "lunch"
    with Laboratory.open(settings) as laboratory:
        (resumed,) = laboratory.resume()
        runs = laboratory.store.runs(resumed.campaign.id)
        steps = [step for one in runs for step in laboratory.store.steps(one.run.id)]
    assert resumed.status is CampaignStatus.FINISHED
    # By name: a plate that waited reads a little differently, which may swap two results that are nearly equal.
    after, before = (sorted(table(outcome), key=lambda row: row[0]) for outcome in (resumed, undisturbed))
    assert [row[:2] for row in after] == [row[:2] for row in before]
    assert [row[2] for row in after] == pytest.approx([row[2] for row in before], abs=0.02)
    assert len({step.key for step in steps}) == len(steps)


def test_running_a_stopped_file_again_goes_on_with_it(tmp_path: Path, file: Path) -> None:
    settings = Settings(store=str(tmp_path / "lab.db"))
    with Laboratory.open(settings) as laboratory:
        laboratory.request_stop("before the first step")
        (stopped,) = laboratory.run([prepare(file)], baseline=False)
    with Laboratory.open(settings) as laboratory:
        (finished,) = laboratory.run([prepare(file)], baseline=False)
    assert stopped.campaign.id == finished.campaign.id
    assert finished.status is CampaignStatus.FINISHED


def test_a_changed_file_does_not_go_on_with_the_campaign_it_was(tmp_path: Path, file: Path) -> None:
    settings = Settings(store=str(tmp_path / "lab.db"))
    with Laboratory.open(settings) as laboratory:
        laboratory.request_stop("before the first step")
        laboratory.run([prepare(file)], baseline=False)
    changed = write_campaign(tmp_path, budget=9, batch_size=3)
    with (
        Laboratory.open(settings) as laboratory,
        pytest.raises(BadInput, match=r"has changed since.*drywet resume small"),
    ):
        laboratory.run([prepare(changed)])


def test_a_finished_campaign_is_not_run_over_by_accident(tmp_path: Path, file: Path) -> None:
    run(tmp_path, file)
    with pytest.raises(BadInput, match=r"has finished in this store.*--new"):
        run(tmp_path, file)


def test_two_campaigns_on_one_bench_both_come_out_right(tmp_path: Path) -> None:
    files = [
        write_campaign(tmp_path, name, budget=6, batch_size=3, seed=seed)
        for name, seed in (("one", 1), ("two", 2))
    ]
    first = run(tmp_path, *files)
    second = run(tmp_path, *files, new=True)
    assert [o.status for o in first] == [CampaignStatus.FINISHED] * 2
    assert [table(o) for o in first] == [table(o) for o in second]
    assert all(o.measured == 6 for o in first)


@pytest.mark.parametrize("stop_at", [20, 40, 60])
def test_two_campaigns_stopped_on_one_bench_get_out_of_each_others_way(tmp_path: Path, stop_at: int) -> None:
    files = [
        write_campaign(tmp_path, name, budget=4, batch_size=2, seed=seed)
        for name, seed in (("one", 1), ("two", 2))
    ]
    settings = Settings(store=str(tmp_path / "lab.db"))
    seen: list[StepEnded] = []
    with Laboratory.open(settings) as laboratory:

        def watch(event: Progress) -> None:
            if isinstance(event, StepEnded):
                seen.append(event)
                if len(seen) == stop_at:
                    laboratory.request_stop("lunch")

        laboratory.watch = watch
        stopped = laboratory.run([prepare(file) for file in files], baseline=False)
    with Laboratory.open(settings) as laboratory:
        resumed = laboratory.resume("one")  # brings the other with it, whose plates may stand in its way
    assert [o.status for o in stopped] == [CampaignStatus.STOPPED] * 2
    assert {o.campaign.name: o.status for o in resumed} == dict.fromkeys(
        ("one", "two"), CampaignStatus.FINISHED
    )
    assert all(o.measured == 4 for o in resumed)


def test_what_interrupted_runs_still_use_is_reserved_before_anybody_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [write_campaign(tmp_path, name, budget=2, batch_size=2) for name in ("one", "two")]
    settings = Settings(store=str(tmp_path / "lab.db"))
    opened: set[str] = set()
    with Laboratory.open(settings) as laboratory:

        def watch(event: Progress) -> None:
            if isinstance(event, RunOpened):
                opened.add(event.run.id)
            elif isinstance(event, StepEnded) and len(opened) == 2:
                laboratory.request_stop("lunch")

        laboratory.watch = watch
        laboratory.run([prepare(file) for file in files], baseline=False)
    reserved: list[set[str]] = []
    go_on = CampaignLoop.run

    def look_first(loop: CampaignLoop) -> CampaignStatus:
        async def look() -> set[str]:
            return set(loop._session._expected)

        reserved.append(loop._session.clock.run(look()))
        return go_on(loop)

    monkeypatch.setattr(CampaignLoop, "run", look_first)
    with Laboratory.open(settings) as laboratory:
        laboratory.resume()
    assert len(opened) == 2
    assert reserved == [opened, opened]


def test_a_program_that_leaves_early_stops_its_campaigns_before_it_closes_the_store(
    tmp_path: Path, file: Path
) -> None:
    settings = Settings(store=str(tmp_path / "lab.db"))
    begun = threading.Event()
    outcomes: list[Outcome] = []
    with Laboratory.open(settings) as laboratory:
        laboratory.watch = lambda event: begun.set() if isinstance(event, StepEnded) else None
        worker = threading.Thread(
            target=lambda: outcomes.extend(laboratory.run([prepare(file)], baseline=False))
        )
        worker.start()
        begun.wait(60)
    worker.join(60)
    with Laboratory.open(settings) as laboratory:
        (resumed,) = laboratory.resume()
    assert [o.status for o in outcomes] == [CampaignStatus.STOPPED]
    assert resumed.status is CampaignStatus.FINISHED


def test_a_campaign_given_twice_is_refused_and_nothing_is_started(tmp_path: Path, file: Path) -> None:
    with pytest.raises(BadInput, match="Two campaigns of the name small"):
        run(tmp_path, file, file)
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        assert laboratory.store.campaigns() == ()


def test_candidate_files_that_fill_one_bench_differently_are_refused(tmp_path: Path) -> None:
    one, two = (write_campaign(tmp_path, name, budget=3, batch_size=3) for name in ("one", "two"))
    library = (tmp_path / "protein_g_library.csv").read_text()
    (tmp_path / "other.csv").write_text(
        library.replace("L12K,1,A1", "L12K,1,A2").replace("D47Q,1,A2", "D47Q,1,A1")
    )
    two.write_text(two.read_text().replace("file: protein_g_library.csv", "file: other.csv"))
    with pytest.raises(BadInput, match="share a bench, but their candidate files put different variants"):
        run(tmp_path, one, two)


def test_a_twin_folder_that_cannot_be_made_is_said(tmp_path: Path, file: Path) -> None:
    (tmp_path / "twins").write_text("in the way")
    with pytest.raises(BadInput, match="The folder for the twins' ledgers can't be made: File exists"):
        run(tmp_path, file)


def test_two_benches_take_the_lab_time_of_one(tmp_path: Path) -> None:
    one = write_campaign(tmp_path, "one", budget=3, batch_size=3)
    two = write_campaign(tmp_path, "two", budget=3, batch_size=3, workcell="other.yaml")
    (alone,) = run(tmp_path, one)
    together = run(tmp_path, one, two, new=True)
    assert together[0].lab_s == pytest.approx(alone.lab_s, rel=0.02)
    assert table(together[0]) == table(alone)


def test_a_budget_that_the_bench_has_no_plates_for_is_refused_before_anything_starts(
    tmp_path: Path, file: Path
) -> None:
    bench = tmp_path / "bench.yaml"
    bench.write_text(
        bench.read_text().replace("type: pcr_plate_96, count: 40,", "type: pcr_plate_96, count: 3,")
    )
    with pytest.raises(Infeasible, match="2 batches need 4 clean plates; the workcell has 3"):
        run(tmp_path, file)
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        assert laboratory.store.campaigns() == ()


def test_the_planner_is_asked_once_for_each_batch(tmp_path: Path, file: Path) -> None:
    seen: list[Progress] = []
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        laboratory.watch = seen.append
        laboratory.run([prepare(file)], baseline=False)
    assert [e.batch.number for e in seen if isinstance(e, BatchProposed)] == [1, 2]
    assert [e.spent for e in seen if isinstance(e, ResultsRecorded)] == [3, 6]


def test_a_gain_at_which_every_well_saturates_holds_the_campaign_and_never_breaks_it(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The analysis gives verdicts and no values; the loop, the report and every command cope with that."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DRYWET_STORE", raising=False)
    text = file.read_text()
    assert text.count("    replicates: 3\n") == 1
    file.write_text(text.replace("    replicates: 3\n", "    replicates: 3\n    gain: 255\n"))

    def drywet(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["drywet", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().out

    verdict = "The blank wells of assay_1 and assay_2 are all saturated: lower the reader's gain."
    code, out = drywet("run", file.name, "--no-baseline")
    assert code == 1
    assert f"Held after 3 of 6 experiments. No result of batch 1 can be used. {verdict}" in out
    assert "start again with drywet run --new" in out
    assert "nothing usable" in out

    code, out = drywet("status", "--json")
    shown = json.loads(out)["campaign"]
    assert (code, shown["status"], shown["spent"], shown["best"]) == (0, "held", 3, None)
    assert [(r["value"], r["standard_error"], r["ok"]) for r in shown["results"]] == [(None, None, False)] * 3
    assert {tuple(r["flags"]) for r in shown["results"]} == {("no_blank", "saturated")}

    code, out = drywet("resume", "--json")
    (ended,) = json.loads(out)["campaigns"]
    assert (code, ended["status"], ended["best"]) == (0, "finished", [])
    code, out = drywet("status")
    assert code == 0
    assert "6 of 6 experiments spent, 0 with a result that can be used" in " ".join(out.split())
    assert drywet("report", "small", "--output", "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text()
    assert page.count(">no value<") == 6
    assert "lower the reader&#39;s gain" in page

    with Laboratory.open(Settings()) as laboratory:
        history = laboratory.store.history(laboratory.store.campaign("small").campaign.id)
    assert [e.status for e in history.experiments] == [ExperimentStatus.FAILED] * 6
    assert [e.repeat_of for e in history.experiments[3:]] == [e.id for e in history.experiments[:3]]
    assert len(history.observations) == 6
    assert all(math.isnan(o.value) and math.isnan(o.standard_error) for o in history.observations)
    assert all(len(o.details["wells"]) == 6 for o in history.observations)


@pytest.mark.postgres
def test_a_campaign_on_postgresql_stops_goes_on_and_gives_the_table_of_one_on_sqlite(
    tmp_path: Path, file: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (on_sqlite,) = run(tmp_path, file)
    monkeypatch.chdir(tmp_path)
    url = postgres_server.url(postgres_server.new_database())
    with Laboratory.open(Settings(store=url)) as laboratory:
        (whole,) = laboratory.run([prepare(file)], baseline=False)
        laboratory.request_stop("lunch")
        (stopped,) = laboratory.run([prepare(file)], baseline=False, new=True)
    with Laboratory.open(Settings(store=url)) as laboratory:
        (resumed,) = laboratory.resume()
    assert table(whole) == table(on_sqlite)
    assert stopped.status is CampaignStatus.STOPPED
    assert resumed.campaign.id == stopped.campaign.id
    assert resumed.status is CampaignStatus.FINISHED
