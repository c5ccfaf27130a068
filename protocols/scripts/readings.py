"""What a plate reader gave, as a value to calculate with, and how it comes back out of a run's documents."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lab.bench import well_names
from lab.errors import BadInput
from lab.interfaces import Document
from lab.types import JsonValue
from protocols.scripts.kinds import Wells

__all__ = ["RETURNED", "Reading", "Returned", "readings_of", "returned_of"]

RETURNED = "returned"
"""Stream of what a protocol gives back at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Mapping[str, float]):
    """One reading of one plate: ``reading["A1"]`` is a number, in the reader's units.

    A well without a number, saturated or of a step that was given up, is not a number (NaN).

    Args:
        plate: id of the labware.
        mode: ``absorbance`` or ``fluorescence``.
        traces: well -> one value for each cycle.
        saturated: wells with more or less light than the reader can tell.
        lab_time_s: when it began; NaN where it was given up.
        settings: wavelengths and gain.
    """

    plate: str
    mode: str
    traces: Mapping[str, tuple[float, ...]]
    saturated: frozenset[str] = frozenset()
    lab_time_s: float = math.nan
    settings: Mapping[str, JsonValue] = field(default_factory=dict)

    def __getitem__(self, well: str) -> float:
        """Value of the last cycle.

        Raises:
            KeyError: the plate has no such well.
        """
        return self.traces[well][-1]

    def __iter__(self) -> Iterator[str]:
        return iter(self.traces)

    def __len__(self) -> int:
        return len(self.traces)

    @property
    def given_up(self) -> bool:
        """Whether there is none: the instrument failed, and the recovery policy went on without it."""
        return math.isnan(self.lab_time_s)

    def of(self, wells: str | Iterable[str]) -> list[float]:
        """Values of some wells, in their order (``"A1:H1"``).

        Raises:
            BadInput: they are no wells of this plate.
        """
        names = tuple(self.traces) if wells == "all" else Wells.read(wells, 16, 24)
        missing = [well for well in names if well not in self.traces]
        if missing:
            raise BadInput(f"The reading of {self.plate} has no well {missing[0]}.")
        return [self[well] for well in names]

    def mean(self, wells: str | Iterable[str]) -> float:
        """Mean of some wells, without those that have no number; NaN where none has one."""
        values = [value for value in self.of(wells) if math.isfinite(value)]
        return float(np.mean(values)) if values else math.nan

    @classmethod
    def from_result(cls, plate: str, mode: str, result: Mapping[str, JsonValue]) -> Reading:
        """From what the reader's verb gave back, which is what the journal keeps."""
        wells = well_names(int(result["rows"]), int(result["columns"]))
        passes = [[math.nan if v is None else float(v) for v in one] for one in result["cycles"]]
        over = result["saturated"]
        return cls(
            plate=plate,
            mode=mode,
            traces={well: tuple(one[n] for one in passes) for n, well in enumerate(wells)},
            saturated=frozenset(well for n, well in enumerate(wells) if over[n]),
            lab_time_s=float(result["lab_time_s"]),
            settings={key: result[key] for key in _SETTINGS if result.get(key)},
        )

    @classmethod
    def imagined(cls, plate: str, mode: str, shape: tuple[int, int], cycles: int, value: float) -> Reading:
        """In a dry run: the same number in every well; NaN for a reading that was given up."""
        return cls(
            plate=plate,
            mode=mode,
            traces=dict.fromkeys(well_names(*shape), (value,) * max(1, cycles)),
            lab_time_s=math.nan if math.isnan(value) else 0.0,
        )


_SETTINGS = ("excitation_nm", "emission_nm", "wavelength_nm", "gain")


def readings_of(documents: Iterable[Document]) -> tuple[Reading, ...]:
    """Every reading of a plate in the documents of a stretch, in order, whatever its reader is called."""
    found: list[Reading] = []
    shapes: dict[str, dict[str, tuple[int, int]]] = {}
    for name, body in documents:
        if name == "descriptor":
            shapes[body["uid"]] = {
                device: (int(data[f"{device}-rows"]), int(data[f"{device}-columns"]))
                for device, about in body.get("configuration", {}).items()
                if f"{device}-rows" in (data := about["data"])
            }
        elif name == "event":
            data = body["data"]
            found += [
                _reading(data, device, shape)
                for device, shape in shapes.get(body["descriptor"], {}).items()
                if f"{device}-plate" in data
            ]
    return tuple(found)


def _reading(data: Mapping[str, Any], device: str, shape: tuple[int, int]) -> Reading:
    wells = well_names(*shape)
    shown = data.get(f"{device}-cycles", data[f"{device}-value"])  # of one cycle, some show the value alone
    passes = np.asarray(shown, dtype=float).reshape(-1, len(wells))
    saturated = np.asarray(data[f"{device}-saturated"], dtype=bool).ravel()
    return Reading(
        plate=str(data[f"{device}-plate"]),
        mode=str(data.get(f"{device}-mode", "")),
        traces={well: tuple(float(v) for v in passes[:, n]) for n, well in enumerate(wells)},
        saturated=frozenset(well for n, well in enumerate(wells) if saturated[n]),
        lab_time_s=float(data[f"{device}-lab_time_s"]),
        settings={key: data[f"{device}-{key}"] for key in _SETTINGS if data.get(f"{device}-{key}")},
    )


class Returned:
    """What a protocol gives back, as something that the run engine can read into an event.

    Args:
        value: JSON.
    """

    name = "protocol"
    parent = None

    def __init__(self, value: JsonValue) -> None:
        self._text = json.dumps(value, allow_nan=False)

    def read(self) -> dict[str, dict[str, Any]]:
        # The lab time of a run stands in its start document; what is worked out has none of its own.
        return {"protocol-returned": {"value": self._text, "timestamp": 0.0}}

    def describe(self) -> dict[str, dict[str, Any]]:
        return {"protocol-returned": {"source": "protocol", "dtype": "string", "shape": []}}

    def read_configuration(self) -> dict[str, Any]:
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        return {}


def returned_of(documents: Sequence[Document]) -> JsonValue:
    """What the protocol gave back in the stretch of these documents; None where it did not get to its end."""
    streams = {
        body["uid"] for name, body in documents if name == "descriptor" and body.get("name") == RETURNED
    }
    found: JsonValue = None
    for name, body in documents:
        if name == "event" and body["descriptor"] in streams:
            found = json.loads(body["data"]["protocol-returned"])
    return found
