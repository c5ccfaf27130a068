import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from planners.acquisition import log_expected_improvement, upper_confidence_bound


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
