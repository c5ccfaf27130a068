"""A pipetting robot that one process after the other drives, and what its world's ledger says it truly did."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pytest

from devices.labware import labware_type, make_labware
from devices.liquid_handler import AddReagent, Distribute, Mix
from devices.liquid_handler.evo import evo
from devices.liquid_handler.handler import Handler
from devices.liquid_handler.star import star
from digital_twin.chemistry import chemistry
from digital_twin.faults import NO_FAULTS, FaultScript
from digital_twin.instruments.evo import evo_twin
from digital_twin.instruments.liquid_handler import star_twin
from digital_twin.world import World
from lab.bench import Bench
from lab.clock import LabClock
from lab.interfaces import Answer, Place, Reconciliation
from tests.devices.broken_off import Breaker, Tried
from tests.twin_bench import SEATS, small_bench

MAKES = {"star": (star, star_twin), "evo": (evo, evo_twin)}

HANDLER_CALLS = ("pick_up_tips", "drop_tips", "aspirate", "dispense")

COMMANDS = (
    Distribute(
        source_labware="library",
        source_well="A1",
        targets=(("assay_1", "A1", 5.0), ("assay_2", "C3", 4.0), ("assay_1", "A1", 3.0)),
        tip_volume_ul=50.0,
        mix_cycles=2,
    ),
    AddReagent(
        source_labware="buffer",
        source_well="A1",
        labware="assay_1",
        wells=("A1", "B1", "C1", "A2", "C2", "A3", "B3", "B4"),
        volume_ul=20.0,
        tip_volume_ul=50.0,
    ),
    Mix(labware="assay_2", wells=("A1", "B1", "A5", "B5"), volume_ul=20.0, cycles=3, tip_volume_ul=50.0),
)


@dataclass
class Truth:
    """What the ledger says of one command.

    Args:
        tips: (rack, spot) fetched.
        drawn_ul: by place.
        given: by place, volumes in order.
    """

    tips: set[Place]
    drawn_ul: dict[Place, float]
    given: dict[Place, list[float]]

    @classmethod
    def of(cls, world: World, since: int) -> Truth:
        truth = cls(set(), defaultdict(float), defaultdict(list))
        for action in world.ledger.actions[since:]:
            arguments = action.arguments
            if action.action == "pick_up_tips":
                truth.tips |= {(rack, spot) for rack, spot in arguments["tips"]}
            if action.action in ("aspirate", "dispense"):
                for well, volume_ul in zip(arguments["wells"], arguments["volumes_ul"], strict=True):
                    place = (arguments["labware"], well)
                    if action.action == "aspirate":
                        truth.drawn_ul[place] += volume_ul
                    else:
                        truth.given[place].append(volume_ul)
        return truth

    @property
    def all_drawn_ul(self) -> float:
        return sum(self.drawn_ul.values())

    def volume_ul(self, before: Bench, place: Place) -> float:
        """What a well holds, but for the inaccuracy of pipetting."""
        return before.well(*place).volume_ul - self.drawn_ul[place] + sum(self.given[place])


class Rig:
    """A world, and the handler that one process after the other drives in it."""

    def __init__(self, clock: LabClock, make: str = "star") -> None:
        self.clock = clock
        self.make = make
        self.bench = small_bench()
        if make == "evo":
            for rack, position in (("tips_1", "deck_tips_1"), ("tips_2", "deck_tips_2")):
                self.bench.labware[rack] = make_labware(rack, labware_type("tecan_tips_50ul"), position)
        for well in ("A1", "B1", "A5", "B5"):
            self.bench.fill("assay_2", well, {"reporter": 50.0})
        self.world = World(
            clock=clock,
            seed=7,
            ledger=None,
            bench=self.bench,
            chemistry=chemistry("protein_g"),
            seats=SEATS,
        )

    async def handler(self, breaker: Breaker | None = None, script: FaultScript = NO_FAULTS) -> Handler:
        """As a new process makes it."""
        device_of, twin_of = MAKES[self.make]
        driver = twin_of(self.world, name="handler", script=script)
        if breaker is not None:
            breaker.stand_before(driver.backend, HANDLER_CALLS)
        device = device_of("handler", driver, bench=self.bench)
        await device.connect()
        return device

    async def said(self, device: Handler, command: Any, tried: Tried, *, after_death: bool) -> Reconciliation:
        """What is said once the machine is in its safe state, by a new process after the death of the first."""
        asked = await self.handler() if after_death else device
        await asked.look()
        await asked.safe()
        assert self.world.tips_on("handler") == (False,) * 8
        return await getattr(asked, command.verb).reconcile(command, tried.marks)


def believed(before: Bench, command: Any, said: Reconciliation) -> Bench:
    """Belief after a step, as the store replays it."""
    after = before.copy()
    if said.answer is Answer.DONE:
        command.believe(after)
    else:
        command.believe_part(after, said.part)
    if said.answer is Answer.UNKNOWN:
        certain, after = after, before.copy()
        command.believe(after)
        after.doubt(certain)
        after.bar(said.doubtful or (), "test")
    return after


def check(before: Bench, command: Any, said: Reconciliation, truth: Truth, result: Any) -> None:
    """Hold what was said against what is true."""
    after = believed(before, command, said)
    asked_for: dict[Place, list[float]] = defaultdict(list)
    for _, place, volume_ul in command.transfers:
        asked_for[place].append(volume_ul)
    if said.answer is Answer.DONE:
        assert dict(truth.given) == asked_for
        assert truth.all_drawn_ul == pytest.approx(getattr(command, "drawn_ul", 0.0))
        assert said.result == result
        return
    part = said.part or {"tips": [], "drawn_ul": 0.0}
    assert {(rack, spot) for rack, spot in part["tips"]} >= truth.tips
    assert part.get("drawn_ul", 0.0) >= truth.all_drawn_ul - 1e-9
    if said.answer is Answer.NOT_DONE:
        assert not truth.given
    certain = before.copy()
    command.believe_part(certain, said.part)
    for place in command.touches:
        if said.answer is Answer.UNKNOWN:
            assert place in (said.doubtful or ()) or certain.well(*place).volume_ul == pytest.approx(
                truth.volume_ul(before, place)
            )
            assert (certain.well(*place).volume_ul - before.well(*place).volume_ul) <= sum(
                truth.given[place]
            ) + 1e-9
    for item in after.labware.values():
        assert set(item.tips) <= {t for t in before.labware[item.id].tips if (item.id, t) not in truth.tips}
        for well, contents in item.wells.items():
            assert contents.volume_ul <= truth.volume_ul(before, (item.id, well)) + 1e-6
