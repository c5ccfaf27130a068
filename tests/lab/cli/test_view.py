"""What stands on the terminal, and what stands in a file, while campaigns run."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from lab.cli.view import LiveView
from lab.engine.progress import (
    BatchProposed,
    CampaignEnded,
    CampaignOpened,
    ResultsRecorded,
    RunOpened,
    StepEnded,
)
from lab.types import (
    Batch,
    Campaign,
    Candidate,
    Experiment,
    Goal,
    Layout,
    Observation,
    Origin,
    PlannerChoice,
    ProtocolChoice,
    Quality,
    Reason,
    Run,
    WellUse,
)

POOL = tuple(Candidate(id=name) for name in ("T16I", "D40Y", "K10R", "A24E"))
CAMPAIGN = Campaign(
    id="cmp_1",
    name="heat",
    goal=Goal(target="residual_activity"),
    candidates=POOL,
    reference=Candidate(id="WT"),
    planner=PlannerChoice(name="adaptive"),
    protocol=ProtocolChoice(name="thermal_challenge"),
    budget=4,
    batch_size=2,
    seed=7,
    workcell="protein_bench_twin",
)
BASELINE = replace(
    CAMPAIGN, id="cmp_2", name="heat_random", planner=PlannerChoice(name="random"), baseline_of="cmp_1"
)


def experiment(candidate: Candidate) -> Experiment:
    return Experiment(id=f"exp_{candidate.id}", candidate=candidate, reason=Reason(planner="x", sentence=""))


def observation(candidate: Candidate, value: float, ok: bool = True) -> Observation:
    return Observation(
        id=f"obs_{candidate.id}",
        experiment_id=f"exp_{candidate.id}",
        target="residual_activity",
        sample_id="smp_1",
        run_id="run_1",
        value=value,
        standard_error=0.03,
        unit="share",
        quality=Quality(ok=ok),
        method="",
        origin=Origin.TWIN,
        replicates=3,
        lab_time_s=0.0,
    )


BATCH = Batch(id="bat_1", campaign_id="cmp_1", number=1, experiments=tuple(map(experiment, POOL[:2])))
RUN = Run(
    id="run_1",
    batch_id="bat_1",
    campaign_id="cmp_1",
    attempt=1,
    layout=Layout(
        labware={"heated": "assay_1", "unheated": "assay_2", "lid": "lid_1"},
        wells=tuple(
            WellUse(labware=plate, well="A1", content="T16I", kind="variant")
            for plate in ("assay_1", "assay_2")
        ),
    ),
)


def stamp(lab_time_s: float, campaign: Campaign = CAMPAIGN) -> dict[str, object]:
    return {"campaign_id": campaign.id, "lab_time_s": lab_time_s}


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=80, force_terminal=False)


@pytest.fixture
def view(console: Console) -> LiveView:
    return LiveView(console, {"cmp_1": CAMPAIGN, "cmp_2": BASELINE})


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def drawn(view: LiveView, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(view)
    return printed(console)


def open_run(view: LiveView, step: int) -> None:
    view.tell(CampaignOpened(**stamp(0.0), budget=4, measured=0))
    view.tell(CampaignOpened(**stamp(0.0, BASELINE), budget=4, measured=0))
    view.tell(BatchProposed(**stamp(0.0), batch=BATCH, advice=None))
    view.tell(RunOpened(**stamp(0.0), batch=BATCH, run=RUN, steps=10, expected_s=9000.0))
    view.tell(
        StepEnded(
            **stamp(3600.0),
            run_id="run_1",
            number=step,
            device="thermocycler",
            action="open_lid",
            replayed=False,
        )
    )


def finish_batch(view: LiveView, *observations: Observation, campaign: Campaign = CAMPAIGN) -> None:
    usable = [o for o in observations if o.quality.ok]
    best = max(usable, key=lambda o: o.value, default=None)
    pair = None if best is None else (next(e for e in BATCH.experiments if e.id == best.experiment_id), best)
    view.tell(
        ResultsRecorded(**stamp(9000.0, campaign), batch=BATCH, observations=observations, spent=2, best=pair)
    )


def test_a_finished_batch_leaves_one_line(console, view):
    open_run(view, 10)
    finish_batch(view, observation(POOL[0], 0.61), observation(POOL[1], 0.87))
    words = " ".join(printed(console).split())
    assert words == "1 2 h 30 min 2 of 4 D40Y 0.87 ± 0.03 D40Y 0.87 ± 0.03"


def test_what_failed_its_quality_check_is_said_and_never_the_best(console, view):
    open_run(view, 10)
    finish_batch(view, observation(POOL[0], 0.61), observation(POOL[1], 0.87, ok=False))
    assert "T16I 0.61 ± 0.03" in printed(console)
    assert "D40Y" not in printed(console)
    assert "1 failed" in printed(console)


def test_a_batch_without_a_usable_result_says_so(console, view):
    open_run(view, 10)
    finish_batch(view, observation(POOL[0], 0.61, ok=False), observation(POOL[1], 0.87, ok=False))
    assert "nothing usable" in printed(console)


def test_a_baseline_leaves_no_line(console, view):
    open_run(view, 10)
    finish_batch(view, observation(POOL[0], 0.61), campaign=BASELINE)
    assert printed(console) == ""
    assert "random" in drawn(view)


def test_columns_stand_under_their_headings(console, view):
    view.begin()
    open_run(view, 10)
    finish_batch(view, observation(POOL[0], 0.61))
    heading, line = printed(console).splitlines()[-2:]
    assert heading.index("best so far") == line.rindex("T16I")
    assert heading.index("best of this batch") == line.index("T16I")
    assert max(len(heading), len(line)) <= 80


def test_the_block_says_where_the_run_is_and_how_long_it_takes(view):
    open_run(view, 5)
    text = drawn(view)
    assert "batch 1" in text
    assert "step 5 of 10, last: open lid (thermocycler)" in text
    assert "lab time 1 h 00 min (about 3 h 00 min left)" in text
    assert "2 plates" in text
    assert "25%" in text


def test_the_block_keeps_its_height_at_80_columns(view):
    open_run(view, 5)
    finish_batch(view, observation(POOL[0], 0.61))
    assert len(drawn(view, 80).splitlines()) == 4
    assert all(len(line) <= 80 for line in drawn(view, 80).splitlines())


def test_a_campaign_that_goes_on_counts_its_time_left_from_there(view):
    view.tell(CampaignOpened(**stamp(7200.0), budget=4, measured=2))
    view.tell(RunOpened(**stamp(7200.0), batch=BATCH, run=RUN, steps=10, expected_s=9000.0))
    view.tell(
        StepEnded(**stamp(9000.0), run_id="run_1", number=5, device="arm", action="move", replayed=False)
    )
    assert "lab time 30 min (about 30 min left)" in drawn(view)


def test_an_ended_campaign_has_no_time_left(view):
    open_run(view, 5)
    view.tell(CampaignEnded(**stamp(9000.0), status="finished", sentence=""))
    assert "left" not in drawn(view)


def test_lines_in_a_file_hold_no_control_characters(console, view):
    view.begin()
    open_run(view, 10)
    finish_batch(view, observation(POOL[0], 0.61), observation(POOL[1], 0.87))
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f]", printed(console)) is None


def test_campaigns_side_by_side_are_told_apart(console):
    other = replace(CAMPAIGN, id="cmp_3", name="cold")
    view = LiveView(console, {"cmp_1": CAMPAIGN, "cmp_3": other})
    open_run_of = stamp(0.0, other)
    view.tell(CampaignOpened(**open_run_of, budget=4, measured=0))
    finish_batch(view, observation(POOL[0], 0.61), campaign=other)
    assert printed(console).startswith("cold")
