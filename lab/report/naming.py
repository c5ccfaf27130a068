"""What candidates are called: variants by their id, mixtures and conditions by what they consist of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from lab.report.numbers import setting
from lab.types import Campaign, Candidate

__all__ = ["called", "full_name", "is_mixture", "made_of", "noun", "tick_labels", "with_more"]

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


def called(candidate_id: str, told: str) -> tuple[str, str]:
    """What to call a candidate, and what to say of it beside: its id, and what it is made of.

    Candidates of a space are named after their values (``PCE10=0.3 PCBM=0.7``); of those, what they are made of says all.

    Args:
        told: of :func:`made_of`.
    """
    return (told, "") if told and "=" in candidate_id else (candidate_id, told)


def full_name(candidate: Candidate) -> str:
    """``blend_12 (PCE10 30 %, PCBM 70 %)``; no more than one of the two where that says all."""
    return with_more(*called(candidate.id, made_of(candidate)))


def with_more(name: str, more: str) -> str:
    """``name (more)``, or the name alone where there is no more."""
    return f"{name} ({more})" if more else name


def tick_labels(candidates: Sequence[tuple[str, str]]) -> list[str]:
    """Candidates beside an axis: by what they are made of, or by their ids where that is too long or the same for two.

    Args:
        candidates: id of each, and what :func:`made_of` tells of it.
    """
    shared = {told for told, times in Counter(told for _, told in candidates).items() if times > 1}
    by_values = all(told and told not in shared for _, told in candidates)
    return [told if by_values and len(told) <= _LONGEST_TICK else name for name, told in candidates]


def noun(campaign: Campaign) -> str:
    """What a candidate of this campaign is, in one word: ``variant``, ``blend``, or ``candidate``."""
    if campaign.reference.sequence:
        return "variant"
    return "blend" if is_mixture(campaign.reference) else "candidate"
