"""What is chosen for goals other than the most of one target, under a process whose beliefs are known exactly."""

from collections.abc import Mapping

import numpy as np
import pytest

from lab.goals import Goal, Limit, Objective
from planners.goals import Believed, Task, choose, is_plain

GRID = np.linspace(0.0, 1.0, 201)


class Process:
    """A Gaussian process with a known kernel over the grid, conditioned on exact values."""

    residual_variance = 0.0
    lasting_variance = 0.0
    typical_noise = 1e-4

    def __init__(self, rows: np.ndarray, values: np.ndarray, length: float = 0.1) -> None:
        prior = np.exp(-0.5 * ((GRID[:, None] - GRID) / length) ** 2)
        gram = prior[np.ix_(rows, rows)] + self.typical_noise * np.eye(len(rows))
        self._weights = np.linalg.solve(gram, prior[rows])
        self._prior, self._rows = prior, rows
        self.mean = self._weights.T @ values
        self.variance = np.maximum(1.0 - np.einsum("ij,ij->j", prior[rows], self._weights), 1e-9)

    def covariance(self, rows: np.ndarray) -> np.ndarray:
        covariance: np.ndarray = self._prior[:, rows] - self._prior[:, self._rows] @ self._weights[:, rows]
        return covariance


def believed(rows: np.ndarray, values: np.ndarray, scale: float = 1.0, length: float = 0.1) -> Believed:
    """Beliefs in a unit that is ``1 / scale`` times the process's."""
    return Believed(
        posterior=Process(rows, scale * values, length),
        outputs=lambda v: scale * v,
        values=lambda v: v / scale,
        measured=rows,
        decreasing=scale < 0,
    )


def task(goal: Goal, targets: Mapping[str, Believed], **more: object) -> Task:
    seen = np.unique(np.concatenate([b.measured for b in targets.values()]))
    free = np.setdiff1d(np.arange(len(GRID)), seen)
    return Task(goal=goal, targets=targets, free=free, pending=np.empty(0, dtype=np.intp), **more)  # type: ignore[arg-type]


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


SEEN = np.arange(0, 201, 10)
WAVE = np.sin(2 * np.pi * GRID)


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_to_hit_a_level_rows_are_chosen_that_are_predicted_to_lie_on_it(scale: float) -> None:
    goal = Goal(target="y", direction="hit", level=0.55)
    picked = choose(4, task(goal, {"y": believed(SEEN, WAVE[SEEN], scale)}), rng())
    assert np.abs(WAVE[picked.rows] - 0.55).max() < 0.1


