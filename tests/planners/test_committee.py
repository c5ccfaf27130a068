"""What the default planner believes, and how it chooses by that from a large pool."""

import numpy as np
import pytest

import planners
from lab.types import AMINO_ACIDS, Candidate, History
from planners import choosing, ensemble, gp
from planners.committee import fit_model
from planners.seen import look_back
from planners.space import encode_space
from tests.planners.campaigns import PARENT, campaign, landscape, measured, variants

FOUR_SITES = tuple(
    Candidate(id=a + b + c, sequence=f"M{a}{b}K{c}") for a in "ADFKW" for b in "ADFKWY" for c in "CDEFG"
)
GRID = tuple(
    Candidate(id=f"{x}/{y}", values={"x": float(x), "y": float(y)}) for x in range(6) for y in range(6)
)


def fitness(candidate: Candidate) -> float:
    """Spread over decades, as enrichments are."""
    return float(
        np.exp(sum((i + 1) * 0.35 * AMINO_ACIDS.index(letter) for i, letter in enumerate(candidate.id)) - 9.0)
    )


def model(pool: tuple[Candidate, ...], history: History, parent: str = "", warp: str | None = None):
    made = campaign(pool, parent=parent)
    space = encode_space(made)
    return fit_model(space, look_back(space, made, history, (), ()), 1.0, warp, 0)


def test_results_that_span_decades_are_seen_as_logarithms() -> None:
    fitted = model(FOUR_SITES, measured(FOUR_SITES[::4], fitness))
    rows = np.arange(len(FOUR_SITES))
    mean, sd = fitted.of(rows)
    assert np.corrcoef(mean, [np.log(fitness(c)) for c in FOUR_SITES])[0, 1] > 0.9
    low, high = fitted.interval(mean, sd)
    assert low.min() > -0.1 * max(map(fitness, FOUR_SITES))
    assert (low <= high).all()


def test_results_of_one_size_are_not() -> None:
    fitted = model(variants(), measured(variants()[::9], landscape), PARENT)
    values = np.array([0.3, 0.4, 0.5])
    steps = np.diff(fitted.to_outputs(values))
    assert steps[0] == pytest.approx(steps[1])


def test_several_substitutions_are_judged_by_kernels_and_a_forest_together() -> None:
    labels = model(FOUR_SITES, measured(FOUR_SITES[::4], fitness)).labels
    assert "random_forest@1" in labels
    assert any(label.startswith("gaussian_process_") for label in labels)


def test_leave_one_out_predictions_of_the_mixture_are_worse_than_its_fit_and_better_than_nothing() -> None:
    fitted = model(variants(), measured(variants()[::5], landscape), PARENT)
    seen = fitted.outputs.values
    out = np.corrcoef(fitted.gp.loo_mean, seen)[0, 1]
    rows = np.arange(len(variants()))[::5]
    assert 0.3 < out < np.corrcoef(fitted.gp.mean[rows], seen)[0, 1]


def test_a_large_pool_is_screened_in_parts_and_the_choice_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, history = campaign(variants()), measured(variants()[::9], landscape)

    def chosen() -> list[tuple[str, float | None]]:
        asked = planners.planner("adaptive").ask(5, made, history, (), np.random.default_rng(5))
        return [(e.candidate.id, e.reason.predicted_mean) for e in asked.experiments]

    whole = chosen()
    monkeypatch.setattr(choosing, "_SHORTLIST", 40)
    monkeypatch.setattr(ensemble, "_PART", 50)
    monkeypatch.setattr(gp, "_CHUNK", 30)
    parts = chosen()
    assert [name for name, _ in parts] == [name for name, _ in whole]
    np.testing.assert_allclose([m for _, m in parts], [m for _, m in whole], rtol=1e-9)


