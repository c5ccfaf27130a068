"""What goes wrong with instruments: the script's bookkeeping, and the accidents themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from digital_twin.state import Channel, Impossible, State
from lab.types import JsonValue

__all__ = ["chance", "clog", "drop", "fault", "lose_tips", "put_back", "recovered"]


def chance(
    state: State, now_s: float, instrument: str, *, opportunities: Mapping[str, int]
) -> Callable[[np.random.Generator], JsonValue]:
    """Note that faults could have struck and none did; nothing physical.

    Args:
        opportunities: rule -> which of its opportunities this was.
    """

    def effect(rng: np.random.Generator) -> JsonValue:
        state.opportunities.setdefault(instrument, {}).update(opportunities)
        return None

    return effect


def fault(
    state: State,
    now_s: float,
    instrument: str,
    *,
    opportunities: Mapping[str, int],
    rule: str,
    kind: str,
    lasting: str | None = None,
) -> Callable[[np.random.Generator], JsonValue]:
    """Note that a fault strikes; what it does to the world is an action of its own.

    Args:
        rule: by which.
        kind: of fault.
        lasting: the request with which a fault begins that lasts until :func:`recovered`.
    """
    noted = chance(state, now_s, instrument, opportunities=opportunities)

    def effect(rng: np.random.Generator) -> JsonValue:
        if lasting is not None:
            state.troubles[instrument] = (kind, lasting)
        return noted(rng)

    return effect


def recovered(state: State, now_s: float, instrument: str) -> Callable[[np.random.Generator], JsonValue]:
    """Note that a fault that lasted is over; nothing physical."""

    def effect(rng: np.random.Generator) -> JsonValue:
        state.troubles.pop(instrument, None)
        return None

    return effect


def clog(
    state: State, now_s: float, instrument: str, *, channels: Sequence[int]
) -> Callable[[np.random.Generator], JsonValue]:
    """Stop tips up: nothing goes in or out of them any more."""
    head = state.head(instrument)
    _need_tips(head, channels)

    def effect(rng: np.random.Generator) -> JsonValue:
        for channel in channels:
            head[channel].clogged = True
        return None

    return effect


def lose_tips(
    state: State, now_s: float, instrument: str, *, channels: Sequence[int]
) -> Callable[[np.random.Generator], JsonValue]:
    """Let tips fall off, with whatever is in them; they lie around."""
    head = state.head(instrument)
    _need_tips(head, channels)

    def effect(rng: np.random.Generator) -> JsonValue:
        for channel in channels:
            head[channel] = Channel(calibration=head[channel].calibration)
        return None

    return effect


def drop(state: State, now_s: float, instrument: str) -> Callable[[np.random.Generator], JsonValue]:
    """Let what an arm holds fall. It lies where no arm can reach it, lid and all."""
    if instrument not in state.held:
        raise Impossible("the gripper holds nothing")

    def effect(rng: np.random.Generator) -> JsonValue:
        state.evolve(state.pieces[state.held[instrument]], now_s)
        return state.held.pop(instrument)

    return effect


def put_back(
    state: State, now_s: float, instrument: str, *, labware: str, position: str, lid: bool = False
) -> Callable[[np.random.Generator], JsonValue]:
    """A person picks up what fell, and puts it at a position; with ``lid`` onto the plate that stands there."""
    piece, standing = state.pieces[labware], state.at(position)
    if piece.position is not None or piece.on is not None or labware in state.held.values():
        raise Impossible(f"{labware} does not lie around")
    if lid and (standing is None or standing.lid is not None):
        raise Impossible(f"no plate without a lid stands at {position}")
    if not lid and standing is not None:
        raise Impossible(f"{standing.id} already stands at {position}")

    def effect(rng: np.random.Generator) -> JsonValue:
        if lid and standing is not None:
            state.evolve(standing, now_s)
            standing.lid, piece.on = labware, standing.id
        else:
            state.evolve(piece, now_s)
            piece.position = position
        return None

    return effect


def _need_tips(head: Sequence[Channel], channels: Sequence[int]) -> None:
    for channel in channels:
        if not head[channel].tip_volume_ul:
            raise Impossible(f"channel {channel + 1} has no tip")
