"""What the ledger of a twin says when its instruments fail: the oracle's second working-out, with accidents in it.

Beside what :mod:`tests.crash.truth` knows: tips that are clogged, short of liquid or lost, and labware that fell. A channel
gives what is in its tip, air first, as air-displacement channels do; what it was told to give is another matter.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from tests.crash.truth import Act, Truth

__all__ = ["BOOKKEEPING", "FaultyTruth", "read_ledger"]

BOOKKEEPING = frozenset({"chance", "fault", "recovered"})
"""Lines of the ledger that change nothing on the bench."""

SCRIPT = "the script of faults"
"""What acts in those lines, in place of an instrument; which one it is about stands in their arguments."""

Channel = tuple[str, int]


@dataclass(slots=True)
class FaultyTruth(Truth):
    """A bench as the ledger leaves it, accidents included.

    Args:
        clogged: (handler, channel) whose tip lets nothing through.
        air_ul: (handler, channel) -> air below the liquid in its tip, drawn where liquid should have been.
        fallen: labware that lies on the floor.
        trouble: instrument -> kind of the fault that lasts.
    """

    clogged: set[Channel] = field(default_factory=set)
    air_ul: dict[Channel, float] = field(default_factory=lambda: defaultdict(float))
    fallen: set[str] = field(default_factory=set)
    trouble: dict[str, str] = field(default_factory=dict)

    def copy(self) -> FaultyTruth:
        """An independent copy."""
        base = Truth.copy(self)
        return FaultyTruth(
            **{one.name: getattr(base, one.name) for one in fields(Truth)},
            clogged=set(self.clogged),
            air_ul=defaultdict(float, self.air_ul),
            fallen=set(self.fallen),
            trouble=dict(self.trouble),
        )

    def apply(self, index: int, record: dict[str, Any]) -> Act:
        """Let one line of the ledger take effect."""
        given, instrument = record["arguments"], record["instrument"]
        match record["action"]:
            case "fault":
                if "lasting" in given:
                    self.trouble[instrument] = given["kind"]
            case "recovered":
                self.trouble.pop(instrument, None)
            case "chance":
                pass
            case "clog":
                self.clogged |= {(instrument, channel) for channel in given["channels"]}
            case "lose_tips":
                self._bare(instrument, given["channels"])
            case "drop":
                piece = self.held.pop(instrument)
                self.fallen.add(piece)
                return Act(index, record["lab_time_s"], instrument, "drop", given, piece)
            case "put_back":
                self._put_back(given["labware"], given["position"], of_lid=given.get("lid", False))
            case "drop_tips":
                self._bare(instrument, given["channels"])
                return Truth.apply(self, index, record)
            case "aspirate" | "dispense":
                return Truth.apply(self, index, {**record, "arguments": self._moved(record)})
            case _:
                return Truth.apply(self, index, record)
        if record["action"] in BOOKKEEPING:
            return Act(
                index, record["lab_time_s"], SCRIPT, record["action"], {"instrument": instrument, **given}
            )
        return Act(index, record["lab_time_s"], instrument, record["action"], given)

    def _put_back(self, piece: str, position: str, *, of_lid: bool) -> None:
        self.fallen.remove(piece)
        if of_lid:
            self.lid[self.at(position)] = piece
        else:
            self.position[piece] = position

    def _bare(self, instrument: str, channels: list[int]) -> None:
        self.mounted[instrument] -= set(channels)
        for channel in channels:
            self.clogged.discard((instrument, channel))
            self.air_ul.pop((instrument, channel), None)

    def _moved(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a pipetting action with the liquid that it truly moved; channels that moved none are left out."""
        given, instrument = dict(record["arguments"]), record["instrument"]
        shares = given.get("liquid_shares") or [1.0] * len(given["channels"])
        moved = []
        for channel, well, ul, share in zip(
            given["channels"], given["wells"], given["volumes_ul"], shares, strict=True
        ):
            place = (instrument, channel)
            if place in self.clogged:
                continue
            liquid_ul = share * ul
            if record["action"] == "aspirate":
                self.air_ul[place] += ul - liquid_ul
            else:
                air_ul = min(self.air_ul[place], ul)
                self.air_ul[place] -= air_ul
                liquid_ul = ul - air_ul
            if liquid_ul > 0.0 or ul == 0.0:
                moved.append((channel, well, liquid_ul))
        channels, wells, volumes = zip(*moved, strict=True) if moved else ((), (), ())
        return given | {"channels": list(channels), "wells": list(wells), "volumes_ul": list(volumes)}

    @classmethod
    def at_first(cls, bench: dict[str, Any]) -> Self:
        """A bench as the ledger's head says it was."""
        base = Truth.at_first(bench)
        return cls(**{one.name: getattr(base, one.name) for one in fields(Truth)})


def read_ledger(path: Path, *, silent_is_noise: bool = False) -> tuple[list[Act], list[Truth]]:
    """All actions, and the bench as it was before each of them and after the last: one truth more than actions.

    A torn last line is left out: it never took effect.

    Args:
        silent_is_noise: a share that a tip drew short without a word counts as noise of the stroke, not as a deed: nobody
            could know of it.
    """
    content = path.read_bytes()
    lines = content[: content.rfind(b"\n") + 1].splitlines()
    head, records = json.loads(lines[0]), [json.loads(line) for line in lines[1:]]
    truth = FaultyTruth.at_first(head["bench"])
    acts: list[Act] = []
    truths: list[Truth] = [truth.copy()]
    for index, record in enumerate(records):
        if silent_is_noise:
            record["arguments"].pop("liquid_shares", None)
        acts.append(truth.apply(index, record))
        truths.append(truths[-1] if record["action"] == "chance" else truth.copy())
    return acts, truths
