"""When a batch tells that going on as before would waste the budget, and which results count at all."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import pytest

from lab.campaign import best_so_far, what_fails
from lab.types import Batch, Campaign, Experiment, ExperimentStatus, History, Observation, Quality
from planners.repeats import repeats
from tests.planners.campaigns import campaign as make_campaign
from tests.planners.campaigns import conditions, experiment, observation

CAMPAIGN = make_campaign(conditions())
GOOD = Quality(ok=True)
NO_BLANK = Quality(ok=False, flags=("no_blank", "saturated"), sentence="The blank wells are all saturated.")


def result(number: int, quality: Quality) -> tuple[Experiment, Observation]:
    """Of one candidate of the pool; without a value where the quality is bad."""
    status = ExperimentStatus.MEASURED if quality.ok else ExperimentStatus.FAILED
    done = replace(experiment(CAMPAIGN.candidates[number]), status=status)
    value = 0.5 if quality.ok else math.nan
    return done, replace(observation(done, value), quality=quality, target=CAMPAIGN.goal.target)


def told(*results: tuple[Experiment, Observation], size: int | None = None) -> str:
    """What the last ``size`` of these results, one batch, have in common."""
    history = History(experiments=tuple(e for e, _ in results), observations=tuple(o for _, o in results))
    newest = history.experiments if size is None else history.experiments[-size:]
    batch = Batch(id="bat_1", campaign_id=CAMPAIGN.id, number=1, experiments=newest)
    return what_fails(CAMPAIGN, history, batch)


def low(number: int) -> Quality:
    return Quality(ok=False, flags=("low_signal",), sentence=f"Its signal is {number} % of the reference's.")


def test_a_batch_that_failed_for_one_reason_says_which() -> None:
    assert told(result(0, NO_BLANK), result(1, NO_BLANK)) == "The blank wells are all saturated."


def test_what_single_results_failed_for_besides_is_left_out_of_what_they_share() -> None:
    also = replace(
        NO_BLANK, sentence=f"{NO_BLANK.sentence} B3 is unreadable.", flags=("no_blank", "unreadable")
    )
    assert told(result(0, also), result(1, NO_BLANK)) == "The blank wells are all saturated."


def test_results_that_share_a_flag_and_no_sentence_are_told_by_the_flag() -> None:
    assert told(result(0, low(3)), result(1, low(4))) == "All of them: low signal."


def test_one_usable_result_is_reason_enough_to_go_on() -> None:
    assert told(result(0, NO_BLANK), result(1, GOOD), result(2, NO_BLANK)) == ""


def test_results_that_failed_for_different_reasons_are_no_reason_to_wait() -> None:
    assert told(result(0, NO_BLANK), result(1, low(3))) == ""


def test_one_candidate_that_fails_again_is_no_reason_to_wait() -> None:
    assert told(result(0, low(3)), size=1) == ""
    assert told(result(0, low(3)), result(0, low(4)), size=1) == ""


def test_batches_of_one_are_judged_together_until_two_candidates_failed_alike() -> None:
    assert told(result(0, NO_BLANK), result(1, NO_BLANK), size=1) == "The blank wells are all saturated."
    assert told(result(0, GOOD), result(1, NO_BLANK), size=1) == ""


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_a_result_without_a_value_is_never_the_best_and_is_measured_again(
    direction: Literal["maximize", "minimize"],
) -> None:
    campaign: Campaign = replace(CAMPAIGN, goal=replace(CAMPAIGN.goal, direction=direction))
    first, second = result(0, GOOD), result(1, GOOD)
    unknown = replace(first[1], value=math.nan)
    history = History(experiments=(first[0], second[0]), observations=(unknown, second[1]))
    assert best_so_far(campaign, history) == second
    assert history.usable(campaign.goal.target) == (second,)
    (again,) = repeats(5, campaign, history, (), planner="random", seed=(1,))
    assert again.repeat_of == first[0].id
