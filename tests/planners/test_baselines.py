from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import planners
from lab.spaces import LinearConstraint, Parameter, SearchSpace
from lab.types import Candidate, Goal, History, Limit
from tests.planners.campaigns import (
    TARGET,
    campaign,
    conditions,
    landscape,
    measured,
    play,
    variants,
)


def ids(name: str, n: int, history: History, seed: int = 0, **kwargs: object) -> list[str]:
    made = campaign(variants(letters="ADFKW"), name)
    proposal = planners.planner(name).ask(n, made, history, (), np.random.default_rng(seed))
    return [e.candidate.id for e in proposal.experiments]


def test_random_draws_every_candidate_equally_often() -> None:
    pool = variants(letters="ADFKW")
    counts = dict.fromkeys((c.id for c in pool), 0)
    for seed in range(600):
        for chosen in ids("random", 10, History(), seed):
            counts[chosen] += 1
    expected = 6000 / len(pool)
    spread = sum((count - expected) ** 2 / expected for count in counts.values())
    assert spread < len(pool) + 4 * np.sqrt(2 * len(pool))


def test_sobol_goes_on_where_the_last_batch_ended() -> None:
    pool = {c.id: c for c in variants(letters="ADFKW")}
    whole = ids("sobol", 16, History())
    first = ids("sobol", 8, History())
    second = ids("sobol", 8, measured([pool[i] for i in first], lambda c: 0.5))
    assert first + second == whole


def test_sobol_covers_positions_more_evenly_than_chance() -> None:
    pool = variants()

    def emptiest(name: str, seed: int) -> int:
        made = campaign(pool, name)
        batch = planners.planner(name).ask(28, made, History(), (), np.random.default_rng(seed)).experiments
        return len({int(e.candidate.id[1:-1]) for e in batch})

    assert emptiest("sobol", 0) > np.mean([emptiest("random", seed) for seed in range(20)])


def test_sobol_spreads_named_values() -> None:
    made = campaign(conditions(), "sobol", parent="")
    batch = planners.planner("sobol").ask(9, made, History(), (), np.random.default_rng(0)).experiments
    assert len({e.candidate.values["temperature_c"] for e in batch}) == 4
    assert len({e.candidate.values["solvent"] for e in batch}) == 3


