"""DNA elements to numbers without weights: which short words a sequence is made of, and what stands around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from lab.errors import BadInput
from lab.interfaces import ModelCard
from lab.strict import StrictModel, refuse
from lab.types import DNA, Candidate
from models.sequences import BASES, written_codes

__all__ = ["DnaKMers", "Flanks", "KMerSettings"]

_AT_A_TIME = 500

_MIX = np.uint64(0x9E3779B97F4A7C15)
"""Odd number near 2^64 over the golden ratio: multiplying by it spreads neighbouring integers (Knuth, The Art of Computer
Programming 3, section 6.4)."""


class Flanks(StrictModel):
    """What stands on either side of every candidate's sequence in the construct, where a model has to know.

    Args:
        before, after: letters of the same strand; empty where the candidate's sequence is the whole construct.
    """

    before: str = ""
    after: str = ""

    @field_validator("before", "after")
    @classmethod
    def _bases(cls, written: str) -> str:
        if strange := sorted(set(written) - set(DNA)):
            raise refuse(f"a flank holds {strange[0]!r}, which is no base of DNA", BASES.hint)
        return written

    def around(self, candidate: Any) -> str:
        """The candidate's sequence with what stands around it.

        Raises:
            BadInput: no sequence, or a letter that is no base.
        """
        written_codes(candidate, BASES)
        return f"{self.before}{candidate.sequence}{self.after}"


class KMerSettings(StrictModel):
    """Settings of ``dna_k_mers``.

    Args:
        shortest, longest: lengths of the words that are counted.
        columns: how many columns the words share; 0 for one column a word.
    """

    shortest: int = Field(default=3, ge=1, le=8)
    longest: int = Field(default=6, ge=1, le=8)
    columns: int = Field(default=512, ge=0, le=65536)

    @model_validator(mode="after")
    def _in_order(self) -> "KMerSettings":
        if self.shortest > self.longest:
            raise refuse(
                f"the words are to have at least {self.shortest} and at most {self.longest} letters",
                "Make shortest the smaller one.",
            )
        return self


@dataclass(frozen=True, slots=True)
class _Word:
    """Where words of one length go: word number -> column and sign."""

    length: int
    column: np.ndarray
    sign: np.ndarray


class DnaKMers:
    """How often each word of 3 to 6 bases occurs, wherever it stands. Sequences may differ in length.

    There are 5,440 such words. By default they share 512 columns: a word's column and its sign follow from its letters,
    so that words that meet by chance cancel as often as they add up, and inner products stay right on average
    (K. Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009).

    Args:
        parent, pool: ignored; here so that every encoder is made in the same way.
    """

    card = ModelCard(
        name="dna_k_mers",
        version="1",
        licence="BSD-3-Clause",
        source="drywet; hashing after Weinberger et al., ICML 2009",
        inputs="DNA sequences of any length from the shortest word on",
        outputs="counts of words of 3 to 6 bases, as many columns as the settings say; signed where words share columns",
    )

    def __init__(
        self, settings: KMerSettings | None = None, *, parent: str = "", pool: Sequence[Candidate] = ()
    ) -> None:
        del parent, pool
        settings = settings or KMerSettings()
        self._shortest = settings.shortest
        self._words: list[_Word] = []
        self._columns = 0
        for length in range(settings.shortest, settings.longest + 1):
            number = np.arange(4**length)
            if settings.columns == 0:
                column, sign = self._columns + number, np.ones(len(number))
            else:
                column, sign = _hashed(number, length, settings.columns)
            self._words.append(_Word(length, column, sign))
            self._columns += len(number)
        if settings.columns:
            self._columns = settings.columns

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> float64 n x columns.

        Raises:
            BadInput: no sequence, a letter that is no base, or fewer letters than the shortest word.
        """
        codes = [written_codes(candidate, BASES) for candidate in candidates]
        for candidate, letters in zip(candidates, codes, strict=True):
            if len(letters) < self._shortest:
                raise BadInput(
                    f"Candidate {candidate.id} has {len(letters)} bases, fewer than the words of {self._shortest} "
                    "that are counted.",
                    way_out="Count shorter words, or give the whole element.",
                )
        encoded = np.zeros((len(codes), self._columns))
        for length in {len(letters) for letters in codes}:
            alike = [row for row, letters in enumerate(codes) if len(letters) == length]
            for start in range(0, len(alike), _AT_A_TIME):
                rows = alike[start : start + _AT_A_TIME]
                encoded[rows] = self._counts(np.stack([codes[row] for row in rows]).astype(np.intp))
        return encoded

    def _counts(self, codes: np.ndarray) -> np.ndarray:
        """Letters of n sequences of one length, n x L -> n x columns."""
        counts = np.zeros(len(codes) * self._columns)
        first = np.arange(len(codes))[:, None] * self._columns
        for word in self._words:
            if codes.shape[1] < word.length:
                break
            windows = codes.shape[1] - word.length + 1
            numbers = np.zeros((len(codes), windows), dtype=np.intp)
            for place in range(word.length):
                numbers = 4 * numbers + codes[:, place : place + windows]
            at = (first + word.column[numbers]).ravel()
            counts += np.bincount(at, word.sign[numbers].ravel(), minlength=len(counts))
        return counts.reshape(len(codes), self._columns)


def _hashed(number: np.ndarray, length: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Words by number and length -> column and sign, the same on every machine."""
    with np.errstate(over="ignore"):
        mixed = (number.astype(np.uint64) + np.uint64(4**length)) * _MIX
        mixed ^= mixed >> np.uint64(32)
        mixed *= _MIX
    column = ((mixed >> np.uint64(33)) % np.uint64(columns)).astype(np.intp)
    return column, np.where(mixed >> np.uint64(32) & np.uint64(1), 1.0, -1.0)
