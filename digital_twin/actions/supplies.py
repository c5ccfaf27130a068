"""What comes from outside: material that was ordered, put into a well by whoever unpacks it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from digital_twin.state import Impossible, State
from digital_twin.wells import Liquid
from lab.errors import BadInput
from lab.types import JsonValue

__all__ = ["deliver"]


def deliver(
    state: State,
    now_s: float,
    instrument: str,
    *,
    order: str,
    labware: str,
    well: str,
    content: str,
    volume_ul: float,
) -> Callable[[np.random.Generator], JsonValue]:
    """Fill a dry well with what was ordered, as strong as the chemistry says such a preparation is. An order comes once:
    repeated, it says where it was put.
    """
    before = state.memory.get(instrument, {}).get(order)
    if before is not None:
        return lambda rng: before
    piece = state.pieces.get(labware)
    if piece is None or piece.wells is None or well not in piece.wells.names:
        raise Impossible(f"there is no well {well} of {labware}")
    wells = piece.wells
    index = wells.index(well)
    if wells.volume_ul[index] > 0.0:
        raise Impossible(f"{well} of {labware} is not empty")
    try:
        state.chemistry.stock(content, np.random.default_rng(0))
    except BadInput as unknown:
        raise Impossible(f"nobody can make {content}: {unknown}") from unknown

    def effect(rng: np.random.Generator) -> JsonValue:
        state.evolve(piece, now_s)
        concentrations = state.chemistry.stock(content, state.rng("order", content))
        true_ul = min(volume_ul, wells.shape.brim_ul)
        amounts = {species: c * true_ul for species, c in concentrations.items()}
        wells.pour(index, Liquid(volume_ul=true_ul, amounts_pmol=amounts))
        wells.unmixed[index] = 0.0
        state.memory.setdefault(instrument, {})[order] = [labware, well]
        return [labware, well]

    return effect
