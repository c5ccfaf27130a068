"""Results of earlier campaigns as something known beforehand: a score whose worth the new results decide.

Plates, batches and instruments differ between campaigns, so old values are not taken as measurements of this one. What the
old results as a whole promise of each candidate is the mean of a prior, mixed with fits without it by how well either
predicts.
"""

from collections import defaultdict
from dataclasses import replace

import numpy as np

from lab.types import Campaign, Candidate, PastResult
from planners.gp import fit
from planners.space import Score, Space

__all__ = ["with_past", "with_past_candidates"]

_LEAST = 5
"""Past results below which they say nothing of other candidates."""

_NOISE = 0.05
"""Variance of a past result beside a variance of 1, where its error is not known."""

_SLOPE, _SLOPE_SD = 0.6, 0.3


def _usable(campaign: Campaign) -> list[PastResult]:
    return [r for r in campaign.past if r.target == campaign.goal.target and np.isfinite(r.value)]


def with_past_candidates(campaign: Campaign) -> Campaign:
    """The campaign with candidates of earlier ones behind its own, so that they are encoded alike.

    What the pool can't describe (other values, another length) is left out: its results say nothing here.
    """
    known = {candidate.id for candidate in campaign.candidates}
    first = campaign.candidates[0]
    strangers = {
        r.candidate.id: r.candidate
        for r in _usable(campaign)
        if r.candidate.id not in known and _alike(r.candidate, first)
    }
    if not strangers:
        return campaign
    return replace(campaign, candidates=(*campaign.candidates, *strangers.values()))


def _alike(stranger: Candidate, own: Candidate) -> bool:
    return len(stranger.sequence) == len(own.sequence) and stranger.values.keys() == own.values.keys()


def with_past(space: Space, campaign: Campaign) -> Space:
    """The space with a score from earlier campaigns, where they tell enough."""
    results = [r for r in _usable(campaign) if r.candidate.id in space.row_of]
    if len(results) < _LEAST or not space.kernels or not space.blocks.names:
        return space
    by_campaign: dict[str, list[PastResult]] = defaultdict(list)
    for result in results:
        by_campaign[result.campaign].append(result)
    rows, outputs, noise = [], [], []
    for own in by_campaign.values():
        values = campaign.goal.sign * np.array([r.value for r in own])
        spread = float(values.std())
        if spread <= 1e-9 * max(float(np.abs(values).max()), 1e-300):
            continue
        errors = np.array([r.standard_error for r in own]) / spread
        rows += [space.row_of[r.candidate.id] for r in own]
        outputs += ((values - values.mean()) / spread).tolist()
        noise += np.where(np.isfinite(errors), np.minimum(errors**2, 25.0), _NOISE).tolist()
    if len(rows) < _LEAST:
        return space
    gp = fit(
        space.kernels[0],
        space.blocks,
        np.array(rows, dtype=np.intp),
        np.array(outputs),
        np.array(noise),
        own=False,
    )
    mean, _ = gp.predict(np.arange(space.size))
    spread = float(mean.std())
    if spread <= 1e-6:
        return space
    score = Score(
        name="earlier campaigns",
        label=gp.label,
        values=np.clip((mean - mean.mean()) / spread, -3.0, 3.0),
        slope=_SLOPE,
        sd=_SLOPE_SD,
        named=True,
    )
    return replace(space, scores=(score, *space.scores))
