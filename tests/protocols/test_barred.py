"""What is barred is never drawn from, and what was measured of it never counts."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lab.errors import BadInput, Infeasible
from lab.interfaces import RunRecord
from lab.types import Layout, Observation, WellUse
from protocols import thermal_challenge as challenge
from protocols.stock import Stock, lids, unused_plates
from protocols.thermal_challenge import Parameters
from tests.protocols.bench import CANDIDATES, make_batch, make_bench, make_campaign
from tests.protocols.synthetic import Plates

CAMPAIGN, BATCH, PARAMETERS = make_campaign(), make_batch(6), Parameters()
LAYOUT = challenge.layout(BATCH, CAMPAIGN, make_bench(), PARAMETERS, np.random.default_rng(1))
SHARES = {c.id: (n % 20) / 19 for n, c in enumerate(CANDIDATES)} | {"WT": 0.3}
FIRST = BATCH.experiments[0]
UNHEATED, HEATED = LAYOUT.labware["unheated"], LAYOUT.labware["heated_75c"]


def record(seed: int = 3) -> RunRecord:
    return Plates(LAYOUT, SHARES, np.random.default_rng(seed)).record(PARAMETERS.roles)


def analyse(of: RunRecord) -> dict[str, Observation]:
    return {o.experiment_id: o for o in challenge.analyse(of, BATCH, CAMPAIGN, PARAMETERS)}


def bar(of: RunRecord, uses: Iterable[WellUse], why: str = "the tip fell off") -> RunRecord:
    return replace(of, barred={use.sample_id: why for use in uses})


def uses(content: str, plate: str | None = None) -> list[WellUse]:
    return [u for u in LAYOUT.wells if u.content == content and plate in (None, u.labware)]


def numbers(seen: Observation) -> tuple[object, ...]:
    """All that an observation says but which wells are not counted, and why."""
    details = {name: value for name, value in seen.details.items() if name != "wells"}
    wells = [well for well in seen.details["wells"] if well["flags"] != ["barred"]]
    flags = tuple(flag for flag in seen.quality.flags if flag != "barred")
    return seen.value, seen.standard_error, seen.replicates, seen.quality.ok, flags, details, wells


# ------------------------------------------------------------------------------------------------------------- analysis


@given(
    barred=st.sets(st.sampled_from([(u.labware, u.well) for u in LAYOUT.wells]), max_size=16),
    seed=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_barring_wells_gives_the_numbers_of_plates_that_never_had_them(
    barred: Collection[tuple[str, str]], seed: int
) -> None:
    gone = [use for use in LAYOUT.wells if (use.labware, use.well) in barred]
    left = [use for use in LAYOUT.wells if use not in gone]
    groups = {(u.labware, u.kind, u.experiment_id) for u in LAYOUT.wells}
    # A plate that never had a group has no number to compare; the tests below tell of that.
    assume(groups == {(u.labware, u.kind, u.experiment_id) for u in left})
    found = analyse(bar(record(seed), gone))
    never = analyse(replace(record(seed), layout=replace(LAYOUT, wells=tuple(left))))
    assert found.keys() == never.keys()
    for experiment_id, seen in found.items():
        # NaN is no number, and equal to none; written out it is the same.
        assert repr(numbers(seen)) == repr(numbers(never[experiment_id]))


def test_a_barred_well_is_left_out_and_named_with_its_reason() -> None:
    (use, *_) = uses(FIRST.candidate.id, HEATED)
    seen = analyse(bar(record(), [use]))[FIRST.id]
    assert seen.quality.ok
    assert seen.quality.flags == ("barred",)
    assert seen.quality.sentence == f"{use.well} of {HEATED} is barred and left out: the tip fell off."
    assert seen.replicates == 5
    flagged = [(w["labware"], w["well"]) for w in seen.details["wells"] if w["flags"] == ["barred"]]
    assert flagged == [(HEATED, use.well)]


def test_an_observation_is_of_a_sample_that_may_be_used() -> None:
    first, second, _ = uses(FIRST.candidate.id, HEATED)
    assert analyse(record())[FIRST.id].sample_id == first.sample_id
    assert analyse(bar(record(), [first]))[FIRST.id].sample_id == second.sample_id


def test_an_experiment_of_which_every_well_is_barred_has_no_value_and_says_why() -> None:
    found = analyse(bar(record(), uses(FIRST.candidate.id), "a person saw a bubble."))
    seen = found[FIRST.id]
    assert math.isnan(seen.value)
    assert math.isnan(seen.standard_error)
    assert (seen.quality.ok, seen.quality.flags, seen.replicates) == (False, ("barred",), 0)
    assert seen.quality.sentence == f"Its wells on {UNHEATED} and {HEATED} are barred: a person saw a bubble."
    assert all(o.quality.ok for e, o in found.items() if e != FIRST.id)


def test_a_sample_barred_on_one_plate_only_has_nothing_to_compare_with() -> None:
    seen = analyse(bar(record(), uses(FIRST.candidate.id, UNHEATED)))[FIRST.id]
    assert math.isnan(seen.value)
    assert (seen.quality.ok, seen.quality.flags) == (False, ("barred",))
    assert seen.quality.sentence == f"Its wells on {UNHEATED} are barred: the tip fell off."


def test_one_good_well_left_is_too_few() -> None:
    barred = uses(FIRST.candidate.id, UNHEATED)[:2]
    seen = analyse(bar(record(), barred))[FIRST.id]
    assert math.isfinite(seen.value)
    assert (seen.quality.ok, seen.quality.flags) == (False, ("barred", "too_few_wells"))


def test_a_saturated_well_that_is_barred_does_no_harm() -> None:
    (use, *_) = uses(FIRST.candidate.id, UNHEATED)
    saturated = frozenset({("unheated", use.well)})
    plates = Plates(LAYOUT, SHARES, np.random.default_rng(3), saturated=saturated)
    whole = plates.record(PARAMETERS.roles)
    assert not analyse(whole)[FIRST.id].quality.ok
    seen = analyse(bar(whole, [use]))[FIRST.id]
    assert (seen.quality.ok, seen.quality.flags) == (True, ("barred",))


def test_without_a_blank_that_may_be_used_nothing_of_the_plate_has_a_value() -> None:
    for seen in analyse(bar(record(), uses("blank", UNHEATED))).values():
        assert math.isnan(seen.value)
        assert not seen.quality.ok
        assert seen.quality.flags == ("no_blank", "barred")
        assert seen.quality.sentence.startswith(
            f"The blank wells of {UNHEATED} are barred: the tip fell off."
        )


def test_without_a_reference_that_may_be_used_there_is_no_z_prime_to_trust() -> None:
    for seen in analyse(bar(record(), uses("WT", UNHEATED))).values():
        assert math.isfinite(seen.value)
        assert not seen.quality.ok
        assert seen.quality.flags == ("no_reference", "barred")


def test_one_reference_well_left_gives_no_z_prime() -> None:
    for seen in analyse(bar(record(), uses("WT", UNHEATED)[1:])).values():
        assert not seen.quality.ok
        assert "low_z_prime" in seen.quality.flags


def test_a_plate_that_was_given_up_need_not_have_been_read() -> None:
    whole = record()
    kept = tuple(d for d in whole.documents if d[1].get("data", {}).get("reader-plate") != HEATED)
    assert len(kept) == len(whole.documents) - 1
    given_up = replace(whole, documents=kept)
    with pytest.raises(BadInput, match=f"no reading of {HEATED}"):
        analyse(given_up)
    with pytest.raises(BadInput, match=f"no reading of {HEATED}"):
        analyse(bar(given_up, [u for u in LAYOUT.wells if u.labware == HEATED][1:]))
    for seen in analyse(bar(given_up, [u for u in LAYOUT.wells if u.labware == HEATED])).values():
        assert math.isnan(seen.value)
        assert math.isnan(seen.lab_time_s)
        assert not seen.quality.ok
        assert "barred" in seen.quality.flags
        assert "the tip fell off" in seen.quality.sentence


# --------------------------------------------------------------------------------------------------------------- layout


def sources(layout: Layout) -> set[tuple[str, str]]:
    picks = [pick for of_deckful in layout.choices["picks"] for pick in of_deckful]
    return {(p["source"][0], p["source"][1]) for p in picks}


def test_a_barred_source_well_is_not_drawn_from_where_another_holds_the_same() -> None:
    bench = make_bench()
    (drawn,) = {
        (p["source"][0], p["source"][1])
        for of_deckful in LAYOUT.choices["picks"]
        for p in of_deckful
        if p["content"] == "WT"
    }
    bench.bar([drawn], "somebody sneezed")
    layout = challenge.layout(BATCH, CAMPAIGN, bench, PARAMETERS, np.random.default_rng(1))
    assert drawn in sources(LAYOUT)
    assert drawn not in sources(layout)


@pytest.mark.parametrize("labware", ["buffer", "reporter"])
def test_a_barred_trough_is_refused_with_its_reason(labware: str) -> None:
    bench = make_bench()
    bench.bar([(labware, "*")], "it looks cloudy.")
    with pytest.raises(Infeasible, match=rf"is barred: A1 of {labware} \(it looks cloudy\)\."):
        challenge.layout(BATCH, CAMPAIGN, bench, PARAMETERS, np.random.default_rng(1))


def test_a_barred_library_well_is_refused_with_its_reason() -> None:
    bench = make_bench()
    place = CAMPAIGN.sources[FIRST.candidate.id]
    bench.bar([place], "mislabelled")
    with pytest.raises(Infeasible) as refused:
        challenge.layout(BATCH, CAMPAIGN, bench, PARAMETERS, np.random.default_rng(1))
    assert refused.value.problems == (
        f"All that holds {FIRST.candidate.id} is barred: {place[1]} of {place[0]} (mislabelled).",
    )


@pytest.mark.parametrize("well", ["*", "C4"])
def test_a_clean_plate_of_which_anything_is_barred_is_not_used(well: str) -> None:
    bench = make_bench()
    bench.bar([("assay_1", well)], "dropped")
    assert [plate.id for plate in unused_plates(bench)][:2] == ["assay_2", "assay_3"]


def test_a_barred_lid_is_not_used() -> None:
    bench = make_bench()
    (lid, *_) = lids(bench)
    bench.bar([(lid.id, "*")], "warped")
    assert lid.id not in {left.id for left in lids(bench)}


def test_barred_wells_are_no_stock() -> None:
    bench = make_bench()
    assert Stock(bench).wells_of("assay_buffer") == (("buffer", "A1"),)
    bench.bar([("buffer", "A1")], "cloudy")
    assert Stock(bench).wells_of("assay_buffer") == ()
