import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from planners.acquisition import (
    expected_hypervolume_gain,
    log_expected_closeness,
    log_expected_improvement,
    log_interval,
    upper_confidence_bound,
)


def one(mean: float, sd: float, incumbent: float) -> float:
    return float(log_expected_improvement(np.array([mean]), np.array([sd]), incumbent)[0])


@pytest.mark.parametrize("u", [3.0, 0.5, 0.0, -0.999, -1.001, -2.0, -5.0])
def test_log_expected_improvement_is_the_logarithm_of_the_integral(u: float) -> None:
    integral, _ = quad(
        lambda x: (x - 1.0) * norm.pdf(x, 1.0 + 0.3 * u, 0.3), 1.0, 1.0 + 0.3 * (u + 40), epsabs=0, limit=500
    )
    assert one(1.0 + 0.3 * u, 0.3, 1.0) == pytest.approx(np.log(integral), rel=1e-6)


def test_log_expected_improvement_is_finite_and_rising_however_hopeless() -> None:
    u = -np.logspace(6, -3, 400)
    value = log_expected_improvement(u, np.ones(400), 0.0)
    assert np.isfinite(value).all()
    assert (np.diff(value) > 0).all()


def test_the_confidence_bound_rises_with_the_root_of_beta() -> None:
    bound = upper_confidence_bound(np.array([1.0]), np.array([0.5]), 4.0)
    assert bound[0] == 2.0


@pytest.mark.parametrize(("low", "high"), [(-1.0, 0.5), (-np.inf, 0.2), (0.3, np.inf), (-np.inf, np.inf)])
def test_the_log_chance_of_an_interval_is_the_normal_distribution_s(low: float, high: float) -> None:
    mean, sd = np.array([-2.0, 0.0, 1.5]), np.array([0.5, 1.0, 2.0])
    expected = norm.cdf(high, mean, sd) - norm.cdf(low, mean, sd)
    assert np.exp(log_interval(mean, sd, low, high)) == pytest.approx(expected, rel=1e-9)


def test_the_log_chance_of_an_interval_ranks_rows_that_are_hopelessly_far_from_it() -> None:
    chances = log_interval(np.array([50.0, 90.0, 200.0, -90.0]), np.ones(4), -1.0, 1.0)
    assert np.isfinite(chances).all()
    assert chances[0] > chances[1] > chances[2]
    assert chances[1] == pytest.approx(chances[3])


def test_expected_closeness_is_the_mean_gain_over_draws() -> None:
    mean, sd, level, nearest = np.array([0.0, 0.9, 2.0]), np.array([0.5, 0.1, 1.0]), 1.0, 0.4
    draws = mean + sd * np.random.default_rng(0).standard_normal((400_000, 1))
    gains = np.maximum(nearest - np.abs(draws - level), 0.0).mean(axis=0)
    assert np.exp(log_expected_closeness(mean, sd, level, nearest)) == pytest.approx(gains, rel=0.02)


def test_expected_closeness_falls_with_distance_however_far_that_is() -> None:
    far = log_expected_closeness(np.linspace(0.0, 300.0, 400), np.ones(400), 0.0, 0.5)
    assert np.isfinite(far).all()
    assert (np.diff(far) < 0.0).all()


def test_the_expected_gain_in_area_is_botorch_s() -> None:
    torch = pytest.importorskip("torch")
    from botorch.acquisition.multi_objective.analytic import ExpectedHypervolumeImprovement
    from botorch.utils.multi_objective.box_decompositions import NondominatedPartitioning
    from botorch.utils.testing import MockModel, MockPosterior

    rng = np.random.default_rng(3)
    means, sds = rng.normal(size=(6, 2)), rng.uniform(0.1, 1.5, size=(6, 2))
    front = np.array([[1.0, -0.5], [0.2, 0.4], [-0.6, 0.9], [-3.0, 5.0]])
    reference = np.array([-1.0, -1.0])
    ours = expected_hypervolume_gain(means, sds, front, reference)
    boxes = NondominatedPartitioning(ref_point=torch.tensor(reference), Y=torch.tensor(front[:3]))
    for row in range(6):
        posterior = MockPosterior(
            mean=torch.tensor(means[row]).view(1, 1, 2), variance=torch.tensor(sds[row] ** 2).view(1, 1, 2)
        )
        theirs = ExpectedHypervolumeImprovement(
            model=MockModel(posterior), ref_point=reference.tolist(), partitioning=boxes
        )(torch.zeros(1, 1, 1, dtype=torch.float64))
        assert ours[row] == pytest.approx(float(theirs), rel=1e-6)


def test_with_nothing_measured_the_expected_gain_in_area_is_a_product() -> None:
    gain = expected_hypervolume_gain(
        np.array([[1.0, 2.0]]), np.full((1, 2), 1e-9), np.empty((0, 2)), np.zeros(2)
    )
    assert gain == pytest.approx([2.0])
