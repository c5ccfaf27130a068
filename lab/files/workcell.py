"""The workcell file: the instruments of one bench, the places for labware, and the labware that stands there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lab.bench import Position, well_names
from lab.errors import BadInput, CampaignFileError
from lab.files.faults import NO_FAULTS, FaultsFields, FaultsSpec, read_faults
from lab.files.interlocks import InterlockFields, read_interlocks
from lab.files.source import Problems, SourceFile, read_source
from lab.files.yaml_text import read_yaml
from lab.interlocks import Interlock
from lab.strict import StrictModel, did_you_mean
from lab.types import JsonValue
from lab.units import SUFFIXES, read_quantity

__all__ = ["CANDIDATES", "DeviceSpec", "LabwareSpec", "WorkcellSpec", "load_workcell"]

CANDIDATES = "candidates"
"""What library plates hold: each well a candidate, as the campaign's candidate file says."""

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]*$")
_ADDRESS = re.compile(r"^(?:[a-z][a-z0-9.+]*:\S+)$")
_BARCODE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._/+$%-]{0,63}$")
_PORT = re.compile(r"^tcp:\S+:([0-9]{1,5})$")
_PLATE_FORMATS = {6: (2, 3), 12: (3, 4), 24: (4, 6), 48: (6, 8), 96: (8, 12), 384: (16, 24)}
"""Wells of a plate -> rows and columns; ANSI SLAS 4-2004 and the smaller ones by the same pattern."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """One instrument.

    Args:
        role: what plans call it (``thermocycler``).
        driver: family and vendor (``thermocycler/opentrons``).
        twin: whether it is simulated.
        address: ``serial:PORT``, ``tcp:HOST:PORT`` or another scheme that the driver speaks; empty where the driver finds
            the instrument itself.
        limits: name of a quantity, with its unit -> lowest and highest value, in that unit.
        settings: what else the driver asks for, for it to check.
    """

    role: str
    driver: str
    twin: bool
    address: str = ""
    limits: Mapping[str, tuple[float, float]]
    settings: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabwareSpec:
    """One piece of labware.

    Args:
        id: unique on the bench (``library_3``).
        group: id in the workcell file, which several pieces share (``library``).
        type: name of its kind (``pcr_plate_96``).
        position: where it stands before the first run, and its home.
        holds: what it holds when the campaign starts: a content id, ``candidates``, or nothing.
        volume_ul: in each well or trough that holds something.
        barcode: that is on it; empty where the file knows none.
    """

    id: str
    group: str
    type: str
    position: str
    holds: str = ""
    volume_ul: float = 0.0
    barcode: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkcellSpec:
    """A workcell file, checked and with its banks of slots and counts of labware written out.

    Args:
        chemistry: what the liquids of a twin do, by name (``protein_g``); empty on hardware.
        devices: role -> device.
        positions: in the order of the file, banks written out (``hotel_1`` to ``hotel_60``).
        stations: position -> number taught to the arm; positions without one are out of its reach.
        labware: in the order of the file, counts written out (``library_1`` to ``library_9``).
        library: ids of the plates that hold candidates, in order.
        library_wells: names of the wells of such a plate.
        faults: what goes wrong on a twin; nothing unless the file says so.
        interlocks: what must be so before a device is told something.
        states: the file that holds the states of the lab; None where there is none.
        folder: from which the file names other files and folders.
    """

    source: SourceFile
    name: str
    chemistry: str
    devices: Mapping[str, DeviceSpec]
    positions: tuple[Position, ...]
    stations: Mapping[str, int]
    labware: tuple[LabwareSpec, ...]
    library: tuple[str, ...]
    library_wells: tuple[str, ...]
    faults: FaultsSpec = NO_FAULTS
    interlocks: tuple[Interlock, ...] = ()
    states: Path | None = None
    folder: Path = Path()

    @property
    def barcodes(self) -> dict[str, str]:
        """Labware id -> barcode, of the pieces that have one."""
        return {piece.id: piece.barcode for piece in self.labware if piece.barcode}

    @property
    def twins(self) -> frozenset[str]:
        """Roles of the devices that are simulated."""
        return frozenset(role for role, device in self.devices.items() if device.twin)

    @property
    def twin(self) -> bool:
        """Whether every device is simulated."""
        return len(self.twins) == len(self.devices)

    def line_of(self, field: str) -> int | None:
        """Line of a field of the file (``devices.shaker.driver``)."""
        return self.source.line_of(field)

    def error(self, field: str, reason: str, way_out: str = "") -> CampaignFileError:
        """An error at a field of the file."""
        return self.source.error(field, reason, way_out)

    def unknown_name(self, field: str, kind: str, given: str, known: Iterable[str]) -> CampaignFileError:
        """The error for a name in the file that does not exist, with the likeliest meant one."""
        return self.source.unknown_name(field, kind, given, known)

    def error_of_labware(self, labware: str, reason: str, way_out: str = "") -> CampaignFileError:
        """An error about one piece of labware, at the line of its group."""
        group = next(item.group for item in self.labware if item.id == labware)
        return self.source.error(f"labware.{group}", reason, way_out)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class _Device(StrictModel):
    driver: str = Field(min_length=1, examples=["plate_reader/clariostar"])
    twin: bool | None = None
    address: str = ""
    limits: dict[str, list[Any]] = Field(default_factory=dict)
    settings: dict[str, JsonValue] = Field(default_factory=dict)


class _Place(StrictModel):
    device: str = Field(examples=["handler"])
    station: int | None = Field(default=None, ge=1)
    slots: int | None = Field(default=None, ge=1, le=1000)
    first_station: int | None = Field(default=None, ge=1)
    home: bool = False


class _Labware(StrictModel):
    id: str = Field(examples=["assay"])
    type: str = Field(min_length=1, examples=["pcr_plate_96"])
    count: int | None = Field(default=None, ge=1, le=1000)
    at: Annotated[list[str], BeforeValidator(_listed)] = Field(min_length=1, examples=["hotel"])
    holds: str = ""
    volume_ul: float | None = None
    barcode: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)


class _Workcell(StrictModel):
    name: str = Field(min_length=1, examples=["protein_bench_twin"])
    twin: bool = Field(examples=["true"])
    chemistry: str = ""
    devices: dict[str, _Device] = Field(min_length=1)
    positions: dict[str, _Place] = Field(min_length=1)
    labware: list[_Labware] = Field(min_length=1)
    faults: FaultsFields | None = None
    interlocks: list[InterlockFields] = Field(default_factory=list)
    states: str = ""


def load_workcell(path: Path | str, *, beside: Path | None = None) -> WorkcellSpec:
    """Read and check a workcell file. Names of drivers and labware types are the caller's to check.

    Args:
        beside: the folder from which the file names others, where that is not its own.

    Raises:
        CampaignFileError: all that is wrong in the file.
    """
    source, values = read_yaml(read_source(Path(path), "workcell file"))
    problems = Problems(source)
    written = problems.read(_Workcell, values)
    problems.raise_if_any()
    assert written is not None  # else there were problems
    devices = {
        role: _device(role, device, written.twin, problems) for role, device in written.devices.items()
    }
    twins = frozenset(role for role, device in devices.items() if device.twin)
    if twins and not written.chemistry:
        problems.add(
            "twin", "A twin has to know what its liquids do.", "Add a line such as `chemistry: protein_g`."
        )
    faults = read_faults(written.faults, twins=twins, devices=devices, problems=problems)
    interlocks = read_interlocks(
        written.interlocks, devices=devices, states=bool(written.states), problems=problems
    )
    layout = _Layout(written, problems)
    labware = tuple(layout.stand(n, item) for n, item in enumerate(written.labware, start=1))
    problems.raise_if_any()
    pieces = tuple(piece for group in labware for piece in group)
    library = tuple(piece for piece in pieces if piece.holds == CANDIDATES)
    lines = {
        f"labware.{item.id}": source.lines[f"labware[{n}]"] for n, item in enumerate(written.labware, start=1)
    }
    return WorkcellSpec(
        source=SourceFile(
            path=source.path, text=source.text, sha256=source.sha256, lines={**source.lines, **lines}
        ),
        name=written.name,
        chemistry=written.chemistry,
        devices=devices,
        positions=tuple(layout.positions.values()),
        stations=layout.stations,
        labware=pieces,
        library=tuple(piece.id for piece in library),
        library_wells=_wells_of(library[0].type) if library else (),
        faults=faults,
        interlocks=interlocks,
        states=(beside or source.path.parent) / written.states if written.states else None,
        folder=beside or source.path.parent,
    )


def _wells_of(plate_type: str) -> tuple[str, ...]:
    """Wells of a plate, by the number its type's name ends in (``pcr_plate_96``)."""
    number = re.search(r"([0-9]+)$", plate_type)
    rows, columns = _PLATE_FORMATS.get(int(number[1]) if number else 96, (8, 12))
    return well_names(rows, columns)


