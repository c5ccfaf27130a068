"""Numbers in the modules are those that the script prints, and its parts do what they say."""

import numpy as np
import pytest

from benchmarks import fit_predictors
from benchmarks.stabilities import DATA, Substitution
from models.enzyme_optima import FITS

ONE = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVK"
OTHER = "GSHMLEDPVDAFKLMSTTNKVLSPLNAKIWEKYGAALEELRKAGIPFEEVKDAAVRAGVS"


def found(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def test_the_fit_of_optimum_temperatures_is_what_the_script_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not (DATA / "enzyme_topt_phopt_tm").is_dir():
        pytest.skip("the measured values are not in the folder shared/data beside the repository")
    fit_predictors.optimum("temperature")
    text, fit = capsys.readouterr().out, FITS["temperature"]
    coefficients = [float(c) for c in found(text, "coefficients").partition(" ")[2].split(", ")]
    np.testing.assert_allclose(fit.coefficients, coefficients, rtol=2e-3)
    for level, margin in fit.margins.items():
        assert f"{level}: {margin}" in found(text, "margins")
    assert f"R2 {found(text, 'test: R2').split()[2]}" in fit.tested_on


def test_the_scale_is_that_of_gains_whichever_protein_has_most_of_them() -> None:
    scores = np.array([0.0, 1.0, 2.0, 0.0, 1.0])
    proteins = np.array(["a", "a", "a", "b", "b"])
    np.testing.assert_allclose(fit_predictors.scale(scores, 0.5 * scores - 1.0, proteins), [-1.0, 0.5])


def test_proteins_that_share_stretches_are_one_family_also_by_way_of_a_third() -> None:
    sequences = {"a": ONE, "b": ONE[:30] + OTHER[:30], "c": OTHER, "d": "W" * 60}
    data = [Substitution(name, sequence, 3, "A", 1.0) for name, sequence in sequences.items()]
    family = fit_predictors.families(data)
    assert len(set(family[:3])) == 1
    assert family[3] not in family[:3]


def test_without_a_penalty_the_ridge_finds_the_line() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3)) * [1.0, 10.0, 0.1]
    y = x @ [1.0, -2.0, 30.0] + 7.0
    np.testing.assert_allclose(fit_predictors.ridge(x, y, 0.0), [1.0, -2.0, 30.0, 7.0])


def test_a_margin_is_never_rounded_down() -> None:
    assert fit_predictors.rounded_up(4.91, 1) == 5.0
    assert fit_predictors.rounded_up(4.9, 1) == 4.9
