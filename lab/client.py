"""A Python client of the lab service. It needs httpx and nothing of ours.

Example::

    from lab.client import Client

    with Client("http://localhost:8517") as lab:
        lab.login("ada", "the password of ada")
        submission = lab.submit(open("campaigns/thermostable_protein_g.yaml").read())
        for event in lab.events():
            print(event.kind, event.body)
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

__all__ = ["Client", "Event", "Refused", "Unreachable"]

TIMEOUT_S = 30.0
"""Wall time that an answer may take; trying a large campaign out dry takes some seconds."""

PAGE = 1000
"""Of a long list, so much is asked for at once."""

Json = Any


class Refused(Exception):
    """The service refused something.

    Args:
        status: of HTTP.
        code: a short word for programs.
        sentence: for a person.
        way_out: what to do about it.
        field: what it is about.
        others: more that is wrong, each with ``sentence``, ``way_out`` and ``field``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        sentence: str,
        way_out: str = "",
        field: str = "",
        others: tuple[Mapping[str, Any], ...] = (),
    ) -> None:
        super().__init__(f"{sentence} {way_out}".strip())
        self.status = status
        self.code = code
        self.sentence = sentence
        self.way_out = way_out
        self.field = field
        self.others = others


class Unreachable(Exception):
    """The service does not answer."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Args:
        id: give it to :meth:`Client.events` to go on after it.
        kind: ``snapshot``, ``campaign``, ``batch``, ``run``, ``step``, ``fault``, ``results`` ...
    """

    id: str
    kind: str
    body: Mapping[str, Any]


