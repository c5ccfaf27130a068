"""Refusals over HTTP: a code for programs, a sentence and a way out for people."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from lab.errors import BadInput, BenchBusy, DrywetError, StoreUnusable

__all__ = ["DOCUMENT", "Refusal", "answer_errors", "found", "malformed", "refusal_json"]

log = logging.getLogger("drywet.service")

DOCUMENT = "/api/openapi.json"
"""Where the service tells what each route takes; anybody may read it."""

_SEE_DOCUMENT = f"What each route takes is said in {DOCUMENT}."

T = TypeVar("T")


class Refusal(Exception):
    """A request that is refused.

    Args:
        status: of HTTP.
        code: a short word for programs (``stale``, ``not_allowed``).
        sentence: for a person.
        way_out: what to do about it.
        field: of the request that it is about.
    """

    def __init__(self, status: int, code: str, sentence: str, *, way_out: str = "", field: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence
        self.way_out = way_out
        self.field = field
        self.headers: dict[str, str] = {}


def found(look: Callable[[], T], what: str) -> T:
    """What a lookup gives.

    Raises:
        Refusal: 404, where there is none.
    """
    try:
        return look()
    except (BadInput, KeyError) as missing:
        way_out = missing.way_out if isinstance(missing, BadInput) else ""
        raise Refusal(404, "not_found", f"There is no such {what}.", way_out=way_out) from missing


def malformed(field: str, sentence: str) -> Refusal:
    """A request that can't be read, whatever it asks for."""
    return Refusal(422, "malformed", sentence, way_out=_SEE_DOCUMENT, field=field)


def refusal_json(code: str, sentence: str, way_out: str = "", field: str = "", **more: Any) -> dict[str, Any]:
    """The body of a refusal."""
    return {"code": code, "sentence": sentence, "way_out": way_out, "field": field, **more}


def answer_errors(app: FastAPI) -> None:
    """Have every error answered as a refusal; what is nobody's fault but ours is logged and told without its insides."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(DrywetError, _drywet)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


def _refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    body = refusal_json(error.code, error.sentence, error.way_out, error.field)
    return JSONResponse(body, status_code=error.status, headers=error.headers)


_STALE = ("version", "status")
"""Fields by which the store says that somebody was faster."""


def _drywet(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, StoreUnusable):
        log.error("%s", error)
        return JSONResponse(refusal_json("store_unusable", error.reason, error.way_out), status_code=503)
    if isinstance(error, BadInput):
        field = error.field or ""
        passes = "bench_busy" if isinstance(error, BenchBusy) else "stale" if field in _STALE else ""
        body = refusal_json(passes or "bad_input", error.reason, error.way_out, field)
        body["line"] = error.line
        body["others"] = [
            {"sentence": one.reason, "way_out": one.way_out, "field": one.field, "line": one.line}
            for one in getattr(error, "others", ())
        ]
        return JSONResponse(body, status_code=409 if passes else 422)
    return JSONResponse(refusal_json("held", str(error)), status_code=409)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # What was sent is not sent back: it may be a password.
    problems = [
        {"field": ".".join(str(part) for part in one["loc"]), "sentence": str(one["msg"])}
        for one in error.errors()
    ]
    first = problems[0]
    body = refusal_json(
        "malformed",
        f"{first['field']}: {first['sentence']}.",
        _SEE_DOCUMENT,
        first["field"],
    )
    return JSONResponse({**body, "others": problems[1:]}, status_code=422)


_CODES = {401: "not_logged_in", 403: "not_allowed", 404: "not_found", 405: "no_such_method", 413: "too_large"}

_SENTENCES = {
    "Not Found": "There is nothing at this address.",
    "Method Not Allowed": "That can't be done here.",
}
"""What the framework says in two words, for a person."""


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "refused")
    way_out = _SEE_DOCUMENT if error.status_code in (400, 404, 405) else ""
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods(request)) or headers.get("allow", "")
    return JSONResponse(
        refusal_json(code, _SENTENCES.get(str(error.detail), str(error.detail)), way_out),
        status_code=error.status_code,
        headers=headers,
    )


def _methods(request: Request) -> list[str]:
    """All that can be done at an address; each route knows only of itself."""
    known: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        shape = getattr(route, "path_regex", None)
        if shape is not None and shape.match(request.scope["path"]):
            known |= set(route.methods or ())
    return sorted(known)


def _bug(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed.", request.method, request.url.path, exc_info=error)
    sentence = "Something went wrong in the service; its log says what."
    return JSONResponse(refusal_json("failed", sentence), status_code=500)