def _device(role: str, device: _Device, twin: bool, problems: Problems) -> DeviceSpec:
    field = f"devices.{role}"
    if not _NAME.match(role):
        problems.add(field, f"{role!r} can't name a device.", "Use letters, digits and _.")
    port = _PORT.match(device.address)
    no_port = device.address.startswith("tcp:") and (port is None or int(port[1]) not in range(1, 65536))
    if device.address and (not _ADDRESS.match(device.address) or no_port):
        problems.add(
            f"{field}.address",
            f"{device.address!r} is no address.",
            "Write serial:/dev/ttyUSB0 or tcp:192.168.0.1:10100.",
        )
    limits = {name: _limit(field, name, values, problems) for name, values in device.limits.items()}
    return DeviceSpec(
        role=role,
        driver=device.driver,
        twin=twin if device.twin is None else device.twin,
        address=device.address,
        limits=limits,
        settings=device.settings,
    )


def _limit(device: str, name: str, values: list[JsonValue], problems: Problems) -> tuple[float, float]:
    field = f"{device}.limits.{name}"
    if not name.endswith(tuple(SUFFIXES)):
        problems.add(field, f"The name {name!r} does not end in a unit.", f"Units are {', '.join(SUFFIXES)}.")
        return (0.0, 0.0)
    try:
        bounds = [read_quantity(name, value) for value in values if isinstance(value, int | float | str)]
    except BadInput as error:
        problems.add(field, error.reason, error.way_out)
        return (0.0, 0.0)
    if len(bounds) != 2 or bounds[0] >= bounds[1]:
        problems.add(field, f"{name} is no range.", "Write [lowest, highest], with the lower one first.")
        return (0.0, 0.0)
    return (bounds[0], bounds[1])


