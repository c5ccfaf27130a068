import json
import sys

import numpy as np
import pytest

from benchmarks.planning import figures, harness, ours
from benchmarks.planning.__main__ import main
from benchmarks.planning.harness import Job, jobs_left, read_runs, run_all
from benchmarks.planning.methods import Method, method
from benchmarks.planning.peers.wire import Opened
from benchmarks.planning.report import coverage, report
from benchmarks.planning.sets import Column, Outcome, PlanningSet, Protocol
from benchmarks.planning.workers import Worker, WorkerFailed, write_pool
from lab.errors import BadInput
from lab.types import Candidate, PlannerChoice

NUMBERS = [float(i) for i in range(60)]
MADE_UP = PlanningSet(
    name="made_up",
    candidates=tuple(Candidate(id=f"c{i}", values={"x": x}) for i, x in enumerate(NUMBERS)),
    outcomes=(Outcome("y", np.square(np.array(NUMBERS) - 41.0), "minimize"),),
    columns=(Column("x", NUMBERS),),
    protocol=Protocol(4, 3, 12),
)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """The made-up set is known to all who load sets by name in this process."""
    for module in (harness, ours, sys.modules["benchmarks.planning.report"]):
        monkeypatch.setattr(module, "load", {"made_up": MADE_UP}.__getitem__)


def opened(tmp_path, seed=0):
    return Opened("made_up", tmp_path, seed, budget=12, batch=3, outcomes=1)


def test_a_campaign_starts_from_the_seed_s_first_experiments_and_measures_each_candidate_once(tmp_path):
    run_all([Job(method("random"), "made_up", seed) for seed in (0, 1)], workers=2, folder=tmp_path)
    runs = read_runs(tmp_path)
    for seed in (0, 1):
        run = runs["random", "made_up", seed]
        assert run["rows"][:4] == MADE_UP.first_rows(seed).tolist()
        assert len(set(run["rows"])) == len(run["rows"]) == 12
        assert len(run["ask_s"]) == len(run["cpu_s"]) == 3
    assert runs["random", "made_up", 0]["rows"] != runs["random", "made_up", 1]["rows"]


def test_a_seed_chooses_the_same_again(tmp_path):
    for folder in ("a", "b"):
        run_all([Job(method("random"), "made_up", 3)], workers=1, folder=tmp_path / folder)
    first, second = (read_runs(tmp_path / folder)["random", "made_up", 3] for folder in ("a", "b"))
    assert first["rows"] == second["rows"]


def test_what_was_run_is_not_run_again_and_what_failed_is(tmp_path):
    run_all([Job(method("random"), "made_up", 0)], workers=1, folder=tmp_path)
    failed = {"method": "random", "set": "made_up", "seed": 1, "error": "no", "at": "2026"}
    with (tmp_path / "random.jsonl").open("a") as stream:
        stream.write(json.dumps(failed) + "\n")
    left = jobs_left([method("random")], ["made_up"], range(3), tmp_path, again=False)
    assert [job.seed for job in left] == [1, 2]
    assert len(jobs_left([method("random")], ["made_up"], range(3), tmp_path, again=True)) == 3


def test_a_worker_that_ends_is_a_failed_run_and_the_next_is_started_afresh(tmp_path):
    gone = Method("gone", (sys.executable, "-c", "raise SystemExit"))
    run_all([Job(gone, "made_up", 0), Job(method("random"), "made_up", 0)], workers=1, folder=tmp_path)
    runs = read_runs(tmp_path)
    assert "ended" in runs["gone", "made_up", 0]["error"]
    assert len(runs["random", "made_up", 0]["rows"]) == 12


def test_choosing_a_candidate_twice_is_refused(tmp_path):
    stuck = (
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    ask = json.loads(line)['do'] == 'ask'\n"
        "    reply = {'rows': [7, 7, 7], 'intervals': [], 'seconds': 0, 'cpu_s': 0, 'peak_mb': 0} if ask else {}\n"
        "    reply |= {'intervals': None} if not ask else {}\n"
        "    print(json.dumps(reply), flush=True)\n"
    )
    run_all([Job(Method("stuck", (sys.executable, "-c", stuck)), "made_up", 0)], workers=1, folder=tmp_path)
    assert read_runs(tmp_path)["stuck", "made_up", 0]["error"] == "a candidate was chosen twice"


