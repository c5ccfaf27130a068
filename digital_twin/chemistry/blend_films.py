"""Films of photovoltaic blends: mixed as inks, dried, annealed, bleached by light, each blend at its own pace.

**What is measured.** How much of its absorbance a film of a blend lost under light, for the proportions of
:mod:`digital_twin.chemistry.blend_degradation`. It stands for :data:`REFERENCE_SUN_S` under one sun at :data:`REFERENCE_C`;
the file does not say how long the films were lit, so that this is a choice.

**What is assumed.**

* A stock is an aqueous dispersion of nanoparticles of one material, as such inks are made (Holmes et al. 2016, Nano Energy
  19:495, on organic photovoltaics from nanoparticles); all are equally strong. The water leaves as the world dries wells.
* What is left when the liquid is gone still holds bound water, its particles have not fused, and it scatters. The bound
  water leaves as a first-order reaction whose activation energy is water's enthalpy of vaporisation, and the particles fuse
  as it does. Until then the materials absorb as they do dissolved, afterwards as solids.
* Light takes the same share of all materials of a mixed film, by a first-order reaction in the dose. It follows temperature
  with 26 kJ/mol, and water speeds it up (both of P3HT in Hintz et al. 2011, Chem. Mater. 23:145, quoted from memory; by how
  much water does, is a choice).
* Heat takes from all alike, dark or lit: an anneal that is too hot or too long bleaches films before they are aged.
* What is lost absorbs nothing. What was not mixed degrades as its parts would by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from digital_twin.chemistry.blend_degradation import INGREDIENTS, load_blend_degradation
from digital_twin.drying import volumes_ul
from digital_twin.physics.films import (
    LIGHT_KJ_PER_MOL,
    bleaching_per_s,
    bound_water_loss_per_s,
    film_absorbance,
    scattering,
)
from digital_twin.physics.kinetics import arrhenius_factor
from digital_twin.physics.optics import FluorescenceDetector, band_height
from digital_twin.thermal import History, cumulative
from digital_twin.wells import Wells
from lab.errors import BadInput

__all__ = [
    "BOUND_WATER",
    "REFERENCE_C",
    "REFERENCE_SUN_S",
    "SOLVENT",
    "STOCK_UMOL_L",
    "BlendFilms",
    "wet_share",
]

FloatArray = npt.NDArray[np.float64]

REFERENCE_C, REFERENCE_SUN_S = 40.0, 12.0 * 3600.0
"""Temperature and dose of light, in suns x seconds, after which a film has lost the published share."""

SOLVENT = "solvent"
BOUND_WATER = "bound_water"
"""Species: amount of bound water in units of what a film holds that was just dried, one for each unit of material."""

STOCK_UMOL_L = 50.0
"""Of repeat units or molecules, in every stock; 100 ul on the floor of a well then make a film of about 50 nm."""
_STOCK_CV = 0.01
"""Spread of the true strength of a stock that was weighed in; a choice."""

_BARE_UL = 0.5
"""Less liquid than this is a wet film and no liquid any more; a choice."""

_LIT_WET = 3.0
"""How many times faster light bleaches a film that holds all of its bound water; a choice."""

Bands = Mapping[str, tuple[tuple[float, float, float], ...]]

_SOLID: Bands = {
    # material: (peak in nm, width at half height in nm, extinction in L/mol/cm)
    # PTB7-Th: Bencheikh et al. 2015, J. Phys. Chem. C 119:24643.
    "PCE10": ((705.0, 70.0, 36_000.0), (640.0, 100.0, 26_000.0), (400.0, 160.0, 9_000.0)),
    # The vibronic bands of aggregates: Clark et al. 2007, Phys. Rev. Lett. 98:206406.
    "P3HT": ((520.0, 110.0, 15_000.0), (555.0, 45.0, 5_000.0), (605.0, 40.0, 6_000.0)),
    # Cook et al. 2007, Chem. Phys. Lett. 445:276.
    "PCBM": ((335.0, 90.0, 38_000.0), (420.0, 160.0, 7_000.0)),
    # Holliday et al. 2016, Nat. Commun. 7:11585.
    "oIDTBR": ((690.0, 75.0, 65_000.0), (630.0, 90.0, 35_000.0), (400.0, 150.0, 14_000.0)),
}
_DISSOLVED: Bands = {
    "PCE10": ((700.0, 90.0, 30_000.0), (635.0, 110.0, 25_000.0), (400.0, 160.0, 9_000.0)),
    "P3HT": ((450.0, 120.0, 15_000.0),),
    "PCBM": ((328.0, 70.0, 38_000.0), (420.0, 140.0, 5_000.0)),
    "oIDTBR": ((650.0, 95.0, 80_000.0), (400.0, 150.0, 14_000.0)),
}
"""Gaussian bands. Their places are those of the publications named above, quoted from memory: oIDTBR moves from 650 to
690 nm when it becomes solid, P3HT from 450 to the three bands of its aggregates. Widths and heights are of the right order
of size, and choices. They set how a film looks, not what share of it is lost."""


class BlendFilms:
    """The chemistry of films. Implements :class:`digital_twin.chemistry.Chemistry`.

    Species: ``intact:PCE10``, ``aged:PCE10`` and so on for each material, and :data:`BOUND_WATER`.

    Raises:
        MissingData: the package with the measured blends is not installed.
    """

    def __init__(self) -> None:
        self._measured = load_blend_degradation()
        self._alone_per_s = _per_sun_s(self._measured.at(np.eye(len(INGREDIENTS))))

    def stock(self, content: str, rng: np.random.Generator) -> Mapping[str, float]:
        """Composition of a content in umol/L; a stock's true strength is drawn, the solvent is nothing but that."""
        if content == SOLVENT:
            return {}
        if content not in INGREDIENTS:
            raise BadInput(
                f"the twin has no measured blends with {content!r}.",
                way_out=f"It knows {', '.join(INGREDIENTS)} and {SOLVENT}.",
            )
        strength = STOCK_UMOL_L * float(np.exp(rng.normal(-0.5 * _STOCK_CV**2, _STOCK_CV)))
        return {f"intact:{content}": strength, BOUND_WATER: strength}

    def expose(self, wells: Wells, history: History) -> None:
        """Let films dry, fuse and bleach over a history; what is liquid keeps its water."""
        intact, aged = _materials(wells, "intact"), _materials(wells, "aged")
        here = (wells.volume_ul > 0.0) & (intact.sum(axis=1) > 0.0)
        if not np.any(here):
            return
        bare = volumes_ul(wells, history) <= _BARE_UL
        drying = np.where(bare, bound_water_loss_per_s(history.temperatures_c), 0.0)
        wet = wet_share(wells)[None, :] * np.exp(-cumulative(drying, history.times_s))
        pace = arrhenius_factor(
            history.temperatures_c, activation_kj_per_mol=LIGHT_KJ_PER_MOL, reference_c=REFERENCE_C
        ) * (1.0 + (_LIT_WET - 1.0) * wet)
        light_s = history.around.light_suns * cumulative(pace, history.times_s)[-1]
        heat = cumulative(bleaching_per_s(history.temperatures_c), history.times_s)[-1]
        blend = _per_sun_s(self._measured.at((intact + aged)[here]))
        apart = wells.unmixed[here, None]
        rate_per_s = (1.0 - apart) * blend[:, None] + apart * self._alone_per_s[None, :]
        lost = intact[here] * -np.expm1(-rate_per_s * light_s[here, None] - heat[here, None])
        for column, name in enumerate(INGREDIENTS):
            if np.any(intact[:, column]):
                wells.amount(f"intact:{name}")[here] -= lost[:, column]
                wells.amount(f"aged:{name}")[here] += lost[:, column]
        wells.amount(BOUND_WATER)[here] = (wet[-1] * (intact + aged).sum(axis=1))[here]

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
        """Beer-Lambert over all materials that are intact, and what unfused particles scatter.

        The light comes through all that stands above its place on the floor, dissolved or dry: what counts is the amount on
        an area, not a concentration. Wells with slanted walls are taken for straight ones of the width of their mouth.
        """
        wet = wet_share(wells)
        area_mm2 = np.pi * wells.shape.diameter_mm**2 / 4.0
        found = np.zeros_like(wells.volume_ul)
        for name in INGREDIENTS:
            amount = wells.amounts_pmol.get(f"intact:{name}")
            if amount is not None:
                solid, dissolved = _extinctions(name, wavelength_nm)
                found += film_absorbance(
                    extinction_l_per_mol_cm=(1.0 - wet) * solid + wet * dissolved,
                    amount_pmol=amount,
                    area_mm2=area_mm2,
                )
        water = wells.amounts_pmol.get(BOUND_WATER)
        if water is not None:
            found += scattering(unfused_pmol=water, area_mm2=area_mm2, wavelength_nm=wavelength_nm)
        return found


