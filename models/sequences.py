"""Amino-acid letters to integers, with every way they can be wrong said in one sentence."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lab.errors import BadInput
from lab.types import AMINO_ACIDS

__all__ = ["residue_codes", "varied_sites"]

_CODE_OF_BYTE = np.full(256, -1, dtype=np.int8)
for _index, _letter in enumerate(AMINO_ACIDS):
    _CODE_OF_BYTE[ord(_letter)] = _index


def residue_codes(candidates: Sequence[Any], length: int | None = None) -> np.ndarray:
    """Sequences of n candidates -> int8 n x L, each entry an index into :data:`lab.types.AMINO_ACIDS`.

    Args:
        candidates: things with ``id`` and ``sequence``.
        length: the number of residues each must have; that of the first when not given.

    Raises:
        BadInput: a candidate without a sequence, with another length than the rest, or with a letter that is no amino acid.
    """
    if not candidates:
        return np.empty((0, length or 0), dtype=np.int8)
    if length is None:
        length = len(candidates[0].sequence)
    for candidate in candidates:
        if not candidate.sequence:
            raise BadInput(
                f"Candidate {candidate.id} has no amino-acid sequence.",
                way_out="Give each candidate its sequence.",
            )
        if len(candidate.sequence) != length:
            raise BadInput(
                f"Candidate {candidate.id} has {len(candidate.sequence)} residues where {length} are expected.",
                way_out="All sequences of one campaign must have the length of the parent; insertions and deletions "
                "can't be encoded.",
            )
    # latin-1 maps one character to one byte, so that rows stay aligned; anything past it becomes "?", which is no residue
    text = "".join(candidate.sequence for candidate in candidates).encode("latin-1", errors="replace")
    codes: np.ndarray = _CODE_OF_BYTE[np.frombuffer(text, dtype=np.uint8)].reshape(len(candidates), length)
    bad = np.argwhere(codes < 0)
    if len(bad):
        row, site = (int(x) for x in bad[0])
        letter = candidates[row].sequence[site]
        raise BadInput(
            f"Candidate {candidates[row].id} has {letter!r} at position {site + 1}, which is no amino acid.",
            way_out=f"Use the capital one-letter codes {AMINO_ACIDS}.",
        )
    return codes


def varied_sites(codes: np.ndarray) -> tuple[int, ...]:
    """Columns of n x L ``codes`` that hold more than one residue, counted from 0."""
    if len(codes) == 0:
        return ()
    return tuple(int(site) for site in np.flatnonzero((codes != codes[0]).any(axis=0)))
