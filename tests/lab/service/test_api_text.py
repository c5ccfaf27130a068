"""Text that means something elsewhere, in every field that takes text: kept as it stands or refused, and shown as text."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from lab.cli.logs import logging_to
from lab.people import Role, TokenKind
from tests.campaign_files import write_campaign
from tests.conftest import see_to_the_end
from tests.lab.service.api_lab import Api, Headers, api, fill, submit

Filled = tuple[Api, Mapping[str, list[str]], Headers]

TEXTS = {
    "sql": "'; DROP TABLE person; --",
    "sql pattern": "%' OR name LIKE '%_\\",
    "template": "{{7*7}} ${7*7} <%= 7*7 %> {% include '/etc/passwd' %}",
    "format": "{0.__class__} %s %n %(name)s $HOME `id`",
    "script": "</td></script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "quotes": '" onmouseover="alert(1)" x=\'',
    "lines": "one\r\nSet-Cookie: mine=1\r\n\r\nBEGIN:VEVENT\nSUMMARY:mine",
    "right to left": "\u202egnp.lmth\u202c \u2066x\u2069",
    "formula": "=cmd|' /C calc'!A0",
    "formula at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "path": "../../etc/passwd",
    "quoted path": "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "escape": "\x1b]0;mine\x07\x1b[31m",
    "many": "🧬é\u0301\U0010ffff\ufeff",
    "long": "x" * 150,
    "too long": "y" * 5_000,
    "nul": "a\x00b",
}


@pytest.fixture(autouse=True, scope="module")
def nothing_left_running() -> Iterator[None]:
    """The service of this module begins and ends threads as it pleases; in the end none is left."""
    yield from see_to_the_end()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A service with a little of everything, and somebody who may do everything."""
    with api(tmp_path_factory.mktemp("text")) as here:
        yield here, fill(here), here.add("ada", *Role)


def person(here: Api, known: Mapping[str, list[str]], ada: Headers, field: str, text: str) -> Any:
    name = f"bob{len(here.store.people())}"
    answer = here.client.post(
        "/api/people", json={"name": name, "roles": ["viewer"], field: text}, headers=ada
    )
    kept = here.client.get(f"/api/people/{name}", headers=ada)
    return answer, kept.json().get(field) if kept.status_code == 200 else None


def changed_person(here: Api, known: Mapping[str, list[str]], ada: Headers, field: str, text: str) -> Any:
    grace = here.client.get("/api/people/grace", headers=ada).json()
    body = {"expected": grace["version"], field: text}
    answer = here.client.put("/api/people/grace", json=body, headers=ada)
    return answer, here.client.get("/api/people/grace", headers=ada).json()[field]


def token(here: Api, known: Mapping[str, list[str]], ada: Headers, field: str, text: str) -> Any:
    body = {"days": 1, "scope": ["see"], field: text}
    session = here.token("ada", kind=TokenKind.SESSION)
    answer = here.client.post("/api/tokens", json=body, headers=session)
    return answer, [one[field] for one in here.client.get("/api/tokens", headers=ada).json()]


def schedule(here: Api, known: Mapping[str, list[str]], ada: Headers, field: str, text: str) -> Any:
    file = write_campaign(here.folder, "weekly", budget=4, batch_size=4, baseline="null")
    body = {"text": file.read_text(), "path": file.name, "cron": "0 3 * * 1", "timezone": "UTC"}
    answer = here.client.post("/api/schedules", json={**body, field: text}, headers=ada)
    shown = here.client.get("/api/schedules", headers=ada).json()
    for one in shown:
        if one["name"] != "nightly":
            here.client.post(f"/api/schedules/{one['id']}/remove", headers=ada)
    return answer, [one[field] for one in shown]


def superseded(here: Api, known: Mapping[str, list[str]], ada: Headers, field: str, text: str) -> Any:
    campaign = known["campaign_id"][0]
    old = here.client.get(f"/api/campaigns/{campaign}/observations", headers=ada).json()[0]
    body = {"value": 0.5, field: text}
    answer = here.client.post(f"/api/observations/{old['id']}/supersede", json=body, headers=ada)
    said = here.client.get(f"/api/campaigns/{campaign}/amendments", headers=ada).json()
    return answer, [one[field] for one in said]


def barred(here: Api, known: Mapping[str, list[str]], ada: Headers, field: str, text: str) -> Any:
    place, bench = known["sample_id"][0], known["bench_id"][0]
    answer = here.client.post("/api/material/bar", json={"place": place, field: text}, headers=ada)
    samples = here.client.get(f"/api/benches/{bench}/samples", headers=ada).json()["items"]
    here.client.post("/api/material/lift", json={"place": place, "why": "Looked."}, headers=ada)
    return answer, " ".join(one["barred"] for one in samples)