def test_grid_measures_every_combination_of_levels_before_any_twice_as_near() -> None:
    pool = [Candidate(id=f"{i},{j}", values={"a": i, "b": j}) for i in range(12) for j in range(12)]
    made = campaign(pool, "grid", parent="", settings={"levels": 3})
    batch = (
        planners.planner("grid", {"levels": 3})
        .ask(9, made, History(), (), np.random.default_rng(0))
        .experiments
    )
    cells = {(e.candidate.values["a"] // 4, e.candidate.values["b"] // 4) for e in batch}
    assert len(cells) == 9


def test_grid_goes_on_where_the_last_batch_ended_and_follows_the_campaigns_seed() -> None:
    pool = {c.id: c for c in variants(letters="ADFKW")}
    whole = ids("grid", 16, History())
    first = ids("grid", 8, History(), seed=5)
    assert first + ids("grid", 8, measured([pool[i] for i in first], lambda c: 0.5)) == whole


def test_a_latin_hypercube_visits_each_part_of_each_axis_once() -> None:
    pool = [Candidate(id=f"{i},{j}", values={"a": i, "b": j}) for i in range(32) for j in range(32)]
    made = replace(campaign(pool, "grid", parent=""), budget=8)
    batch = planners.planner("grid", {"design": "latin"}).ask(
        8, made, History(), (), np.random.default_rng(0)
    )
    for name in ("a", "b"):
        parts = [e.candidate.values[name] // 4 for e in batch.experiments]
        assert sorted(parts) == list(range(8))


def test_the_forest_takes_the_best_it_predicts() -> None:
    pool = variants()
    made = campaign(pool, "greedy_forest")
    seen = pool[::3]
    chosen = (
        planners.planner("greedy_forest")
        .ask(8, made, measured(seen, landscape), (), np.random.default_rng(0))
        .experiments
    )
    rest = sorted((landscape(c) for c in pool if c not in seen), reverse=True)
    assert np.mean([landscape(e.candidate) for e in chosen]) > np.quantile(rest, 0.9)
    means = [e.reason.predicted_mean for e in chosen]
    assert means == sorted(means, reverse=True)
    assert "trees; the best measured so far is" in chosen[0].reason.sentence


def test_a_forest_that_counts_uncertainty_in_chooses_otherwise_and_less_surely() -> None:
    pool = variants()
    made, history = campaign(pool, "greedy_forest"), measured(pool[::9], landscape)

    def spread(settings: dict[str, object]) -> float:
        planner = planners.planner("greedy_forest", settings)
        chosen = planner.ask(8, made, history, (), np.random.default_rng(0)).experiments
        return float(np.mean([e.reason.predicted_sd for e in chosen]))

    assert spread({"rank_by": "ucb", "beta": 3.0}) > 1.2 * spread({})


def test_the_forest_puts_what_breaks_a_limit_last() -> None:
    pool = [Candidate(id=f"x{i}", values={"x": i}) for i in range(40)]
    made = campaign(pool, "greedy_forest", parent="")
    made = replace(made, goal=Goal(target=TARGET, limits=(Limit(target="cost", at_most=20.0),)))
    history = measured(pool[::3], lambda c: c.values["x"])
    costs = tuple(replace(o, target="cost") for o in history.observations)
    history = replace(history, observations=(*history.observations, *costs))
    planner, rng = planners.planner("greedy_forest"), np.random.default_rng(0)
    chosen = planner.ask(4, made, history, (), rng).experiments
    assert max(e.candidate.values["x"] for e in chosen) <= 21
    # the best of all is 39
    assert chosen[0].reason.sentence.endswith("; the best measured so far is 18.00.")
    made = replace(made, goal=Goal(target=TARGET, limits=(Limit(target="cost", at_most=-1.0),)))
    never = planner.ask(1, made, history, (), rng).experiments[0]
    assert never.reason.sentence.endswith("; nothing measured keeps to the limits yet.")


def test_evolution_starts_one_substitution_from_the_reference() -> None:
    pool = tuple(
        Candidate(id=f"p{i}", sequence=s) for i, s in enumerate(map("".join, product("ACD", repeat=4)))
    )
    made = campaign(pool[1:], "directed_evolution", parent="AAAA")
    first = (
        planners.planner("directed_evolution")
        .ask(8, made, History(), (), np.random.default_rng(0))
        .experiments
    )
    assert all(sum(a != "A" for a in e.candidate.sequence) == 1 for e in first)
    assert "One substitution away from the start (WT)" in first[0].reason.sentence


def test_evolution_walks_from_the_best_and_combines_what_was_good() -> None:
    pool = tuple(Candidate(id=s, sequence=s) for s in map("".join, product("ACD", repeat=4)))[1:]
    made = campaign(pool, "directed_evolution", parent="AAAA")
    known = {"CAAA": 2.0, "ADAA": 1.5, "AACA": 0.1, "AAAD": 0.2}
    history = measured([c for c in pool if c.id in known], lambda c: known[c.id], reference=1.0)
    chosen = (
        planners.planner("directed_evolution").ask(4, made, history, (), np.random.default_rng(0)).experiments
    )
    crosses = [e for e in chosen if e.reason.sentence.startswith("Combines")]
    steps = [e for e in chosen if e not in crosses]
    assert [e.candidate.id for e in crosses] == ["CDAA"]
    assert all(sum(a != b for a, b in zip(e.candidate.id, "CAAA", strict=True)) == 1 for e in steps)
    assert "the best so far (2.00)" in steps[0].reason.sentence


def test_evolution_changes_one_value_at_a_time() -> None:
    made = campaign(conditions(), "directed_evolution", parent="")
    best = conditions()[13]
    history = measured((*conditions()[::4], best), lambda c: float(c == best))
    chosen = (
        planners.planner("directed_evolution").ask(3, made, history, (), np.random.default_rng(0)).experiments
    )
    for e in chosen:
        assert sum(e.candidate.values[k] != best.values[k] for k in best.values) == 1


def test_evolution_finds_the_top_of_an_additive_landscape() -> None:
    pool = tuple(Candidate(id=s, sequence=s) for s in map("".join, product("ACDE", repeat=4)))[1:]
    made = campaign(pool, "directed_evolution", parent="AAAA", batch_size=8)
    worth = {"A": 0.0, "C": 0.3, "D": -0.5, "E": 1.0}
    found = play(made, lambda c: sum(worth[a] for a in c.sequence), 0, 40)
    assert "EEEE" in {e.candidate.id for e in found.experiments}


@pytest.mark.parametrize("name", ["random", "sobol", "grid", "greedy_forest", "directed_evolution"])
def test_baselines_choose_in_a_space_that_is_no_pool(name: str) -> None:
    space = SearchSpace(
        parameters=(
            Parameter(name="t", low=0.0, high=10.0),
            Parameter(name="s", kind="categorical", levels=("a", "b")),
        ),
        constraints=(LinearConstraint(coefficients={"t": 1.0}, at_most=8.0),),
    )
    made = replace(campaign((), name, parent="", batch_size=4), space=space)
    found = play(made, lambda c: c.values["t"] + (c.values["s"] == "b"), 0, 16)
    assert len({e.candidate.id for e in found.experiments}) == 16
    assert all(space.holds(e.candidate) for e in found.experiments)
