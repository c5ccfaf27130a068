"""The calendar as an iCalendar file, for programs that show calendars."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from icalendar import Calendar, Event

__all__ = ["calendar_text"]

_SAID = {
    "fired": "begun",
    "missed": "missed",
    "overlapped": "not begun, as the one before was not over",
    "failed": "could not begin",
    "due": "begins",
    "waiting": "begins, if its turn comes",
}

_SHOWN = timedelta(minutes=15)
"""How long an entry looks; nobody knows how long a campaign takes."""


class Entry(Protocol):
    """What is shown of a line of the calendar."""

    @property
    def utc(self) -> datetime: ...

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def sentence(self) -> str: ...

    @property
    def schedule_id(self) -> str: ...

    @property
    def submission_id(self) -> str: ...


def calendar_text(entries: Iterable[Entry]) -> bytes:
    """One event for each entry. The same entry has the same identifier each time."""
    calendar = Calendar()
    calendar.add("prodid", "-//drywet//calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", "drywet")
    now = datetime.now(UTC).replace(microsecond=0)
    for entry in entries:
        event = Event()
        about = entry.schedule_id or entry.submission_id
        event.add("uid", f"{about}-{entry.utc:%Y%m%dT%H%M%SZ}@drywet")
        event.add("dtstamp", now)
        event.add("dtstart", entry.utc)
        event.add("dtend", entry.utc + _SHOWN)
        event.add("summary", f"{entry.name}: {_SAID[entry.kind]}")
        if entry.sentence:
            event.add("description", entry.sentence)
        event.add("status", "CANCELLED" if entry.kind in ("missed", "overlapped", "failed") else "CONFIRMED")
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    text: bytes = calendar.to_ical()
    return text
