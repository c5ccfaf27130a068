"""When schedules are due, in time zones whose clocks are put forward and back."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from lab.errors import BadInput
from lab.schedules import OnMissed
from lab.timetable import AT_ONCE, LATE, moments_due, read_timetable

pytest.importorskip("cronsim", reason="The extra `service` brings cronsim.")

BERLIN = ZoneInfo("Europe/Berlin")
FORWARD = datetime(2026, 3, 29, tzinfo=BERLIN)
"""02:00 CET is 03:00 CEST."""
BACK = datetime(2026, 10, 25, tzinfo=BERLIN)
"""03:00 CEST is 02:00 CET."""


def on_that_day(cron: str, day: datetime, zone: str = "Europe/Berlin") -> list[str]:
    """What a cron expression comes to within a day, as its wall clock and offset show it."""
    table = read_timetable(cron, zone)
    start = day.replace(tzinfo=ZoneInfo(zone))
    found = table.between(start - timedelta(seconds=1), _end(start), 1000)
    return [f"{moment.astimezone(table.zone):%H:%M%z}" for moment in found]


def _end(start: datetime) -> datetime:
    midnight = start.replace(day=start.day + 1)
    return (midnight.astimezone(UTC)) - timedelta(seconds=1)


def test_half_past_two_comes_once_at_the_first_moment_after_the_gap() -> None:
    assert on_that_day("30 2 * * *", FORWARD) == ["03:00+0200"]
    assert on_that_day("10,40 2 * * *", FORWARD) == ["03:00+0200"]
    assert on_that_day("30 2,3 * * *", FORWARD) == ["03:00+0200", "03:30+0200"]
    assert on_that_day("0 2,3 * * *", FORWARD) == ["03:00+0200"]


def test_half_past_two_comes_once_at_the_first_half_past_two_when_there_are_two() -> None:
    assert on_that_day("30 2 * * *", BACK) == ["02:30+0200"]
    assert on_that_day("0 1-4 * * *", BACK) == ["01:00+0200", "02:00+0200", "03:00+0100", "04:00+0100"]


def test_every_quarter_of_an_hour_means_elapsed_time() -> None:
    assert len(on_that_day("*/15 * * * *", FORWARD)) == 23 * 4
    assert len(on_that_day("*/15 * * * *", BACK)) == 25 * 4
    assert on_that_day("30 * * * *", BACK)[:4] == ["00:30+0200", "01:30+0200", "02:30+0200", "02:30+0100"]
    table = read_timetable("*/15 * * * *", "Europe/Berlin")
    moments = table.next(BACK, 200)
    assert {late - early for early, late in itertools.pairwise(moments)} == {timedelta(minutes=15)}


def test_what_falls_into_the_gap_by_elapsed_time_is_not_there() -> None:
    assert on_that_day("*/30 2 * * *", FORWARD) == []
    assert on_that_day("*/30 2 * * *", BACK) == ["02:00+0200", "02:30+0200", "02:00+0100", "02:30+0100"]


def test_a_gap_at_midnight_is_left_to_the_first_moment_after_it() -> None:
    day = datetime(2026, 4, 24, tzinfo=UTC)
    cairo = ZoneInfo("Africa/Cairo")  # 00:00 is 01:00 there, on the last Friday of April
    assert on_that_day("15 0 * * *", day, "Africa/Cairo") == ["01:00+0300"]
    assert on_that_day("*/30 0 * * FRI", day, "Africa/Cairo") == []
    assert read_timetable("15 0 * * *", "Africa/Cairo").next(datetime(2026, 4, 23, 12, tzinfo=cairo), 1) == (
        datetime(2026, 4, 23, 22, tzinfo=UTC),
    )


def test_half_an_hour_that_is_left_out_is_known_too() -> None:
    day = datetime(2026, 10, 4, tzinfo=UTC)  # Lord Howe: 02:00 is 02:30
    assert on_that_day("15 2 * * *", day, "Australia/Lord_Howe") == ["02:30+1100"]


@pytest.mark.parametrize("cron", ["30 2 * * *", "*/20 * * * *", "0 2,3 * * *"])
@pytest.mark.parametrize("day", [FORWARD, BACK])
def test_wherever_one_begins_the_moments_are_the_same_and_in_order(cron: str, day: datetime) -> None:
    table = read_timetable(cron, "Europe/Berlin")
    start = day.astimezone(UTC) - timedelta(seconds=1)
    end = start + timedelta(days=2)
    every = table.between(start, end, 1000)
    for minutes in range(0, 26 * 60, 7):
        later = start + timedelta(minutes=minutes, seconds=1)
        assert table.between(later, end, 1000) == tuple(moment for moment in every if moment > later)


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("0 2 * *", "five fields"),
        ("0 0 2 * * *", "has 6"),
        ("", "has 0"),
        ("60 2 * * *", "'60' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 2 32 * *", "'32' is no day of the month"),
        ("0 2 * 13 *", "'13' is no month"),
        ("0 2 * * MOO", "'MOO' is no day of the week"),
        ("*/0 2 * * *", "'*/0' is no minute"),
        ("5-1 2 * * *", "'5-1' is no minute"),
        ("0 2 30 2 *", "never comes"),
        ("0 2 31 4,6 *", "never comes"),
        ("@daily", "five fields"),
        ("L-L,,#/ 2 * * *", "is no minute"),
        ("0 2 LW/L * *", "is no day of the month"),
        ("0 2 * * 1#9", "is no day of the week"),
        ("0 2 * * MON-FRI-SUN", "is no day of the week"),
        ("٣ 2 * * *", "is no minute"),
    ],
)
def test_a_wrong_expression_is_refused_with_what_is_wrong(cron: str, said: str) -> None:
    with pytest.raises(BadInput, match=said.replace("*", r"\*")) as refused:
        read_timetable(cron, "UTC")
    assert refused.value.field == "cron"


@pytest.mark.parametrize(
    "name", ["Europe/Bonn", "", "../../etc/passwd", "/etc/localtime", "Europe", "a\0b", "x" * 5000]
)
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="no time zone") as refused:
        read_timetable("0 2 * * *", name)
    assert refused.value.field == "timezone"


def test_names_of_days_and_spaces_do_not_matter() -> None:
    assert read_timetable("  0  2 * jan mon ", "UTC").cron == "0 2 * JAN MON"


def test_a_leap_day_is_found_years_ahead() -> None:
    (moment,) = read_timetable("0 2 29 2 *", "UTC").next(datetime(2026, 3, 1, tzinfo=UTC), 1)
    assert moment == datetime(2028, 2, 29, 2, tzinfo=UTC)


HOURLY = read_timetable("0 * * * *", "UTC")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def due(
    now: datetime, on_missed: OnMissed = OnMissed.RUN_ONCE, decided: tuple[datetime, ...] = ()
) -> list[tuple[int, bool]]:
    found = moments_due(HOURLY, on_missed, NOON, now, decided)
    return [(moment.due_utc.hour, moment.fires) for moment in found]


def test_a_moment_that_comes_in_time_fires() -> None:
    assert due(NOON + timedelta(minutes=59, seconds=59)) == []
    assert due(NOON + timedelta(hours=1)) == [(13, True)]
    assert due(NOON + timedelta(hours=1) + LATE, OnMissed.SKIP) == [(13, True)]


def test_what_was_missed_begins_once_or_not_at_all() -> None:
    late = NOON + timedelta(hours=4, minutes=30)
    assert due(late) == [(13, False), (14, False), (15, False), (16, True)]
    assert due(late, OnMissed.SKIP) == [(13, False), (14, False), (15, False), (16, False)]


def test_one_that_comes_in_time_stands_for_those_missed_before_it() -> None:
    for on_missed in OnMissed:
        assert due(NOON + timedelta(hours=3, minutes=1), on_missed) == [(13, False), (14, False), (15, True)]


def test_what_was_decided_before_the_clock_was_set_back_is_not_decided_again() -> None:
    one = NOON + timedelta(hours=1)
    assert due(NOON + timedelta(hours=2), decided=(one,)) == [(14, True)]
    assert due(one, decided=(one,)) == []
    many = tuple(NOON + timedelta(hours=hour) for hour in range(1, AT_ONCE + 50))
    assert due(many[-1] + timedelta(hours=1), decided=many) == [
        ((NOON + timedelta(hours=AT_ONCE + 50)).hour, True)
    ]


def test_years_of_missed_moments_are_decided_in_parts_and_only_the_last_fires() -> None:
    considered, parts, fired = NOON, 0, []
    end = NOON + timedelta(hours=2 * AT_ONCE + 10, minutes=30)
    while moments := moments_due(HOURLY, OnMissed.RUN_ONCE, considered, end):
        assert len(moments) <= AT_ONCE
        fired += [moment.due_utc for moment in moments if moment.fires]
        considered, parts = moments[-1].due_utc, parts + 1
    assert parts == 3
    assert fired == [end - timedelta(minutes=30)]
