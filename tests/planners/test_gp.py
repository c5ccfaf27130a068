import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from planners import gp
from planners.gp import fit
from planners.kernels import UNIT_AXIS, Blocks, KernelSpec, Layout, prior_covariance
from planners.priors import GammaPrior, LogNormalPrior, Prior


def space(seed: int = 0, n: int = 40) -> tuple[Blocks, np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = {"a": rng.random((n, 1)), "b": rng.random((n, 3)), "flat": np.ones((n, 2))}
    smooth = np.sin(5 * columns["a"][:, 0]) + columns["b"].sum(axis=1)
    return Blocks(columns), (smooth - smooth.mean()) / smooth.std()


SPECS = [
    KernelSpec(name="product", terms=(("a", "b"),)),
    KernelSpec(
        name="sum", terms=(("a",), ("b",), ("a", "b")), noise=LogNormalPrior(loc=-2, scale=1, grows=False)
    ),
    KernelSpec(name="rbf", terms=(("a", "b"), ("b",)), lengthscale=LogNormalPrior(), shape="rbf"),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("own", [True, False])
def test_the_gradient_is_that_of_the_objective(spec: KernelSpec, own: bool) -> None:
    blocks, outputs = space()
    rows = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 3])
    layout = Layout.of(spec, blocks)
    distances = {
        b: blocks.squared_distances(blocks.names[b], rows, rows) for term in layout.terms for b in term
    }
    arguments = (spec, layout, distances, gp._shares(rows, own), outputs[rows], 0.03 * np.eye(len(rows)))
    start = layout.start(spec)
    for step in np.random.default_rng(1).normal(scale=0.5, size=(4, len(start))):
        _, gradient = gp._negative_log_posterior(start + step, *arguments)
        numeric = approx_fprime(start + step, lambda t: gp._negative_log_posterior(t, *arguments)[0], 1e-6)
        np.testing.assert_allclose(gradient, numeric, rtol=2e-4, atol=2e-4)


def test_predictions_are_those_of_scikit_learn_at_the_same_parameters() -> None:
    rng = np.random.default_rng(3)
    x = rng.random((30, 2))
    blocks = Blocks({"x": x[:, :1], "y": x[:, 1:]})
    rows, rest = np.arange(20), np.arange(20, 30)
    outputs = np.sin(6 * x[rows, 0]) * x[rows, 1]
    fitted = fit(
        KernelSpec(name="m", terms=(("x", "y"),)), blocks, rows, outputs, np.full(20, 0.01), own=False
    )
    stretch = np.array([np.sqrt(UNIT_AXIS / (2 * x[:, i].var())) for i in (0, 1)])
    kernel = Matern(length_scale=np.exp(fitted.theta[:2]) / stretch, nu=2.5)
    noise = 0.01 + fitted.residual_variance + gp._JITTER
    other = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(x[rows], outputs)
    mean, sd = other.predict(x[rest], return_std=True)
    ours, variance = fitted.predict(rest)
    np.testing.assert_allclose(ours, mean, atol=1e-6)
    np.testing.assert_allclose(np.sqrt(variance), sd, atol=1e-6)


def test_leave_one_out_is_what_leaving_out_and_predicting_gives() -> None:
    blocks, outputs = space()
    spec, rows = SPECS[1], np.arange(15)
    noise = np.linspace(0.01, 0.1, 15)
    fitted = fit(spec, blocks, rows, outputs[rows], noise, own=True)
    layout = Layout.of(spec, blocks)
    for out in (0, 7, 14):
        kept = np.delete(rows, out)
        without = gp.FittedGP(spec, blocks, kept, outputs[kept], noise[kept], True, layout, fitted.theta)
        mean, variance = without.predict(rows[[out]])
        assert fitted.loo_mean[out] == pytest.approx(mean[0], abs=1e-6)
        assert fitted.loo_variance[out] == pytest.approx(variance[0] + noise[out], abs=1e-6)


