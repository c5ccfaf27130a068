"""Treated plates over an untreated one: what share of each sample's signal the treatment leaves, and how sure that is.

All plates carry the same samples in replicate, a reference and blanks. Per plate the blank is subtracted; per
sample the treated mean is divided by the untreated mean. Wells that do not belong are left out, and every one
that is left out is named. What cannot be compared, because the reader gave no number for it or for the blanks, has
no value (NaN), and its quality says why. Wells whose sample is barred are as good as empty: no number that is told here
rests on them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np

from lab.types import JsonValue, Quality, WellUse
from protocols.plate_statistics import fit_noise, ratio, z_prime
from protocols.readings import PlateReading
from protocols.well_findings import Finding, of_wells, told_missing, verdict
from protocols.well_groups import BLANK, REFERENCE, Group, judged_groups, or_none, raw_mean, wells_of

__all__ = ["PlateRatio", "Share", "Thresholds"]

_DISTINCT_SD = 3.0
"""The untreated signal must stand this many of its standard errors above blank, or a ratio to it means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """When a result is not to be used.

    Args:
        outlier_sd: a well this many standard deviations from the median of its replicates is left out.
        max_cv: largest standard deviation of replicate wells, as a share of the sample's untreated signal.
        min_z_prime: of reference against blank on the untreated plate.
        min_signal: least untreated signal of a sample, as a share of the reference's.
        max_blank_shift: largest difference of a treated plate's blank from the untreated plate's, as a share of
            the latter.
    """

    outlier_sd: float
    max_cv: float
    min_z_prime: float
    min_signal: float
    max_blank_shift: float

    @classmethod
    def of(cls, parameters: Any) -> Thresholds:
        """Those of a protocol whose parameters have these names."""
        return cls(**{one.name: getattr(parameters, one.name) for one in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What share of the untreated signal is left.

    Args:
        value: NaN where one of the signals that it is made of is not known.
        standard_error: from the replicates, and from those of the blanks; NaN where that is not known.
        replicates: treated and untreated wells that it rests on.
    """

    value: float
    standard_error: float
    replicates: int


class PlateRatio:
    """The plates of one run, compared. A value once made: nothing in it changes.

    Args:
        untreated: role of the plate that all others are compared with.
        treated: roles of the others, in order.
        labware: role -> labware id.
        uses: what every well is for.
        readings: labware id -> reading; of every plate.
        thresholds: of what counts.
        barred: sample id -> why it must not be used.
    """

    def __init__(
        self,
        *,
        untreated: str,
        treated: Sequence[str],
        labware: Mapping[str, str],
        uses: Sequence[WellUse],
        readings: Mapping[str, PlateReading],
        thresholds: Thresholds,
        barred: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.untreated = untreated
        self.treated = tuple(treated)
        self._thresholds = thresholds
        roles = (untreated, *treated)
        plates = {role: wells_of(readings[labware[role]], uses, barred) for role in roles}
        noise = fit_noise(
            [[[w.net for w in wells if w.counts] for wells in plates[role].values()] for role in roles]
        )
        self.groups: dict[str, dict[str, Group]] = {}
        for role, of_plate in zip(roles, noise, strict=True):
            self.groups[role] = judged_groups(plates[role], of_plate, thresholds.outlier_sd)
        self.z_prime = z_prime(self.groups[untreated][REFERENCE].nets, self.groups[untreated][BLANK].nets)

    def signal(self, role: str, key: str) -> tuple[float, float]:
        """Signal above blank of a group, and the variance of that; NaN where either was not read."""
        group, blank = self.groups[role][key].mean, self.groups[role][BLANK].mean
        if group is None or blank is None:
            return math.nan, math.nan
        return group.value - blank.value, group.variance + blank.variance

    def share(self, key: str, treated: Sequence[str] | None = None) -> Share:
        """What the treatment leaves of a sample's signal; of several treated plates, the mean over them.

        The standard error of a mean over plates takes into account that all are divided by one untreated signal.

        Args:
            treated: roles; all by default.
        """
        roles = self.treated if treated is None else tuple(treated)
        signals = [self.signal(role, key) for role in roles]
        above = float(np.mean([value for value, _ in signals]))
        above_variance = sum(variance for _, variance in signals) / len(signals) ** 2
        below, below_variance = self.signal(self.untreated, key)
        if not (math.isfinite(above) and math.isfinite(below)):
            return Share(value=math.nan, standard_error=math.nan, replicates=0)
        # A signal of exactly zero is as far below the noise as any other; low_signal flags it.
        value, error = ratio(
            above, above_variance, below or math.copysign(math.sqrt(below_variance), below), below_variance
        )
        means = [self.groups[role][key].mean for role in (self.untreated, *roles)]
        return Share(
            value=value,
            standard_error=error if math.isfinite(error) else math.nan,
            replicates=sum(mean.wells for mean in means if mean is not None),
        )

    def quality(self, key: str, treated: Sequence[str] | None = None) -> Quality:
        """Whether a sample's share may be used, and what was seen."""
        roles = self.treated if treated is None else tuple(treated)
        findings = [
            *self._of_missing(key, roles),
            *self._of_plates(roles),
            *self._of_wells(key, roles),
            *self._of_signal(key, roles),
        ]
        return verdict(findings)

    def details(self, key: str, treated: Sequence[str] | None = None) -> dict[str, JsonValue]:
        """What an observation keeps beside its value: the reference on the same plates, and every well as it was read."""
        roles = self.treated if treated is None else tuple(treated)
        reference = self.share(REFERENCE, roles)
        shown = (self.untreated, *roles)
        return {
            "reference_value": or_none(reference.value),
            "reference_standard_error": or_none(reference.standard_error),
            "z_prime": or_none(self.z_prime),
            "plates": [
                {
                    "role": role,
                    "labware": self.groups[role][BLANK].wells[0].labware,
                    "signal": or_none(self.signal(role, key)[0]),
                    "reference_signal": or_none(self.signal(role, REFERENCE)[0]),
                }
                for role in shown
            ],
            "wells": [
                {"role": role, **well.to_json()} for role in shown for well in self.groups[role][key].wells
            ],
        }

    def _of_missing(self, key: str, roles: Sequence[str]) -> list[Finding]:
        """(flag, bad, sentence) of groups without which there is no value, or no Z' to trust it by.

        On a plate without blanks nothing has a value, and to say more of it would hide the reason.
        """
        shown = (self.untreated, *roles)
        no_blank = [self.groups[role][BLANK] for role in shown if self._missing(role, BLANK)]
        rest = [role for role in shown if not self._missing(role, BLANK)]
        no_reference = [self.groups[role][REFERENCE] for role in rest if self._missing(role, REFERENCE)]
        no_sample = [self.groups[role][key] for role in rest if self._missing(role, key)]
        # Nothing but Z' is made of the reference, and that is the untreated plate's.
        spoilt = self.untreated in rest and self._missing(self.untreated, REFERENCE)
        return [
            *told_missing(no_blank, "The blank wells of", ("no_blank",), bad=True),
            *told_missing(no_reference, "The reference wells of", ("no_reference",), bad=spoilt),
            *told_missing(no_sample, "Its wells on", (), bad=True),
        ]

    def _missing(self, role: str, key: str) -> bool:
        return self.groups[role][key].mean is None

    def _of_plates(self, roles: Sequence[str]) -> list[Finding]:
        """(flag, bad, sentence) of what concerns whole plates."""
        if self._missing(self.untreated, BLANK):
            return []
        found = []
        least = self._thresholds.min_z_prime
        controlled = not self._missing(self.untreated, REFERENCE)
        if controlled and self.z_prime < least:
            shown = f"{self.z_prime:.2f}" if math.isfinite(self.z_prime) else "undefined"
            found.append(
                (
                    "low_z_prime",
                    True,
                    f"Z' of the {self.untreated} plate is {shown}, and {least:g} is needed.",
                )
            )
        blank = raw_mean(self.groups[self.untreated][BLANK])
        window = abs(self.signal(self.untreated, REFERENCE)[0]) if controlled else 0.0
        for role in roles:
            if self._missing(role, BLANK):
                continue
            shift = abs(raw_mean(self.groups[role][BLANK]) - blank)
            # Where the background is next to nothing, a large share of it is nothing as well.
            if shift > max(
                self._thresholds.max_blank_shift * abs(blank), self._thresholds.min_signal * window
            ):
                sentence = f"The blanks of the {role} plate differ from those of the {self.untreated} plate."
                found.append(("blank_shift", True, sentence))
        return found

    def _of_wells(self, key: str, roles: Sequence[str]) -> list[Finding]:
        """(flag, bad, sentence) of single wells, and of groups that have too few left."""
        found: list[Finding] = []
        for role in (self.untreated, *roles):
            if self._missing(role, key):
                continue
            found += of_wells(self.groups[role][key], where=f"on the {role} plate")
        return found

    def _of_signal(self, key: str, roles: Sequence[str]) -> list[Finding]:
        """(flag, bad, sentence) of signal and scatter."""
        limits = self._thresholds
        signal, variance = self.signal(self.untreated, key)
        if not (math.isfinite(signal) and math.isfinite(variance)):
            return []  # Too few wells to judge it by, which is said already.
        window = self.signal(self.untreated, REFERENCE)[0]
        window = window if math.isfinite(window) else 0.0
        if signal < max(limits.min_signal * window, _DISTINCT_SD * math.sqrt(variance)):
            sentence = (
                f"Its signal on the {self.untreated} plate is {signal / window:.0%} of the reference's, "
                "too little to divide by."
                if window > 0
                else f"Its signal on the {self.untreated} plate does not stand out from blank."
            )
            return [("low_signal", True, sentence)]
        found = []
        for role in (self.untreated, *roles):
            mean = self.groups[role][key].mean
            spread = 0.0 if mean is None else mean.well_sd / signal
            if spread > limits.max_cv:
                sentence = (
                    f"Its wells on the {role} plate scatter by {spread:.0%}; {limits.max_cv:.0%} is allowed."
                )
                found.append(("high_cv", True, sentence))
        return found
