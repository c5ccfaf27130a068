"""Types of columns: what each keeps of a value, in both databases."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Double, Text, TypeDecorator
from sqlalchemy.engine import Dialect

from lab.store.encoding import from_text, to_text
from lab.types import JsonValue

__all__ = ["Json", "Number", "Sentence", "Utc"]


class Json(TypeDecorator[JsonValue]):
    """Any JSON value as text, exact (see :mod:`lab.store.encoding`). PostgreSQL's ``jsonb`` would re-order and round."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return to_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> JsonValue:
        return None if value is None else from_text(value)


class Number(TypeDecorator[float]):
    """A double, for columns that are never None.

    SQLite holds doubles bit for bit, less two: not-a-number is kept as NULL, and a zero comes back without its sign.
    """

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> float | None:
        return None if value is None or math.isnan(value) else float(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> float:
        return math.nan if value is None else float(value)


class Sentence(TypeDecorator[str]):
    """Text for a person. What a garbled reply may bring into it and a database refuses is written as an escape."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return str(value).encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


class Utc(TypeDecorator[datetime]):
    """A moment as ISO 8601 text in UTC to the microsecond, which sorts by time and reads the same in both databases."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)
