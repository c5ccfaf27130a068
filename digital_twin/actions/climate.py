"""Heating, shaking and shutting a place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from digital_twin.state import Impossible, State
from lab.types import JsonValue

__all__ = ["set_temperature", "shake", "shut"]


def set_temperature(
    state: State,
    now_s: float,
    instrument: str,
    *,
    position: str,
    temperature_c: float | None,
    ramp_c_per_s: float | None = None,
) -> Callable[[np.random.Generator], JsonValue]:
    """Tell a place a new temperature; None turns it off, and it drifts to the room's."""
    piece = state.at(position)
    if ramp_c_per_s is not None and ramp_c_per_s <= 0.0:
        raise Impossible(f"{position} can't change by {ramp_c_per_s:g} C/s")

    def effect(rng: np.random.Generator) -> JsonValue:
        if piece is not None:
            state.evolve(piece, now_s)
        state.climates[position] = state.climates[position].told(now_s, temperature_c, ramp_c_per_s)
        return None

    return effect


def shake(
    state: State, now_s: float, instrument: str, *, position: str, rpm: float
) -> Callable[[np.random.Generator], JsonValue]:
    """Shake a place at a speed; 0 stops."""
    piece = state.at(position)
    if rpm < 0.0:
        raise Impossible(f"{position} can't shake at {rpm:g} rpm")

    def effect(rng: np.random.Generator) -> JsonValue:
        if piece is not None:
            state.evolve(piece, now_s)
        state.shaking_rpm[position] = rpm
        return None

    return effect


def shut(
    state: State, now_s: float, instrument: str, *, position: str, shut: bool
) -> Callable[[np.random.Generator], JsonValue]:
    """Close or open the cover of a place (a cycler's lid, a reader's door). Shut, no arm can reach in."""
    state.at(position)

    def effect(rng: np.random.Generator) -> JsonValue:
        if shut:
            state.shut.add(position)
        else:
            state.shut.discard(position)
        return None

    return effect