def test_a_worker_answers_before_anything_is_opened_with_a_sentence(tmp_path):
    with (
        Worker(method("random"), tmp_path / "log") as worker,
        pytest.raises(WorkerFailed, match="nothing was opened"),
    ):
        worker.ask(1)


def test_the_table_shows_every_method_and_the_difference_to_the_first(tmp_path):
    jobs = [Job(method("random"), "made_up", seed) for seed in range(3)]
    run_all(jobs, workers=1, folder=tmp_path)
    for line in (tmp_path / "random.jsonl").read_text().splitlines():
        run = json.loads(line) | {"method": "first"}
        # a method that found the best at once
        run["rows"] = [41, *(row for row in run["rows"] if row != 41)][:12]
        with (tmp_path / "first.jsonl").open("a") as stream:
            stream.write(json.dumps(run) + "\n")
    text = report(tmp_path, ["made_up"], ["first", "random"])
    assert "| first | 3 | 1.000 ± 0.000 | 0 |" in text
    assert "first less the other, seeds paired" in text


def test_our_planner_is_told_values_in_their_unit_and_its_intervals_come_back_as_merits(tmp_path):
    chooser = ours.OurPlanner(PlannerChoice(name="adaptive"), opened(tmp_path))
    rows = MADE_UP.first_rows(0).tolist()
    chooser.tell(rows, MADE_UP.merits[rows])
    told = [o.value for o in chooser.history.observations]
    assert told == MADE_UP.outcomes[0].values[rows].tolist()
    assert chooser.campaign.goal.direction == "minimize"
    new, _ = chooser.ask(3)
    chooser.tell(new, MADE_UP.merits[new])
    assert [e.candidate.id for e in chooser.history.experiments] == [f"c{row}" for row in (*rows, *new)]
    assert chooser._turned((1.0, 4.0)) == (-4.0, -1.0)


def test_a_planner_is_one_method_under_any_order_of_its_settings():
    one = method("ours:beta=1;acquisition=log_ei")
    other = method("adaptive:acquisition=log_ei;beta=1")
    assert one.name == other.name
    assert method("adaptive@own").own_start
    assert method("ours+models").name == "adaptive+models"
    assert method("ours.random").name == "ours.random"


@pytest.mark.parametrize("text", ["nonsense", "ours@home", "ours:beta"])
def test_what_names_no_method_is_refused(text):
    with pytest.raises(BadInput):
        method(text)


def test_a_pool_is_written_whole_with_what_peers_need(tmp_path):
    own = write_pool(MADE_UP, tmp_path)
    assert np.load(own / "points.npy").shape == (60, 1)
    assert json.loads((own / "columns.json").read_text())[0]["name"] == "x"
    assert sorted(path.name for path in own.iterdir()) == ["columns.json", "points.npy"]


def test_report_sets_are_not_run_before_the_planner_is_said_to_be_frozen(tmp_path, monkeypatch, capsys):
    given = ["run", "--sets", "perovskite", "--methods", "random", "--seeds", "1", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["planning", *given])
    with pytest.raises(SystemExit) as refused:
        main()
    assert refused.value.code == 2
    assert "--frozen" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_figures_draw_a_line_for_every_method_that_was_run(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "load", {"made_up": MADE_UP}.__getitem__)
    run_all([Job(method("random"), "made_up", seed) for seed in range(2)], workers=1, folder=tmp_path)
    figures.overview(tmp_path, ["made_up"], tmp_path / "overview.svg")
    drawn = (tmp_path / "overview.svg").read_text()
    assert "<!-- random -->" in drawn
    assert "<!-- made_up, 60 -->" in drawn


def test_coverage_counts_published_values_inside_intervals(tmp_path):
    probe = {"at": 25, "measured": 25, "inside": 19, "of": 20, "width": 1.5}
    run = {"method": "m", "set": "made_up", "seed": 0, "rows": [1], "ask_s": [], "cpu_s": [], "peak_mb": 1.0}
    run |= {"probes": [probe], "chosen": [3, 4], "at": "2026"}
    (tmp_path / "m.jsonl").write_text(json.dumps(run) + "\n" + json.dumps(run | {"seed": 1}) + "\n")
    text = coverage(tmp_path, ["made_up"])
    assert "| m | unmeasured, at 25 | 1 | 2 | 40 | 0.950 |" in text
    assert "| m | chosen | 1 | 2 | 8 | 0.750 |" in text
