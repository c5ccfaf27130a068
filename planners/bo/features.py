"""Candidates as points of a unit cube, for Gaussian processes of BoTorch."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

import models
from lab.errors import BadInput
from lab.interfaces import Encoder, Scorer
from lab.types import Campaign, Candidate

__all__ = ["Encoding", "PoolFeatures", "each_once"]

_MANY_SITES = 40
"""Varied sites above which letters are summed up by what they change, not listed: 20 columns a site would be thousands."""


class Encoding(Protocol):
    """Candidates to the rows that a model sees."""

    @property
    def cards(self) -> tuple[str, ...]:
        """``name@version`` of every encoder and model behind it."""
        ...

    @property
    def categorical(self) -> tuple[int, ...]:
        """Columns whose values are codes of levels without order."""
        ...

    def encode(self, candidates: Sequence[Candidate]) -> np.ndarray:
        """n candidates -> float64 n x d; all but categorical columns 0 to 1 over the space."""
        ...


def each_once(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Candidates in order, each object once; two of one id that are described otherwise are both kept."""
    kept: dict[str, Candidate] = {}
    others = []
    for candidate in candidates:
        if kept.setdefault(candidate.id, candidate) != candidate:
            others.append(candidate)
    return (*kept.values(), *others)


class PoolFeatures:
    """Columns that describe the candidates of a pool, each scaled to 0..1 over it.

    Named values: numbers as they are, one column a level. Sequences: letters and z-scales of the varied sites; for single
    substitutions, or many sites, which positions change and what is put there instead. Beside them whatever the campaign's
    models give: features of encoders, a column for each scorer.

    Args:
        pool: every candidate that will be encoded is described by what they are described by.

    Raises:
        BadInput: the pool can't be encoded.
    """

    categorical: tuple[int, ...] = ()

    def __init__(self, campaign: Campaign, pool: Sequence[Candidate]) -> None:
        parent = campaign.reference.sequence
        sequences = [bool(candidate.sequence) for candidate in pool]
        self._parts: list[tuple[str, Encoder | Scorer, bool]] = []
        encoders: list[Encoder] = []
        if any(sequences):
            encoders += [models.encoder(n, parent=parent, pool=pool) for n in _names(campaign, pool)]
        if not any(sequences) or all(candidate.values for candidate in pool):
            encoders.append(models.encoder("named_values", pool=pool))
        self._parts += [(encoder.card.label, encoder, False) for encoder in encoders]
        for choice in campaign.models:
            model = models.guide(choice, parent=parent)
            if isinstance(model, Encoder):
                self._parts.append((model.card.label, model, False))
            if isinstance(model, Scorer):
                self._parts.append((model.card.label, model, True))
        raw = self._raw(pool)
        self._low, high = raw.min(axis=0), raw.max(axis=0)
        self._varied = high > self._low
        self._range = np.where(self._varied, high - self._low, 1.0)

    @property
    def cards(self) -> tuple[str, ...]:
        """``name@version`` of every encoder and model behind it."""
        return tuple(dict.fromkeys(label for label, _, _ in self._parts))

    def encode(self, candidates: Sequence[Candidate]) -> np.ndarray:
        """n candidates -> float64 n x d; one column of zeros where nothing varies over the pool.

        Raises:
            BadInput: a candidate that does not fit the pool.
        """
        if not self._varied.any():
            return np.zeros((len(candidates), 1))
        scaled: np.ndarray = ((self._raw(candidates) - self._low) / self._range)[:, self._varied]
        return scaled

    def _raw(self, candidates: Sequence[Candidate]) -> np.ndarray:
        columns = [np.empty((len(candidates), 0))]
        for label, part, scores in self._parts:
            column = _column(part, candidates, scores)
            if not np.isfinite(column).all():
                row = int(np.argwhere(~np.isfinite(column))[0][0])
                raise BadInput(
                    f"{label} gives no finite number for candidate {candidates[row].id}.",
                    way_out="Take the model or the candidate out of the campaign.",
                    field="models",
                )
            columns.append(column)
        return np.hstack(columns)


def _column(part: Encoder | Scorer, candidates: Sequence[Candidate], scores: bool) -> np.ndarray:
    """What one encoder or scorer gives: n x columns."""
    if scores:
        assert isinstance(part, Scorer)
        return np.asarray(part.score(candidates), dtype=np.float64)[:, None]
    assert isinstance(part, Encoder)
    return np.asarray(part.encode(candidates), dtype=np.float64)


def _names(campaign: Campaign, pool: Sequence[Candidate]) -> tuple[str, ...]:
    """Encoders that suit the sequences of a pool."""
    parent, protein = campaign.reference.sequence, campaign.alphabet == "protein"
    if not parent or not protein:
        return ("one_hot", "z_scales") if protein else ("one_hot",)
    letters = np.array(
        [list(c.sequence.encode("latin-1", "replace")) for c in pool if len(c.sequence) == len(parent)]
    )
    if len(letters) < len(pool):
        return ("one_hot", "z_scales")  # refuses them with a sentence
    differs = letters != np.frombuffer(parent.encode("latin-1", "replace"), dtype=np.uint8)
    if differs.sum(axis=1).max() <= 1 or differs.any(axis=0).sum() > _MANY_SITES:
        return ("positions", "substitutions")
    return ("one_hot", "z_scales")