def lifted(here: Api, known: Mapping[str, list[str]], ada: Headers, field: str, text: str) -> Any:
    place = known["sample_id"][0]
    here.client.post("/api/material/bar", json={"place": place, "why": "A bubble."}, headers=ada)
    answer = here.client.post("/api/material/lift", json={"place": place, field: text}, headers=ada)
    events = here.client.get(f"/api/campaigns/{known['campaign_id'][0]}/events", headers=ada).json()
    return answer, " ".join(one["sentence"] for one in events) if answer.status_code == 200 else ""


def rejected(here: Api, known: Mapping[str, list[str]], ada: Headers, field: str, text: str) -> Any:
    file = write_campaign(here.folder, "refused", budget=4, batch_size=4, baseline="null")
    file.write_text(file.read_text() + "approval:\n  start: true\n")
    submit(here, file, here.token("sue"))
    approvals = here.client.get("/api/approvals", params={"status": "waiting"}, headers=ada).json()
    (one,) = [one for one in approvals if one["name"] == "refused"]
    address = f"/api/approvals/{one['id']}"
    answer = here.client.post(
        f"{address}/reject", json={"expected": one["version"], field: text}, headers=ada
    )
    kept = here.client.get(address, headers=ada).json()[field]
    if answer.status_code != 200:
        here.client.post(f"{address}/reject", json={"expected": one["version"], "why": "No."}, headers=ada)
    return answer, kept


FIELDS: dict[str, tuple[Callable[..., Any], str]] = {
    "the full name of somebody new": (person, "full_name"),
    "the mail address of somebody new": (person, "email"),
    "the subject of somebody new": (person, "subject"),
    "the name of somebody new": (person, "name"),
    "a full name": (changed_person, "full_name"),
    "a mail address": (changed_person, "email"),
    "what a token is for": (token, "name"),
    "the name of a schedule": (schedule, "name"),
    "why a value is another one": (superseded, "why"),
    "why material must not be used": (barred, "why"),
    "why it may be used again": (lifted, "why"),
    "why a request is rejected": (rejected, "why"),
}


@pytest.mark.parametrize("field", FIELDS)
def test_text_is_kept_as_it_stands_or_refused(filled: Filled, field: str) -> None:
    here, known, ada = filled
    taken = 0
    for what, text in TEXTS.items():
        put, name = FIELDS[field]
        answer, kept = put(here, known, ada, name, text)
        told = (field, what, answer.status_code, answer.text[:300])
        assert answer.status_code in (200, 201, 422), told
        assert "set-cookie" not in answer.headers, told
        if answer.status_code == 422:
            assert answer.json()["sentence"], told
            assert text not in (kept if isinstance(kept, list) else [kept]), told
            continue
        taken += 1
        assert kept == text or text in kept or text.strip() in kept, (told, kept)
        acts = here.client.get("/api/audit?who=ada&limit=9", headers=ada).json()
        said = [one["details"].get(name) for one in acts if one["outcome"] == "done"]
        beginnings = [one["begins"] if isinstance(one, dict) else one for one in said]
        assert text in beginnings or text[:200] in beginnings, told
    assert taken or field in ("the name of somebody new", "the subject of somebody new"), field
    assert {one.name for one in here.store.people()} >= {"sue", "robot", "grace", "ada"}


def test_reasons_are_text_in_the_report_and_nothing_else(filled: Filled) -> None:
    here, known, ada = filled
    campaign = known["campaign_id"][0]
    for text in TEXTS.values():
        superseded(here, known, ada, "why", text)
    answer = here.client.get(f"/api/campaigns/{campaign}/report", headers=ada)
    page = answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="one.html"'
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert TEXTS["script"] not in page
    assert "<img src=x" not in page
    assert not re.search(r"<[^>]* onmouseover=\"alert", page)
    assert "{{7*7}}" in page
    results = here.client.get(f"/api/campaigns/{campaign}/results", headers=ada)
    assert results.headers["content-type"] == "application/json"


