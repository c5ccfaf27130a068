"""Formulations that age: what is laid out, what is done, what is made of the two readings."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from devices.liquid_handler import Distribute
from devices.plate_reader import ReadAbsorbance
from devices.thermocycler import Heat
from lab.bench import Bench
from lab.dry_run import dry_run
from lab.errors import BadInput, Infeasible
from lab.types import Campaign, Candidate, Layout, Observation
from protocols import formulation_ageing as ageing
from protocols import read_parameters
from protocols.formulation_ageing import Parameters
from tests.protocols.bench import commands_of, paper_workcell
from tests.protocols.blends import (
    BLENDS,
    MATERIALS,
    TRUTH,
    Readings,
    make_blend_batch,
    make_blend_campaign,
    make_stock_bench,
)

CAMPAIGN = make_blend_campaign()
BATCH = make_blend_batch()


def lay_out(
    bench: Bench | None = None, campaign: Campaign = CAMPAIGN, seed: int = 1, **parameters: Any
) -> tuple[Layout, Parameters]:
    read = read_parameters(Parameters, parameters)
    rng = np.random.default_rng(seed)
    return ageing.layout(BATCH, campaign, bench or make_stock_bench(), read, rng), read


def analyse(readings: Readings, parameters: Parameters, **run: Any) -> dict[str, Observation]:
    """Observations by candidate."""
    found = ageing.analyse(readings.record(**run), BATCH, CAMPAIGN, parameters)
    content = {e.id: e.candidate.id for e in BATCH.experiments}
    return {content[o.experiment_id]: o for o in found}


def seeing(layout: Layout, seed: int = 5, **settings: Any) -> Readings:
    return Readings(layout, TRUTH, np.random.default_rng(seed), **settings)


def wells_of(layout: Layout, content: str) -> list[str]:
    return [use.well for use in layout.wells if use.content == content]


CHOSEN = BATCH.experiments[3].candidate


# --------------------------------------------------------------------------------------------------------------- layout


def test_the_plate_carries_replicates_the_reference_and_blanks() -> None:
    layout, _ = lay_out(replicates=4)
    assert Counter(use.kind for use in layout.wells) == {"variant": 48, "reference": 4, "blank": 4}
    assert {use.labware for use in layout.wells} == {layout.labware["plate"]}
    assert len({use.well for use in layout.wells}) == 56


def test_every_well_gets_its_blend_and_nothing_else() -> None:
    bench = make_stock_bench()
    layout, parameters = lay_out(bench)
    commands_of(ageing.plan(BATCH, CAMPAIGN, paper_workcell(bench), layout, parameters), bench)
    values = {e.candidate.id: e.candidate.values for e in BATCH.experiments}
    values |= {"standard": CAMPAIGN.reference.values, "blank": {"solvent": 1.0}}
    for use in layout.wells:
        expected = {name: 150.0 * share for name, share in values[use.content].items() if share}
        assert bench.well(use.labware, use.well).parts == pytest.approx(expected, abs=1e-3)


def test_no_tip_meets_two_blends() -> None:
    layout, parameters = lay_out()
    content = {use.well: use.content for use in layout.wells}
    bench = make_stock_bench()
    commands = commands_of(ageing.plan(BATCH, CAMPAIGN, paper_workcell(bench), layout, parameters), bench)
    given = [command for _, command in commands if isinstance(command, Distribute)]
    assert given
    for command in given:
        assert len({content[well] for _, well, _ in command.targets}) == 1


def test_stocks_that_go_by_other_names_are_named_by_the_parameters() -> None:
    renamed = tuple(
        Candidate(id=c.id, values={f"share_of_{name}": share for name, share in c.values.items()})
        for c in (CAMPAIGN.reference, *BLENDS)
    )
    campaign = make_blend_campaign(renamed[1:], renamed[0])
    batch = make_blend_batch(renamed[5:65:5])
    read = read_parameters(Parameters, {"stocks": {f"share_of_{name}": name for name in MATERIALS}})
    layout = ageing.layout(batch, campaign, make_stock_bench(), read, np.random.default_rng(1))
    assert {pick["content"] for pick in layout.choices["picks"]} == {*MATERIALS, "solvent"}


def test_wells_of_an_earlier_plate_are_no_stock() -> None:
    """A pure blend of an earlier batch holds nothing but one stock, aged, and out of the handler's reach."""
    bench = make_stock_bench()
    bench.fill("blends_1", "A1", {"red": 150.0})
    layout, _ = lay_out(bench)
    assert {pick["source"][0] for pick in layout.choices["picks"]} == {*MATERIALS, "solvent"}


