"""Looking beside the pool by small changes, where no gradient goes: sequences, rules, features of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lab.errors import BadInput
from lab.types import Campaign, Candidate
from planners.bo.features import Encoding
from planners.drawing import neighbours

if TYPE_CHECKING:
    import torch

    from planners.bo.choosing import Choice

__all__ = ["Neighbourhood"]

_STEPS, _LOOKED_AT = 2, 128
"""Steps from the best of the pool, and neighbours that each looks at."""


class Neighbourhood:
    """Goes from the best of the pool to the best of its neighbours, and once more from there.

    Args:
        campaign: with a space.
        encoding: how the model sees candidates.
        known: candidates that may not be chosen again.
    """

    def __init__(
        self, campaign: Campaign, encoding: Encoding, known: Sequence[Candidate], rng: np.random.Generator
    ) -> None:
        self._campaign, self._encoding, self._rng = campaign, encoding, rng
        self._known = {_key(candidate) for candidate in known}

    def __call__(self, function: torch.nn.Module, best: Choice) -> Choice | None:
        """A candidate with a larger value than the best of the pool; None where none was found."""
        from planners.bo.choosing import Choice, values_of

        reached = best
        for _ in range(_STEPS):
            near = neighbours([reached.candidate], self._campaign, self._rng, n=_LOOKED_AT)
            fresh = [candidate for candidate in near if _key(candidate) not in self._known]
            if not fresh:
                break
            try:
                X = self._encoding.encode(fresh)
            except BadInput:
                break  # a letter or level that no candidate of the pool has: the model knows nothing of it
            values = values_of(function, X)
            at = int(np.argmax(values))
            if values[at] <= reached.value:
                break
            reached = Choice(candidate=fresh[at], row=X[at], value=float(values[at]))
        if reached is best:
            return None
        self._known.add(_key(reached.candidate))
        return reached


def _key(candidate: Candidate) -> object:
    return candidate.sequence, tuple(sorted(candidate.values.items()))