def test_a_lasting_residual_is_believed_where_measured_and_unknown_elsewhere() -> None:
    rng = np.random.default_rng(5)
    blocks = Blocks({"noise": rng.random((60, 1))})
    outputs = rng.normal(size=60)  # nothing that the feature could explain
    rows = np.arange(50)
    spec = KernelSpec(name="m", terms=(("noise",),), noise=LogNormalPrior(loc=-1, scale=2, grows=False))
    lasting = fit(spec, blocks, rows, outputs[rows], np.full(50, 1e-4), own=True)
    mean, variance = lasting.predict(np.arange(60))
    np.testing.assert_allclose(mean[rows], outputs[rows], atol=0.05)
    assert variance[rows].max() < 1e-3
    assert variance[50:].min() > 0.2


def test_a_candidate_measured_twice_is_known_better_than_one_measured_once() -> None:
    blocks, outputs = space()
    rows = np.array([0, 0, 0, 0, 1, 2, 3, 4, 5])
    fitted = fit(SPECS[0], blocks, rows, outputs[rows], np.full(9, 0.2), own=True)
    _, variance = fitted.predict(np.array([0, 1]))
    assert variance[0] < variance[1]


def test_precise_observations_count_for_more_than_vague_ones() -> None:
    blocks = Blocks({"x": np.array([[0.0], [1.0], [0.5]])})
    spec = KernelSpec(name="m", terms=(("x",),), noise=GammaPrior(shape=2, mode=1e-4, grows=False))
    rows = np.array([2, 2])
    fitted = fit(spec, blocks, rows, np.array([1.0, -1.0]), np.array([0.01, 4.0]), own=True)
    assert fitted.predict(np.array([2]))[0][0] > 0.8


def test_a_fit_explains_what_the_features_explain() -> None:
    blocks, outputs = space(n=80)
    train, rest = np.arange(50), np.arange(50, 80)
    fitted = fit(SPECS[0], blocks, train, outputs[train], np.full(50, 1e-4), own=True)
    mean, variance = fitted.predict(rest)
    assert np.corrcoef(mean, outputs[rest])[0, 1] > 0.9
    assert np.mean(np.abs(mean - outputs[rest]) < 2 * np.sqrt(variance)) > 0.85


def test_a_large_pool_is_predicted_in_parts_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, outputs = space()
    fitted = fit(SPECS[2], blocks, np.arange(12), outputs[:12], np.full(12, 0.01), own=True)
    whole = fitted.predict(np.arange(40))
    monkeypatch.setattr(gp, "_CHUNK", 7)
    for a, b in zip(whole, fitted.predict(np.arange(40)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_blocks_that_do_not_vary_are_dropped_and_a_kernel_of_none_is_a_bug() -> None:
    blocks, _ = space()
    assert blocks.names == ("a", "b")
    with pytest.raises(ValueError, match="no block"):
        prior_covariance(KernelSpec(name="empty", terms=(("flat",),)), blocks, np.arange(3), np.arange(3))


def test_a_blocks_mean_squared_distance_is_that_of_a_unit_axis() -> None:
    blocks, _ = space(n=400)
    every = np.arange(400)
    for name in blocks.names:
        assert blocks.squared_distances(name, every, every).mean() == pytest.approx(UNIT_AXIS)


@pytest.mark.parametrize("prior", [GammaPrior(shape=3, mode=0.205), LogNormalPrior()])
@pytest.mark.parametrize("d", [1, 6])
def test_a_priors_slope_is_the_derivative_by_the_logarithm(prior: Prior, d: int) -> None:
    value = np.array([0.05, 0.4, 3.0])
    up, _ = prior.log_density(value * np.exp(1e-6), d)
    down, _ = prior.log_density(value * np.exp(-1e-6), d)
    np.testing.assert_allclose(prior.log_density(value, d)[1], (up - down) / 2e-6, rtol=1e-5)


def test_the_gamma_prior_peaks_at_its_mode_which_grows_with_the_root_of_dimensions() -> None:
    grid = np.linspace(0.01, 3, 3000)
    log_density, _ = GammaPrior(shape=3.0, mode=0.205).log_density(grid, 4)
    assert grid[log_density.argmax()] == pytest.approx(0.41, abs=0.002)
