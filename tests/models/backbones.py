"""Backbones of ideal geometry and PDB files of them, so that tests need no measured structure.

Bond lengths and angles of R. A. Engh and R. Huber, Acta Cryst. A47 (1991) 392-400; atoms are placed one after another from
bond, angle and torsion (J. Parsons et al., J. Comput. Chem. 26 (2005) 1063-1068).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

HELIX = (-57.0, -47.0)
STRAND = (-120.0, 130.0)

_NAMES = {
    "A": "ALA",
    "C": "CYS",
    "D": "ASP",
    "E": "GLU",
    "F": "PHE",
    "G": "GLY",
    "H": "HIS",
    "I": "ILE",
    "K": "LYS",
    "L": "LEU",
    "M": "MET",
    "N": "ASN",
    "P": "PRO",
    "Q": "GLN",
    "R": "ARG",
    "S": "SER",
    "T": "THR",
    "V": "VAL",
    "W": "TRP",
    "Y": "TYR",
}


def placed(before: Sequence[np.ndarray], bond: float, angle: float, torsion: float) -> np.ndarray:
    """The atom that follows three others: bond in angstrom, angle and torsion in degrees."""
    a, b, c = before[-3:]
    angle, torsion = np.radians(180.0 - angle), np.radians(torsion)
    along = (c - b) / np.linalg.norm(c - b)
    across = np.cross(b - a, along)
    across /= np.linalg.norm(across)
    local = np.array([np.cos(angle), np.sin(angle) * np.cos(torsion), np.sin(angle) * np.sin(torsion)])
    return c + bond * (local @ np.array([along, np.cross(across, along), across]))


def backbone(turns: Sequence[tuple[float, float]]) -> np.ndarray:
    """Residues with these phi and psi (degrees) -> n x 4 x 3, N, CA, C and O."""
    atoms = [np.zeros(3), np.array([1.458, 0.0, 0.0])]
    atoms.append(atoms[1] + 1.525 * np.array([np.cos(np.radians(69.0)), np.sin(np.radians(69.0)), 0.0]))
    for (_, psi), (phi, _) in pairwise(turns):
        atoms.append(placed(atoms, 1.329, 116.2, psi))
        atoms.append(placed(atoms, 1.458, 121.7, 180.0))
        atoms.append(placed(atoms, 1.525, 111.2, phi))
    chain = np.array(atoms).reshape(-1, 3, 3)
    oxygens = [
        placed(list(residue), 1.231, 120.8, psi + 180.0)
        for residue, (_, psi) in zip(chain, turns, strict=True)
    ]
    return np.concatenate([chain, np.array(oxygens)[:, None]], axis=1)


def hairpin(length: int) -> np.ndarray:
    """Two helices with an extended loop between, so that residues far apart in the chain meet: n x 4 x 3."""
    middle = length // 2
    return backbone([STRAND if abs(i - middle) < 3 else HELIX for i in range(length)])


def pdb(
    sequence: str,
    *,
    atoms: np.ndarray | None = None,
    chain: str = "A",
    first: int = 1,
    missing: Sequence[int] = (),
    record: str = "ATOM  ",
) -> str:
    """Lines of a PDB file.

    Args:
        atoms: as :func:`backbone` gives; a hairpin when not given.
        first: number of the first residue.
        missing: places, counted from 0, that are left out.
    """
    placed_at = hairpin(len(sequence)) if atoms is None else atoms
    lines = []
    for i, letter in enumerate(sequence):
        for name, (x, y, z) in zip(("N", "CA", "C", "O"), placed_at[i], strict=True):
            if i not in missing:
                lines.append(
                    f"{record}{len(lines) + 1:5d}  {name:<3s} {_NAMES[letter]} {chain}{first + i:4d}    "
                    f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00"
                )
    return "\n".join([*lines, "TER", ""])
