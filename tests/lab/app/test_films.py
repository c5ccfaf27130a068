"""Films through the whole loop: inks mixed, annealed in the furnace, lit in the chamber, looked at by their spectra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from digital_twin.chemistry.blend_degradation import INGREDIENTS, load_blend_degradation
from lab.app import Laboratory, Outcome, Settings, prepare, rehearse
from lab.engine.progress import Progress, StepEnded
from lab.types import CampaignStatus, History
from tests.campaign_files import write_campaign

FEWER = "replicates: 3\n    reference_wells: 3\n    blank_wells: 3\n    pure_wells: 1"


def small(folder: Path, replaced: dict[str, str] | None = None) -> Path:
    """Three blends on one plate, with as few wells as there may be."""
    path = write_campaign(folder, like="stable_film", budget=3, batch_size=3, baseline="random")
    text = path.read_text()
    for old, new in {
        "name: adaptive": "name: random",
        "replicates: 4": FEWER,
        **(replaced or {}),
    }.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


def run(folder: Path, file: Path) -> Outcome:
    with Laboratory.open(Settings(store=str(folder / "lab.db"))) as laboratory:
        (outcome,) = laboratory.run([prepare(file)], baseline=False)
        return outcome


def history(folder: Path) -> History:
    with Laboratory.open(Settings(store=str(folder / "lab.db"))) as laboratory:
        return laboratory.store.history(laboratory.store.campaign("small").campaign.id)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The small campaign, undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    return run(folder, small(folder))


def test_what_is_measured_of_a_film_is_what_was_published_of_it(whole: Outcome) -> None:
    assert whole.status is CampaignStatus.FINISHED
    assert len(whole.results) == 3
    for experiment, observation in whole.results:
        shares = np.array([[experiment.candidate.values[name] for name in INGREDIENTS]])
        (published,) = load_blend_degradation().at(shares)
        assert observation.quality.ok, observation.quality.sentence
        assert 0.0 < observation.standard_error < 0.02
        assert observation.value == pytest.approx(published, abs=5 * observation.standard_error)


def test_a_run_stopped_after_the_anneal_goes_on_to_the_result_of_an_undisturbed_one(
    tmp_path: Path, whole: Outcome
) -> None:
    file, store = small(tmp_path), str(tmp_path / "lab.db")
    annealed: list[StepEnded] = []

    def watch(event: Progress) -> None:
        if isinstance(event, StepEnded) and event.action == "anneal":
            annealed.append(event)
            if not event.replayed:
                laboratory.request_stop("lunch")

    with Laboratory.open(Settings(store=store)) as laboratory:
        laboratory.watch = watch
        (first,) = laboratory.run([prepare(file)], baseline=False)
    assert first.status is CampaignStatus.STOPPED
    assert first.results == ()
    with Laboratory.open(Settings(store=store)) as laboratory:
        laboratory.watch = watch
        (outcome,) = laboratory.resume()
    assert outcome.status is CampaignStatus.FINISHED
    assert [event.replayed for event in annealed] == [False, True]
    after, before = ({e.candidate.id: o.value for e, o in one.results} for one in (outcome, whole))
    assert after == pytest.approx(before, abs=0.01)


@pytest.mark.parametrize(("temperature_c", "flag"), [(100, "hazy"), (200, "pale")])
def test_films_annealed_too_cold_or_too_hot_give_no_result_that_is_believed(
    tmp_path: Path, temperature_c: int, flag: str
) -> None:
    """At 100 degrees the liquid takes most of the hour and a half, and much of the bound water stays; 200 bleach."""
    changed = {
        "anneal_temperature_c: 120": f"anneal_temperature_c: {temperature_c}",
        "repeat_failed: 1": "repeat_failed: 0",
    }
    outcome = run(tmp_path, small(tmp_path, changed))
    assert (outcome.status, outcome.results) == (CampaignStatus.FINISHED, ())
    observations = history(tmp_path).observations
    assert len(observations) == 3
    for observation in observations:
        assert not observation.quality.ok
        assert flag in observation.quality.flags


def test_an_anneal_past_the_furnace_is_refused_before_anything_starts(tmp_path: Path) -> None:
    rehearsal = rehearse(prepare(small(tmp_path, {"anneal_temperature_c: 120": "anneal_temperature_c: 350"})))
    (problem,) = rehearsal.problems
    assert "furnace" in problem
    assert "350" in problem
