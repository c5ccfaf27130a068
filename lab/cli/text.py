"""Numbers as a person reads them, the same way as in the report."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from lab.report.wording import duration, number
from lab.types import Experiment, Observation

__all__ = ["count", "duration", "print_json", "result", "volume"]


def volume(volume_ul: float) -> str:
    """``12 µl``, ``4.2 ml``."""
    return f"{volume_ul / 1000:.3g} ml" if volume_ul >= 1000 else f"{volume_ul:.3g} µl"


def result(experiment: Experiment, observation: Observation) -> str:
    """``T16I 0.87 ± 0.03``: candidate, value and standard error."""
    error = observation.standard_error
    return f"{experiment.candidate.id} {number(observation.value, error)} ± {number(error, error)}"


def count(n: int, one: str, many: str = "") -> str:
    """``1 plate``, ``1,204 plates``, ``2 batches``."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"


def print_json(value: Any) -> None:
    """One JSON value on standard output. JSON has no word for a number that is not finite; it becomes null."""
    sys.stdout.write(json.dumps(_finite(value), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value
