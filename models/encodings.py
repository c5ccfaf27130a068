"""Encodings that need no weights: sequences and named values to numbers.

Sequence encoders are made for a space: the parent and the pool tell which sites vary, and only those are encoded (four
sites of a 56-residue protein give 80 one-hot columns, not 1120). A candidate that differs anywhere else is refused
rather than encoded as if it did not.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lab.errors import BadInput
from lab.interfaces import ModelCard
from lab.types import Candidate
from models.residues import z_scale_table
from models.sequences import BASES, RESIDUES, Alphabet, letter_codes, varied_sites

__all__ = [
    "DnaOneHot",
    "NamedValues",
    "OneHot",
    "OneHotSubstitutions",
    "Positions",
    "Substitutions",
    "ZScales",
]

_OURS = "drywet, BSD-3-Clause"
_SANDBERG = "Sandberg et al., J. Med. Chem. 41 (1998) 2481-2491"


class _SequenceEncoder:
    """What sequence encoders share: the frame every candidate must fit, and the sites that are encoded.

    Args:
        parent: the sequence that substitutions are counted from; empty to encode without one.
        pool: candidates whose differences say which sites vary; all sites are encoded when it is empty.
    """

    card: ModelCard
    needs_parent = False
    alphabet: Alphabet = RESIDUES

    def __init__(self, *, parent: str = "", pool: Sequence[Candidate] = ()) -> None:
        if self.needs_parent and not parent:
            raise BadInput(
                f"The encoding {self.card.name} counts substitutions and needs the parent sequence.",
                way_out="Give the reference candidate a sequence.",
            )
        frame = [Candidate(id="parent", sequence=parent)] if parent else list(pool[:1])
        self._frame = letter_codes(frame, self.alphabet)
        self._length = self._frame.shape[1] if frame else None
        self._sites: tuple[int, ...] | None = None
        if pool:
            self._sites = varied_sites(
                np.vstack([self._frame, letter_codes(pool, self.alphabet, self._length)])
            )

    def _codes(self, candidates: Sequence[Any]) -> np.ndarray:
        """Residues at the encoded sites, int8 n x sites."""
        codes = letter_codes(candidates, self.alphabet, self._length)
        if self._sites is None or not len(codes):
            return codes if self._sites is None else codes[:, list(self._sites)]
        fixed = np.ones(codes.shape[1], dtype=bool)
        fixed[list(self._sites)] = False
        stray = np.argwhere((codes != self._frame[0]) & fixed)
        if len(stray):
            row, site = (int(x) for x in stray[0])
            raise BadInput(
                f"Candidate {candidates[row].id} differs at position {site + 1}, where no candidate of the pool does.",
                way_out="Make the encoder with a pool that holds every candidate it will be given.",
            )
        return codes[:, list(self._sites)]

    def _parent_codes(self) -> np.ndarray:
        """The parent's residues at the encoded sites, int8 (sites,)."""
        row = self._frame[0]
        return row if self._sites is None else row[list(self._sites)]

    def _places(self) -> np.ndarray:
        """Position of each encoded site along the chain, 0 to 1."""
        sites = (
            np.arange(self._frame.shape[1]) if self._sites is None else np.array(self._sites, dtype=np.intp)
        )
        return sites / max(self._frame.shape[1] - 1, 1)


