"""What a protocol has measured: values with how sure they are, and the observations that the store keeps of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab.errors import BadInput
from lab.interfaces import RunRecord
from lab.types import Batch, JsonValue, Observation, Quality, new_id
from protocols.scripts.kinds import Well
from protocols.scripts.readings import Reading

__all__ = ["READINGS", "Measured", "Recorded", "flat_results", "observations_of", "results_to_json"]

READINGS = "readings"
"""Target of a protocol that gives no value back: how many plates it has read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A measured value.

    Args:
        value: in ``unit``; NaN where there is none.
        standard_error: of it; NaN where it is not known.
        unit: 1 for a ratio or a count.
        replicates: wells that it rests on.
        problem: why it is not to be used; empty where it may be.
    """

    value: float
    standard_error: float = math.nan
    unit: str = "1"
    replicates: int = 1
    problem: str = ""

    @classmethod
    def of(cls, values: Iterable[float], unit: str = "1") -> Measured:
        """Mean and standard error of replicates, without those that have no number."""
        found = [value for value in values if math.isfinite(value)]
        if not found:
            return cls(value=math.nan, unit=unit, replicates=0, problem="No well gave a number.")
        error = float(np.std(found, ddof=1)) / math.sqrt(len(found)) if len(found) > 1 else math.nan
        return cls(value=float(np.mean(found)), standard_error=error, unit=unit, replicates=len(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a run has left for an analysis.

    Args:
        readings: of its plates, in order.
        returned: what the protocol gave back, as JSON.
        wells: sample id -> its wells that may be used.
        samples: ids, in the order of the batch; the reference's last.
    """

    readings: tuple[Reading, ...]
    returned: JsonValue
    wells: Mapping[str, tuple[Well, ...]]
    samples: tuple[str, ...]

    def reading(self, number: int = -1, *, mode: str = "") -> Reading:
        """One of the readings, the last by default; of one mode only where that is named.

        Raises:
            BadInput: there is none of this number.
        """
        found = [one for one in self.readings if mode in ("", one.mode)]
        try:
            return found[number]
        except IndexError:
            raise BadInput(f"The run has {len(found)} readings{f' of {mode}' if mode else ''}.") from None

    def values(self, sample: str, reading: Reading | None = None) -> list[float]:
        """What a reading gave in the wells of a sample; the last reading of each well's plate by default."""
        found = []
        for well in self.wells.get(sample, ()):
            of_plate = [one for one in self.readings if one.plate == well.labware]
            chosen = reading if reading is not None else (of_plate[-1] if of_plate else None)
            if chosen is not None and chosen.plate == well.labware:
                found.append(chosen[well.well])
        return found


def results_to_json(returned: Any) -> JsonValue:
    """What a protocol gave back, as JSON: ``{target: value}``, or ``{sample: {target: value}}`` of a campaign's batch.

    Raises:
        BadInput: it is neither, nor nothing.
    """
    if returned is None:
        return {}
    if isinstance(returned, Measured | int | float) and not isinstance(returned, bool):
        return {"value": _value_json("value", returned)}
    if not isinstance(returned, Mapping):
        raise BadInput(
            f"The protocol gives back {type(returned).__name__}, which is no result.",
            way_out='Give back a number, Measured.of(values), or a dict of them such as {"slope": 1.2}.',
        )
    found: dict[str, JsonValue] = {}
    for name, value in returned.items():
        inner = isinstance(value, Mapping)
        found[str(name)] = (
            {str(target): _value_json(str(target), one) for target, one in value.items()}
            if inner
            else _value_json(str(name), value)
        )
    return found


def _value_json(target: str, value: Any) -> JsonValue:
    if isinstance(value, np.floating | np.integer):
        value = value.item()
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = Measured(value=float(value))
    if not isinstance(value, Measured):
        raise BadInput(
            f"The result {target!r} is {type(value).__name__}, not a number.",
            way_out="Give back numbers, or Measured.of(values) with how sure it is.",
        )
    return [
        value.value if math.isfinite(value.value) else None,
        value.standard_error if math.isfinite(value.standard_error) else None,
        value.unit,
        value.replicates,
        value.problem,
    ]


def observations_of(
    results: JsonValue, record: RunRecord, batch: Batch, method: str, readings: Sequence[Reading]
) -> tuple[Observation, ...]:
    """Observations from results as :func:`results_to_json` writes them.

    One experiment takes ``{target: value}``; several take ``{sample: {target: value}}``, each under its candidate's id. An
    experiment without a result gets a number of none that says so.
    """
    alone = len(batch.experiments) == 1
    last_s = max((one.lab_time_s for one in readings if not one.given_up), default=math.nan)
    found: list[Observation] = []
    for experiment in batch.experiments:
        mine = results.get(experiment.candidate.id) if isinstance(results, Mapping) else None
        if not isinstance(mine, Mapping) and alone:
            mine = dict(flat_results(results))
        if not mine:
            mine = _without_result(results, readings, alone=alone)
        uses = [use for use in record.layout.wells if use.experiment_id == experiment.id]
        sample = uses[0].sample_id if uses else ""
        for target, written in mine.items():
            value, error, unit, replicates, problem = written
            known = value is not None
            words = problem or ("" if known else "It has no value.")
            found.append(
                Observation(
                    id=new_id("obs"),
                    experiment_id=experiment.id,
                    target=target,
                    sample_id=sample,
                    run_id=record.run_id,
                    value=float(value) if known else math.nan,
                    standard_error=float(error) if error is not None else math.nan,
                    unit=unit,
                    quality=Quality(ok=not words, flags=("no_value",) if words else (), sentence=words),
                    method=method,
                    origin=record.origin,
                    replicates=int(replicates),
                    lab_time_s=last_s,
                )
            )
    return tuple(found)


def flat_results(results: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    """Results by target; those of samples that are no experiments of their own as ``T16I.signal``."""
    for name, one in results.items():
        if isinstance(one, Mapping):
            yield from ((f"{name}.{target}", value) for target, value in one.items())
        else:
            yield name, one


def _without_result(results: JsonValue, readings: Sequence[Reading], *, alone: bool) -> dict[str, JsonValue]:
    """Of a protocol that gives nothing back: how many plates it read. In a campaign: what the others have, without value."""
    if alone:
        return {READINGS: [float(len(readings)), 0.0, "1", len(readings), ""]}
    targets = {target for one in results.values() if isinstance(one, Mapping) for target in one}
    return {target: [None, None, "1", 0, "The protocol gave no result for it."] for target in sorted(targets)}
