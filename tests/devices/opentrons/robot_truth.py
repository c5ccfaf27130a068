"""What the ledger of a robot's world says that a command truly did, and whether what the device says is never better."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest

from digital_twin.world import World
from lab.bench import Bench
from lab.interfaces import Answer, Place, Reconciliation
from tests.devices.pipetting_bench import believed


@dataclass
class RobotTruth:
    """What was done since some line of the ledger.

    Args:
        tips: (rack, spot) fetched.
        net_ul: by place, what came in less what went out, as commanded.
        gives: by place, how many portions it was given; strokes of mixing are none.
        drawn_ul: from all places, strokes of mixing aside.
    """

    tips: set[Place] = field(default_factory=set)
    net_ul: dict[Place, float] = field(default_factory=lambda: defaultdict(float))
    gives: dict[Place, int] = field(default_factory=lambda: defaultdict(int))
    drawn_ul: float = 0.0

    @classmethod
    def of(cls, world: World, since: int) -> RobotTruth:
        truth = cls()
        for action in world.ledger.actions[since:]:
            arguments = action.arguments
            if action.action == "pick_up_tips":
                truth.tips |= {(rack, spot) for rack, spot in arguments["tips"]}
            if action.action not in ("aspirate", "dispense"):
                continue
            sign = -1.0 if action.action == "aspirate" else 1.0
            for well, volume_ul in zip(arguments["wells"], arguments["volumes_ul"], strict=True):
                place = (arguments["labware"], well)
                truth.net_ul[place] += sign * volume_ul
                if sign < 0.0:
                    truth.drawn_ul += volume_ul
                elif arguments["mix_cycles"]:
                    truth.drawn_ul -= volume_ul
                else:
                    truth.gives[place] += 1
        return truth


def hold_against(before: Bench, command: Any, said: Reconciliation, truth: RobotTruth, result: Any) -> None:
    """Hold what was said against what is true."""
    portions: dict[Place, int] = defaultdict(int)
    for _, place, _ in command.transfers:
        portions[place] += 1
    after = believed(before, command, said)
    if said.answer is Answer.DONE:
        assert said.result == result
        assert dict(truth.gives) == dict(portions)
        assert truth.tips == {(rack, spot) for rack, spot in result["tips"]}
    elif said.answer is Answer.NOT_DONE:
        assert not truth.gives
    else:
        certain = before.copy()
        command.believe_part(certain, said.part)
        for place in command.touches:
            if place not in (said.doubtful or ()):
                assert certain.well(*place).volume_ul - before.well(*place).volume_ul == pytest.approx(
                    truth.net_ul[place]
                )
    for item in after.labware.values():
        used = {spot for rack, spot in truth.tips if rack == item.id}
        assert not used & set(item.tips)
        for well, contents in item.wells.items():
            if after.why_barred(item.id, well):
                continue  # nothing is drawn from it; a stroke of mixing may have gone with the tip
            truly_ul = before.well(item.id, well).volume_ul + truth.net_ul[item.id, well]
            assert contents.volume_ul <= truly_ul + 1e-6, (item.id, well)
