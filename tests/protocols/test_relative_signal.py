"""One plate's samples over its reference: values, how sure they are, and what makes one unusable."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lab.types import WellUse
from protocols.readings import PlateReading
from protocols.relative_signal import RelativeSignal, Requirements
from protocols.well_groups import REFERENCE

REQUIREMENTS = Requirements(outlier_sd=5.0, max_cv=0.2, min_z_prime=0.4, preparation_cv=0.0)
STRENGTHS = {"exp_1": 0.5, "exp_2": 1.6, "exp_3": 0.0, "exp_4": 0.04}
ROWS = "ABCDEFGH"


def uses() -> list[WellUse]:
    found = []
    for n, key in enumerate((*STRENGTHS, "reference", "blank")):
        kind = key if key in ("reference", "blank") else "variant"
        for column in range(1, 7 if n >= len(STRENGTHS) else 5):
            found.append(
                WellUse(
                    labware="assay_1",
                    well=f"{ROWS[n]}{column}",
                    content=key,
                    kind=kind,  # type: ignore[arg-type]
                    experiment_id=key if kind == "variant" else "",
                    sample_id=f"smp_{ROWS[n]}{column}",
                )
            )
    return found


USES = uses()


def reading(seed: int = 0, cv: float = 0.02, **instead: float) -> PlateReading:
    """Signals of 1000 for the reference on a background of 100; ``instead`` by well."""
    rng = np.random.default_rng(seed)
    strengths = {**STRENGTHS, "reference": 1.0, "blank": 0.0}
    values = {
        use.well: 100.0 + 1000.0 * strengths[use.content] * rng.normal(1.0, cv) + rng.normal(0.0, 4.0)
        for use in USES
    }
    return PlateReading(labware="assay_1", values=values | instead, saturated=frozenset(), lab_time_s=10.0)


def judged(signals: PlateReading | None = None, **changes: object) -> RelativeSignal:
    requirements = replace(REQUIREMENTS, **{k: v for k, v in changes.items() if hasattr(REQUIREMENTS, k)})
    rest = {k: v for k, v in changes.items() if not hasattr(REQUIREMENTS, k)}
    return RelativeSignal(signals=signals or reading(), uses=USES, requirements=requirements, **rest)  # type: ignore[arg-type]


def test_a_blank_without_a_signal_of_its_own_shifts_no_other() -> None:
    blanks = {use.well: 100.0 for use in USES if use.kind == "blank"}
    odd = dict.fromkeys(list(blanks)[:4], 400.0)
    aside = dict.fromkeys(odd, ("non_linear", "was nearly over before the first reading."))
    plate = judged(reading(cv=0.0, **(blanks | odd)), set_aside=aside)
    assert {well.net for well in plate.groups["blank"].wells if well.counts} == {0.0}


def test_values_are_multiples_of_the_reference_above_blank() -> None:
    plate = judged()
    for key, truth in STRENGTHS.items():
        found = plate.relative(key)
        assert found.value == pytest.approx(truth, abs=4.0 * found.standard_error)
        assert found.replicates == 4
        assert plate.quality(key).ok
    assert plate.relative(REFERENCE).value == pytest.approx(1.0)
    assert plate.z_prime > 0.8


def test_what_preparations_differ_by_is_in_the_standard_error_and_makes_it_better_known() -> None:
    alone, prepared = judged(), judged(preparation_cv=0.05)
    for key in ("exp_1", "exp_2"):
        first, second = alone.relative(key), prepared.relative(key)
        assert second.value == first.value
        expected = math.hypot(first.standard_error, math.sqrt(2.0) * 0.05 * first.value)
        assert second.standard_error == pytest.approx(expected)
        assert second.degrees_of_freedom > first.degrees_of_freedom >= 3


def test_a_sample_without_signal_is_a_result_and_says_so() -> None:
    quality = judged().quality("exp_3")
    assert quality.ok
    assert quality.flags == ("below_detection",)


def test_scatter_is_measured_against_the_signal_or_against_a_fifth_of_the_reference() -> None:
    wild = judged(reading(A1=100.0 + 900.0, A2=100.0 + 150.0), outlier_sd=100.0)
    assert "high_cv" in wild.quality("exp_1").flags
    assert not wild.quality("exp_1").ok
    # The same shares of a signal of 4 % of the reference's matter to nobody.
    faint = judged(reading(D1=100.0 + 55.0, D2=100.0 + 25.0), outlier_sd=100.0)
    assert faint.quality("exp_4").ok


def test_an_outlier_is_left_out_and_named() -> None:
    plate = judged(reading(A3=2500.0))
    assert plate.relative("exp_1").value == pytest.approx(0.5, abs=0.03)
    assert plate.relative("exp_1").replicates == 3
    assert plate.quality("exp_1").ok
    assert plate.quality("exp_1").flags == ("outlier_well",)
    assert "A3 of assay_1" in plate.quality("exp_1").sentence


def test_a_plate_whose_controls_are_not_apart_says_so_of_every_sample() -> None:
    plate = judged(reading(cv=0.25))
    assert [plate.quality(key).ok for key in STRENGTHS] == [False] * 4
    assert "low_z_prime" in plate.quality("exp_1").flags
    assert "Z' of assay_1 is" in plate.quality("exp_1").sentence


@pytest.mark.parametrize(
    ("row", "flags", "sentence"),
    [
        ("E", ("no_reference", "unreadable"), "The reference wells of assay_1 could not be read"),
        ("F", ("no_blank", "unreadable"), "The blank wells of assay_1 could not be read"),
        ("A", ("unreadable",), "Its wells on assay_1 could not be read"),
    ],
)
def test_a_group_that_was_not_read_leaves_no_value_and_says_which(
    row: str, flags: tuple[str, ...], sentence: str
) -> None:
    plate = judged(reading(**dict.fromkeys([f"{row}{n}" for n in range(1, 7)], math.nan)))
    found = plate.relative("exp_1")
    assert math.isnan(found.value)
    assert math.isnan(found.standard_error)
    assert found.replicates == 0
    quality = plate.quality("exp_1")
    assert not quality.ok
    assert quality.flags == flags
    assert quality.sentence.startswith(sentence)
    assert plate.details("exp_1")["reference_value"] == (None if row in "EF" else 1.0)


def test_wells_that_the_analysis_sets_aside_are_told_with_its_own_words() -> None:
    aside = {"A1": ("non_linear", "bends from its first readings on.")}
    one = judged(set_aside=aside)
    assert one.relative("exp_1").replicates == 3
    assert one.quality("exp_1").ok
    assert one.quality("exp_1").flags == ("non_linear",)
    assert one.quality("exp_1").sentence == "A1 of assay_1 bends from its first readings on."
    nan = reading(**dict.fromkeys(("B1", "B2", "B3", "B4"), math.nan))
    every = {f"B{n}": ("non_linear", "bends from its first readings on.") for n in range(1, 5)}
    none = judged(nan, set_aside=every).quality("exp_2")
    assert not none.ok
    assert none.flags == ("non_linear",)
    assert none.sentence == "Its wells on assay_1 give no number: B1 bends from its first readings on."


def test_saturated_wells_tell_what_to_do() -> None:
    full = replace(reading(), saturated=frozenset({"B1", "B2", "B3", "B4"}))
    values = {well: value if well not in full.saturated else math.nan for well, value in full.values.items()}
    quality = judged(replace(full, values=values), remedy="dilute").quality("exp_2")
    assert not quality.ok
    assert quality.flags == ("saturated",)
    assert quality.sentence == "Its wells on assay_1 are all saturated: dilute."


def test_barred_samples_do_not_count() -> None:
    plate = judged(barred={"smp_A1": "the tip fell off", "smp_E1": "the tip fell off"})
    assert plate.relative("exp_1").replicates == 3
    assert plate.quality("exp_1").ok
    assert "A1 of assay_1 is barred and left out: the tip fell off." in plate.quality("exp_1").sentence
    assert plate.details("exp_1")["reference_degrees_of_freedom"] == 4


@given(barred=st.sets(st.sampled_from([use.well for use in USES]), max_size=12), seed=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_barring_wells_gives_the_numbers_of_a_plate_that_never_had_them(barred: set[str], seed: int) -> None:
    left = [use for use in USES if use.well not in barred]
    # A plate that never had a group has no number to compare; the tests above tell of that.
    assume({use.content for use in left} == {use.content for use in USES})
    whole = RelativeSignal(
        signals=reading(seed),
        uses=USES,
        requirements=REQUIREMENTS,
        barred={f"smp_{well}": "the tip fell off" for well in barred},
    )
    never = RelativeSignal(signals=reading(seed), uses=left, requirements=REQUIREMENTS)
    for key in STRENGTHS:
        # NaN is no number, and equal to none; written out it is the same.
        assert repr(whole.relative(key)) == repr(never.relative(key))
        assert whole.quality(key).ok == never.quality(key).ok
    assert whole.z_prime == never.z_prime
