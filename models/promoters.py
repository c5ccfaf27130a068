"""How strong a bacterial promoter is expected to be, from its sequence alone.

``sigma70`` needs nothing but this file. ``promoter_calculator`` calls a package under the GPL, which its user installs.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from lab.errors import BadInput
from lab.interfaces import ModelCard
from lab.strict import refuse
from lab.types import DNA, Candidate
from models.caching import Cache, cache_folder, key_of
from models.dna import Flanks
from models.packages import needed
from models.sequences import BASES
from models.weights import checked, in_package

__all__ = [
    "CONSENSUS_10",
    "CONSENSUS_35",
    "SPACERS",
    "PromoterCalculator",
    "PromoterCalculatorSettings",
    "Sigma70",
]

CONSENSUS_35 = ("TTGACA", (0.69, 0.79, 0.61, 0.56, 0.54, 0.54))
CONSENSUS_10 = ("TATAAT", (0.77, 0.76, 0.60, 0.61, 0.56, 0.82))
"""Hexamers that sigma-70 binds, and which share of 300 promoters of E. coli has each letter: S. Lisser and H. Margalit,
"Compilation of E. coli mRNA promoter sequences", Nucleic Acids Res. 21 (1993) 1507-1516. What is not the consensus is shared
alike by the other three bases.
"""

SPACERS = {14: 0.01, 15: 0.03, 16: 0.23, 17: 0.46, 18: 0.23, 19: 0.03, 20: 0.01}
"""Bases between the hexamers -> share of promoters. C. B. Harley and R. P. Reynolds, "Analysis of E. coli promoter
sequences", Nucleic Acids Res. 15 (1987) 2343-2361, found 17 +- 1 in 92 % of 263 promoters; how that and the rest are shared
among the lengths is our reading of it, halved from 17 outwards.
"""

_TESTED = (
    "18 constitutive promoters of the Anderson collection (J23100 to J23118): rank correlation {:.2f} with the fluorescence "
    "that the Registry of Standard Biological Parts lists; 1,305 variants of the lac promoter (Kinney et al. 2010): {:.2f} "
    "with the mean bin, measured once; nothing was chosen by either"
)

_COMMAND = "pip install --no-deps promotercalculator==1.2.4 && pip install biopython==1.88 scikit-learn"
_COEFFICIENTS = "fddf16b38bf29799481e8a45890b669111e16cf2e3448e99d1934d19a8f0b8e9"

_BACKGROUND = 0.25
_HEXAMER = 6
_AT_A_TIME = 1000


class Sigma70:
    """Expected strength of a sigma-70 promoter: log-odds of both hexamers and the spacer, over all places it may lie at.

    The polymerase binds wherever it fits, so the odds of all places on the given strand add up (O. G. Berg and P. H. von
    Hippel, J. Mol. Biol. 193 (1987) 723-750, for log-odds as a measure of strength). It knows of no operator, no activator,
    no UP element and no discriminator: it ranks by how much a sequence looks like promoters do.

    Args:
        settings: what stands around the candidates' sequences.
        parent, pool: ignored; here so that every scorer is made in the same way.
    """

    card = ModelCard(
        name="sigma70",
        version="1",
        licence="BSD-3-Clause",
        source="drywet; frequencies of Lisser and Margalit, Nucleic Acids Res. 21 (1993) 1507, and spacers of Harley and "
        "Reynolds, Nucleic Acids Res. 15 (1987) 2343",
        inputs="DNA sequences of 26 bases or more, promoters of E. coli read 5' to 3' on the given strand",
        outputs="natural logarithm of the odds, against random DNA, summed over all places of the hexamers",
        tested_on=_TESTED.format(0.79, 0.45),
    )

    def __init__(
        self, settings: Flanks | None = None, *, parent: str = "", pool: Sequence[Candidate] = ()
    ) -> None:
        del parent, pool
        self._flanks = settings or Flanks()

    def score(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> (n,), larger is stronger.

        Raises:
            BadInput: no sequence, a letter that is no base, or too short for a promoter.
        """
        texts = [self._flanks.around(candidate) for candidate in candidates]
        shortest = 2 * _HEXAMER + min(SPACERS)
        for candidate, text in zip(candidates, texts, strict=True):
            if len(text) < shortest:
                raise BadInput(
                    f"Candidate {candidate.id} has {len(text)} bases, and a sigma-70 promoter at least {shortest}.",
                    way_out="Give the whole promoter, or what stands around it as `before` and `after`.",
                )
        scores = np.empty(len(texts))
        for length in set(map(len, texts)):
            alike = [row for row, text in enumerate(texts) if len(text) == length]
            for start in range(0, len(alike), _AT_A_TIME):
                rows = alike[start : start + _AT_A_TIME]
                codes = BASES.codes("".join(texts[row] for row in rows)).reshape(len(rows), length)
                scores[rows] = _promoter_odds(codes)
        return scores


