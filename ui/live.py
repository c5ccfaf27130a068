"""Routes of the console's own server: what browsers need at once, past Streamlit's reruns.

``/live/events`` passes the service's stream on; ``/live/snapshot``, ``/live/deck/...``, ``/live/devices/...`` and
``/live/log/...`` tell how things stand and what happened last, the same answer for all who ask within half a second;
``/live/steer`` pauses a campaign, lets it go on and resumes it; ``/live/stop`` stops. All but the last need the cookie of a
login; a stop from the machine of the console itself needs none.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ipaddress
import json
import os
import re
import secrets
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from ui.parts.session import COOKIE, KEPT, service_url

__all__ = ["ROUTES"]

_BACK = "/live/elsewhere/back"
_VERIFIER = "drywet_verifier"

FRESH_S = 0.5
"""Wall time for which an answer serves everybody who asks the same."""

_NO_ANSWER = "The lab service does not answer."
_STEERING = {"pause", "continue", "resume"}
_CAMPAIGN = re.compile(r"[A-Za-z0-9_-]{1,60}")

_client: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()
_answers: dict[tuple[str, str], tuple[float, asyncio.Task[tuple[int, bytes]]]] = {}


def _http() -> httpx.AsyncClient:
    """One client for each loop."""
    loop = asyncio.get_running_loop()
    if loop not in _client:
        _client[loop] = httpx.AsyncClient(base_url=service_url(), timeout=10.0, trust_env=False)
    return _client[loop]


def _token(request: Request) -> str:
    return KEPT.token_of(request.cookies.get(COOKIE, ""))


async def _ask(path: str, token: str) -> tuple[int, bytes]:
    try:
        answer = await _http().get(f"/api{path}", headers={"Authorization": f"Bearer {token}"})
        if answer.headers.get("content-type", "").startswith("application/json"):
            return answer.status_code, answer.content
    except httpx.HTTPError:
        pass
    return 502, json.dumps({"code": "unreachable", "sentence": _NO_ANSWER}).encode()


async def _shared(path: str, token: str) -> tuple[int, bytes]:
    """An answer that is a moment old at most; who asks meanwhile waits for the same."""
    now = time.monotonic()
    for key, (since, _) in list(_answers.items()):
        if now - since > FRESH_S:
            del _answers[key]
    found = _answers.get((path, token))
    if found is None:
        found = (now, asyncio.ensure_future(_ask(path, token)))
        _answers[path, token] = found
    return await asyncio.shield(found[1])


def _refuse(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"code": "refused", "sentence": sentence}, status_code=status)


async def keep(request: Request) -> Response:
    """Give a browser that has just logged in its cookie."""
    if not _ours(request):
        return _refuse(403, "This does not come from the console.")
    identifier = KEPT.fetch((await request.body()).decode("utf-8", "replace").strip())
    if identifier is None:
        return _refuse(410, "This login was fetched before.")
    answer = Response(status_code=204)
    _give_cookie(answer, identifier, request)
    return answer


async def elsewhere(request: Request) -> Response:
    """Send a browser to the lab's own login; what proves that it is this browser that comes back stays in its cookie."""
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "back": f"{request.url.scheme}://{request.headers.get('host', '')}{_BACK}",
    }
    status, body = await _post("/oidc/begin", asked)
    if status != HTTPStatus.OK:
        return _sentence(body)
    answer = RedirectResponse(body["address"], status_code=303)
    answer.set_cookie(
        _VERIFIER, verifier, max_age=600, httponly=True, samesite="lax", secure=_secure(request), path=_BACK
    )
    return answer


async def back(request: Request) -> Response:
    """A browser that comes back from there: give it its cookie, if it is the one that went."""
    code, verifier = request.query_params.get("code", ""), request.cookies.get(_VERIFIER, "")
    if not code or not verifier:
        return _sentence(
            {"sentence": request.query_params.get("error", "") or "This login was not begun here."}
        )
    status, body = await _post("/oidc/session", {"code": code, "verifier": verifier})
    if status != HTTPStatus.OK:
        return _sentence(body)
    identifier = KEPT.fetch(KEPT.offer(str(body["token"])))
    assert identifier is not None  # it was offered this moment
    answer = RedirectResponse("/", status_code=303)
    answer.delete_cookie(_VERIFIER, path=_BACK)
    _give_cookie(answer, identifier, request)
    return answer


async def _post(path: str, body: dict[str, str]) -> tuple[int, Any]:
    try:
        answer = await _http().post(f"/api{path}", json=body)
        return answer.status_code, answer.json()
    except (httpx.HTTPError, ValueError):
        return 502, {"sentence": _NO_ANSWER}


def _sentence(body: Any) -> Response:
    """Why somebody is not logged in, as plain text: some of it was written elsewhere."""
    words = body.get("sentence", "") if isinstance(body, dict) else ""
    return PlainTextResponse(f"Nobody was logged in. {words}\n\nThe console is at /\n", status_code=403)


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _give_cookie(answer: Response, identifier: str, request: Request) -> None:
    answer.set_cookie(COOKIE, identifier, httponly=True, samesite="strict", secure=_secure(request), path="/")


async def forget(request: Request) -> Response:
    """Log a browser out."""
    if not _ours(request):
        return _refuse(403, "This does not come from the console.")
    KEPT.forget(request.cookies.get(COOKIE, ""))
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/")
    return answer


async def snapshot(request: Request) -> Response:
    """How everything stands."""
    return await _look(request, "/snapshot")


async def deck(request: Request) -> Response:
    """What stands on a bench."""
    return await _look_at_bench(request, "deck")


