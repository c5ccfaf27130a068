from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lab.bench import Bench, Labware, LabwareType, Position, WellContents
from lab.errors import BadInput
from lab.spaces import LinearConstraint, Mixture, Parameter, SearchSpace, Sites
from lab.store import Store
from lab.types import CampaignStatus, Candidate, Goal, Limit, ModelChoice, Objective, PastResult
from tests.lab.store.examples import Opened, a_campaign, opened_run


def test_a_bench_comes_back_with_its_snapshot_exactly(store: Store) -> None:
    plate = LabwareType(name="pcr", kind="plate", rows=8, columns=12, max_volume_ul=200.0)
    wells = {name: WellContents() for name in plate.wells}
    wells["B3"] = WellContents(volume_ul=0.1 + 0.2, parts={"T16I": 0.1, "assay_buffer": 0.2})
    labware = Labware(id="assay_1", type=plate, position="hotel_1", home="hotel_1", wells=wells)
    snapshot = Bench([Position(name="hotel_1", device="arm", home=True)], [labware]).to_json()

    kept = store.create_bench(workcell="bench", twin=True, seed=2**62, ledger="w.jsonl", snapshot=snapshot)

    found = store.bench(kept.id)
    assert found == kept
    assert found.first_snapshot == snapshot
    assert (found.workcell, found.twin, found.seed, found.ledger) == ("bench", True, 2**62, "w.jsonl")
    assert Bench.from_json(found.first_snapshot).well("assay_1", "B3").volume_ul == 0.1 + 0.2
    assert datetime.now(UTC) - found.created_utc < timedelta(minutes=1)


def test_benches_are_found_by_workcell(store: Store) -> None:
    made = [
        store.create_bench(workcell=name, twin=True, seed=1, ledger="", snapshot={})
        for name in ("a", "b", "a")
    ]
    assert {bench.id for bench in store.benches()} == {bench.id for bench in made}
    assert [bench.id for bench in store.benches("a")] == [made[0].id, made[2].id]
    with pytest.raises(KeyError):
        store.bench("bch_none")


def test_a_bench_may_bring_its_own_identifier(store: Store) -> None:
    assert store.create_bench(
        workcell="a", twin=True, seed=1, ledger="bch_x.jsonl", snapshot={}, bench_id="bch_x"
    ) == store.bench("bch_x")


def test_a_campaign_comes_back_frozen_with_its_files(store: Store) -> None:
    bench = store.create_bench(workcell="bench", twin=True, seed=1, ledger="", snapshot={})
    campaign = a_campaign()
    files = {"campaign.yaml": "name: µ\n", "library.csv": "variant,plate,well\nT16I,1,A1\n"}
    needs = {"tips:50": 96, "content:assay_buffer": 0.1 + 0.2, "plates": 2}
    store.create_campaign(campaign, bench.id, "sha256:abc", files, needs)

    found = store.campaign(campaign.id)
    assert found.campaign == campaign
    assert (found.files, found.needs) == (files, needs)
    assert (found.status, found.bench_id, found.content_hash) == (
        CampaignStatus.RUNNING,
        bench.id,
        "sha256:abc",
    )


def test_a_name_means_the_newest_campaign_that_bears_it(store: Store) -> None:
    bench = store.create_bench(workcell="bench", twin=True, seed=1, ledger="", snapshot={})
    older, newer, other = a_campaign("same"), a_campaign("same"), a_campaign("other")
    for campaign in (older, newer, other):
        store.create_campaign(campaign, bench.id, "", {})
    assert store.campaign("same").campaign == newer
    assert [record.campaign.id for record in store.campaigns()] == [older.id, newer.id, other.id]


def test_an_unknown_campaign_is_answered_with_those_there_are(store: Store) -> None:
    with pytest.raises(BadInput, match="It is empty"):
        store.campaign("termostable")
    opened_run(store, name="thermostable")
    with pytest.raises(BadInput, match=r"no campaign termostable\. It has: thermostable\."):
        store.campaign("termostable")