def test_single_precision_is_enough_to_screen_by(monkeypatch: pytest.MonkeyPatch) -> None:
    from planners import kernels

    exact = model(FOUR_SITES, measured(FOUR_SITES[::4], fitness)).gp
    monkeypatch.setattr(kernels, "_MANY", 100)
    coarse = model(FOUR_SITES, measured(FOUR_SITES[::4], fitness)).gp
    np.testing.assert_allclose(coarse.mean, exact.mean, atol=2e-3)
    np.testing.assert_allclose(coarse.variance, exact.variance, atol=2e-3)


def test_intervals_cover_most_candidates_that_nobody_measured() -> None:
    planner, pool, rng = planners.planner("adaptive"), variants(), np.random.default_rng(0)
    inside = []
    for seed in range(4):
        rows = np.random.default_rng(seed).choice(len(pool), 60, replace=False)
        rest = [c for i, c in enumerate(pool) if i not in set(rows.tolist())]
        beliefs = planner.predict(campaign(pool), measured([pool[i] for i in rows], landscape), rest, rng)
        truth = np.array([landscape(c) for c in rest])
        inside.append(np.mean((beliefs.low <= truth) & (truth <= beliefs.high)))
    assert 0.9 < np.mean(inside) < 0.995


def test_a_candidate_outside_the_pool_is_predicted_and_too_little_history_predicts_nothing() -> None:
    pool = variants(letters="ADFK")
    stranger = next(c for c in variants() if c.id == "Y3W")
    planner, rng = planners.planner("adaptive"), np.random.default_rng(0)
    beliefs = planner.predict(campaign(pool), measured(pool[::3], landscape), [stranger, pool[0]], rng)
    assert beliefs.mean.shape == (2,)
    assert (beliefs.low < beliefs.mean).all()
    assert (beliefs.mean < beliefs.high).all()
    assert planner.predict(campaign(pool), measured(pool[:2], landscape), [stranger], rng) is None


@pytest.mark.parametrize("kernel", ["", "sum", "squared_exponential"])
def test_numbers_are_judged_by_the_kernel_that_settings_name_and_by_two_without(kernel: str) -> None:
    settings = {"kernels": [kernel]} if kernel else {}
    made = campaign(GRID, parent="")
    history = measured(GRID[::3], lambda c: float(c.values["x"] - c.values["y"]))
    asked = planners.planner("adaptive", settings).ask(2, made, history, (), np.random.default_rng(0))
    cited = asked.experiments[0].reason.model_cards
    kernels = [kernel] if kernel else ["matern", "squared_exponential"]
    assert set(cited) == {"named_values@1", *(f"gaussian_process_{name}@1" for name in kernels)}


def test_the_parameters_of_numbers_are_averaged_over_as_far_as_results_leave_them_open() -> None:
    history = measured(GRID[::3], lambda c: float(np.sin(c.values["x"]) - 0.1 * c.values["y"]))
    fitted, again = model(GRID, history), model(GRID, history)
    settings = {tuple(np.round(member.theta, 9)) for member in fitted.gp.members}
    assert len(settings) > 2
    assert (fitted.gp.mean == again.gp.mean).all()


def test_many_results_are_fitted_once() -> None:
    pool = tuple(
        Candidate(id=f"{x}/{y}", values={"x": float(x), "y": float(y)}) for x in range(15) for y in range(15)
    )
    fitted = model(pool, measured(pool[:210], lambda c: float(np.sin(c.values["x"]))))
    assert len(fitted.gp.members) == 1


def test_sequences_with_settings_of_their_assay_are_judged_by_both() -> None:
    pool = tuple(
        Candidate(id=f"{c.id}/{t}", sequence=c.sequence, values={"temperature_c": float(t)})
        for c in variants(letters="AFK")
        for t in (30, 40, 50)
    )

    def activity(candidate: Candidate) -> float:
        return candidate.values["temperature_c"] / 50.0 + (0.6 if "F" in candidate.sequence[5:] else 0.0)

    fitted = model(pool, measured(pool[::3] + pool[1::7], activity), PARENT)
    truth = np.array([activity(c) for c in pool])
    assert np.corrcoef(fitted.gp.mean, truth)[0, 1] > 0.85
