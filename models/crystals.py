"""What CHGNet makes of a crystal: 64 numbers that describe it, and its energy, from a structure file.

B. Deng et al., "CHGNet as a pretrained universal neural network potential for charge-informed atomistic modelling", Nat.
Mach. Intell. 5 (2023) 1031-1041; the weights that were trained further on r2SCAN energies. Structures are taken as they
stand in their files: nothing is relaxed.
"""

import contextlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from lab.errors import BadInput
from lab.interfaces import ModelCard
from lab.strict import StrictModel
from models.caching import Cache, cache_folder, key_of
from models.packages import MATERIALS, needed
from models.tables import file_content
from models.values import text_of
from models.weights import checked, in_package

__all__ = ["CHGNET", "Chgnet", "ChgnetSettings", "Crystal", "Crystals"]

_WEIGHTS = "pretrained/r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar"
_SHA256 = "8eba3db0f35a2788bb3ae22885ad340591e27996f213c6643af522a633b50dad"

CHGNET = ModelCard(
    name="chgnet",
    version="0.4.2-r2scan",
    licence="BSD-3-Clause (modified)",
    source="Deng et al., Nat. Mach. Intell. 5 (2023) 1031; package chgnet 0.4.2",
    inputs="ordered crystal structures of elements up to Pu, from CIF or POSCAR files, not relaxed",
    outputs="64 columns: mean over the atoms of the last layer before the energy; no unit, of different sizes",
    weights_sha256=_SHA256,
)

_FEATURES = 64
_HEAVIEST = 94
"""Plutonium: CHGNet has vectors for the elements up to it."""


class ChgnetSettings(StrictModel):
    """Settings of ``chgnet``.

    Args:
        value: name of the candidates' value that holds the name of a structure file: a CIF (``.cif``), else a POSCAR.
        folder: where those files are; a relative path is found from the campaign file's folder, which it is when not given.
    """

    value: str = Field(default="structure", min_length=1)
    folder: Path = Field(default=Path(), strict=False)  # a path is text in a campaign file


@dataclass(frozen=True, slots=True, kw_only=True)
class Crystal:
    """A structure file.

    Args:
        content: all of the file.
    """

    path: Path
    content: bytes

    @property
    def format(self) -> str:
        """As pymatgen calls it."""
        return "cif" if self.path.suffix.lower() == ".cif" else "poscar"

    def structure(self) -> Any:
        """The content as pymatgen's ``Structure``.

        Raises:
            BadInput: it is none, is disordered, or holds an element that CHGNet does not know.
            MissingData: pymatgen is not installed.
        """
        core = needed("pymatgen.core", model="chgnet", package="pymatgen", command=MATERIALS)
        try:
            found = core.Structure.from_str(self.content.decode("utf-8"), fmt=self.format)
            if not found.volume > 0.0:
                raise ValueError("a cell without a volume")
        except (ValueError, KeyError, IndexError, AttributeError, TypeError, AssertionError) as error:
            # which of them pymatgen raises depends on where in the file it stumbles
            raise BadInput(
                f"The file can't be read as a crystal structure ({self.format}).",
                way_out="Give a CIF whose name ends in .cif, or a POSCAR.",
                file=self.path,
            ) from error
        if not found.is_ordered:
            raise BadInput(
                "The structure is disordered: some sites are partly occupied.",
                way_out="Give an ordered structure, for example the best of its orderings.",
                file=self.path,
            )
        if heavy := [site.specie.symbol for site in found if site.specie.Z > _HEAVIEST]:
            raise BadInput(f"The structure holds {heavy[0]}, which CHGNet does not know.", file=self.path)
        return found


class Crystals:
    """CHGNet's numbers of structure files, kept in the cache by content.

    Args:
        settings: where the files are.

    Raises:
        MissingData: the package with the weights is not installed.
    """

    def __init__(self, settings: ChgnetSettings) -> None:
        self._value, self._folder = settings.value, settings.folder
        path = in_package("chgnet", _WEIGHTS, command=MATERIALS, what="CHGNet")
        checked(path, _SHA256, command=MATERIALS)  # chgnet unpickles it, so it must be the one that is known
        self._cache = Cache(cache_folder())
        self._model: Any = None

    def of(self, candidate: Any) -> Crystal:
        """The candidate's structure file.

        Raises:
            BadInput: it names none.
            MissingData: the file is not there.
        """
        return self.read(self._folder / text_of(candidate, self._value, "the name of a structure file"))

    def read(self, path: Path) -> Crystal:
        """A structure file.

        Raises:
            BadInput: it can't be read.
            MissingData: it is not there.
        """
        return Crystal(path=path, content=file_content(path, what="structure", field="models.folder"))

    def described(self, crystals: Sequence[Crystal]) -> tuple[np.ndarray, np.ndarray]:
        """N crystals -> n x 64 features, and (n,) energies in eV an atom.

        Raises:
            BadInput: a file holds no structure that CHGNet covers.
        """
        if not crystals:
            return np.empty((0, _FEATURES)), np.empty(0)
        keys = [
            key_of("chgnet, mean over atoms", _SHA256, crystal.format, crystal.content)
            for crystal in crystals
        ]
        rows = self._cache.filled(keys, lambda index: self._computed(crystals[index])).astype(np.float64)
        return rows[:, :_FEATURES], rows[:, _FEATURES]

    def _computed(self, crystal: Crystal) -> np.ndarray:
        structure = crystal.structure()
        try:
            with threadpool_limits(limits=1), warnings.catch_warnings():
                # of torch, about code of chgnet that reads a number out of a tensor
                warnings.filterwarnings("ignore", message="Converting a tensor with requires_grad=True")
                said = self._loaded().predict_structure(structure, task="e", return_crystal_feas=True)
        except ValueError as error:
            if "isolated atom" not in str(error):
                raise
            raise BadInput(
                "Some atoms of the structure have no neighbour within 6 Å, so that CHGNet can't describe it.",
                way_out="Check the lengths of the cell.",
                file=crystal.path,
            ) from error
        # It sums the features over the atoms of the cell; the same crystal may be written in cells of any size.
        return np.append(said["crystal_fea"] / len(structure), said["e"]).astype(np.float32)

    def _loaded(self) -> Any:
        if self._model is None:
            module = needed("chgnet.model", model="chgnet", package="chgnet", command=MATERIALS)
            with contextlib.redirect_stdout(io.StringIO()):  # it prints how many parameters it has
                self._model = module.CHGNet.load(model_name="r2scan", use_device="cpu", verbose=False)
        return self._model


class Chgnet:
    """A crystal becomes CHGNet's 64 numbers for it.

    Args:
        settings: where the structure files are.
        parent: not used; here so that every model is made in the same way.

    Raises:
        MissingData: the package with the weights is not installed.
    """

    card = CHGNET

    def __init__(self, settings: ChgnetSettings | None = None, *, parent: str = "") -> None:
        del parent
        self._crystals = Crystals(settings or ChgnetSettings())

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> float64 n x 64.

        Raises:
            BadInput: a candidate without a structure file, or one that can't be read or is not covered.
            MissingData: a structure file is not there.
        """
        features, _ = self._crystals.described([self._crystals.of(candidate) for candidate in candidates])
        return features
