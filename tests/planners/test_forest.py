import numpy as np

from planners.features import Dense
from planners.forest import fit_forest

RNG = np.random.default_rng(3)
X = RNG.random((300, 3))
Y = np.where(X[:, 0] > 0.5, 1.0, -1.0) + 0.3 * (X[:, 1] - 0.5)
ROWS = np.arange(60)


def forest(outputs: np.ndarray = Y[ROWS], seed: int = 0):
    return fit_forest([Dense(X)], ROWS, outputs, np.full(len(ROWS), 0.01), seed)


def test_it_finds_a_step_and_says_how_sure_it_is() -> None:
    mean, variance = forest().predict(np.arange(60, 300))
    assert np.corrcoef(mean, Y[60:])[0, 1] > 0.95
    assert np.mean(np.abs(mean - Y[60:]) < 2 * np.sqrt(variance)) > 0.9


def test_out_of_bag_predictions_do_not_know_the_result_they_predict() -> None:
    noise = np.random.default_rng(9).normal(size=60)
    fitted = forest(noise)
    assert abs(np.corrcoef(fitted.loo_mean, noise)[0, 1]) < 0.45
    assert np.corrcoef(fitted.predict(ROWS)[0], noise)[0, 1] > 0.8


def test_what_explains_nothing_has_a_worse_density_than_what_explains() -> None:
    assert forest().loo_log_density > forest(np.random.default_rng(9).normal(size=60)).loo_log_density + 0.3


def test_covariance_agrees_with_variance_and_with_its_columns() -> None:
    fitted, rows = forest(), np.arange(40, 90)
    covariance = fitted.covariance(rows, rows)
    np.testing.assert_allclose(np.diag(covariance), fitted.predict(rows)[1])
    np.testing.assert_allclose(fitted.view(rows)(7), covariance[:, 7])
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_the_same_seed_gives_the_same_forest_whatever_the_last_digit_of_the_outputs() -> None:
    mean = forest().predict(np.arange(300))[0]
    np.testing.assert_array_equal(mean, forest(Y[ROWS] * (1 + 1e-15)).predict(np.arange(300))[0])
    assert (mean != forest(seed=1).predict(np.arange(300))[0]).any()
