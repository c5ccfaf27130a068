"""The workcell file: the instruments of one bench, the places for labware, and the labware that stands there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from lab.bench import Position, well_names
from lab.errors import BadInput, CampaignFileError
from lab.files.faults import NO_FAULTS, FaultsFields, FaultsSpec, read_faults
from lab.files.interlocks import InterlockFields, read_interlocks
from lab.files.labware import CANDIDATES, NAME, LabwareFields, LabwareSpec, Layout, PlaceFields
from lab.files.source import Problems, SourceFile, read_source, source_of
from lab.files.yaml_text import read_yaml
from lab.interlocks import Interlock
from lab.strict import StrictModel
from lab.types import JsonValue
from lab.units import SUFFIXES, read_quantity

__all__ = ["DeviceSpec", "WorkcellSpec", "load_workcell"]

_ADDRESS = re.compile(r"^(?:[a-z][a-z0-9.+]*:\S+)$")
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


class _Device(StrictModel):
    driver: str = Field(min_length=1, examples=["plate_reader/clariostar"])
    twin: bool | None = None
    address: str = ""
    limits: dict[str, list[Any]] = Field(default_factory=dict)
    settings: dict[str, JsonValue] = Field(default_factory=dict)


class _Workcell(StrictModel):
    name: str = Field(min_length=1, examples=["protein_bench_twin"])
    twin: bool = Field(examples=["true"])
    chemistry: str = ""
    devices: dict[str, _Device] = Field(min_length=1)
    positions: dict[str, PlaceFields] = Field(min_length=1)
    labware: list[LabwareFields] = Field(min_length=1)
    faults: FaultsFields | None = None
    interlocks: list[InterlockFields] = Field(default_factory=list)
    states: str = ""


def load_workcell(path: Path | str, *, text: str | None = None) -> WorkcellSpec:
    """Read and check a workcell file. Names of drivers and labware types are the caller's to check.

    Args:
        text: to be read as if it stood in a file of that path; the file itself is left alone, and need not be there.

    Raises:
        CampaignFileError: all that is wrong in the file.
    """
    path = Path(path)
    found = read_source(path, "workcell file") if text is None else source_of(text, path, "workcell file")
    source, values = read_yaml(found)
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
    layout = Layout(written.positions, written.devices, problems)
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
        states=source.path.parent / written.states if written.states else None,
        folder=source.path.parent,
    )


def _wells_of(plate_type: str) -> tuple[str, ...]:
    """Wells of a plate, by the number its type's name ends in (``pcr_plate_96``)."""
    number = re.search(r"([0-9]+)$", plate_type)
    rows, columns = _PLATE_FORMATS.get(int(number[1]) if number else 96, (8, 12))
    return well_names(rows, columns)


def _device(role: str, device: _Device, twin: bool, problems: Problems) -> DeviceSpec:
    field = f"devices.{role}"
    if not NAME.match(role):
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
