"""Letters of proteins and of DNA to integers, with every way they can be wrong said in one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from lab.errors import BadInput
from lab.types import AMINO_ACIDS, DNA

__all__ = ["BASES", "RESIDUES", "Alphabet", "letter_codes", "residue_codes", "varied_sites", "written_codes"]


@cache
def _code_of_byte(letters: str) -> np.ndarray:
    """Byte of a letter -> its place among the letters, -1 for what is none of them; int8 (256,)."""
    table = np.full(256, -1, dtype=np.int8)
    table[[ord(letter) for letter in letters]] = np.arange(len(letters), dtype=np.int8)
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class Alphabet:
    """The letters a sequence is written in, and what they are called.

    Args:
        letters: in the order of their codes.
        of: what is written in them (``DNA``).
        units, unit: what many letters stand for, and one.
        hint: which letters to use, for errors.
    """

    letters: str
    of: str
    units: str
    unit: str
    hint: str

    def codes(self, text: str) -> np.ndarray:
        """Letters -> int8 indices into ``letters``, -1 for what is none."""
        # latin-1 maps one character to one byte, so that rows stay aligned; anything past it becomes "?", which is no letter
        found: np.ndarray = _code_of_byte(self.letters)[
            np.frombuffer(text.encode("latin-1", errors="replace"), dtype=np.uint8)
        ]
        return found

    def refuse(self, candidate: Any, site: int) -> BadInput:
        """The error for a letter that is none; ``site`` counts from 0."""
        letter = candidate.sequence[site]
        return BadInput(
            f"Candidate {candidate.id} has {letter!r} at position {site + 1}, which is no {self.unit}.",
            way_out=self.hint,
        )


RESIDUES = Alphabet(
    letters=AMINO_ACIDS,
    of="amino-acid",
    units="residues",
    unit="amino acid",
    hint=f"Use the capital one-letter codes {AMINO_ACIDS}.",
)
BASES = Alphabet(
    letters=DNA, of="DNA", units="bases", unit="base of DNA", hint=f"Use the capital letters {DNA}."
)


def residue_codes(candidates: Sequence[Any], length: int | None = None) -> np.ndarray:
    """As :func:`letter_codes`, of proteins: int8 n x L, each entry an index into :data:`lab.types.AMINO_ACIDS`."""
    return letter_codes(candidates, RESIDUES, length)


def letter_codes(candidates: Sequence[Any], alphabet: Alphabet, length: int | None = None) -> np.ndarray:
    """Sequences of n candidates -> int8 n x L, each entry an index into the alphabet's letters.

    Args:
        candidates: things with ``id`` and ``sequence``.
        length: the number of letters each must have; that of the first when not given.

    Raises:
        BadInput: a candidate without a sequence, with another length than the rest, or with a letter of another alphabet.
    """
    if not candidates:
        return np.empty((0, length or 0), dtype=np.int8)
    if length is None:
        length = len(candidates[0].sequence)
    for candidate in candidates:
        _has_sequence(candidate, alphabet)
        if len(candidate.sequence) != length:
            raise BadInput(
                f"Candidate {candidate.id} has {len(candidate.sequence)} {alphabet.units} where {length} are expected.",
                way_out="All sequences of one campaign must have the length of the parent; insertions and deletions "
                "can't be encoded.",
            )
    codes = alphabet.codes("".join(c.sequence for c in candidates)).reshape(len(candidates), length)
    bad = np.argwhere(codes < 0)
    if len(bad):
        row, site = (int(x) for x in bad[0])
        raise alphabet.refuse(candidates[row], site)
    return codes


def written_codes(candidate: Any, alphabet: Alphabet) -> np.ndarray:
    """One sequence of whatever length -> int8 (L,), as :func:`letter_codes`.

    Raises:
        BadInput: no sequence, or a letter of another alphabet.
    """
    _has_sequence(candidate, alphabet)
    codes = alphabet.codes(candidate.sequence)
    if (codes < 0).any():
        raise alphabet.refuse(candidate, int(np.argmax(codes < 0)))
    return codes


def _has_sequence(candidate: Any, alphabet: Alphabet) -> None:
    if not candidate.sequence:
        raise BadInput(
            f"Candidate {candidate.id} has no {alphabet.of} sequence.",
            way_out="Give each candidate its sequence.",
        )


def varied_sites(codes: np.ndarray) -> tuple[int, ...]:
    """Columns of n x L ``codes`` that hold more than one residue, counted from 0."""
    if len(codes) == 0:
        return ()
    return tuple(int(site) for site in np.flatnonzero((codes != codes[0]).any(axis=0)))
