"""How stable a crystal is, by CHGNet's energies: against its polymorphs, or against what it may fall apart to."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from lab.errors import BadInput, MissingData
from lab.strict import refuse
from models.composition import element_amounts
from models.crystals import CHGNET, ChgnetSettings, Crystal, Crystals
from models.packages import MATERIALS, needed

__all__ = ["ChgnetStability", "ChgnetStabilitySettings"]

_WAY_OUT = "Add structures of the elements: every compound may fall apart to them."


class ChgnetStabilitySettings(ChgnetSettings):
    """Settings of ``chgnet_stability``: one of the two says what energies are compared with.

    Args:
        compound: formula that all candidates have; they are compared with each other.
        references: folder with structure files of competing phases, every element among them. Candidates are compared with
            the mixture of these that has the lowest energy at the candidate's composition.
    """

    compound: str = Field(default="", examples=["LiCoO2"])
    references: Path | None = Field(default=None, strict=False)

    @model_validator(mode="after")
    def _one(self) -> "ChgnetStabilitySettings":
        if bool(self.compound) == (self.references is not None):
            raise refuse(
                "energies of different compounds say nothing of stability unless something says what to compare them with",
                "Give one: `compound`, if all candidates have one formula, or `references`.",
            )
        return self


class ChgnetStability:
    """Energy of a crystal below what it is compared with, at rest and without temperature.

    Args:
        settings: where the structure files are, and what energies are compared with.
        parent: not used; here so that every model is made in the same way.

    Raises:
        BadInput: the references can't be read, or hold no elements on their own.
        MissingData: the package with the weights is not installed, or there is no such folder.
    """

    card = replace(
        CHGNET,
        name="chgnet_stability",
        inputs=f"{CHGNET.inputs}; all of one compound, or of elements that the references hold",
        outputs="energy below the references, or below 0 where one compound is compared, in eV an atom, at rest",
        tested_on="26 binary compounds in rock salt, caesium chloride and zinc blende, each where its energy is lowest: the "
        "structure that they have is lowest for 23, and within 0.007 eV an atom for CsCl, CsBr and CsI; lattice constants "
        "off by 0.62 % (benchmarks/chgnet_polymorphs.py)",
    )

    def __init__(self, settings: ChgnetStabilitySettings, *, parent: str = "") -> None:
        del parent
        self._crystals = Crystals(settings)
        self._compound = settings.compound
        self._shares = element_amounts(self._compound, "the compound to compare") if self._compound else {}
        self._hull = None if settings.references is None else self._lowest(settings.references)

    def score(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> (n,), larger is more stable.

        Raises:
            BadInput: a candidate whose structure can't be read, is not covered, or is of another compound or other elements.
            MissingData: a structure file is not there.
        """
        crystals = [self._crystals.of(candidate) for candidate in candidates]
        _, energies = self._crystals.described(crystals)
        below = [
            self._below(candidate, crystal, float(energy))
            for candidate, crystal, energy in zip(candidates, crystals, energies, strict=True)
        ]
        return np.array(below, dtype=np.float64)

    def _below(self, candidate: Any, crystal: Crystal, energy: float) -> float:
        composition = crystal.structure().composition
        if self._hull is None:
            found = {element.symbol: float(n) / composition.num_atoms for element, n in composition.items()}
            if found.keys() != self._shares.keys() or any(
                abs(found[e] - share) > 1e-6 for e, share in self._shares.items()
            ):
                raise BadInput(
                    f"Candidate {candidate.id} is {composition.reduced_formula}, not {self._compound}.",
                    way_out="Leave it out, or give `references` to compare different compounds with.",
                )
            return -energy
        if strange := sorted(e.symbol for e in composition if e not in self._hull.elements):
            raise BadInput(
                f"Candidate {candidate.id} holds {strange[0]}, which none of the references is made of.",
                way_out="Add the element, and its compounds with the others, to the references.",
                file=crystal.path,
            )
        lowest: float = self._hull.get_hull_energy_per_atom(composition)
        return lowest - energy

    def _lowest(self, folder: Path) -> Any:
        """The lowest energies that mixtures of the references reach, as pymatgen's ``PhaseDiagram``."""
        if not folder.is_dir():
            raise MissingData(
                f"There is no folder of reference structures {folder}.",
                way_out="Check its name.",
                field="models.references",
            )
        crystals = [
            self._crystals.read(p) for p in sorted(folder.iterdir()) if p.is_file() and p.name[0] != "."
        ]
        _, energies = self._crystals.described(crystals)
        diagrams = needed(
            "pymatgen.analysis.phase_diagram",
            model="chgnet_stability",
            package="pymatgen",
            command=MATERIALS,
        )
        entries = []
        for crystal, energy in zip(crystals, energies, strict=True):
            composition = crystal.structure().composition
            entries.append(diagrams.PDEntry(composition, energy * composition.num_atoms))
        if not entries:
            raise BadInput("The folder of references holds no structures.", way_out=_WAY_OUT, file=folder)
        alone = {entry.elements[0].symbol for entry in entries if len(entry.elements) == 1}
        if lacking := sorted({e.symbol for entry in entries for e in entry.elements} - alone):
            raise BadInput(
                f"The references hold no structure of {lacking[0]} alone.", way_out=_WAY_OUT, file=folder
            )
        return diagrams.PhaseDiagram(entries)
