"""Published stabilities of single substitutions, without the protein that the closed loop is judged on.

Changes of folding free energy (kcal/mol, positive destabilises) from FireProtDB (Stourac et al., Nucleic Acids Res. 49
(2021) D319), as collected by the authors of ThermoMPNN (Dieckhaus et al., PNAS 121 (2024)), read from
``../shared/data/stability_ddg`` beside the repository. Rows of protein G are dropped by accession, structure, name and end
of the chain whoever measured them, and those of protein L, which shares its fold. What is left is then compared with both
sequences: were one of them still there, loading would fail.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lab.errors import MissingData
from lab.types import AMINO_ACIDS

__all__ = ["DATA", "Substitution", "resembles", "substitutions"]

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
"""What was published by others and is not part of this repository."""

PROTEIN_G = ("P06654", "P19909")
PROTEIN_L = ("Q51912",)
PROTEIN_G_ENDS = ("DDATKTFTV", "NAATKTFTV")
SEQUENCES = {
    "protein G": "MTYKLILNGKTLKGETTTEAVDAATAEKVFKQYANDNGVDGEWTYDDATKTFTVTE",
    "protein L": "MEEVTIKANLIFANGSTQTAEFKGTFEKATSEAYAYADTLKKDNGEYTVDVADKGYTLNIKFAG",
}
STRETCH = 6
"""Residues in a row that unrelated proteins do not share; every dropped row shares more."""


@dataclass(frozen=True, slots=True)
class Substitution:
    """One measured substitution; ``site`` counts from 0 in ``sequence``, where X is a residue that was not resolved."""

    protein: str
    sequence: str
    site: int
    new: str
    ddg_kcal_per_mol: float


def substitutions() -> list[Substitution]:
    """Every distinct substitution, the median of its measurements.

    Raises:
        MissingData: the folder is not there.
        ValueError: protein G or L is among them under another name.
    """
    folder = DATA / "stability_ddg"
    if not folder.is_dir():
        raise MissingData(
            "The measured stabilities are not here: this benchmark reads them from the folder ../shared/data beside "
            "the repository.",
            way_out="Put the files there that the docstring of benchmarks/stabilities.py names.",
        )
    found: dict[tuple[str, str, int, str], list[float]] = {}
    for part in ("train", "val", "test", "HF"):
        with (folder / f"fireprot_{part}.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                old, new, sequence = row["wild_type"], row["mutation"], row["pdb_sequence"]
                letters = old in AMINO_ACIDS and new in AMINO_ACIDS and old != new
                if letters and row["ddG"] and not _left_out(row):
                    protein = row["uniprot_id"] or row["pdb_id_corrected"]
                    found.setdefault((protein, sequence, int(row["pdb_position"]), new), []).append(
                        float(row["ddG"])
                    )
    _check({sequence for _, sequence, _, _ in found})
    return [Substitution(*key, float(np.median(values))) for key, values in found.items()]


def _left_out(row: dict[str, str]) -> bool:
    text = f"{row['sequence']} {row['pdb_sequence']}"
    return (
        row["uniprot_id"] in (*PROTEIN_G, *PROTEIN_L)
        or any(pdb in f"{row['pdb_id']} {row['pdb_id_corrected']}" for pdb in ("1PGA", "1EM7", "2GB1"))
        or "protein G" in row["protein_name"]
        or any(end in text for end in PROTEIN_G_ENDS)
    )


def resembles(sequence: str) -> str:
    """Which of :data:`SEQUENCES` a chain shares :data:`STRETCH` residues in a row with; empty for neither."""
    here = {sequence[i : i + STRETCH] for i in range(len(sequence) - STRETCH + 1)}
    for name, other in SEQUENCES.items():
        if any(other[i : i + STRETCH] in here for i in range(len(other) - STRETCH + 1)):
            return name
    return ""


def _check(sequences: Iterable[str]) -> None:
    for sequence in sequences:
        name = resembles(sequence)
        if name:
            raise ValueError(f"{name} is still among the stabilities, as {sequence}; drop it too")
