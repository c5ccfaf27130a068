"""A pool too large to be looked at whole, cut down for one ask: what lies near the best so far, and a draw of the rest.

With a hundred results a model knows nothing of a variant that shares hardly a residue with any good one; what it expects
there is its prior, and a search that follows it wanders. Directed evolution stays within a few substitutions of what works,
and the draw, another at every ask, keeps the rest of the pool in play. On GB1 at four sites the draw
lost nothing against all 149,361 variants (docs/decisions/0009), at a tenth of the cost.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from lab.types import Campaign, Candidate, Experiment, History
from planners.sequence_features import letters_of

__all__ = ["focused"]

_LARGE = 30_000
"""Candidates up to which a pool is looked at whole."""

_CENTRES = 5
"""How many of the best measured candidates the search stays near."""

_NEAR = 2300
"""Candidates around each."""

_DRAWN = 8000
"""Candidates drawn from the whole pool."""


def focused(
    campaign: Campaign,
    history: History,
    pending: Sequence[Experiment],
    rng: np.random.Generator,
    keep: Collection[str] = (),
) -> Campaign:
    """The campaign with the part of its pool that this ask looks at; the campaign itself where its pool is not large.

    Args:
        keep: ids of candidates that must stay, beside those that were ever chosen.

    Raises:
        BadInput: sequences of different lengths, or with letters that the alphabet does not have.
    """
    pool = campaign.candidates
    if len(pool) <= _LARGE:
        return campaign
    asked = {e.candidate.id for e in (*history.experiments, *pending)} | set(keep)
    kept = np.zeros(len(pool), dtype=bool)
    row_of = {}
    for row, candidate in enumerate(pool):
        if candidate.id in asked:
            row_of[candidate.id] = row
            kept[row] = True
    kept[rng.choice(len(pool), _DRAWN, replace=False)] = True
    usable = [
        (campaign.goal.merit(o.value), row_of[e.candidate.id])
        for e, o in history.usable(campaign.goal.target)
        if e.candidate.id in row_of
    ]
    best = list(dict.fromkeys(row for _, row in sorted(usable, key=lambda x: (-x[0], x[1]))))[:_CENTRES]
    if best:
        features = _comparable(campaign)
        for row in best:
            # as many differences as not, by chance where the last of them are alike
            apart = (
                (features != features[row]).sum(axis=1)
                if features.dtype == np.int8
                else _distances(features, row)
            )
            order = np.argpartition(apart + 0.5 * rng.random(len(pool)) * (features.dtype == np.int8), _NEAR)
            kept[order[:_NEAR]] = True
    return replace(campaign, candidates=tuple(pool[int(row)] for row in np.flatnonzero(kept)))


def _comparable(campaign: Campaign) -> np.ndarray:
    """Codes of sequences, int8 N x s, or numbers and levels scaled to their range, float32 N x d."""
    pool = campaign.candidates
    if pool[0].sequence:
        return letters_of(pool, campaign.reference.sequence, campaign.alphabet).codes
    return np.column_stack(
        [_column(pool, name) for name in pool[0].values] or [np.zeros(len(pool), np.float32)]
    )


def _column(pool: Sequence[Candidate], name: str) -> np.ndarray:
    values = [candidate.values.get(name) for candidate in pool]
    try:
        numbers = np.array(values, dtype=np.float32)
    except (TypeError, ValueError):
        # levels: far apart when they differ, whatever their names
        numbers = np.unique([str(value) for value in values], return_inverse=True)[1].astype(np.float32)
        return 1e3 * numbers
    spread = float(np.ptp(numbers)) or 1.0
    scaled: np.ndarray = (numbers - numbers.min()) / spread
    return scaled


def _distances(features: np.ndarray, row: int) -> np.ndarray:
    """Sum over values of how far each is, at most 1 a value: (N,)."""
    apart: np.ndarray = np.minimum(np.abs(features - features[row]), 1.0).sum(axis=1)
    return apart
