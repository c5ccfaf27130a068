"""The BoTorch planner: what it looks for, by the goal."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import planners
from lab.types import (
    INFEASIBLE,
    Campaign,
    Candidate,
    ExperimentStatus,
    Goal,
    History,
    Limit,
    Objective,
    Proposal,
    Quality,
)
from planners.bo.planner import BotorchPlanner, BotorchSettings
from tests.planners.campaigns import (
    TARGET,
    campaign,
    experiment,
    landscape,
    measured,
    observation,
    play,
    variants,
)


def line(n: int = 41) -> tuple[Candidate, ...]:
    """Candidates on one axis, x from 0 to 1."""
    return tuple(Candidate(id=f"x{i:02d}", values={"x": i / (n - 1)}) for i in range(n))


def x_of(candidate: Candidate) -> float:
    return float(candidate.values["x"])


def hill(candidate: Candidate) -> float:
    """Largest, 1, at x = 0.7."""
    return float(np.exp(-20.0 * (x_of(candidate) - 0.7) ** 2))


def ask(made: Campaign, n: int, history: History, seed: int = 1, **settings: Any) -> Proposal:
    planner = BotorchPlanner(BotorchSettings(**{"designed": 4, **settings}))
    return planner.ask(n, made, history, (), np.random.default_rng([7, seed]))


def xs(proposal: Proposal) -> list[float]:
    return [x_of(e.candidate) for e in proposal.experiments]


def with_second(history: History, target: str, values: Sequence[float]) -> History:
    """The same experiments, with another target measured too."""
    more = tuple(
        replace(observation(e, value), target=target)
        for e, value in zip(history.experiments, values, strict=True)
    )
    return replace(history, observations=(*history.observations, *more))


def goal(made: Campaign, **kwargs: Any) -> Campaign:
    return replace(made, goal=Goal(target=TARGET, **kwargs))


LINE = campaign(line(), "botorch", parent="")
EVERY_FIFTH = measured(line()[::5], hill, standard_error=0.01)


def test_it_goes_to_the_top_of_a_hill() -> None:
    found = play(
        campaign(line(201), "botorch", parent="", settings={"designed": 4}, batch_size=3), hill, 0, 13, 0.01
    )
    best = max(found.experiments, key=lambda e: hill(e.candidate))
    assert hill(best.candidate) > 0.995


def test_it_goes_to_the_bottom_when_minimising() -> None:
    history = measured(line()[::5], lambda c: -hill(c), standard_error=0.01)
    assert xs(ask(goal(LINE, direction="minimize"), 1, history))[0] == pytest.approx(0.7, abs=0.06)


def test_to_hit_a_level_it_looks_where_the_level_is_expected() -> None:
    chosen = xs(ask(goal(LINE, direction="hit", level=0.5), 2, EVERY_FIFTH))
    at_level = [0.7 - np.sqrt(np.log(2) / 20), 0.7 + np.sqrt(np.log(2) / 20)]
    assert all(min(abs(x - level) for level in at_level) < 0.05 for x in chosen)


def test_to_exceed_a_level_it_takes_what_surely_does() -> None:
    chosen = xs(ask(goal(LINE, direction="exceed", level=0.6), 4, EVERY_FIFTH))
    assert all(np.exp(-20.0 * (x - 0.7) ** 2) > 0.6 for x in chosen)


def test_to_map_it_measures_where_little_is_known() -> None:
    history = measured([c for c in line() if x_of(c) < 0.4], hill, standard_error=0.01)
    chosen = xs(ask(goal(LINE, direction="map"), 2, history))
    assert min(chosen) > 0.5
    assert abs(chosen[0] - chosen[1]) > 0.1


def test_what_is_pending_is_not_crowded() -> None:
    pending = (
        experiment(line()[28], ExperimentStatus.PROPOSED),
        experiment(line()[27], ExperimentStatus.PROPOSED),
    )
    planner = BotorchPlanner(BotorchSettings(designed=4))
    made = goal(LINE, direction="map")
    free = planner.ask(1, made, EVERY_FIFTH, (), np.random.default_rng(1)).experiments[0].candidate
    sparse = measured(line()[:4], hill, standard_error=0.01)
    first = planner.ask(1, made, sparse, (), np.random.default_rng(1)).experiments[0]
    second = planner.ask(
        1, made, sparse, (replace(first, status=ExperimentStatus.PROPOSED),), np.random.default_rng(1)
    )
    assert abs(x_of(first.candidate) - xs(second)[0]) > 0.1
    assert free.id not in {e.candidate.id for e in pending}


def test_a_limit_keeps_it_on_the_side_where_it_holds() -> None:
    made = goal(LINE, limits=(Limit(target="cost", at_most=0.5),))
    history = with_second(EVERY_FIFTH, "cost", [x_of(e.candidate) for e in EVERY_FIFTH.experiments])
    proposal = ask(made, 3, history)
    assert max(xs(proposal)) <= 0.55
    assert "chance to keep to the limit of cost" in proposal.experiments[0].reason.sentence
    assert max(xs(ask(LINE, 3, history))) > 0.6


def test_the_best_that_it_means_to_beat_keeps_to_the_limits() -> None:
    made = goal(LINE, limits=(Limit(target="cost", at_most=0.55),))
    history = with_second(EVERY_FIFTH, "cost", [x_of(e.candidate) for e in EVERY_FIFTH.experiments])
    proposal = ask(made, 3, history)
    # of all the best is at 0.75, of those that cost at most 0.55 at 0.5
    assert "to beat the best so far within the limits (0.45" in proposal.experiments[0].reason.sentence
    assert hill(line()[20]) == pytest.approx(0.449, abs=1e-3)
    assert proposal.advice is not None
    assert "(0.45" in proposal.advice.sentence
    never = goal(LINE, limits=(Limit(target="cost", at_most=-5.0),))
    hopeless = ask(never, 1, history)
    assert "to beat" not in hopeless.experiments[0].reason.sentence
    assert hopeless.advice is None


def test_a_limit_that_was_never_measured_is_said_to_have_no_say() -> None:
    made = goal(LINE, limits=(Limit(target="cost", at_most=0.5),))
    sentence = ask(made, 1, EVERY_FIFTH).experiments[0].reason.sentence
    assert "cost was not measured yet, so its limit had no say" in sentence


def test_an_objective_that_was_never_measured_is_said_to_have_no_say() -> None:
    reason = ask(goal(LINE, also=(Objective(target="speed"),)), 1, EVERY_FIFTH).experiments[0].reason
    assert reason.acquisition == "qLogNEI"
    assert "speed was not measured yet, so it had no say" in reason.sentence


def test_two_objectives_are_traded_along_their_front() -> None:
    made = goal(LINE, also=(Objective(target="speed", direction="maximize"),))
    speed = [float(np.exp(-20.0 * (x_of(e.candidate) - 0.3) ** 2)) for e in EVERY_FIFTH.experiments]
    proposal = ask(made, 3, with_second(EVERY_FIFTH, "speed", speed))
    assert all(0.25 <= x <= 0.75 for x in xs(proposal))
    first = proposal.experiments[0].reason
    assert first.acquisition == "qLogNEHVI"
    assert "expected to push the front of residual activity against speed" in first.sentence


def test_candidates_that_cannot_be_had_are_kept_away_from() -> None:
    good = measured(line()[:24:4], x_of, standard_error=0.01)
    lost = tuple(experiment(c) for c in line()[26::4])
    flagged = tuple(
        observation(
            e, float("nan"), quality=Quality(ok=False, flags=(INFEASIBLE,), sentence="No expression.")
        )
        for e in lost
    )
    history = History(experiments=(*good.experiments, *lost), observations=(*good.observations, *flagged))
    made = replace(LINE, policies=replace(LINE.policies, repeat_failed=0))
    assert max(xs(ask(made, 3, history))) < 0.65


def test_a_noisy_result_moves_the_prediction_less_than_a_sure_one() -> None:
    def predicted(error: float) -> float:
        history = measured(line()[::5], lambda c: 0.1 * x_of(c), standard_error=0.005)
        odd = experiment(line()[22])
        seen = observation(odd, 1.0, error)
        more = History(experiments=(*history.experiments, odd), observations=(*history.observations, seen))
        beliefs = planners.planner("botorch", {"designed": 4}).predict(
            LINE, more, [line()[22]], np.random.default_rng(0)
        )
        return float(beliefs.mean[0])

    assert predicted(2.0) < 0.5 < predicted(0.005)


def test_its_interval_widens_away_from_what_was_measured() -> None:
    planner = BotorchPlanner(BotorchSettings(designed=4))
    history = measured(line()[:12:2], lambda c: float(np.sin(12.0 * x_of(c))), standard_error=0.01)
    beliefs = planner.predict(LINE, history, [line()[4], line()[40]], np.random.default_rng(0))
    assert beliefs is not None
    width = beliefs.high - beliefs.low
    assert width[1] > 3 * width[0]
    assert np.allclose(width, 2 * 1.96 * beliefs.sd)
    assert planner.predict(LINE, History(), [line()[0]], np.random.default_rng(0)) is None


def test_a_pool_above_the_screen_is_still_searched_to_its_top() -> None:
    made = campaign(line(2001), "botorch", parent="")
    history = measured(line(2001)[::250], hill, standard_error=0.01)
    assert hill(ask(made, 1, history, screened=50).experiments[0].candidate) > 0.98


def test_it_advises_to_stop_once_nothing_better_is_in_reach() -> None:
    history = measured(line()[::2], hill, standard_error=0.05)
    done = ask(LINE, 2, history).advice
    assert done is not None
    assert done.stop
    rising = measured(line()[:12:2], hill, standard_error=0.001)
    early = ask(LINE, 2, rising).advice
    assert early is not None
    assert not early.stop


def test_a_fit_that_fails_leaves_what_was_expected_beforehand_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from botorch.exceptions.errors import ModelFittingError

    from planners.bo import surrogate

    def fails(*_: Any, **__: Any) -> None:
        raise ModelFittingError("all attempts failed")

    monkeypatch.setattr(surrogate, "fit_gpytorch_mll", fails)
    reason = ask(LINE, 2, EVERY_FIFTH).experiments[0].reason
    assert "the fit to residual activity failed" in reason.sentence
    assert reason.predicted_mean is not None


def test_a_posterior_that_cannot_be_computed_leaves_a_batch_that_covers_the_space(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from linear_operator.utils.errors import NotPSDError

    from planners.bo import choosing

    def fails(*_: Any, **__: Any) -> None:
        raise NotPSDError("not positive")

    monkeypatch.setattr(choosing, "values_of", fails)
    proposal = ask(LINE, 3, EVERY_FIFTH)
    assert len(proposal.experiments) == 3
    assert "could not be inverted, so it had no say" in proposal.experiments[0].reason.sentence


def test_torch_is_left_as_it_was() -> None:
    import torch

    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    ask(LINE, 2, EVERY_FIFTH)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


def test_single_substitutions_are_learned_across_positions() -> None:
    pool = variants()
    planner = BotorchPlanner(BotorchSettings())
    seen = pool[::3]
    history = measured(seen, landscape, standard_error=0.02)
    rest = [c for c in pool if c not in seen]
    beliefs = planner.predict(campaign(pool, "botorch"), history, rest, np.random.default_rng(0))
    assert beliefs is not None
    assert np.corrcoef(beliefs.mean, [landscape(c) for c in rest])[0, 1] > 0.7
