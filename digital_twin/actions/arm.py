"""Carrying labware: an arm holds one piece at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from digital_twin.state import Arm, Impossible, Piece, State
from lab.types import JsonValue

__all__ = ["pick", "place", "power"]


def pick(
    state: State, now_s: float, instrument: str, *, position: str, lid: bool = False
) -> Callable[[np.random.Generator], JsonValue]:
    """Take the labware that stands at a position, or only the lid that lies on it."""
    if instrument in state.held:
        raise Impossible(f"the gripper already holds {state.held[instrument]}")
    standing = _reach(state, position)
    if standing is None:
        raise Impossible(f"nothing stands at {position}")
    if lid and standing.lid is None:
        raise Impossible(f"{standing.id} at {position} has no lid")
    if state.shaking_rpm.get(position, 0.0) > 0.0:
        raise Impossible(f"{position} is shaking")

    def effect(rng: np.random.Generator) -> JsonValue:
        state.evolve(standing, now_s)
        if lid and standing.lid is not None:
            state.pieces[standing.lid].on = None
            state.held[instrument], standing.lid = standing.lid, None
        else:
            standing.position = None
            state.held[instrument] = standing.id
        _stood(state, instrument, position, lid)
        return state.held[instrument]

    return effect


def place(
    state: State, now_s: float, instrument: str, *, position: str, lid: bool = False
) -> Callable[[np.random.Generator], JsonValue]:
    """Put what the arm holds at a position; with ``lid`` onto the plate that stands there."""
    if instrument not in state.held:
        raise Impossible("the gripper holds nothing")
    held = state.pieces[state.held[instrument]]
    standing = _reach(state, position)
    if lid:
        if held.kind.kind != "lid":
            raise Impossible(f"{held.id} is no lid")
        if standing is None or standing.kind.kind != "plate":
            raise Impossible(f"no plate stands at {position} to put {held.id} on")
        if standing.lid is not None:
            raise Impossible(f"{standing.id} at {position} already has the lid {standing.lid}")
    elif standing is not None:
        raise Impossible(f"{standing.id} already stands at {position}")

    def effect(rng: np.random.Generator) -> JsonValue:
        if lid and standing is not None:
            state.evolve(standing, now_s)
            standing.lid, held.on = held.id, standing.id
        else:
            state.evolve(held, now_s)
            held.position = position
        _stood(state, instrument, position, lid)
        return state.held.pop(instrument)

    return effect


def power(
    state: State, now_s: float, instrument: str, *, on: bool, referenced: bool
) -> Callable[[np.random.Generator], JsonValue]:
    """Give an arm's motors power or take it; brakes and gripper keep what they hold."""

    def effect(rng: np.random.Generator) -> JsonValue:
        before = state.arms.get(instrument, Arm())
        state.arms[instrument] = replace(before, powered=on, referenced=referenced)
        return None

    return effect


def _stood(state: State, instrument: str, position: str, lid: bool) -> None:
    state.arms[instrument] = replace(state.arms.get(instrument, Arm()), station=(position, lid))


def _reach(state: State, position: str) -> Piece | None:
    standing = state.at(position)
    if position in state.shut:
        raise Impossible(f"{position} is shut")
    return standing