class OneHot(_SequenceEncoder):
    """Every residue as 20 zeros and ones: n x (20 sites), site by site."""

    card = ModelCard(
        name="one_hot",
        version="1",
        licence="BSD-3-Clause",
        source=_OURS,
        inputs="amino-acid sequences of one length",
        outputs="20 columns a varied site, 1 where the residue is that of the column",
    )

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> float64 n x (letters of the alphabet times sites).

        Raises:
            BadInput: a sequence that does not fit the space.
        """
        codes, letters = self._codes(candidates), len(self.alphabet.letters)
        return np.eye(letters)[codes].reshape(len(codes), codes.shape[1] * letters)


class DnaOneHot(OneHot):
    """Every base as four zeros and ones: n x (4 sites), site by site."""

    alphabet = BASES
    card = ModelCard(
        name="dna_one_hot",
        version="1",
        licence="BSD-3-Clause",
        source=_OURS,
        inputs="DNA sequences of one length",
        outputs="4 columns a varied site, 1 where the base is that of the column",
    )


class OneHotSubstitutions(_SequenceEncoder):
    """As :class:`OneHot`, with zeros where the residue is the parent's: a row sums to the number of substitutions."""

    needs_parent = True
    card = ModelCard(
        name="one_hot_substitutions",
        version="1",
        licence="BSD-3-Clause",
        source=_OURS,
        inputs="amino-acid sequences of the parent's length",
        outputs="20 columns a varied site, 1 where the residue is that of the column and not the parent's",
    )

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> float64 n x (20 sites); the parent is all zeros.

        Raises:
            BadInput: a sequence that does not fit the space.
        """
        codes = self._codes(candidates)
        letters = len(self.alphabet.letters)
        hot = np.eye(letters)[codes] * (codes != self._parent_codes())[:, :, None]
        return hot.reshape(len(codes), codes.shape[1] * letters)


class ZScales(_SequenceEncoder):
    """Every residue as its five z-scales: n x (5 sites), site by site."""

    card = ModelCard(
        name="z_scales",
        version="1",
        licence="BSD-3-Clause",
        source=_SANDBERG,
        inputs="amino-acid sequences of one length",
        outputs="five columns a varied site: lipophilicity, bulk, polarity, two electronic scales; unitless, as published",
    )

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> float64 n x (5 sites).

        Raises:
            BadInput: a sequence that does not fit the space.
        """
        codes = self._codes(candidates)
        return z_scale_table()[codes].reshape(len(codes), codes.shape[1] * 5)


class Positions(_SequenceEncoder):
    """Which sites differ from the parent: n x sites of zeros and ones."""

    needs_parent = True
    card = ModelCard(
        name="positions",
        version="1",
        licence="BSD-3-Clause",
        source=_OURS,
        inputs="amino-acid sequences of the parent's length",
        outputs="one column a varied site, 1 where the residue is not the parent's",
    )

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> float64 n x sites.

        Raises:
            BadInput: a sequence that does not fit the space.
        """
        return (self._codes(candidates) != self._parent_codes()).astype(np.float64)


class Substitutions(_SequenceEncoder):
    """What was replaced by what, whatever the site: n x 17, so that a site never measured learns from the others.

    Columns: number of substitutions; their mean place along the chain, 0 to 1; mean z-scales of the new residues (5), of
    the parent's residues (5) and of the parent's neighbours two sites to either side (5). The parent itself is all zeros.
    """

    needs_parent = True
    card = ModelCard(
        name="substitutions",
        version="1",
        licence="BSD-3-Clause",
        source=_SANDBERG,
        inputs="amino-acid sequences of the parent's length",
        outputs="17 columns: count, place, and mean z-scales of new residues, replaced residues and their neighbours",
    )

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> float64 n x 17.

        Raises:
            BadInput: a sequence that does not fit the space.
        """
        codes, parent = self._codes(candidates), self._parent_codes()
        table = z_scale_table()
        changed = (codes != parent).astype(np.float64)
        count = changed.sum(axis=1)
        share = changed / np.maximum(count, 1.0)[:, None]
        new = np.einsum("ns,nsz->nz", share, table[codes])
        columns = (
            count[:, None],
            (share @ self._places())[:, None],
            new,
            share @ table[parent],
            share @ self._around(),
        )
        return np.hstack(columns)

    def _around(self) -> np.ndarray:
        """Mean z-scales of the parent's residues within two sites of each encoded site, itself left out: sites x 5."""
        z = z_scale_table()[self._frame[0]]
        sites = range(len(z)) if self._sites is None else self._sites
        rows = []
        for site in sites:
            near = [j for j in range(max(site - 2, 0), min(site + 3, len(z))) if j != site]
            rows.append(z[near].mean(axis=0) if near else np.zeros(5))
        return np.array(rows).reshape(len(rows), 5)


