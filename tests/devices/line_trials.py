"""Commands of the line devices, and how the world's ledger shows whether they were carried out, wholly, in part or twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from devices.climate_chamber import CloseDoor, Keep, OpenDoor
from devices.incubator import Incubate
from devices.plate_hotel import Move, PutLid, TakeLid
from devices.thermocycler import CloseLid, Heat, OpenLid
from digital_twin.ledger import Action
from digital_twin.world import World
from lab.interfaces import Command
from tests.devices import chamber_bench as chambers
from tests.devices.line_bench import CASES, Case

CYCLER, SHAKER, ARM = CASES

QUESTIONS = (
    "get",
    "M105",
    "M119",
    "M141",
    "wait",
    "where",
    "mode",
    "hp",
    "attach",
    "HomeAll",
    "GraspData",
    "setShake",
)
"""How lines begin that change nothing for any material."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A command to break off.

    Args:
        first: what is done before it, so that there is something to do.
        parts: its marks -> what the first line begins with that changes anything after the mark.
        answers: all that may come of it, each of which does at some cut.
        happened: whether the ledger says that the whole command was carried out, once.
        begun: whether the ledger says that the material has seen any of it.
        anew: all that may come of it where another process asks; empty: the same.
        late: the same, where nobody asks before ten minutes; empty: the same.
        questions: how the instrument's lines begin that change nothing for any material.
    """

    case: Case
    command: Command
    first: tuple[Command, ...] = ()
    parts: dict[str, str]
    answers: str
    happened: Callable[[World, Sequence[Action]], bool]
    begun: Callable[[World, Sequence[Action]], bool]
    questions: tuple[str, ...] = QUESTIONS
    anew: str = ""
    late: str = ""

    @property
    def name(self) -> str:
        return f"{self.command.verb} {self.case.name}"


def _told_c(actions: Sequence[Action]) -> list[tuple[float, Any]]:
    return [(a.lab_time_s, a.arguments["temperature_c"]) for a in actions if a.action == "set_temperature"]


def heated(temperature_c: float, hold_s: float) -> Callable[[World, Sequence[Action]], bool]:
    """Told the temperature once, to cool when the hold was over, and left to it until it was down."""

    def check(world: World, actions: Sequence[Action]) -> bool:
        told = _told_c(actions)
        if [c for _, c in told] != [temperature_c, 25.0, None]:
            return False
        (hot_s, _), (cool_s, _), (off_s, _) = told
        way_s = (temperature_c - 22.0) / 3.6 + 10.0
        held = hold_s <= cool_s - hot_s <= hold_s + way_s + 5.0
        return held and off_s - cool_s >= (temperature_c - 25.0) / 2.0 - 2.0

    return check


def incubated(
    rpm: float | None, hold_s: float, *, position: str = "shaker"
) -> Callable[[World, Sequence[Action]], bool]:
    """Shaken once, for the whole time, and free again."""

    def check(world: World, actions: Sequence[Action]) -> bool:
        shaken = [(a.lab_time_s, a.arguments["rpm"]) for a in actions if a.action == "shake"]
        free = not world.is_shut(position) and world.state.climates[position].set_c is None
        (on_s, warm_c), (off_s, _) = _told_c(actions)[0], _told_c(actions)[-1]
        if rpm is None:
            return free and not shaken and off_s - on_s >= hold_s
        if not free or [r for _, r in shaken] != [rpm, 0.0]:
            return False
        (begun_s, _), (ended_s, _) = shaken
        cooled = warm_c <= 25.0 or off_s - ended_s <= 30.0
        return cooled and ended_s - begun_s >= hold_s - 0.1

    return check


def warmed(world: World, actions: Sequence[Action]) -> bool:
    """Shaken, or warmer than the room."""
    return any(
        (a.action == "shake" and a.arguments["rpm"])
        or (a.action == "set_temperature" and (a.arguments["temperature_c"] or 22.0) > 25.0)
        for a in actions
    )


def block_told(world: World, actions: Sequence[Action]) -> bool:
    return bool(_told_c(actions))


def carried(piece: str, destination: str, *, lid: bool = False) -> Callable[[World, Sequence[Action]], bool]:
    """Picked up once, put down once, and there."""

    def check(world: World, actions: Sequence[Action]) -> bool:
        moves = [a.action for a in actions if a.action in ("pick", "place")]
        there = world.lid_of(destination) if lid else world.at(destination)
        return moves == ["pick", "place"] and there == piece

    return check


def put_down(world: World, actions: Sequence[Action]) -> bool:
    """An arm may have it in hand; what counts is whether it was put down."""
    return any(a.action == "place" for a in actions)


def lid_is(*, shut: bool) -> Callable[[World, Sequence[Action]], bool]:
    return lambda world, actions: world.is_shut("thermocycler") is shut and len(actions) == 1


def never(world: World, actions: Sequence[Action]) -> bool:
    """Of what may be told again as often as anybody likes."""
    return False


_CARRY = {"pick": "PickPlate", "place": "PlacePlate"}
_INCUBATE = {
    "clamp": "setElmLockPos",
    "warm": "setTempTarget",
    "shake": "shakeOnWithRuntime",
    "off": "tempOff",
    "release": "setElmUnlockPos",
}

TRIALS = (
    Trial(
        case=CYCLER,
        command=Heat(plate="assay_1", temperature_c=80.0, hold_s=30.0, lid_temperature_c=85.0),
        parts={
            "close_lid": "M127",
            "heat_lid": "M140",
            "hold": "M104 S80.00 H30.00",
            "cool": "M104 S25.00",
            "off": "M18",
        },
        answers="done not_done unknown",
        happened=heated(80.0, 30.0),
        begun=block_told,
    ),
    Trial(
        case=CYCLER,
        command=CloseLid(),
        parts={"close_lid": "M127"},
        answers="done not_done",
        happened=lid_is(shut=True),
        begun=never,
    ),
    Trial(
        case=CYCLER,
        command=OpenLid(),
        first=(CloseLid(),),
        parts={"open_lid": "M126"},
        answers="done not_done",
        happened=lid_is(shut=False),
        begun=never,
    ),
    Trial(
        case=SHAKER,
        command=Incubate(plate="assay_1", temperature_c=37.0, hold_s=20.0, shaking_rpm=500.0),
        parts=_INCUBATE,
        answers="done not_done unknown",
        happened=incubated(500.0, 20.0),
        begun=warmed,
    ),
    Trial(
        case=SHAKER,
        command=Incubate(plate="assay_1", temperature_c=23.0, hold_s=20.0, shaking_rpm=800.0),
        parts=_INCUBATE,
        answers="done not_done unknown",
        happened=incubated(800.0, 20.0),
        begun=warmed,
    ),
    Trial(
        case=SHAKER,
        command=Incubate(plate="assay_1", temperature_c=37.0, hold_s=20.0, shaking_rpm=None),
        parts={mark: line for mark, line in _INCUBATE.items() if mark != "shake"},
        answers="done not_done unknown",
        happened=incubated(None, 20.0),
        begun=warmed,
    ),
    Trial(
        case=ARM,
        command=Move(labware="assay_1", destination="shaker"),
        parts=_CARRY,
        answers="done not_done",
        happened=carried("assay_1", "shaker"),
        begun=put_down,
    ),
    Trial(
        case=ARM,
        command=Move(labware="assay_1", destination="hotel_2"),
        parts=_CARRY,
        answers="done not_done",
        happened=carried("assay_1", "hotel_2"),
        begun=put_down,
    ),
    Trial(
        case=ARM,
        command=PutLid(lid="lid_1", plate="assay_1"),
        parts=_CARRY,
        answers="done not_done",
        happened=carried("lid_1", "assay_1", lid=True),
        begun=put_down,
    ),
    Trial(
        case=ARM,
        command=TakeLid(plate="assay_1", destination="hotel_3"),
        first=(PutLid(lid="lid_1", plate="assay_1"),),
        parts=_CARRY,
        answers="done not_done",
        happened=carried("lid_1", "hotel_3"),
        begun=put_down,
    ),
    Trial(
        case=chambers.LADS,
        command=Keep(plate="assay_1", temperature_c=37.0, hold_s=60.0),
        parts=chambers.LADS_PARTS,
        answers="done not_done unknown",
        happened=chambers.kept(37.0, 60.0),
        begun=chambers.warmed,
    ),
    Trial(
        case=chambers.IOC,
        command=Keep(plate="assay_1", temperature_c=37.0, hold_s=60.0),
        parts={"reach": "set setpoint double 37.0", "off": "set setpoint double 22.0"},
        answers="done not_done unknown",
        # Another process can't tell a controller that was never told from one that lost power.
        anew="done unknown",
        # Nobody knows for how long it lay in a chamber that was cooling.
        late="unknown",
        happened=chambers.kept(37.0, 60.0, rest_c=22.0),
        begun=chambers.warmed,
    ),
    Trial(
        case=chambers.SILA,
        command=Keep(plate="assay_1", temperature_c=37.0, hold_s=60.0),
        parts={
            "reach": "call TemperatureController/ControlTemperature [310.15]",
            "off": "call TemperatureController/ControlTemperature [295.15]",
        },
        # It does not show what it was told.
        answers="unknown",
        happened=chambers.kept(37.0, 60.0, rest_c=22.0),
        begun=chambers.warmed,
    ),
    Trial(
        case=chambers.LADS,
        command=CloseDoor(),
        parts={"close_door": "call Door/CoverState/Close"},
        answers="not_done",
        happened=chambers.door_is(shut=True),
        begun=never,
    ),
    Trial(
        case=chambers.LADS,
        command=OpenDoor(),
        first=(CloseDoor(),),
        parts={"open_door": "call Door/CoverState/Open"},
        answers="done",
        happened=chambers.door_is(shut=False),
        begun=never,
    ),
)


QUICK_TRIALS = (
    Trial(
        case=CYCLER,
        command=Heat(plate="assay_1", temperature_c=30.0, hold_s=3.0, lid_temperature_c=37.0),
        parts={
            "close_lid": "M127",
            "heat_lid": "M140",
            "hold": "M104 S30.00 H3.00",
            "cool": "M104 S25.00",
            "off": "M18",
        },
        answers="done not_done unknown",
        happened=heated(30.0, 3.0),
        begun=block_told,
    ),
    Trial(
        case=SHAKER,
        command=Incubate(plate="assay_1", temperature_c=22.0, hold_s=4.0, shaking_rpm=300.0),
        parts=_INCUBATE,
        answers="done not_done unknown",
        happened=incubated(300.0, 4.0),
        begun=warmed,
    ),
    *(trial for trial in TRIALS if trial.command.verb in ("move", "open_lid")),
)
"""Those that take little lab time, for where a socket makes it wall time."""
