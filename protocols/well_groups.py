"""Wells of a plate as they were read, by sample and control, and which of them count."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from lab.types import JsonValue, WellUse
from protocols.plate_statistics import Mean, Noise, moderated_mean, outliers
from protocols.readings import PlateReading

__all__ = ["BLANK", "REFERENCE", "Group", "WellReading", "judged_groups", "or_none", "raw_mean", "wells_of"]

BLANK = "blank"
REFERENCE = "reference"
"""Keys of the control groups; samples go by their experiment's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WellReading:
    """One well as it was read.

    Args:
        raw: in the reader's units; NaN where it gave none.
        net: ``raw`` less the median of the plate's blanks; NaN where ``raw`` is, and where no blank can be used.
        off_sd: for an outlier, how many standard deviations from its group's median; 0 otherwise.
        barred: why its sample must not be used; None where it may.
        set_aside: flag and sentence of why the analysis itself has no number for it; None where it has, or where the reader
            gave none.
    """

    labware: str
    well: str
    sample_id: str
    raw: float
    net: float
    saturated: bool
    off_sd: float = 0.0
    barred: str | None = None
    set_aside: tuple[str, str] | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """Why it is left out; empty when it counts."""
        if self.barred is not None:
            return ("barred",)
        if self.set_aside is not None:
            return (self.set_aside[0],)
        if not math.isfinite(self.raw):
            # Readers that give no number past their range mark the well as saturated as well.
            return ("saturated",) if self.saturated else ("unreadable",)
        found = (("saturated", self.saturated), ("outlier_well", self.off_sd != 0.0))
        return tuple(flag for flag, is_so in found if is_so)

    @property
    def counts(self) -> bool:
        """Whether its signal above blank is known and belongs to its group."""
        return not self.flags and math.isfinite(self.net)

    def to_json(self) -> dict[str, JsonValue]:
        """For an observation's details."""
        return {
            "labware": self.labware,
            "well": self.well,
            "sample_id": self.sample_id,
            "raw": self.raw if math.isfinite(self.raw) else None,
            "net": self.net if math.isfinite(self.net) else None,
            "flags": list(self.flags),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Replicate wells of one sample or control on one plate.

    Args:
        mean: of the wells that count, above the median blank. Where none counts, of all within the reader's
            range that are not barred, and None where none is; the quality says so.
        good: wells that count.
    """

    wells: tuple[WellReading, ...]
    mean: Mean | None
    good: int

    @property
    def nets(self) -> tuple[float, ...]:
        """Signals of the wells that count."""
        return tuple(well.net for well in self.wells if well.counts)

    @property
    def allowed(self) -> tuple[WellReading, ...]:
        """Wells whose sample may be used."""
        return tuple(well for well in self.wells if well.barred is None)

    @property
    def sample_id(self) -> str:
        """The first of its samples that may be used; the first of all where none may."""
        return (*self.allowed, *self.wells)[0].sample_id


def wells_of(
    reading: PlateReading,
    uses: Sequence[WellUse],
    barred: Mapping[str, str],
    set_aside: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> dict[str, list[WellReading]]:
    """Wells of one plate by group, their signals above the median blank.

    Args:
        barred: sample id -> why it must not be used.
        set_aside: well -> flag and sentence of why it has no number.
    """
    mine = [use for use in uses if use.labware == reading.labware]
    blanks = [
        reading.values[use.well]
        for use in mine
        if use.kind == "blank"
        and use.sample_id not in barred
        and math.isfinite(reading.values[use.well])
        and use.well not in reading.saturated
        and use.well not in set_aside
    ]
    background = float(np.median(blanks)) if blanks else math.nan
    groups: dict[str, list[WellReading]] = {}
    for use in mine:
        key = use.experiment_id if use.kind == "variant" else use.kind
        groups.setdefault(key, []).append(
            WellReading(
                labware=use.labware,
                well=use.well,
                sample_id=use.sample_id,
                raw=reading.values[use.well],
                net=reading.values[use.well] - background,
                saturated=use.well in reading.saturated,
                barred=barred.get(use.sample_id),
                set_aside=set_aside.get(use.well),
            )
        )
    return groups


def judged_groups(
    wells: Mapping[str, Sequence[WellReading]], noise: Noise, outlier_sd: float
) -> dict[str, Group]:
    """The groups of one plate, outliers marked and left out of the means.

    Args:
        outlier_sd: a well this many standard deviations from the median of its replicates is left out.
    """
    return {key: _judged(of_group, noise, outlier_sd) for key, of_group in wells.items()}


def _judged(wells: Sequence[WellReading], noise: Noise, outlier_sd: float) -> Group:
    countable = [well for well in wells if well.counts]
    off = outliers([well.net for well in countable], noise, outlier_sd)
    sure = {well.well: sd for well, sd in zip(countable, off, strict=True)}
    judged = tuple(replace(well, off_sd=sure.get(well.well, 0.0)) for well in wells)
    used = [w.net for w in judged if w.counts]
    # Outliers are numbers still; a ceiling is none, even where the reader gives one, and what was set aside is none either.
    rest = used or [
        w.net
        for w in judged
        if math.isfinite(w.net) and not w.saturated and w.barred is None and w.set_aside is None
    ]
    return Group(wells=judged, mean=moderated_mean(rest, noise) if rest else None, good=len(used))


def raw_mean(group: Group) -> float:
    """Mean of a group as it was read; of its outliers where nothing else is left."""
    counted = [well.raw for well in group.wells if not well.flags]
    return float(np.mean(counted or [well.raw for well in group.allowed if math.isfinite(well.raw)]))


def or_none(value: float) -> float | None:
    """A number for JSON, which has none that is not finite."""
    return value if math.isfinite(value) else None
