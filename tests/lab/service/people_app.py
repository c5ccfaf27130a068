"""The part of the service that people log in to, over a store of its own, and who is in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from argon2 import PasswordHasher
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.testclient import TestClient

from lab.people import Permission, Person, TokenKind
from lab.service import login, oidc, people
from lab.service.arriving import SizeLimit
from lab.service.caller import Caller, named_caller, needs
from lab.service.commands import CommandRoute
from lab.service.errors import answer_errors
from lab.service.login import Login
from lab.service.login_rules import LoginRules
from lab.service.passwords import Passwords
from lab.service.settings import Standing
from lab.service.throttle import Throttle
from lab.service.tokens import hashed, make_secret
from lab.store import Store
from lab.store.tables import now

PASSWORD = "four words in a row"

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""For tests that are not about how long it takes."""


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Desk:
    """The service, and how to speak to it."""

    app: FastAPI
    store: Store
    clock: Clock
    done: list[str] = field(default_factory=list)
    """What the routes of the test did."""

    def client(self, address: str = "10.0.0.7") -> TestClient:
        return TestClient(self.app, client=(address, 4321), raise_server_exceptions=False)

    def add(self, name: str, *roles: str, **more: Any) -> Person:
        return self.store.add_person(name, roles=roles, password_hash=QUICK.hash(PASSWORD), **more)

    def log_in(self, name: str, password: str = PASSWORD, address: str = "10.0.0.7") -> dict[str, str]:
        """Headers of somebody who is logged in."""
        answer = self.client(address).post("/api/login", json={"name": name, "password": password})
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    def token(
        self, person: Person, *scope: Permission, kind: TokenKind = TokenKind.API, days: float = 1.0
    ) -> dict[str, str]:
        """Headers with a token that was made without anybody logging in."""
        secret = make_secret(kind)
        self.store.add_token(
            person.id,
            kind=kind,
            hashed=hashed(secret),
            expires_utc=now() + timedelta(days=days),
            scope=scope or Permission,
        )
        return {"Authorization": f"Bearer {secret}"}


@contextmanager
def open_desk(folder: Path, empty: Path, rules: LoginRules | None = None) -> Iterator[Desk]:
    """The service over an empty store in a folder."""
    with Store.open(shutil.copyfile(empty, folder / "lab.db")) as store:
        app, clock = FastAPI(), Clock()
        app.state.store = store
        app.state.standing = Standing(login=rules or LoginRules())
        app.state.login = Login(rules or LoginRules(), Passwords(QUICK), Throttle(clock))
        desk = Desk(app=app, store=store, clock=clock)
        answer_errors(app)
        for router in (login.router, login.commands, oidc.router, people.router, _bench(desk)):
            app.include_router(router, prefix="/api")
        app.add_middleware(SizeLimit)
        yield desk


def _bench(desk: Desk) -> APIRouter:
    """Routes that ask for permissions, as those of campaigns and benches do."""
    router = APIRouter(route_class=CommandRoute)

    @router.get("/look")
    def look(caller: Annotated[Caller, Depends(needs(Permission.SEE))]) -> dict[str, str]:
        return {"name": caller.name}

    @router.get("/named")
    def named(request: Request) -> dict[str, str | None]:
        return {"name": named_caller(request)}

    @router.post("/start")
    def start(caller: Annotated[Caller, Depends(needs(Permission.OPERATE))]) -> dict[str, int]:
        desk.done.append(caller.name)
        return {"started": len(desk.done)}

    @router.post("/heat/{device}")
    def heat(
        device: str, caller: Annotated[Caller, Depends(needs(Permission.OPERATE, somewhere=True))]
    ) -> dict[str, str]:
        caller.require(Permission.OPERATE, devices=[device])
        desk.done.append(device)
        return {"hot": device}

    return router