class NamedValues:
    """Candidates that are described by named numbers and levels.

    A number is scaled to 0..1 over the pool, a level (text or a truth value) becomes one column a level. What does not vary
    within the pool has no column.

    Args:
        parent: ignored; here so that every encoder is made in the same way.
        pool: the candidates that set ranges and levels.

    Raises:
        BadInput: no pool, a candidate that lacks a value or has one more, a number that is not finite.
    """

    card = ModelCard(
        name="named_values",
        version="1",
        licence="BSD-3-Clause",
        source=_OURS,
        inputs="candidates with the same named values",
        outputs="one column a number, 0 to 1 over the pool; one column a level, 0 or 1",
    )

    def __init__(self, *, parent: str = "", pool: Sequence[Candidate] = ()) -> None:
        del parent
        if not pool:
            raise BadInput("The encoding named_values needs the pool, to know ranges and levels.")
        self._names = tuple(sorted(pool[0].values))
        if not self._names:
            raise BadInput(
                f"Candidate {pool[0].id} has neither a sequence nor named values, so there is nothing to encode.",
                way_out="Give every candidate a sequence or values.",
            )
        self._ranges: dict[str, tuple[float, float]] = {}
        self._levels: dict[str, tuple[str, ...]] = {}
        for name in self._names:
            column = [self._value(candidate, name) for candidate in pool]
            numbers = [v for v in column if isinstance(v, float)]
            if len(numbers) == len(column):
                low, high = min(numbers), max(numbers)
                if high > low:
                    self._ranges[name] = (low, high)
            else:
                levels = tuple(sorted({str(v) for v in column}))
                if len(levels) > 1:
                    self._levels[name] = levels

    @property
    def groups(self) -> tuple[tuple[str, int], ...]:
        """Name and number of columns of each value that varies, in the order of the columns."""
        return tuple(
            (name, 1 if name in self._ranges else len(self._levels[name]))
            for name in self._names
            if name in self._ranges or name in self._levels
        )

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> float64 n x d.

        Raises:
            BadInput: a value is missing, not finite, of the wrong kind, or a level the pool does not have.
        """
        columns: list[np.ndarray] = [np.empty((len(candidates), 0))]
        for name in self._names:
            values = [self._value(candidate, name) for candidate in candidates]
            if name in self._ranges:
                low, high = self._ranges[name]
                for candidate, value in zip(candidates, values, strict=True):
                    if not isinstance(value, float):
                        raise BadInput(
                            f"Candidate {candidate.id} has {value!r} for {name}, where a number is expected."
                        )
                columns.append((np.array(values, dtype=np.float64)[:, None] - low) / (high - low))
            elif name in self._levels:
                columns.append(self._hot(name, candidates, values))
        return np.hstack(columns)

    def _hot(self, name: str, candidates: Sequence[Any], values: Sequence[float | str]) -> np.ndarray:
        index = {level: i for i, level in enumerate(self._levels[name])}
        hot = np.zeros((len(values), len(index)))
        for row, value in enumerate(values):
            if str(value) not in index:
                known = ", ".join(index)
                raise BadInput(
                    f"Candidate {candidates[row].id} has {value!r} for {name}; the pool has {known}."
                )
            hot[row, index[str(value)]] = 1.0
        return hot

    def _value(self, candidate: Any, name: str) -> float | str:
        if tuple(sorted(candidate.values)) != self._names:
            raise BadInput(
                f"Candidate {candidate.id} has the values {', '.join(sorted(candidate.values)) or 'none'}, where "
                f"{', '.join(self._names)} are expected."
            )
        value = candidate.values[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            return str(value)
        if not np.isfinite(value):
            raise BadInput(f"Candidate {candidate.id} has {value} for {name}, which is not a finite number.")
        return float(value)
