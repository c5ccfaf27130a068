"""Forms made from JSON schemas: a field for each setting, with its unit, its limits and what it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

__all__ = ["label_of", "settings"]

Json = Mapping[str, Any]

_UNITS = {
    "_c_per_min": "°C/min",
    "_ul_per_min": "µl/min",
    "_umol_l": "µmol/l",
    "_mmol_l": "mmol/l",
    "_rpm": "rpm",
    "_ul": "µl",
    "_nm": "nm",
    "_mm": "mm",
    "_c": "°C",
    "_s": "s",
}
"""End of a name -> its unit; longer ends first."""

_CLOCK = (("d", 86400.0), ("h", 3600.0), ("min", 60.0))


def label_of(name: str) -> str:
    """``challenge_temperature_c`` as a person reads it: ``challenge temperature (°C)``."""
    end = next((end for end in _UNITS if name.endswith(end)), "")
    words = name.removesuffix(end).replace("_", " ")
    return f"{words} ({_UNITS[end]})" if end else words


def settings(schema: Json, key: str, columns: int = 2) -> dict[str, Any]:
    """A form; gives back what differs from the defaults, as it is written into a campaign file.

    Args:
        schema: of an object.
        key: unlike that of any other form on the page.
    """
    given: dict[str, Any] = {}
    properties = schema.get("properties") or {}
    if not properties:
        st.caption("There is nothing to set.")
        return given
    required = set(schema.get("required") or ())
    places = st.columns(columns)
    for n, (name, written) in enumerate(properties.items()):
        field = _plain(written, schema)
        with places[n % columns]:
            value = _field(name, field, f"{key}_{name}", needed=name in required)
        if value is not None and (name in required or value != field.get("default")):
            given[name] = value
    return given


def _plain(field: Json, schema: Json) -> Json:
    """A field without references and alternatives: the first of them that is not null."""
    if "$ref" in field:
        there = (schema.get("$defs") or {}).get(str(field["$ref"]).rpartition("/")[2], {})
        return _plain({**there, **{k: v for k, v in field.items() if k != "$ref"}}, schema)
    if several := field.get("anyOf"):
        kept = next((one for one in several if one.get("type") != "null"), several[0])
        rest = {name: value for name, value in field.items() if name != "anyOf"}
        return _plain({**kept, **rest}, schema)
    return field


def _field(name: str, field: Json, key: str, *, needed: bool) -> Any:
    """One setting; None where it is left as it is."""
    label = label_of(name) + (" *" if needed else "")
    kind, default = field.get("type"), field.get("default")
    about = _about(field)
    if options := field.get("enum"):
        return st.selectbox(
            label, options, index=options.index(default) if default in options else 0, help=about, key=key
        )
    if kind == "boolean":
        return st.toggle(label, bool(default), help=about, key=key)
    if kind in ("number", "integer"):
        if name.endswith("_s"):
            return _duration(label, default, about, key)
        return _number(label, field, about, key)
    if kind == "string":
        written = st.text_input(label, default or "", help=about, key=key)
        return written if written or default is not None else None
    return _written_out(label, field, about, key)


def _about(field: Json) -> str | None:
    """What it is, and between which limits."""
    words = [str(field["description"])] if field.get("description") else []
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        words.append(f"From {low:g} to {high:g}.")
    elif low is not None:
        words.append(f"At least {low:g}.")
    elif high is not None:
        words.append(f"At most {high:g}.")
    return " ".join(words) or None


def _number(label: str, field: Json, about: str | None, key: str) -> Any:
    low, high, default = field.get("minimum"), field.get("maximum"), field.get("default")
    if field.get("type") == "integer":
        return st.number_input(
            label, _as(int, low), _as(int, high), _as(int, default), step=1, help=about, key=key
        )
    return st.number_input(
        label, _as(float, low), _as(float, high), _as(float, default), format="%g", help=about, key=key
    )


def _as(kind: Callable[[Any], Any], value: Any) -> Any:
    """A number of the kind that all numbers of a field must be of."""
    return None if value is None else kind(value)


def _duration(label: str, default: float | None, about: str | None, key: str) -> Any:
    """A time as a person writes it; the service reads its unit."""
    start = "" if default is None else _clock(default)
    label = label.replace(" (s)", "")
    written = st.text_input(label, start, help=f"{about or ''} As `90 s`, `10 min`, `3 h`.", key=key).strip()
    if written == start:
        return default
    try:
        return float(written)
    except ValueError:
        return written or None


def _clock(seconds: float) -> str:
    for unit, size in _CLOCK:
        if seconds and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _written_out(label: str, field: Json, about: str | None, key: str) -> Any:
    """A list, a line each; or anything else, as JSON."""
    default = field.get("default")
    if field.get("type") == "array" and (field.get("items") or {}).get("type") == "string":
        lines = st.text_area(
            label, "\n".join(default or ()), help=f"{about or ''} A line each.", key=key, height=80
        )
        return [line.strip() for line in lines.splitlines() if line.strip()]
    start = "" if default is None else json.dumps(default)
    written = st.text_area(label, start, help=f"{about or ''} As JSON.", key=key, height=80).strip()
    if written in ("", start):
        return default
    try:
        return json.loads(written)
    except ValueError:
        st.error(f'{label} can\'t be read. Write JSON, as `{{"name": "value"}}` or `[1, 2]`.')
        return default
