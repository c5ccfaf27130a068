"""Stopping: no login from the machine itself, no store, no role; and nothing that a page of another origin can send."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, ConfigDict, Field

from lab.service.caller import named_caller
from lab.service.errors import Refusal
from lab.service.house import House
from lab.service.parts import HousePart, StandingPart
from lab.service.settings import Standing

__all__ = ["router"]

log = logging.getLogger("drywet.stop")

router = APIRouter(tags=["stopping"])

T = TypeVar("T")


class Stop(BaseModel):
    """What is to stop, and how."""

    model_config = ConfigDict(extra="forbid")

    campaign: str | None = Field(
        default=None, max_length=200, description="Name or identifier; all without it."
    )
    now: bool = Field(default=False, description="Break the step under way off.")
    reason: str = Field(default="", max_length=1000)


class Stopped(BaseModel):
    """What came of it."""

    sentence: str
    report: dict[str, object] | None = None


@router.post("/stop", summary="Stop, from the machine itself without a login")
async def stop(
    request: Request,
    house: HousePart,
    standing: StandingPart,
    asked: Stop | None = None,
    x_drywet: Annotated[
        str, Header(description="`stop`; a form or a link of a web page can't send it.")
    ] = "",
) -> Stopped:
    """Between two steps, or at once; everything, where the body does not say what.

    From the machine that the service runs on nobody needs to log in, nor a role.
    """
    _refuse_other_pages(request, standing, x_drywet)
    return await _beside_all_else(lambda: _stopped(asked or Stop(), request, house))


async def _beside_all_else(work: Callable[[], T]) -> T:
    """In a thread of its own: all those that requests share may hang, in a store that does not answer."""
    thread = ThreadPoolExecutor(1, "stopping")
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, work)
    finally:
        thread.shutdown(wait=False)


def _stopped(asked: Stop, request: Request, house: House) -> Stopped:
    who = named_caller(request) or _local(request)
    if who is None:
        raise Refusal(
            401,
            "not_logged_in",
            "From another machine only people who are logged in can stop.",
            way_out="Log in, or press the emergency stop.",
        )
    because = " ".join("".join(one if one.isprintable() else " " for one in asked.reason).split())
    reason = f"Stopped by {who}{': ' + because if because else '.'}"
    log.warning("%s Campaign: %s. At once: %s.", reason, asked.campaign or "all", asked.now)
    if asked.campaign is not None and not house.is_under_way(asked.campaign):
        raise Refusal(
            409,
            "not_running",
            f"Nothing of the name {asked.campaign} is under way.",
            way_out="Stop everything by naming no campaign.",
            field="campaign",
        )
    if not asked.now:
        house.request_stop(reason, asked.campaign)
        return Stopped(sentence="Stopping after the step under way.")
    report = dict(house.stop_now(reason, asked.campaign).to_json())
    return Stopped(sentence=str(report["sentence"]), report=report)


def _refuse_other_pages(request: Request, standing: Standing, header: str) -> None:
    """Whoever is led to a page elsewhere must not stop the lab by it.

    Raises:
        Refusal: 403.
    """
    origin = request.headers.get("origin")
    console = urlsplit(standing.console)
    ours = {f"{console.scheme}://{console.netloc}", str(request.base_url).rstrip("/")}
    if header != "stop" or (origin is not None and origin not in ours):
        raise Refusal(403, "other_origin", "This does not come from the console or a program of the lab.")


def _local(request: Request) -> str | None:
    host = request.client.host if request.client else ""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = False
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))
    return "somebody at the machine of the service" if here and not forwarded else None
