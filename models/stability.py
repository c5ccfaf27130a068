"""What a substitution is expected to change in a protein's stability, in kcal/mol and with an interval that keeps its word.

The scores of :mod:`models.substitution_effects` brought to the scale of measured changes of folding free energy, which takes
two numbers, and margins from proteins that took no part in what predicts them. They are wide: a sequence alone says little
of how much a substitution costs. That is what a planner, or a person, should know before they trust it.

The numbers are fitted by ``benchmarks/fit_predictors.py``, which names the data and can print them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import field_validator

from lab.errors import BadInput
from lab.interfaces import ModelCard, Prediction
from lab.strict import StrictModel, refuse
from models.conformal import LEVELS, Margins
from models.sequences import residue_codes
from models.substitution_effects import SubstitutionEffects

__all__ = ["StabilityOfSubstitutions", "StabilitySettings"]

_AVERAGE, _SLOPE = -0.69, 1.14
_MARGINS: Mapping[float, float] = {0.8: 2.3, 0.9: 3.3, 0.95: 5.0}
_SHORTEST, _LONGEST = 46, 452


class StabilitySettings(StrictModel):
    """What a campaign says of it.

    Args:
        level: how often the interval is to hold the true value.
    """

    level: float = 0.95

    @field_validator("level")
    @classmethod
    def _known(cls, level: float) -> float:
        if level not in LEVELS:
            raise refuse(
                f"intervals hold the true value 0.8, 0.9 or 0.95 of the time, not {level:g}", "Choose one."
            )
        return level


class StabilityOfSubstitutions:
    """Expected change of folding stability of single substitutions, from the sequence alone.

    Args:
        parent: amino-acid letters of the reference.

    Raises:
        BadInput: no parent, or one shorter or longer than the proteins that it was fitted to.
    """

    card = ModelCard(
        name="substitution_stability",
        version="1",
        licence="BSD-3-Clause",
        source="drywet; fitted to FireProtDB (Stourac et al., Nucleic Acids Res. 49 (2021) D319), without protein G and L",
        inputs=f"single substitutions of a protein of {_SHORTEST} to {_LONGEST} residues",
        outputs="change of folding free energy, kcal/mol, positive is more stable than the parent, with an interval",
        tested_on="families left out (89, of 98 proteins): correlation 0.35, error 1.77 kcal/mol where the data spread by "
        "1.86, rank correlation within a protein 0.36; 95 % intervals, 5.0 kcal/mol to either side, hold 96.5 %",
    )

    def __init__(self, settings: StabilitySettings, *, parent: str = "") -> None:
        if not parent:
            raise BadInput(
                "The stability of substitutions is predicted from the parent sequence, and there is none.",
                way_out="Give the reference candidate a sequence.",
            )
        if not _SHORTEST <= len(parent) <= _LONGEST:
            raise BadInput(
                f"The parent has {len(parent)} residues; the stability of substitutions is known for proteins of "
                f"{_SHORTEST} to {_LONGEST}.",
                way_out="Use the domain that is changed alone, or leave this model out.",
            )
        self._effects = SubstitutionEffects(parent=parent)
        self._parent = residue_codes([_Parent(parent)])[0]
        margin = _MARGINS[settings.level]
        self._margins = Margins(below=margin, above=margin, level=settings.level)

    def predict(self, candidates: Sequence[Any]) -> Prediction:
        """n candidates -> change of stability, kcal/mol; that of the parent itself is 0.

        Raises:
            BadInput: a sequence that is missing, of another length or with letters that are no amino acids, or more than one
                substitution.
        """
        codes = residue_codes(candidates, len(self._parent))
        count = (codes != self._parent).sum(axis=1)
        if (many := np.flatnonzero(count > 1)).size:
            raise BadInput(
                f"Candidate {candidates[int(many[0])].id} has {int(count[many[0]])} substitutions; single ones "
                "alone are covered.",
                way_out="Leave candidates with more out, or use a score, which adds substitutions up.",
            )
        mean = np.where(count == 1, _AVERAGE + _SLOPE * self._effects.score(candidates), 0.0)
        return self._margins.around(mean, unit="kcal/mol", scale=(count == 1).astype(np.float64))


class _Parent:
    """The parent where a candidate is expected."""

    id = "parent"

    def __init__(self, sequence: str) -> None:
        self.sequence = sequence
