"""Changing the air of a place, by its control or by its door."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from digital_twin.atmosphere import Atmosphere
from digital_twin.state import Impossible, State
from lab.types import JsonValue

__all__ = ["move_door", "set_atmosphere"]


def set_atmosphere(
    state: State,
    now_s: float,
    instrument: str,
    *,
    position: str,
    co2_percent: float | None,
    humidity_percent: float | None,
) -> Callable[[np.random.Generator], JsonValue]:
    """Tell a place the carbon dioxide and humidity to keep; None turns the control off."""
    piece = state.at(position)
    for value in (co2_percent, humidity_percent):
        if value is not None and not 0.0 <= value <= 100.0:
            raise Impossible(f"{position} can't hold {value:g} %")

    def effect(rng: np.random.Generator) -> JsonValue:
        if piece is not None:
            state.evolve(piece, now_s)
        before = state.atmospheres.get(position, Atmosphere(since_s=now_s))
        state.atmospheres[position] = before.changed(
            now_s, co2_percent=co2_percent, humidity_percent=humidity_percent, open_=before.open
        )
        return None

    return effect


def move_door(
    state: State, now_s: float, instrument: str, *, position: str, shut: bool
) -> Callable[[np.random.Generator], JsonValue]:
    """Open or close the door of a chamber. Open, the room's air comes in; closed, no arm can reach in.

    The warmth that is lost with the air is left out: it comes back faster than a plate would feel it.
    """
    piece = state.at(position)

    def effect(rng: np.random.Generator) -> JsonValue:
        if piece is not None:
            state.evolve(piece, now_s)
        if shut:
            state.shut.add(position)
        else:
            state.shut.discard(position)
        before = state.atmospheres.get(position, Atmosphere(since_s=now_s))
        state.atmospheres[position] = before.changed(
            now_s, co2_percent=before.co2_percent, humidity_percent=before.humidity_percent, open_=not shut
        )
        return None

    return effect
