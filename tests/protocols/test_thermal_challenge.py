"""The thermal challenge: what it lays out, what it does, what it makes of readings."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from devices.liquid_handler import AddReagent, Distribute
from devices.plate_hotel import Move
from lab.bench import Bench
from lab.clock import LabClock
from lab.dry_run import dry_run
from lab.errors import BadInput, Infeasible, RunStopped
from lab.interfaces import RunRecord
from lab.types import Layout, Observation, Origin
from protocols import read_parameters
from protocols import thermal_challenge as challenge
from protocols.thermal_challenge import Parameters
from tests.protocols.bench import (
    CANDIDATES,
    commands_of,
    make_batch,
    make_bench,
    make_campaign,
    paper_workcell,
)
from tests.protocols.paper_engine import PaperEngine
from tests.protocols.synthetic import BACKGROUND, BRIGHTNESS, Plates

CAMPAIGN = make_campaign()
BATCH = make_batch()
SHARES = {c.id: (n % 20) / 19 for n, c in enumerate(CANDIDATES)} | {"WT": 0.3}


def lay_out(
    bench: Bench | None = None, seed: int = 1, size: int = 12, **parameters: Any
) -> tuple[Layout, Parameters]:
    read = read_parameters(Parameters, parameters)
    rng = np.random.default_rng(seed)
    return challenge.layout(make_batch(size), CAMPAIGN, bench or make_bench(), read, rng), read


def analyse(plates: Plates, parameters: Parameters, size: int = 12) -> dict[tuple[str, str], Observation]:
    """Observations by (candidate, target)."""
    batch = make_batch(size)
    found = challenge.analyse(plates.record(parameters.roles), batch, CAMPAIGN, parameters)
    content = {e.id: e.candidate.id for e in batch.experiments}
    return {(content[o.experiment_id], o.target): o for o in found}


def wells_of(layout: Layout, content: str, role: str = "unheated") -> list[str]:
    return [u.well for u in layout.wells if u.content == content and u.labware == layout.labware[role]]


# --------------------------------------------------------------------------------------------------------------- layout


def test_every_plate_carries_replicates_reference_and_blanks_at_the_same_wells() -> None:
    layout, _ = lay_out(challenge_temperature_c=[70, 80])
    plates = [layout.labware[role] for role in ("unheated", "heated_70c", "heated_80c")]
    assert len(set(plates)) == 3
    by_plate = [[(u.well, u.content, u.kind) for u in layout.wells if u.labware == plate] for plate in plates]
    assert by_plate[0] == by_plate[1] == by_plate[2]
    assert Counter(kind for _, _, kind in by_plate[0]) == {"variant": 36, "reference": 4, "blank": 4}
    assert len({use.sample_id for use in layout.wells}) == 3 * 44


def test_each_experiment_has_its_own_wells_even_of_one_candidate() -> None:
    batch = make_batch(2)
    twin = replace(batch, experiments=(batch.experiments[0], replace(batch.experiments[0], id="exp_again")))
    layout = challenge.layout(twin, CAMPAIGN, make_bench(), Parameters(), np.random.default_rng(0))
    wells = {
        experiment.id: {u.well for u in layout.wells if u.experiment_id == experiment.id}
        for experiment in twin.experiments
    }
    assert [len(found) for found in wells.values()] == [3, 3]
    assert not set.intersection(*wells.values())


def test_used_plates_are_left_alone() -> None:
    bench = make_bench()
    bench.fill("assay_1", "A1", {"V1": 1.0})
    bench.move("assay_2", "reader")
    layout, _ = lay_out(bench)
    assert (layout.labware["unheated"], layout.labware["heated_75c"]) == ("assay_3", "assay_4")


@pytest.mark.parametrize(
    ("bench", "parameters", "said"),
    [
        (make_bench(assay_plates=1), {}, "2 unused plates are needed, and 1 are left."),
        (make_bench(lids=0), {}, "There is no lid to seal plates with."),
        (make_bench(), {"replicates": 8}, "One plate would need 104 wells, and has 96."),
        (make_bench(library_ul=20.0), {}, "26 ul of V1 are needed, and A1 of library_1 can give 17 ul."),
        (make_bench(), {"buffer": "champagne"}, "Nothing on the bench holds champagne."),
        (make_bench(), {"buffer_volume_ul": 120}, "Each well would get"),
        (make_bench(), {"sample_volume_ul": 50, "challenge_temperature_c": [60, 70, 80]}, ""),
    ],
)
def test_what_cannot_be_laid_out_is_said_in_a_sentence(
    bench: Bench, parameters: dict[str, Any], said: str
) -> None:
    if said == "Each well would get":
        parameters = {**parameters, "sample_volume_ul": 50, "reporter_volume_ul": 50}
        said = "Each well would get 220 ul, and one of assay_1 holds 200 ul."
    with pytest.raises(Infeasible) as refused:
        lay_out(bench, **parameters)
    assert said in refused.value.problems[0]


def test_every_shortage_is_named_at_once() -> None:
    bench = make_bench(library_ul=20.0)
    bench.draw("buffer", "A1", 46_500.0)
    with pytest.raises(Infeasible) as refused:
        lay_out(bench)
    assert refused.value.problems[0].startswith(
        "4076 ul of assay_buffer are needed, and A1 of buffer can give 500 ul."
    )
    assert len(refused.value.problems) == 1 + 12 + 1
    assert "the fullest of its 6 wells" in refused.value.problems[-1]


def test_the_reference_comes_from_one_well_while_one_holds_enough() -> None:
    bench = make_bench()
    bench.draw("library_2", "C1", 75.0)
    layout, _ = lay_out(bench)
    sources = {tuple(p["source"]) for picks in layout.choices["picks"] for p in picks if p["content"] == "WT"}
    assert sources == {("library_2", "C2")}


def test_a_reference_spread_over_wells_is_pieced_together() -> None:
    layout, _ = lay_out(make_bench(library_ul=60.0), reference_wells=12)
    picks = [p for of_deckful in layout.choices["picks"] for p in of_deckful if p["content"] == "WT"]
    assert len({tuple(p["source"]) for p in picks}) > 1
    assert sum(len(p["targets"]) for p in picks) == 24


# ----------------------------------------------------------------------------------------------------------------- plan


def test_every_well_ends_with_its_sample_buffer_and_reporter_in_the_right_volumes() -> None:
    bench = make_bench()
    layout, parameters = lay_out(bench, challenge_temperature_c=[70, 75, 80])
    commands_of(challenge.plan(BATCH, CAMPAIGN, paper_workcell(bench), layout, parameters), bench)
    for use in layout.wells:
        parts = bench.well(use.labware, use.well).parts
        if use.kind == "blank":
            assert parts == pytest.approx({"assay_buffer": 50.0, "reporter": 50.0})
        else:
            assert parts == pytest.approx({use.content: 4.0, "assay_buffer": 46.0, "reporter": 50.0})
    used = {(use.labware, use.well) for use in layout.wells}
    others = [
        (plate, well)
        for plate in layout.labware.values()
        for well, contents in bench.labware[plate].wells.items()
        if contents.volume_ul and (plate, well) not in used
    ]
    assert others == []


def test_each_library_plate_is_fetched_once_a_deckful() -> None:
    bench = make_bench()
    layout, parameters = lay_out(bench)
    commands = commands_of(challenge.plan(BATCH, CAMPAIGN, paper_workcell(bench), layout, parameters), bench)
    fetched = [c.labware for _, c in commands if isinstance(c, Move) and c.destination == "deck_source"]
    assert fetched == ["library_1", "library_2"]


def test_samples_go_into_dry_wells_before_the_buffer_does() -> None:
    bench = make_bench()
    layout, parameters = lay_out(bench)
    commands = [
        c
        for _, c in commands_of(
            challenge.plan(BATCH, CAMPAIGN, paper_workcell(bench), layout, parameters), bench
        )
    ]
    last_pick = max(n for n, c in enumerate(commands) if isinstance(c, Distribute))
    first_reagent = min(n for n, c in enumerate(commands) if isinstance(c, AddReagent))
    assert last_pick < first_reagent


def test_only_the_heated_plates_are_heated_each_at_its_temperature() -> None:
    bench = make_bench()
    layout, parameters = lay_out(bench, challenge_temperature_c=[70, 80], challenge_duration_s="5 min")
    commands = commands_of(challenge.plan(BATCH, CAMPAIGN, paper_workcell(bench), layout, parameters), bench)
    heats = [(c.plate, c.temperature_c, c.hold_s) for _, c in commands if c.verb == "heat"]
    labware = layout.labware
    assert heats == [(labware["heated_70c"], 70.0, 300.0), (labware["heated_80c"], 80.0, 300.0)]


def test_every_plate_waits_equally_long_between_reporter_and_reading() -> None:
    bench = make_bench()
    layout, parameters = lay_out(bench, challenge_temperature_c=[70, 80])
    workcell = paper_workcell(bench)
    walked = dry_run(challenge.plan(BATCH, CAMPAIGN, workcell, layout, parameters), workcell)
    assert walked.problems == ()
    added = [s.begin_s for s in walked.steps if s.arguments.get("source_labware") == "reporter"]
    read = [s.begin_s for s in walked.steps if s.action == "fluorescence"]
    waits = [after - before for before, after in zip(added, read, strict=True)]
    assert waits == pytest.approx([waits[0]] * 3)


def test_a_whole_campaign_fits_the_tips_of_the_bench() -> None:
    bench = make_bench(assay_plates=16)
    workcell = paper_workcell(bench)
    for number in range(8):
        batch = make_batch(12, first=1 + 13 * number)
        layout = challenge.layout(batch, CAMPAIGN, bench, Parameters(), np.random.default_rng(number))
        walked = dry_run(challenge.plan(batch, CAMPAIGN, workcell, layout, Parameters()), workcell)
        assert walked.problems == ()
        commands_of(challenge.plan(batch, CAMPAIGN, workcell, layout, Parameters()), bench)


def test_a_limit_of_the_workcell_is_found_in_the_dry_run() -> None:
    bench = make_bench()
    layout, parameters = lay_out(bench, challenge_temperature_c=99)
    workcell = paper_workcell(bench)
    workcell.devices["thermocycler"].heat.limits["temperature_c"] = (4.0, 95.0)
    walked = dry_run(challenge.plan(BATCH, CAMPAIGN, workcell, layout, parameters), workcell)
    assert walked.problems == ("thermocycler: temperature_c 99 is outside 4 to 95.",)


# ------------------------------------------------------------------------------------------------------------- analysis


def test_readings_give_back_the_share_that_heating_left() -> None:
    layout, parameters = lay_out()
    found = analyse(Plates(layout, SHARES, np.random.default_rng(2)), parameters)
    assert len(found) == 12
    for (content, target), seen in found.items():
        assert target == "residual_activity"
        assert seen.value == pytest.approx(SHARES[content], abs=0.12)
        assert 0.0 < seen.standard_error < 0.06
        assert seen.quality.ok
        assert seen.quality.sentence == ""
        assert (seen.replicates, seen.unit, seen.origin, seen.lab_time_s) == (6, "share", Origin.TWIN, 2000.0)
        assert seen.details["reference_value"] == pytest.approx(0.3, abs=0.05)
        assert seen.details["z_prime"] > 0.7
        assert len(seen.details["wells"]) == 6


def test_standard_errors_cover_the_truth_as_often_as_they_say() -> None:
    off = []
    for seed in range(40):
        layout, parameters = lay_out(seed=seed)
        found = analyse(Plates(layout, SHARES, np.random.default_rng(seed)), parameters)
        off += [(o.value - SHARES[content]) / o.standard_error for (content, _), o in found.items()]
    inside = np.mean(np.abs(off) < 1.96)
    # 480 intervals, correlated within plates through their blanks.
    assert 0.90 < inside < 0.98
    assert 0.9 < np.std(off) < 1.2
    assert abs(np.mean(off)) < 0.15


def test_several_temperatures_give_a_target_each_and_their_mean() -> None:
    layout, parameters = lay_out(challenge_temperature_c=[70, 82.5])
    share = {"V1": {"heated_70c": 0.9, "heated_82_5c": 0.1}, "WT": 0.5}
    found = analyse(Plates(layout, share, np.random.default_rng(3)), parameters)
    values = {target: o for (content, target), o in found.items() if content == "V1"}
    assert set(values) == {"residual_activity", "residual_activity_70c", "residual_activity_82_5c"}
    assert values["residual_activity_70c"].value == pytest.approx(0.9, abs=0.1)
    assert values["residual_activity_82_5c"].value == pytest.approx(0.1, abs=0.05)
    mean = values["residual_activity"]
    single = [values["residual_activity_70c"], values["residual_activity_82_5c"]]
    assert mean.value == pytest.approx(np.mean([o.value for o in single]))
    # One untreated signal serves both, so the mean is less sure than two independent ones would make it.
    independent = math.hypot(*(o.standard_error for o in single)) / 2
    assert independent <= mean.standard_error < max(o.standard_error for o in single)
    assert "at 70 C in" in values["residual_activity_70c"].method
    assert "70 C and 82.5 C" in mean.method


def test_a_bad_well_is_left_out_and_named() -> None:
    layout, parameters = lay_out()
    content = BATCH.experiments[3].candidate.id
    well = wells_of(layout, content)[0]
    share = {**SHARES, content: 0.5}
    good = analyse(Plates(layout, share, np.random.default_rng(4)), parameters)[content, "residual_activity"]
    plates = Plates(
        layout, share, np.random.default_rng(4), seen={("unheated", well): BACKGROUND + 2 * BRIGHTNESS}
    )
    seen = analyse(plates, parameters)[content, "residual_activity"]
    assert seen.quality.ok
    assert seen.quality.flags == ("outlier_well",)
    assert f"{well} of {layout.labware['unheated']}" in seen.quality.sentence
    assert "above its replicates and is left out" in seen.quality.sentence
    assert seen.replicates == 5
    assert seen.value == pytest.approx(good.value, abs=0.06)
    flagged = [w for w in seen.details["wells"] if w["flags"]]
    assert [(w["well"], w["raw"], w["flags"]) for w in flagged] == [
        (well, BACKGROUND + 2 * BRIGHTNESS, ["outlier_well"])
    ]


def test_two_bad_wells_of_three_ask_for_a_repeat() -> None:
    layout, parameters = lay_out()
    content = BATCH.experiments[3].candidate.id
    first, second, _ = wells_of(layout, content)
    seen = {
        ("unheated", first): BACKGROUND + 2 * BRIGHTNESS,
        ("unheated", second): BACKGROUND + 4 * BRIGHTNESS,
    }
    found = analyse(Plates(layout, SHARES, np.random.default_rng(5), seen=seen), parameters)
    quality = found[content, "residual_activity"].quality
    assert not quality.ok
    assert quality.flags == ("outlier_well", "too_few_wells")
    assert "left on the unheated plate" in quality.sentence
    assert all(o.quality.ok for (name, _), o in found.items() if name != content)


def test_a_bad_well_on_the_heated_plate_is_found_as_well() -> None:
    layout, parameters = lay_out()
    content = BATCH.experiments[0].candidate.id
    well = wells_of(layout, content, "heated_75c")[1]
    plates = Plates(
        layout, {**SHARES, content: 0.6}, np.random.default_rng(6), seen={("heated_75c", well): BACKGROUND}
    )
    found = analyse(plates, parameters)[content, "residual_activity"]
    assert found.quality.flags == ("outlier_well",)
    assert "below its replicates" in found.quality.sentence
    assert found.value == pytest.approx(0.6, abs=0.08)


def test_a_bad_blank_spoils_nothing() -> None:
    layout, parameters = lay_out()
    blank = wells_of(layout, "blank")[0]
    plates = Plates(
        layout, SHARES, np.random.default_rng(7), seen={("unheated", blank): BACKGROUND + BRIGHTNESS}
    )
    found = analyse(plates, parameters)
    for (content, _), o in found.items():
        assert o.quality.ok
        assert o.value == pytest.approx(SHARES[content], abs=0.12)


def test_a_saturated_well_is_left_out_and_asks_for_a_repeat() -> None:
    layout, parameters = lay_out()
    content = BATCH.experiments[2].candidate.id
    well = wells_of(layout, content)[0]
    plates = Plates(layout, SHARES, np.random.default_rng(8), saturated=frozenset({("unheated", well)}))
    found = analyse(plates, parameters)[content, "residual_activity"]
    assert not found.quality.ok
    assert found.quality.flags == ("saturated",)
    assert found.replicates == 5


def test_a_well_too_bright_for_a_number_is_saturated_and_not_merely_unreadable() -> None:
    layout, parameters = lay_out()
    content = BATCH.experiments[2].candidate.id
    place = ("unheated", wells_of(layout, content)[0])
    plates = Plates(
        layout, SHARES, np.random.default_rng(8), seen={place: math.nan}, saturated=frozenset({place})
    )
    found = analyse(plates, parameters)[content, "residual_activity"]
    assert not found.quality.ok
    assert found.quality.flags == ("saturated",)


def test_a_well_without_a_reading_is_left_out() -> None:
    layout, parameters = lay_out()
    content = BATCH.experiments[2].candidate.id
    well = wells_of(layout, content)[0]
    plates = Plates(layout, SHARES, np.random.default_rng(8), seen={("unheated", well): math.nan})
    found = analyse(plates, parameters)[content, "residual_activity"]
    assert found.quality.ok
    assert found.quality.flags == ("unreadable",)
    assert math.isfinite(found.value)


def lost(
    layout: Layout, *contents: str, roles: tuple[str, ...] = ("unheated",), saturated: bool = True
) -> Plates:
    """Plates on which the reader gives no number for these contents; as if too bright for it, or for no reason."""
    places = [
        (role, well) for role in roles for content in contents for well in wells_of(layout, content, role)
    ]
    return Plates(
        layout,
        SHARES,
        np.random.default_rng(8),
        seen=dict.fromkeys(places, math.nan),
        saturated=frozenset(places if saturated else ()),
    )


def assert_no_value(found: Observation, flags: tuple[str, ...], sentence: str) -> None:
    assert math.isnan(found.value)
    assert math.isnan(found.standard_error)
    assert found.replicates == 0
    assert not found.quality.ok
    assert not found.usable
    assert found.quality.flags == flags
    assert found.quality.sentence == sentence
    assert len(found.details["wells"]) == 6
    json.dumps(found.details, allow_nan=False)


@pytest.mark.parametrize(
    ("saturated", "flag", "ending"),
    [
        (True, "saturated", "are all saturated: lower the reader's gain."),
        (False, "unreadable", "could not be read: check the reader and the plate."),
    ],
)
def test_a_variant_without_any_reading_has_no_value_and_the_others_keep_theirs(
    saturated: bool, flag: str, ending: str
) -> None:
    layout, parameters = lay_out()
    content = BATCH.experiments[2].candidate.id
    found = analyse(lost(layout, content, saturated=saturated), parameters)
    spoilt = found.pop((content, "residual_activity"))
    assert_no_value(spoilt, (flag,), f"Its wells on {layout.labware['unheated']} {ending}")
    assert spoilt.details["reference_value"] == pytest.approx(0.3, abs=0.05)
    whole = analyse(Plates(layout, SHARES, np.random.default_rng(8)), parameters)
    assert len(found) == 11
    for key, o in found.items():
        assert o.usable
        # The noise of a plate is fitted to all of it, so the errors may differ a little; the values do not.
        assert o.value == pytest.approx(whole[key].value, abs=1e-12)


def test_blanks_past_the_range_leave_the_batch_without_values_and_say_what_to_do() -> None:
    layout, parameters = lay_out()
    found = analyse(lost(layout, "blank"), parameters)
    assert len(found) == 12
    for o in found.values():
        assert_no_value(
            o,
            ("no_blank", "saturated"),
            "The blank wells of assay_1 are all saturated: lower the reader's gain.",
        )
        assert o.details["reference_value"] is None
        assert o.details["z_prime"] is None


def test_blanks_at_a_ceiling_that_has_a_number_are_as_good_as_none() -> None:
    layout, parameters = lay_out()
    plates = replace(lost(layout, "blank"), seen={})
    for o in analyse(plates, parameters).values():
        assert o.quality.flags == ("no_blank", "saturated")
        assert math.isnan(o.value)
        assert all(well["net"] is None for well in o.details["wells"] if well["labware"] == "assay_1")


def test_plates_of_which_nothing_is_read_give_one_observation_for_every_experiment_and_target() -> None:
    layout, parameters = lay_out(challenge_temperature_c=[70, 80])
    everything = {use.content if use.kind != "blank" else "blank" for use in layout.wells}
    found = analyse(lost(layout, *everything, roles=parameters.roles), parameters)
    assert len(found) == 12 * 3
    assert found["V1", "residual_activity"].quality.sentence == (
        "The blank wells of assay_1, assay_2 and assay_3 are all saturated: lower the reader's gain."
    )
    assert all(math.isnan(o.value) and o.quality.flags == ("no_blank", "saturated") for o in found.values())


def test_one_heated_plate_without_blanks_leaves_the_other_temperature_its_values() -> None:
    layout, parameters = lay_out(challenge_temperature_c=[70, 80])
    found = analyse(lost(layout, "blank", roles=("heated_80c",)), parameters)
    for (content, target), o in found.items():
        assert o.usable is (target == "residual_activity_70c")
        if o.usable:
            assert o.value == pytest.approx(SHARES[content], abs=0.12)


def test_a_reference_past_the_range_leaves_values_that_nothing_vouches_for() -> None:
    layout, parameters = lay_out()
    for o in analyse(lost(layout, "WT"), parameters).values():
        assert math.isfinite(o.value)
        assert not o.quality.ok
        assert o.quality.flags == ("no_reference", "saturated")
        assert (
            o.quality.sentence == "The reference wells of assay_1 are all saturated: lower the reader's gain."
        )
        assert o.details["reference_value"] is None


def test_wells_at_a_ceiling_that_has_a_number_make_no_value() -> None:
    layout, parameters = lay_out()
    plates = replace(lost(layout, "V1", "WT"), seen={})
    found = analyse(plates, parameters)["V1", "residual_activity"]
    assert_no_value(
        found,
        ("no_reference", "saturated"),
        "The reference wells of assay_1 are all saturated: lower the reader's gain. "
        "Its wells on assay_1 are all saturated: lower the reader's gain.",
    )


def test_wells_lost_for_two_reasons_are_told_as_such() -> None:
    layout, parameters = lay_out()
    plates = lost(layout, "V1")
    one_of_three = frozenset(sorted(plates.saturated)[:1])
    found = analyse(replace(plates, saturated=one_of_three), parameters)["V1", "residual_activity"]
    assert_no_value(
        found,
        ("saturated",),
        "Its wells on assay_1 are saturated or could not be read: lower the reader's gain.",
    )


def test_single_wells_left_of_every_group_are_no_basis_for_a_result() -> None:
    layout, parameters = lay_out()
    contents = {use.content if use.kind != "blank" else "blank" for use in layout.wells}
    kept = {wells_of(layout, content)[0] for content in contents}
    plates = lost(layout, *contents, roles=parameters.roles, saturated=False)
    seen = {place: value for place, value in plates.seen.items() if place[1] not in kept}
    for o in analyse(replace(plates, seen=seen), parameters).values():
        assert math.isfinite(o.value)
        assert math.isnan(o.standard_error)
        assert not o.quality.ok
        assert "too_few_wells" in o.quality.flags
        json.dumps(o.details, allow_nan=False)


def test_wells_that_scatter_all_over_ask_for_a_repeat() -> None:
    layout, parameters = lay_out()
    found = analyse(Plates(layout, SHARES, np.random.default_rng(9), pipetting_cv=0.35), parameters)
    flags = Counter(flag for o in found.values() for flag in o.quality.flags)
    assert flags["high_cv"] > 3
    assert flags["low_z_prime"] == 12
    assert not any(o.quality.ok for o in found.values())


def test_a_dead_variant_is_not_divided_by() -> None:
    layout, parameters = lay_out()
    content = BATCH.experiments[1].candidate.id
    plates = Plates(layout, SHARES, np.random.default_rng(10), strength={content: 0.02})
    found = analyse(plates, parameters)[content, "residual_activity"]
    assert not found.quality.ok
    assert found.quality.flags == ("low_signal",)
    assert "too little to divide by" in found.quality.sentence


def test_a_plate_that_got_no_reporter_is_noticed() -> None:
    layout, parameters = lay_out()
    plates = Plates(layout, SHARES, np.random.default_rng(11))
    dark = {("heated_75c", use.well): 100.0 for use in layout.wells}
    found = analyse(replace(plates, seen=dark), parameters)
    assert {o.quality.flags for o in found.values()} == {("blank_shift",)}
    assert not any(o.quality.ok for o in found.values())


def test_a_plate_whose_controls_all_read_the_same_has_no_window() -> None:
    layout, parameters = lay_out()
    plates = Plates(
        layout, SHARES, np.random.default_rng(12), seen={("unheated", u.well): 5.0 for u in layout.wells}
    )
    found = analyse(plates, parameters)
    assert all("low_z_prime" in o.quality.flags and not o.quality.ok for o in found.values())


def test_a_run_that_did_not_read_every_plate_is_refused() -> None:
    layout, parameters = lay_out()
    record = Plates(layout, SHARES, np.random.default_rng(13)).record(("unheated",))
    with pytest.raises(BadInput, match=r"no reading of assay_2 \(heated_75c\)"):
        challenge.analyse(record, BATCH, CAMPAIGN, parameters)


def test_a_batch_of_one_can_be_judged() -> None:
    layout, parameters = lay_out(size=1)
    found = analyse(Plates(layout, {"V1": 0.5, "WT": 0.3}, np.random.default_rng(14)), parameters, size=1)
    (seen,) = found.values()
    assert seen.quality.ok
    assert seen.value == pytest.approx(0.5, abs=0.1)


# ------------------------------------------------------------------------------------------------------ through an engine


def test_a_run_through_the_engine_stopped_at_any_step_gives_the_same_results() -> None:
    """Stopped before each tenth step and resumed, nothing is sent twice, and the documents alone tell the result."""
    layout, parameters = lay_out()
    values = []
    for stops in ((), range(10, 50, 10)):
        bench = make_bench()
        workcell = paper_workcell(bench)
        plates = Plates(layout, SHARES, np.random.default_rng(15))
        workcell.devices["reader"].optics = cache(plates.optics)
        with LabClock(virtual=True) as clock:
            engine = PaperEngine(clock, bench)
            for stop in stops:
                engine.stop_before = stop
                with pytest.raises(RunStopped):
                    engine.carry_out(challenge.plan(BATCH, CAMPAIGN, workcell, layout, parameters))
            engine.stop_before = None
            documents = engine.carry_out(challenge.plan(BATCH, CAMPAIGN, workcell, layout, parameters))
        sent = [v for d in workcell.devices.values() for v in vars(d).values() if hasattr(v, "sent")]
        assert sum(len(verb.sent) for verb in sent) == len(engine.done) == 49
        record = RunRecord(run_id="run_1", layout=layout, documents=tuple(documents), origin=Origin.TWIN)
        found = challenge.analyse(record, BATCH, CAMPAIGN, parameters)
        values.append([o.value for o in found])
    assert values[0] == values[1]


def test_places_are_claimed_section_by_section() -> None:
    bench = make_bench()
    layout, parameters = lay_out(bench)
    workcell = paper_workcell(bench)
    claims = []
    for msg in (plan := challenge.plan(BATCH, CAMPAIGN, workcell, layout, parameters)):
        claims.append(msg)
        if msg.command == "claim":
            break
    plan.close()
    assert claims[0].args == (("deck_source", "deck_plate_1", "deck_plate_2"),)
    with LabClock(virtual=True) as clock:
        engine = PaperEngine(clock, bench)
        engine.carry_out(challenge.plan(BATCH, CAMPAIGN, workcell, layout, parameters))
    assert engine.claims == [
        ("deck_source", "deck_plate_1", "deck_plate_2"),
        ("thermocycler", "lids_1"),
        ("deck_plate_1",), ("shaker",), ("reader",),
        ("deck_plate_1",), ("shaker",), ("reader",),
    ]  # fmt: skip
    assert engine.released == len(engine.claims)
    assert all(a != b for a, b in pairwise(engine.claims))