def test_to_hit_a_level_a_batch_looks_in_more_than_one_place() -> None:
    rows = np.array([0, 50, 100, 150, 200])
    beliefs = believed(rows, np.array([0.0, 1.0, 0.0, 1.0, 0.0]), length=0.12)
    picked = choose(4, task(Goal(target="y", direction="hit", level=0.5), {"y": beliefs}), rng())
    assert len({int(row) // 50 for row in picked.rows}) == 4


def test_to_exceed_a_level_rows_are_chosen_that_do() -> None:
    goal = Goal(target="y", direction="exceed", level=0.7)
    picked = choose(12, task(goal, {"y": believed(SEEN, WAVE[SEEN])}, left=20), rng())
    assert (WAVE[picked.rows] > 0.7).all()


def test_to_exceed_a_level_a_long_budget_looks_farther_than_a_short_one() -> None:
    rows = np.array([20, 24, 28])
    goal = Goal(target="y", direction="exceed", level=0.5)
    beliefs = {"y": believed(rows, np.array([0.5, 0.58, 0.5]))}
    short = choose(1, task(goal, beliefs, left=0), rng()).rows[0]
    long = choose(1, task(goal, beliefs, left=60), rng()).rows[0]
    nearest = [np.abs(rows - chosen).min() for chosen in (short, long)]
    assert nearest[0] <= 2 < nearest[1]


def test_to_exceed_a_level_that_nothing_comes_near_the_search_climbs() -> None:
    goal = Goal(target="y", direction="exceed", level=60.0)
    picked = choose(1, task(goal, {"y": believed(SEEN, 3.0 * WAVE[SEEN])}), rng())
    assert WAVE[picked.rows[0]] > 0.95


def test_to_map_the_rows_chosen_leave_less_variance_than_as_many_at_random() -> None:
    rows = np.array([100])
    beliefs = believed(rows, np.zeros(1))
    chosen = choose(6, task(Goal(target="y", direction="map"), {"y": beliefs}), rng()).rows

    def left(added: np.ndarray) -> float:
        seen = np.concatenate([rows, added])
        return float(Process(seen, np.zeros(len(seen))).variance.mean())

    random = [left(rng_.permutation(201)[:6]) for rng_ in map(np.random.default_rng, range(20))]
    assert left(chosen) < min(random)


def test_of_two_objectives_the_batch_spreads_along_the_best_compromises() -> None:
    low, high = -((GRID - 0.3) ** 2) * 8, -((GRID - 0.7) ** 2) * 8
    goal = Goal(target="a", also=(Objective(target="b"),))
    beliefs = {"a": believed(SEEN, low[SEEN], length=0.2), "b": believed(SEEN, high[SEEN], length=0.2)}
    picked = choose(5, task(goal, beliefs), rng())
    places = GRID[picked.rows]
    assert ((places > 0.25) & (places < 0.75)).all()
    assert np.ptp(places) > 0.2


def test_an_objective_to_minimise_in_a_unit_whose_scale_is_turned_is_worth_the_same() -> None:
    up, down = WAVE, np.cos(2 * np.pi * GRID)
    goal = Goal(target="a", also=(Objective(target="b", direction="minimize"),))
    straight = {"a": believed(SEEN, up[SEEN]), "b": believed(SEEN, down[SEEN])}
    turned = {"a": believed(SEEN, up[SEEN]), "b": believed(SEEN, down[SEEN], scale=-1.0)}
    assert (
        choose(4, task(goal, straight), rng()).rows.tolist()
        == choose(4, task(goal, turned), rng()).rows.tolist()
    )


def test_three_objectives_are_traded_off_too() -> None:
    centres = (0.2, 0.5, 0.8)
    goal = Goal(target="a", also=(Objective(target="b"), Objective(target="c")))
    beliefs = {
        name: believed(SEEN, -((GRID[SEEN] - centre) ** 2) * 8, length=0.2)
        for name, centre in zip("abc", centres, strict=True)
    }
    places = GRID[choose(6, task(goal, beliefs), rng()).rows]
    assert ((places > 0.15) & (places < 0.85)).all()
    assert np.ptp(places) > 0.2


def test_an_objective_to_hit_takes_part_in_trade_offs() -> None:
    goal = Goal(target="a", also=(Objective(target="b", direction="hit", level=0.5),))
    beliefs = {"a": believed(SEEN, WAVE[SEEN]), "b": believed(SEEN, GRID[SEEN], length=0.3)}
    places = GRID[choose(4, task(goal, beliefs), rng()).rows]
    assert ((places > 0.2) & (places < 0.56)).all()


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_within_a_limit_the_best_that_keeps_to_it_is_chosen(direction: str) -> None:
    sign = 1.0 if direction == "maximize" else -1.0
    goal = Goal(target="y", direction=direction, limits=(Limit(target="cost", at_most=0.5),))  # type: ignore[arg-type]
    beliefs = {
        "y": believed(SEEN, sign * GRID[SEEN], length=0.3),
        "cost": believed(SEEN, GRID[SEEN], length=0.3),
    }
    places = GRID[choose(3, task(goal, beliefs), rng()).rows]
    assert ((places > 0.4) & (places < 0.53)).all()


def test_while_nothing_keeps_to_the_limit_that_is_looked_for_first() -> None:
    rows = np.arange(0, 100, 5)
    goal = Goal(target="y", limits=(Limit(target="dissolved", at_least=0.8),))
    beliefs = {
        "y": believed(rows, 1.0 - GRID[rows], length=0.3),
        "dissolved": believed(rows, GRID[rows], length=0.3),
    }
    picked = choose(1, task(goal, beliefs), rng())
    assert GRID[picked.rows[0]] > 0.8


def test_a_candidate_that_can_hardly_be_had_is_not_chosen() -> None:
    goal = Goal(target="y", direction="hit", level=0.5)
    blocked = np.where(GRID < 0.25, -30.0, 0.0)
    picked = choose(3, task(goal, {"y": believed(SEEN, WAVE[SEEN])}, log_feasible=blocked), rng())
    assert (GRID[picked.rows] >= 0.25).all()


@pytest.mark.parametrize(
    "goal",
    [
        Goal(target="y", direction="hit", level=0.2),
        Goal(target="y", direction="exceed", level=0.2),
        Goal(target="y", direction="map"),
        Goal(target="y", also=(Objective(target="z"),)),
    ],
)
def test_no_row_is_chosen_twice_and_all_that_is_free_can_be(goal: Goal) -> None:
    targets = {t: believed(SEEN, WAVE[SEEN]) for t in goal.targets}
    made = task(goal, targets)
    few = Task(goal=goal, targets=targets, free=made.free[:7], pending=made.free[7:9])
    picked = choose(9, few, rng())
    assert sorted(picked.rows.tolist()) == made.free[:7].tolist()
    assert np.isfinite(picked.values).all()


def test_a_pending_row_keeps_its_neighbours_from_being_chosen_to_map() -> None:
    rows = np.array([0])
    made = task(Goal(target="y", direction="map"), {"y": believed(rows, np.zeros(1), length=0.3)})
    first = int(choose(1, made, rng()).rows[0])
    waiting = Task(goal=made.goal, targets=made.targets, free=made.free, pending=np.array([first]))
    assert abs(int(choose(1, waiting, rng()).rows[0]) - first) > 20


def test_only_the_most_or_least_of_one_target_is_plain() -> None:
    assert is_plain(Goal(target="y"))
    assert is_plain(Goal(target="y", direction="minimize"))
    assert not is_plain(Goal(target="y", direction="map"))
    assert not is_plain(Goal(target="y", limits=(Limit(target="y", at_most=1.0),)))
    assert not is_plain(Goal(target="y", also=(Objective(target="z"),)))
