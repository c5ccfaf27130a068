"""A whole service on a free port, with a little of everything in it: what there is to ask for, and who asks."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from lab.app import Settings
from lab.app.house.house import House
from lab.engine.progress import CampaignEnded, Progress
from lab.people import Permission, TokenKind
from lab.service.app import make_app
from lab.service.settings import Standing
from lab.service.tokens import hashed, make_secret
from lab.store import Store
from tests.campaign_files import write_campaign
from tests.lab.service.serving import served

WAIT_S = 60.0
"""Generous: what is waited for takes a second or two."""

Headers = dict[str, str]


@dataclass
class Api:
    """A service that really listens.

    Args:
        address: that it listens at.
        client: speaks to it.
        app: itself.
    """

    folder: Path
    address: str
    client: httpx.Client
    store: Store
    house: House
    app: Any

    def token(
        self,
        name: str,
        *scope: Permission,
        kind: TokenKind = TokenKind.API,
        lasts: timedelta = timedelta(days=1),
    ) -> Headers:
        """Headers with a token of somebody's that was made without anybody logging in."""
        secret, person = make_secret(kind), self.store.person(name)
        self.store.add_token(
            person.id,
            kind=kind,
            hashed=hashed(secret),
            expires_utc=datetime.now(UTC) + lasts,
            scope=scope or Permission,
        )
        return {"Authorization": f"Bearer {secret}"}

    def add(self, name: str, *roles: str, **more: Any) -> Headers:
        """Somebody with a token; gives the headers that they send."""
        self.store.add_person(name, roles=roles, **more)
        return self.token(name)


@contextmanager
def api(folder: Path, store_url: str = "") -> Iterator[Api]:
    """A service over a store in a folder, in which nothing happens yet."""
    settings = Settings(store=store_url or str(folder / "lab.db"))
    with Store.open(settings.store) as store:
        house = House(store, settings, folder)
        app = make_app(house, store, Standing(names=("127.0.0.1", "localhost"), beside=folder))
        try:
            with (
                served(app, lifespan="on") as address,
                httpx.Client(base_url=address, timeout=WAIT_S, trust_env=False) as client,
            ):
                house.open(resume=True)
                yield Api(folder=folder, address=address, client=client, store=store, house=house, app=app)
        finally:
            assert house.close(WAIT_S)


def fill(here: Api) -> Mapping[str, list[str]]:
    """Put a little of everything into a service; parts of paths with what there is to put in their places."""
    here.store.add_person("robot", roles=["scientist"], program=True)
    here.store.add_person("grace", roles=["scientist"], password_hash="$argon2id$none")
    sue = here.add("sue", "scientist", "operator")
    run_one(here, "one", sue, budget=4, batch_size=4, baseline="null")
    asking = write_campaign(here.folder, "asking", budget=4, batch_size=4)
    asking.write_text(asking.read_text() + "approval:\n  start: true\n")
    submit(here, asking, sue)
    waiting = write_campaign(here.folder, "waiting", budget=4, batch_size=4, baseline="null")
    submitted = submit(here, waiting, sue, held=True)
    file = write_campaign(here.folder, "nightly", budget=4, batch_size=4, baseline="null")
    body = {"text": file.read_text(), "path": file.name, "cron": "30 2 * * *", "timezone": "Europe/Berlin"}
    scheduled = here.client.post("/api/schedules", json=body, headers=sue)
    assert scheduled.status_code == 201, scheduled.text
    (record,) = here.store.campaigns()
    campaign = record.campaign.id
    (run, *_) = here.store.runs(campaign)
    history = here.store.history(campaign)
    here.store.set_calendar("sue", hashed("sues-own-calendar"))
    (token,) = here.store.tokens(here.store.person("sue").id)
    return {
        "campaign_id": [campaign, "one"],
        "submission_id": [submitted["id"]],
        "approval_id": [one.id for one in here.store.approvals()],
        "schedule_id": [scheduled.json()["id"], "nightly"],
        "run_id": [run.run.id],
        "step_id": [here.store.steps(run.run.id)[0].id],
        "experiment_id": [one.id for one in history.experiments],
        "observation_id": [one.id for one in history.observations],
        "bench_id": [record.bench_id],
        "sample_id": [one.id for one in here.store.samples_of_bench(record.bench_id)[:5]],
        "name": ["robot", "grace", "sue"],
        "place": ["0123456789abcdef"],
        "sheet": ["sheet_0001"],
        "paper": ["worklist.csv"],
        "secret": ["sues-own-calendar"],
        "token_id": [token.id],
        "order_id": ["ord_none"],
    }


def submit(here: Api, file: Path, who: Headers, **more: Any) -> Any:
    """Hand a campaign file of the lab's folder in."""
    body = {"text": file.read_text(), "path": file.name, **more}
    answer = here.client.post("/api/submissions", json=body, headers=who)
    assert answer.status_code == 201, answer.text
    return answer.json()


def run_one(here: Api, name: str, who: Headers, **changes: Any) -> None:
    """Carry a small campaign out, to its end."""
    ends: queue.SimpleQueue[CampaignEnded] = queue.SimpleQueue()

    def note(event: Progress) -> None:
        if isinstance(event, CampaignEnded):
            ends.put(event)

    unlisten = here.house.listen(note)
    try:
        submit(here, write_campaign(here.folder, name, **changes), who, baseline=False)
        assert ends.get(timeout=WAIT_S).status == "finished"
    finally:
        unlisten()
