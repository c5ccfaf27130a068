"""A protocol file of Opentrons' as one command of ours, with what it does to tips and liquid, as its analysis says.

What the analysis says of labware is told by slot and load name; which piece of ours stands in a slot, whoever makes the
command says. So the command is the same whenever it is made, and belief can replay what was done of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

from devices.command import CommandValue
from devices.liquid_handler.parts import use_up
from devices.opentrons_robot.kit import FLEX, OT2, PIPETTES
from devices.opentrons_robot.moves import DROP_S, PICK_UP_S, TRAVEL_S
from lab.bench import Bench
from lab.errors import BadInput
from lab.interfaces import Place
from lab.types import JsonValue

__all__ = ["EVENT_OF", "Event", "RunFile", "events_of", "file_command"]

Event = tuple[str, str, str, tuple[str, ...], float]
"""What one of the robot's commands does: ``tips``, ``draw``, ``give`` or ``drop``; the mount; labware and wells, none for a
drop; and the volume of each channel.
"""

EVENT_OF: Mapping[str, str] = MappingProxyType(
    {"pickUpTip": "tips", "aspirate": "draw", "dispense": "give", "dropTip": "drop", "dropTipInPlace": "drop"}
)
"""Commands that do something to tips or liquid, in a run as in an analysis."""

_HARMLESS = frozenset(
    {
        "home",
        "loadLabware",
        "loadPipette",
        "loadLiquid",
        "comment",
        "waitForDuration",
        "waitForResume",
        "prepareToAspirate",
        "configureForVolume",
        "moveToWell",
        "moveToAddressableArea",
        "moveToAddressableAreaForDropTip",
        "touchTip",
        "setRailLights",
        "setStatusBar",
    }
)
"""Commands that change neither tips nor liquid."""

_COLUMN = "ABCDEFGH"

NOTHING_UL = 1e-9
"""What rounding leaves in a tip that is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile(CommandValue):
    """Run a protocol file on the robot, from beginning to end.

    Args:
        name: of the file.
        text: of it.
        model: of robot that it is for.
        pipettes: (mount, name) that it asks for.
        labware: (slot, load name, our labware) that it uses.
        events: what it does to tips and liquid, in order.
        seconds: expected lab time.
    """

    verb: ClassVar[str] = "run_file"

    name: str
    text: str
    model: str
    pipettes: tuple[tuple[str, str], ...]
    labware: tuple[tuple[str, str, str], ...]
    events: tuple[Event, ...]
    seconds: float

    @classmethod
    def from_json(cls, arguments: Mapping[str, JsonValue]) -> Self:
        """The command that :meth:`to_json` wrote; rows come back as lists."""
        events = tuple(
            (kind, mount, where, tuple(wells), ul) for kind, mount, where, wells, ul in arguments["events"]
        )
        rows = {name: tuple(tuple(row) for row in arguments[name]) for name in ("pipettes", "labware")}
        return cls(**{**arguments, **rows, "events": events})

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the robot."""
        return tuple(ours for _, _, ours in self.labware)

    @property
    def volume_ul(self) -> tuple[float, ...]:
        """Of every draw and give, for the limits of a device."""
        return tuple(event[4] for event in self.events if event[0] in ("draw", "give"))

    @property
    def transfers(self) -> tuple[tuple[Place, Place, float], ...]:
        """From where each portion was drawn to where it was given; what is mixed in a tip counts in proportion."""
        return tuple(_Tips().transfers(self.events))

    @property
    def draws(self) -> tuple[Place, ...]:
        """Where it draws, strokes of mixing too."""
        return self._places("draw")

    @property
    def touches(self) -> tuple[Place, ...]:
        """Where it gives; of a source no more than its volume can be in doubt."""
        return self._places("give")

    def _places(self, kind: str) -> tuple[Place, ...]:
        return tuple(
            dict.fromkeys(place for event in self.events if event[0] == kind for place in places_of(event))
        )

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done: tips that are gone, too little to draw, wells that would run over."""
        missing = [name for name in self.stands_here if name not in bench.labware]
        if missing:
            return tuple(f"There is no {name} on this bench." for name in missing)
        found: dict[str, None] = {}
        trial, tips = bench.copy(), _Tips()
        for event in self.events:
            found.update(dict.fromkeys(_wrong(trial, event)))
            if not found:
                tips.replay(trial, [event])
        return tuple(found)

    def believe(self, bench: Bench) -> None:
        """All of it was done."""
        _Tips().replay(bench, self.events)

    def believe_part(self, bench: Bench, part: JsonValue) -> None:
        """What a broken-off one did: ``events``, the number of those that count as done."""
        if part:
            _Tips().replay(bench, self.events[: part["events"]])

    def duration_s(self, bench: Bench) -> float:
        """As the analysis adds up."""
        return self.seconds


