"""At which temperature or pH an enzyme works best, and where it melts, guessed from its composition with an interval.

Ridge regressions on the shares of the twenty residues, their squares, the entropy of the shares and the length. They tell
enzymes of a hot spring from those of a brain; two variants of one enzyme differ too little to be told apart. Fitted by
``benchmarks/fit_predictors.py`` to published collections, which are not part of this repository, on their published
splits; margins are from a fifth of the training half that the fit did not see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import field_validator

from lab.errors import BadInput
from lab.interfaces import ModelCard, Prediction
from lab.strict import StrictModel, refuse
from lab.types import AMINO_ACIDS
from models.conformal import LEVELS, Margins
from models.sequences import residue_codes

__all__ = ["EnzymeOptimum", "EnzymeOptimumSettings", "Fit", "described"]

Quantity = Literal["temperature", "melting", "ph"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted regression.

    Args:
        coefficients: of the columns of :func:`described`, and the constant last.
        margins: level -> half the width of the interval, in ``unit``.
        least, most: what the quantity was between.
        shortest, longest: residues of the enzymes that it was fitted to, the shortest and longest thousandth left out.
        entropy: smallest entropy of their compositions, nats, the smallest thousandth left out.
        tested_on: for the card.
    """

    unit: str
    coefficients: tuple[float, ...]
    margins: Mapping[float, float]
    least: float
    most: float
    shortest: int
    longest: int
    entropy: float
    tested_on: str


def described(codes: Sequence[np.ndarray]) -> np.ndarray:
    """Residues of n sequences -> n x 42: shares of the residues, their squares, entropy (nats), logarithm of the length."""
    shares = np.array([np.bincount(c, minlength=len(AMINO_ACIDS)) / len(c) for c in codes]).reshape(
        -1, len(AMINO_ACIDS)
    )
    lengths = np.array([len(c) for c in codes], dtype=np.float64)
    known = np.where(shares > 0.0, shares, 1.0)
    entropy = -(shares * np.log(known)).sum(axis=1)
    return np.column_stack([shares, shares**2, entropy, np.log(lengths)])


class EnzymeOptimumSettings(StrictModel):
    """What a campaign says of it.

    Args:
        quantity: ``temperature`` of best activity, ``melting`` temperature, or ``ph`` of best activity.
        level: how often the interval is to hold the true value.
    """

    quantity: Quantity = "temperature"
    level: float = 0.95

    @field_validator("level")
    @classmethod
    def _known(cls, level: float) -> float:
        if level not in LEVELS:
            raise refuse(
                f"intervals hold the true value 0.8, 0.9 or 0.95 of the time, not {level:g}", "Choose one."
            )
        return level


class EnzymeOptimum:
    """A quantity of whole enzymes, from their sequences.

    Args:
        parent: not used; here so that every model is made in the same way.
    """

    card = ModelCard(
        name="enzyme_optimum",
        version="1/temperature",
        licence="BSD-3-Clause",
        source="drywet; fitted to collections of Seq2Topt (Qiu et al.): BRENDA by way of TOMER, EpHod, DeepTM",
        inputs="amino-acid sequences of whole enzymes",
        outputs="temperature of best activity or melting temperature in degrees Celsius, or pH of best activity; intervals",
    )

    def __init__(self, settings: EnzymeOptimumSettings, *, parent: str = "") -> None:
        del parent
        self._fit = FITS[settings.quantity]
        margin = self._fit.margins[settings.level]
        self._margins = Margins(below=margin, above=margin, level=settings.level)
        self.card = replace(type(self).card, version=f"1/{settings.quantity}", tested_on=self._fit.tested_on)

    def predict(self, candidates: Sequence[Any]) -> Prediction:
        """n candidates -> the quantity, in degrees Celsius or pH units.

        Raises:
            BadInput: a sequence that is missing, shorter or longer than the enzymes that it was fitted to, with letters that
                are no amino acids, or made of fewer kinds of residues than any of them.
        """
        fit = self._fit
        codes = [residue_codes([candidate])[0] for candidate in candidates]
        for candidate, residues in zip(candidates, codes, strict=True):
            if not fit.shortest <= len(residues) <= fit.longest:
                raise BadInput(
                    f"Candidate {candidate.id} has {len(residues)} residues; optima are known for enzymes of "
                    f"{fit.shortest} to {fit.longest}.",
                    way_out="Give whole enzymes, without what they are fused to.",
                )
        columns = described(codes)
        if (poor := np.flatnonzero(columns[:, -2] < fit.entropy)).size:
            raise BadInput(
                f"Candidate {candidates[int(poor[0])].id} is made of fewer kinds of residues than enzymes are.",
                way_out="Give whole enzymes, without repeats and linkers.",
            )
        # one row at a time, so that what is said of one does not depend on its company
        mean = np.array(
            [float(row @ fit.coefficients[:-1]) + fit.coefficients[-1] for row in columns], dtype=np.float64
        )
        return self._margins.around(mean, unit=fit.unit, least=fit.least, most=fit.most)