def _promoter_odds(codes: np.ndarray) -> np.ndarray:
    """n x L -> (n,) logarithm of the summed odds of all placements."""
    minus_35, minus_10 = _hexamer_odds(codes, *CONSENSUS_35), _hexamer_odds(codes, *CONSENSUS_10)
    odds = []
    for spacer, share in SPACERS.items():
        step = _HEXAMER + spacer
        if step < minus_35.shape[1]:
            odds.append(minus_35[:, :-step] + minus_10[:, step:] + np.log(share))
    every = np.hstack(odds)
    most = every.max(axis=1, keepdims=True)
    summed: np.ndarray = most[:, 0] + np.log(np.exp(every - most).sum(axis=1))
    return summed


def _hexamer_odds(codes: np.ndarray, consensus: str, shares: Sequence[float]) -> np.ndarray:
    """Log-odds of a hexamer at every place: n x (L - 5)."""
    places = codes.shape[1] - _HEXAMER + 1
    odds = np.zeros((len(codes), places))
    for site, (letter, share) in enumerate(zip(consensus, shares, strict=True)):
        table = np.full(len(DNA), np.log((1.0 - share) / 3.0 / _BACKGROUND))
        table[DNA.index(letter)] = np.log(share / _BACKGROUND)
        odds += table[codes[:, site : site + places]]
    return odds


class PromoterCalculatorSettings(Flanks):
    """Settings of ``promoter_calculator``.

    Args:
        first_start, last_start: where transcription may start, as positions in ``before``, sequence and ``after`` together,
            counted from 1; everywhere when not given. Each takes 10 to 30 milliseconds the first time, so it pays to say
            where.
    """

    first_start: int | None = Field(default=None, ge=1)
    last_start: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> "PromoterCalculatorSettings":
        if (self.first_start or 1) > (self.last_start or float("inf")):
            raise refuse(
                f"transcription is to start from {self.first_start} to {self.last_start}", "Swap the two."
            )
        return self


class PromoterCalculator:
    """Transcription rate that the Promoter Calculator predicts, as a logarithm.

    Free energies of the hexamers, their spacer, the extended -10, the UP element, the discriminator and the first
    transcribed bases, for each start site of the given strand; the rates of all start sites add up. It has to see 25 bases
    before the -35 and 20 from the start on.

    Args:
        settings: what stands around the candidates' sequences, and where transcription may start.
        parent, pool: ignored; here so that every scorer is made in the same way.

    Raises:
        MissingData: the package is not installed.
    """

    card = ModelCard(
        name="promoter_calculator",
        version="1.2.4",
        licence="GPL-3.0-or-later",
        source="promotercalculator 1.2.4; T. L. LaFleur, A. Hossain and H. M. Salis, Nat. Commun. 13 (2022) 5159",
        inputs="DNA sequences, with what stands around them 78 bases or more; promoters of E. coli, sigma 70",
        outputs="natural logarithm of the summed transcription rates of the given strand, arbitrary unit",
        weights_sha256=_COEFFICIENTS,
        tested_on=_TESTED.format(0.81, 0.40),
    )

    def __init__(
        self,
        settings: PromoterCalculatorSettings | None = None,
        *,
        parent: str = "",
        pool: Sequence[Candidate] = (),
    ) -> None:
        del parent, pool
        self._settings = settings or PromoterCalculatorSettings()
        module = needed(
            "promoter_calculator.promoter_calculator",
            model="promoter_calculator",
            package="promotercalculator",
            command=_COMMAND,
        )
        what = "the Promoter Calculator"
        checked(
            in_package("promoter_calculator", "free_energy_coeffs.npy", command=_COMMAND, what=what),
            _COEFFICIENTS,
            command=_COMMAND,
        )
        self._calculator = module.Promoter_Calculator(verbosity=0)
        self._cache = Cache(cache_folder())

    def score(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> (n,), larger is stronger.

        Raises:
            BadInput: no sequence, a letter that is no base, or no room for a promoter.
        """
        texts = [self._settings.around(candidate) for candidate in candidates]
        if not texts:
            return np.empty(0)
        limits = f"{self._settings.first_start} to {self._settings.last_start}"
        keys = [key_of(self.card.label, _COEFFICIENTS, limits, text) for text in texts]
        rows = self._cache.filled(keys, lambda row: self._rate(candidates[row], texts[row]))
        return rows[:, 0].astype(np.float64)

    def _rate(self, candidate: Any, text: str) -> np.ndarray:
        """Logarithm of the summed rates, (1,)."""
        rates = list(self._rates(text))
        if not rates:
            raise BadInput(
                f"Candidate {candidate.id} leaves no room for a promoter: 25 bases before the -35, 20 from the start on.",
                way_out="Give what stands around the candidates as `before` and `after`.",
            )
        return np.array([np.log(np.sum(rates))])

    def _rates(self, text: str) -> Iterator[float]:
        """Predicted rate of each start site that has room, from the most probable arrangement of its promoter."""
        settings = self._settings
        # The package counts a start by the bases before it.
        sites = ((settings.first_start or 1) - 1, min(settings.last_start or len(text), len(text)))
        found, _ = self._calculator.predict(text, sites, callback=lambda: None)
        for state in found.values():
            yield float(state.Tx_rate)
