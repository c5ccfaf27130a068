"""Protocols as files for Opentrons robots: a plan's pipetting as one of theirs, and one of theirs as a step of ours.

What leaves the lab's hands this way runs on a robot without drywet: in the Opentrons App, at another lab. Only steps that
are pipetting on the one robot, and that are the same whatever is read on the way, can be written. The others are refused by
name, or become pauses that say what a person is to do by hand.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from devices.liquid_handler import AddReagent, Distribute, Mix
from devices.opentrons_robot.analysis import analyse
from devices.opentrons_robot.files import RunFile, file_command
from devices.opentrons_robot.kit import FLEX, RobotKit, robot_labware
from devices.opentrons_robot.moves import (
    ABOVE_MM,
    IN_LIQUID_MM,
    Draw,
    Give,
    Move,
    PickUp,
    Unplannable,
    parts_of,
)
from lab.bench import Bench
from lab.errors import BadInput, Infeasible
from lab.interfaces import Command

__all__ = ["API_LEVEL", "PlannedStep", "opentrons_file", "opentrons_protocol"]

API_LEVEL = "2.16"
"""Of Opentrons' Python API: the first in which a trash of the Flex is loaded; robots of software 7.1 and later have it."""

_ROBOTS = {FLEX: "Flex"}

_FLEX_PIPETTES = {
    "p50_single_flex": "flex_1channel_50",
    "p50_multi_flex": "flex_8channel_50",
    "p1000_single_flex": "flex_1channel_1000",
    "p1000_multi_flex": "flex_8channel_1000",
}
"""Pipettes of the Flex as protocols call them; those of the OT-2 have one name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One step of a plan.

    Args:
        device: that is to do it.
        certain: whether it is the same whatever is read on the way.
    """

    device: str
    command: Command
    certain: bool = True

    def told(self, number: int) -> str:
        """For messages: ``step 3, read_absorbance on reader``."""
        return f"step {number}, {self.command.verb} on {self.device}"


def opentrons_protocol(
    steps: Sequence[PlannedStep],
    bench: Bench,
    *,
    robot: str,
    kit: RobotKit,
    name: str,
    by_hand: bool = False,
) -> str:
    """A Python protocol for an Opentrons robot that does the pipetting of some steps.

    Args:
        bench: as believed before the first step; it is not changed.
        robot: name of the device that is the robot; pipetting on another one is a step like any other.
        kit: what the robot is fitted with.
        name: of the protocol.
        by_hand: write a pause in place of a step that can't be written, in which a person does it.

    Raises:
        Infeasible: steps that can't be written, each by number and name; with ``by_hand``, those that depend on readings.
    """
    writer = _Writer(bench.copy(), robot, kit, by_hand=by_hand)
    for number, step in enumerate(steps, start=1):
        writer.take(number, step)
    if writer.refused:
        way_out = (
            "Leave them out of the protocol."
            if by_hand
            else "Write a pause in place of each, for a person to do it; what depends on readings can't be written at all."
        )
        raise Infeasible(tuple(writer.refused), way_out=way_out)
    return "\n".join([*_head(name, kit), *writer.loading(bench), *writer.lines]) + "\n"