def places_of(event: Event) -> list[Place]:
    """The wells of an event."""
    return [(event[2], well) for well in event[3]]


class _Tips:
    """What is in the tips of each mount and channel, by the wells that it came from."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], dict[Place, float]] = defaultdict(dict)
        self._contents: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)

    def replay(self, bench: Bench, events: Iterable[Event]) -> None:
        """Let events take effect on a belief."""
        for kind, mount, labware, wells, volume_ul in events:
            if kind == "tips":
                use_up(bench, [(labware, well) for well in wells])
            if kind in ("tips", "drop"):
                for channel in range(len(_COLUMN)):
                    self._contents.pop((mount, channel), None)
            for channel, well in enumerate(wells):
                held = self._contents[mount, channel]
                if kind == "draw":
                    for content, ul in bench.draw(labware, well, volume_ul).items():
                        held[content] = held.get(content, 0.0) + ul
                elif kind == "give":
                    bench.fill(labware, well, _taken(held, volume_ul))

    def transfers(self, events: Iterable[Event]) -> Iterator[tuple[Place, Place, float]]:
        """Source, target and volume of each portion that ends elsewhere than it came from."""
        for kind, mount, labware, wells, volume_ul in events:
            if kind in ("tips", "drop"):
                for channel in range(len(_COLUMN)):
                    self._held.pop((mount, channel), None)
                continue
            for channel, well in enumerate(wells):
                held, place = self._held[mount, channel], (labware, well)
                if kind == "draw":
                    held[place] = held.get(place, 0.0) + volume_ul
                else:
                    yield from (
                        (source, place, ul)
                        for source, ul in _taken(held, volume_ul).items()
                        if source != place
                    )


def _taken(held: dict[Any, float], volume_ul: float) -> dict[Any, float]:
    """Take a volume out of what is held, of all parts in proportion."""
    total = sum(held.values())
    share = min(1.0, volume_ul / total) if total > 0.0 else 0.0
    taken = {part: ul * share for part, ul in held.items() if ul > NOTHING_UL}
    for part, ul in taken.items():
        held[part] -= ul
    return taken


def _wrong(bench: Bench, event: Event) -> Iterator[str]:
    """Why an event can't be, on a bench as believed."""
    kind, _, labware, wells, volume_ul = event
    if kind == "drop":
        return
    item = bench.labware[labware]
    for well in wells:
        if well not in item.type.wells:
            yield f"{labware} has no {well}."
        elif kind == "tips" and well not in item.tips:
            yield f"There is no tip at {well} of {labware}."
        elif kind != "tips" and item.lid is not None:
            yield f"The lid {item.lid} on {labware} is in the way of the tips."
    if kind == "draw" and set(wells) <= set(item.wells):
        for well in dict.fromkeys(wells):
            wanted_ul = volume_ul * wells.count(well)
            if wanted_ul > bench.available_ul(labware, well) + 1e-9:
                left_ul = bench.available_ul(labware, well)
                yield f"{well} of {labware} is asked for {wanted_ul:g} ul and can give {left_ul:g} ul."
    if kind == "give" and set(wells) <= set(item.wells):
        for well in dict.fromkeys(wells):
            held_ul = bench.well(labware, well).volume_ul + volume_ul * wells.count(well)
            if held_ul > item.type.max_volume_ul + 1e-9:
                yield f"{well} of {labware} would hold {held_ul:g} ul, more than its {item.type.max_volume_ul:g} ul."


