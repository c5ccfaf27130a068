"""What films are made of, from light that came through them: absorbance against the blanks, taken apart by Beer and Lambert.

A film's absorbance is a sum: of each material's own spectrum, of scattering, which grows towards the blue as the inverse
fourth power of the wavelength (Rayleigh; Bohren & Huffman 1983), and of a baseline that is the same at all wavelengths (the
lamp's drift, the plate). The materials' spectra come from films of the pure materials on the same plate, whose own
scattering is read where none of them absorbs. The sum is fitted by weighted least squares: what little light came through
says little.

Arrays have one number for each of m wavelengths.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lab.errors import NonsenseReply
from lab.interfaces import Document

__all__ = ["Film", "FilmSpectra", "PlateSpectra", "plate_spectra"]

FloatArray = npt.NDArray[np.float64]

SCATTERING_AT_NM = 550.0
"""Wavelength at which the amount of scattering is told."""

_SYSTEMATIC = 0.003
"""Absorbance that a spectrum is off by even in bright light: the path through a film is not the same in two looks."""

_DISTINCT_SD = 5.0
"""Power must stand this many standard deviations above none, or its logarithm is biased."""

_NEEDED_SHARE = 0.8
"""Of the wavelengths must be bright enough, or a film counts as too dark."""

_FEWEST_BLANKS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateSpectra:
    """The light through some wells of one plate.

    Args:
        wavelength_nm: m, increasing.
        power_w: by well, m each.
        lab_time_s: when the first was taken.
    """

    labware: str
    wavelength_nm: FloatArray
    power_w: Mapping[str, FloatArray]
    lab_time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """One film, taken apart.

    Args:
        colour: mean absorbance of its materials over the range in which they absorb, without scattering and baseline.
        haze: what it scatters at 550 nm, as an absorbance.
        misfit: what the sum does not explain of its absorbance, both weighted as in the fit: 0 to 1.
        amounts: material -> how much of it, in units of the plate's film of the pure material.
    """

    colour: float
    haze: float
    misfit: float
    amounts: Mapping[str, float]


def plate_spectra(
    documents: Iterable[Document], *, stream: str, device: str = "spectrometer"
) -> dict[str, PlateSpectra]:
    """The spectra of one stream, by labware id; the last ones of a plate that was looked at more than once.

    Raises:
        NonsenseReply: there are not as many powers as wells and wavelengths, or wavelengths that do not increase.
    """
    streams: set[str] = set()
    found: dict[str, PlateSpectra] = {}
    for name, body in documents:
        if name == "descriptor" and body.get("name") == stream:
            streams.add(body["uid"])
        elif name == "event" and body["descriptor"] in streams:
            spectra = _spectra(body["data"], device)
            found[spectra.labware] = spectra
    return found


def _spectra(data: Mapping[str, Any], device: str) -> PlateSpectra:
    labware, wells = str(data[f"{device}-plate"]), [str(well) for well in data[f"{device}-wells"]]
    nm = np.asarray(data[f"{device}-wavelength_nm"], dtype=np.float64).ravel()
    power_w = np.asarray(data[f"{device}-power_w"], dtype=np.float64).ravel()
    if nm.size < 2 or not np.all(np.diff(nm) > 0.0):
        raise NonsenseReply(
            f"the wavelengths of the spectra of {labware} do not increase from one to the next.",
            device=device,
        )
    if power_w.size != len(wells) * nm.size or len(set(wells)) != len(wells):
        raise NonsenseReply(
            f"the spectra of {labware} have {power_w.size} powers for {len(wells)} wells and {nm.size} wavelengths.",
            device=device,
        )
    return PlateSpectra(
        labware=labware,
        wavelength_nm=nm,
        power_w=dict(zip(wells, power_w.reshape(len(wells), nm.size), strict=True)),
        lab_time_s=float(data[f"{device}-lab_time_s"]),
    )


class FilmSpectra:
    """Spectra of one plate, taken at one time, made ready to be taken apart. A value once made: nothing in it changes.

    Args:
        spectra: of the plate.
        blanks: wells without a film that count.
        clear_from_nm: from here on no material absorbs.

    Raises:
        NonsenseReply: fewer than three of its wavelengths lie on either side of ``clear_from_nm``.
    """

    def __init__(self, spectra: PlateSpectra, *, blanks: Sequence[str], clear_from_nm: float) -> None:
        self.wavelength_nm = spectra.wavelength_nm
        self.coloured = spectra.wavelength_nm < clear_from_nm
        clear = np.count_nonzero(~self.coloured)
        if clear < 3 or np.count_nonzero(self.coloured) < 3:
            raise NonsenseReply(
                f"the spectra of {spectra.labware} have {clear} of {self.coloured.size} wavelengths from "
                f"{clear_from_nm:g} nm on."
            )
        self._power_w = spectra.power_w
        self._blanks = {
            well: spectra.power_w[well]
            for well in blanks
            if well in spectra.power_w and np.all(np.isfinite(spectra.power_w[well]))
        }
        self._noise_w = _noise_w(list(self._blanks.values()))
        self._scattering = (SCATTERING_AT_NM / self.wavelength_nm) ** 4

    @property
    def readable(self) -> bool:
        """Whether there are blanks enough to compare films with."""
        return len(self._blanks) >= _FEWEST_BLANKS

    def is_dark(self, well: str) -> bool:
        """Whether a well lets so little light through that its colour can't be told."""
        power_w = self._power_w.get(well)
        if power_w is None or not self.readable or not np.all(np.isfinite(power_w)):
            return False  # There is no telling.
        return float(np.mean(self._bright(power_w))) < _NEEDED_SHARE

    def pure(self, wells: Sequence[str]) -> FloatArray | None:
        """Spectrum of one material, from wells that hold nothing else: its own scattering and baseline taken off.

        Returns:
            Absorbance, 0 where nothing absorbs; None where no well of it can be read.
        """
        above, weights = np.zeros_like(self.wavelength_nm), np.zeros_like(self.wavelength_nm)
        columns = self._background()
        for well in wells:
            told = self._absorbance(well)
            if told is None or self.is_dark(well):
                continue
            absorbance, weight = told
            clear = ~self.coloured & (weight > 0.0)
            if np.count_nonzero(clear) >= 3:
                above += weight * (
                    absorbance - columns @ _solve(columns[clear], absorbance[clear], weight[clear])
                )
                weights += weight
        if not np.any(weights > 0.0):
            return None
        seen = self.coloured & (weights > 0.0)
        return np.divide(above, weights, out=np.zeros_like(above), where=seen)

    def film(self, well: str, materials: Mapping[str, FloatArray]) -> Film | None:
        """A film taken apart; None where it, or the blanks, can't be read, or it is too dark.

        Args:
            materials: those that it may hold, with their spectra; for a blank all, for the noise of a film.
        """
        told = self._absorbance(well)
        if told is None or self.is_dark(well):
            return None
        absorbance, weight = told
        spectra = list(materials.values())
        columns = np.column_stack([*spectra, self._background()])
        solution = _solve(columns, absorbance, weight)
        amounts = solution[: len(spectra)]
        colour = sum((float(a * s[self.coloured].mean()) for a, s in zip(amounts, spectra, strict=True)), 0.0)
        return Film(
            colour=colour,
            haze=float(solution[-1]),
            misfit=_misfit(absorbance, columns @ solution, solution[-2], weight),
            amounts={name: float(a) for name, a in zip(materials, amounts, strict=True)},
        )

    def _background(self) -> FloatArray:
        """m x 2: baseline and scattering."""
        return np.column_stack([np.ones_like(self.wavelength_nm), self._scattering])

    def _bright(self, power_w: FloatArray) -> npt.NDArray[np.bool_]:
        return power_w > _DISTINCT_SD * self._noise_w

    def _absorbance(self, well: str) -> tuple[FloatArray, FloatArray] | None:
        """Decadic, against the mean of the other blanks, and the weight of each; no weight where it is dark."""
        power_w = self._power_w.get(well)
        if power_w is None or not self.readable or not np.all(np.isfinite(power_w)):
            return None
        others = [blank for name, blank in self._blanks.items() if name != well]
        before_w: FloatArray = np.mean(np.stack(others), axis=0)
        bright = self._bright(power_w) & self._bright(before_w)
        if np.count_nonzero(bright) <= 3:
            return None
        absorbance, weight = np.zeros_like(power_w), np.zeros_like(power_w)
        absorbance[bright] = np.log10(before_w[bright] / power_w[bright])
        of_power = self._noise_w / (math.log(10.0) * power_w[bright])
        of_blank = self._noise_w / (math.log(10.0) * before_w[bright]) / math.sqrt(len(others))
        weight[bright] = 1.0 / (_SYSTEMATIC**2 + of_power**2 + of_blank**2)
        return absorbance, weight


