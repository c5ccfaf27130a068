"""A store of the first drywet is brought up to date with all that it holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text

from lab.errors import BadInput, StoreUnusable
from lab.store import Store, schema
from lab.store.engines import read_url
from lab.types import Layout, RunStatus, StepStatus
from tests.lab.store.examples import begin

T0 = "2026-09-01T08:00:00.000000+00:00"
T1 = "2026-09-02T08:00:00.000000+00:00"

SNAPSHOT = {
    "positions": [],
    "labware": [
        {
            "id": "library_1",
            "wells": {"A1": {"volume_ul": 50.0, "parts": {"T16I": 20.0, "water": 30.0}, "unknown_ul": 0.0}},
        },
        {"id": "tips_1", "wells": {}},
    ],
}


def insert(connection: Connection, table: str, **row: Any) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(':' + n for n in row)})"), row)


def a_bench(connection: Connection, name: str, moment: str, snapshot: object) -> None:
    first = json.dumps(snapshot)
    insert(
        connection,
        "bench",
        id=name,
        workcell="bench",
        twin=True,
        seed=7,
        ledger="",
        first_snapshot=first,
        snapshot=first,
        sequence=0,
        created_utc=moment,
    )


def a_step(connection: Connection, ordinal: int, status: str, completion: int | None) -> None:
    insert(
        connection,
        "step",
        id=f"stp_{ordinal}",
        run_id="run_b",
        bench_id="bch_b",
        key=f"bat_1/1/main/{ordinal}/heat/0f",
        branch="main",
        ordinal=ordinal,
        attempt_number=1,
        action="heat",
        device="thermocycler",
        arguments="{}",
        status=status,
        result='{"c": 82.0}' if status == "done" else None,
        error="" if status == "done" else "why",
        intent_utc=T0,
        completion=completion,
    )


def fill(connection: Connection) -> None:
    """Two benches, the later one with the smaller id; a campaign with a run, steps, a sample and an observation."""
    a_bench(connection, "bch_b", T0, SNAPSHOT)
    a_bench(connection, "bch_a", T1, {})
    common = {"sentence": "", "content_hash": "", "frozen": "{}", "files": "{}", "budget": 6}
    for name, moment in (("cmp_b", T0), ("cmp_a", T1)):
        insert(
            connection,
            "campaign",
            id=name,
            name="same",
            status="held",
            bench_id="bch_b",
            created_utc=moment,
            **common,
        )
    insert(connection, "batch", id="bat_1", campaign_id="cmp_b", number=1, created_utc=T0)
    insert(
        connection,
        "experiment",
        id="exp_1",
        campaign_id="cmp_b",
        batch_id="bat_1",
        number=1,
        candidate_id="T16I",
        candidate='{"id": "T16I"}',
        reason='{"planner": "p", "sentence": "s"}',
        status="measured",
    )
    insert(
        connection,
        "run",
        id="run_b",
        batch_id="bat_1",
        campaign_id="cmp_b",
        bench_id="bch_b",
        attempt=1,
        stretch=1,
        layout='{"labware": {}, "wells": []}',
        status="failed",
        reason="",
        error="no reply",
        uid="",
        begun_utc=T0,
    )
    for ordinal, (status, completion) in enumerate(
        [("done", 1), ("failed", None), ("unknown", None), ("dispatched", None)], start=1
    ):
        a_step(connection, ordinal, status, completion)
    insert(
        connection,
        "sample",
        id="smp_1",
        run_id="run_b",
        labware="assay_1",
        well="B1",
        content="T16I",
        parents="[]",
    )
    insert(
        connection,
        "observation",
        id="obs_1",
        experiment_id="exp_1",
        run_id="run_b",
        target="residual_activity",
        sample_id="smp_1",
        value=0.5,
        standard_error=0.1,
        unit="1",
        ok=True,
        quality='{"ok": true}',
        method="m",
        origin="twin",
        replicates=3,
        lab_time_s=1.0,
        details="{}",
        recorded_utc=T0,
    )
    insert(connection, "document", run_id="run_b", stretch=1, position=1, name="start", body='{"uid": "s"}')
    insert(connection, "event", campaign_id="cmp_b", kind="note", sentence="kept", utc=T0, details="{}")


@pytest.fixture
def old(url: str) -> str:
    """Where a store of revision 0001 lies."""
    engine = create_engine(read_url(url))
    config = Config()
    config.set_main_option("script_location", str(schema._MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        fill(connection)
    engine.dispose()
    return url


def test_an_older_store_keeps_all_that_it_holds(old: str) -> None:
    with Store.open(old) as store:
        assert store.check()[1].value.startswith(schema.HEAD)
        assert [bench.id for bench in store.benches()] == ["bch_b", "bch_a"]
        assert store.bench("bch_b").first_snapshot == SNAPSHOT
        run = store.run("run_b")
        assert (run.status, run.attempt, run.layout) == (RunStatus.FAILED, 1, Layout(labware={}, wells=()))
        steps = store.steps("run_b")
        assert [(s.id, s.status, s.result) for s in steps] == [
            ("stp_1", "done", {"c": 82.0}),
            ("stp_2", "failed", None),
            ("stp_3", "unknown", None),
            ("stp_4", "dispatched", None),
        ]
        assert {(s.fault, s.recovery, s.part, s.token) for s in steps} == {("", "", None, 0)}
        assert [s.id for s in store.settled_steps_since("bch_b", 0)] == ["stp_1"]
        assert [s.id for s in store.open_steps("bch_b")] == ["stp_3", "stp_4"]
        history = store.history("cmp_b")
        assert [(o.id, o.value) for o in history.observations] == [("obs_1", 0.5)]
        assert [e.status for e in history.experiments] == ["measured"]
        assert store.documents("run_b") == (("start", {"uid": "s"}),)
        assert [event.sentence for event in store.events("cmp_b")] == ["kept"]
        assert store.barred("bch_b") == {}


def test_an_older_store_gets_samples_of_its_stock(old: str) -> None:
    with Store.open(old) as store:
        made, stock = store.samples_of_bench("bch_b")
        assert (made.id, made.run_id) == ("smp_1", "run_b")
        assert (stock.labware, stock.well, stock.content, stock.run_id) == (
            "library_1",
            "A1",
            "T16I + water",
            "",
        )
        assert store.samples("run_b") == (made,)
        assert store.samples_of_bench("bch_a") == ()


def test_an_older_store_can_be_gone_on_with(old: str) -> None:
    with Store.open(old) as store:
        run = store.run("run_b")
        store.mark_step("stp_4", "give", {"n": 3}, 2.0)
        assert store.end_step("stp_4", StepStatus.UNKNOWN, None, "no reply", 3.0, part={"tips": ["A1"]}) == 2
        assert store.end_step("stp_3", StepStatus.FAILED, None, "not done", 3.0) is None
        fresh = begin(store, run, 2, key="bat_1/1/main/2/heat/0f", dispatch=True)
        assert fresh.attempt_number == 2
        store.bar("bch_b", {("assay_1", "B1"): "why"}, who="Ada")
        assert store.barred_samples("run_b") == {"smp_1": "why"}
        with pytest.raises(ValueError, match="the store refuses this"):
            store.mark_step(fresh.id, None, None, 1.0)  # type: ignore[arg-type]  # what a bug may bring
        with pytest.raises(ValueError, match="the store refuses this"):
            store.bar("bch_none", {("assay_1", "B1"): "why"}, who="Ada")
    with Store.open(old, read_only=True) as store:
        assert [mark.details for mark in store.marks("stp_4")] == [{"n": 3}]


def test_an_older_store_opened_for_looking_is_left_as_it_is(old: str) -> None:
    with pytest.raises(StoreUnusable, match=r"older \(schema 0001\)"):
        Store.open(old, read_only=True)
    engine = create_engine(read_url(old))
    with engine.connect() as connection:
        assert schema.revision_of(connection) == "0001"
    engine.dispose()


def test_orders_of_an_older_store_are_kept_and_can_be_given_up(url: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(schema._MIGRATIONS))
    engine = create_engine(read_url(url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        fill(connection)
        command.upgrade(config, "0003")
        insert(
            connection,
            "material_order",
            id="ord_1",
            campaign_id="cmp_b",
            experiment_id="exp_1",
            bench_id="bch_b",
            candidate_id="T16I",
            sequence="MTYK",
            kind="order",
            supplier="Oligos",
            volume_ul=90.0,
            lead_time_s=60.0,
            status="placed",
            reference="PO-1",
            barcode="",
            who="Ada",
            wanted_utc=T0,
        )
    engine.dispose()
    with Store.open(url) as store:
        (kept,) = store.orders()
        assert (kept.id, kept.reference, kept.volume_ul, kept.open) == ("ord_1", "PO-1", 90.0, True)
        with pytest.raises(BadInput, match="it is still to come"):
            store.order_again("ord_1", volume_ul=90.0, who="Ada")
        with pytest.raises(BadInput, match="Why does it not come"):
            store.cancel_order("ord_1", who="Ada", why=" ")
        assert not store.cancel_order("ord_1", who="Ada", why="Lost in the post.").open
        fresh = store.order_again("ord_1", volume_ul=80.0, who="Ada")
        assert [(one.id, one.open) for one in store.orders()] == [("ord_1", False), (fresh.id, True)]
