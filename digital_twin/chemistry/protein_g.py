"""Protein G on the bench: variants, thermolysin, and the reporter that binds what is intact.

A variant is native until thermolysin cuts it, which happens only while it is unfolded and only until EDTA takes the
enzyme's calcium and zinc. What is left native and folded when the plate is read binds labelled IgG-Fc, and bound
reporter is bright. Rates, constants and their sources are in :mod:`digital_twin.physics` and
:mod:`digital_twin.biology.protein_g`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from digital_twin.biology.protein_g import ProteinGVariant, load_protein_g_variants
from digital_twin.physics.folding import fraction_unfolded
from digital_twin.physics.inactivation import (
    ASSAY_THERMOLYSIN_UMOL_L,
    active_protease_fraction,
    cleavage_rate_per_s,
    protease_half_life_s,
)
from digital_twin.physics.optics import (
    NBD_LABELLED_FC,
    FluorescenceDetector,
    absorbance,
    band_height,
    bound_complex_umol_l,
    fluorescence_rfu,
    protein_extinction_l_per_mol_cm,
)
from digital_twin.thermal import History, cumulative
from digital_twin.wells import Wells
from lab.errors import BadInput

__all__ = ["ASSAY_BUFFER", "REPORTER", "ProteinG"]

FloatArray = npt.NDArray[np.float64]

VARIANT_UMOL_L = 20.0
"""Nominal concentration of a variant in a library well."""
_VARIANT_CV = 0.10
"""Spread of the true concentration between purifications; a choice."""

ASSAY_BUFFER: Mapping[str, float] = {
    # 45 uL in a 50 uL well bring the concentration for which the assay was worked out.
    "thermolysin": ASSAY_THERMOLYSIN_UMOL_L * 50.0 / 45.0,
    "divalent": 5_000.0,
}
"""Challenge buffer, umol/L. ``divalent`` is calcium and zinc together. A chosen recipe."""

REPORTER: Mapping[str, float] = {"reporter": 4.0, "edta": 20_000.0}
"""Stopping reagent, umol/L. ``reporter`` counts binding sites for protein G, two on each Fc. A chosen recipe."""

_BAND_NM = 60.0
_EXCITATION_PEAK_NM, _EMISSION_PEAK_NM = 480.0, 540.0
"""Bands of NBD, about 60 nm wide at half height (Lakowicz, 3rd ed., chapter 3)."""

_TABLE_C = np.arange(-5.0, 121.0)
_DECAY_PER_S = np.log(2.0) / np.array([protease_half_life_s(temperature_c=float(t)) for t in _TABLE_C])


class ProteinG:
    """The chemistry of the thermal challenge. Implements :class:`digital_twin.chemistry.Chemistry`.

    Species: ``native:T16I``, ``cleaved:T16I``, ``thermolysin`` (active), ``divalent``, ``edta``, ``reporter`` (sites).

    Raises:
        MissingData: the package with the measured stabilities is not installed.
    """

    def __init__(self) -> None:
        self._variants: Mapping[str, ProteinGVariant] = load_protein_g_variants()

    def stock(self, content: str, rng: np.random.Generator) -> Mapping[str, float]:
        """Composition of a content in umol/L; a variant's true concentration is drawn, a buffer's is not."""
        if content == "assay_buffer":
            return ASSAY_BUFFER
        if content == "reporter":
            return REPORTER
        if content not in self._variants:
            raise BadInput(
                f"the twin has no measured stability for {content!r}.",
                way_out="It knows WT, the single mutants of protein G that were measured, assay_buffer and reporter.",
            )
        strength = float(np.exp(rng.normal(-0.5 * _VARIANT_CV**2, _VARIANT_CV)))
        return {f"native:{content}": VARIANT_UMOL_L * strength}

    def expose(self, wells: Wells, history: History) -> None:
        """Let thermolysin cut what is unfolded, and lose its own activity, over a temperature history."""
        enzyme = wells.amounts_pmol.get("thermolysin")
        if enzyme is None or not np.any(enzyme > 0.0):
            return
        filled = wells.volume_ul > 0.0
        present = enzyme > 0.0
        temperatures = history.temperatures_c
        decay = cumulative(np.interp(temperatures, _TABLE_C, _DECAY_PER_S), history.times_s)
        active = np.array(
            [
                active_protease_fraction(edta_mmol_l=float(e) / 1000.0, divalent_mmol_l=float(d) / 1000.0)
                for e, d in zip(
                    wells.concentration_umol_l("edta"), wells.concentration_umol_l("divalent"), strict=True
                )
            ]
        )
        strength = wells.concentration_umol_l("thermolysin") * active
        # The rate is proportional to the enzyme, so it is asked for at 1 umol/L and scaled well by well.
        cutting = cleavage_rate_per_s(temperature_c=temperatures, protease_umol_l=1.0)
        cutting = cutting * np.exp(-decay) * strength[None, :]
        for name, native in wells.with_prefix("native:").items():
            here = filled & present & (strength > 0.0) & (native > 0.0)
            if not np.any(here):
                continue
            unfolded = fraction_unfolded(
                temperature_c=temperatures[:, here],
                ddg_kcal_per_mol=np.full((1, int(here.sum())), self._variants[name[7:]].ddg_kcal_per_mol),
            )
            dose = cumulative(unfolded * cutting[:, here], history.times_s)[-1]
            lost = native[here] * -np.expm1(-dose)
            native[here] -= lost
            wells.amount(f"cleaved:{name[7:]}")[here] += lost
        enzyme *= np.exp(-decay[-1])

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
        """Light of bound and free reporter, off-peak settings seeing less of it."""
        bound = self._bound_umol_l(wells, temperature_c) * (1.0 - wells.unmixed)
        free = wells.concentration_umol_l("reporter") - bound
        depth = wells.shape.liquid_depth_mm(wells.volume_ul)
        seen = band_height(excitation_nm, peak_nm=_EXCITATION_PEAK_NM, width_nm=_BAND_NM) * band_height(
            emission_nm, peak_nm=_EMISSION_PEAK_NM, width_nm=_BAND_NM
        )
        light = [
            fluorescence_rfu(
                bound_umol_l=float(b), free_umol_l=float(f), path_mm=float(d), gain=gain, detector=detector
            )
            for b, f, d in zip(bound, free, depth, strict=True)
        ]
        return seen * np.array(light)

    def absorbance(self, wells: Wells, *, wavelength_nm: float) -> FloatArray:
        """Protein at 280 nm (cut or not) and dye at its excitation band."""
        depth = wells.shape.liquid_depth_mm(wells.volume_ul)
        total = np.zeros_like(depth)
        protein_band = band_height(wavelength_nm, peak_nm=280.0, width_nm=25.0)
        for prefix in ("native:", "cleaved:"):
            for name in wells.with_prefix(prefix):
                sequence = self._variants[name[len(prefix) :]].sequence
                total += protein_band * absorbance(
                    extinction_l_per_mol_cm=protein_extinction_l_per_mol_cm(sequence=sequence),
                    concentration_umol_l=wells.concentration_umol_l(name),
                    path_mm=1.0,
                )
        dye_band = band_height(wavelength_nm, peak_nm=_EXCITATION_PEAK_NM, width_nm=_BAND_NM)
        total += dye_band * absorbance(
            extinction_l_per_mol_cm=NBD_LABELLED_FC.extinction_l_per_mol_cm,
            concentration_umol_l=wells.concentration_umol_l("reporter"),
            path_mm=1.0,
        )
        return total * depth

    def _bound_umol_l(self, wells: Wells, temperature_c: FloatArray) -> FloatArray:
        """Reporter sites with intact protein G on them.

        Wells hold one variant but for traces carried over, so the mixture binds as one ligand with the mean constant,
        weighted by amount.
        """
        ligand = np.zeros_like(wells.volume_ul)
        weighted_log_kd = np.zeros_like(ligand)
        for name in wells.with_prefix("native:"):
            variant = self._variants[name[7:]]
            ddg = np.full_like(temperature_c, variant.ddg_kcal_per_mol)
            folded = 1.0 - fraction_unfolded(temperature_c=temperature_c, ddg_kcal_per_mol=ddg)
            amount = wells.concentration_umol_l(name) * folded
            ligand += amount
            weighted_log_kd += amount * np.log(variant.fc_kd_umol_l)
        log_kd = np.divide(weighted_log_kd, ligand, out=np.zeros_like(ligand), where=ligand > 0.0)
        return bound_complex_umol_l(
            receptor_umol_l=wells.concentration_umol_l("reporter"),
            ligand_umol_l=ligand,
            kd_umol_l=np.exp(log_kd),
        )
