"""How much heat a compound gives when it forms from its elements, learned from measured values of 2,135 compounds.

The values are those that pymatgen brings for correcting computed energies (A. Wang et al., "A framework for quantifying
uncertainty in DFT energy corrections", Sci. Rep. 11 (2021) 15496). A Gaussian process on composition vectors is fitted to
all of them when the model is made, which takes some seconds; its errors with one chemical system left out at a time, in
closed form, make the intervals. It sees formulas only: polymorphs have one prediction.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from pydantic import Field

from lab.errors import BadInput
from lab.interfaces import ModelCard, Prediction
from lab.strict import StrictModel
from lab.types import Candidate
from models.composition import Composition, CompositionSettings, element_amounts
from models.conformal import Margins, margins
from models.packages import MATERIALS, needed
from models.values import text_of
from models.weights import in_package, sha256_of

__all__ = ["Fitted", "FormationEnthalpy", "FormationEnthalpySettings", "fitted", "measured_enthalpies"]

_TABLE = "analysis/compatibility/exp_compounds.json.gz"
_WIDTH, _NOISE, _LEVEL = 15.0, 3e-3, 10.0
"""Length of the Matern-5/2 kernel in standardised columns, variance of an error, variance of the constant; in units of the
kernel's own variance. Chosen among a dozen by the errors with chemical systems left out, on these data.
"""
_MOST = 4
_AT_A_TIME = 1000
_DIGITS = 6
"""Decimals that are given: those beyond depend on how many compounds are predicted at a time."""


class FormationEnthalpySettings(StrictModel):
    """Settings of ``formation_enthalpy``.

    Args:
        value: name of the candidates' value that holds the formula.
    """

    value: str = Field(default="formula", min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The process after n measured values.

    Args:
        centre, spread: (d,) of the measured compounds' columns.
        points: n x d, standardised.
        inverse: n x n, of the covariance of the values.
        weights: (n,).
        errors: (n,) measured minus predicted from the other groups, in the values' unit.
        scales: (n,) how uncertain those predictions were said to be.
        within: margins, in units of the scales.
    """

    centre: np.ndarray
    spread: np.ndarray
    points: np.ndarray
    inverse: np.ndarray
    weights: np.ndarray
    errors: np.ndarray
    scales: np.ndarray
    within: Margins

    def predict(self, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """M x d -> (m,) mean, and (m,) how uncertain it is, to be multiplied by the margins."""
        means, scales = [np.empty(0)], [np.empty(0)]
        for start in range(0, len(columns), _AT_A_TIME):
            standard = (columns[start : start + _AT_A_TIME] - self.centre) / self.spread
            across = _kernel(standard, self.points)
            means.append(across @ self.weights)
            known = np.einsum("ij,ij->i", across @ self.inverse, across)
            scales.append(np.sqrt(np.maximum(1.0 + _LEVEL + _NOISE - known, _NOISE)))
        return np.round(np.concatenate(means), _DIGITS), np.round(np.concatenate(scales), _DIGITS)


def fitted(columns: np.ndarray, values: np.ndarray, groups: Sequence[str]) -> Fitted:
    """Fit the process, and its margins from errors with one group left out at a time.

    With A the inverse of the covariance and g a group, what the others predict for it is off by ``inv(A_gg) (A y)_g``, and
    its variance is the diagonal of ``inv(A_gg)`` (for one at a time: S. Sundararajan and S. S. Keerthi, Neural Comput. 13
    (2001) 1103).

    Args:
        columns: n x d.
        values: (n,).
        groups: (n,).
    """
    centre, spread = columns.mean(axis=0), columns.std(axis=0)
    spread = np.where(spread > 0.0, spread, 1.0)
    points = (columns - centre) / spread
    inverse = np.linalg.inv(_kernel(points, points) + _NOISE * np.eye(len(points)))
    weights = inverse @ values
    errors, scales = np.empty(len(values)), np.empty(len(values))
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    for rows in members.values():
        covariance = np.linalg.inv(inverse[np.ix_(rows, rows)])
        errors[rows] = covariance @ weights[rows]
        scales[rows] = np.sqrt(np.diag(covariance))
    return Fitted(
        centre=centre,
        spread=spread,
        points=points,
        inverse=inverse,
        weights=weights,
        errors=errors,
        scales=scales,
        within=margins(errors, groups=groups, scales=scales),
    )


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Covariances of n and m points without noise: n x m."""
    square = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2.0 * a @ b.T
    far = np.sqrt(5.0 * np.maximum(square, 0.0)) / _WIDTH
    found: np.ndarray = (1.0 + far + far**2 / 3.0) * np.exp(-far) + _LEVEL
    return found


def measured_enthalpies() -> tuple[tuple[str, ...], np.ndarray, str]:
    """Formulas, enthalpies of formation at 298 K in eV an atom, and the table's hash.

    Raises:
        MissingData: pymatgen is not installed.
    """
    path = in_package("pymatgen", _TABLE, command=MATERIALS, what="formation_enthalpy")
    rows = json.loads(gzip.decompress(path.read_bytes()))
    formulas = tuple(row["formula"] for row in rows)
    parsed = needed("pymatgen.core", model="formation_enthalpy", package="pymatgen", command=MATERIALS)
    atoms = np.array([parsed.Composition(formula).num_atoms for formula in formulas])
    return formulas, np.array([row["exp energy"] for row in rows], dtype=np.float64) / atoms, sha256_of(path)


@cache
def _shipped() -> tuple[Fitted, frozenset[str], ModelCard]:
    formulas, values, digest = measured_enthalpies()
    systems = [frozenset(element_amounts(f, "a measured compound")) for f in formulas]
    columns = Composition().encode([Candidate(id=f, values={"formula": f}) for f in formulas])
    made = fitted(columns, values, ["-".join(sorted(system)) for system in systems])
    elements = frozenset().union(*systems)
    explained = 1.0 - np.sum(made.errors**2) / np.sum((values - values.mean()) ** 2)
    card = ModelCard(
        name="formation_enthalpy",
        version=f"1-{digest[:8]}",
        licence="MIT (the measured values), BSD-3-Clause",
        source="drywet; values of Wang et al., Sci. Rep. 11 (2021) 15496, in pymatgen; magpie vectors of Ward et al., npj "
        "Comput. Mater. 2 (2016) 16028",
        inputs=f"formulas of compounds of two to {_MOST} of the {len(elements)} elements in the measured ones",
        outputs="standard enthalpy of formation at 298 K, eV an atom, with an interval of 95 %",
        weights_sha256=digest,
        tested_on=f"{len(values)} measured compounds, one of {len(set(systems))} chemical systems left out at a time: R2 "
        f"{explained:.2f}, mean error {np.abs(made.errors).mean():.2f} eV an atom",
    )
    return made, elements, card


class FormationEnthalpy:
    """Predicts the standard enthalpy of formation of a compound from its formula.

    Args:
        settings: which value holds the formula.
        parent: not used; here so that every model is made in the same way.

    Raises:
        MissingData: a package that brings values or vectors is not installed.
    """

    def __init__(self, settings: FormationEnthalpySettings | None = None, *, parent: str = "") -> None:
        del parent
        self._value = (settings or FormationEnthalpySettings()).value
        self._fitted, self._elements, self.card = _shipped()
        self._columns = Composition(CompositionSettings(value=self._value))

    def predict(self, candidates: Sequence[Any]) -> Prediction:
        """n candidates -> enthalpies in eV an atom; below 0 where heat is given.

        Raises:
            BadInput: a formula that can't be read, of an element alone, of more than four elements, or with one that no
                measured compound holds.
        """
        for candidate in candidates:
            self._covered(candidate)
        mean, scale = self._fitted.predict(self._columns.encode(candidates))
        return self._fitted.within.around(mean, unit="eV/atom", scale=scale)

    def _covered(self, candidate: Any) -> None:
        formula = text_of(candidate, self._value, "a formula")
        elements = element_amounts(formula, f"the formula of candidate {candidate.id}")
        if strange := sorted(set(elements) - self._elements):
            raise BadInput(
                f"Candidate {candidate.id} holds {strange[0]}, and no measured compound does.",
                way_out="Leave it out of what is predicted.",
            )
        if not 2 <= len(elements) <= _MOST:
            raise BadInput(
                f"Candidate {candidate.id} is made of {len(elements)} element{'s' * (len(elements) > 1)}; enthalpies were "
                f"learned from compounds of two to {_MOST}.",
                way_out="Leave it out of what is predicted.",
            )
