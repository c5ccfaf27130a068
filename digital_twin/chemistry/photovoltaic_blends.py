"""Photovoltaic blends on the bench: stocks of donors and acceptors that lose their colour, each blend at its own pace.

**What is measured.** How much of its absorbance a film of a blend lost under light, for the proportions of
:mod:`digital_twin.chemistry.blend_degradation`.

**What is assumed.** The bench has no lamp and makes no films. A well holds the blend as an ink, each stock an aqueous
dispersion of one material, equally strong; its proportions are what the pipettes brought, errors included. Heat takes the
place of light: after :data:`REFERENCE_S` at :data:`REFERENCE_C` a blend has lost the published share of its absorbance. It
loses it as a first-order reaction of all its materials alike, which follows temperature as Arrhenius' law says. What is not
mixed degrades as its parts would by themselves. What has degraded absorbs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from digital_twin.chemistry.blend_degradation import INGREDIENTS, load_blend_degradation
from digital_twin.physics.optics import FluorescenceDetector, absorbance, band_height
from digital_twin.thermal import History, cumulative
from digital_twin.wells import Wells
from lab.errors import BadInput

__all__ = ["REFERENCE_C", "REFERENCE_S", "SOLVENT", "STOCK_UMOL_L", "PhotovoltaicBlends"]

FloatArray = npt.NDArray[np.float64]

REFERENCE_C, REFERENCE_S = 85.0, 3600.0
"""Ageing that stands for the published exposure to light. A choice; 85 C is the upper temperature of the dark tests that
the field agreed on (ISOS-D: Reese et al. 2011, Sol. Energy Mater. Sol. Cells 95:1253)."""

_ACTIVATION_J_PER_MOL = 80_000.0
"""A choice: one hour at room temperature then counts as 12 s at 85 C."""

_GAS_CONSTANT_J_PER_MOL_K = 8.314462618
_ZERO_CELSIUS_K = 273.15

SOLVENT = "solvent"
STOCK_UMOL_L = 100.0
"""Of repeat units or molecules, in every stock; equal volumes then bring equal amounts. A chosen recipe."""
_STOCK_CV = 0.01
"""Spread of the true strength of a stock that was weighed in; a choice."""

_BANDS: Mapping[str, tuple[tuple[float, float, float], ...]] = {
    # material: (peak in nm, width at half height in nm, extinction in L/mol/cm)
    "PCE10": ((700.0, 120.0, 45_000.0), (400.0, 160.0, 13_000.0)),
    "P3HT": ((450.0, 120.0, 8_500.0),),
    "PCBM": ((328.0, 70.0, 38_000.0), (420.0, 120.0, 4_500.0)),
    "oIDTBR": ((650.0, 130.0, 100_000.0), (400.0, 150.0, 15_000.0)),
}
"""Gaussian bands in the places where these materials absorb in solution, in the right order of size; from memory, not
checked against spectra. They set how dark a blend looks, not what share of it is lost."""


class PhotovoltaicBlends:
    """The chemistry of blends that age. Implements :class:`digital_twin.chemistry.Chemistry`.

    Species: ``intact:PCE10``, ``aged:PCE10`` and so on for each material.

    Raises:
        MissingData: the package with the measured blends is not installed.
    """

    def __init__(self) -> None:
        self._measured = load_blend_degradation()
        alone = self._measured.at(np.eye(len(INGREDIENTS)))
        self._alone_per_s = -np.log1p(-alone) / REFERENCE_S

    def stock(self, content: str, rng: np.random.Generator) -> Mapping[str, float]:
        """Composition of a content in umol/L; a stock's true strength is drawn, the solvent is nothing but that."""
        if content == SOLVENT:
            return {}
        if content not in INGREDIENTS:
            raise BadInput(
                f"the twin has no measured blends with {content!r}.",
                way_out=f"It knows {', '.join(INGREDIENTS)} and {SOLVENT}.",
            )
        strength = float(np.exp(rng.normal(-0.5 * _STOCK_CV**2, _STOCK_CV)))
        return {f"intact:{content}": STOCK_UMOL_L * strength}

    def expose(self, wells: Wells, history: History) -> None:
        """Let what is in the wells age over a temperature history."""
        intact = np.stack([_held(wells, f"intact:{name}") for name in INGREDIENTS], axis=1)
        aged = np.stack([_held(wells, f"aged:{name}") for name in INGREDIENTS], axis=1)
        here = (wells.volume_ul > 0.0) & (intact.sum(axis=1) > 0.0)
        if not np.any(here):
            return
        blend = -np.log1p(-self._measured.at((intact + aged)[here])) / REFERENCE_S
        apart = wells.unmixed[here, None]
        rate_per_s = (1.0 - apart) * blend[:, None] + apart * self._alone_per_s[None, :]
        lost = intact[here] * -np.expm1(-rate_per_s * _dose_s(history)[here, None])
        for column, name in enumerate(INGREDIENTS):
            if np.any(intact[:, column]):
                wells.amount(f"intact:{name}")[here] -= lost[:, column]
                wells.amount(f"aged:{name}")[here] += lost[:, column]

    def fluorescence_rfu(
        self,
        wells: Wells,
        *,
        excitation_nm: float,
        emission_nm: float,
        gain: float,
        temperature_c: FloatArray,
        detector: FluorescenceDetector,
    ) -> FloatArray:
        """Dark: donor and acceptor quench each other, which is what such blends are made for."""
        return np.zeros_like(wells.volume_ul)

    def absorbance(self, wells: Wells, *, wavelength_nm: float) -> FloatArray:
        """Beer-Lambert over all materials that are intact."""
        depth = wells.shape.liquid_depth_mm(wells.volume_ul)
        per_mm = np.zeros_like(depth)
        for name in INGREDIENTS:
            per_mm += absorbance(
                extinction_l_per_mol_cm=_extinction(name, wavelength_nm),
                concentration_umol_l=wells.concentration_umol_l(f"intact:{name}"),
                path_mm=1.0,
            )
        return per_mm * depth


def _held(wells: Wells, species: str) -> FloatArray:
    """n amounts, without making a place for a species that is not there."""
    found = wells.amounts_pmol.get(species)
    return np.zeros(len(wells.names)) if found is None else found


def _dose_s(history: History) -> FloatArray:
    """Time at the reference temperature that does as much to each of n wells as the history did."""
    inverse_k = 1.0 / (history.temperatures_c + _ZERO_CELSIUS_K) - 1.0 / (REFERENCE_C + _ZERO_CELSIUS_K)
    pace = np.exp(-_ACTIVATION_J_PER_MOL / _GAS_CONSTANT_J_PER_MOL_K * inverse_k)
    dose: FloatArray = cumulative(pace, history.times_s)[-1]
    return dose


def _extinction(name: str, wavelength_nm: float) -> float:
    """L/mol/cm."""
    return sum(
        height * band_height(wavelength_nm, peak_nm=peak, width_nm=width)
        for peak, width, height in _BANDS[name]
    )
