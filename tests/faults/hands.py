"""What a person's eyes and hands are needed for when instruments fail: fallen labware, and plates at the wrong heat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digital_twin.chemistry import chemistry
from digital_twin.world import World
from lab.app.belief import read_bench
from lab.app.prepare import stored_workcell
from lab.bench import Bench
from lab.store import Store
from tests.crash import deeds
from tests.crash.deeds import Deed, Extent, Past
from tests.crash.truth import Act

__all__ = ["deed_of", "put_back"]

CYCLER = "thermocycler"
ROOM_C = 22.0
AS_ON_THE_BENCH_C = 5.0
"""A plate that stood so near the room's temperature is as it would be had it stood on the bench."""

CARRY = ("move", "put_lid", "take_lid")
KEPT_WARM = ("heat", "incubate")


def deed_of(verb: str, arguments: Mapping[str, Any], acts: Sequence[Act], past: Past, ended: int) -> Deed:
    """How much of a step the ledger shows, faults included.

    Beside what :mod:`tests.crash.deeds` says: a plate that stood on a block which stayed short of its temperature was not
    left alone, what fell was not carried, and a lid that nobody ever moved is open.
    """
    if verb in ("open_lid", "close_lid") and not any(act.instrument == CYCLER for act in past.acts):
        return Deed(Extent.ALL if verb == "open_lid" else Extent.NOTHING, (), {})
    if verb in CARRY:
        return deeds.deed_of(verb, arguments, _held_on_to(acts), past, ended)
    deed = deeds.deed_of(verb, arguments, acts, past, ended)
    if verb in KEPT_WARM and deed.extent is Extent.NOTHING and _fell_short(acts):
        return Deed(Extent.PART, deed.wrong, deed.portions)
    return deed


def _held_on_to(acts: Sequence[Act]) -> list[Act]:
    """Without what was picked up and fell: a person put it back, and it was as if nobody had touched it."""
    kept: list[Act] = []
    for act in acts:
        if act.action == "drop":
            last = max(n for n, one in enumerate(kept) if one.action == "pick")
            del kept[last]
        else:
            kept.append(act)
    return kept


def _fell_short(acts: Sequence[Act]) -> bool:
    """Whether a block that failed was told a temperature which is not that of the bench, or near it."""
    told_c = [act.arguments["temperature_c"] for act in acts if act.action == "set_temperature"]
    struck = any(act.action == "fault" and act.arguments["kind"] == "temperature" for act in acts)
    return struck and any(c is not None and abs(c - ROOM_C) > AS_ON_THE_BENCH_C for c in told_c)


def put_back(store: Store, bench_id: str) -> tuple[str, ...]:
    """Pick up what arms have dropped, and put each piece where it is believed to be. Nobody else may be at work there.

    Returns:
        The pieces.
    """
    record = store.bench(bench_id)
    (spec, *_) = (stored_workcell(one) for one in store.campaigns() if one.bench_id == bench_id)
    ledger = Path(record.ledger)
    world = World.rebuild(
        ledger, clock=_Still(World.lab_time_of(ledger)), chemistry=chemistry(spec.chemistry)
    )
    try:
        fallen = [
            piece.id
            for piece in world.state.pieces.values()
            if piece.position is None and piece.on is None and piece.id not in world.state.held.values()
        ]
        if not fallen:
            return ()
        belief = read_bench(store, bench_id).bench
        for piece in fallen:
            position, lid = _believed(belief, piece)
            world.act("person", "put_back", labware=piece, position=position, lid=lid)
        return tuple(fallen)
    finally:
        world.close()


def _believed(belief: Bench, piece: str) -> tuple[str, bool]:
    """Where a piece is believed to be, and whether as a lid on a plate there."""
    for plate in belief.labware.values():
        if plate.lid == piece:
            assert plate.position is not None, "a plate with a lid stands somewhere"
            return plate.position, True
    item = belief.labware[piece]
    position = item.position or item.maybe or item.home
    assert position is not None, "every piece has a home"
    return position, False


@dataclass(frozen=True, slots=True)
class _Still:
    """A clock that stands still."""

    now_s: float

    def now(self) -> float:
        """Lab time."""
        return self.now_s

    def hold(self, what: str) -> AbstractContextManager[None]:
        """Time stands anyway."""
        return nullcontext()

    def when_quiet(self, callback: Callable[[], None]) -> None:
        """It is."""
        callback()
