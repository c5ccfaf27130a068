"""A pipetting command as the moves of an Opentrons robot, in parts that are marked one by one.

A pure function of the command, the belief and the robot's kit: the device sends the moves, the exporter writes them as a
protocol, and the estimate adds them up. Eight channels are used for whole columns and whole columns of tips; what is not
one is done well by well with one channel. Either way each row or well has the tip that the command's belief gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from devices.liquid_handler.commands import AddReagent, Distribute, Mix, by_column
from devices.liquid_handler.outcome import Pipetting
from devices.opentrons_robot.kit import RobotKit, robot_labware
from lab.bench import Bench
from lab.types import JsonValue

__all__ = [
    "ABOVE_MM",
    "IN_LIQUID_MM",
    "Draw",
    "Drop",
    "Give",
    "Move",
    "Part",
    "PickUp",
    "Unplannable",
    "parts_of",
]

IN_LIQUID_MM = 1.0
"""Height of a tip above the bottom of a well that it draws from or gives into; what Opentrons' protocols do by default."""

ABOVE_MM = 1.0
"""Height of a tip above a well's rim when it gives without touching."""

PICK_UP_S = 9.0
TRAVEL_S = 3.0
DROP_S = 6.0
"""Lab time of moves, as an OT-2 in ordinary use takes; no source, estimates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PickUp:
    """Fetch tips; with eight channels the column that begins at the spot."""

    mount: str
    labware: str
    well: str

    @property
    def seconds(self) -> float:
        """Expected lab time."""
        return PICK_UP_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Aspirate; the volume is each channel's."""

    mount: str
    labware: str
    well: str
    volume_ul: float
    flow_ul_per_s: float

    @property
    def seconds(self) -> float:
        """Expected lab time."""
        return TRAVEL_S + self.volume_ul / self.flow_ul_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Give:
    """Dispense; the volume is each channel's.

    Args:
        above: from above the well, without touching what is in it.
        stroke: of mixing, which pushes no air out after the liquid.
    """

    mount: str
    labware: str
    well: str
    volume_ul: float
    flow_ul_per_s: float
    above: bool = False
    stroke: bool = False

    @property
    def seconds(self) -> float:
        """Expected lab time."""
        return TRAVEL_S + self.volume_ul / self.flow_ul_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Throw the tips away."""

    mount: str

    @property
    def seconds(self) -> float:
        """Expected lab time."""
        return DROP_S


Move = PickUp | Draw | Give | Drop


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Moves that are marked together.

    Args:
        name: ``tips``, ``draw``, ``give``, ``mix`` or ``drop``, as :mod:`devices.liquid_handler.outcome` reads them.
        details: of the mark.
    """

    name: str
    moves: tuple[Move, ...]
    details: dict[str, JsonValue] = field(default_factory=dict)


