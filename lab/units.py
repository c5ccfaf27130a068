"""Units that names and files carry, and the few conversions between them.

A quantity's unit is the suffix of its name (``volume_ul``). In a file a quantity may also be written out (``"10 min"``);
:func:`read_quantity` turns that into the number the suffix promises.
"""

from __future__ import annotations

import math
import re

from lab.errors import BadInput

__all__ = ["ABSOLUTE_ZERO_C", "GAS_CONSTANT_KCAL", "SUFFIXES", "kelvin", "read_quantity"]

ABSOLUTE_ZERO_C = -273.15
GAS_CONSTANT_KCAL = 1.987204e-3
"""kcal / (mol K); CODATA 2018, 8.314462618 J / (mol K)."""

SUFFIXES: dict[str, dict[str, float]] = {
    "_ul": {"ul": 1.0, "µl": 1.0, "ml": 1e3, "nl": 1e-3},
    "_c": {"c": 1.0, "°c": 1.0},
    "_s": {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0},
    "_c_per_min": {"c/min": 1.0, "°c/min": 1.0, "c/s": 60.0, "°c/s": 60.0},
    "_ul_per_min": {"ul/min": 1.0, "µl/min": 1.0, "ml/min": 1e3, "ul/s": 60.0},
    "_nm": {"nm": 1.0},
    "_mm": {"mm": 1.0, "cm": 10.0, "µm": 1e-3},
    "_rpm": {"rpm": 1.0},
    "_umol_l": {"umol/l": 1.0, "µmol/l": 1.0, "um": 1.0, "mmol/l": 1e3, "nmol/l": 1e-3},
    "_mmol_l": {"mmol/l": 1.0, "mm": 1.0, "umol/l": 1e-3, "mol/l": 1e3},
}
"""Suffix of a name -> unit as written in a file (lower case) -> factor to the suffix's unit."""

_QUANTITY = re.compile(r"^\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*([^\d\s.+-]\S*)\s*$")


def kelvin(temperature_c: float) -> float:
    """Absolute temperature in kelvin."""
    return temperature_c - ABSOLUTE_ZERO_C


def read_quantity(name: str, written: float | int | str) -> float:
    """The number that a field's suffix promises.

    Args:
        name: the field, with its unit as suffix (``duration_s``).
        written: a bare number in that unit, or a number with a unit (``"10 min"``).

    Raises:
        BadInput: the text is no quantity, its unit is not one of this kind, or the number is not finite.
    """
    number = _number(name, written)
    if not math.isfinite(number):
        raise BadInput(f"{name} is no finite number.", way_out="Write a smaller one.", field=name)
    return number


def _number(name: str, written: float | int | str) -> float:
    if isinstance(written, int | float) and not isinstance(written, bool):
        return float(written)
    suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(s)), None)
    match = _QUANTITY.match(written) if isinstance(written, str) else None
    if suffix is None or match is None:
        raise BadInput(
            f"{name} is a number, not {written!r}.",
            way_out="Write a bare number, or a number and its unit.",
            field=name,
        )
    units = SUFFIXES[suffix]
    factor = units.get(match[2].lower())
    if factor is None:
        known = ", ".join(units)
        raise BadInput(
            f"{name} can't be given in {match[2]!r}.",
            way_out=f"Write a bare number or one of these units: {known}.",
            field=name,
        )
    return float(match[1]) * factor
