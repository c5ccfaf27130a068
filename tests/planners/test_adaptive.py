import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import models
import planners
from lab.errors import BadInput
from lab.types import Candidate, ExperimentStatus, History, Quality
from tests.planners.campaigns import (
    PARENT,
    campaign,
    conditions,
    experiment,
    landscape,
    measured,
    observation,
    play,
    variants,
)

POOL = variants()


def rng() -> np.random.Generator:
    return np.random.default_rng([7, 1])


def some(step: int = 9, **kwargs: float) -> History:
    return measured(POOL[::step], landscape, **kwargs)


def planner(**settings: object):
    return planners.planner("adaptive", settings)


def test_it_finds_better_variants_than_chance_on_every_seed() -> None:
    best = np.sort([landscape(c) for c in POOL])[-13]
    found = {"adaptive": [], "random": []}
    for name, counts in found.items():
        for seed in range(4):
            history = play(campaign(POOL, name), landscape, seed, 48)
            counts.append(sum(landscape(e.candidate) >= best for e in history.experiments))
    assert min(found["adaptive"]) > max(found["random"])


def test_it_minimises_when_the_goal_is_to_minimise() -> None:
    worst = np.sort([landscape(c) for c in POOL])[:26][-1]
    history = play(campaign(POOL, direction="minimize"), landscape, 0, 48)
    later = history.experiments[24:]
    assert sum(landscape(e.candidate) <= worst for e in later) >= 8


def test_maximising_a_target_and_minimising_its_negative_choose_the_same() -> None:
    up, down = campaign(POOL), campaign(POOL, direction="minimize")
    one = planner(general_knowledge=False).ask(6, up, some(), (), rng())
    other = planner(general_knowledge=False).ask(
        6, down, measured(POOL[::9], lambda c: -landscape(c)), (), rng()
    )
    assert [e.candidate.id for e in one.experiments] == [e.candidate.id for e in other.experiments]
    for a, b in zip(one.experiments, other.experiments, strict=True):
        assert a.reason.predicted_mean == pytest.approx(-b.reason.predicted_mean)
        assert a.reason.predicted_sd == pytest.approx(b.reason.predicted_sd)


@pytest.mark.parametrize("unit", [1e-9, 1e6])
def test_the_unit_of_the_target_does_not_change_the_choice(unit: float) -> None:
    made = campaign(POOL)
    one = planner().ask(6, made, some(), (), rng())
    scaled = measured(POOL[::9], lambda c: unit * landscape(c), standard_error=0.03 * unit)
    other = planner().ask(6, made, scaled, (), rng())
    assert [e.candidate.id for e in one.experiments] == [e.candidate.id for e in other.experiments]
    assert other.experiments[0].reason.predicted_mean == pytest.approx(
        unit * one.experiments[0].reason.predicted_mean
    )


def test_predictions_cover_what_is_then_measured_about_as_often_as_they_say() -> None:
    inside = []
    for seed in range(3):
        history = play(campaign(POOL), landscape, seed, 64)
        inside += [
            abs(landscape(e.candidate) - e.reason.predicted_mean) < 1.96 * e.reason.predicted_sd
            for e in history.experiments
            if e.reason.predicted_mean is not None and e.reason.predicted_sd is not None
        ]
    assert 0.85 < np.mean(inside) <= 1.0


def test_the_first_batch_covers_positions_and_says_so() -> None:
    reason = planner().ask(8, campaign(POOL), History(), (), rng()).experiments[0].reason
    assert reason.sentence.startswith(
        "Chosen to cover the pool, preferring substitutions that cost other proteins "
    )
    assert "residue at position" in reason.sentence
    assert reason.predicted_mean is None
    assert "substitutions@1" in reason.model_cards


def test_a_reason_has_the_prediction_the_chance_and_what_is_known_of_the_position() -> None:
    history = measured(POOL[::9], landscape, reference=0.18)
    for e in planner().ask(6, campaign(POOL), history, (), rng()).experiments:
        assert e.reason.sentence.startswith(f"Predicted {e.reason.predicted_mean:.2f} +- ")
        assert "chance to beat the best so far" in e.reason.sentence
        position = int(e.candidate.id[1:-1])
        assert f"position {position} " in e.reason.sentence
        assert e.reason.acquisition == "ucb"
        assert e.reason.acquisition_value is not None


