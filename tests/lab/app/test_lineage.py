"""Which material was made from which, and the inventory of a bench, read from the journal of a campaign on the twin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.liquid_handler import AddReagent, Distribute
from lab.app.inventory import read_inventory, refuse_to_begin
from lab.app.lineage import (
    Lineage,
    Pour,
    _pours,
    bars_for,
    find_place,
    place_words,
    read_lineage,
    resting_on,
)
from lab.app.stock import Claim
from lab.errors import BadInput, Infeasible
from lab.interfaces import Place
from lab.store import Store
from lab.types import CampaignStatus, RunStatus, Sample, Step, StepStatus
from tests.protocols.bench import make_bench


@pytest.fixture
def store(stopped: Path) -> Iterator[Store]:
    with Store.open(stopped) as opened:
        yield opened


def made(store: Store, batch: int = 1) -> list[Sample]:
    (campaign,) = store.campaigns()
    run = store.runs(campaign.campaign.id)[batch - 1].run
    contents = {use.sample_id: use.kind for use in run.layout.wells}
    return [s for s in store.samples(run.id) if contents[s.id] == "variant"]


def bench_of(store: Store) -> str:
    (campaign,) = store.campaigns()
    return campaign.bench_id


def test_a_sample_comes_from_its_library_well_the_buffer_and_the_reporter(store: Store) -> None:
    lineage, believed = read_lineage(store, bench_of(store))
    (campaign,) = store.campaigns()
    for sample in made(store):
        place = (sample.labware, sample.well)
        source = campaign.campaign.sources[sample.content]
        parts = {at: (volume_ul, certain) for at, volume_ul, certain in lineage.made_from(place)}
        assert parts == {
            source: (4.0, True),
            ("buffer", "A1"): (46.0, True),
            ("reporter", "A1"): (50.0, True),
        }
        assert believed.bench.well(*place).volume_ul == pytest.approx(100.0)
        assert place in lineage.descendants({source})
        assert (place, 4.0, True) in lineage.went_into(source)


def test_what_is_made_from_a_barred_well_is_barred_with_it_and_its_results_are_named(store: Store) -> None:
    (campaign,) = store.campaigns()
    lineage, believed = read_lineage(store, bench_of(store))
    sample, *_ = made(store)
    source = campaign.campaign.sources[sample.content]
    bars = bars_for(lineage, source, "cloudy")
    of_variant = {(s.labware, s.well) for s in made(store) if s.content == sample.content}
    assert set(bars) == {source, *of_variant}
    assert bars[sample.labware, sample.well] == f"Made from {place_words(source)}: cloudy"
    barred = {lineage.sample_at[at].id for at in bars if at in lineage.sample_at}
    (result,) = resting_on(store, believed.campaigns, barred)
    assert result.experiment.candidate.id == sample.content
    assert result.wells == len(of_variant) == result.observation.replicates
    store.retract(result.observation.id, who="Ada", why="cloudy")
    assert list(resting_on(store, believed.campaigns, barred)) == []


def test_a_place_is_found_by_sample_by_well_and_by_labware(store: Store) -> None:
    bench = bench_of(store)
    sample, *_ = made(store)
    place = (sample.labware, sample.well)
    assert find_place(store, [bench], sample.id) == (bench, place)
    assert find_place(store, [bench], sample.id[-10:]) == (bench, place)
    assert find_place(store, [bench], f"{sample.labware}:{sample.well}") == (bench, place)
    assert find_place(store, [bench], sample.labware) == (bench, (sample.labware, "*"))


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("assay_1:Z9", "assay_1 has no well Z9."),
        ("assay_01", "Did you mean assay_1?"),
        ("zzz:A1", "There is no labware zzz."),
        ("smp_zzzzzzzzz", "This store has no sample smp_zzzzzzzzz."),
    ],
)
def test_what_is_not_there_is_refused(store: Store, written: str, says: str) -> None:
    with pytest.raises(BadInput, match=says.replace("?", r"\?")):
        find_place(store, [bench_of(store)], written)


places = st.tuples(st.sampled_from(["p", "q"]), st.sampled_from(["A1", "A2", "A3"]))


@given(
    ways=st.lists(st.tuples(places, places), max_size=12),
    barred=st.sets(places, min_size=1, max_size=2),
)
def test_descendants_are_what_a_dye_in_the_barred_wells_would_colour(
    ways: list[tuple[Place, Place]], barred: set[Place]
) -> None:
    pours = [_pour(source, target) for source, target in ways]
    coloured = set(barred)
    for source, target in ways:
        if source in coloured:
            coloured.add(target)
    lineage = Lineage(pours, [])
    assert set(lineage.descendants(barred)) == coloured - barred


def test_of_a_broken_off_command_only_what_it_gave_is_certain() -> None:
    command = Distribute(
        source_labware="library_1",
        source_well="A1",
        targets=(("assay_1", "B2", 4.0), ("assay_1", "B3", 4.0), ("assay_1", "B4", 4.0)),
        tip_volume_ul=50.0,
    )
    part = {"tips": [], "drawn_ul": 14.0, "given": 1}
    seen = _pours(make_bench(), _step(StepStatus.UNKNOWN, part), command)
    assert [(p.target[1], p.volume_ul, p.certain) for p in seen] == [
        ("B2", 4.0, True),
        ("B3", 4.0, False),
        ("B4", 4.0, False),
    ]
    failed = _pours(make_bench(), _step(StepStatus.FAILED, part), command)
    assert [(p.target[1], p.volume_ul, p.certain) for p in failed] == [("B2", 4.0, True)]


def test_of_a_reagent_that_was_given_to_some_wells_those_are_certain() -> None:
    command = AddReagent(
        source_labware="buffer",
        source_well="A1",
        labware="assay_1",
        wells=("A1", "B1", "A2"),
        volume_ul=46.0,
        tip_volume_ul=300.0,
    )
    part = {"tips": [], "drawn_ul": 120.0, "given": ["A1", "B1"]}
    failed = _pours(make_bench(), _step(StepStatus.FAILED, part), command)
    assert [(p.target[1], p.certain) for p in failed] == [("A1", True), ("B1", True)]


# ------------------------------------------------------------------------------------------------------------ inventory


def test_a_stopped_campaign_keeps_what_it_needs_reserved(store: Store) -> None:
    (campaign,) = store.campaigns()
    inventory = read_inventory(store, bench_of(store))
    assert inventory.there["plates"] == 40 - 2 * 2
    run = store.runs(campaign.campaign.id)[-1].run
    assert run.status is RunStatus.STOPPED
    (claim,) = inventory.claims
    assert claim.batches == 1
    assert claim.needs == campaign.needs
    for name, needed in campaign.needs.items():
        reserved = inventory.reserved(name).get("small", 0.0)
        # The second batch is under way, and the third is to come.
        assert needed <= reserved <= 2 * needed
        assert inventory.free(name) == pytest.approx(inventory.there[name] - reserved)
    assert inventory.pending == {}
    assert inventory.unknown == {}


def test_a_batch_whose_run_was_given_up_is_reserved_for_once_more(store: Store) -> None:
    (campaign,) = store.campaigns()
    run = store.runs(campaign.campaign.id)[-1].run
    store.finish_run(run.id, RunStatus.ABANDONED, reason="", error="Nobody knows.")
    inventory = read_inventory(store, bench_of(store))
    assert inventory.expected == {}
    (claim,) = inventory.claims
    assert claim.batches == 2


def test_a_campaign_that_was_given_up_reserves_nothing(store: Store) -> None:
    (campaign,) = store.campaigns()
    store.set_campaign_status(campaign.campaign.id, CampaignStatus.ABORTED, "given up")
    inventory = read_inventory(store, bench_of(store))
    assert (inventory.expected, inventory.claims) == ({}, ())
    assert all(inventory.free(name) == amount for name, amount in inventory.there.items())


def test_a_campaign_that_would_take_what_another_has_reserved_is_refused_by_name(store: Store) -> None:
    bench = bench_of(store)
    free = read_inventory(store, bench).free("plates")
    refuse_to_begin(store, bench, Claim(campaign="late", needs={"plates": free}, batches=1))
    with pytest.raises(Infeasible, match=r"1 batch of late needs .* clean plates; .* and small has reserved"):
        refuse_to_begin(store, bench, Claim(campaign="late", needs={"plates": free + 1}, batches=1))


def test_what_is_barred_leaves_the_inventory_and_is_named(store: Store) -> None:
    bench = bench_of(store)
    store.bar(bench, {("reporter", "*"): "old"}, who="Ada")
    inventory = read_inventory(store, bench)
    assert inventory.there["content:reporter"] == 0.0
    assert inventory.free("content:reporter") < 0.0
    assert inventory.barred == {("reporter", "*"): "old"}


def test_tips_and_liquid_of_a_step_in_doubt_are_told_apart(store: Store) -> None:
    bench = bench_of(store)
    (campaign,) = store.campaigns()
    run = store.runs(campaign.campaign.id)[-1].run
    before = read_inventory(store, bench)
    command = AddReagent(
        source_labware="reporter",
        source_well="A1",
        labware=run.layout.labware["unheated"],
        wells=("H1", "H2"),
        volume_ul=50.0,
        tip_volume_ul=300.0,
    )
    step = store.begin_step(
        run.id, "key", "test", 1, "add_reagent", "handler", command.to_json(), 0.0, dispatch=True
    )
    sent = read_inventory(store, bench)
    assert sent.there == before.there
    assert sent.pending == {"tips:300": 1.0, "content:reporter": pytest.approx(command.drawn_ul)}
    assert sent.free("tips:300") == before.free("tips:300") - 1
    store.end_step(step.id, StepStatus.UNKNOWN, None, "nobody knows", 1.0)
    unknown = read_inventory(store, bench)
    assert unknown.pending == {}
    assert unknown.unknown == {"tips:300": 1.0, "content:reporter": pytest.approx(command.drawn_ul)}
    assert unknown.there["tips:300"] == before.there["tips:300"] - 1


def _pour(source: Place, target: Place) -> Pour:
    return Pour(source=source, target=target, volume_ul=1.0, step_id="s", run_id="r", certain=True)


def _step(status: StepStatus, part: object) -> Step:
    return Step(
        id="stp_1",
        run_id="run_1",
        key="k",
        branch="main",
        ordinal=1,
        action="distribute",
        device="handler",
        arguments={},
        status=status,
        part=part,
    )