async def devices(request: Request) -> Response:
    """The devices of a bench."""
    return await _look_at_bench(request, "devices")


async def log(request: Request) -> Response:
    """The last that happened to a campaign."""
    campaign = str(request.path_params["campaign"])
    if not _CAMPAIGN.fullmatch(campaign):
        return _refuse(404, "There is no such campaign.")
    return await _look(request, f"/campaigns/{campaign}/log")


async def _look_at_bench(request: Request, what: str) -> Response:
    bench = str(request.path_params["bench"])
    if not re.fullmatch(r"[A-Za-z0-9_]{1,60}", bench):
        return _refuse(404, "There is no such bench.")
    return await _look(request, f"/benches/{bench}/{what}")


async def _look(request: Request, path: str) -> Response:
    token = _token(request)
    if not token:
        return _refuse(401, "Nobody is logged in.")
    status, body = await _shared(path, token)
    headers = {"Cache-Control": "no-store"}
    return Response(body, status_code=status, media_type="application/json", headers=headers)


async def events(request: Request) -> Response:
    """What happens, as it happens."""
    token = _token(request)
    if not token:
        return _refuse(401, "Nobody is logged in.")
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    last = request.headers.get("last-event-id", "")
    if last:
        headers["Last-Event-ID"] = last
    timeout = httpx.Timeout(10.0, read=60.0)
    asked = _http().build_request("GET", "/api/events", headers=headers, timeout=timeout)
    try:
        answer = await _http().send(asked, stream=True)
    except httpx.HTTPError:
        return _refuse(502, _NO_ANSWER)
    if answer.is_error:
        await answer.aclose()
        return _refuse(answer.status_code, "The lab service refuses.")
    return StreamingResponse(
        _passed_on(answer), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def _passed_on(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_raw():
            yield piece
    except httpx.HTTPError:
        return  # The service is gone; the browser comes back by itself.
    finally:
        await answer.aclose()


async def steer(request: Request) -> Response:
    """Pause a campaign, let it go on or resume it, in the name of who is logged in; the service says whether they may."""
    if not _ours(request):
        return _refuse(403, "This does not come from the console.")
    token = _token(request)
    if not token:
        return _refuse(401, "Your login has ended: load the page again.")
    asked = _steering(await request.body())
    if asked is None:
        return _refuse(422, "The console can pause a campaign, let it go on and resume it.")
    campaign, what, expected = asked
    body = json.dumps({"expected": expected}).encode()
    return await _command(f"/campaigns/{campaign}/{what}", token, body, _NO_ANSWER)


def _steering(body: bytes) -> tuple[str, str, str] | None:
    """Campaign, what to do with it, and the status that the page showed; None for anything else."""
    try:
        asked = json.loads(body[:500])
        campaign, what, expected = asked["campaign"], asked["what"], asked["expected"]
    except (ValueError, TypeError, KeyError):
        return None
    words = isinstance(campaign, str) and isinstance(expected, str) and isinstance(what, str)
    if not words or what not in _STEERING or not _CAMPAIGN.fullmatch(campaign):
        return None
    return campaign, what, expected


async def _command(path: str, token: str, body: bytes, no_answer: str, **headers: str) -> Response:
    """Have the service do something; what it answers. How things stood before is no answer to anybody any more."""
    headers["Content-Type"] = "application/json"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    timeout = httpx.Timeout(10.0, read=120.0)
    try:
        answer = await _http().post(f"/api{path}", content=body, headers=headers, timeout=timeout)
        return JSONResponse(answer.json(), status_code=answer.status_code)
    except (httpx.HTTPError, ValueError):
        return _refuse(502, no_answer)
    finally:
        _answers.clear()


async def stop(request: Request) -> Response:
    """Stop: with a login, or from this very machine."""
    if not _ours(request):
        return _refuse(403, "This does not come from the console.")
    token = _token(request)
    if not token and not _local(request):
        return _refuse(401, "Log in, or press the emergency stop.")
    gone = f"{_NO_ANSWER} On its machine: drywet stop --now"
    return await _command("/stop", token, await request.body(), gone, **{"X-Drywet": "stop"})


def _ours(request: Request) -> bool:
    """Sent by a page of the console: a form or a link can't send this header, and the origin is this server."""
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    same = origin is None or urlsplit(origin).netloc == host
    # A name that somebody else made to stand for this machine is none of ours.
    named = (urlsplit(f"//{host}").hostname or "") in {"localhost", "127.0.0.1", "::1", *_names()}
    return same and named and request.headers.get("x-drywet") == "console"


def _names() -> set[str]:
    """Host names that the console answers to, beside those of the machine itself, as ``drywet console`` was told."""
    return set(os.environ.get("DRYWET_CONSOLE_NAMES", "").split())


def _local(request: Request) -> bool:
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))
    try:
        return (
            not forwarded and ipaddress.ip_address(request.client.host if request.client else "").is_loopback
        )
    except ValueError:
        return False


ROUTES = [
    Route("/live/keep", keep, methods=["POST"]),
    Route("/live/forget", forget, methods=["POST"]),
    Route("/live/elsewhere", elsewhere),
    Route(_BACK, back),
    Route("/live/snapshot", snapshot),
    Route("/live/deck/{bench}", deck),
    Route("/live/devices/{bench}", devices),
    Route("/live/log/{campaign}", log),
    Route("/live/events", events),
    Route("/live/steer", steer, methods=["POST"]),
    Route("/live/stop", stop, methods=["POST"]),
]
"""Of the console's server."""
