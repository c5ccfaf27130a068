"""From a command to the lines of a worklist, in words that a person at a bench goes by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from devices.incubator import Incubate
from devices.liquid_handler import AddReagent, Distribute, Mix
from devices.person.commands import MeasureByHand, WorkByHand
from devices.person.sheet import Asked, Line, PlateShown
from devices.plate_hotel import Move, PutLid, TakeLid
from devices.plate_reader import ReadAbsorbance, ReadFluorescence
from devices.thermocycler import CloseLid, Heat, OpenLid
from lab.bench import Bench
from lab.interfaces import Command, Place

__all__ = ["lines_of", "numbers_asked", "shown", "title_of"]

ABSORBANCE_OD = (-0.5, 6.0)
"""Range of an absorbance that any reader gives: none measures past OD 6, and a blank may come out a little below zero."""


def lines_of(command: Command, bench: Bench) -> tuple[Line, ...]:
    """What a person is to do, line by line.

    Args:
        bench: as believed before the command.
    """
    return tuple(_LINES[type(command)](command, bench))


def title_of(command: Command) -> str:
    """What it is about, in a few words."""
    return _TITLES[type(command)]


def numbers_asked(
    command: Command, bench: Bench, *, unit: str, lowest: float | None, highest: float | None
) -> Asked | None:
    """Numbers that are to come back of a command; None where none are.

    Of a whole plate's reading, those of the wells that hold something.

    Args:
        unit: of a fluorescence, which has none that all readers share.
        lowest, highest: of any number, where the workcell file says so.
    """
    if isinstance(command, MeasureByHand):
        return Asked(
            plate=command.plate,
            quantity=command.quantity,
            unit=command.unit,
            wells=command.wells,
            lowest=lowest,
            highest=highest,
        )
    if isinstance(command, ReadFluorescence):
        quantity = f"fluorescence, {command.excitation_nm:g}/{command.emission_nm:g} nm"
        return Asked(
            plate=command.plate,
            quantity=quantity,
            unit=unit,
            wells=_filled(bench, command.plate),
            lowest=lowest,
            highest=highest,
        )
    if isinstance(command, ReadAbsorbance):
        return Asked(
            plate=command.plate,
            quantity=f"absorbance at {command.wavelength_nm:g} nm",
            unit="OD",
            wells=_filled(bench, command.plate),
            lowest=ABSORBANCE_OD[0] if lowest is None else lowest,
            highest=ABSORBANCE_OD[1] if highest is None else highest,
        )
    return None


def shown(lines: Sequence[Line], bench: Bench, barcodes: dict[str, str]) -> tuple[PlateShown, ...]:
    """The labware that some lines name, in their order.

    Args:
        barcodes: labware id -> barcode.
    """
    named = dict.fromkeys(name for line in lines for name in (line.source, line.target))
    pieces = [bench.labware[name] for name in named if name in bench.labware]
    return tuple(
        PlateShown(
            id=piece.id,
            barcode=barcodes.get(piece.id) or piece.id,
            type=piece.type.name,
            rows=piece.type.rows if piece.wells else 0,
            columns=piece.type.columns if piece.wells else 0,
            at=piece.position or "on a plate",
        )
        for piece in pieces
    )


def _filled(bench: Bench, plate: str) -> tuple[str, ...]:
    return tuple(name for name, well in bench.labware[plate].wells.items() if well.volume_ul > 0.0)


def _portion(bench: Bench, source: Place, target: Place, ul: float, note: str = "") -> Line:
    holds = "+".join(sorted(bench.well(*source).parts))
    return Line(
        action="pipette",
        source=source[0],
        source_well=source[1],
        holds=holds,
        target=target[0],
        target_well=target[1],
        volume_ul=ul,
        note=note,
    )


def _distribute(command: Distribute, bench: Bench) -> list[Line]:
    mix = f"mix {command.mix_cycles} times" if command.mix_cycles else ""
    return [_portion(bench, source, target, ul, mix) for source, target, ul in command.transfers]


def _add(command: AddReagent, bench: Bench) -> list[Line]:
    return [_portion(bench, source, target, ul) for source, target, ul in command.transfers]


def _mix(command: Mix, bench: Bench) -> list[Line]:
    note = f"draw up and give back {command.volume_ul:g} ul, {command.cycles} times, with a fresh tip"
    return [Line(action="mix", target=command.labware, target_well=well, note=note) for well in command.wells]


def _work(command: WorkByHand, bench: Bench) -> list[Line]:
    lines = [_portion(bench, source, target, ul) for source, target, ul in command.transfers]
    return [*lines, *(Line(action="then", note=text) for text in command.instructions)]


def _move(command: Move, bench: Bench) -> list[Line]:
    return [Line(action="carry", source=command.labware, note=f"to {command.destination}")]


def _put_lid(command: PutLid, bench: Bench) -> list[Line]:
    return [Line(action="seal", source=command.lid, target=command.plate)]


def _take_lid(command: TakeLid, bench: Bench) -> list[Line]:
    lid = bench.labware[command.plate].lid or ""
    return [
        Line(
            action="unseal",
            source=command.plate,
            target=lid,
            note=f"put the lid down at {command.destination}",
        )
    ]


def _incubate(command: Incubate, bench: Bench) -> list[Line]:
    shaking = "" if command.shaking_rpm is None else f", shaking at {command.shaking_rpm:g} rpm"
    note = f"{_time(command.hold_s)} at {command.temperature_c:g} C{shaking}"
    return [Line(action="incubate", source=command.plate, note=note)]


def _heat(command: Heat, bench: Bench) -> list[Line]:
    note = (
        f"close the thermocycler, lid {command.lid_temperature_c:g} C; {_time(command.hold_s)} at "
        f"{command.temperature_c:g} C, then cool to {command.cool_to_c:g} C and turn it off"
    )
    return [Line(action="heat", source=command.plate, note=note)]


def _lid(text: str) -> Callable[[Any, Bench], list[Line]]:
    return lambda command, bench: [Line(action=text, note="of the thermocycler")]


def _read(command: ReadAbsorbance | ReadFluorescence | MeasureByHand, bench: Bench) -> list[Line]:
    asked = numbers_asked(command, bench, unit="rfu", lowest=None, highest=None)
    assert asked is not None  # every reading asks for numbers
    gain = f"; gain {command.gain:g}" if isinstance(command, ReadFluorescence) else ""
    note = f"{asked.quantity}{gain}; {len(asked.wells)} wells, see the plate map; results into results.csv"
    return [Line(action="measure", source=command.plate, note=note)]


def _time(duration_s: float) -> str:
    for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if duration_s >= size:
            return f"{duration_s / size:g} {unit}"
    return f"{duration_s:g} s"


_LINES: dict[type[Any], Callable[[Any, Bench], list[Line]]] = {
    Distribute: _distribute,
    AddReagent: _add,
    Mix: _mix,
    WorkByHand: _work,
    Move: _move,
    PutLid: _put_lid,
    TakeLid: _take_lid,
    Incubate: _incubate,
    Heat: _heat,
    OpenLid: _lid("open the lid"),
    CloseLid: _lid("close the lid"),
    ReadAbsorbance: _read,
    ReadFluorescence: _read,
    MeasureByHand: _read,
}

_TITLES: dict[type[Any], str] = {
    Distribute: "Pipette",
    AddReagent: "Add a reagent",
    Mix: "Mix",
    WorkByHand: "Prepare a plate",
    Move: "Carry",
    PutLid: "Seal",
    TakeLid: "Unseal",
    Incubate: "Incubate",
    Heat: "Heat",
    OpenLid: "Open the thermocycler",
    CloseLid: "Close the thermocycler",
    ReadAbsorbance: "Read absorbance",
    ReadFluorescence: "Read fluorescence",
    MeasureByHand: "Measure",
}