FITS: Mapping[Quantity, Fit] = {
    "temperature": Fit(
        unit="degrees Celsius",
        coefficients=(
            *(-39, -308.1, 163, -115.7, -77.9, 292.2, -137.8, 70.87, 90.57, -113.1),
            *(62.98, -6.75, 343.2, -583.2, 174.4, -325.9, -313.8, 161.7, 198.9, 351.2),
            *(-433.8, 6234, -2183, 961.3, 608.7, -1682, -2112, -297, -1019, -52.29),
            *(-2565, -606.3, -2899, 5877, -1593, 1265, 1838, -743.1, -418, -739.7),
            *(-85.15, 2.913, 282.4),
        ),
        margins={0.8: 18.54, 0.9: 24.95, 0.95: 32.33},
        least=0.0,
        most=120.0,
        shortest=65,
        longest=2134,
        entropy=2.54,
        tested_on="fitted to four fifths of 2,624 enzymes; "
        "291 others: R2 0.33 (Seq2Topt, a deep network, on the same split 0.48), error 15.3; 95 % intervals hold 95.2 %",
    ),
    "melting": Fit(
        unit="degrees Celsius",
        coefficients=(
            *(-23.52, -177.2, -34.74, 164.8, 104.2, 76.42, 51.25, -105.7, 16.92, -0.1478),
            *(13.19, -14.22, 57.59, -209.2, 136.8, -191.1, -22.34, 43.04, 15.61, 201.7),
            *(5.27, 1392, -208.3, -966.5, -1310, -496.7, -906.6, 800.1, -486.9, -117.5),
            *(-443.5, 0.8431, -572.4, 702.1, -848.4, 477.7, -97.33, -158.5, -403.1, -1114),
            *(-60.27, 0.9324, 230.1),
        ),
        margins={0.8: 9.62, 0.9: 13.59, 0.95: 16.75},
        least=50.0,
        most=99.0,
        shortest=44,
        longest=1023,
        entropy=2.35,
        tested_on="fitted to four fifths of 6,240 proteins that melt above 50; "
        "1,550 others: R2 0.60 (Seq2Topt 0.64), error 7.94; 95 % intervals hold 95.5 %",
    ),
    "ph": Fit(
        unit="pH",
        coefficients=(
            *(2.764, -16.32, -17.85, 17.37, -16.29, -6.002, 4.027, 1.014, 8.657, -1.692),
            *(2.65, -16.82, -7.628, -4.201, 18.15, 4.652, 0.5565, 1.04, -33.48, -8.42),
            *(63.36, 210.9, 179, -45.88, 188.5, 98.14, 29.66, 60.72, 41.68, 73.84),
            *(-44.86, 183.6, 91.02, 76.47, -40.02, 14.63, 37.8, 50.7, 396.2, 8.429),
            *(9.781, -0.2881, -21.74),
        ),
        margins={0.8: 1.17, 0.9: 1.65, 0.95: 2.1},
        least=1.0,
        most=12.0,
        shortest=60,
        longest=1014,
        entropy=2.55,
        tested_on="fitted to four fifths of 7,839 enzymes; "
        "1,966 others: R2 0.24 (Seq2Topt 0.37), error 1.01; 95 % intervals hold 95.1 %",
    ),
}
"""Quantity -> its fit, as ``benchmarks/fit_predictors.py`` prints them."""
