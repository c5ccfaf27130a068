"""What is truly in wells, troughs and tips: volumes and amounts of species.

An amount is in picomoles, which is micromoles a litre times microlitres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lab.bench import LabwareType

__all__ = ["Liquid", "WellShape", "Wells", "well_shape"]

FloatArray = npt.NDArray[np.float64]


@dataclass(slots=True, kw_only=True)
class Liquid:
    """A volume of liquid on its way (in a tip).

    Args:
        amounts_pmol: species -> amount.
    """

    volume_ul: float = 0.0
    amounts_pmol: dict[str, float] = field(default_factory=dict)

    def add(self, other: Liquid) -> None:
        """Mix another liquid into this one."""
        self.volume_ul += other.volume_ul
        for species, amount in other.amounts_pmol.items():
            self.amounts_pmol[species] = self.amounts_pmol.get(species, 0.0) + amount

    def take(self, volume_ul: float) -> Liquid:
        """Split off a volume, or all of it when there is less."""
        share = 1.0 if volume_ul >= self.volume_ul else max(0.0, volume_ul) / self.volume_ul
        taken = Liquid(
            volume_ul=self.volume_ul * share,
            amounts_pmol={species: amount * share for species, amount in self.amounts_pmol.items()},
        )
        self.volume_ul -= taken.volume_ul
        for species, amount in taken.amounts_pmol.items():
            self.amounts_pmol[species] -= amount
        return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class WellShape:
    """A round well: a cone below, a cylinder of the same diameter above.

    Args:
        diameter_mm: inside, at the mouth.
        cone_mm: height of the cone; 0 for a flat bottom.
        depth_mm: of the whole well.
    """

    diameter_mm: float
    cone_mm: float
    depth_mm: float

    @property
    def brim_ul(self) -> float:
        """Volume at which it runs over."""
        return self._area_mm2 * (self.cone_mm / 3.0 + self.depth_mm - self.cone_mm)

    @property
    def _area_mm2(self) -> float:
        return float(np.pi * self.diameter_mm**2 / 4.0)

    def liquid_depth_mm(self, volume_ul: FloatArray) -> FloatArray:
        """Height of the surface above the bottom; the meniscus is not modelled."""
        cone_ul = self._area_mm2 * self.cone_mm / 3.0
        above: FloatArray = self.cone_mm + (volume_ul - cone_ul) / self._area_mm2
        if cone_ul == 0.0:
            return above
        within = self.cone_mm * np.cbrt(np.maximum(volume_ul, 0.0) / cone_ul)
        depth: FloatArray = np.where(volume_ul <= cone_ul, within, above)
        return depth


_SHAPES = {
    # 4titude FrameStar 4ti-0960, from its definition in PyLabRobot 0.2.2.
    "azenta_96_wellplate_200uL_Vb_4titudeframestar": WellShape(diameter_mm=5.5, cone_mm=9.8, depth_mm=15.1),
    # Corning 3603, from its definition in PyLabRobot 0.2.2.
    "cor_96_wellplate_360uL_Fb": WellShape(diameter_mm=6.86, cone_mm=0.0, depth_mm=10.67),
    # Hamilton 56694: a round well of the same cross-section (1455 mm2 by the height table in PyLabRobot) and brim (80 mL).
    "hamilton_1_trough_60mL_Vb": WellShape(diameter_mm=43.04, cone_mm=5.28, depth_mm=58.5),
}


def well_shape(kind: LabwareType) -> WellShape:
    """Inside of a well of this labware.

    Labware whose shape is not known here gets a flat well of the standard 9 mm pitch plate, 6.4 mm wide, as deep as
    its stated volume asks for.
    """
    known = _SHAPES.get(kind.name)
    if known is not None:
        return known
    return WellShape(diameter_mm=6.4, cone_mm=0.0, depth_mm=1.1 * kind.max_volume_ul / (np.pi * 3.2**2))


class Wells:
    """Contents of all wells of one piece of labware, row-major.

    Args:
        kind: the labware; its rows x columns are the n wells.

    Attributes:
        volume_ul: n.
        amounts_pmol: species -> n amounts.
        unmixed: n, 0 to 1: share of the well that the liquid added last has not reached yet.
    """

    def __init__(self, kind: LabwareType) -> None:
        self.kind = kind
        self.shape = well_shape(kind)
        self.names = kind.wells
        self._index = {name: index for index, name in enumerate(self.names)}
        self.volume_ul: FloatArray = np.zeros(len(self.names))
        self.amounts_pmol: dict[str, FloatArray] = {}
        self.unmixed: FloatArray = np.zeros(len(self.names))

    def index(self, well: str) -> int:
        """Place of a well in the arrays.

        Raises:
            KeyError: no such well.
        """
        return self._index[well]

    def amount(self, species: str) -> FloatArray:
        """n amounts of a species, zeros where it is not; may be written to."""
        if species not in self.amounts_pmol:
            self.amounts_pmol[species] = np.zeros(len(self.names))
        return self.amounts_pmol[species]

    def concentration_umol_l(self, species: str) -> FloatArray:
        """n concentrations; 0 in dry wells."""
        amounts = self.amounts_pmol.get(species)
        if amounts is None:
            return np.zeros(len(self.names))
        found: FloatArray = np.divide(
            amounts, self.volume_ul, out=np.zeros(len(self.names)), where=self.volume_ul > 0.0
        )
        return found

    def with_prefix(self, prefix: str) -> Mapping[str, FloatArray]:
        """Species whose name begins so, in the order in which they came."""
        return {name: a for name, a in self.amounts_pmol.items() if name.startswith(prefix)}

    def draw(self, index: int, volume_ul: float) -> Liquid:
        """Take liquid out of one well, or all there is when it holds less."""
        held = float(self.volume_ul[index])
        if held <= 0.0 or volume_ul <= 0.0:
            return Liquid()
        share = min(1.0, volume_ul / held)
        taken = Liquid(volume_ul=held * share)
        for species, amounts in self.amounts_pmol.items():
            amount = float(amounts[index])
            if amount:
                taken.amounts_pmol[species] = amount * share
                amounts[index] = amount - amount * share
        self.volume_ul[index] = held - taken.volume_ul
        return taken

    def pour(self, index: int, liquid: Liquid) -> None:
        """Add liquid to one well, on top: unmixed until it is mixed, shaken or left to diffuse."""
        held = float(self.volume_ul[index])
        for species, amount in liquid.amounts_pmol.items():
            self.amount(species)[index] += amount
        self.volume_ul[index] = total = held + liquid.volume_ul
        if held > 0.0 and liquid.volume_ul > 0.0:
            layered = min(held, liquid.volume_ul) / total
            self.unmixed[index] = 1.0 - (1.0 - self.unmixed[index]) * (1.0 - layered)
