"""Values to JSON text and back, with nothing lost on the way.

What goes in comes out equal: floats bit for bit (``repr`` of a double reads back as the same double), integers of any size,
text with any character. JSON has no words for four things, which are written as objects with one key:

=============================  ======================================================================
``{"$float": "nan"}``          not a number; ``inf`` and ``-inf`` likewise. The text stays valid JSON,
                               so that other programs can read it.
``{"$array": [dtype, shape, data]}``  a numpy array of booleans, integers, floats or text; comes back as an array
``{"$dict": [[key, value]]}``  a dict one of whose own keys begins with ``$``
=============================  ======================================================================

Numpy scalars become Python's own, tuples become lists, enums their values, and frozen dataclasses dicts of their fields.
What is none of these is a bug of the caller and raises ``TypeError``: a silent ``str()`` would be a loss.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from lab.types import JsonValue

__all__ = ["from_text", "plain", "to_text"]

_ARRAY_KINDS = "biufU"
"""numpy's letters for boolean, signed, unsigned, floating and text: what JSON holds exactly."""


def to_text(value: Any) -> str:
    """One line of valid JSON, in ASCII.

    Raises:
        TypeError: the value, or something within it, cannot be written without loss.
    """
    return json.dumps(plain(value), allow_nan=False, separators=(",", ":"))


def from_text(text: str) -> JsonValue:
    """The value that :func:`to_text` wrote."""
    return json.loads(text, object_hook=_untagged)


def plain(value: Any) -> JsonValue:
    """The value in terms of what ``json`` writes without loss: the tags above, lists, dicts with text keys, and scalars."""
    # The exact types first: nearly everything is one of them, and this runs for every number of every reading.
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is dict or isinstance(value, Mapping):
        return _plain_mapping(value)
    if kind is list or kind is tuple or isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain_array(value)
    if isinstance(value, np.generic):
        return _plain_scalar(value)
    if isinstance(value, Enum):
        return plain(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, str | int | float):
        return plain(_base(value))
    raise TypeError(f"{kind.__name__} cannot be kept as JSON without loss: {value!r}")


def _base(value: str | int | float) -> str | int | float:
    """A value of a subclass (``np.str_``, ``IntFlag``) as the built-in type."""
    if isinstance(value, str):
        return str.__str__(value)
    return int.__int__(value) if isinstance(value, int) else float.__float__(value)


def _plain_mapping(value: Mapping[Any, Any]) -> JsonValue:
    tagged = False
    result: dict[str, JsonValue] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(f"a key of JSON is text, not {key!r}")
        tagged = tagged or key.startswith("$")
        result[str.__str__(key)] = plain(item)
    return {"$dict": [[key, item] for key, item in result.items()]} if tagged else result


def _plain_array(value: np.ndarray) -> JsonValue:
    if value.dtype.kind not in _ARRAY_KINDS or (value.dtype.itemsize > 8 and value.dtype.kind == "f"):
        raise TypeError(f"an array of {value.dtype} cannot be kept as JSON without loss")
    return {"$array": [value.dtype.str, list(value.shape), plain(value.ravel().tolist())]}


def _plain_scalar(value: np.generic) -> JsonValue:
    if value.dtype.kind not in _ARRAY_KINDS or (value.dtype.itemsize > 8 and value.dtype.kind == "f"):
        raise TypeError(f"{value.dtype} cannot be kept as JSON without loss: {value!r}")
    return plain(value.item())


def _untagged(found: dict[str, Any]) -> Any:
    """Called for each object, innermost first."""
    if len(found) != 1:
        return found
    match next(iter(found.items())):
        case "$float", str(word):
            return float(word)
        case "$array", [str(dtype), list(shape), list(data)]:
            return np.array(data, dtype=np.dtype(dtype)).reshape(shape)
        case "$dict", list(pairs):
            return dict(pairs)
    return found
