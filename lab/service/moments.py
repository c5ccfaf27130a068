"""Moments that a request names: written as ISO 8601 with the offset from UTC, and never out of what a clock can show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

__all__ = ["Moment"]

_FIRST, _LAST = 1970, 2200
"""Years; before and after there is nothing in a lab, and no room to count on from there."""


def _written(value: Any) -> Any:
    """A bare number could be seconds or milliseconds."""
    if isinstance(value, str) and "-" not in value.lstrip("-"):
        raise ValueError("write it as in 2026-11-23T02:30:00+01:00")
    if not isinstance(value, str | datetime):
        raise ValueError("write it as in 2026-11-23T02:30:00+01:00")
    return value


def _utc(moment: datetime) -> datetime:
    try:
        in_utc = moment.astimezone(UTC)
    except OverflowError:
        in_utc = None
    if in_utc is None or not _FIRST <= in_utc.year < _LAST:
        raise ValueError(f"there is no such moment here; years go from {_FIRST} to {_LAST - 1}")
    return in_utc


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_utc)]
"""UTC, whatever offset it was written with."""
