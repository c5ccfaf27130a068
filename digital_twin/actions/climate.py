"""Heating, shaking and shutting a place, and magnets under one.

What an instrument was told and goes on with by itself (a hold, a runtime) is kept in the state with it, so that a world
rebuilt from its ledger knows it too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from digital_twin.state import Impossible, LidHeat, Shaking, State
from lab.types import JsonValue

__all__ = ["heat_lid", "raise_magnets", "set_temperature", "shake", "shut"]


def set_temperature(
    state: State,
    now_s: float,
    instrument: str,
    *,
    position: str,
    temperature_c: float | None,
    ramp_c_per_s: float | None = None,
    hold_s: float = 0.0,
) -> Callable[[np.random.Generator], JsonValue]:
    """Tell a place a new temperature; None turns it off, and it drifts to the room's.

    ``hold_s`` is what the instrument was told to count down once it is there; the place itself stays as it is after it.
    """
    piece = state.at(position)
    if ramp_c_per_s is not None and ramp_c_per_s <= 0.0:
        raise Impossible(f"{position} can't change by {ramp_c_per_s:g} C/s")

    def effect(rng: np.random.Generator) -> JsonValue:
        if piece is not None:
            state.evolve(piece, now_s)
        state.climates[position] = state.climates[position].told(now_s, temperature_c, ramp_c_per_s)
        state.holds_s[position] = hold_s
        return None

    return effect


def heat_lid(
    state: State,
    now_s: float,
    instrument: str,
    *,
    position: str,
    temperature_c: float | None,
    start_c: float,
) -> Callable[[np.random.Generator], JsonValue]:
    """Tell the heater of a place's cover a new temperature; None turns it off. What stands below does not feel it."""
    state.at(position)

    def effect(rng: np.random.Generator) -> JsonValue:
        state.lid_heats[position] = LidHeat(target_c=temperature_c, since_s=now_s, start_c=start_c)
        return None

    return effect


def shake(
    state: State,
    now_s: float,
    instrument: str,
    *,
    position: str,
    rpm: float,
    acceleration_s: float = 0.0,
    runtime_s: float | None = None,
) -> Callable[[np.random.Generator], JsonValue]:
    """Shake a place at a speed; 0 stops. A runtime is what the instrument was told; its end is an action of its own."""
    piece = state.at(position)
    if rpm < 0.0:
        raise Impossible(f"{position} can't shake at {rpm:g} rpm")

    def effect(rng: np.random.Generator) -> JsonValue:
        if piece is not None:
            state.evolve(piece, now_s)
        state.shaking_rpm[position] = rpm
        before = state.shaking.get(position)
        if rpm > 0.0:
            state.shaking[position] = Shaking(
                speed_rpm=rpm, acceleration_s=acceleration_s, begun_s=now_s, runtime_s=runtime_s
            )
        elif before is not None and before.stopped_s is None:
            state.shaking[position] = replace(before, stopped_s=now_s)
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
        if instrument in state.readings:
            state.readings[instrument].over = True
        return None

    return effect


def raise_magnets(
    state: State, now_s: float, instrument: str, *, position: str, height_mm: float
) -> Callable[[np.random.Generator], JsonValue]:
    """Bring the magnets under a place to a height above the ledge that a plate rests on. No liquid here feels them."""
    state.at(position)

    def effect(rng: np.random.Generator) -> JsonValue:
        state.magnets_mm[position] = height_mm
        return None

    return effect
