"""What happens, as server-sent events: a snapshot first, then one event after the other."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypeVar

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from lab.errors import StoreUnusable
from lab.people import Permission
from lab.service.caller import Caller, needs, still_may
from lab.service.campaigns import record_of
from lab.service.errors import Refusal
from lab.service.house import House
from lab.service.hub import Hub, Sent, TooMany
from lab.service.parts import HousePart, HubPart, StorePart
from lab.service.shapes import LiveShape, campaigns_short
from lab.store import Store

__all__ = ["router"]

log = logging.getLogger("drywet.service")

router = APIRouter(tags=["events"])

T = TypeVar("T")

Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]

PULSE_S = 15.0
"""Wall time after which a quiet stream says that it is there."""

RECHECK_S = 20.0
"""Wall time after which it is looked at again whether somebody may still listen: they may have logged out."""


def snapshot_of(store: Store, house: House) -> dict[str, Any]:
    """How everything stands: what a listener needs to understand the events that follow."""
    lives = house.live()
    unfinished = [r for r in reversed(store.campaigns()) if str(r.status) in ("running", "stopped", "held")]
    return {
        "live": [LiveShape.of(one).model_dump(mode="json") for one in lives if one.at_work],
        "campaigns": [one.model_dump(mode="json") for one in campaigns_short(store, unfinished[:50], lives)],
        "waiting": [
            {"id": one.id, "name": one.name, "status": str(one.status), "sentence": one.sentence}
            for one in store.submissions(open_only=True)
        ],
    }


@router.get("/snapshot", summary="How everything stands this moment")
def snapshot(caller: Viewer, store: StorePart, house: HousePart) -> dict[str, Any]:
    """What a stream begins with."""
    return snapshot_of(store, house)


class Happened(BaseModel):
    """What those who listened were told."""

    id: str = Field(description="As in the stream, by which a listener knows what it has seen.")
    kind: str
    body: dict[str, Any]


@router.get("/campaigns/{campaign_id}/log", summary="The last that happened to a campaign")
def latest(
    campaign_id: str,
    caller: Viewer,
    store: StorePart,
    hub: HubPart,
    most: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Happened]:
    """Step by step, as far as this service has seen it and still keeps it, for whoever begins to listen late."""
    told = hub.latest(record_of(store, campaign_id).campaign.id, most)
    return [Happened(id=hub.name(one.number), kind=one.kind, body=dict(one.body)) for one in told]


@router.get(
    "/events",
    summary="What happens, as it happens",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def events(
    request: Request,
    caller: Viewer,
    store: StorePart,
    house: HousePart,
    hub: HubPart,
    last_event_id: Annotated[str, Header(max_length=60)] = "",
) -> EventSourceResponse:
    """Whoever comes back with ``Last-Event-ID`` gets what they missed; whoever is new, or late, a ``snapshot`` first.

    500 may listen at the same time, 100 of them in one name.
    """
    try:
        hub.refuse_more(caller.person.id)
    except TooMany as full:
        way_out = "Close windows and programs that listen, or come back later."
        refused = Refusal(429, "too_many_listeners", str(full), way_out=way_out)
        refused.headers["Retry-After"] = "5"
        raise refused from full
    return EventSourceResponse(
        _stream(request, store, house, hub, caller.person.id, last_event_id),
        ping=int(PULSE_S),
        headers={"X-Accel-Buffering": "no"},
    )


async def _stream(
    request: Request, store: Store, house: House, hub: Hub, account: str, last_seen: str
) -> AsyncIterator[ServerSentEvent]:
    listener, missed, newest = hub.join(account, last_seen)
    looked_s = time.monotonic()
    try:
        if missed is None:
            snapshot = await _snapshot(store, house, hub, newest)
            if snapshot is None:
                return
            yield snapshot
        for sent in missed or ():
            yield _event(hub, sent)
        while True:
            if time.monotonic() - looked_s >= RECHECK_S:
                if not await _at_store(hub, lambda: _still_may(request)):
                    return
                looked_s = time.monotonic()
            try:
                told = await asyncio.wait_for(listener.queue.get(), RECHECK_S)
            except TimeoutError:
                continue
            if told is None:
                return
            if listener.lost:
                listener.lost = False
                snapshot = await _snapshot(store, house, hub, told.number)
                if snapshot is None:
                    return
                yield snapshot
                continue
            yield _event(hub, told)
    finally:
        hub.leave(listener)


async def _snapshot(store: Store, house: House, hub: Hub, number: int) -> ServerSentEvent | None:
    """None where the store can't be read: whoever listens comes back, and gets it then."""
    try:
        body = await _at_store(hub, lambda: snapshot_of(store, house))
    except StoreUnusable as gone:
        log.warning("Who listens can't be told how everything stands: %s", gone)
        return None
    return ServerSentEvent(json.dumps(body), event="snapshot", id=hub.name(number))


def _still_may(request: Request) -> bool:
    """Whether somebody who was let in may still listen; as before, while the store can't say."""
    try:
        return still_may(request, Permission.SEE)
    except StoreUnusable as gone:
        log.warning("Whether somebody may still listen is not known: %s", gone)
        return True


async def _at_store(hub: Hub, work: Callable[[], T]) -> T:
    """In a thread; a few for all who listen, so that they leave the others to requests when the store is slow."""
    return await to_thread.run_sync(work, limiter=hub.readers)


def _event(hub: Hub, sent: Sent) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(sent.body), event=sent.kind, id=hub.name(sent.number))
