"""Blocks of features of sequences, made from one byte a varied site."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.types import Candidate
from models.encodings import DnaOneHot, OneHot, Positions, Substitutions, ZScales
from models.residues import z_scale_table
from models.sequences import BASES, RESIDUES, Alphabet, letter_codes
from planners.features import Coded, Features, Shares

__all__ = ["FEW_SITES", "Letters", "letters_of", "sequence_blocks"]

FEW_SITES = 8
"""Up to so many varied sites, each gets lengthscales of its own; more could not be told apart by 100 results."""

_PART = 20_000
"""Candidates whose whole sequences are looked at at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """Sequences of a pool at the sites where they vary.

    Args:
        codes: N x s, int8.
        sites: where these stand in the whole sequence, counted from 0.
        base: (s,), the parent's codes; the first candidate's where there is no parent.
        whole: codes of the whole sequence that ``base`` is of.
        alphabet: what the codes mean.
        parent: letters of the whole parent, empty without one.
    """

    codes: np.ndarray
    sites: tuple[int, ...]
    base: np.ndarray
    whole: np.ndarray
    alphabet: Alphabet
    parent: str

    def changes(self, row: int) -> tuple[int, ...]:
        """Sites (counted from 0 in the whole sequence) where a candidate differs from the parent; none without one."""
        if not self.parent:
            return ()
        return tuple(self.sites[i] for i in np.flatnonzero(self.codes[row] != self.base))

    @property
    def counts(self) -> np.ndarray:
        """How many sites differ from the base: (N,)."""
        found: np.ndarray = (self.codes != self.base).sum(axis=1)
        return found


def letters_of(pool: Sequence[Candidate], parent: str, alphabet_name: str) -> Letters:
    """Codes of a pool whose sequences all have the parent's length.

    Raises:
        BadInput: a sequence that is missing, of another length, or with a letter that the alphabet does not have.
    """
    alphabet = BASES if alphabet_name == "dna" else RESIDUES
    frame = [Candidate(id="parent", sequence=parent)] if parent else list(pool[:1])
    whole = letter_codes(frame, alphabet)[0]
    varied = np.zeros(len(whole), dtype=bool)
    for start in range(0, len(pool), _PART):
        varied |= (letter_codes(pool[start : start + _PART], alphabet, len(whole)) != whole).any(axis=0)
    sites = np.flatnonzero(varied)
    codes = np.empty((len(pool), len(sites)), dtype=np.int8)
    for start in range(0, len(pool), _PART):
        codes[start : start + _PART] = letter_codes(pool[start : start + _PART], alphabet, len(whole))[
            :, sites
        ]
    return Letters(
        codes=codes,
        sites=tuple(int(site) for site in sites),
        base=whole[sites],
        whole=whole,
        alphabet=alphabet,
        parent=parent,
    )


def sequence_blocks(letters: Letters) -> tuple[dict[str, Features], tuple[str, ...]]:
    """Blocks of letters and residues, with a parent also what was replaced by what, and where; labels of the encodings."""
    hot = np.eye(len(letters.alphabet.letters))
    codes, base = letters.codes, letters.base
    columns: dict[str, Features] = {"one_hot": Coded(codes, base, hot)}
    if letters.alphabet is BASES:
        columns |= _by_site("one_hot", codes, base, hot)
        return columns, (DnaOneHot.card.label,)
    scales = z_scale_table()
    columns["z_scales"] = Coded(codes, base, scales)
    columns |= _by_site("one_hot", codes, base, hot)
    columns |= _by_site("z_scales", codes, base, scales)
    used = [OneHot, ZScales]
    if letters.parent:
        used += [Positions, Substitutions]
        columns |= _substitutions(letters, scales)
    return columns, tuple(encoder.card.label for encoder in used)


def _by_site(name: str, codes: np.ndarray, base: np.ndarray, table: np.ndarray) -> dict[str, Features]:
    """A block a site, where the sites are few."""
    if not 1 < len(base) <= FEW_SITES:
        return {}
    return {f"{name}@{i}": Coded(codes[:, [i]], base[[i]], table) for i in range(len(base))}


def _substitutions(letters: Letters, scales: np.ndarray) -> dict[str, Features]:
    """As :class:`models.encodings.Positions` and :class:`models.encodings.Substitutions` have them."""
    codes, base, sites = letters.codes, letters.base, np.array(letters.sites, dtype=np.intp)
    count, kinds = len(sites), len(letters.alphabet.letters)
    differs = np.ones((count, kinds, 1))
    differs[np.arange(count), base] = 0.0
    place = sites / max(len(letters.whole) - 1, 1)

    def at_sites(values: np.ndarray) -> Shares:
        return Shares(codes, base, np.broadcast_to(values[:, None, :], (count, kinds, values.shape[1])))

    return {
        "site": Coded(codes, base, differs),
        "place": at_sites(place[:, None]),
        "new": Shares(codes, base, scales),
        "old": at_sites(scales[base]),
        "near": at_sites(_around(letters.whole, sites, scales)),
    }


def _around(whole: np.ndarray, sites: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Mean z-scales of the residues within two sites of each, itself left out: sites x 5."""
    rows = []
    for site in sites:
        near = [j for j in range(max(site - 2, 0), min(site + 3, len(whole))) if j != site]
        rows.append(scales[whole[near]].mean(axis=0) if near else np.zeros(scales.shape[1]))
    return np.array(rows).reshape(len(sites), scales.shape[1])
