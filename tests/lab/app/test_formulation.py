"""A material through the whole loop: blends mixed from stocks on the twin, without a library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from digital_twin.chemistry.blend_degradation import INGREDIENTS, load_blend_degradation
from lab.app import Laboratory, Outcome, Settings, prepare, rehearse
from lab.engine.progress import Progress, StepEnded
from lab.errors import Infeasible
from lab.types import CampaignStatus
from tests.campaign_files import write_campaign


def small(folder: Path, **changes: str | int) -> Path:
    path = write_campaign(
        folder, like="stable_photovoltaic_blend", budget=4, batch_size=4, baseline="random", **changes
    )
    path.write_text(path.read_text().replace("name: adaptive", "name: random"))
    return path


def run(folder: Path, file: Path) -> Outcome:
    with Laboratory.open(Settings(store=str(folder / "lab.db"))) as laboratory:
        (outcome,) = laboratory.run([prepare(file)], baseline=False)
        return outcome


def values(outcome: Outcome) -> list[tuple[str, float, float]]:
    return [(e.candidate.id, o.value, o.standard_error) for e, o in outcome.results]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The small campaign, undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    return run(folder, small(folder))


def test_what_is_measured_of_a_blend_is_what_was_published_of_it(whole: Outcome) -> None:
    assert whole.status is CampaignStatus.FINISHED
    assert len(whole.results) == 4
    for experiment, observation in whole.results:
        shares = np.array([[experiment.candidate.values[name] for name in INGREDIENTS]])
        (published,) = load_blend_degradation().at(shares)
        assert observation.quality.ok, observation.quality.sentence
        assert 0.0 < observation.standard_error < 0.02
        assert observation.value == pytest.approx(published, abs=5 * observation.standard_error)


@pytest.mark.parametrize(("action", "times"), [("distribute", 5), ("heat", 1)])
def test_a_stopped_run_goes_on_to_the_result_of_an_undisturbed_one(
    tmp_path: Path, whole: Outcome, action: str, times: int
) -> None:
    """Once in the middle of dispensing, once between the ageing and the second reading."""
    file, store = small(tmp_path), str(tmp_path / "lab.db")
    ended: list[StepEnded] = []

    def watch(event: Progress) -> None:
        if isinstance(event, StepEnded) and event.action == action:
            ended.append(event)
            if len(ended) == times:
                laboratory.request_stop("lunch")

    with Laboratory.open(Settings(store=store)) as laboratory:
        laboratory.watch = watch
        (first,) = laboratory.run([prepare(file)], baseline=False)
    assert first.status is CampaignStatus.STOPPED
    with Laboratory.open(Settings(store=store)) as laboratory:
        (outcome,) = laboratory.resume()
    assert outcome.status is CampaignStatus.FINISHED
    # A plate that waited reads a little differently, and two results that are nearly equal may swap.
    assert sorted(name for name, _, _ in values(outcome)) == sorted(name for name, _, _ in values(whole))
    after, before = ({name: value for name, value, _ in values(one)} for one in (outcome, whole))
    assert after == pytest.approx(before, abs=0.01)


def test_a_blend_that_cannot_be_mixed_is_refused_before_anything_starts(tmp_path: Path) -> None:
    file = small(tmp_path)
    table = tmp_path / "photovoltaic_blends.csv"
    table.write_text(table.read_text() + "odd_one,0.5,0.3,0.1,0\n")
    with pytest.raises(Infeasible) as refused:
        rehearse(prepare(file))
    assert refused.value.problems == ("The shares of odd_one sum to 0.9, not to 1.",)


def test_a_portion_below_the_limit_of_the_workcell_is_refused_by_the_name_of_the_blend(
    tmp_path: Path,
) -> None:
    file = small(tmp_path)
    bench = tmp_path / "bench.yaml"
    bench.write_text(bench.read_text().replace("{volume_ul: [1, 300]}", "{volume_ul: [5, 300]}"))
    rehearsal = rehearse(prepare(file))
    assert rehearsal.dry_run.steps == ()
    assert "in each well, and the handler gives 5 to 300 ul. Change its shares" in rehearsal.problems[0]
    assert rehearsal.problems[0].startswith("blend_")
