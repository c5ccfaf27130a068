"""The table of actions.

An action is prepared first: whether it can be done at all is settled without changing anything, and what comes back is
its effect. The world writes the action to its ledger between the two.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from digital_twin.actions import (
    arm,
    atmosphere,
    climate,
    instruments,
    machines,
    mishaps,
    pipetting,
    reading,
    supplies,
)
from lab.types import JsonValue

__all__ = ["ACTIONS", "BOOKKEEPING", "Effect", "Preparation"]

Effect = Callable[[np.random.Generator], JsonValue]
"""Carries an action out; the generator is the only source of its noise."""

Preparation = Callable[..., Effect]
"""``(state, now_s, instrument, **arguments) -> Effect``; raises Impossible."""

ACTIONS: dict[str, Preparation] = {
    "set_temperature": climate.set_temperature,
    "heat_lid": climate.heat_lid,
    "shake": climate.shake,
    "shut": climate.shut,
    "raise_magnets": climate.raise_magnets,
    "set_atmosphere": atmosphere.set_atmosphere,
    "move_door": atmosphere.move_door,
    "pick": arm.pick,
    "place": arm.place,
    "power": arm.power,
    "pick_up_tips": pipetting.pick_up_tips,
    "drop_tips": pipetting.drop_tips,
    "aspirate": pipetting.aspirate,
    "dispense": pipetting.dispense,
    "read_fluorescence": reading.read_fluorescence,
    "read_absorbance": reading.read_absorbance,
    "remember": instruments.remember,
    "control": instruments.control,
    "infuse": instruments.infuse,
    "take_spectrum": instruments.take_spectrum,
    "zero_balance": machines.zero_balance,
    "weigh": machines.weigh,
    "present_bucket": machines.present_bucket,
    "spin_up": machines.spin_up,
    "spin_down": machines.spin_down,
    "deliver": supplies.deliver,
    "clog": mishaps.clog,
    "lose_tips": mishaps.lose_tips,
    "drop": mishaps.drop,
    "put_back": mishaps.put_back,
    "chance": mishaps.chance,
    "fault": mishaps.fault,
    "recovered": mishaps.recovered,
}

BOOKKEEPING = frozenset({"chance", "fault", "recovered"})
"""Actions that do nothing to anything. They are counted apart, so that no noise depends on them."""
