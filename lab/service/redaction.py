"""What of a request and of its answer is written down: no secrets, and of long texts their beginning and a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lab.types import JsonValue

__all__ = ["details_of", "without_secrets"]

_SECRET = frozenset({"password", "passwords", "secret", "token", "verifier", "authorization"})
"""Words in the names of fields whose values are kept nowhere."""

_LONGEST_TEXT = 1_000
_BEGINNING = 200
_MOST_DETAILS = 20_000
"""Characters that the details of an act may take."""
_DEEPEST = 12


def details_of(said: JsonValue | bytes, query: Mapping[str, str]) -> dict[str, JsonValue]:
    """What came with a command, for the audit.

    Args:
        said: in its body; the body itself where it can't be read.
        query: of its address.
    """
    details: dict[str, JsonValue] = {}
    if query:
        details["query"] = _shortened(dict(query), 0)
    if isinstance(said, bytes):
        details["unreadable"] = _digest(said)
        return details
    short = _shortened(said, 0)
    details.update(short if isinstance(short, dict) else {"body": short})
    written = json.dumps(details)
    return details if len(written) <= _MOST_DETAILS else {"long": _digest(written.encode())}


def without_secrets(answer: JsonValue) -> JsonValue:
    """An answer as it may be given once more: what is shown only once is null."""
    match answer:
        case dict():
            return {
                name: None if _is_secret(name) and isinstance(value, str) else without_secrets(value)
                for name, value in answer.items()
            }
        case list():
            return [without_secrets(one) for one in answer]
        case _:
            return answer


def _is_secret(name: str) -> bool:
    return not _SECRET.isdisjoint(name.lower().replace("-", "_").split("_"))


def _shortened(value: Any, depth: int) -> JsonValue:
    if depth > _DEEPEST:
        return "..."
    match value:
        case dict():
            return {
                str(name)[:_BEGINNING]: "(not kept)" if _is_secret(str(name)) else _shortened(one, depth + 1)
                for name, one in value.items()
            }
        case list():
            return [_shortened(one, depth + 1) for one in value]
        case str() if len(value) > _LONGEST_TEXT:
            return {"begins": value[:_BEGINNING], **_digest(value.encode("utf-8", "surrogatepass"))}
        case _:
            return value


def _digest(data: bytes) -> dict[str, JsonValue]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
