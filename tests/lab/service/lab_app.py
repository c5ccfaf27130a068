"""A service over a real house in a folder, with people, and ways to wait for what happens in it."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from lab.app import Settings
from lab.app.house.house import House
from lab.engine.progress import CampaignEnded, Progress
from lab.people import TokenKind
from lab.service.app import make_app
from lab.service.settings import Standing
from lab.service.tokens import hashed, make_secret
from lab.store import Store

WAIT_S = 60.0
"""Generous: what is waited for takes a second or two."""


@dataclass
class Lab:
    """A service at work.

    Args:
        ends: of campaigns, as they come.
    """

    folder: Path
    store: Store
    house: House
    client: TestClient
    ends: queue.SimpleQueue[CampaignEnded]

    def add(self, name: str, *roles: str, program: bool = False) -> dict[str, str]:
        """Somebody with a token; gives the headers that they send."""
        self.store.add_person(name, roles=roles, program=program)
        return self.token_of(name)

    def token_of(self, name: str, kind: TokenKind = TokenKind.API) -> dict[str, str]:
        """Headers with a new token of somebody's."""
        person = self.store.person(name)
        secret = make_secret(kind)
        later = datetime.now(UTC) + timedelta(days=1)
        self.store.add_token(person.id, kind=kind, hashed=hashed(secret), expires_utc=later)
        return {"Authorization": f"Bearer {secret}"}

    def ended(self) -> CampaignEnded:
        """The next campaign that ends, is stopped or held."""
        return self.ends.get(timeout=WAIT_S)

    def submit(self, file: Path, who: dict[str, str], **more: Any) -> Any:
        """Hand a campaign file of the lab's folder in."""
        body = {"text": file.read_text(), "path": file.name, "baseline": False, **more}
        return self.client.post("/api/submissions", json=body, headers=who)


@contextmanager
def lab(folder: Path, *, resume: bool = True) -> Iterator[Lab]:
    """A service over the store of a folder, until the block ends."""
    settings = Settings(store=str(folder / "lab.db"))
    with Store.open(settings.store) as store:
        house = House(store, settings, folder)
        ends: queue.SimpleQueue[CampaignEnded] = queue.SimpleQueue()

        def note(event: Progress) -> None:
            if isinstance(event, CampaignEnded):
                ends.put(event)

        end = house.listen(note)
        standing = Standing(names=("localhost",), beside=folder)
        try:
            with TestClient(make_app(house, store, standing), base_url="http://localhost") as client:
                house.open(resume=resume)
                yield Lab(folder=folder, store=store, house=house, client=client, ends=ends)
        finally:
            end()
            assert house.close(WAIT_S)
