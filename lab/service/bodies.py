"""Bodies of requests as JSON that everybody reads alike: no value twice, no number that JSON has not, no broken text."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from lab.service.errors import Refusal, malformed

__all__ = ["read_json"]

_STRANGE = re.compile(r"[\x00\ud800-\udfff]")
"""Half of a character, and the one that ends texts elsewhere; no store takes them."""

_DEEPEST = 100


def read_json(body: bytes) -> Any:
    """Read a body.

    Raises:
        Refusal: 422; it is no JSON, or says something that has no one meaning.
    """
    try:
        read = json.loads(body, parse_constant=_constant, parse_float=_number, object_pairs_hook=_once)
    except Refusal:
        raise
    except (
        ValueError,
        RecursionError,
    ) as error:  # no JSON, no UTF-8, a number of many digits, nested without end
        raise malformed("body", "This is no JSON.") from error
    _see_sound(read, 0)
    return read


def _constant(name: str) -> NoReturn:
    raise malformed("body", f"JSON has no {name}.")


def _number(written: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise malformed("body", f"{written[:40]} is more than any number here can be.")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, value in pairs:
        if name in said:
            raise malformed("body", f"{name[:60]!a} is said twice.")
        said[name] = value
    return said


def _see_sound(value: Any, depth: int) -> None:
    if depth > _DEEPEST:
        raise malformed("body", f"It is nested more than {_DEEPEST} deep.")
    match value:
        case str() if _STRANGE.search(value):
            raise malformed("body", "A text has a character in it that can't be kept.")
        case int() if value.bit_length() > 64:
            raise malformed("body", "A number in it is too large.")
        case dict():
            for name, one in value.items():
                _see_sound(name, depth)
                _see_sound(one, depth + 1)
        case list():
            for one in value:
                _see_sound(one, depth + 1)