def test_results_at_a_position_are_compared_with_the_reference_when_it_is_reported() -> None:
    at_three = [c for c in POOL if c.id.startswith("Y3")]
    rest = [c for c in POOL if not c.id.startswith("Y3")][::9]
    history = measured(
        [*at_three[:2], *rest], lambda c: 0.9 if c in at_three else landscape(c), reference=0.2
    )
    proposal = planner().ask(12, campaign(POOL), history, (), rng())
    sentences = [e.reason.sentence for e in proposal.experiments if e.candidate in at_three]
    assert sentences
    assert all("position 3 measured twice, both better than the reference." in s for s in sentences)


def test_fewer_than_three_results_or_all_alike_ask_for_more_cover_instead_of_a_model() -> None:
    for history in (measured(POOL[:2], landscape), measured(POOL[:20], lambda c: 0.4)):
        proposal = planner(designed=1).ask(4, campaign(POOL), history, (), rng())
        assert all(e.reason.predicted_mean is None for e in proposal.experiments)
        assert len(proposal.experiments) == 4


def test_when_every_result_failed_its_check_it_goes_on_covering() -> None:
    spoilt = tuple(experiment(c) for c in POOL[::9])
    bad = Quality(ok=False, flags=("saturated",))
    history = History(
        experiments=spoilt, observations=tuple(observation(e, 1.0, quality=bad) for e in spoilt)
    )
    proposal = planner().ask(4, campaign(POOL, repeat_failed=0), history, (), rng())
    assert len({e.candidate.id for e in proposal.experiments} - {e.candidate.id for e in spoilt}) == 4


def test_a_repeat_carries_what_the_model_expects_of_it() -> None:
    history = some()
    spoilt = experiment(POOL[1])
    bad = observation(spoilt, 1.9, quality=Quality(ok=False, flags=("high_cv",)))
    history = History(experiments=(*history.experiments, spoilt), observations=(*history.observations, bad))
    again = planner().ask(3, campaign(POOL), history, (), rng()).experiments[0]
    assert again.repeat_of == spoilt.id
    assert again.reason.predicted_mean is not None
    assert again.reason.sentence == "Measured again: its result failed the quality check (high cv)."


def test_a_result_that_failed_its_check_does_not_move_the_predictions() -> None:
    clean = some()
    spoilt = experiment(POOL[1])
    bad = observation(spoilt, 50.0, quality=Quality(ok=False))
    history = History(experiments=(*clean.experiments, spoilt), observations=(*clean.observations, bad))
    made = campaign(POOL, repeat_failed=0)
    with_bad = planner().ask(1, made, history, (), rng()).experiments[0].reason
    running = History(
        experiments=(*clean.experiments, experiment(POOL[1], ExperimentStatus.ABANDONED)),
        observations=clean.observations,
    )
    without = planner().ask(1, made, running, (), rng()).experiments[0].reason
    assert with_bad.predicted_mean == without.predicted_mean


def test_pending_experiments_turn_the_choice_elsewhere() -> None:
    made, history = campaign(POOL), some()
    first = planner().ask(4, made, history, (), rng()).experiments
    second = planner().ask(4, made, history, first, rng()).experiments
    assert not {e.candidate.id for e in first} & {e.candidate.id for e in second}
    eight = planner().ask(8, made, history, (), rng()).experiments
    assert {e.candidate.id for e in (*first, *second)} == {e.candidate.id for e in eight}


def test_the_advice_is_to_go_on_while_much_is_to_be_gained_and_to_stop_when_nothing_is() -> None:
    early = planner().ask(8, campaign(POOL), some(), (), rng()).advice
    assert early is not None
    assert not early.stop
    rest = [c for c in POOL if landscape(c) < 0.25]
    history = measured([c for c in POOL if c not in rest] + rest[::2], landscape, standard_error=0.02)
    late = planner().ask(8, campaign(POOL), history, (), rng()).advice
    assert late is not None
    assert late.stop
    assert "the error of one measurement is 0.02" in late.sentence


