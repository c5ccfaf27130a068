"""A campaign file from what was filled in: YAML as a person would write it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["campaign_text"]

_BARE = re.compile(r"[A-Za-z_./][A-Za-z0-9_./+°µ-]*( [A-Za-z0-9_./+°µ-]+)*")
_SPOKEN_FOR = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan"}


def campaign_text(document: Mapping[str, Any]) -> str:
    """YAML 1.2 of nested mappings, lists, texts, numbers and truths. What is empty (None, ``{}``, ``[]``) is left out."""
    return "\n".join(_lines(document, 0)) + "\n"


def _lines(mapping: Mapping[str, Any], depth: int) -> list[str]:
    indent, lines = "  " * depth, []
    for name, value in mapping.items():
        if value is None or value == {} or value == []:
            continue
        if isinstance(value, Mapping):
            lines += [f"{indent}{_scalar(str(name))}:", *_lines(value, depth + 1)]
        elif isinstance(value, list) and any(isinstance(one, (Mapping, list)) for one in value):
            lines.append(f"{indent}{_scalar(str(name))}:")
            lines += [f"{indent}  - {json.dumps(one, ensure_ascii=False)}" for one in value]
        elif isinstance(value, list):
            lines.append(f"{indent}{_scalar(str(name))}: [{', '.join(_scalar(one) for one in value)}]")
        else:
            lines.append(f"{indent}{_scalar(str(name))}: {_scalar(value)}")
    return lines


def _scalar(value: Any) -> str:
    """A value on one line. A text that YAML would take for something else stands in quotes."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, str) and _BARE.fullmatch(value) and value.lower() not in _SPOKEN_FOR:
        return value
    return json.dumps(value, ensure_ascii=False)
