"""Reading a plate: what the detector shows for what is in the wells, and what the reader keeps of it.

The cycles of a kinetic measurement are readings with the same settings between two movements of the drawer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from digital_twin.detectors import DETECTORS
from digital_twin.physics.optics import absorbance_reading, fluorescence_reading_rfu
from digital_twin.state import Impossible, Piece, Reading, State
from digital_twin.wells import Wells
from lab.types import JsonValue

__all__ = ["read_absorbance", "read_fluorescence"]

_PLATE_CV = 0.005
"""Spread of the lamp and detector from one reading of a plate to the next, common to all its wells. A choice."""

_PLASTIC_ABSORBANCE = 0.04
"""Of the bottom of an empty polypropylene or polystyrene well in the visible (typical blank reading); a choice."""

_MENISCUS_CV = 0.005
"""Spread of the optical path from well to well; a choice."""

_ABSORBANCE_CEILING = 4.0
"""Of :func:`digital_twin.physics.optics.absorbance_reading`."""


def read_fluorescence(
    state: State,
    now_s: float,
    instrument: str,
    *,
    position: str,
    excitation_nm: float,
    emission_nm: float,
    gain: float,
    detector: str = "clariostar",
    begun_s: float | None = None,
    overflow: bool = False,
) -> Callable[[np.random.Generator], JsonValue]:
    """Fluorescence of every well of the plate at a position, from above: n numbers, row-major.

    A number equal to the detector's ceiling is an overflow. Through a lid only darkness is seen.

    Args:
        begun_s: lab time at which the pass over the wells began; None: now.
        overflow: the lamp gives far too much light: the brighter half of the wells is at the ceiling.
    """
    piece, wells = _plate(state, position)
    if gain <= 0.0:
        raise Impossible(f"the detector has no gain {gain:g}")
    if detector not in DETECTORS:
        raise Impossible(f"there is no detector {detector}")
    seen_by = DETECTORS[detector]

    def effect(rng: np.random.Generator) -> JsonValue:
        state.evolve(piece, now_s)
        lamp = 1.0 + rng.normal(0.0, _PLATE_CV)
        expected = lamp * state.chemistry.fluorescence_rfu(
            wells,
            excitation_nm=excitation_nm,
            emission_nm=emission_nm,
            gain=gain,
            temperature_c=piece.wells_c,
            detector=seen_by,
        )
        if piece.lid is not None:
            expected = np.zeros_like(expected)
        seen = [
            fluorescence_reading_rfu(expected_rfu=float(rfu), gain=gain, rng=rng, detector=seen_by)
            for rfu in expected
        ]
        if overflow:
            seen = _half_at(seen, seen_by.ceiling_rfu)
        settings = {"excitation_nm": excitation_nm, "emission_nm": emission_nm, "gain": gain}
        _keep(state, instrument, piece, "fluorescence", settings, now_s if begun_s is None else begun_s, seen)
        return seen

    return effect


def read_absorbance(
    state: State,
    now_s: float,
    instrument: str,
    *,
    position: str,
    wavelength_nm: float,
    begun_s: float | None = None,
    overflow: bool = False,
) -> Callable[[np.random.Generator], JsonValue]:
    """Absorbance of every well of the plate at a position: n numbers, row-major, plate included.

    Args:
        begun_s: as in :func:`read_fluorescence`.
        overflow: the lamp gives far too little light: the darker half of the wells is at the ceiling.
    """
    piece, wells = _plate(state, position)

    def effect(rng: np.random.Generator) -> JsonValue:
        state.evolve(piece, now_s)
        true = state.chemistry.absorbance(wells, wavelength_nm=wavelength_nm)
        true = true * (1.0 + rng.normal(0.0, _MENISCUS_CV, size=true.size)) + _PLASTIC_ABSORBANCE
        if piece.lid is not None:
            true = np.full_like(true, np.inf)
        seen = [absorbance_reading(absorbance=float(a), rng=rng, ceiling=_ABSORBANCE_CEILING) for a in true]
        if overflow:
            seen = _half_at(seen, _ABSORBANCE_CEILING)
        settings = {"wavelength_nm": wavelength_nm}
        _keep(state, instrument, piece, "absorbance", settings, now_s if begun_s is None else begun_s, seen)
        return seen

    return effect


def _half_at(seen: Sequence[float], ceiling: float) -> list[float]:
    """The readings with the upper half of them at the ceiling."""
    middle = float(np.median(seen))
    return [ceiling if value >= middle else value for value in seen]


def _keep(
    state: State,
    instrument: str,
    piece: Piece,
    mode: str,
    settings: dict[str, float],
    begun_s: float,
    seen: list[float],
) -> None:
    """Note one pass over the wells as the reader's last reading, or as one more cycle of it."""
    last = state.readings.get(instrument)
    if last is None or last.over or (last.mode, last.settings) != (mode, settings):
        last = Reading(mode=mode, settings=settings, begun_s=begun_s, columns=piece.kind.columns)
        state.readings[instrument] = last
    last.cycles.append(seen)


def _plate(state: State, position: str) -> tuple[Piece, Wells]:
    piece = state.at(position)
    if piece is None or piece.wells is None or piece.kind.kind != "plate":
        raise Impossible(f"no plate stands at {position}")
    if position not in state.shut:
        raise Impossible(f"the door of {position} is open")
    return piece, piece.wells
