"""Protein backbones from PDB files, and which residue of a file is which residue of the parent.

Read by the columns of the format (wwPDB, Atomic Coordinate Entry Format 3.3). Of alternative positions the first counts, of
several models the first. Selenomethionine is methionine; the names that simulation programs give to protonated residues are
known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lab.errors import BadInput, MissingData

__all__ = ["BACKBONE", "Chain", "aligned", "read_chains"]

BACKBONE = ("N", "CA", "C", "O")
"""Atoms of a residue, in the order of the coordinates."""

LEAST_IDENTITY = 0.8
"""Share of the chain's residues that must be the parent's, for the two to count as one protein."""

_COORDINATES = 54
"""Columns of an atom line up to the end of its coordinates."""

_LETTER: Mapping[str, str] = {
    "ALA": "A",
    "ARG": "R",
    "ASN": "N",
    "ASP": "D",
    "CYS": "C",
    "GLN": "Q",
    "GLU": "E",
    "GLY": "G",
    "HIS": "H",
    "ILE": "I",
    "LEU": "L",
    "LYS": "K",
    "MET": "M",
    "PHE": "F",
    "PRO": "P",
    "SER": "S",
    "THR": "T",
    "TRP": "W",
    "TYR": "Y",
    "VAL": "V",
    "MSE": "M",
    "ASH": "D",
    "GLH": "E",
    "LYN": "K",
    "CYX": "C",
    "CYM": "C",
    **dict.fromkeys(("HID", "HIE", "HIP", "HSD", "HSE", "HSP"), "H"),
}
"""Residue name -> letter; of anything else it is X."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Residues of one chain that have coordinates, in the order of the file.

    Args:
        letters: one a residue, X for one that is no amino acid we know.
        numbers: residue numbers of the file.
        inserted: whether any residue has an insertion code, so that numbers do not count residues.
        backbone: n x 4 x 3, N, CA, C and O in angstrom; NaN where an atom is missing.
    """

    name: str
    letters: str
    numbers: tuple[int, ...]
    inserted: bool
    backbone: np.ndarray


def read_chains(path: Path) -> Mapping[str, Chain]:
    """Every chain of a PDB file with amino acids in it, by name (a blank name is a space).

    Raises:
        BadInput: the file is no PDB file, or a line of it can't be read; names the line.
        MissingData: the file is not there or can't be read.
    """
    residues: dict[tuple[str, str], tuple[str, dict[str, list[float]]]] = {}
    for number, line in _atoms(path):
        name = line[17:20].strip()
        if line.startswith("HETATM") and name != "MSE":
            continue
        atoms = residues.setdefault((line[21], line[22:27]), (name, {}))[1]
        atom = line[12:16].strip()
        if atom in BACKBONE and atom not in atoms:
            atoms[atom] = _position(path, number, line)
    grouped: dict[str, list[tuple[str, str, dict[str, list[float]]]]] = {}
    for (chain, place), (name, atoms) in residues.items():
        if name in _LETTER or "CA" in atoms:
            grouped.setdefault(chain, []).append((place, _LETTER.get(name, "X"), atoms))
    if not grouped:
        raise BadInput(
            f"{path} holds no atoms of a protein.",
            way_out="Give a file in PDB format; save mmCIF files as PDB first.",
            file=path,
        )
    return {chain: _chain(path, chain, rows) for chain, rows in grouped.items()}


def _atoms(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of the atom lines of the first model."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise MissingData(
            f"The structure {path} can't be read: {error.strerror or error}.",
            way_out="Give the path of a PDB file, from the campaign file's folder or in full.",
        ) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("ENDMDL"):
            return
        if not line.startswith(("ATOM  ", "HETATM")):
            continue
        if len(line) < _COORDINATES:
            raise BadInput(
                "The line of this atom is cut off.", way_out="Get the file again.", file=path, line=number
            )
        yield number, line


def _position(path: Path, number: int, line: str) -> list[float]:
    """x, y and z in angstrom."""
    try:
        found = [float(line[start : start + 8]) for start in (30, 38, 46)]
    except ValueError:
        found = [np.nan]
    if not np.isfinite(found).all():
        raise BadInput(
            "The coordinates of this atom can't be read.",
            way_out="Columns 31 to 54 hold x, y and z in angstrom, eight columns each.",
            file=path,
            line=number,
        )
    return found


def _chain(path: Path, name: str, rows: list[tuple[str, str, dict[str, list[float]]]]) -> Chain:
    absent = [np.nan] * 3
    try:
        numbers = tuple(int(place[:4]) for place, _, _ in rows)
    except ValueError as error:
        raise BadInput(
            f"Chain {name} has a residue whose number can't be read.",
            way_out="Columns 23 to 26 of an atom line hold the number of its residue.",
            file=path,
        ) from error
    return Chain(
        name=name,
        letters="".join(letter for _, letter, _ in rows),
        numbers=numbers,
        inserted=any(place[4:].strip() for place, _, _ in rows),
        backbone=np.array([[atoms.get(atom, absent) for atom in BACKBONE] for _, _, atoms in rows]),
    )


def aligned(chain: Chain, parent: str) -> np.ndarray:
    """Index into the chain of each residue of the parent, (L,); -1 where the chain has no residue for it.

    Residue numbers of the file are gone by where they fit the parent with one offset; else the letters are aligned. Residues
    of the chain before the parent's first or after its last (tags) are left out.

    Raises:
        BadInput: the chain is another protein, or has residues within the parent that the parent lacks.
    """
    by_number = _by_number(chain, parent)
    places = _by_letters(chain.letters, parent) if by_number is None else by_number
    used = places[places >= 0]
    same = sum(chain.letters[j] == parent[i] for i, j in enumerate(places) if j >= 0)
    if (
        len(used) == 0
        or same < LEAST_IDENTITY * len(used)
        or len(used) < 0.5 * min(len(chain.letters), len(parent))
    ):
        raise BadInput(
            f"Chain {chain.name} of the structure is not the parent: {same} of its {len(chain.letters)} residues fit the "
            f"parent's {len(parent)}.",
            way_out="Name the chain that is the parent's, or give the parent's own structure.",
            field="chain",
        )
    extra = np.setdiff1d(np.arange(used[0], used[-1] + 1), used)
    if len(extra):
        number = chain.numbers[int(extra[0])]
        raise BadInput(
            f"Chain {chain.name} has {len(extra)} residues within the parent that the parent lacks, the first is "
            f"{chain.letters[int(extra[0])]}{number}.",
            way_out="Cut them out of the file, or give the parent as it is in the structure.",
            field="structure",
        )
    return places


def _by_number(chain: Chain, parent: str) -> np.ndarray | None:
    """Places by residue number and the offset that fits best; None where numbers do not do."""
    numbers = np.array(chain.numbers)
    if chain.inserted or (np.diff(numbers) <= 0).any():
        return None
    best: tuple[int, np.ndarray] | None = None
    for offset in range(1 - int(numbers[-1]), len(parent) + 1 - int(numbers[0])):
        sites = numbers - 1 + offset
        inside = (sites >= 0) & (sites < len(parent))
        fit = sum(chain.letters[j] == parent[sites[j]] for j in np.flatnonzero(inside))
        if best is None or fit > best[0]:
            places = np.full(len(parent), -1)
            places[sites[inside]] = np.flatnonzero(inside)
            best = (fit, places)
    if best is None or best[0] < 0.9 * min(len(numbers), len(parent)):
        return None
    return best[1]


def _by_letters(letters: str, parent: str) -> np.ndarray:
    """Places by global alignment (Needleman and Wunsch 1970): match 2, mismatch -1, gap -2, none for ends that hang over."""
    n, m = len(letters), len(parent)
    score = np.zeros((n + 1, m + 1))
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            same = 2.0 if letters[i - 1] == parent[j - 1] else -1.0
            score[i, j] = max(
                score[i - 1, j - 1] + same,
                score[i - 1, j] - (0.0 if j == m else 2.0),
                score[i, j - 1] - (0.0 if i == n else 2.0),
            )
    places = np.full(m, -1)
    i, j = n, m
    while i > 0 and j > 0:
        same = 2.0 if letters[i - 1] == parent[j - 1] else -1.0
        if score[i, j] == score[i - 1, j - 1] + same:
            places[j - 1] = i - 1
            i, j = i - 1, j - 1
        elif score[i, j] == score[i - 1, j] - (0.0 if j == m else 2.0):
            i -= 1
        else:
            j -= 1
    return places
