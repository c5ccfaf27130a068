"""Wells that are read before and after: each against itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from lab.types import WellUse
from protocols.paired_wells import PairedWells
from protocols.plate_ratio import PlateRatio, Thresholds
from protocols.readings import PlateReading
from protocols.well_groups import REFERENCE

BLANKS = {"H1": 0.04, "H2": 0.05, "H3": 0.045, "H4": 0.045}
CONTROLS = {"G1": 1.0, "G2": 1.02, "G3": 0.98, "G4": 1.0}
LIMITS = Thresholds(outlier_sd=5.0, max_cv=0.9, min_z_prime=0.0, min_signal=0.01, max_blank_shift=5.0)


def paired(samples: Mapping[str, Sequence[tuple[float, float]]]) -> PairedWells:
    """Pairs of readings above blank by sample; controls stay as they are."""
    uses = [_use(well, "blank") for well in BLANKS] + [_use(well, "reference") for well in CONTROLS]
    before = dict(BLANKS) | {well: value + 0.045 for well, value in CONTROLS.items()}
    after = dict(before)
    for row, (name, pairs) in zip("ABCDEF", samples.items(), strict=False):
        for column, (first, second) in enumerate(pairs, start=1):
            well = f"{row}{column}"
            uses.append(_use(well, "variant", name))
            before[well], after[well] = first + 0.045, second + 0.045
    return PairedWells(
        PlateRatio(
            untreated="before",
            treated=("after",),
            labware={"before": "before", "after": "after"},
            uses=uses,
            readings={"before": _reading(before), "after": _reading(after)},
            thresholds=LIMITS,
        )
    )


def _use(well: str, kind: str, experiment: str = "") -> WellUse:
    return WellUse(
        labware="plate",
        well=well,
        content=experiment or kind,
        kind=kind,  # type: ignore[arg-type]
        experiment_id=experiment,
        sample_id=f"smp_{well}",
    )


def _reading(values: Mapping[str, float]) -> PlateReading:
    return PlateReading(labware="plate", values=values, saturated=frozenset(), lab_time_s=1.0)


def test_the_share_is_the_mean_over_wells_of_what_each_keeps() -> None:
    share = paired({"a": [(1.0, 0.79), (0.97, 0.776), (1.03, 0.8343)]}).share("a")
    assert share.value == pytest.approx((0.79 + 0.8 + 0.81) / 3)
    assert share.replicates == 3


def test_wells_of_unlike_fill_that_keep_alike_are_as_sure_as_equal_ones() -> None:
    rng = np.random.default_rng(2)
    kept = {name: 0.8 * rng.normal(1.0, 0.01, 4) for name in "abcde"}
    equal = paired({name: [(1.0, float(k)) for k in shares] for name, shares in kept.items()})
    fills = rng.uniform(0.7, 1.3, 4)
    unlike = paired(
        {
            name: [(float(f), float(f * k)) for f, k in zip(fills, shares, strict=True)]
            for name, shares in kept.items()
        }
    )
    assert unlike.share("a").value == pytest.approx(equal.share("a").value)
    assert unlike.share("a").standard_error == pytest.approx(equal.share("a").standard_error, rel=0.3)


def test_the_blank_is_as_unsure_for_every_well_and_counts_more_for_a_faint_sample() -> None:
    bright = [(1.0, 0.8), (1.0, 0.801), (1.0, 0.799)]
    faint = [(0.05, 0.04), (0.05, 0.04005), (0.05, 0.03995)]
    both = paired({"bright": bright, "faint": faint})
    assert both.share("faint").standard_error > 2 * both.share("bright").standard_error


def test_the_reference_is_a_sample_like_any_other() -> None:
    share = paired({"a": [(1.0, 0.8)] * 3}).share(REFERENCE)
    assert share.value == pytest.approx(1.0)
    assert share.replicates == 4


def test_freedom_is_that_of_the_wells_and_of_the_plate() -> None:
    assert paired({"a": [(1.0, 0.8)] * 3}).degrees_of_freedom("a") == 2 + 4
