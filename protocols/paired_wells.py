"""Wells of one plate that are read before and after a treatment: what share of its signal each well keeps.

Each well is compared with itself, so that what was pipetted into it, and how the light falls through it, does not add to
the scatter. Which wells count is for :class:`protocols.plate_ratio.PlateRatio` to say, which sees either reading as a plate.
"""

from __future__ import annotations

import math

from protocols.plate_ratio import PlateRatio, Share
from protocols.plate_statistics import PRIOR_DEGREES, fit_noise, moderated_mean
from protocols.well_groups import BLANK

__all__ = ["PairedWells"]


class PairedWells:
    """The two readings of one plate, compared well by well. A value once made: nothing in it changes.

    Args:
        readings: of which the untreated plate is the first reading, and the one treated plate the second.
    """

    def __init__(self, readings: PlateRatio) -> None:
        self._readings = readings
        self._before = readings.groups[readings.untreated]
        (after,) = readings.treated
        self._after = readings.groups[after]
        self._shares = {key: self._of(key) for key in self._before if key != BLANK}
        (self._noise,) = fit_noise([self._shares.values()])

    def share(self, key: str) -> Share:
        """What is left of a sample's signal: the mean over its wells, the same blank taken off them all.

        A sample without a well that counts in both readings has the ratio of its two means, which its quality speaks of.
        """
        shares = self._shares[key]
        blanks = [groups[BLANK].mean for groups in (self._before, self._after)]
        signal, _ = self._readings.signal(self._readings.untreated, key)
        before, after = blanks
        if not shares or before is None or after is None or not signal:
            return self._readings.share(key)
        mean = moderated_mean(shares, self._noise)
        of_blank = (after.variance + mean.value**2 * before.variance) / signal**2
        error = math.sqrt(mean.variance + of_blank)
        return Share(
            value=mean.value,
            standard_error=error if math.isfinite(error) else math.nan,
            replicates=mean.wells,
        )

    def degrees_of_freedom(self, key: str) -> int:
        """What the standard error of a sample rests on: its own wells, and the scatter of the whole plate beside them."""
        return max(0, len(self._shares[key]) - 1) + int(PRIOR_DEGREES)

    def _of(self, key: str) -> list[float]:
        first = {well.well: well.net for well in self._before[key].wells if well.counts}
        second = {well.well: well.net for well in self._after[key].wells if well.counts}
        return [second[well] / net for well, net in first.items() if well in second and net != 0.0]