def test_the_name_of_a_schedule_is_one_line_of_one_event_in_the_calendar(filled: Filled) -> None:
    here, _, ada = filled
    file = write_campaign(here.folder, "monthly", budget=4, batch_size=4, baseline="null")
    body = {"text": file.read_text(), "path": file.name, "cron": "0 4 * * *", "timezone": "UTC"}
    names = [text for text in TEXTS.values() if text.isprintable() or "\u202e" in text]
    for name in names:
        here.client.post("/api/schedules", json={**body, "name": name}, headers=ada)
    kept = {one["name"] for one in here.client.get("/api/schedules", headers=ada).json()}
    assert len(kept & set(names)) >= 8
    answer = here.client.get("/api/schedules/calendar.ics", headers=ada)
    events = Calendar.from_ical(answer.content).walk("VEVENT")
    shown = {str(event["SUMMARY"]).rpartition(": ")[0] for event in events}
    assert shown >= kept
    starts = {
        line.split(b":")[0].split(b";")[0] for line in answer.content.split(b"\r\n") if line[:1] != b" "
    }
    assert starts - {b""} == {
        b"BEGIN", b"END", b"VERSION", b"PRODID", b"METHOD", b"X-WR-CALNAME", b"UID", b"DTSTAMP", b"DTSTART", b"DTEND",
        b"SUMMARY", b"DESCRIPTION", b"STATUS", b"TRANSP",
    } - ({b"DESCRIPTION"} - starts)  # fmt: skip
    for one in here.client.get("/api/schedules", headers=ada).json():
        if one["name"] != "nightly":
            here.client.post(f"/api/schedules/{one['id']}/remove", headers=ada)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_campaign_has_a_plain_name_and_lies_in_the_folder_of_the_lab(filled: Filled, text: str) -> None:
    here, _, ada = filled
    file = write_campaign(here.folder, "plain", budget=4, batch_size=4, baseline="null")
    whole = file.read_text()
    before = here.store.submissions()
    for body in (
        {"text": text},
        {"text": whole.replace("name: plain", f"name: {text!r}"), "path": file.name},
        {"text": whole, "path": text},
        {"text": whole, "path": f"{text}.yaml"},
        {"text": whole.replace("bench.yaml", f"{text!r}"), "path": file.name},
        {"text": whole.replace("bench.yaml", "../../../../../../etc/passwd"), "path": file.name},
        {"text": whole.replace("bench.yaml", "/etc/passwd"), "path": file.name},
    ):
        answer = here.client.post("/api/checks", json=body, headers=ada)
        if answer.status_code == 200:  # `xxx.yaml` is a name like any
            assert re.fullmatch(r"[\w.]+", str(body.get("path")))
            continue
        assert answer.status_code == 422, answer.text
        assert "root:" not in answer.text
        assert "submit" not in answer.text or here.client.get("/api/health").status_code == 200
    assert here.store.submissions() == before


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_looked_for_is_only_text(filled: Filled, text: str) -> None:
    here, known, ada = filled
    bench = known["bench_id"][0]
    for path, field in (
        ("/api/audit", "who"),
        ("/api/audit", "action"),
        ("/api/audit", "subject"),
        (f"/api/benches/{bench}/samples", "content"),
        ("/api/campaigns", "status"),
        ("/api/notices", "campaign"),
        ("/api/orders", "campaign"),
        ("/api/schedules/moments", "cron"),
        ("/api/tokens", "person"),
    ):
        answer = here.client.get(path, params={field: text}, headers=ada)
        assert answer.status_code in (200, 404, 422), (path, answer.text)
        if answer.status_code == 200:
            found = answer.json()
            if path == "/api/audit":  # others were called so before
                assert all(text in one[field] for one in found), (path, field)
            else:
                assert found in ([], {"total": 0, "items": []}), (path, field)
        else:
            assert answer.json()["sentence"]


def test_nobody_writes_a_line_into_the_log_that_looks_like_one_of_ours(tmp_path: Path) -> None:
    with logging_to(tmp_path) as log:
        for text in TEXTS.values():
            logging.getLogger("drywet.stop").warning(
                "Stopped: %s", f"a\n2026-11-23 02:30:00,000 ERROR mine\n{text}"
            )
        try:
            raise ValueError("first\nsecond")
        except ValueError:
            logging.getLogger("drywet.stop").exception("It failed.")
    lines = log.read_text(encoding="utf-8").split("\n")
    ours = re.compile(r"20\d\d-\d\d-\d\d .* (WARNING|ERROR) drywet\.stop: ")
    assert len([line for line in lines if ours.match(line)]) == len(TEXTS) + 1
    assert not [line for line in lines if line.startswith("2026-11-23 02:30:00,000 ERROR mine")]
    assert not [
        line for line in lines if re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", line)
    ]
    assert "Traceback (most recent call last):" in lines
    assert any(TEXTS["many"][0] in line for line in lines)


def test_a_table_for_a_spreadsheet_holds_no_formula() -> None:
    streamlit = pytest.importorskip("streamlit")
    assert streamlit
    from ui.parts.showing import table_csv

    rows = [{"why": text, "value": -1.5} for text in TEXTS.values()]
    read = list(csv.DictReader(table_csv(rows).splitlines(keepends=True)))
    assert len(read) == len(TEXTS)
    assert not [row for row in read if row["why"].lstrip("\r\n\t ")[:1] in ("=", "@", "+", "-")]
    assert {row["value"] for row in read} == {"-1.5"}
