"""One plate, each sample's signal over the reference's on it, both above blank, and how sure that is.

A signal is a number a well: a fluorescence, or a rate that was worked out from several readings. Replicates of one sample
come from one preparation, so their scatter says nothing of how alike preparations are; that is known beforehand and enters
the standard error beside it. Wells that do not belong are left out and named, as in :mod:`protocols.plate_ratio`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lab.types import JsonValue, Quality, WellUse
from protocols.plate_statistics import PRIOR_DEGREES, fit_noise, ratio, z_prime
from protocols.readings import PlateReading
from protocols.well_findings import Finding, of_wells, told_missing, verdict
from protocols.well_groups import BLANK, REFERENCE, judged_groups, or_none, wells_of

__all__ = ["Relative", "RelativeSignal", "Requirements"]

_FAINT = 0.2
"""Of the reference's signal: below it, scatter matters as a share of the reference's and no longer of a sample's own."""

_MOST_DEGREES = 200
"""Degrees of freedom from which on Student's t distribution is a normal one."""

_DETECTED_SD = 3.0
"""A signal this many of its standard errors above blank is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """When a result is not to be used, and what is known of it beforehand.

    Args:
        outlier_sd: a well this many standard deviations from the median of its replicates is left out.
        max_cv: largest standard deviation of replicate wells, as a share of their signal or, for samples that give next to
            none, of a fifth of the reference's.
        min_z_prime: of reference against blank.
        preparation_cv: spread of what different preparations of one sample give, as a share.
        remedy: what to do about wells past the reader's range.
    """

    outlier_sd: float
    max_cv: float
    min_z_prime: float
    preparation_cv: float
    remedy: str = "lower the reader's gain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """A sample's signal over the reference's.

    Args:
        value: NaN where one of the signals that it is made of is not known.
        standard_error: from replicates and blanks, and from what is known of preparations; NaN where that is not known.
        degrees_of_freedom: of the standard error (Satterthwaite 1946): few where the scatter of the wells makes it up, many
            where what is known of preparations does.
        replicates: wells of the sample that it rests on.
    """

    value: float
    standard_error: float
    degrees_of_freedom: int
    replicates: int


class RelativeSignal:
    """One plate's wells, each sample over the reference. A value once made: nothing in it changes.

    Args:
        signals: of the wells, in any unit.
        uses: what every well is for; of this plate and others.
        requirements: of what counts.
        barred: sample id -> why it must not be used.
        set_aside: well -> flag and sentence of why it has no signal though it was read.
    """

    def __init__(
        self,
        *,
        signals: PlateReading,
        uses: Sequence[WellUse],
        requirements: Requirements,
        barred: Mapping[str, str] = MappingProxyType({}),
        set_aside: Mapping[str, tuple[str, str]] = MappingProxyType({}),
    ) -> None:
        self._requirements = requirements
        wells = wells_of(signals, uses, barred, set_aside)
        (noise,) = fit_noise([[[well.net for well in group if well.counts] for group in wells.values()]])
        self.groups = judged_groups(wells, noise, requirements.outlier_sd)
        self.labware = signals.labware
        self.z_prime = z_prime(self.groups[REFERENCE].nets, self.groups[BLANK].nets)

    def signal(self, key: str) -> tuple[float, float]:
        """Signal above blank of a group, and the variance of that; NaN where either was not read."""
        group, blank = self.groups[key].mean, self.groups[BLANK].mean
        if group is None or blank is None:
            return math.nan, math.nan
        return group.value - blank.value, group.variance + blank.variance

    def relative(self, key: str) -> Relative:
        """A group's signal over the reference's."""
        above, above_variance = self.signal(key)
        below, below_variance = self.signal(REFERENCE)
        mean = self.groups[key].mean
        if not (math.isfinite(above) and math.isfinite(below)) or mean is None:
            return Relative(value=math.nan, standard_error=math.nan, degrees_of_freedom=0, replicates=0)
        # A reference of exactly zero is as far below the noise as any other; a low Z' flags it.
        below = below or math.copysign(math.sqrt(below_variance), below)
        value, error = ratio(above, above_variance, below, below_variance)
        # Both the sample and the reference come from one preparation each.
        prepared = math.sqrt(2.0) * self._requirements.preparation_cv * abs(value)
        whole = math.hypot(error, prepared)
        if not math.isfinite(whole):
            return Relative(value=value, standard_error=math.nan, degrees_of_freedom=0, replicates=mean.wells)
        # The noise model counts for a few wells beside the group's own.
        freedom = (mean.wells - 1 + PRIOR_DEGREES) * (whole / error) ** 4 if error > 0.0 else math.inf
        return Relative(
            value=value,
            standard_error=whole,
            degrees_of_freedom=int(min(freedom, _MOST_DEGREES)),
            replicates=mean.wells,
        )

    def quality(self, key: str) -> Quality:
        """Whether a sample's value may be used, and what was seen."""
        findings = [*self._of_missing(key), *self._of_plate()]
        if not self._missing(key):
            findings += of_wells(self.groups[key], where=f"on {self.labware}")
        return verdict([*findings, *self._of_signal(key)])

    def details(self, key: str) -> dict[str, JsonValue]:
        """What an observation keeps beside its value: the reference on the plate, and every well as it was read."""
        reference, variance = self.signal(REFERENCE)
        known = math.isfinite(reference) and reference != 0.0
        error = math.sqrt(variance) / abs(reference) if known and math.isfinite(variance) else math.nan
        return {
            "degrees_of_freedom": self.relative(key).degrees_of_freedom,
            "reference_value": 1.0 if known else None,
            "reference_standard_error": or_none(error),
            "reference_degrees_of_freedom": max(0, self.groups[REFERENCE].good - 1),
            "z_prime": or_none(self.z_prime),
            "signal": or_none(self.signal(key)[0]),
            "reference_signal": or_none(reference),
            "wells": [well.to_json() for well in self.groups[key].wells],
        }

    def _missing(self, key: str) -> bool:
        return self.groups[key].mean is None

    def _of_missing(self, key: str) -> list[Finding]:
        """Groups without which there is no value; on a plate without blanks, to say more would hide the reason."""
        for group, what, flags in (
            (BLANK, "The blank wells of", ("no_blank",)),
            (REFERENCE, "The reference wells of", ("no_reference",)),
            (key, "Its wells on", ()),
        ):
            if self._missing(group):
                remedy = self._requirements.remedy
                return told_missing([self.groups[group]], what, flags, bad=True, remedy=remedy)
        return []

    def _of_plate(self) -> list[Finding]:
        least = self._requirements.min_z_prime
        if self._missing(BLANK) or self._missing(REFERENCE) or self.z_prime >= least:
            return []
        shown = f"{self.z_prime:.2f}" if math.isfinite(self.z_prime) else "undefined"
        return [("low_z_prime", True, f"Z' of {self.labware} is {shown}, and {least:g} is needed.")]

    def _of_signal(self, key: str) -> list[Finding]:
        """Whether a signal is one, and how its wells scatter."""
        signal, variance = self.signal(key)
        mean = self.groups[key].mean
        if mean is None or not (math.isfinite(signal) and math.isfinite(variance)):
            return []  # Too few wells to judge it by, which is said already.
        if signal < _DETECTED_SD * math.sqrt(variance):
            # No activity is a result, and a sure one.
            return [("below_detection", False, "Its signal does not stand out from blank.")]
        reference = self.signal(REFERENCE)[0]
        spread = mean.well_sd / max(signal, _FAINT * reference if math.isfinite(reference) else 0.0)
        if spread > self._requirements.max_cv:
            allowed = f"{self._requirements.max_cv:.0%}"
            return [("high_cv", True, f"Its wells scatter by {spread:.0%}; {allowed} is allowed.")]
        return []