WAY_OUT = "Change its shares (`least` and `most` of a space's mixture bound them), or total_volume_ul."


def odd(**values: Any) -> Campaign:
    """The campaign with one more candidate in its pool."""
    return make_blend_campaign((*BLENDS, Candidate(id="odd_one", values=values)))


@pytest.mark.parametrize(
    ("campaign", "said"),
    [
        (odd(red=0.5, green=0.2, blue=0.2), "The shares of odd_one sum to 0.9, not to 1."),
        (
            odd(red=0.996, green=0.004, blue=0.0),
            f"odd_one needs 0.6 ul of green in each well, and least_volume_ul is 1. {WAY_OUT}",
        ),
        (odd(red=1.5, green=-0.5, blue=0.0), "red of odd_one is 1.5, and a share is a number from 0 to 1."),
        (
            odd(red="half", green=0.5, blue=0.0),
            "red of odd_one is half, and a share is a number from 0 to 1.",
        ),
        (odd(red=0.5, green=0.5), "odd_one has no value blue, which says how much of blue goes into it."),
        (
            odd(red=0.5, green=0.5, blue=0.0, gold=0.1),
            "odd_one has a value gold, and no stock is named for it.",
        ),
    ],
)
def test_a_candidate_that_cannot_be_mixed_is_named_before_anything_moves(
    campaign: Campaign, said: str
) -> None:
    """Though it is not in the batch: a campaign must not stop at it half-way."""
    with pytest.raises(Infeasible) as refused:
        lay_out(campaign=campaign)
    assert refused.value.problems == (said,)


def test_of_many_bad_candidates_a_few_are_named_and_the_others_counted() -> None:
    bad = tuple(
        Candidate(id=f"bad_{n}", values={"red": 0.5, "green": 0.0, "blue": n / 100}) for n in range(7)
    )
    with pytest.raises(Infeasible) as refused:
        lay_out(campaign=make_blend_campaign(bad))
    assert len(refused.value.problems) == 5
    assert refused.value.problems[-1] == "3 more candidates can't be made either."


def test_two_values_cannot_come_from_one_stock() -> None:
    with pytest.raises(ValueError, match="red and pink are both said to come from the stock trough_1"):
        Parameters(stocks={"red": "trough_1", "green": "trough_2", "pink": "trough_1"})


def test_portions_past_the_limits_of_this_handler_are_refused_by_the_name_of_the_candidate() -> None:
    layout, parameters = lay_out()
    workcell = paper_workcell(make_stock_bench())
    workcell.devices["handler"].distribute.limits["volume_ul"] = (20.0, 300.0)
    walked = dry_run(ageing.plan(BATCH, CAMPAIGN, workcell, layout, parameters), workcell)
    assert walked.steps == ()
    said = "blend_2 needs 15 ul of green in each well, and the handler gives 20 to 300 ul."
    assert walked.problems[0] == f"{said} {WAY_OUT}"