class _Layout:
    """Writes banks and counts out, and notes what does not fit."""

    def __init__(self, workcell: _Workcell, problems: Problems) -> None:
        self.positions: dict[str, Position] = {}
        self.stations: dict[str, int] = {}
        self._problems = problems
        self._devices = workcell.devices
        self._banks: dict[str, list[str]] = {}
        self._taken: dict[str, str] = {}
        self._ids: set[str] = set()
        self._scanned: dict[str, str] = {}
        self._holding: str | None = None
        for name, place in workcell.positions.items():
            self._place(name, place)

    def _place(self, name: str, place: _Place) -> None:
        field = f"positions.{name}"
        if not _NAME.match(name):
            self._problems.add(field, f"{name!r} can't name a position.", "Use letters, digits and _.")
        if place.device not in self._devices:
            self._problems.add(
                f"{field}.device",
                f"There is no device {place.device!r}.",
                did_you_mean(place.device, self._devices, what="The devices are:"),
            )
        if place.slots is None and place.first_station is not None:
            self._problems.add(
                f"{field}.first_station", "Only a bank of slots has a first_station.", "Write station."
            )
        if place.slots is not None and place.station is not None:
            self._problems.add(
                f"{field}.station", "A bank of slots has many stations.", "Write first_station."
            )
        names = [name] if place.slots is None else [f"{name}_{n}" for n in range(1, place.slots + 1)]
        first = place.station if place.slots is None else place.first_station
        self._banks[name] = names
        for n, slot in enumerate(names):
            if slot in self.positions:
                self._problems.add(field, f"There are two positions {slot}.", "Rename one.")
            self.positions[slot] = Position(name=slot, device=place.device, home=place.home)
            if first is not None:
                self._teach(field, slot, first + n)

    def _teach(self, field: str, slot: str, station: int) -> None:
        other = next((name for name, number in self.stations.items() if number == station), None)
        if other is not None:
            self._problems.add(field, f"{slot} and {other} have the same station {station}.", "Renumber one.")
        self.stations[slot] = station

    def stand(self, number: int, item: _Labware) -> tuple[LabwareSpec, ...]:
        """The pieces of one line of labware, each at its place."""
        field = f"labware[{number}]"
        if not _NAME.match(item.id):
            self._problems.add(f"{field}.id", f"{item.id!r} can't be an id.", "Use letters, digits and _.")
        self._check_contents(field, item)
        ids = [item.id] if item.count is None else [f"{item.id}_{n}" for n in range(1, item.count + 1)]
        barcodes = self._barcodes(field, item, len(ids))
        places = self._places(field, item, len(ids))
        pieces = []
        for labware, place, barcode in zip(ids, places, barcodes, strict=False):
            if labware in self._ids:
                self._problems.add(
                    f"{field}.id", f"Two pieces of labware have the id {labware}.", "Rename one."
                )
            if place in self._taken:
                self._problems.add(
                    f"{field}.at",
                    f"{self._taken[place]} stands at {place} already.",
                    "One place holds one piece.",
                )
            self._ids.add(labware)
            self._taken[place] = labware
            pieces.append(
                LabwareSpec(
                    id=labware,
                    group=item.id,
                    type=item.type,
                    position=place,
                    holds=item.holds,
                    volume_ul=item.volume_ul or 0.0,
                    barcode=barcode,
                )
            )
        return tuple(pieces)

    def _barcodes(self, field: str, item: _Labware, count: int) -> list[str]:
        """The barcode of each piece of one line, in their order; empty texts where the line gives none."""
        if not item.barcode:
            return [""] * count
        if len(item.barcode) != count:
            self._problems.add(
                f"{field}.barcode",
                f"{count} piece{'s' if count > 1 else ''} of {item.id} can't have {len(item.barcode)} barcodes.",
                "Give one for each piece, in their order, or none.",
            )
        for barcode in item.barcode:
            if not _BARCODE.match(barcode):
                self._problems.add(
                    f"{field}.barcode",
                    f"{barcode!r} is no barcode.",
                    "Write what the scanner gives: letters, digits, and any of - . _ / + $ %.",
                )
            elif barcode in self._scanned:
                self._problems.add(
                    f"{field}.barcode",
                    f"{self._scanned[barcode]} has the barcode {barcode} already.",
                    "Every piece has one of its own.",
                )
            self._scanned.setdefault(barcode, item.id)
        return item.barcode

    def _check_contents(self, field: str, item: _Labware) -> None:
        if item.holds and not (item.volume_ul is not None and item.volume_ul > 0):
            self._problems.add(
                f"{field}.volume_ul",
                f"{item.id} holds {item.holds}, but how much is not said.",
                "Add volume_ul.",
            )
        if not item.holds and item.volume_ul is not None:
            self._problems.add(f"{field}.volume_ul", f"{item.id} has a volume of nothing.", "Add holds.")
        if item.holds == CANDIDATES:
            if self._holding is not None:
                self._problems.add(
                    f"{field}.holds",
                    f"{self._holding} holds the candidates already.",
                    "Give them one line of plates.",
                )
            self._holding = item.id

    def _places(self, field: str, item: _Labware, count: int) -> list[str]:
        """Places for the pieces of one line: the next free slots of a bank, or those listed."""
        known = dict.fromkeys((*self.positions, *(self._banks if len(item.at) == 1 else ())))
        for place in item.at:
            if place not in known:
                self._problems.add(
                    f"{field}.at",
                    f"There is no position {place!r}.",
                    did_you_mean(place, known, what="The positions are:"),
                )
                return []
        bank = self._banks.get(item.at[0], [])
        if len(item.at) == 1 and len(bank) > 1:
            places = [slot for slot in bank if slot not in self._taken][:count]
            reason = f"{item.at[0]} has {len(places)} free slots, too few for {count} pieces of {item.id}."
        else:
            places = list(item.at)
            reason = f"{count} pieces of {item.id} need {count} positions, not {len(places)}."
        if len(places) != count:
            self._problems.add(f"{field}.at", reason, "Correct the count or the positions.")
        return places
