"""Cell-free expression on the bench: DNA templates with a promoter before GFP, and an extract that makes it from them.

A template makes GFP at a rate that goes with its promoter's measured strength (:mod:`digital_twin.biology.lac_promoter`),
less than in proportion to the template where that is plentiful, and with what is left of the extract: energy and building
blocks run out with time, and with what is made of them. New GFP glows once it has matured. All of it depends on
temperature, so that warmth gives more at first and less in the end.

The mix is taken to be kept cold until it meets a template: without one nothing happens and nothing ages.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from digital_twin.biology.lac_promoter import LacPromoter, load_lac_promoters
from digital_twin.physics.kinetics import arrhenius_factor
from digital_twin.physics.optics import (
    FluorescenceDetector,
    Reporter,
    absorbance,
    band_height,
    fluorescence_rfu,
)
from digital_twin.thermal import History
from digital_twin.wells import Wells
from lab.errors import BadInput

__all__ = ["GFP", "TEMPLATE_UMOL_L", "CellFree"]

FloatArray = npt.NDArray[np.float64]

TEMPLATE_UMOL_L = 0.03
"""Nominal concentration of a template in a library well: 4 ul of it in 36 ul make 3.3 nmol/L. A chosen recipe."""
_TEMPLATE_CV = 0.05
"""Spread of the true concentration between templates that were quantified by fluorescence; a choice."""

_MIX: Mapping[str, float] = {"resource": 1.5, "extract": 1.5}
"""Of the cell-free mix, in units of what 24 ul of it in 36 ul make: 1 of each."""

_RATE_UMOL_L_S = 6.7e-4
_HALF_TEMPLATE_UMOL_L = 0.005
_LIFE_S = 7200.0
_CAPACITY_UMOL_L = 40.0
"""Of the wild-type promoter at 30 C in a fresh extract: rate where templates are plentiful, template that gives half of it,
time in which the extract loses 63 % by itself, GFP that uses all of it up. Chosen in the range of E. coli extracts, which
make a few umol/L of GFP in some hours from a few nmol/L of template (Garamella et al. 2016, ACS Synth. Biol. 5:344)."""

_MATURATION_S = 600.0
"""Of superfolder GFP, some ten minutes; a choice."""

_RATE_KJ_PER_MOL, _AGEING_KJ_PER_MOL, _MATURATION_KJ_PER_MOL = 45.0, 80.0, 60.0
_REFERENCE_C = 30.0
"""Activation energies of making, ageing and maturing; choices that put the best yield of three hours at 30 C,
where extracts are commonly run."""

GFP = Reporter(extinction_l_per_mol_cm=83_300.0, quantum_yield_free=0.0, quantum_yield_bound=0.65)
"""Superfolder GFP (Pedelacq et al. 2006, Nat. Biotechnol. 24:79): 83 300 at 485 nm, quantum yield 0.65."""
_EXCITATION_NM, _EXCITATION_WIDTH_NM = 485.0, 50.0
_EMISSION_NM, _EMISSION_WIDTH_NM = 510.0, 40.0
"""Bands of GFP, their widths at half height rounded."""
_EXTRACT_AS_GFP_UMOL_L = 0.03
"""Own fluorescence of the extract, flavins mostly, as if it were so much GFP. A choice."""


class CellFree:
    """The chemistry of the reporter assay. Implements :class:`digital_twin.chemistry.Chemistry`.

    Species: ``template:lac04711``, ``resource`` and ``extract`` (1 in a full-strength reaction), ``dark_gfp`` (not matured),
    ``gfp``.

    Raises:
        MissingData: the package with the measured expression is not installed.
    """

    def __init__(self) -> None:
        self._promoters: Mapping[str, LacPromoter] = load_lac_promoters()

    def stock(self, content: str, rng: np.random.Generator) -> Mapping[str, float]:
        """Composition of a content; a template's true concentration is drawn, a reagent's is not."""
        if content == "water":
            return {}
        if content == "cell_free_mix":
            return _MIX
        if content not in self._promoters:
            raise BadInput(
                f"the twin has no measured expression for {content!r}.",
                way_out="It knows WT, the lac promoters of the package mavenn that were seen in two bins or more, by "
                "their row there (lac04711), water and cell_free_mix.",
            )
        strength = float(np.exp(rng.normal(-0.5 * _TEMPLATE_CV**2, _TEMPLATE_CV)))
        return {f"template:{content}": TEMPLATE_UMOL_L * strength}

    def expose(self, wells: Wells, history: History) -> None:
        """Make GFP, let it mature and the extract age, over a temperature history."""
        resource, dark = wells.amount("resource"), wells.amount("dark_gfp")
        strength = self._strength(wells) * (1.0 - wells.unmixed)
        strength[resource <= 0.0] = 0.0
        running = strength > 0.0
        if not np.any(running) and not np.any(dark > 0.0):
            return
        volume = np.where(wells.volume_ul > 0.0, wells.volume_ul, 1.0)
        left, waiting, matured = resource / volume, dark / volume, np.zeros_like(volume)
        for step_s, before, after in zip(
            np.diff(history.times_s), history.temperatures_c[:-1], history.temperatures_c[1:], strict=True
        ):
            left, waiting, new = _step(left, waiting, strength, 0.5 * (before + after), float(step_s))
            matured += new
        # Where nothing runs, what is there stays to the last digit.
        resource[running] = (left * volume)[running]
        dark[:] = waiting * volume
        wells.amount("gfp")[:] += matured * volume

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
        """Light of GFP that has matured and of the extract itself, off-peak settings seeing less of it."""
        glowing = wells.concentration_umol_l("gfp")
        glowing += _EXTRACT_AS_GFP_UMOL_L * wells.concentration_umol_l("extract")
        depth = wells.shape.liquid_depth_mm(wells.volume_ul)
        seen = band_height(
            excitation_nm, peak_nm=_EXCITATION_NM, width_nm=_EXCITATION_WIDTH_NM
        ) * band_height(emission_nm, peak_nm=_EMISSION_NM, width_nm=_EMISSION_WIDTH_NM)
        light = [
            fluorescence_rfu(
                bound_umol_l=float(g),
                free_umol_l=0.0,
                path_mm=float(d),
                gain=gain,
                reporter=GFP,
                detector=detector,
            )
            for g, d in zip(glowing, depth, strict=True)
        ]
        return seen * np.array(light)

    def absorbance(self, wells: Wells, *, wavelength_nm: float) -> FloatArray:
        """GFP at its excitation band; the turbidity of the extract is not modelled."""
        band = band_height(wavelength_nm, peak_nm=_EXCITATION_NM, width_nm=_EXCITATION_WIDTH_NM)
        found: FloatArray = band * absorbance(
            extinction_l_per_mol_cm=GFP.extinction_l_per_mol_cm,
            concentration_umol_l=wells.concentration_umol_l("gfp"),
            path_mm=1.0,
        )
        return found * wells.shape.liquid_depth_mm(wells.volume_ul)

    def _strength(self, wells: Wells) -> FloatArray:
        """Of the templates of each well, over what plenty of the wild-type promoter would be.

        Templates share what transcribes: each gets the share that its concentration has of all.
        """
        templates = {name: wells.concentration_umol_l(name) for name in wells.with_prefix("template:")}
        total = np.sum(list(templates.values()), axis=0) if templates else np.zeros_like(wells.volume_ul)
        weighted = np.zeros_like(wells.volume_ul)
        for name, concentration in templates.items():
            weighted += self._promoters[name.removeprefix("template:")].expression * concentration
        found: FloatArray = weighted / (_HALF_TEMPLATE_UMOL_L + total)
        return found


def _step(
    left: FloatArray, dark: FloatArray, strength: FloatArray, temperature_c: FloatArray, duration_s: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """One step at a constant temperature, solved exactly.

    ``dR/dt = -(1/life + r/capacity) R``, ``dD/dt = r R - m D``, ``dG/dt = m D``.

    Args:
        left: R, what is left of the extract.
        dark: D, GFP that has not matured, umol/L.
        strength: of the templates, 0 where nothing runs: what is left there does not age.

    Returns:
        R and D after it, and the GFP that matured in it, umol/L.
    """

    def times_faster(activation_kj_per_mol: float) -> FloatArray:
        return arrhenius_factor(
            temperature_c, activation_kj_per_mol=activation_kj_per_mol, reference_c=_REFERENCE_C
        )

    making = _RATE_UMOL_L_S * strength * times_faster(_RATE_KJ_PER_MOL)
    ageing = np.where(strength > 0.0, times_faster(_AGEING_KJ_PER_MOL) / _LIFE_S, 0.0)
    fading = ageing + making / _CAPACITY_UMOL_L
    maturing = times_faster(_MATURATION_KJ_PER_MOL) / _MATURATION_S
    faded, matured = np.exp(-fading * duration_s), np.exp(-maturing * duration_s)
    made = (
        making
        * left
        * np.divide(1.0 - faded, fading, out=np.full_like(fading, duration_s), where=fading > 0.0)
    )
    # Maturing is ten times as fast as fading at any temperature of a bench, so the difference is never near 0.
    dark_after = dark * matured + making * left * (faded - matured) / (maturing - fading)
    return left * faded, dark_after, dark + made - dark_after