@pytest.mark.parametrize(
    "settings", [{"acquisition": "log_ei"}, {"warp": "logit"}, {"warp": "log"}, {"warp": "none"}]
)
def test_every_setting_gives_a_batch_with_predictions(settings: dict[str, str]) -> None:
    proposal = planner(**settings).ask(5, campaign(POOL), some(), (), rng())
    assert len({e.candidate.id for e in proposal.experiments}) == 5
    assert all(e.reason.predicted_sd is not None for e in proposal.experiments)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"beta": -1}, "beta"),
        ({"warp": "sqrt"}, "warp"),
        ({"designed": 0}, "designed"),
        ({"beta": float("nan")}, "beta"),
        ({"designed": "12"}, "designed"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(settings: dict[str, object], field: str) -> None:
    with pytest.raises(BadInput) as refusal:
        planners.planner("adaptive", settings)
    assert refusal.value.field == f"planner.settings.{field}"


def test_a_kernel_that_does_not_suit_the_pool_is_refused_with_those_that_do() -> None:
    with pytest.raises(BadInput, match=r"'additive' does not suit.* Choose among sum, sum_short"):
        planner(kernels=["additive"]).ask(2, campaign(conditions(), parent=""), History(), (), rng())


def test_a_misspelt_planner_is_answered_with_the_right_name() -> None:
    with pytest.raises(BadInput, match="Did you mean adaptive"):
        planners.planner("adaptve")


def test_the_choice_does_not_depend_on_the_threads_of_the_linear_algebra() -> None:
    chosen = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            proposal = planner().ask(8, campaign(POOL), some(3), (), rng())
        chosen.append([(e.candidate.id, e.reason.predicted_mean) for e in proposal.experiments])
    assert chosen[0] == chosen[1]


def test_named_values_are_optimised_too() -> None:
    def yield_percent(c: Candidate) -> float:
        v = c.values
        return (
            80
            - abs(v["temperature_c"] - 60)
            - 10 * abs(np.log10(v["concentration_mmol_l"]))
            + (v["solvent"] == "DMAc")
        )

    pool = conditions()
    history = play(campaign(pool, parent="", batch_size=4), yield_percent, 0, 24, noise=0.5)
    assert max(yield_percent(e.candidate) for e in history.experiments) > 75


def test_sequences_without_a_parent_are_compared_by_their_letters() -> None:
    pool = tuple(Candidate(id=a + b, sequence=a + b) for a in "ADFKW" for b in "ADFKW")
    history = measured(pool[::2], lambda c: float("WFAKD".index(c.sequence[0])))
    proposal = planner().ask(3, campaign(pool, parent=""), history, (), rng())
    assert len(proposal.experiments) == 3
    assert proposal.experiments[0].reason.model_cards[:2] == ("one_hot@1", "z_scales@1")
    assert proposal.experiments[0].reason.model_cards[2].startswith("gaussian_process_")


def test_a_batch_has_no_more_than_so_many_substitutions_to_one_residue() -> None:
    history = measured(POOL[::9], lambda c: 0.9 if c.id[-1] in "FWY" else 0.1)
    most = {}
    for cap in (2, 100):
        proposal = planner(same_residue=cap).ask(8, campaign(POOL), history, (), rng())
        new = [e.candidate.id[-1] for e in proposal.experiments]
        most[cap] = max(new.count(letter) for letter in new)
    assert most[2] == 2 < most[100]
    only = [c for c in POOL if c.id.endswith("W")]
    assert len(planner(same_residue=2).ask(8, campaign(only), History(), (), rng()).experiments) == 8


def test_general_knowledge_is_cited_where_it_is_used_and_can_be_left_out() -> None:
    with_it = planner().ask(4, campaign(POOL), some(), (), rng()).experiments[0].reason
    without = planner(general_knowledge=False).ask(4, campaign(POOL), some(), (), rng()).experiments[0].reason
    assert "substitution_effects@1" in with_it.model_cards
    assert "substitution_effects@1" not in without.model_cards
    assert with_it.predicted_mean != without.predicted_mean


def test_a_first_round_says_when_the_score_from_other_proteins_had_its_say_and_only_then() -> None:
    with_it = planner().ask(8, campaign(POOL), History(), (), rng()).experiments
    without = planner(general_knowledge=False).ask(8, campaign(POOL), History(), (), rng()).experiments
    minimising = planner().ask(8, campaign(POOL, direction="minimize"), History(), (), rng()).experiments
    scores = models.scorer("substitution_effects", parent=PARENT).score(POOL)
    of = dict(zip((c.id for c in POOL), scores, strict=True))
    for e in with_it:
        share = int(100 * np.mean(scores < of[e.candidate.id]))
        assert (
            f"that cost other proteins little (this one less than {share} % of the pool): "
            in e.reason.sentence
        )
    assert all(e.reason.sentence.startswith("Chosen to cover the pool: ") for e in (*without, *minimising))