def file_command(name: str, text: str, analysis: Mapping[str, Any], stands: Mapping[str, str]) -> RunFile:
    """The command for a protocol file.

    Args:
        analysis: of the file, by Opentrons' software.
        stands: slot -> the labware of ours that stands there when the run begins.

    Raises:
        BadInput: the file is wrong by its analysis, or does what can't be followed here; names it.
    """
    errors = analysis.get("errors") or ()
    if errors:
        raise BadInput(
            f"Opentrons' software finds fault with it: {errors[0].get('detail', errors[0])}", file=name
        )
    robot = str(analysis.get("robotType"))
    if robot not in (OT2, FLEX):
        raise BadInput(f"It is for {robot}, which is no robot of Opentrons that is known here.", file=name)
    labware, events = events_of(name, analysis["commands"], stands)
    mounts = [(str(one["mount"]), str(one["pipetteName"])) for one in analysis.get("pipettes", ())]
    return RunFile(
        name=name,
        text=text,
        model=robot,
        pipettes=tuple(sorted(mounts)),
        labware=labware,
        events=events,
        seconds=_seconds(analysis["commands"]),
    )


def events_of(
    name: str, commands: Sequence[Mapping[str, Any]], stands: Mapping[str, str]
) -> tuple[tuple[tuple[str, str, str], ...], tuple[Event, ...]]:
    """Labware and events of an analysis; arguments and errors as of :func:`file_command`."""
    slots: dict[str, str] = {}
    loaded: list[tuple[str, str, str]] = []
    pipettes: dict[str, tuple[str, int]] = {}
    events: list[Event] = []
    rows: dict[str, int] = {}
    for n, command in enumerate(commands):
        kind, params, result = command["commandType"], command["params"], command.get("result") or {}
        if kind == "loadLabware":
            slot = _slot_of(name, params)
            if slot not in stands:
                raise BadInput(
                    f"It has {params['loadName']} in slot {slot}, and nothing says what stands there.",
                    way_out=f"Say which labware is in slot {slot}.",
                    file=name,
                )
            slots[result["labwareId"]] = stands[slot]
            rows[result["labwareId"]] = _rows_of(result)
            loaded.append((slot, str(params["loadName"]), stands[slot]))
        elif kind == "loadPipette":
            known = PIPETTES.get(str(params["pipetteName"]))
            if known is None:
                raise BadInput(f"It uses {params['pipetteName']}, which is not known here.", file=name)
            pipettes[result["pipetteId"]] = (str(params["mount"]), known.channels)
        elif kind in ("pickUpTip", "aspirate", "dispense"):
            mount, channels = pipettes[params["pipetteId"]]
            wells = _wells(str(params["wellName"]), channels, rows[params["labwareId"]])
            events.append(
                (EVENT_OF[kind], mount, slots[params["labwareId"]], wells, float(params.get("volume", 0.0)))
            )
        elif kind in ("dropTipInPlace", "dropTip"):
            if kind == "dropTip" and params["labwareId"] in slots:
                raise BadInput(
                    "It puts used tips back into their rack, which can't be followed here.", file=name
                )
            events.append(("drop", pipettes[params["pipetteId"]][0], "", (), 0.0))
        elif kind not in _HARMLESS:
            raise BadInput(
                f"Its command {n + 1}, {kind}, can't be followed here.",
                way_out="What can: fetching tips, drawing, giving, throwing tips away, waiting.",
                file=name,
            )
    return tuple(loaded), tuple(events)


def _slot_of(name: str, params: Mapping[str, Any]) -> str:
    location = params["location"]
    if not isinstance(location, Mapping) or "slotName" not in location:
        raise BadInput(
            f"It has {params['loadName']} elsewhere than in a slot, which can't be followed here.", file=name
        )
    return str(location["slotName"])


def _rows_of(result: Mapping[str, Any]) -> int:
    """Rows of labware by its definition."""
    ordering = result.get("definition", {}).get("ordering") or [[]]
    return max(1, len(ordering[0]))


def _wells(first: str, channels: int, rows: int) -> tuple[str, ...]:
    """The wells that the channels are over, one for each; in a trough, all over the one."""
    if channels == 1:
        return (first,)
    if rows == 1:
        return (first,) * channels
    return tuple(f"{row}{first[1:]}" for row in _COLUMN[_COLUMN.index(first[0]) : rows])


def _seconds(commands: Sequence[Mapping[str, Any]]) -> float:
    total = 30.0
    for command in commands:
        kind, params = command["commandType"], command["params"]
        if kind in ("aspirate", "dispense"):
            total += TRAVEL_S + float(params["volume"]) / float(params["flowRate"])
        elif kind == "waitForDuration":
            total += float(params["seconds"])
        else:
            total += {"pickUpTip": PICK_UP_S, "dropTipInPlace": DROP_S, "dropTip": DROP_S}.get(kind, 0.5)
    return total