def wet_share(wells: Wells) -> FloatArray:
    """n, 0 to 1: bound water that each well's material still holds; 0 where there is no material."""
    total = (_materials(wells, "intact") + _materials(wells, "aged")).sum(axis=1)
    water = wells.amounts_pmol.get(BOUND_WATER, np.zeros_like(total))
    found: FloatArray = np.divide(water, total, out=np.zeros_like(total), where=total > 0.0)
    return np.clip(found, 0.0, 1.0)


def _materials(wells: Wells, state: str) -> FloatArray:
    """n x 4 amounts, without making a place for a species that is not there."""
    nothing = np.zeros(len(wells.names))
    return np.stack([wells.amounts_pmol.get(f"{state}:{name}", nothing) for name in INGREDIENTS], axis=1)


def _per_sun_s(degradation: FloatArray) -> FloatArray:
    """Rates under one sun at the reference temperature, from published shares."""
    return -np.log1p(-degradation) / REFERENCE_SUN_S


@lru_cache(maxsize=8192)
def _extinctions(name: str, wavelength_nm: float) -> tuple[float, float]:
    """Of the solid and of what is dissolved, L/mol/cm."""
    solid, dissolved = (
        sum(
            height * band_height(wavelength_nm, peak_nm=peak, width_nm=width)
            for peak, width, height in bands[name]
        )
        for bands in (_SOLID, _DISSOLVED)
    )
    return solid, dissolved