@pytest.mark.parametrize(
    ("bench", "parameters", "said"),
    [
        (make_stock_bench(plates=0), {}, "1 unused plate is needed, and 0 are left."),
        (make_stock_bench(lids=0), {}, "There is no lid to seal plates with."),
        (make_stock_bench(), {"replicates": 8}, "One plate would need 104 wells, and has 96."),
        (make_stock_bench(), {"total_volume_ul": 250}, "250 ul do not fit into a well of blends_1."),
        (make_stock_bench(), {"solvent": "water"}, "Nothing on the bench holds water."),
        (
            make_stock_bench(),
            {"stocks": {"red": "red", "green": "jade", "blue": "blue"}},
            "Nothing on the bench holds jade.",
        ),
    ],
)
def test_what_cannot_be_laid_out_is_said_in_a_sentence(
    bench: Bench, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(Infeasible) as refused:
        lay_out(bench, **parameters)
    assert refused.value.problems == (said,)


# ----------------------------------------------------------------------------------------------------------------- plan


def test_the_plate_is_mixed_read_aged_and_read_again() -> None:
    bench = make_stock_bench()
    layout, parameters = lay_out(bench, ageing_temperature_c=70, ageing_duration_s=7200)
    commands = commands_of(ageing.plan(BATCH, CAMPAIGN, paper_workcell(bench), layout, parameters), bench)
    order = [command.verb for _, command in commands if command.verb not in ("move", "open_lid")]
    assert [verb for n, verb in enumerate(order) if n == 0 or order[n - 1] != verb] == [
        "distribute",
        "incubate",
        "absorbance",
        "put_lid",
        "heat",
        "take_lid",
        "absorbance",
    ]
    (heating,) = [command for _, command in commands if isinstance(command, Heat)]
    assert (heating.temperature_c, heating.hold_s) == (70.0, 7200.0)
    assert len({c.wavelength_nm for _, c in commands if isinstance(c, ReadAbsorbance)}) == 1


# ------------------------------------------------------------------------------------------------------------- analysis


def test_degradation_is_the_share_of_the_absorbance_that_is_lost() -> None:
    layout, parameters = lay_out(replicates=4)
    found = analyse(seeing(layout), parameters)
    assert set(found) == {e.candidate.id for e in BATCH.experiments}
    for name, observation in found.items():
        assert observation.value == pytest.approx(TRUTH[name], abs=5 * observation.standard_error)
        assert observation.quality.ok
        assert observation.replicates == 4
        assert observation.unit == "share"


def test_what_was_pipetted_unevenly_does_not_blur_the_result() -> None:
    """Each well is its own control: pipetting ten times worse leaves the standard errors as they were."""
    layout, parameters = lay_out(replicates=4, max_cv=0.9, outlier_sd=20)
    even = analyse(seeing(layout, pipetting_cv=0.01), parameters)
    uneven = analyse(seeing(layout, pipetting_cv=0.1), parameters)
    errors = [[o.standard_error for o in found.values()] for found in (even, uneven)]
    assert np.median(errors[1]) < 1.5 * np.median(errors[0])
    assert np.median(errors[1]) < 0.01


def test_the_reference_is_told_in_the_terms_of_the_target() -> None:
    layout, parameters = lay_out()
    details = next(iter(analyse(seeing(layout), parameters).values())).details
    assert details["reference_value"] == pytest.approx(TRUTH["standard"], abs=0.03)
    assert 0.0 < details["reference_standard_error"] < 0.02
    assert details["reference_degrees_of_freedom"] == 3 + 4
    assert {plate["role"] for plate in details["plates"]} == {"fresh", "aged"}
    assert len(details["wells"]) == 2 * parameters.replicates
    json.dumps(details)


def test_a_well_that_is_off_is_left_out_of_both_readings() -> None:
    layout, parameters = lay_out(replicates=4)
    well = wells_of(layout, CHOSEN.id)[0]
    observation = analyse(seeing(layout, seen={("aged", well): 2.9}), parameters)[CHOSEN.id]
    assert observation.quality.flags == ("outlier_well",)
    assert observation.quality.ok
    assert observation.replicates == 3
    assert observation.value == pytest.approx(TRUTH[CHOSEN.id], abs=0.04)


def test_a_saturated_well_spoils_its_blend_and_no_other() -> None:
    layout, parameters = lay_out()
    well = wells_of(layout, CHOSEN.id)[0]
    found = analyse(seeing(layout, saturated=frozenset({("fresh", well)})), parameters)
    assert [name for name, o in found.items() if not o.quality.ok] == [CHOSEN.id]
    assert "saturated" in found[CHOSEN.id].quality.flags


def test_a_blend_whose_wells_are_all_barred_has_no_value_and_says_why() -> None:
    layout, parameters = lay_out()
    barred = {use.sample_id: "the tip was clogged" for use in layout.wells if use.content == CHOSEN.id}
    observation = analyse(seeing(layout), parameters, barred=barred)[CHOSEN.id]
    assert math.isnan(observation.value)
    assert not observation.quality.ok
    assert "the tip was clogged" in observation.quality.sentence


def test_a_plate_that_mixed_no_colour_is_no_result() -> None:
    layout, parameters = lay_out()
    pale = replace(seeing(layout), seen={("fresh", use.well): 0.04 for use in layout.wells})
    assert not any(o.quality.ok for o in analyse(pale, parameters).values())


@pytest.mark.parametrize(
    ("read", "missing"), [(("fresh",), "no aged"), (("aged",), "no fresh"), ((), "no fresh and no aged")]
)
def test_a_plate_that_was_not_read_twice_cannot_be_analysed(read: tuple[str, ...], missing: str) -> None:
    layout, parameters = lay_out()
    with pytest.raises(BadInput, match=f"has {missing} reading of blends_1"):
        analyse(seeing(layout), parameters, states=read)


def test_the_method_names_the_ageing_as_the_headline_needs_it() -> None:
    told = ageing.method(Parameters(ageing_temperature_c=85, ageing_duration_s=3600))
    assert told.startswith("degradation after 60 min at 85 C in the dark, ")
