"""Lab time as Opentrons robots write times."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["stamp"]


def stamp(lab_time_s: float) -> str:
    """A time of the API (ISO 8601), counted from the beginning of lab time."""
    return datetime.fromtimestamp(lab_time_s, UTC).isoformat()
