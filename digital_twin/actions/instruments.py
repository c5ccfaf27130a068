"""What instruments on text and register buses do: remember, control a furnace, infuse from a syringe, take a spectrum.

What an instrument holds in a memory of its own (registers, counters, a program) is kept in the state, so that a world
rebuilt from its ledger knows it too. What it does to matter is one action together with what it remembers of that: no crash
comes between the two, as none does in the instrument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from digital_twin.physics.peristaltic import peristaltic_bias, rolled_ul
from digital_twin.physics.spectrometry import Sensitivity, measured_power_w, transmitted_power_w
from digital_twin.physics.syringe import infused_ul, syringe_bias
from digital_twin.state import Impossible, State
from lab.types import JsonValue

__all__ = ["control", "infuse", "remember", "take_spectrum"]

_PLASTIC_ABSORBANCE = 0.04
"""Of the bottom of an empty clear well in the visible, as in :mod:`digital_twin.actions.reading`."""

_MENISCUS_CV = 0.005
"""Spread of the optical path from one look into a well to the next; a choice."""


def remember(
    state: State, now_s: float, instrument: str, *, values: Mapping[str, JsonValue]
) -> Callable[[np.random.Generator], JsonValue]:
    """Put values into an instrument's own memory."""

    def effect(rng: np.random.Generator) -> JsonValue:
        state.memory.setdefault(instrument, {}).update(values)
        return None

    return effect


def control(
    state: State,
    now_s: float,
    instrument: str,
    *,
    position: str,
    temperature_c: float | None,
    ramp_c_per_s: float | None = None,
    values: Mapping[str, JsonValue],
) -> Callable[[np.random.Generator], JsonValue]:
    """A controller drives a place to a temperature, or lets it go, and remembers why; see ``set_temperature``."""
    piece = state.at(position)
    if ramp_c_per_s is not None and ramp_c_per_s <= 0.0:
        raise Impossible(f"{position} can't change by {ramp_c_per_s:g} C/s")

    def effect(rng: np.random.Generator) -> JsonValue:
        if piece is not None:
            state.evolve(piece, now_s)
        state.climates[position] = state.climates[position].told(now_s, temperature_c, ramp_c_per_s)
        state.memory.setdefault(instrument, {}).update(values)
        return None

    return effect


def infuse(
    state: State,
    now_s: float,
    instrument: str,
    *,
    source: str,
    position: str,
    well: str,
    volume_ul: float,
    values: Mapping[str, JsonValue],
    per_turn_ul: float = 0.0,
) -> Callable[[np.random.Generator], JsonValue]:
    """A plunger or rollers have moved for a volume: it runs out of the tube's end, into the well below it.

    Without labware below, and through a lid, it is lost. A syringe or vessel that is empty gives air.

    Args:
        source: the syringe or vessel, as a piece of labware of one well.
        position: where the tube ends.
        well: of the labware there, over which it ends.
        volume_ul: as the pump has it.
        values: what the pump remembers of it.
        per_turn_ul: of a pump with rollers; 0 for a plunger.
    """
    syringe = state.pieces.get(source)
    if syringe is None or syringe.wells is None:
        raise Impossible(f"there is no syringe or vessel {source}")
    contents = syringe.wells
    target = state.at(position)
    makes_bias = peristaltic_bias if per_turn_ul else syringe_bias
    bias = makes_bias(rng=state.rng("syringe", instrument))

    def effect(rng: np.random.Generator) -> JsonValue:
        if per_turn_ul:
            true_ul = rolled_ul(volume_ul=volume_ul, per_turn_ul=per_turn_ul, bias=bias, rng=rng)
        else:
            true_ul = infused_ul(volume_ul=volume_ul, bias=bias, rng=rng)
        liquid = contents.draw(0, true_ul)
        if target is not None:
            state.evolve(target, now_s)
        if (
            target is not None
            and target.wells is not None
            and target.lid is None
            and well in target.wells.names
        ):
            index = target.wells.index(well)
            # What does not fit runs over the rim.
            liquid = liquid.take(max(0.0, target.wells.shape.brim_ul - float(target.wells.volume_ul[index])))
            target.wells.pour(index, liquid)
        state.memory.setdefault(instrument, {}).update(values)
        return None

    return effect


def take_spectrum(
    state: State,
    now_s: float,
    instrument: str,
    *,
    position: str,
    well: str,
    wavelengths_nm: Sequence[float],
    sensitivity: str,
    averages: int = 1,
) -> Callable[[np.random.Generator], JsonValue]:
    """Light of the lamp that comes through one well, by wavelength: power in W, as many numbers as wavelengths.

    Where no plate stands the light comes through air; through a lid none does, and none between the wells.

    Args:
        well: empty where the light falls between wells.

    Raises:
        Impossible: no such well, or sensitivity.
    """
    piece = state.at(position)
    wells = None if piece is None else piece.wells
    if wells is not None and well and well not in wells.names:
        raise Impossible(f"no light is led through {well}")
    if sensitivity not in {one.value for one in Sensitivity}:
        raise Impossible(f"there is no sensitivity {sensitivity}")
    nm = np.asarray(wavelengths_nm, dtype=np.float64)

    def effect(rng: np.random.Generator) -> JsonValue:
        absorbance = np.zeros_like(nm)
        if piece is not None and not well:
            absorbance = np.full_like(nm, np.inf)
        elif piece is not None and wells is not None:
            state.evolve(piece, now_s)
            index = wells.index(well)
            stretch = 1.0 + rng.normal(0.0, _MENISCUS_CV)
            absorbance = _PLASTIC_ABSORBANCE + stretch * np.array(
                [float(state.chemistry.absorbance(wells, wavelength_nm=float(one))[index]) for one in nm]
            )
            if piece.lid is not None:
                absorbance = np.full_like(nm, np.inf)
        true_w = transmitted_power_w(wavelength_nm=nm, absorbance=absorbance)
        seen = measured_power_w(
            true_w=true_w, sensitivity=Sensitivity(sensitivity), averages=averages, rng=rng
        )
        return [float(value) for value in seen]

    return effect
