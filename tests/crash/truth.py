"""What the ledger of a twin says, worked out a second time: places, lids, heaters, tips and nominal volumes.

Apart from ``digital_twin``: no noise, no evaporation, no chemistry, only what was done with what. So it can tell a
microlitre that the journal forgot from one that dried, and it shares no mistake with the world that it is held against.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Act", "Truth", "read_ledger"]

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Act:
    """One line of a ledger.

    Args:
        index: of the line, counted from 0 after the head.
        labware: what it was done to, where that is one piece: the plate under the light, on the block, in the gripper.
        origin: where a piece stood that is picked.
    """

    index: int
    lab_time_s: float
    instrument: str
    action: str
    arguments: dict[str, Any]
    labware: str = ""
    origin: str = ""

    @property
    def portions(self) -> list[tuple[str, str, float]]:
        """(labware, well, volume) of each channel of a pipetting action."""
        wells, volumes = self.arguments["wells"], self.arguments["volumes_ul"]
        return [(self.arguments["labware"], well, ul) for well, ul in zip(wells, volumes, strict=True)]


@dataclass(slots=True)
class Truth:
    """A bench as the ledger leaves it.

    Args:
        position: labware id -> where it stands; None in a gripper or on a plate.
        lid: plate id -> lid on it.
        volume_ul: (labware, well) -> nominal volume, as if every stroke were exact and nothing dried.
        tips: rack id -> clean tips left.
        set_c: position, or lid of one -> temperature it is told to keep; absent when off.
        mounted: handler -> channels with a tip.
        filled: labware that something was given to.
    """

    position: dict[str, str | None] = field(default_factory=dict)
    lid: dict[str, str] = field(default_factory=dict)
    volume_ul: dict[Place, float] = field(default_factory=lambda: defaultdict(float))
    tips: dict[str, frozenset[str]] = field(default_factory=dict)
    set_c: dict[str, float] = field(default_factory=dict)
    shaking_rpm: dict[str, float] = field(default_factory=dict)
    shut: set[str] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)
    mounted: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    filled: set[str] = field(default_factory=set)

    @classmethod
    def at_first(cls, bench: dict[str, Any]) -> Truth:
        """A bench as the ledger's head says it was."""
        truth = cls()
        for item in bench["labware"]:
            truth.position[item["id"]] = item["position"]
            if item["lid"]:
                truth.lid[item["id"]] = item["lid"]
            for well, contents in item["wells"].items():
                truth.volume_ul[item["id"], well] = contents["volume_ul"]
            truth.tips[item["id"]] = frozenset(item["tips"])
        return truth

    def copy(self) -> Truth:
        """An independent copy."""
        return Truth(
            position=dict(self.position),
            lid=dict(self.lid),
            volume_ul=defaultdict(float, self.volume_ul),
            tips=dict(self.tips),
            set_c=dict(self.set_c),
            shaking_rpm=dict(self.shaking_rpm),
            shut=set(self.shut),
            held=dict(self.held),
            mounted=defaultdict(set, {name: set(channels) for name, channels in self.mounted.items()}),
            filled=set(self.filled),
        )

    @property
    def at_work(self) -> list[str]:
        """What is not at rest, a phrase each: heaters, shakers, tips on channels, labware in grippers."""
        found = [f"{place} is kept at {c:g} C" for place, c in self.set_c.items()]
        found += [f"{place} shakes at {rpm:g} rpm" for place, rpm in self.shaking_rpm.items()]
        found += [
            f"{len(channels)} tips are on {name}" for name, channels in self.mounted.items() if channels
        ]
        return found + [f"{name} holds {labware}" for name, labware in self.held.items()]

    def at(self, position: str) -> str:
        """What stands at a position; empty when nothing does."""
        return next((name for name, place in self.position.items() if place == position), "")

    def apply(self, index: int, record: dict[str, Any]) -> Act:
        """Let one line of the ledger take effect."""
        given, instrument = record["arguments"], record["instrument"]
        labware, origin = str(given.get("labware", "")), ""
        place = str(given.get("position", ""))
        match record["action"]:
            case "pick_up_tips":
                for channel, (rack, spot) in zip(given["channels"], given["tips"], strict=True):
                    self.tips[rack] -= {spot}
                    self.mounted[instrument].add(channel)
            case "drop_tips":
                self.mounted[instrument] -= set(given["channels"])
            case "aspirate" | "dispense" as action:
                sign = 1.0 if action == "dispense" else -1.0
                for well, ul in zip(given["wells"], given["volumes_ul"], strict=True):
                    self.volume_ul[labware, well] += sign * ul
                if action == "dispense":
                    self.filled.add(labware)
            case "pick":
                labware, origin = self._pick(instrument, place, of_lid=given.get("lid", False)), place
            case "place":
                labware = self._place(instrument, place, of_lid=given.get("lid", False))
            case "heat_lid":
                self._keep(f"the lid of {place}", given["temperature_c"])
            case "chance" | "fault" | "recovered":
                pass  # What the fault script says of itself.
            case "power":
                pass  # An arm keeps what it holds with or without it.
            case "set_temperature":
                labware = self.at(place)
                self._keep(place, given["temperature_c"])
            case "shake":
                labware = self.at(place)
                self.shaking_rpm.pop(place, None)
                if given["rpm"]:
                    self.shaking_rpm[place] = given["rpm"]
            case "shut":
                labware = self.at(place)
                (self.shut.add if given["shut"] else self.shut.discard)(place)
            case "read_fluorescence" | "read_absorbance":
                labware = self.at(place)
            case other:
                raise ValueError(f"the oracle does not know what {other} does")
        return Act(index, record["lab_time_s"], instrument, record["action"], given, labware, origin)

    def _keep(self, place: str, temperature_c: float | None) -> None:
        self.set_c.pop(place, None)
        if temperature_c is not None:
            self.set_c[place] = temperature_c

    def _pick(self, arm: str, position: str, *, of_lid: bool) -> str:
        standing = self.at(position)
        taken = self.lid.pop(standing) if of_lid else standing
        self.position[taken] = None
        self.held[arm] = taken
        return taken

    def _place(self, arm: str, position: str, *, of_lid: bool) -> str:
        held = self.held.pop(arm)
        if of_lid:
            self.lid[self.at(position)] = held
        else:
            self.position[held] = position
        return held


def read_ledger(path: Path) -> tuple[list[Act], list[Truth]]:
    """All actions, and the bench as it was before each of them and after the last: one truth more than actions.

    A torn last line is left out: it never took effect.
    """
    content = path.read_bytes()
    lines = content[: content.rfind(b"\n") + 1].splitlines()
    head, records = json.loads(lines[0]), [json.loads(line) for line in lines[1:]]
    truth = Truth.at_first(head["bench"])
    acts: list[Act] = []
    truths = [truth.copy()]
    for index, record in enumerate(records):
        acts.append(truth.apply(index, record))
        truths.append(truth.copy())
    return acts, truths
