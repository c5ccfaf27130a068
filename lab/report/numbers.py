"""Numbers, intervals and settings as a person writes them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from lab.report.values import Estimate
from lab.types import JsonValue

__all__ = ["duration", "interval", "number", "p_percent", "setting"]


def number(value: float | None, error: float | None = None) -> str:
    """A value with the digits that its error justifies: one more than the error's first; three figures without an error."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    if error is not None and math.isfinite(error) and error > 0:
        decimals = max(0, 1 - math.floor(math.log10(error)) - (1 if _first_digit(error) >= 2 else 0))
    else:
        decimals = 2 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 6)}f}".replace("-", "−").replace(",", "\u202f")


def _first_digit(value: float) -> int:
    return int(value / 10 ** math.floor(math.log10(value)))


def interval(estimate: Estimate | None, *, brackets: bool = True) -> str:
    """``0.87 (0.81 to 0.93)``, or the interval alone."""
    if estimate is None:
        return "–"
    error = estimate.standard_error
    if not math.isfinite(estimate.low):
        inner = "unknown"
    else:
        inner = f"{number(estimate.low, error)} to {number(estimate.high, error)}"
    return f"{number(estimate.value, error)} ({inner})" if brackets else inner


def p_percent(share: float) -> str:
    """A share in whole per cent."""
    return f"{100 * share:.0f}\u00a0%"


def duration(seconds: float | None) -> str:
    """``3 d 4 h``, ``2 h 05 min``, ``10 min``, ``1 min 30 s``, ``40 s``."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    if minutes:
        return f"{minutes} min {left} s" if left and minutes < 10 else f"{minutes} min"
    return f"{left} s"


_UNITS = {
    "_ul": "µl",
    "_c": "°C",
    "_nm": "nm",
    "_c_per_min": "°C/min",
    "_ul_per_min": "µl/min",
    "_rpm": "rpm",
    "_mm": "mm",
    "_umol_l": "µmol/l",
    "_mmol_l": "mmol/l",
    "_w": "W",
}


def setting(name: str, value: JsonValue) -> tuple[str, str]:
    """A parameter's name and value as a person writes them: ``heat_duration_s``, 600 are "heat duration", "10 min"."""
    if isinstance(value, bool):
        return name.replace("_", " "), "yes" if value else "no"
    if isinstance(value, int | float):
        if name.endswith("_s"):
            return name.removesuffix("_s").replace("_", " "), duration(value)
        suffix = next((s for s in sorted(_UNITS, key=len, reverse=True) if name.endswith(s)), "")
        return name.removesuffix(suffix).replace("_", " "), f"{value:.12g} {_UNITS.get(suffix, '')}".strip()
    if isinstance(value, Mapping):
        told = (key if key == item else f"{key}: {setting(key, item)[1]}" for key, item in value.items())
        return name.replace("_", " "), ", ".join(told)
    if isinstance(value, list | tuple):
        labels, texts = (
            zip(*(setting(name, item) for item in value), strict=True) if value else ((name,), ("none",))
        )
        return labels[0], ", ".join(texts)
    return name.replace("_", " "), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