class Unplannable(Exception):
    """Why a command can't be done with this kit; one sentence each.

    Args:
        problems: the sentences.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


def parts_of(command: Pipetting, bench: Bench, kit: RobotKit) -> tuple[Part, ...]:
    """The moves of a command on a bench as believed.

    Raises:
        Unplannable: no pipette takes such tips, a volume is too small for it, or labware is not where the robot reaches.
    """
    maker = _Maker(command, bench, kit)
    if isinstance(command, Distribute):
        parts = tuple(maker.distribute(command))
    elif isinstance(command, AddReagent):
        parts = tuple(maker.add_reagent(command))
    else:
        parts = tuple(maker.mix(command))
    maker.check(parts)
    drops = sum(part.name == "drop" for part in parts)
    for part in parts:
        if part.name == "tips":
            part.details["drops"] = drops
    return parts


class _Maker:
    def __init__(self, command: Pipetting, bench: Bench, kit: RobotKit) -> None:
        self._bench = bench
        self._kit = kit
        self._tip_ul = command.tip_volume_ul
        self._taken = 0

    def distribute(self, command: Distribute) -> Iterator[Part]:
        mount = self._mount(1)
        yield self._tips(mount, 1)
        yield self._draw(mount, command.source_labware, command.source_well, [command.drawn_ul])
        for labware, well, volume_ul in command.targets:
            give = self._give(mount, labware, well, volume_ul)
            held_ul = self._bench.well(labware, well).volume_ul + volume_ul
            strokes = self._strokes(mount, labware, well, command.mix_ul(held_ul), command.mix_cycles)
            yield Part(name="give", moves=(give, *strokes), details={"channels": [0], "wells": [well]})
        yield Part(name="drop", moves=(Drop(mount=mount),))

    def add_reagent(self, command: AddReagent) -> Iterator[Part]:
        source = (command.source_labware, command.source_well)
        trough = self._bench.labware[source[0]].type.kind == "trough"
        columns = by_column(command.wells)
        if trough and all(len(column) == 8 for column in columns) and self._column_of_tips(8):
            mount = self._mount(8)
            yield self._tips(mount, 8)
            for fill, served in enumerate(command.fills()):
                yield self._draw(mount, *source, command.tip_volumes_ul(fill))
                for column in served:
                    give = self._give(mount, command.labware, column[0], command.volume_ul, above=True)
                    yield Part(
                        name="give",
                        moves=(give,),
                        details={"channels": list(range(8)), "wells": list(column)},
                    )
            yield Part(name="drop", moves=(Drop(mount=mount),))
            return
        mount = self._mount(1)
        for k, row in enumerate(command.rows):
            yield self._tips(mount, 1)
            for fill, served in enumerate(command.fills()):
                volume_ul = command.tip_volumes_ul(fill)[k]
                if volume_ul > 0.0:
                    yield self._draw(mount, *source, [volume_ul])
                for well in (well for column in served for well in column if well[0] == row):
                    give = self._give(mount, command.labware, well, command.volume_ul, above=True)
                    yield Part(name="give", moves=(give,), details={"channels": [0], "wells": [well]})
            yield Part(name="drop", moves=(Drop(mount=mount),))

    def mix(self, command: Mix) -> Iterator[Part]:
        for column in by_column(command.wells):
            groups: tuple[tuple[str, ...], ...]
            if len(column) == 8 and self._column_of_tips(8):
                groups, mount = (column,), self._mount(8)
            else:
                groups, mount = tuple((well,) for well in column), self._mount(1)
            for group in groups:
                yield self._tips(mount, len(group))
                strokes = self._strokes(mount, command.labware, group[0], command.volume_ul, command.cycles)
                details: dict[str, JsonValue] = {"channels": list(range(len(group))), "wells": list(group)}
                yield Part(name="mix", moves=strokes, details=details)
                yield Part(name="drop", moves=(Drop(mount=mount),))

    def check(self, parts: Sequence[Part]) -> None:
        """That volumes and places are within what the robot can do."""
        problems: dict[str, None] = {}
        for move in (move for part in parts for move in part.moves):
            if isinstance(move, Drop):
                continue
            problems.update(dict.fromkeys(self._unreachable(move.labware)))
            if isinstance(move, Draw | Give):
                pipette = self._kit.pipettes[move.mount]
                most_ul = min(pipette.max_ul, self._tip_ul)
                if not pipette.min_ul <= move.volume_ul <= most_ul + 1e-9:
                    problems[
                        f"{pipette.name} with tips of {self._tip_ul:g} ul moves {pipette.min_ul:g} to {most_ul:g} ul, "
                        f"not {move.volume_ul:g} ul."
                    ] = None
        if problems:
            raise Unplannable(*problems)

    def _unreachable(self, labware: str) -> Iterator[str]:
        item = self._bench.labware[labware]
        if item.position not in self._kit.slots:
            yield f"{labware} does not stand on the deck."
        if robot_labware(item.type) is None:
            yield f"Opentrons' robots have no definition of {item.type.name}, which {labware} is."

    def _mount(self, channels: int) -> str:
        mount = self._kit.mount_for(channels, self._tip_ul)
        if mount is None:
            raise Unplannable(
                f"No pipette with {channels} channel{'s' * (channels > 1)} takes tips of {self._tip_ul:g} ul."
            )
        return mount

    def _column_of_tips(self, channels: int) -> bool:
        """Whether eight channels can fetch the next tips at once: a pipette for them, and a whole column of one rack."""
        if self._kit.mount_for(channels, self._tip_ul) is None:
            return False
        following = self._bench.next_tips(self._taken + channels, self._tip_ul)[self._taken :]
        racks = {rack for rack, _ in following}
        if len(following) < channels or len(racks) > 1:
            return False
        column = following[0][1][1:]
        return [spot for _, spot in following] == [f"{row}{column}" for row in "ABCDEFGH"]

    def _tips(self, mount: str, count: int) -> Part:
        tips = self._bench.next_tips(self._taken + count, self._tip_ul)[self._taken :]
        if len(tips) < count:
            raise Unplannable(f"{count} tips of {self._tip_ul:g} ul are needed and {len(tips)} are left.")
        self._taken += count
        rack, spot = tips[0]
        return Part(
            name="tips",
            moves=(PickUp(mount=mount, labware=rack, well=spot),),
            details={"tips": [list(tip) for tip in tips]},
        )

    def _draw(self, mount: str, labware: str, well: str, volumes_ul: Sequence[float]) -> Part:
        draw = Draw(
            mount=mount, labware=labware, well=well, volume_ul=volumes_ul[0], flow_ul_per_s=self._flow(mount)
        )
        return Part(name="draw", moves=(draw,), details={"ul": sum(volumes_ul)})

    def _give(self, mount: str, labware: str, well: str, volume_ul: float, *, above: bool = False) -> Give:
        return Give(
            mount=mount,
            labware=labware,
            well=well,
            volume_ul=volume_ul,
            flow_ul_per_s=self._flow(mount),
            above=above,
        )

    def _strokes(
        self, mount: str, labware: str, well: str, volume_ul: float, cycles: int
    ) -> tuple[Move, ...]:
        """Drawing up and giving back.

        Raises:
            Unplannable: strokes smaller than the pipette moves.
        """
        least_ul = self._kit.pipettes[mount].min_ul
        if cycles and volume_ul < least_ul:
            raise Unplannable(
                f"{well} of {labware} can't be mixed by strokes of {volume_ul:g} ul: {self._kit.pipettes[mount].name} moves "
                f"{least_ul:g} ul or more."
            )
        flow = self._flow(mount)
        up = Draw(mount=mount, labware=labware, well=well, volume_ul=volume_ul, flow_ul_per_s=flow)
        down = Give(
            mount=mount, labware=labware, well=well, volume_ul=volume_ul, flow_ul_per_s=flow, stroke=True
        )
        return (up, down) * cycles

    def _flow(self, mount: str) -> float:
        return self._kit.pipettes[mount].flow_ul_per_s
