import numpy as np

from models.residues import RESIDUE_CLASS_OF, RESIDUE_CLASSES
from planners.design import _NOISE, spread_design
from planners.kernels import prior_covariance
from planners.space import encode_space
from tests.planners.campaigns import campaign, conditions, variants

GENERATOR = np.random.default_rng
NONE = np.empty(0, dtype=np.intp)


def test_the_first_round_covers_positions_and_residue_classes() -> None:
    space = encode_space(campaign(variants()))
    every = np.arange(space.size)
    rows = spread_design(
        12, space.kernels[-1], space.blocks, every, NONE, space.size, GENERATOR(0), space.strata
    )
    sites = {space.changes(row)[0] for row in rows}
    letters = [space.candidates[row].sequence[space.changes(row)[0]] for row in rows]
    assert len(sites) == 12
    assert len({RESIDUE_CLASS_OF[letter] for letter in letters}) == len(RESIDUE_CLASSES)


def test_what_is_measured_counts_as_covered() -> None:
    space = encode_space(campaign(variants()))
    taken = np.array([row for row in range(space.size) if space.changes(row)[0] < 7], dtype=np.intp)
    free = np.setdiff1d(np.arange(space.size), taken)
    rows = spread_design(
        7, space.kernels[-1], space.blocks, free, taken, space.size, GENERATOR(0), space.strata
    )
    assert {space.changes(row)[0] for row in rows} == set(range(7, 14))


def test_named_values_are_spread_over_their_ranges_and_levels() -> None:
    space = encode_space(campaign(conditions(), parent=""))
    rows = spread_design(
        8, space.kernels[-1], space.blocks, np.arange(space.size), NONE, space.size, GENERATOR(0)
    )
    values = [space.candidates[row].values for row in rows]
    assert {v["solvent"] for v in values} == {"DMAc", "BuCN", "water"}
    assert {v["temperature_c"] for v in values} >= {20, 80}


def test_what_is_taken_is_kept_away_from() -> None:
    space = encode_space(campaign(variants()))
    first = spread_design(
        6, space.kernels[-1], space.blocks, np.arange(space.size), NONE, space.size, GENERATOR(0)
    )
    free = np.setdiff1d(np.arange(space.size), first)
    second = spread_design(6, space.kernels[-1], space.blocks, free, first, space.size, GENERATOR(0))
    assert not {space.changes(row) for row in first} & {space.changes(row) for row in second}


def test_each_choice_is_the_one_that_leaves_least_variance() -> None:
    space = encode_space(campaign(variants(letters="AEF")))
    spec, every = space.kernels[-1], np.arange(space.size)
    prior = prior_covariance(spec, space.blocks, every, every)

    def left(rows: list[int]) -> float:
        among = prior[np.ix_(rows, rows)] + _NOISE * np.eye(len(rows))
        return float(np.trace(prior - prior[:, rows] @ np.linalg.solve(among, prior[rows])))

    chosen: list[int] = []
    design = spread_design(5, spec, space.blocks, every, NONE, space.size, GENERATOR(0))
    for row in design:
        best = min(left([*chosen, int(other)]) for other in every if other not in chosen)
        chosen.append(int(row))
        assert left(chosen) <= best + 1e-6