class Client:
    """The lab service from Python. One thread at a time.

    Args:
        url: of the service.
        token: of a session or a program; empty until :meth:`login`.
        verify: whether its certificate is checked, or the file of the lab's own authority.
    """

    def __init__(
        self, url: str = "http://localhost:8517", token: str = "", *, verify: bool | str = True
    ) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self._http = httpx.Client(base_url=self.url, timeout=TIMEOUT_S, verify=verify, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    # Any request.

    def get(self, path: str, **query: Any) -> Json:
        """Read something; ``path`` without ``/api``.

        Raises:
            Refused: with a sentence.
            Unreachable: nobody answers.
        """
        return self._ask("GET", path, params=_given(query)).json()

    def post(self, path: str, body: Json = None, *, key: str = "", **query: Any) -> Json:
        """Have something done.

        Args:
            key: idempotency key: sent twice, it is done once. A fresh one where left out.

        Raises:
            Refused: with a sentence.
            Unreachable: nobody answers; it may have been done. Send it again with the same key.
        """
        headers = {"Idempotency-Key": key or secrets.token_urlsafe(18)}
        answer = self._ask("POST", path, json=body, params=_given(query), headers=headers)
        return answer.json() if answer.content else None

    def put(self, path: str, body: Json = None, **query: Any) -> Json:
        """As :meth:`post`, with PUT."""
        answer = self._ask("PUT", path, json=body, params=_given(query))
        return answer.json() if answer.content else None

    def delete(self, path: str, **query: Any) -> Json:
        """As :meth:`post`, with DELETE."""
        answer = self._ask("DELETE", path, params=_given(query))
        return answer.json() if answer.content else None

    def download(self, path: str, **query: Any) -> bytes:
        """A file."""
        return self._ask("GET", path, params=_given(query)).content

    def _all(self, path: str) -> Json:
        """A list that comes in pages, whole."""
        found: list[Json] = []
        while True:
            page = self.get(path, after=len(found), most=PAGE)
            found += page
            if len(page) < PAGE:
                return found

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**more.pop("headers", {}), **self._authorization()}
        try:
            answer = self._http.request(method, f"/api{path}", headers=headers, **more)
        except httpx.HTTPError as error:
            raise Unreachable(f"The lab service at {self.url} does not answer: {error}") from error
        if answer.is_error:
            raise _refused(answer)
        return answer

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    # People.

    def add_first_admin(self, secret: str, **person: Any) -> Json:
        """Add the first admin, with the secret that lies beside the store while there is none."""
        return self.post("/first-admin", {"secret": secret, **_given(person)})

    def login(self, name: str, password: str) -> Json:
        """Log in; what follows is done in this name."""
        answer = self.post("/login", {"name": name, "password": password})
        self.token = answer["token"]
        return answer

    def logout(self) -> None:
        """End the session."""
        self.post("/logout")
        self.token = ""

    def me(self) -> Json:
        """Who is logged in, and what they may do."""
        return self.get("/me")

    def change_password(self, old: str, new: str) -> None:
        """Change one's own password; other sessions end."""
        self.put("/me/password", {"old_password": old, "new_password": new})

    def be_told(self, *, by_mail: bool) -> Json:
        """Be told by mail of what waits for one, or not."""
        return self.put("/me/notices", {"by_mail": by_mail})

    def make_calendar(self) -> Json:
        """One's own address of the calendar: its ``secret_path``, which is shown this once."""
        return self.post("/me/calendar")

    def end_calendar(self) -> None:
        """End one's own address of the calendar."""
        self.delete("/me/calendar")

    # Campaigns.

    def check(self, text: str, path: str = "campaigns/submitted.yaml") -> Json:
        """Try a campaign out dry."""
        return self.post("/checks", {"text": text, "path": path})

    def submit(self, text: str, path: str = "campaigns/submitted.yaml", **more: Any) -> Json:
        """Hand a campaign in; ``more`` is ``priority``, ``held``, ``not_before_utc`` and ``baseline``."""
        return self.post("/submissions", {"text": text, "path": path, **_given(more)})

    def submissions(self, *, waiting: bool = False) -> Json:
        """What was handed in."""
        return self.get("/submissions", waiting=waiting)

    def schedules(self) -> Json:
        """Campaigns that begin by the clock, each with its next moment."""
        return self.get("/schedules")

    def schedule(self, schedule: str) -> Json:
        """One of them, by identifier or name, with its next ten moments."""
        return self.get(f"/schedules/{quote(schedule, safe='')}")

    def add_schedule(self, text: str, path: str, *, cron: str, timezone: str, **more: Any) -> Json:
        """Have a campaign begin at certain times; ``more`` is ``name``, ``priority``, ``on_missed`` and ``on_overlap``."""
        body = {"text": text, "path": path, "cron": cron, "timezone": timezone, **_given(more)}
        return self.post("/schedules", body)

    def change_schedule(self, schedule: str, command: str, expected: int | None = None) -> Json:
        """``pause``, ``resume`` or ``remove`` one; ``expected`` is its version as seen."""
        return self.post(f"/schedules/{quote(schedule, safe='')}/{command}", expected=expected)

    def moments(self, cron: str, timezone: str, count: int = 10) -> Json:
        """What a cron expression means: its next moments."""
        return self.get("/schedules/moments", cron=cron, timezone=timezone, count=count)

    def calendar(self, first: str | None = None, last: str | None = None) -> Json:
        """What was, what comes and what waits, between two moments (ISO 8601)."""
        return self.get("/schedules/calendar", **{"from": first, "to": last})

    def notices(self, **query: Any) -> Json:
        """What people were told, newest first; ``query`` is ``status``, ``campaign`` and ``most``."""
        return self.get("/notices", **query)

    def channels(self) -> Json:
        """Over which people are told."""
        return self.get("/notices/channels")

    def campaigns(self, **query: Any) -> Json:
        """Campaigns, newest first."""
        return self.get("/campaigns", **query)

    def campaign(self, campaign: str) -> Json:
        """One of them, by identifier or name."""
        return self.get(f"/campaigns/{campaign}")

    def experiments(self, campaign: str) -> Json:
        """Its experiments, with the reasons for which they were chosen."""
        return self._all(f"/campaigns/{campaign}/experiments")

    def observations(self, campaign: str) -> Json:
        """Its measured values."""
        return self._all(f"/campaigns/{campaign}/observations")

    def results(self, campaign: str) -> Json:
        """Everything that its report shows, as data."""
        return self.get(f"/campaigns/{campaign}/results")

    def posterior(
        self,
        campaign: str,
        *,
        along: Sequence[str] = (),
        at: str = "",
        target: str | None = None,
        wait_s: float | None = None,
    ) -> Json:
        """What its planner expects along one parameter or two, through a candidate.

        The answer has ``ready``: where that is false, it is still being worked out. Ask again.

        Args:
            along: one or two names; the first parameter where left out.
            at: an experiment or candidate; the best so far where left out.
            target: an objective or limit; the first objective where left out.
            wait_s: that the answer may take, up to 20.
        """
        query = {"along": list(along) or None, "at": at or None, "target": target, "wait_s": wait_s}
        return self.get(f"/campaigns/{campaign}/posterior", **query)

    def importances(self, campaign: str, *, wait_s: float | None = None) -> Json:
        """How much each of its parameters matters, as far as its planner knows; ``ready`` as for :meth:`posterior`."""
        return self.get(f"/campaigns/{campaign}/importances", wait_s=wait_s)

    def report(self, campaign: str) -> bytes:
        """Its report: one HTML file."""
        return self.download(f"/campaigns/{campaign}/report")

    def pause(self, campaign: str, reason: str = "", expected: str | None = None) -> Json:
        """Begin no more steps for a while."""
        return self.post(f"/campaigns/{campaign}/pause", _given({"reason": reason, "expected": expected}))

    def let_go_on(self, campaign: str, reason: str = "", expected: str | None = None) -> Json:
        """Begin steps again."""
        return self.post(f"/campaigns/{campaign}/continue", _given({"reason": reason, "expected": expected}))

    def resume(self, campaign: str, reason: str = "", expected: str | None = None) -> Json:
        """Go on with what was stopped or held."""
        return self.post(f"/campaigns/{campaign}/resume", _given({"reason": reason, "expected": expected}))

    def stop(self, campaign: str | None = None, *, now: bool = False, reason: str = "") -> Json:
        """Stop one campaign or all, between two steps or at once. From the machine itself it takes no login."""
        body = _given({"campaign": campaign, "now": now, "reason": reason})
        return self._ask("POST", "/stop", json=body, headers={"X-Drywet": "stop"}).json()

    # Corrections and material.

    def retract(self, observation: str, why: str) -> Json:
        """Say that a result does not count; it stays readable."""
        return self.post(f"/observations/{observation}/retract", {"why": why})

    def supersede(self, observation: str, value: float, standard_error: float | None, why: str) -> Json:
        """Put another value in a result's place; the new result."""
        body = {"value": value, "standard_error": standard_error, "why": why}
        return self.post(f"/observations/{observation}/supersede", body)

    def mark_replicate(self, experiment: str, of: str, why: str) -> Json:
        """Say that an experiment measured once more what another one did."""
        return self.post(f"/experiments/{experiment}/replicate", {"of": of, "why": why})

    def amendments(self, campaign: str) -> Json:
        """What was said about results of a campaign since they were recorded."""
        return self.get(f"/campaigns/{campaign}/amendments")

    def resolve(self, step: str, verdict: str, *, why: str = "") -> Json:
        """Say what came of a step: ``done``, ``not-done`` or ``discard``."""
        return self.post(f"/steps/{step}/resolve", {"verdict": verdict, "why": why})

    def bar(self, place: str, why: str, *, retract: bool = False, campaign: str | None = None) -> Json:
        """Keep material from being used: a sample, ``LABWARE:WELL`` or ``LABWARE``, and all that was made from it."""
        body = {"place": place, "why": why, "retract": retract, "campaign": campaign}
        return self.post("/material/bar", body)

    def lift(self, place: str, why: str, *, campaign: str | None = None) -> Json:
        """Let barred material be used again."""
        return self.post("/material/lift", {"place": place, "why": why, "campaign": campaign})

    def inventory(self, bench: str) -> Json:
        """What a bench has, what is reserved, and what is free."""
        return self.get(f"/benches/{bench}/inventory")

    def checklist(self, campaign: str) -> Json:
        """What must stand where before a campaign goes on."""
        return self.get(f"/campaigns/{campaign}/checklist")

    def model_cards(self, campaign: str) -> Json:
        """What the models of a campaign are, can and can't."""
        return self.get(f"/campaigns/{campaign}/cards")

    def orders(self, campaign: str | None = None, *, everything: bool = False) -> Json:
        """Material that experiments wait for."""
        return self.get("/orders", campaign=campaign, everything=everything)

    def place_order(self, order: str, reference: str = "") -> Json:
        """Note that the supplier was asked."""
        return self.post(f"/orders/{order}/place", {"reference": reference})

    def receive_order(
        self, order: str, *, barcode: str, well: str = "", volume_ul: float | None = None
    ) -> Json:
        """Note that material came, in a plate with this barcode."""
        body = {"barcode": barcode, "well": well, "volume_ul": volume_ul}
        return self.post(f"/orders/{order}/receive", body)

    def cancel_order(self, order: str, why: str) -> Json:
        """Note that an order does not come."""
        return self.post(f"/orders/{order}/cancel", {"why": why})

    def order_again(self, order: str) -> Json:
        """Want once more what was cancelled or can't be used; the new order."""
        return self.post(f"/orders/{order}/again")

    def worklists(self, *, everything: bool = False) -> Json:
        """What people at a bench are asked to do."""
        return self.get("/worklists", everything=everything)

    def worklist(self, place: str, sheet: str) -> Json:
        """One of them, line by line."""
        return self.get(f"/worklists/{place}/{sheet}")

    def paper(self, place: str, sheet: str, name: str) -> bytes:
        """A paper of one: ``worklist.html``, ``worklist.csv`` or ``results.csv``."""
        return self.download(f"/worklists/{place}/{sheet}/{name}")

    def hand_in(
        self,
        place: str,
        sheet: str,
        said: str,
        *,
        note: str = "",
        results: tuple[str, bytes] | None = None,
        **more: str,
    ) -> Json:
        """Say what became of a worklist: ``done``, ``not-done`` or ``unsure``.

        Args:
            results: name and content of a file of what was measured, where that was asked for.
            more: ``barcode`` of the plate, ``page`` of a workbook, ``reader`` whose export it is.
        """
        body: dict[str, Any] = {"said": said, "note": note}
        if results is not None:
            name, content = results
            body["results"] = {"name": name, "content": base64.b64encode(content).decode(), **more}
        return self.post(f"/worklists/{place}/{sheet}/hand-in", body)

    # What waits for a person.

    def approvals(self, status: str | None = None, *, newest: int = 50, candidates: bool = True) -> Json:
        """Requests, newest first; of one status (``waiting``) or all; with the candidates of each batch, or without."""
        return self.get("/approvals", status=status, newest=newest, candidates=candidates)

    def approval(self, approval: str) -> Json:
        """One of them: reasons, dry run, cost, and each candidate beside the nearest that was tested."""
        return self.get(f"/approvals/{approval}")

    def approve(
        self, approval: str, expected: int, *, why: str = "", left_out: Sequence[str] = (), key: str = ""
    ) -> Json:
        """Say yes.

        Args:
            expected: its ``version`` as it was seen.
            left_out: experiments that the yes does not hold for.
        """
        body = {"expected": expected, "why": why, "left_out": list(left_out)}
        return self.post(f"/approvals/{approval}/approve", body, key=key)

    def reject(self, approval: str, expected: int, *, why: str, key: str = "") -> Json:
        """Say no; its experiments cost nothing, and the planner chooses others."""
        return self.post(f"/approvals/{approval}/reject", {"expected": expected, "why": why}, key=key)

    def edit_batch(
        self,
        approval: str,
        expected: int,
        experiment: str,
        *,
        why: str,
        candidate: str = "",
        values: Mapping[str, Any] | None = None,
        sequence: str = "",
        key: str = "",
    ) -> Json:
        """Put a candidate of one's own in the place of an experiment; the batch goes on waiting."""
        body = {
            "expected": expected,
            "experiment_id": experiment,
            "candidate": candidate,
            "values": None if values is None else dict(values),
            "sequence": sequence,
            "why": why,
        }
        return self.post(f"/approvals/{approval}/edit", body, key=key)

    # What happens.

    def snapshot(self) -> Json:
        """How everything stands."""
        return self.get("/snapshot")

    def events(self, after: str = "") -> Iterator[Event]:
        """What happens, as it happens, until the connection ends.

        Args:
            after: identifier of the last event that was seen; what was missed comes first, or a snapshot.

        Raises:
            Refused: with a sentence.
            Unreachable: nobody answers, or no more.
        """
        with self.stream("/events", after) as lines:
            yield from _events(lines)

    @contextmanager
    def stream(self, path: str, after: str = "") -> Iterator[Iterator[str]]:
        """The lines of a stream of events, for whoever passes them on."""
        headers = {**self._authorization(), "Accept": "text/event-stream"}
        if after:
            headers["Last-Event-ID"] = after
        timeout = httpx.Timeout(TIMEOUT_S, read=60.0)
        try:
            with self._http.stream("GET", f"/api{path}", headers=headers, timeout=timeout) as answer:
                if answer.is_error:
                    answer.read()
                    raise _refused(answer)
                yield answer.iter_lines()
        except httpx.HTTPError as error:
            raise Unreachable(f"The lab service at {self.url} does not answer: {error}") from error


def _events(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name == "data" and name in fields else value
        elif "data" in fields:
            yield Event(fields.get("id", ""), fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _refused(answer: httpx.Response) -> Refused:
    try:
        body = answer.json()
        return Refused(
            answer.status_code,
            str(body["code"]),
            str(body["sentence"]),
            str(body.get("way_out", "")),
            str(body.get("field", "")),
            tuple(body.get("others", ())),
        )
    except (ValueError, KeyError, TypeError):
        return Refused(answer.status_code, "refused", f"The service answered {answer.status_code}.")
