"""Whether the service is alive and ready, and its numbers for Prometheus."""

from __future__ import annotations

import ipaddress
import threading
import time
from typing import Annotated, cast

from fastapi import APIRouter, Request, Response, Security
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from lab.errors import StoreUnusable
from lab.people import Permission
from lab.service.caller import caller_of
from lab.service.house import House
from lab.service.parts import HousePart, StandingPart, StorePart
from lab.service.telemetry import Telemetry
from lab.store import Store

__all__ = ["Readiness", "router"]

router = APIRouter(tags=["system"])

_STORE_S = 3.0
"""Wall time within which a store that is well takes a line."""

_KEPT_S = 1.0
"""How long an answer is good for, so that asking often costs nothing."""

_shown = HTTPBearer(auto_error=False, description="Not needed from the machine itself.")


class Health(BaseModel):
    """That it answers at all."""

    status: str
    version: str


class Ready(BaseModel):
    """Whether it can carry campaigns out."""

    ready: bool
    store: bool
    queue: bool


class Readiness:
    """Looks at store and queue, once a second at most, and waits for neither for long. Any thread."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._asked_at = -_KEPT_S
        self._writable = False

    def look(self, store: Store, house: House) -> Ready:
        """How both stand."""
        with self._turn:
            if time.monotonic() - self._asked_at >= _KEPT_S:
                self._writable = _takes_a_line(store)
                self._asked_at = time.monotonic()
            writable = self._writable
        queue = house.queue_alive
        return Ready(ready=writable and queue, store=writable, queue=queue)


def _takes_a_line(store: Store) -> bool:
    """Whether the store can be written to now; a disk that hangs is not waited for."""
    said = threading.Event()

    def write() -> None:
        try:
            store.see_writable()
        except (StoreUnusable, RuntimeError):  # the latter: it is closed
            return
        said.set()

    asking = threading.Thread(target=write, name="is the store ready", daemon=True)
    asking.start()
    asking.join(_STORE_S)
    return said.is_set()


@router.get("/health", summary="Whether the service is alive")
def health(standing: StandingPart) -> Health:
    """Asks nothing of the store, and nobody needs to log in."""
    return Health(status="alive", version=standing.version)


@router.get("/ready", summary="Whether campaigns can be carried out", responses={503: {"model": Ready}})
def ready(request: Request, store: StorePart, house: HousePart) -> Response:
    """503 where the store can't be written or nobody looks at the queue. Nobody needs to log in."""
    state = request.app.state
    if not hasattr(state, "readiness"):
        state.readiness = Readiness()
    found = cast(Readiness, state.readiness).look(store, house)
    return JSONResponse(found.model_dump(), status_code=200 if found.ready else 503)


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
    openapi_extra={"security": [{}]},  # or none
)
def metrics(request: Request, shown: Annotated[object, Security(_shown)]) -> Response:
    """Steps, campaigns, queue and loops. From the machine itself nobody needs to log in; from elsewhere who may look on."""
    if not _is_local(request):
        caller_of(request).require(Permission.SEE)
    telemetry = cast(Telemetry, request.app.state.telemetry)
    return Response(generate_latest(telemetry.registry), media_type=CONTENT_TYPE_LATEST)


def _is_local(request: Request) -> bool:
    """Whether a request comes from the machine of the service, and not through a proxy on it."""
    host = request.client.host if request.client else ""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    return here and not any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))