def opentrons_file(path: Path | str, stands: Mapping[str, object]) -> RunFile:
    """A protocol file for an Opentrons robot as one command, to ``yield from bench.do("handler", command)``.

    What it does to tips and liquid comes from its analysis, by Opentrons' software.

    Args:
        path: of the file.
        stands: slot -> the labware that stands there when it begins, a plate or a name of the workcell file.

    Raises:
        BadInput: it can't be read, its analysis finds fault with it, or it does what can't be followed here.
        MissingData: Opentrons' software is not installed.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The Opentrons protocol can't be read: {error}.", file=file) from error
    named = {str(slot): str(at) for slot, at in stands.items()}
    return file_command(file.name, text, _analysis(file.name, text), named)


@lru_cache(maxsize=32)
def _analysis(name: str, text: str) -> Mapping[str, object]:
    """Each walk of a plan asks for it again; it takes some seconds and is the same for the same text."""
    return analyse(name, text.encode())


class _Writer:
    """Writes the body of ``run``, and notes what has to be loaded for it."""

    def __init__(self, bench: Bench, robot: str, kit: RobotKit, *, by_hand: bool) -> None:
        self._bench = bench
        self._robot = robot
        self._kit = kit
        self._by_hand = by_hand
        self._names: dict[str, str] = {}
        self._mounts: dict[str, None] = {}
        self._at = {item.id: kit.slots.get(item.position or "") for item in bench.labware.values()}
        self.lines: list[str] = []
        self.refused: list[str] = []

    def take(self, number: int, step: PlannedStep) -> None:
        """Write one step, or refuse it."""
        if not step.certain:
            self.refused.append(f"{_capital(step.told(number))}, depends on what is read before it.")
            return
        command, told = step.command, step.told(number)
        if step.device == self._robot and isinstance(command, Distribute | AddReagent | Mix):
            try:
                parts = parts_of(command, self._bench, self._kit)
            except Unplannable as reason:
                self.refused.append(f"{_capital(told)}: {reason}")
                return
            self.lines += ["", f"    # {_plain(told)}"]
            for move in (move for part in parts for move in part.moves):
                self._mounts.setdefault(move.mount)
                self.lines += self._written(move)
        elif self._by_hand:
            where = ", ".join(f"{key}={value}" for key, value in command.to_json().items())
            said = f"By hand: {told} ({where}). Go on when it is done."
            self.lines += ["", f"    protocol.pause({_text(said)})"]
        else:
            self.refused.append(f"{_capital(told)}, is no pipetting on {self._robot}.")
            return
        command.believe(self._bench)

    def loading(self, before: Bench) -> Iterator[str]:
        """Loads labware and pipettes, each where it stands when it is first used."""
        if self._kit.model == FLEX:
            yield f"    protocol.load_trash_bin({_text(self._kit.trash.removeprefix('movableTrash'))})"
        for labware, variable in self._names.items():
            known = robot_labware(before.labware[labware].type)
            assert known is not None, "what has no definition was refused"
            position = before.labware[labware].position
            slot = self._kit.slots.get(position or "")
            where = "protocol_api.OFF_DECK" if slot is None else _text(slot)
            yield (
                f"    {variable} = protocol.load_labware({_text(known[0])}, {where}, label={_text(labware)}, "
                f'namespace="opentrons", version={known[1]})'
            )
        for mount in self._mounts:
            pipette = self._kit.pipettes[mount]
            called = _FLEX_PIPETTES.get(pipette.name, pipette.name)
            yield f"    {mount} = protocol.load_instrument({_text(called)}, {_text(mount)})"
            for way in ("aspirate", "dispense"):
                yield f"    {mount}.flow_rate.{way} = {pipette.flow_ul_per_s!r}"

    def _written(self, move: Move) -> Iterator[str]:
        match move:
            case PickUp():
                yield from self._brought(move.labware)
                yield f"    {move.mount}.pick_up_tip({self._well(move.labware, move.well)})"
            case Draw():
                yield from self._brought(move.labware)
                at = f"{self._well(move.labware, move.well)}.bottom({IN_LIQUID_MM!r})"
                yield f"    {move.mount}.aspirate({move.volume_ul!r}, {at})"
            case Give():
                yield from self._brought(move.labware)
                height = f"top({ABOVE_MM!r})" if move.above else f"bottom({IN_LIQUID_MM!r})"
                push = ", push_out=0" if move.stroke else ""
                at = f"{self._well(move.labware, move.well)}.{height}"
                yield f"    {move.mount}.dispense({move.volume_ul!r}, {at}{push})"
            case _:
                yield f"    {move.mount}.drop_tip()"

    def _brought(self, labware: str) -> Iterator[str]:
        """Has a person bring labware that stands elsewhere by now than the robot believes."""
        variable = self._name(labware)
        slot = self._kit.slots[self._bench.labware[labware].position or ""]
        if self._at[labware] != slot:
            for other in [other for other in self._names if self._at[other] == slot]:
                yield f"    protocol.move_labware({self._name(other)}, protocol_api.OFF_DECK)"
                self._at[other] = None
            yield f"    protocol.move_labware({variable}, {_text(slot)})"
        self._at[labware] = slot

    def _well(self, labware: str, well: str) -> str:
        return f"{self._name(labware)}[{_text(well)}]"

    def _name(self, labware: str) -> str:
        if labware not in self._names:
            wanted = re.sub(r"\W", "_", labware, flags=re.ASCII).lower() or "labware"
            wanted = (
                f"labware_{wanted}"
                if wanted[0].isdigit() or keyword.iskeyword(wanted) or wanted in _TAKEN
                else wanted
            )
            taken, variable, n = set(self._names.values()), wanted, 2
            while variable in taken:
                variable, n = f"{wanted}_{n}", n + 1
            self._names[labware] = variable
        return self._names[labware]


_TAKEN = frozenset({"protocol", "protocol_api", "left", "right", "run", "metadata", "requirements", "_"})


def _head(name: str, kit: RobotKit) -> Iterator[str]:
    yield f'"""{_plain(name)}: pipetting written by drywet. Labware stands as it is loaded below."""'
    yield ""
    yield "from opentrons import protocol_api"
    yield ""
    yield f'metadata = {{"protocolName": {_text(name)}, "author": "drywet"}}'
    yield f'requirements = {{"robotType": {_text(_ROBOTS.get(kit.model, "OT-2"))}, "apiLevel": {_text(API_LEVEL)}}}'
    yield ""
    yield ""
    yield "def run(protocol: protocol_api.ProtocolContext) -> None:"


def _text(value: str) -> str:
    """A Python string that says just this, in ASCII."""
    return ascii(value)


def _plain(text: str) -> str:
    """Fit for a comment or a docstring."""
    return ascii(text)[1:-1].replace('"', "'").replace("\\", "/")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
