"""The application: every router, what stands before them, and the document of the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response

from lab.service.arriving import KnownNames, SizeLimit
from lab.service.errors import DOCUMENT, answer_errors
from lab.service.first_admin import FirstAdmin
from lab.service.house import House
from lab.service.hub import Hub
from lab.service.login import Login
from lab.service.messenger import Messenger
from lab.service.routers import include_routers
from lab.service.schedules import tell_of_firings
from lab.service.settings import Standing
from lab.service.telemetry import Telemetry
from lab.service.timekeeper import Timekeeper, check_with
from lab.store import Store

__all__ = ["make_app"]


def make_app(house: House, store: Store, standing: Standing) -> FastAPI:
    """The service over a house and its store; who calls opens and closes both."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        with (
            app.state.hub,
            app.state.telemetry,
            app.state.timekeeper,
            app.state.messenger,
            app.state.first_admin,
        ):
            yield

    app = FastAPI(
        title="drywet",
        version=standing.version or "0",
        summary="Runs a self-driving laboratory.",
        openapi_url=DOCUMENT,
        docs_url=None,
        redoc_url=None,
        lifespan=life,
        separate_input_output_schemas=False,
    )
    app.state.house = house
    app.state.store = store
    app.state.standing = standing
    app.state.hub = Hub(house)
    app.state.telemetry = Telemetry(house, store, app.state.hub, standing.beside)
    app.state.timekeeper = Timekeeper(
        store, check_with(house, store), begun=house.look, told=tell_of_firings(app.state.hub)
    )
    app.state.messenger = Messenger(store, standing.channels, standing.console)
    app.state.first_admin = FirstAdmin(store, standing.beside)
    app.state.login = Login(standing.login)
    answer_errors(app)
    include_routers(app)
    app.middleware("http")(_headers)
    app.add_middleware(SizeLimit)
    app.add_middleware(KnownNames, names=standing.names)
    return app


async def _headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
