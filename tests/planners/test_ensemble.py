import numpy as np
import pytest

from planners.ensemble import Ensemble
from planners.gp import FittedGP, fit
from planners.kernels import Blocks, KernelSpec
from planners.priors import Trend

RNG = np.random.default_rng(4)
X = RNG.random((40, 2))
BLOCKS = Blocks({"x": X[:, :1], "y": X[:, 1:]})
ROWS = np.arange(20)
SCORES = (X[:, 0] - X[:, 0].mean()) / X[:, 0].std()


def fitted(block: str, outputs: np.ndarray, trend: Trend | None = None) -> FittedGP:
    spec = KernelSpec(name=block, terms=((block,),))
    return fit(spec, BLOCKS, ROWS, outputs, np.full(len(ROWS), 0.01), own=True, trend=trend)


def standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def test_a_mixture_of_one_predicts_as_that_one() -> None:
    gp = fitted("x", standardised(np.sin(6 * X[ROWS, 0])))
    mean, variance = gp.predict(np.arange(40))
    mixture = Ensemble([gp], 40)
    np.testing.assert_allclose(mixture.mean, mean)
    np.testing.assert_allclose(mixture.variance, variance)


def test_its_covariance_agrees_with_its_variance_and_is_positive() -> None:
    outputs = standardised(np.sin(6 * X[ROWS, 0]) + X[ROWS, 1])
    mixture = Ensemble([fitted("x", outputs), fitted("y", outputs, Trend(scores=SCORES))], 40)
    covariance = mixture.covariance(np.arange(40))
    np.testing.assert_allclose(np.diag(covariance), mixture.variance, rtol=1e-6)
    assert np.linalg.eigvalsh(covariance).min() > -1e-8


def test_a_kernel_that_explains_nothing_is_left_out_beside_one_that_explains_all() -> None:
    outputs = standardised(np.sin(6 * X[ROWS, 0]))
    mixture = Ensemble([fitted("x", outputs), fitted("y", outputs)], 40)
    assert mixture.weights[0] > 0.9
    assert mixture.labels[0] == "gaussian_process_x@1"


def test_far_from_all_measurements_a_trend_is_what_is_expected() -> None:
    columns = np.concatenate([np.linspace(0, 1, 20), [1e3, 2e3]])
    blocks = Blocks({"x": columns[:, None]}, np.arange(20))
    scores = np.concatenate([np.zeros(20), [-1.0, 2.0]])
    trend = Trend(scores=scores, slope=0.5, sd=0.3)
    outputs = standardised(np.sin(6 * columns[:20]))
    gp = fit(
        KernelSpec(name="x", terms=(("x",),)),
        blocks,
        ROWS,
        outputs,
        np.full(20, 0.01),
        own=False,
        trend=trend,
    )
    mean, variance = gp.predict(np.array([20, 21]))
    assert mean == pytest.approx([-0.5, 1.0], abs=1e-6)
    assert variance == pytest.approx([1.0 + 0.09, 1.0 + 0.36], rel=1e-6)
