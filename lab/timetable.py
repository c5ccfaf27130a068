"""When a schedule is due: cron expressions read in a time zone, and what is to be done about moments that passed.

Five fields: minute, hour, day of the month, month, day of the week; ``*``, lists, ranges, steps and names as in Debian's
cron. Where the clock is put forward or back, an expression that names hours and minutes means the clock on the wall: each
of its times comes once a day. One that falls into the hour that is left out comes at the first moment after it (several that
fall into it come once, together); one in the hour that comes twice comes the first time. An expression whose minute or hour
begins with a star means that time passes: ``*/15 * * * *`` comes every quarter of an hour that there is, whatever the clock
calls it. Everything here is a function of its arguments.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from lab.errors import BadInput
from lab.schedules import OnMissed

__all__ = ["AT_ONCE", "LATE", "Moment", "Timetable", "moments_due", "read_timetable", "timetable_of"]

LATE = timedelta(minutes=5)
"""A moment that is not longer ago than this comes in time: a service that restarts has not missed it."""

AT_ONCE = 500
"""Moments that are decided in one go; what was missed beyond them is decided in the next."""

_FIELDS = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, or L for the last"),
    ("month", "1 to 12, or JAN to DEC"),
    ("day of the week", "0 to 7 (0 and 7 are Sunday), or SUN to SAT"),
)

_EXAMPLE = (
    "Write minute, hour, day, month and day of the week: 0 2 * * 1-5 is at 02:00 from Monday to Friday."
)


@dataclass(frozen=True, slots=True)
class Timetable:
    """A cron expression and its time zone; from :func:`read_timetable`, which has checked both."""

    cron: str
    zone: ZoneInfo

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Moments at which it is due, strictly after one, in order, in UTC. Ends where none comes for fifty years."""
        from cronsim import CronSim

        passes = _time_passes(self.cron)
        last = moment.astimezone(UTC)
        for found in CronSim(self.cron, moment.astimezone(self.zone)):
            utc = found.astimezone(UTC)
            there = utc.astimezone(self.zone).replace(tzinfo=None) == found.replace(tzinfo=None)
            # In the hour that comes twice the library may begin with the first of it, which has gone by.
            if utc > last and (there or not passes):
                yield utc
                last = utc

    def next(self, moment: datetime, count: int) -> tuple[datetime, ...]:
        """The next moments after one, in UTC."""
        return tuple(islice(self.after(moment), count))

    def between(self, first: datetime, last: datetime, most: int) -> tuple[datetime, ...]:
        """Moments after ``first``, up to ``last`` and including it, in UTC; the first ``most`` of them."""
        return tuple(islice(takewhile(lambda moment: moment <= last, self.after(first)), most))


def _time_passes(cron: str) -> bool:
    minute, hour, *_ = cron.split()
    return minute.startswith("*") or hour.startswith("*")


def read_timetable(cron: str, timezone: str) -> Timetable:
    """Check an expression and a time zone.

    Raises:
        BadInput: what is wrong with which of them; its ``field`` is ``cron`` or ``timezone``.
    """
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        raise BadInput(
            f"A cron expression has five fields; {cron[:100]!r} has {len(fields)}.",
            way_out=_EXAMPLE,
            field="cron",
        )
    for place, (written, (name, range_)) in enumerate(zip(fields, _FIELDS, strict=True)):
        alone = ["*"] * len(_FIELDS)
        alone[place] = written
        if not _readable(" ".join(alone)):
            raise BadInput(
                f"{written[:50]!r} is no {name} of a cron expression.",
                way_out=f"It takes {range_}; * for all, lists (1,3), ranges (1-5) and steps (*/15).",
                field="cron",
            )
    tidy = " ".join(fields).upper()
    never = BadInput(
        f"{tidy!r} never comes: no month named has such a day.", way_out="Change day or month.", field="cron"
    )
    if not _readable(tidy):
        raise never
    table = timetable_of(tidy, timezone)
    if not table.next(datetime.now(UTC), 1):
        raise never
    return table


def _readable(cron: str) -> bool:
    from cronsim import CronSim, CronSimError

    try:
        CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError:
        return False
    return True


def timetable_of(cron: str, timezone: str) -> Timetable:
    """The timetable of an expression that was checked before.

    Raises:
        BadInput: there is no such time zone on this computer.
    """
    try:
        return Timetable(cron, ZoneInfo(timezone))
    except (KeyError, ValueError, OSError) as unknown:  # what zoneinfo raises for a name, depends on the name
        raise BadInput(
            f"There is no time zone {timezone[:50]!r}.",
            way_out="Name it as the IANA does: Europe/Berlin, America/New_York, UTC.",
            field="timezone",
        ) from unknown


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment that is due and what is to be done: fire, or note that it was missed.

    Args:
        sentence: why it was missed, or for what others it stands.
    """

    due_utc: datetime
    fires: bool
    sentence: str = ""


def moments_due(
    table: Timetable,
    on_missed: OnMissed,
    considered: datetime,
    now: datetime,
    decided: Collection[datetime] = (),
) -> tuple[Moment, ...]:
    """What to do about the moments since one looked last. At most one of them fires, and that is the newest.

    Args:
        considered: up to here all was decided.
        now: by the clock on the wall.
        decided: moments that were decided already, before the clock was set back.

    Returns:
        In order of time, :data:`AT_ONCE` of them at most; where there are more, none of these fires.
    """
    since = takewhile(lambda moment: moment <= now, table.after(considered))
    found = list(islice((moment for moment in since if moment not in decided), AT_ONCE + 1))
    moments = found[:AT_ONCE]
    if len(found) > AT_ONCE:
        return tuple(Moment(moment, False, "Nobody looked at that time.") for moment in moments)
    if not moments:
        return ()
    *before, newest = moments
    in_time = now - newest <= LATE
    fires = in_time or on_missed is OnMissed.RUN_ONCE
    stands = f"; that of {newest:%Y-%m-%d %H:%M} UTC stands for it" if fires else ""
    missed = [Moment(moment, False, f"Nobody looked at that time{stands}.") for moment in before]
    if not fires:
        return (*missed, Moment(newest, False, "Nobody looked at that time."))
    late = "" if in_time else "It was missed, and made up for"
    others = f"{len(before)} before it were missed" if before else ""
    said = "; ".join(part for part in (late, others) if part)
    return (*missed, Moment(newest, True, f"{said[:1].upper()}{said[1:]}." if said else ""))
