"""What further machines do: a balance is set to zero and weighs, a centrifuge presents its buckets and spins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from digital_twin.physics.weighing import (
    AQUEOUS_G_ML,
    labware_mass_g,
    shown_g,
    true_load_g,
    zero_drift_g_per_h,
)
from digital_twin.state import Impossible, Piece, State
from lab.types import JsonValue

__all__ = ["load_g", "present_bucket", "spin_down", "spin_up", "weigh", "zero_balance"]


IMBALANCE_G = 10.0
"""By which the loads of a small plate rotor may differ before it trips; a round figure of such machines."""


def zero_balance(
    state: State, now_s: float, instrument: str, *, position: str
) -> Callable[[np.random.Generator], JsonValue]:
    """A balance takes what it carries now for nothing."""
    piece = state.at(position)

    def effect(rng: np.random.Generator) -> JsonValue:
        if piece is not None:
            state.evolve(piece, now_s)
        values: dict[str, JsonValue] = {"zero_g": load_g(state, piece), "zeroed_s": now_s}
        state.memory.setdefault(instrument, {}).update(values)
        return None

    return effect


def weigh(
    state: State, now_s: float, instrument: str, *, position: str
) -> Callable[[np.random.Generator], JsonValue]:
    """What the balance shows for what stands on it, g."""
    piece = state.at(position)

    def effect(rng: np.random.Generator) -> JsonValue:
        if piece is not None:
            state.evolve(piece, now_s)
        memory = state.memory.get(instrument, {})
        hours = (now_s - float(memory.get("zeroed_s", 0.0))) / 3600.0
        return shown_g(
            load_g(state, piece),
            zero_g=float(memory.get("zero_g", 0.0)),
            drift_g=zero_drift_g_per_h(rng=state.rng("balance drift", instrument)) * hours,
            sensitivity_rng=state.rng("balance sensitivity", instrument),
            rng=rng,
        )

    return effect


def present_bucket(
    state: State, now_s: float, instrument: str, *, positions: list[str], bucket: int
) -> Callable[[np.random.Generator], JsonValue]:
    """Open a centrifuge's door with one of its buckets in it; 0 shuts the door. The others are out of reach."""
    for position in positions:
        state.at(position)
    _stands_still(state, instrument)

    def effect(rng: np.random.Generator) -> JsonValue:
        for number, position in enumerate(positions, start=1):
            if number == bucket:
                state.shut.discard(position)
            else:
                state.shut.add(position)
        state.memory.setdefault(instrument, {})["homed"] = True
        return None

    return effect


def spin_up(
    state: State, now_s: float, instrument: str, *, positions: list[str], rcf_g: float, ends_s: float
) -> Callable[[np.random.Generator], JsonValue]:
    """The rotor begins to turn; it stands again at ``ends_s`` unless it is stopped before."""
    pieces = [state.at(position) for position in positions]
    _stands_still(state, instrument)
    loads_g = [load_g(state, piece) for piece in pieces]
    if max(loads_g) - min(loads_g) > IMBALANCE_G:
        raise Impossible(f"the rotor is out of balance by {max(loads_g) - min(loads_g):.1f} g")

    def effect(rng: np.random.Generator) -> JsonValue:
        state.shut.update(positions)
        state.memory.setdefault(instrument, {})["spin"] = {"rcf_g": rcf_g, "begun_s": now_s, "ends_s": ends_s}
        return None

    return effect


def spin_down(
    state: State, now_s: float, instrument: str, *, positions: list[str]
) -> Callable[[np.random.Generator], JsonValue]:
    """The rotor stands; gives back whether it turned for as long as it was told."""
    spin = state.memory.get(instrument, {}).get("spin")
    if spin is None:
        raise Impossible(f"the rotor of {instrument} does not turn")
    pieces = [piece for piece in map(state.at, positions) if piece is not None]

    def effect(rng: np.random.Generator) -> JsonValue:
        for piece in pieces:
            state.evolve(piece, now_s)
        del state.memory[instrument]["spin"]
        return bool(now_s >= float(spin["ends_s"]) - 1e-6)

    return effect


def _stands_still(state: State, instrument: str) -> None:
    if "spin" in state.memory.get(instrument, {}):
        raise Impossible(f"the rotor of {instrument} turns")


def load_g(state: State, piece: Piece | None) -> float:
    """What a faultless balance would show for a piece of labware, its lid and its liquids; nothing weighs nothing."""
    if piece is None:
        return 0.0
    plastic_g = labware_mass_g(piece.kind.kind, rng=state.rng("mass", piece.id))
    if piece.lid is not None:
        plastic_g += labware_mass_g("lid", rng=state.rng("mass", piece.lid))
    liquid_ul = 0.0 if piece.wells is None else float(piece.wells.volume_ul.sum())
    # A chemistry whose liquids are not water says how dense they are.
    density_g_ml = float(getattr(state.chemistry, "density_g_ml", AQUEOUS_G_ML))
    return true_load_g(plastic_g=plastic_g, liquid_ul=liquid_ul, density_g_ml=density_g_ml)
