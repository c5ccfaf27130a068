"""A batch, greedily: each choice as if those before it were on their way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lab.types import Candidate
from planners.bo.acquire import Acquisitions
from planners.bo.surrogate import Surrogate, moments

__all__ = ["Choice", "Improve", "choose", "screened", "values_of"]

_CHUNK = 1024
"""Candidates whose acquisition values are worked out at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One chosen candidate.

    Args:
        row: (d,), what the model saw of it.
        value: of the acquisition function when it was chosen.
    """

    candidate: Candidate
    row: np.ndarray
    value: float


Improve = Callable[[torch.nn.Module, Choice], Choice | None]
"""Acquisition function and the best of the pool -> a better candidate beside the pool, if there is one."""


def choose(
    n: int,
    acquisitions: Acquisitions,
    candidates: Sequence[Candidate],
    X: np.ndarray,
    pending: np.ndarray,
    rng: np.random.Generator,
    improve: Improve | None = None,
) -> tuple[Choice, ...]:
    """Up to n of the candidates, or what ``improve`` makes of the best of them.

    Row by row, as ``optimize_acqf_discrete`` goes through its choices, but candidates that look alike stay apart.

    Args:
        X: N x d, of the candidates.
        pending: p x d, on their way.
    """
    left = np.arange(len(candidates))
    under_way, chosen = pending, list[Choice]()
    while len(chosen) < n and len(left):
        function = acquisitions.at(torch.as_tensor(under_way) if len(under_way) else None)
        values = values_of(function, X[left])
        best = np.flatnonzero(values >= values.max() - 1e-12)
        at = int(best[0] if len(best) == 1 else rng.choice(best))
        choice = Choice(candidate=candidates[int(left[at])], row=X[left[at]], value=float(values[at]))
        better = improve(function, choice) if improve is not None else None
        if better is not None and all(better.candidate.id != c.candidate.id for c in chosen):
            choice = better
        chosen.append(choice)
        left = np.array(
            [row for row in left if candidates[int(row)].id != choice.candidate.id], dtype=np.intp
        )
        under_way = np.vstack([under_way, choice.row])
    return tuple(chosen)


def values_of(function: torch.nn.Module, X: np.ndarray) -> np.ndarray:
    """Acquisition values of candidates one by one: n x d -> (n,); what is no number is worst."""
    parts: list[Tensor] = []
    with torch.no_grad():
        for part in torch.split(torch.as_tensor(X), _CHUNK):
            parts.append(function(part[:, None, :]))
    return np.nan_to_num(torch.cat(parts).numpy(), nan=-1e300, posinf=1e300, neginf=-1e300)


def screened(
    count: int, acquisitions: Acquisitions, surrogate: Surrogate, X: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Rows worth a closer look: half by the upper bound of each objective, a quarter by its mean, a quarter at random.

    Args:
        X: N x d.

    Returns:
        rows, ascending, at most ``count``; all where N is no more.
    """
    if len(X) <= count:
        return np.arange(len(X))
    optimistic, expected = _merits(acquisitions, surrogate, X)
    objectives = optimistic.shape[1]
    kept: list[np.ndarray] = []
    for share, merits in ((2, optimistic), (4, expected)):
        most = max(count // (share * objectives), 1)
        kept += [np.argpartition(-column, most)[:most] for column in merits.T]
    rest = np.setdiff1d(np.arange(len(X)), np.concatenate(kept))
    kept.append(rng.choice(rest, min(count // 4, len(rest)), replace=False))
    return np.unique(np.concatenate(kept))


def _merits(acquisitions: Acquisitions, surrogate: Surrogate, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merits two standard deviations up, whichever way that is, and as expected: N x objectives each."""
    best, middle = [], []
    with torch.no_grad():
        for part in torch.split(torch.as_tensor(X), _CHUNK):
            mean, sd = moments(surrogate.model, part)
            ends = [acquisitions.merits(mean + step * sd) for step in (-2.0, 0.0, 2.0)]
            best.append(torch.stack(ends).amax(dim=0).numpy())
            middle.append(ends[1].numpy())
    return np.vstack(best), np.vstack(middle)
