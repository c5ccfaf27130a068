"""Pools drawn from search spaces: what they hold, how even they are, and what is near a candidate."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lab.errors import BadInput
from lab.spaces import Candidate, LinearConstraint, Mixture, Parameter, SearchSpace, Sites
from lab.types import History, PastResult
from planners import sampling
from planners.drafts import Codec
from planners.drawing import edges, neighbours, on_pool, pool_of
from tests.planners.campaigns import TARGET, campaign, conditions, measured
from tests.planners.spaces import (
    BLEND,
    CYCLES,
    GLASS,
    POSITIONS,
    SALT,
    SOLVENT,
    SPACES,
    TEMPERATURE,
    spacious,
)

EVERY_SPACE = pytest.mark.parametrize("kind", SPACES)
UNIT = tuple(Parameter(name=f"x{i}", low=0.0, high=1.0) for i in range(6))
SUM = dict.fromkeys([p.name for p in UNIT], 1.0)


def drawn(space: SearchSpace, history: History | None = None, seed: int = 1) -> tuple[Candidate, ...]:
    return pool_of(spacious(space), history or History(), (), np.random.default_rng(seed))


@EVERY_SPACE
def test_a_pool_lies_in_its_space_and_its_ids_are_those_of_its_values(kind: str) -> None:
    pool = drawn(SPACES[kind])
    assert len(pool) > 1000
    assert all(SPACES[kind].holds(candidate) for candidate in pool)
    values = {(c.sequence, *c.values.items()) for c in pool}
    assert len({c.id for c in pool}) == len(values) == len(pool)


@EVERY_SPACE
def test_a_candidate_that_is_coded_and_decoded_is_itself(kind: str) -> None:
    codec = Codec(SPACES[kind])
    pool = list(drawn(SPACES[kind])[:200])
    assert codec.candidates(codec.drafts(pool)) == pool


@EVERY_SPACE
def test_what_was_asked_is_in_the_pool_under_its_own_id_once(kind: str) -> None:
    asked = measured(drawn(SPACES[kind], seed=2)[:30], lambda c: 0.01 * len(c.id))
    pool = drawn(SPACES[kind], asked)
    assert [c.id for c in pool[:30]] == [e.candidate.id for e in asked.experiments]
    assert len({c.id for c in pool}) == len(pool)


def test_ids_are_readable() -> None:
    codec = Codec(SearchSpace(parameters=(TEMPERATURE, SOLVENT)))
    drafts = codec.empty(1)
    drafts.numbers[0, 0], drafts.levels[0, 0] = 61.25, 2
    assert codec.candidates(drafts)[0].id == "temperature_c=61.25 solvent=water"
    codec = Codec(SPACES["sites"])
    drafts = codec.empty(1)
    drafts.letters[0, 1:3] = 1
    assert codec.candidates(drafts)[0].id == "K4A+L7A"
    assert codec.candidates(codec.empty(1))[0].id == "WT"


def test_ids_of_many_values_are_cut_and_still_tell_candidates_apart() -> None:
    many = SearchSpace(parameters=tuple(Parameter(name=f"value_{i}", low=0.0, high=1.0) for i in range(40)))
    pool = drawn(many)
    assert max(len(c.id) for c in pool) <= 100
    assert len({c.id for c in pool}) == len(pool)


def test_numbers_and_levels_are_covered_evenly() -> None:
    pool = drawn(SPACES["mixed"])
    temperatures = [(c.values["temperature_c"] - 20.0) / 70.0 for c in pool]
    salts = [(np.log10(c.values["salt_mmol_l"]) + 2.0) / 4.0 for c in pool]
    for shares in (temperatures, salts):
        assert stats.kstest(shares, "uniform").statistic < 0.02
    for name, levels in (("cycles", 5), ("glass", 3), ("solvent", 3)):
        _, counts = np.unique([c.values[name] for c in pool], return_counts=True)
        assert len(counts) == levels
        assert counts.min() > 0.9 * len(pool) / levels


def test_a_full_mixture_is_drawn_evenly_from_its_simplex() -> None:
    mixture = Mixture(ingredients=("a", "b", "c"), least=0.001)
    codec = Codec(SearchSpace(mixture=mixture))
    amounts = sampling.draw(codec, 4000, np.random.default_rng(3)).amounts
    full = amounts[(amounts > 0).all(axis=1)] / mixture.units
    assert len(full) > 1500
    # on the simplex of three, each share is distributed as the least of two uniform numbers
    assert stats.kstest(full[:, 0], stats.beta(1, 2).cdf).statistic < 0.05
    assert stats.kstest(full[:, 2], stats.beta(1, 2).cdf).statistic < 0.05


def test_a_mixture_has_ingredients_in_every_number_that_is_allowed() -> None:
    counts = [sum(v > 0 for v in c.values.values()) for c in drawn(SPACES["mixture"])]
    assert set(counts) == {1, 2, 3}
    assert counts.count(3) > counts.count(1)


def test_a_mixture_that_hardly_fits_is_still_found() -> None:
    tight = Mixture(ingredients=tuple("abcd"), most=dict.fromkeys("abcd", 0.26), resolution=0.01)
    assert len(drawn(SearchSpace(mixture=tight))) == len(
        [a for a in itertools.product(range(27), repeat=4) if sum(a) == 100]
    )


def test_sites_bring_substitutions_in_every_number_that_is_allowed() -> None:
    pool = drawn(SPACES["sites"])
    counts = [sum(a != b for a, b in zip(c.sequence, POSITIONS.parent, strict=True)) for c in pool]
    assert set(counts) == {1, 2, 3}
    singles = {c.id for c in pool if "+" not in c.id}
    assert len(singles) == 4 * 19


def test_five_sites_of_twenty_letters_are_drawn_from_without_listing_them() -> None:
    parent = "ACDEFGHIKL"
    space = SearchSpace(
        sites=Sites(parent=parent, positions=(1, 3, 5, 7, 9), letters=("ACDEFGHIKLMNPQRSTVWY",) * 5)
    )
    assert sampling.count(Codec(space), 4096) is None
    made = replace(spacious(space), reference=Candidate(id="WT", sequence=parent))
    pool = pool_of(made, History(), (), np.random.default_rng(1))
    assert 1200 < len(pool) < 2100
    assert all(c.sequence != parent for c in pool)


@pytest.mark.parametrize(
    ("space", "size"),
    [
        (SearchSpace(parameters=(CYCLES, GLASS, SOLVENT)), 45),
        (SearchSpace(mixture=Mixture(ingredients=("a", "b", "c"), at_most=2, resolution=0.1)), 3 + 3 * 9),
        (SearchSpace(mixture=Mixture(ingredients=("a", "b", "c"), least=0.2, resolution=0.1)), 3 + 3 * 7 + 15),
        (SearchSpace(sites=Sites(parent="MTYK", positions=(2, 3), letters=("TAG", "FW"))), 3 * 3),
        (SearchSpace(sites=Sites(parent="MTYK", positions=(2, 3), letters=("AG", "FW"), at_most=1)), 5),
        (
            SearchSpace(
                parameters=(CYCLES, GLASS),
                constraints=(LinearConstraint(coefficients={"cycles": 1.0, "glass": 1.0}, at_most=3.0),),
            ),
            2 + 2 + 0,
        ),
    ],
)  # fmt: skip
def test_a_space_of_few_candidates_is_its_own_pool(space: SearchSpace, size: int) -> None:
    made = replace(spacious(space), reference=Candidate(id="other"))
    pool = pool_of(made, History(), (), np.random.default_rng(0))
    assert len(pool) == size
    if not space.constraints:
        assert sampling.count(Codec(space), 4096) == size


@pytest.mark.parametrize(
    "bounds",
    [
        {"at_most": 0.05},
        {"at_least": 5.9},
        {"at_least": 1.0, "at_most": 1.0},
        {"at_least": 3.0, "at_most": 3.001},
    ],
)
def test_a_linear_constraint_that_leaves_little_still_gives_a_pool_that_fills_it(
    bounds: dict[str, float],
) -> None:
    space = SearchSpace(parameters=UNIT, constraints=(LinearConstraint(coefficients=SUM, **bounds),))
    pool = drawn(space)
    assert len(pool) > 1000
    assert all(space.holds(c) for c in pool)
    columns = np.array([list(c.values.values()) for c in pool])
    assert np.allclose(columns.mean(axis=0), columns.mean(), atol=0.15 * np.ptp(columns))
    assert (np.ptp(columns, axis=0) > 0.5 * np.ptp(columns)).all()


def test_a_linear_constraint_may_weigh_amounts_and_numbers_together() -> None:
    space = SearchSpace(
        parameters=(TEMPERATURE,),
        mixture=BLEND,
        constraints=(LinearConstraint(coefficients={"b": 1.0, "temperature_c": 0.01}, at_least=1.7),),
    )
    pool = drawn(space)
    assert len(pool) > 100
    assert all(c.values["b"] + 0.01 * c.values["temperature_c"] >= 1.7 - 1e-9 for c in pool)


@pytest.mark.parametrize(
    ("constraints", "said"),
    [
        (({"x0": 1.0}, {"x1": -1.0}), "-1 x1"),
        (({"x0": 1.0}, {"x0": -1.0}), "and those before it"),
    ],
)
def test_constraints_that_leave_nothing_are_named(
    constraints: tuple[dict[str, float], ...], said: str
) -> None:
    high = LinearConstraint(coefficients=constraints[0], at_least=0.6)
    never = LinearConstraint(coefficients=constraints[1], at_least=0.5 if "x1" in constraints[1] else -0.5)
    with pytest.raises(BadInput, match="No candidate keeps to the constraint") as refusal:
        drawn(SearchSpace(parameters=UNIT, constraints=(high, never)))
    assert said in str(refusal.value)
    assert refusal.value.field == "space.constraints"


def test_steps_too_coarse_for_a_constraint_are_told() -> None:
    coarse = Parameter(name="x", low=0.0, high=1.0, resolution=0.5)
    other = Parameter(name="y", low=0.0, high=1.0)
    between = LinearConstraint(coefficients={"x": 1.0}, at_least=0.1, at_most=0.4)
    with pytest.raises(BadInput, match="finer"):
        drawn(SearchSpace(parameters=(coarse, other), constraints=(between,)))


def test_rules_are_imported_from_the_folder_of_the_campaign(tmp_path: Path) -> None:
    (tmp_path / "rules_of_this_test.py").write_text(
        "def warm(candidate):\n    return candidate.values['temperature_c'] > 60\n", encoding="utf-8"
    )
    space = replace(SPACES["continuous"], rules=("rules_of_this_test:warm",), folder=str(tmp_path))
    pool = drawn(space)
    assert len(pool) > 500
    assert min(c.values["temperature_c"] for c in pool) > 60


def test_two_campaigns_each_with_a_module_of_rules_of_one_name_keep_their_own(tmp_path: Path) -> None:
    pools = []
    for folder, bound in (("warm", 60), ("cold", 40)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own_rules_of_this_test.py").write_text(
            f"def near(candidate):\n    return abs(candidate.values['temperature_c'] - {bound}) < 5\n",
            encoding="utf-8",
        )
        rules, where = ("own_rules_of_this_test:near",), str(tmp_path / folder)
        pools.append(drawn(replace(SPACES["continuous"], rules=rules, folder=where)))
    assert all(abs(c.values["temperature_c"] - 60) < 5 for c in pools[0])
    assert all(abs(c.values["temperature_c"] - 40) < 5 for c in pools[1])


def test_a_rule_that_fails_is_told_with_the_candidate(tmp_path: Path) -> None:
    (tmp_path / "failing_rules_of_this_test.py").write_text(
        "def warm(candidate):\n    return candidate.values['heat'] > 60\n\nwritten wrongly = 1\n",
        encoding="utf-8",
    )
    space = replace(SPACES["continuous"], rules=("failing_rules_of_this_test:warm",), folder=str(tmp_path))
    with pytest.raises(BadInput, match="can't be imported"):
        drawn(space)
    with pytest.raises(BadInput, match=r"failed on candidate .*KeyError: 'heat'"):
        drawn(replace(space, rules=(lambda candidate: candidate.values["heat"] > 60,)))


def test_a_rule_that_is_not_there_is_told() -> None:
    space = replace(SPACES["continuous"], rules=("no_such_module:warm",))
    with pytest.raises(BadInput, match="no_such_module:warm"):
        drawn(space)


def test_steps_through_0_come_to_0() -> None:
    steps = Parameter(name="x", low=-0.3, high=0.3, resolution=0.1)
    assert steps.values == (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)
    assert "x=0" in {c.id for c in drawn(SearchSpace(parameters=(steps,)))}


def test_rules_that_contradict_each_other_are_told() -> None:
    rules = (lambda c: c.values["x0"] < 0.5, lambda c: c.values["x0"] > 0.5)
    with pytest.raises(BadInput, match="together"):
        drawn(SearchSpace(parameters=UNIT, rules=rules))


def test_the_pool_is_denser_around_the_best_that_was_measured() -> None:
    space = SPACES["continuous"]
    start = drawn(space, seed=4)[:40]
    pool = drawn(space, measured(start, lambda c: -abs(c.values["temperature_c"] - 70.0)))
    near = np.mean([abs(c.values["temperature_c"] - 70.0) < 5.0 for c in pool])
    before = np.mean([abs(c.values["temperature_c"] - 70.0) < 5.0 for c in drawn(space)])
    assert near > 1.3 * before


@EVERY_SPACE
def test_neighbours_lie_in_the_space_and_differ_in_little(kind: str) -> None:
    space = SPACES[kind]
    made = spacious(space)
    centre = drawn(space)[:1]
    near = neighbours(centre, made, np.random.default_rng(3), n=300)
    assert len(near) > 10
    assert all(space.holds(c) for c in near)
    assert centre[0] not in near
    changed = [
        sum(c.values[k] != centre[0].values[k] for k in c.values)
        + sum(a != b for a, b in zip(c.sequence, centre[0].sequence, strict=True))
        for c in near
    ]
    assert np.mean(changed) <= 2.5


def test_neighbours_of_two_mutants_cross_them() -> None:
    parent = POSITIONS.parent
    pair = [
        Candidate(id="T2A", sequence=f"MA{parent[2:]}"),
        Candidate(id="K4R", sequence=f"{parent[:3]}R{parent[4:]}"),
    ]
    near = {c.id for c in neighbours(pair, spacious(SPACES["sites"]), np.random.default_rng(0))}
    assert "T2A+K4R" in near


def test_every_step_of_a_number_and_every_level_can_be_reached_by_small_changes() -> None:
    space = SearchSpace(parameters=(CYCLES, GLASS, SOLVENT))
    made = spacious(space)
    seen = {c.id: c for c in drawn(space)[:1]}
    for seed in range(12):
        found = neighbours(tuple(seen.values()), made, np.random.default_rng(seed), n=100)
        seen |= {c.id: c for c in found}
    assert len(seen) == 45


def test_a_pool_has_no_neighbours_and_stays_as_it_is() -> None:
    made = campaign(conditions())
    assert neighbours(made.candidates[:2], made, np.random.default_rng(0)) == ()
    assert on_pool(made, History(), (), np.random.default_rng(0)) is made


def test_past_results_in_the_space_are_in_the_pool_under_their_names() -> None:
    inside = Candidate(id="old", values={"temperature_c": 33.3, "salt_mmol_l": 1.0})
    outside = Candidate(id="odd", values={"temperature_c": 5.0, "salt_mmol_l": 1.0})
    past = tuple(PastResult(candidate=c, target=TARGET, value=1.0) for c in (inside, outside))
    made = replace(spacious(SPACES["continuous"]), past=past)
    ids = {c.id for c in pool_of(made, History(), (), np.random.default_rng(0))}
    assert "old" in ids
    assert "odd" not in ids


def test_a_fixed_value_is_that_of_all_that_is_drawn_for_the_batch_beside_others_to_compare_with() -> None:
    made = replace(spacious(SearchSpace(parameters=(TEMPERATURE, SALT))), fixed={"temperature_c": 61.25})
    own = pool_of(made, History(), (), np.random.default_rng(0))
    assert {c.values["temperature_c"] for c in own} == {61.25}
    whole = on_pool(made, History(), (), np.random.default_rng(0)).candidates
    assert {c.id for c in own} <= {c.id for c in whole}
    assert len({c.values["temperature_c"] for c in whole}) > 100


def test_the_edges_of_a_space_have_the_least_and_the_most_of_everything() -> None:
    made = spacious(SearchSpace(parameters=(CYCLES, GLASS, SOLVENT)))
    found = edges(made, np.random.default_rng(0))
    assert {c.values["cycles"] for c in found} >= {1.0, 5.0}
    assert {c.values["glass"] for c in found} >= {0.5, 4.0}
    assert {c.values["solvent"] for c in found} == {"DMAc", "BuCN", "water"}
    amounts = [c.values["b"] for c in edges(spacious(SPACES["mixture"]), np.random.default_rng(0))]
    assert min(a for a in amounts if a > 0) < 0.08
    assert max(amounts) == 1.0


def test_a_campaign_with_a_pool_has_no_space_to_draw_from() -> None:
    with pytest.raises(BadInput, match="no space to draw from"):
        pool_of(campaign(conditions()), History(), (), np.random.default_rng(0))
