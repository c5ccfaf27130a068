"""Readings of plates from the documents of a run, with the layout's word on what each well is for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lab.bench import well_names
from lab.interfaces import Document
from lab.report import statistics
from lab.report.values import PlateReading, WellReading
from lab.types import Layout

__all__ = ["plate_readings", "versions_of"]

_SHAPES = {6: (2, 3), 12: (3, 4), 24: (4, 6), 48: (6, 8), 96: (8, 12), 384: (16, 24), 1536: (32, 48)}
"""Wells -> (rows, columns) of microplates (ANSI SLAS 4-2004, and the smaller formats as sold)."""


def plate_readings(
    run_id: str,
    batch: int,
    layout: Layout,
    documents: Iterable[Document],
    left_out: frozenset[tuple[str, str]] = frozenset(),
) -> tuple[PlateReading, ...]:
    """Each read of a plate that the documents hold, in order.

    A reader's event has ``<reader>-value`` (row-major, one number per well), ``<reader>-plate``, ``<reader>-mode``,
    ``<reader>-saturated`` and ``<reader>-lab_time_s``. Of a spectrometer's, with ``<name>-absorbance`` of each of
    ``<name>-wells`` at each of ``<name>-wavelength_nm``, each well's mean is shown. Other events are not plates and are
    passed over.

    Args:
        batch: number that the run carries.
        left_out: (labware, well) of what the analysis did not use.
    """
    streams: dict[str, str] = {}
    found = []
    for kind, body in documents:
        if kind == "descriptor":
            streams[str(body.get("uid"))] = str(body.get("name", ""))
        elif kind == "event":
            stream = streams.get(str(body.get("descriptor")), "")
            data = body["data"]
            found += [
                _reading(run_id, batch, layout, data, name, left_out, stream) for name in _readers(data)
            ]
    return tuple(found)


def versions_of(documents: Iterable[Document]) -> dict[str, str]:
    """Versions of libraries as the start documents record them (``versions``, which the run engine fills)."""
    found: dict[str, str] = {}
    for kind, body in documents:
        if kind == "start":
            found |= {str(name): str(version) for name, version in dict(body.get("versions", {})).items()}
    return found


def _readers(data: Mapping[str, Any]) -> list[str]:
    names = [key.removesuffix("-plate") for key in data if key.endswith("-plate")]
    return [name for name in names if _is_plate(data, name) or _is_spectra(data, name)]


def _is_plate(data: Mapping[str, Any], name: str) -> bool:
    return np.size(data.get(f"{name}-value", ())) in _SHAPES


def _is_spectra(data: Mapping[str, Any], name: str) -> bool:
    """Whether there is a spectrum of absorbance of each well that is named, and each is one of a microplate."""
    wells, points = data.get(f"{name}-wells", ()), np.size(data.get(f"{name}-wavelength_nm", ()))
    absorbance = np.size(data.get(f"{name}-absorbance", ()))
    return 0 < absorbance == len(wells) * points and _format(wells) is not None


def _format(wells: Iterable[str]) -> tuple[int, int] | None:
    """Rows and columns of the plates of 96 wells or more that have all of these; None where none has."""
    named = set(wells)
    return next((s for n, s in _SHAPES.items() if n >= 96 and named <= set(well_names(*s))), None)


def _mean_absorbance(data: Mapping[str, Any], name: str) -> tuple[np.ndarray, tuple[int, int]]:
    """Of each well of a plate, row-major, not a number where no spectrum was taken; and rows and columns."""
    wells = [str(well) for well in data[f"{name}-wells"]]
    shape = _format(wells)
    assert shape is not None  # _is_spectra has seen to it
    absorbance = np.asarray(data[f"{name}-absorbance"], dtype=float).reshape(len(wells), -1)
    known = np.isfinite(absorbance)
    total = np.where(known, absorbance, 0.0).sum(axis=1)
    count = known.sum(axis=1)
    mean = np.divide(total, count, out=np.full(len(wells), math.nan), where=count > 0)
    of_well = dict(zip(wells, mean, strict=True))
    return np.array([of_well.get(well, math.nan) for well in well_names(*shape)]), shape


def _reading(
    run_id: str,
    batch: int,
    layout: Layout,
    data: Mapping[str, Any],
    reader: str,
    left_out: frozenset[tuple[str, str]],
    stream: str,
) -> PlateReading:
    labware = str(data[f"{reader}-plate"])
    if _is_plate(data, reader):
        values = np.asarray(data[f"{reader}-value"], dtype=float).ravel()
        rows, columns = _SHAPES[values.size]
        mode = named = str(data.get(f"{reader}-mode", ""))
    else:
        values, (rows, columns) = _mean_absorbance(data, reader)
        mode, named = "absorbance", "spectra"
    saturated = np.asarray(data.get(f"{reader}-saturated", np.zeros(values.size)), dtype=bool).ravel()
    uses = {use.well: use for use in layout.wells if use.labware == labware}
    wells = []
    for index, name in enumerate(well_names(rows, columns)):
        value, use = float(values[index]), uses.get(name)
        wells.append(
            WellReading(
                well=name,
                row=index // columns,
                column=index % columns,
                value=value if math.isfinite(value) else None,
                kind="unused" if use is None else use.kind,
                content="" if use is None else use.content,
                saturated=bool(saturated[index]),
                left_out=(labware, name) in left_out,
            )
        )
    reference = _values(wells, "reference")
    blank = _values(wells, "blank")
    return PlateReading(
        batch=batch,
        run_id=run_id,
        role=_state(stream, named)
        or next((role for role, name in layout.labware.items() if name == labware), ""),
        labware=labware,
        mode=mode,
        lab_time_s=float(data.get(f"{reader}-lab_time_s", math.nan)),
        rows=rows,
        columns=columns,
        wells=tuple(wells),
        z_prime=statistics.z_prime(reference, blank),
        reference_cv=_cv(reference, blank),
    )


def _state(stream: str, mode: str) -> str:
    """What a protocol says of a plate that it reads more than once: ``aged``, of the stream ``absorbance_aged``."""
    state = stream.removeprefix(f"{mode}_") if mode and stream.startswith(f"{mode}_") else ""
    return "" if state == "kinetic" else state


def _values(wells: Sequence[WellReading], kind: str) -> list[float]:
    """Of the wells that count; a control is only ever left out because it is barred."""
    counting = (w for w in wells if w.kind == kind and not w.saturated and not w.left_out)
    return [w.value for w in counting if w.value is not None]


def _cv(reference: Sequence[float], blank: Sequence[float]) -> float | None:
    if len(reference) < 2:
        return None
    signal = float(np.mean(reference)) - (float(np.mean(blank)) if blank else 0.0)
    if signal <= 0:
        return None
    return float(np.std(reference, ddof=1)) / signal
