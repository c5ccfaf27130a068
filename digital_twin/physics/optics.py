"""What a plate reader sees: path length, absorbance, binding, fluorescence, detector.

The light goes down through the liquid, as in microplate readers, so the path is the depth of the liquid.

**The reporter.** Human IgG-Fc carrying a dye that brightens when protein G binds beside it (Sloan & Hellinga built the
mirror image, a dye at the rim of the B1 interface: Protein Eng. 1998, 11:819). Default spectral figures are those of
the environment-sensitive dye NBD: extinction about 22 000 L/mol/cm at 480 nm, and a quantum yield that rises from a few
hundredths in water to about 0.3 in apolar surroundings (Lakowicz, Principles of Fluorescence Spectroscopy, 3rd ed.).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = [
    "FC_BINDING_KD_UMOL_L",
    "FLUORESCENCE_DETECTOR",
    "NBD_LABELLED_FC",
    "FluorescenceDetector",
    "Reporter",
    "absorbance",
    "absorbance_reading",
    "band_height",
    "bound_complex_umol_l",
    "fluorescence_reading_rfu",
    "fluorescence_rfu",
    "gain_factor",
    "inner_filter_factor",
    "path_length_mm",
    "protein_extinction_l_per_mol_cm",
]

FloatArray = npt.NDArray[np.float64]
Value = TypeVar("Value", float, npt.NDArray[np.float64])

FC_BINDING_KD_UMOL_L = 0.01
"""Dissociation constant of one B1 domain and human Fc. The order of Sloan & Hellinga 1999 (Protein Sci. 8:1643), whose
E27A loses more than 4000-fold and is then just measurable; values from 0.005 to 0.3 umol/L are quoted for single
domains by method. Not verified against a table; with the reporter in micromolar excess it hardly matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """A labelled binder. ``quantum_yield_*``: photons out per photon absorbed, 0 to 1, free and bound."""

    extinction_l_per_mol_cm: float
    quantum_yield_free: float
    quantum_yield_bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FluorescenceDetector:
    """A photomultiplier behind a monochromator.

    Attributes:
        rfu_per_emitted_share: units shown at the reference gain if every incident photon came back as fluorescence.
        reference_gain: gain setting at which that holds.
        photoelectrons_per_rfu: counted at the reference gain; sets the shot noise.
        dark_rfu: standard deviation of the dark signal at the reference gain.
        flash_cv: relative spread from one flash series to the next, common to everything seen in a well.
        ceiling_rfu: highest number it can show; what is above reads exactly this.
    """

    rfu_per_emitted_share: float
    reference_gain: float
    photoelectrons_per_rfu: float
    dark_rfu: float
    flash_cv: float
    ceiling_rfu: float


NBD_LABELLED_FC = Reporter(
    extinction_l_per_mol_cm=22_000.0, quantum_yield_free=0.04, quantum_yield_bound=0.28
)
FLUORESCENCE_DETECTOR = FluorescenceDetector(
    rfu_per_emitted_share=1.0e7,
    reference_gain=1000.0,
    photoelectrons_per_rfu=0.2,
    dark_rfu=30.0,
    flash_cv=0.01,
    ceiling_rfu=260_000.0,
)
"""A reader of the BMG CLARIOstar's kind, which shows at most 260 000 units.

The other figures are choices: they put one micromole a litre of bound reporter in a filled well at a quarter of the
ceiling, with a repeatability of 1 to 2 %, as such readers show. Calibration on a real reader replaces them.
"""


