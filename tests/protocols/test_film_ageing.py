"""Films that age: what is laid out, what is done, what is made of the two looks at each."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, get_args

import numpy as np
import pytest

from devices.climate_chamber import Keep
from devices.furnace import Anneal
from devices.spectrometer import TakeSpectrum
from devices.spectrometer.commands import SENSITIVITIES
from lab.bench import Bench
from lab.errors import BadInput, Infeasible, NonsenseReply
from lab.types import Layout, Observation
from protocols import film_ageing as ageing
from protocols import read_parameters
from protocols.film_ageing import Parameters
from tests.protocols.bench import commands_of, paper_workcell
from tests.protocols.blends import MATERIALS, TRUTH, make_blend_batch
from tests.protocols.films import NM, Looks, band, make_film_campaign, make_ink_bench

CAMPAIGN = make_film_campaign()
BATCH = make_blend_batch()
CHOSEN = BATCH.experiments[3].candidate


def lay_out(bench: Bench | None = None, seed: int = 1, **parameters: Any) -> tuple[Layout, Parameters]:
    read = read_parameters(Parameters, {"replicates": 4, **parameters})
    rng = np.random.default_rng(seed)
    return ageing.layout(BATCH, CAMPAIGN, bench or make_ink_bench(), read, rng), read


def looking(layout: Layout, seed: int = 5, **settings: Any) -> Looks:
    return Looks(layout, TRUTH, np.random.default_rng(seed), **settings)


def analyse(looks: Looks, parameters: Parameters, **run: Any) -> dict[str, Observation]:
    """Observations by candidate."""
    found = ageing.analyse(looks.record(**run), BATCH, CAMPAIGN, parameters)
    content = {e.id: e.candidate.id for e in BATCH.experiments}
    return {content[o.experiment_id]: o for o in found}


def wells_of(layout: Layout, content: str) -> list[str]:
    return [use.well for use in layout.wells if use.content == content]


def samples_of(layout: Layout, *contents: str) -> list[str]:
    return [use.sample_id for use in layout.wells if use.content in contents]


# ---------------------------------------------------------------------------------------------------- layout and plan


def test_the_plate_carries_blends_in_replicate_the_reference_blanks_and_each_pure_material() -> None:
    layout, _ = lay_out()
    assert Counter(use.kind for use in layout.wells) == {
        "variant": 48,
        "reference": 4,
        "blank": 4,
        "standard": 3 * 2,
    }
    assert {name: len(wells_of(layout, f"pure {name}")) for name in MATERIALS} == dict.fromkeys(MATERIALS, 2)
    assert len({use.well for use in layout.wells}) == len(layout.wells) == 62


def test_every_well_gets_its_blend_and_nothing_else() -> None:
    bench = make_ink_bench()
    layout, parameters = lay_out(bench, total_volume_ul=100)
    commands_of(ageing.plan(BATCH, CAMPAIGN, paper_workcell(bench), layout, parameters), bench)
    values = {e.candidate.id: e.candidate.values for e in BATCH.experiments}
    values |= {"standard": CAMPAIGN.reference.values, "blank": {"solvent": 1.0}}
    values |= {f"pure {name}": {name: 1.0} for name in MATERIALS}
    for use in layout.wells:
        expected = {name: 100.0 * share for name, share in values[use.content].items() if share}
        assert bench.well(use.labware, use.well).parts == pytest.approx(expected, abs=1e-3)


def test_films_are_annealed_looked_at_lit_and_looked_at_again() -> None:
    bench = make_ink_bench()
    layout, parameters = lay_out(
        bench, anneal_temperature_c=130, anneal_duration_s=3000, ageing_duration_s=7200, sensitivity="HIGH1"
    )
    commands = commands_of(ageing.plan(BATCH, CAMPAIGN, paper_workcell(bench), layout, parameters), bench)
    done = [command.verb for _, command in commands if command.verb not in ("move", "distribute")]
    assert done == ["incubate", "anneal", "zero", "spectrum", "keep", "zero", "spectrum"]
    (anneal,) = (command for _, command in commands if isinstance(command, Anneal))
    assert (anneal.temperature_c, anneal.hold_s, anneal.ramp_c_per_min) == (130.0, 3000.0, 10.0)
    (light,) = (command for _, command in commands if isinstance(command, Keep))
    assert (light.temperature_c, light.hold_s) == (40.0, 7200.0)
    first, second = (command for _, command in commands if isinstance(command, TakeSpectrum))
    assert first == second
    assert set(first.wells) == {use.well for use in layout.wells}
    assert first.blank in wells_of(layout, "blank")
    assert (first.points, first.sensitivity) == (151, "HIGH1")


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (
            {"clear_from_nm": 1000},
            "clear_from_nm is 1000, and has to lie between from_nm and to_nm, 360 and 960.",
        ),
        (
            {"from_nm": 700, "to_nm": 650, "clear_from_nm": 680},
            "clear_from_nm is 680, and has to lie between from_nm and to_nm, 700 and 650.",
        ),
        (
            {"clear_from_nm": 950},
            "On each side of clear_from_nm a spectrum needs at least five wavelengths.",
        ),
        (
            {"total_volume_ul": 300, "replicates": 7},
            "One plate would need 98 wells, and has 96.",
        ),
    ],
)
def test_what_could_not_be_told_or_placed_is_refused_before_anything_is_made(
    parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(Infeasible) as refused:
        lay_out(**parameters)
    assert refused.value.problems == (said,)


def test_a_sensitivity_that_the_spectrometer_does_not_have_is_refused() -> None:
    assert {*get_args(Parameters.model_fields["sensitivity"].annotation)} == set(SENSITIVITIES)
    with pytest.raises(BadInput, match="sensitivity"):
        read_parameters(Parameters, {"sensitivity": "HIGH9"})


# ------------------------------------------------------------------------------------------------------------- analysis


def test_degradation_is_the_share_of_the_colour_that_is_lost() -> None:
    layout, parameters = lay_out()
    found = analyse(looking(layout), parameters)
    assert set(found) == {e.candidate.id for e in BATCH.experiments}
    for name, observation in found.items():
        assert observation.quality.ok, observation.quality.sentence
        assert 0.0 < observation.standard_error < 0.03
        assert observation.value == pytest.approx(TRUTH[name], abs=5 * observation.standard_error)
        assert (observation.replicates, observation.unit) == (4, "share")


def test_haze_that_comes_or_goes_is_not_taken_for_colour() -> None:
    layout, parameters = lay_out()
    hazy = {
        ("aged", well): (1.0 - TRUTH[CHOSEN.id]) * film + 0.1 * (550.0 / NM) ** 4 + 0.02
        for well in wells_of(layout, CHOSEN.id)
        for film in [sum((share * band(m) for m, share in CHOSEN.values.items()), np.zeros_like(NM))]
    }
    observation = analyse(looking(layout, seen=hazy, pipetting_cv=0.0), parameters)[CHOSEN.id]
    assert observation.value == pytest.approx(TRUTH[CHOSEN.id], abs=0.02)


def test_what_is_left_of_each_material_is_told() -> None:
    layout, parameters = lay_out()
    details = analyse(looking(layout), parameters)[CHOSEN.id].details
    present = {name: share for name, share in CHOSEN.values.items() if share}
    assert set(details["materials"]) == set(present)
    for name, share in present.items():
        told = details["materials"][name]
        assert told["fresh"] == pytest.approx(share, rel=0.1)
        assert told["aged"] / told["fresh"] == pytest.approx(1.0 - TRUTH[CHOSEN.id], abs=0.05)
        assert 0.0 < told["fresh_standard_error"] < 0.05
    assert details["reference_value"] == pytest.approx(TRUTH["standard"], abs=0.03)
    json.dumps(dict(details))


def test_films_that_still_scatter_are_no_result_and_the_way_out_is_named() -> None:
    layout, parameters = lay_out()
    found = analyse(looking(layout, haze=0.15), parameters)
    for observation in found.values():
        assert not observation.quality.ok
        assert "hazy" in observation.quality.flags
        assert "anneal hotter or longer" in observation.quality.sentence


def test_a_plate_whose_reference_is_pale_is_no_result() -> None:
    layout, parameters = lay_out(min_colour=0.05)
    found = analyse(looking(layout, strength=0.15), parameters)
    assert all("pale" in o.quality.flags and not o.quality.ok for o in found.values())
    assert not any("pale" in o.quality.flags for o in analyse(looking(layout), parameters).values())


def test_a_film_of_something_else_is_flagged_and_the_others_are_not() -> None:
    layout, parameters = lay_out()
    stranger = np.exp(-(((NM - 560.0) / 20.0) ** 2))
    seen = {(state, well): stranger for state in ("fresh", "aged") for well in wells_of(layout, CHOSEN.id)}
    found = analyse(looking(layout, seen=seen), parameters)
    assert [name for name, o in found.items() if "misfit" in o.quality.flags] == [CHOSEN.id]
    assert not found[CHOSEN.id].quality.ok


def test_a_film_too_dark_to_see_through_spoils_its_blend_alone() -> None:
    layout, parameters = lay_out()
    well = wells_of(layout, CHOSEN.id)[0]
    found = analyse(looking(layout, seen={("fresh", well): np.full_like(NM, 6.0)}), parameters)
    assert [name for name, o in found.items() if not o.quality.ok] == [CHOSEN.id]
    assert "saturated" in found[CHOSEN.id].quality.flags


def test_without_a_pure_film_blends_of_that_material_have_no_value_and_the_others_have() -> None:
    layout, parameters = lay_out()
    barred = dict.fromkeys(samples_of(layout, "pure green"), "the tip was clogged")
    found = analyse(looking(layout), parameters, barred=barred)
    for experiment in BATCH.experiments:
        observation = found[experiment.candidate.id]
        if experiment.candidate.values["green"]:
            assert math.isnan(observation.value)
            assert "no_standard" in observation.quality.flags
            assert "No film of pure green can be read" in observation.quality.sentence
        else:
            assert observation.quality.ok, observation.quality.sentence


def test_one_pure_film_of_two_is_enough() -> None:
    layout, parameters = lay_out()
    barred = {samples_of(layout, f"pure {name}")[0]: "dropped" for name in MATERIALS}
    found = analyse(looking(layout), parameters, barred=barred)
    for name, observation in found.items():
        assert observation.quality.ok
        assert observation.value == pytest.approx(TRUTH[name], abs=5 * observation.standard_error)


def test_a_blend_whose_films_are_all_barred_has_no_value_and_says_why() -> None:
    layout, parameters = lay_out()
    barred = dict.fromkeys(samples_of(layout, CHOSEN.id), "the tip was clogged")
    observation = analyse(looking(layout), parameters, barred=barred)[CHOSEN.id]
    assert math.isnan(observation.value)
    assert "the tip was clogged" in observation.quality.sentence


def test_without_blanks_nothing_has_a_value() -> None:
    layout, parameters = lay_out()
    barred = dict.fromkeys(samples_of(layout, "blank"), "they fell dry on the way")
    for observation in analyse(looking(layout), parameters, barred=barred).values():
        assert math.isnan(observation.value)
        assert "no_blank" in observation.quality.flags


def test_a_plate_of_which_nothing_counts_need_not_have_been_looked_at() -> None:
    layout, parameters = lay_out()
    barred = {use.sample_id: "the plate was dropped" for use in layout.wells}
    for observation in analyse(looking(layout), parameters, barred=barred, states=()).values():
        assert math.isnan(observation.value)
        assert "the plate was dropped" in observation.quality.sentence


@pytest.mark.parametrize(
    ("taken", "missing"), [(("fresh",), "no aged"), (("aged",), "no fresh"), ((), "no fresh and no aged")]
)
def test_a_plate_that_was_not_looked_at_twice_cannot_be_analysed(
    taken: tuple[str, ...], missing: str
) -> None:
    layout, parameters = lay_out()
    with pytest.raises(BadInput, match=f"has {missing} spectra of films_1"):
        analyse(looking(layout), parameters, states=taken)


def test_spectra_of_another_range_than_was_asked_for_are_refused() -> None:
    layout, parameters = lay_out(from_nm=360, to_nm=1200, clear_from_nm=1000)
    with pytest.raises(NonsenseReply, match="0 of 151 wavelengths from 1000 nm on"):
        analyse(looking(layout), parameters)


def test_the_method_names_anneal_and_light() -> None:
    told = ageing.method(Parameters())
    assert "annealed for 90 min at 120 C" in told
    assert told.startswith("degradation after 12 h under the lamps at 40 C, ")
