"""Plate readings, single and kinetic, out of a run's Bluesky documents."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab.bench import well_names
from lab.errors import NonsenseReply
from lab.interfaces import Document
from lab.types import WellUse

__all__ = ["KineticReading", "PlateReading", "plate_kinetics", "plate_readings", "without_reading"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateReading:
    """One reading of one plate.

    Args:
        values: by well, in the reader's units; not a number where the reader gave none.
        saturated: wells at the reader's ceiling.
        lab_time_s: when it was read.
    """

    labware: str
    values: Mapping[str, float]
    saturated: frozenset[str]
    lab_time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KineticReading:
    """One plate read several times.

    Args:
        traces: by well, one value for each cycle, in the reader's units; not a number where the reader gave none.
        saturated: wells at the reader's ceiling in any cycle.
        lab_time_s: when the first cycle began.
    """

    labware: str
    traces: Mapping[str, np.ndarray]
    saturated: frozenset[str]
    lab_time_s: float


def plate_readings(
    documents: Iterable[Document], *, stream: str, device: str = "reader"
) -> dict[str, PlateReading]:
    """The readings of one stream, by labware id; the last one of a plate that was read more than once.

    Args:
        documents: of one stretch, in order.
        stream: name of the stream (``fluorescence``).
        device: name of the reader, which the names of its signals begin with.

    Raises:
        NonsenseReply: a reading has not as many values as its plate has wells.
    """
    found: dict[str, PlateReading] = {}
    for data, shape in _events(documents, stream, device):
        reading = _reading(data, device, *shape)
        found[reading.labware] = reading
    return found


def plate_kinetics(
    documents: Iterable[Document], *, stream: str, device: str = "reader"
) -> dict[str, KineticReading]:
    """The kinetic readings of one stream, by labware id; arguments and errors as of :func:`plate_readings`."""
    found: dict[str, KineticReading] = {}
    for data, shape in _events(documents, stream, device):
        last = _reading(data, device, *shape)
        passes = np.asarray(data[f"{device}-cycles"], dtype=float).ravel()
        wells = len(last.values)
        if passes.size == 0 or passes.size % wells:
            raise NonsenseReply(
                f"the cycles of {last.labware} have {passes.size} values for {wells} wells.", device=device
            )
        traces = passes.reshape(-1, wells).T
        found[last.labware] = KineticReading(
            labware=last.labware,
            traces=dict(zip(last.values, traces, strict=True)),
            saturated=last.saturated,
            lab_time_s=last.lab_time_s,
        )
    return found


def without_reading(labware: str, uses: Iterable[WellUse]) -> PlateReading:
    """What stands for the reading of a plate that there is none of: no number in any well, at no time."""
    values = {use.well: math.nan for use in uses if use.labware == labware}
    return PlateReading(labware=labware, values=values, saturated=frozenset(), lab_time_s=math.nan)


def _events(
    documents: Iterable[Document], stream: str, device: str
) -> Iterator[tuple[Mapping[str, Any], tuple[int, int]]]:
    """Data of each event of a stream, and rows and columns of its plate."""
    shapes: dict[str, tuple[int, int]] = {}
    for name, body in documents:
        if name == "descriptor" and body.get("name") == stream:
            shapes[body["uid"]] = _shape(body, device)
        elif name == "event" and body["descriptor"] in shapes:
            yield body["data"], shapes[body["descriptor"]]


def _shape(descriptor: Mapping[str, Any], device: str) -> tuple[int, int]:
    """Rows and columns of the plate, from the reader's configuration."""
    settings = descriptor["configuration"][device]["data"]
    return int(settings[f"{device}-rows"]), int(settings[f"{device}-columns"])


def _reading(data: Mapping[str, Any], device: str, rows: int, columns: int) -> PlateReading:
    labware = str(data[f"{device}-plate"])
    values = np.asarray(data[f"{device}-value"], dtype=float).ravel()
    saturated = np.asarray(data[f"{device}-saturated"], dtype=bool).ravel()
    wells = well_names(rows, columns)
    if len(values) != len(wells) or len(saturated) != len(wells):
        raise NonsenseReply(
            f"the reading of {labware} has {len(values)} values for {len(wells)} wells.", device=device
        )
    return PlateReading(
        labware=labware,
        values={well: float(value) for well, value in zip(wells, values, strict=True)},
        saturated=frozenset(well for well, full in zip(wells, saturated, strict=True) if full),
        lab_time_s=float(data[f"{device}-lab_time_s"]),
    )