def path_length_mm(
    *, volume_ul: float, bottom_diameter_mm: float, top_diameter_mm: float, depth_mm: float
) -> float:
    """Depth of liquid in a well with a flat bottom and straight, possibly slanted, walls (a frustum of a cone).

    From ``V = pi h (r1^2 + r1 r2 + r2^2) / 3``. The meniscus is not modelled.

    Args:
        volume_ul: in the well; 1 uL is 1 mm3.
        bottom_diameter_mm, top_diameter_mm: inside; equal for a cylinder, bottom 0 for a cone.
        depth_mm: of the well.

    Raises:
        ValueError: negative volume, or more than the well holds.
    """
    bottom, top = bottom_diameter_mm / 2.0, top_diameter_mm / 2.0
    capacity = np.pi * depth_mm * (bottom**2 + bottom * top + top**2) / 3.0
    if not 0.0 <= volume_ul <= capacity * (1.0 + 1e-9):
        raise ValueError(f"{volume_ul} uL is not between 0 and the {capacity:.1f} uL that the well holds")
    if abs(top - bottom) < 1e-9 * top:
        return float(volume_ul / (np.pi * bottom**2))
    # With r(h) = bottom + slope h the volume is pi (r^3 - bottom^3) / (3 slope), which a cube root inverts.
    slope = (top - bottom) / depth_mm
    radius = np.cbrt(bottom**3 + 3.0 * slope * volume_ul / np.pi)
    return float((radius - bottom) / slope)


