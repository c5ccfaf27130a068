"""Points that no other beats, and the volume under them, against known values and BoTorch."""

import numpy as np
import pytest

from planners.pareto import hypervolume, pareto, reference_point


def test_points_that_are_beaten_are_left_out_and_equal_ones_stay() -> None:
    points = np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 2.0], [1.0, 2.0], [0.0, 3.0], [3.0, 0.0]])
    assert pareto(points).tolist() == [True, True, True, False, False, True]


@pytest.mark.parametrize(
    ("points", "volume"),
    [
        ([[1.0, 1.0]], 1.0),
        ([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]], 6.0),
        ([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [1.0, 1.0], [-1.0, 9.0]], 6.0),
        ([[-1.0, -1.0]], 0.0),
        ([[1.0, 1.0, 1.0], [2.0, 0.5, 0.5]], 1.25),
        ([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [2.0, 2.0, 2.0]], 12.0),
        ([[2.0]], 2.0),
    ],
)
def test_the_dominated_volume_is_what_one_counts_by_hand(points: list[list[float]], volume: float) -> None:
    assert hypervolume(np.array(points), np.zeros(len(points[0]))) == pytest.approx(volume)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_dominated_volume_is_that_of_botorch(m: int) -> None:
    torch = pytest.importorskip("torch")
    from botorch.utils.multi_objective.hypervolume import Hypervolume
    from botorch.utils.multi_objective.pareto import is_non_dominated

    points = np.random.default_rng(m).normal(size=(25, m))
    reference = np.full(m, -1.0)
    tensor = torch.tensor(points)
    best = is_non_dominated(tensor)
    assert pareto(points).tolist() == best.tolist()
    theirs = Hypervolume(ref_point=torch.tensor(reference)).compute(tensor[best])
    assert hypervolume(points, reference) == pytest.approx(theirs)


def test_the_reference_point_lies_below_all_that_is_best_by_a_tenth_of_its_range() -> None:
    points = np.array([[0.0, 10.0], [1.0, 0.0], [-5.0, -5.0]])
    assert reference_point(points) == pytest.approx([-0.1, -1.0])
    assert (reference_point(np.array([[1.0, 2.0]])) < [1.0, 2.0]).all()
