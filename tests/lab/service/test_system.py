"""Health, readiness, metrics and traces of a service whose twin carries a campaign out."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from lab.engine.progress import StepEnded
from lab.errors import StoreUnusable
from lab.service.traces import FILE, LinesToFile, Traces
from lab.store import Store
from tests.campaign_files import write_campaign
from tests.lab.service.lab_app import lab


def spans(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_campaign_is_counted_and_traced_from_campaign_to_step(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        assert here.client.get("/api/health").json()["status"] == "alive"
        ready = here.client.get("/api/ready")
        assert (ready.status_code, ready.json()) == (200, {"ready": True, "store": True, "queue": True})
        sue = here.add("sue", "scientist")
        file = write_campaign(tmp_path, budget=6, batch_size=3)
        assert here.submit(file, sue).status_code == 201
        ended = here.ended()
        assert ended.status == "finished"
        steps = [
            step
            for one in here.store.runs(ended.campaign_id)
            for step in here.store.steps(one.run.id)
            if step.status == "done"
        ]
        campaign_id = ended.campaign_id
        scraped = here.client.get("/api/metrics", headers=sue)
    counted = samples(scraped.text)
    assert counted["drywet_campaigns", ("finished",)] == 1
    assert counted["drywet_queue_length", ()] == 0
    assert counted["drywet_approvals_waiting", ()] == 0
    assert counted["drywet_queue_alive", ()] == 1
    assert counted["drywet_event_listeners", ()] == 0
    found = spans(tmp_path)
    (campaign,) = [one for one in found if one["name"] == "campaign"]
    batches = [one for one in found if one["name"].startswith("batch ")]
    of_steps = [one for one in found if "drywet.step" in one["attributes"]]
    assert len({one["context"]["trace_id"] for one in found}) == 1
    assert campaign["parent_id"] is None
    assert campaign["attributes"]["drywet.campaign_id"] == campaign_id
    assert campaign["attributes"]["drywet.status"] == "finished"
    assert [one["name"] for one in batches] == ["batch 1", "batch 2"]
    assert {one["parent_id"] for one in batches} == {campaign["context"]["span_id"]}
    assert {one["parent_id"] for one in of_steps} == {one["context"]["span_id"] for one in batches}
    assert len(of_steps) == len(steps)
    took = sorted((step.ended_lab_s or 0.0) - (step.begun_lab_s or 0.0) for step in steps)
    traced = sorted(one["attributes"]["drywet.took_lab_s"] for one in of_steps)
    assert traced[-1] <= took[-1] + 1.0
    assert traced[-1] > 500.0  # ten minutes of heat


def test_the_loop_of_a_bench_at_work_is_asked_how_long_it_takes(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        at_work = threading.Event()
        here.house.listen(lambda event: at_work.set() if isinstance(event, StepEnded) else None)
        sue = here.add("sue", "scientist")
        assert here.house.loop_delays() == {}
        assert here.submit(write_campaign(tmp_path, budget=12, batch_size=3), sue).status_code == 201
        assert at_work.wait(60.0)
        scraped = samples(here.client.get("/api/metrics", headers=sue).text)
        assert 0.0 <= scraped["drywet_loop_delay_seconds", ("protein_bench_twin",)] < 1.0
        assert scraped["drywet_campaigns_at_work", ()] == 1
        here.house.request_stop("Seen enough.")
        assert here.ended().status == "stopped"


def test_every_step_is_in_the_metrics_by_its_device(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        sue = here.add("sue", "scientist")
        assert here.submit(write_campaign(tmp_path, budget=3, batch_size=3), sue).status_code == 201
        ended = here.ended()
        devices = [
            step.device for one in here.store.runs(ended.campaign_id) for step in here.store.steps(one.run.id)
        ]
        telemetry = cast(FastAPI, here.client.app).state.telemetry
    # The service has ended, so that all that happened was counted.
    total = dict.fromkeys(devices, 0.0)
    (counted,) = telemetry._metrics._steps.collect()
    for sample in counted.samples:
        if sample.name == "drywet_steps_total" and sample.labels["outcome"] == "done":
            total[sample.labels["device"]] += sample.value
    assert total == {device: float(devices.count(device)) for device in devices}


def test_what_can_not_keep_anything_is_alive_and_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: Store) -> None:
        raise StoreUnusable("The disk is full.")

    with lab(tmp_path) as here:
        monkeypatch.setattr(Store, "see_writable", full)
        ready = here.client.get("/api/ready")
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "store": False, "queue": True})
        assert here.client.get("/api/health").status_code == 200


def test_who_looks_from_elsewhere_must_be_allowed_to_and_who_is_here_need_not(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        vic = here.add("vic", "viewer")
        app = here.client.app
        for address, status in (("10.0.0.7", 401), ("127.0.0.1", 200), ("::1", 200)):
            client = TestClient(app, base_url="http://localhost", client=(address, 4321))
            assert client.get("/api/metrics").status_code == status
        assert client.get("/api/metrics", headers={"X-Forwarded-For": "10.0.0.7"}).status_code == 401
        far = TestClient(app, base_url="http://localhost", client=("10.0.0.7", 4321))
        assert far.get("/api/metrics", headers=vic).status_code == 200
        for path in ("/api/health", "/api/ready"):
            assert far.get(path).status_code == 200


def test_trying_a_store_out_leaves_nothing_in_it(tmp_path: Path) -> None:
    with Store.open(tmp_path / "lab.db") as store:
        store.see_writable()
        with store._database.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM replied").scalar_one() == 0
    with Store.open(tmp_path / "lab.db", read_only=True) as store, pytest.raises(StoreUnusable):
        store.see_writable()


def test_a_full_file_of_traces_begins_anew_and_the_oldest_is_let_go(tmp_path: Path) -> None:
    class Line:
        def __init__(self, text: str) -> None:
            self.text = text

        def to_json(self, indent: int | None) -> str:
            return self.text

    exporter = LinesToFile(tmp_path / "deep" / FILE, most_bytes=5, kept=2)
    for number in range(5):
        exporter.export([Line(f"line {number}")])  # type: ignore[list-item]  # all that is asked of a span
    files = {path.name: path.read_text().strip() for path in (tmp_path / "deep").iterdir()}
    assert files == {FILE: "line 4", f"{FILE}.1": "line 3", f"{FILE}.2": "line 2"}


def test_traces_that_can_not_be_written_are_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    exporter = LinesToFile(tmp_path / "file" / FILE)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            exporter.export([])
    assert len([one for one in caplog.records if "can't be written" in one.message]) == 1


def test_a_collector_without_its_package_is_told_of_and_the_file_is_written_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setattr("lab.service.traces._OTLP", "no_such_package.trace_exporter")
    with caplog.at_level(logging.WARNING):
        Traces(tmp_path).close()
    assert "is not installed" in caplog.text
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    caplog.clear()
    Traces(tmp_path).close()
    assert not caplog.records