def protein_extinction_l_per_mol_cm(*, sequence: str) -> float:
    """Molar extinction of a protein at 280 nm: 5500 a Trp, 1490 a Tyr, 125 a cystine pair.

    Source: Pace, Vajdos, Fee, Grimsley & Gray 1995, Protein Sci. 4:2411; good to about 5 %. All cysteines are taken
    as paired.
    """
    return 5500.0 * sequence.count("W") + 1490.0 * sequence.count("Y") + 125.0 * (sequence.count("C") // 2)


def band_height(wavelength_nm: float, *, peak_nm: float, width_nm: float) -> float:
    """Height of a Gaussian band at a wavelength, 1 at its peak.

    Args:
        width_nm: of the band at half its height.
    """
    return float(np.exp(-4.0 * np.log(2.0) * ((wavelength_nm - peak_nm) / width_nm) ** 2))


def absorbance(*, extinction_l_per_mol_cm: float, concentration_umol_l: Value, path_mm: float) -> Value:
    """Beer-Lambert: ``A = epsilon c l``, decadic."""
    value: Value = extinction_l_per_mol_cm * concentration_umol_l * 1e-6 * path_mm * 0.1
    return value


def absorbance_reading(
    *,
    absorbance: float,
    rng: np.random.Generator,
    stray_light_share: float = 2e-4,
    noise_absorbance: float = 0.002,
    noise_cv: float = 0.005,
    ceiling: float = 4.0,
) -> float:
    """What a reader shows for a true absorbance: stray light bends it over, noise spreads it, the range ends it.

    Stray light: ``A' = -log10((T + s) / (1 + s))`` (Skoog, Holler & Crouch, Principles of Instrumental Analysis,
    section 13B), so nothing reads above ``-log10 s``, 3.7 by default. Noise: a floor and a share, the form in which
    makers state precision (typically 0.002 and 0.5 to 1 % up to absorbance 2); here the share grows with 1/T where
    the remaining light is faint. One normal deviate is drawn.
    """
    transmitted = 10.0**-absorbance
    seen = -np.log10((transmitted + stray_light_share) / (1.0 + stray_light_share))
    # dA = dT / (T ln 10): the same noise on the light is a growing noise on the absorbance.
    faint = 1e-4 / (transmitted + stray_light_share)
    spread = np.sqrt(noise_absorbance**2 + (noise_cv * seen) ** 2 + (faint / np.log(10.0)) ** 2)
    return float(min(ceiling, seen + rng.normal(0.0, spread)))


def bound_complex_umol_l(*, receptor_umol_l: Value, ligand_umol_l: Value, kd_umol_l: Value) -> Value:
    """Concentration of the one-to-one complex at equilibrium, with depletion of both partners.

    The lower root of ``x^2 - (R + L + Kd) x + R L = 0`` (Morrison 1969, Biochim. Biophys. Acta 185:269), in the form
    ``2 R L / (b + sqrt(b^2 - 4 R L))`` that does not cancel when binding is weak.

    Args:
        receptor_umol_l: binding sites in all, free and bound; a Fc dimer has two for protein G.
        ligand_umol_l: intact, folded protein G in all.
        kd_umol_l: dissociation constant, above 0.
    """
    total = receptor_umol_l + ligand_umol_l + kd_umol_l
    product = receptor_umol_l * ligand_umol_l
    complex_umol_l: Value = 2.0 * product / (total + np.sqrt(total * total - 4.0 * product))
    return complex_umol_l


def inner_filter_factor(*, absorbance: float) -> float:
    """Share of the fluorescence left when the solution dims its own excitation: ``(1 - 10^-A) / (A ln 10)``.

    The mean of the exciting light over the path relative to its surface value; 1 for a clear solution. For light
    travelling along the axis of observation (Lakowicz, 3rd ed., section 2.9).
    """
    exponent = absorbance * np.log(10.0)
    return 1.0 if exponent < 1e-12 else float(-np.expm1(-exponent) / exponent)


def gain_factor(*, gain: float, reference_gain: float = FLUORESCENCE_DETECTOR.reference_gain) -> float:
    """Amplification at a gain setting relative to the reference setting.

    A photomultiplier's gain grows as its voltage to the power k n, about 7 with k 0.7 to 0.8 and 9 to 10 dynodes
    (Hamamatsu, Photomultiplier Tubes, 4th ed., section 4.2.2); the setting is taken as proportional to the voltage.

    Raises:
        ValueError: a gain that is not above 0.
    """
    if gain <= 0.0:
        raise ValueError(f"gain {gain} is not above 0")
    return float((gain / reference_gain) ** 7)


def fluorescence_rfu(
    *,
    bound_umol_l: float,
    free_umol_l: float,
    path_mm: float,
    gain: float,
    other_absorbance: float = 0.0,
    reporter: Reporter = NBD_LABELLED_FC,
    detector: FluorescenceDetector = FLUORESCENCE_DETECTOR,
) -> float:
    """Expected fluorescence of a well before noise and ceiling, relative fluorescence units.

    Emitted share of the exciting light = absorbance ln 10 x inner filter x quantum yield, summed over the bound and the
    free reporter. In a straight well it depends on the amount of dye, not on its volume, until the filter bites.

    Args:
        bound_umol_l, free_umol_l: reporter sites with and without protein G.
        path_mm: depth of the liquid.
        gain: setting of the detector.
        other_absorbance: of whatever else absorbs at the exciting wavelength.
    """
    per_umol_l = absorbance(
        extinction_l_per_mol_cm=reporter.extinction_l_per_mol_cm, concentration_umol_l=1.0, path_mm=path_mm
    )
    total = (bound_umol_l + free_umol_l) * per_umol_l + other_absorbance
    brightness = reporter.quantum_yield_bound * bound_umol_l + reporter.quantum_yield_free * free_umol_l
    emitted = np.log(10.0) * per_umol_l * brightness * inner_filter_factor(absorbance=total)
    amplification = gain_factor(gain=gain, reference_gain=detector.reference_gain)
    return float(detector.rfu_per_emitted_share * amplification * emitted)


def fluorescence_reading_rfu(
    *,
    expected_rfu: float,
    gain: float,
    rng: np.random.Generator,
    detector: FluorescenceDetector = FLUORESCENCE_DETECTOR,
) -> float:
    """What the detector shows, 0 to its ceiling: shot noise of the photons, flash-to-flash spread, dark noise.

    Raising the gain raises the signal and the noise alike; it does not add photons, so the shot noise stays the same share
    (Lakowicz, 3rd ed., section 2.8). A reading equal to ``detector.ceiling_rfu`` is saturated.

    Args:
        expected_rfu: of :func:`fluorescence_rfu` at this gain.
        rng: one Poisson and two normal deviates are drawn, whatever the signal.
    """
    amplification = gain_factor(gain=gain, reference_gain=detector.reference_gain)
    per_photoelectron = amplification / detector.photoelectrons_per_rfu
    flash = max(0.0, 1.0 + rng.normal(0.0, detector.flash_cv))
    counted = float(rng.poisson(max(0.0, expected_rfu) * flash / per_photoelectron)) * per_photoelectron
    dark = rng.normal(0.0, detector.dark_rfu * amplification)
    return float(np.clip(counted + dark, 0.0, detector.ceiling_rfu))
