"""Results of earlier campaigns: worth as much as the new results say."""

from dataclasses import replace

import numpy as np
import pytest

import planners
from lab.types import Campaign, Candidate, History, PastResult
from planners.past import with_past, with_past_candidates
from planners.space import Space, encode_space
from tests.planners.campaigns import TARGET, campaign, measured

POOL = tuple(
    Candidate(id=f"{x}/{y}", values={"x": float(x), "y": float(y)}) for x in range(10) for y in range(10)
)


def truth(candidate: Candidate) -> float:
    return float(-((candidate.values["x"] - 7) ** 2) - (candidate.values["y"] - 2) ** 2)


def with_results(value: float | None = None, candidates: tuple[Candidate, ...] = POOL[::4]) -> Campaign:
    """Old results of those candidates, on another plate's scale; all the same where a value is given."""
    past = tuple(
        PastResult(candidate=c, target=TARGET, value=100.0 + 3.0 * truth(c) if value is None else value)
        for c in candidates
    )
    return replace(campaign(POOL, parent=""), past=past)


def scored(made: Campaign) -> Space:
    return with_past(encode_space(with_past_candidates(made)), made)


def test_the_first_round_goes_where_earlier_results_were_good_and_says_so() -> None:
    batch = (
        planners.planner("adaptive")
        .ask(6, with_results(), History(), (), np.random.default_rng(0))
        .experiments
    )
    blind = (
        planners.planner("adaptive")
        .ask(6, campaign(POOL, parent=""), History(), (), np.random.default_rng(0))
        .experiments
    )
    assert np.mean([truth(e.candidate) for e in batch]) > np.mean([truth(e.candidate) for e in blind]) + 5
    assert all("earlier campaigns promises (rank " in e.reason.sentence for e in batch)


def test_candidates_that_only_earlier_campaigns_had_teach_but_are_not_chosen() -> None:
    strangers = tuple(Candidate(id=f"old {c.id}", values=c.values) for c in POOL[::3])
    made = with_results(candidates=strangers)
    assert np.corrcoef(scored(made).scores[0].values[:100], [truth(c) for c in POOL])[0, 1] > 0.8
    batch = planners.planner("adaptive").ask(8, made, History(), (), np.random.default_rng(0)).experiments
    assert {e.candidate.id for e in batch} <= {c.id for c in POOL}


@pytest.mark.parametrize(
    "made",
    [
        with_results(value=3.0),
        with_results(candidates=POOL[:3]),
        with_results(value=float("nan")),
        with_results(
            candidates=tuple(
                Candidate(id=f"s{i}", values={"x": 0.1 * i, "y": 1.0, "z": 0.0}) for i in range(9)
            )
        ),
    ],
    ids=["all alike", "too few", "no numbers", "other values"],
)
def test_earlier_results_that_say_nothing_are_left_out(made: Campaign) -> None:
    assert scored(made).scores == ()


def test_a_past_that_the_new_results_contradict_does_not_rule_the_choice() -> None:
    made = with_results()
    history = measured(POOL[::3], lambda c: -truth(c))
    batch = planners.planner("adaptive").ask(5, made, history, (), np.random.default_rng(0)).experiments
    assert np.mean([-truth(e.candidate) for e in batch]) > 60
