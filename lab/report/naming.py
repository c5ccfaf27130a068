"""What candidates are called: variants by their id, mixtures and conditions by what they consist of."""

from __future__ import annotations

import math

from lab.report.numbers import setting
from lab.types import Campaign, Candidate

__all__ = ["full_name", "is_mixture", "made_of", "noun", "tick_label"]

_SUM_TOLERANCE = 2e-3
_LONGEST_TICK = 52
"""Letters beside an axis that leave room for the axis."""


def is_mixture(candidate: Candidate) -> bool:
    """Whether its values are shares of a whole: two numbers or more from 0 to 1, that sum to 1."""
    shares = list(candidate.values.values())
    if len(shares) < 2 or any(isinstance(v, bool) or not isinstance(v, int | float) for v in shares):
        return False
    return all(0.0 <= v <= 1.0 for v in shares) and abs(math.fsum(shares) - 1.0) <= _SUM_TOLERANCE


def made_of(candidate: Candidate) -> str:
    """``PCE10 30 %, PCBM 70 %``, or ``temperature 40 °C, solvent toluene``; empty for one without values."""
    if is_mixture(candidate):
        return ", ".join(
            f"{name.replace('_', ' ')}\u00a0{100 * share:.3g}\u00a0%"
            for name, share in candidate.values.items()
            if share
        )
    told = (setting(name, _short(value)) for name, value in candidate.values.items())
    return ", ".join("\u00a0".join(pair) for pair in told)


def _short(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def full_name(candidate: Candidate) -> str:
    """``blend_12 (PCE10 30 %, PCBM 70 %)``; the id alone where nothing else describes it."""
    told = made_of(candidate)
    return f"{candidate.id} ({told})" if told else candidate.id


def tick_label(candidate_id: str, told: str) -> str:
    """A candidate beside an axis: by what it is made of, or by its id where that is too long or not told.

    Args:
        told: of :func:`made_of`.
    """
    return told if told and len(told) <= _LONGEST_TICK else candidate_id


def noun(campaign: Campaign) -> str:
    """What a candidate of this campaign is, in one word: ``variant``, ``blend``, or ``candidate``."""
    if campaign.reference.sequence:
        return "variant"
    return "blend" if is_mixture(campaign.reference) else "candidate"