def _noise_w(blanks: Sequence[FloatArray]) -> float:
    """Noise of power at one wavelength, as a standard deviation: what blanks differ in but for the lamp's brightness.

    The same at all wavelengths, as the noise of a detector is; from the median of its size, which single spikes do not move.
    """
    if len(blanks) < _FEWEST_BLANKS:
        return math.inf
    mean = np.mean(blanks, axis=0)
    scaled = [blank - mean * (blank @ mean) / (mean @ mean) for blank in blanks]
    deviation = 1.4826 * float(np.median(np.abs(scaled)))
    return deviation * math.sqrt(len(blanks) / (len(blanks) - 1.0))


def _solve(columns: FloatArray, absorbance: FloatArray, weight: FloatArray) -> FloatArray:
    root = np.sqrt(weight)
    solution, *_ = np.linalg.lstsq(columns * root[:, None], absorbance * root, rcond=None)
    return np.asarray(solution, dtype=np.float64)


def _misfit(absorbance: FloatArray, fitted: FloatArray, baseline: float, weight: FloatArray) -> float:
    """Size of the rest over the size of what is above the baseline."""
    above = float(np.sum(weight * (absorbance - baseline) ** 2))
    rest = float(np.sum(weight * (absorbance - fitted) ** 2))
    return min(1.0, math.sqrt(rest / above)) if above > 0.0 else 1.0