def test_a_campaign_is_not_kept_twice_nor_on_an_unknown_bench(store: Store, opened: Opened) -> None:
    with pytest.raises(ValueError, match="the store refuses this"):
        store.create_campaign(opened.campaign, opened.bench.id, "", {})
    with pytest.raises(ValueError, match="the store refuses this"):
        store.create_campaign(a_campaign(), "bch_none", "", {})
    assert len(store.campaigns()) == 1


def test_a_change_of_status_is_kept_and_logged_together(store: Store, opened: Opened) -> None:
    store.set_campaign_status(opened.campaign.id, CampaignStatus.HELD, "The arm lost a plate.", 812.5)
    found = store.campaign(opened.campaign.id)
    assert (found.status, found.sentence) == (CampaignStatus.HELD, "The arm lost a plate.")
    last = store.events(opened.campaign.id)[-1]
    assert (last.kind, last.sentence, last.lab_time_s, last.details) == (
        "status",
        "The arm lost a plate.",
        812.5,
        {"status": "held"},
    )
    with pytest.raises(KeyError):
        store.set_campaign_status("cmp_none", CampaignStatus.STOPPED, "")


def test_events_come_in_order_and_can_be_followed(store: Store, opened: Opened) -> None:
    other = opened_run(store, opened.bench, "other")
    for n in range(3):
        store.log(opened.campaign.id, "batch", f"Batch {n} was proposed.", 1.5 * n, {"number": n})
        store.log(other.campaign.id, "batch", "Not ours.")
    events = store.events(opened.campaign.id)
    assert [event.kind for event in events] == ["status", "batch", "batch", "batch"]
    assert [event.details.get("number") for event in events[1:]] == [0, 1, 2]
    assert store.events(opened.campaign.id, after=events[1].number) == events[2:]
    assert store.events(other.campaign.id)[-1].lab_time_s is None


def test_a_garbled_sentence_is_kept_readable(store: Store, opened: Opened) -> None:
    store.log(opened.campaign.id, "fault", "reply was 'OK\0\udcff'")
    assert store.events(opened.campaign.id)[-1].sentence == "reply was 'OK\\x00\\udcff'"


def test_a_campaign_over_a_space_comes_back_with_all_that_it_looks_for(store: Store) -> None:
    bench = store.create_bench(workcell="bench", twin=True, seed=1, ledger="", snapshot={})
    space = SearchSpace(
        parameters=(
            Parameter(name="dose", low=0.1, high=10.0, log=True),
            Parameter(name="glass", kind="ordinal", levels=(0.5, 1.0, 4.0)),
            Parameter(name="solvent", kind="categorical", levels=("water", "DMSO")),
        ),
        mixture=Mixture(ingredients=("a", "b"), most={"a": 0.5}, resolution=0.01),
        sites=Sites(parent="MTYK", positions=(2, 3), letters=("AG", "F"), at_most=1),
        constraints=(LinearConstraint(coefficients={"dose": 1.0, "a": -2.0}, at_most=9.0),),
        rules=("chemistry:soluble",),
        folder="somewhere",
    )
    past = PastResult(candidate=Candidate(id="old", values={"dose": 1.0}), target="y", value=0.5)
    campaign = replace(
        a_campaign(),
        candidates=(),
        space=space,
        goal=Goal(
            target="y",
            direction="hit",
            level=2.0,
            also=(Objective(target="z", direction="minimize"),),
            limits=(Limit(target="purity", at_least=0.9),),
        ),
        models=(ModelChoice(name="composition", settings={"n": 3}, folder="somewhere"),),
        past=(past,),
        shared=("dose",),
    )
    store.create_campaign(campaign, bench.id, "", {})
    found = store.campaign(campaign.id).campaign
    assert math.isnan(found.past[0].standard_error)
    known = tuple(replace(result, standard_error=0.0) for result in found.past)
    assert replace(found, past=known) == replace(campaign, past=(replace(past, standard_error=0.0),))
