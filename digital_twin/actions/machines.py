"""What further machines do: a balance is set to zero and weighs."""

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
from digital_twin.state import Piece, State
from lab.types import JsonValue

__all__ = ["load_g", "weigh", "zero_balance"]


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
