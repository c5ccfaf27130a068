"""The table of actions.

An action is prepared first: whether it can be done at all is settled without changing anything, and what comes back is
its effect. The world writes the action to its ledger between the two.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from digital_twin.actions import arm, climate, pipetting, reading
from lab.types import JsonValue

__all__ = ["ACTIONS", "Effect", "Preparation"]

Effect = Callable[[np.random.Generator], JsonValue]
"""Carries an action out; the generator is the only source of its noise."""

Preparation = Callable[..., Effect]
"""``(state, now_s, instrument, **arguments) -> Effect``; raises Impossible."""

ACTIONS: dict[str, Preparation] = {
    "set_temperature": climate.set_temperature,
    "shake": climate.shake,
    "shut": climate.shut,
    "pick": arm.pick,
    "place": arm.place,
    "pick_up_tips": pipetting.pick_up_tips,
    "drop_tips": pipetting.drop_tips,
    "aspirate": pipetting.aspirate,
    "dispense": pipetting.dispense,
    "read_fluorescence": reading.read_fluorescence,
    "read_absorbance": reading.read_absorbance,
}
