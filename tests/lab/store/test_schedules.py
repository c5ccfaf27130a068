"""Schedules in the store: a moment is decided once, whatever is killed and however the clock is set."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from lab.approvals import ApprovalReason, ApprovalStatus, Cause
from lab.errors import BadInput
from lab.schedules import Firing, OnMissed, OnOverlap, Outcome, Schedule
from lab.store import Store
from lab.store.schedules import MOST_WAITING, Checkup
from lab.submissions import CampaignText, SubmissionStatus
from lab.timetable import LATE
from lab.types import CampaignStatus
from tests.lab.store.examples import a_campaign, stocked

pytest.importorskip("cronsim", reason="The extra `service` brings cronsim.")

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hourly(
    store: Store,
    name: str = "hourly",
    on_missed: OnMissed = OnMissed.RUN_ONCE,
    on_overlap: OnOverlap = OnOverlap.QUEUE,
) -> Schedule:
    return store.add_schedule(
        name,
        campaign="thermostable",
        document=CampaignText(text="name: thermostable"),
        cron="0 * * * *",
        timezone="UTC",
        who="mira",
        priority=3,
        on_missed=on_missed,
        on_overlap=on_overlap,
        at=NOON,
    )


def told(firings: tuple[Firing, ...]) -> list[tuple[int, Outcome]]:
    return [(firing.due_utc.hour, firing.outcome) for firing in firings]


def start(store: Store, submission_id: str) -> str:
    """Make a campaign of what was handed in."""
    campaign = a_campaign(budget=6)
    store.create_campaign(campaign, stocked(store, {}).id, "hash", {}, submission_id=submission_id)
    return campaign.id


def test_a_moment_hands_in_what_the_schedule_says(store: Store) -> None:
    schedule = hourly(store)
    assert store.decide(schedule.id, NOON + 0.5 * HOUR, None) == ()
    assert store.fires_now(schedule.id, NOON + HOUR)
    (firing,) = store.decide(schedule.id, NOON + HOUR, Checkup(rehearsal={"sha256": "abc"}))
    assert (firing.due_utc, firing.outcome, firing.decided_utc) == (NOON + HOUR, Outcome.FIRED, NOON + HOUR)
    submission = store.submission(firing.submission_id)
    assert (submission.name, submission.who, submission.priority) == ("thermostable", "mira", 3)
    assert submission.schedule_id == schedule.id
    assert submission.document == schedule.document
    assert submission.rehearsal == {"sha256": "abc"}
    assert submission.status is SubmissionStatus.QUEUED


def test_a_moment_fires_once_however_often_one_looks(store: Store) -> None:
    schedule = hourly(store)
    for seconds in range(0, 200, 10):
        store.decide(schedule.id, NOON + HOUR + timedelta(seconds=seconds), Checkup())
    assert told(store.firings()) == [(13, Outcome.FIRED)]
    assert len(store.submissions()) == 1


def test_nothing_is_decided_where_the_campaign_was_not_looked_at(store: Store) -> None:
    schedule = hourly(store)
    assert store.decide(schedule.id, NOON + HOUR, None) == ()
    assert told(store.decide(schedule.id, NOON + HOUR, Checkup())) == [(13, Outcome.FIRED)]


@pytest.mark.parametrize("on_missed", OnMissed)
def test_what_was_missed_while_the_service_was_down_is_recorded_moment_by_moment(
    store: Store, on_missed: OnMissed
) -> None:
    schedule = hourly(store, on_missed=on_missed)
    store.decide(schedule.id, NOON + 5.5 * HOUR, Checkup())
    last = Outcome.FIRED if on_missed is OnMissed.RUN_ONCE else Outcome.MISSED
    assert told(store.firings()) == [*((hour, Outcome.MISSED) for hour in (13, 14, 15, 16)), (17, last)]
    assert len(store.submissions()) == (on_missed is OnMissed.RUN_ONCE)
    assert all(firing.sentence for firing in store.firings())
    assert told(store.decide(schedule.id, NOON + 6 * HOUR, Checkup())) == [(18, Outcome.FIRED)]


def test_a_campaign_that_can_not_be_begun_is_a_moment_that_failed(store: Store) -> None:
    schedule = hourly(store)
    (firing,) = store.decide(schedule.id, NOON + HOUR, Checkup(problem="There is no planner 'luck'."))
    assert (firing.outcome, firing.sentence) == (Outcome.FAILED, "There is no planner 'luck'.")
    assert store.submissions() == ()


def test_what_needs_a_person_waits_for_one(store: Store) -> None:
    schedule = hourly(store)
    reason = ApprovalReason(cause=Cause.START, sentence="The campaign is to begin.")
    (firing,) = store.decide(schedule.id, NOON + HOUR, Checkup(ask=(reason,)))
    assert store.submission(firing.submission_id).status is SubmissionStatus.WAITING
    (approval,) = store.approvals(status=ApprovalStatus.WAITING)
    assert (approval.submission_id, approval.asked_by) == (firing.submission_id, "mira")
    store.approve(approval.id, who="jon")
    assert store.submission(firing.submission_id).status is SubmissionStatus.QUEUED


def test_nothing_begins_while_what_began_before_is_not_over(store: Store) -> None:
    schedule = hourly(store, on_overlap=OnOverlap.SKIP)
    (first,) = store.decide(schedule.id, NOON + HOUR, Checkup())
    (queued,) = store.decide(schedule.id, NOON + 2 * HOUR, Checkup())
    assert queued.outcome is Outcome.OVERLAPPED
    campaign_id = start(store, first.submission_id)
    for hour, status in ((3, CampaignStatus.RUNNING), (4, CampaignStatus.STOPPED), (5, CampaignStatus.HELD)):
        store.set_campaign_status(campaign_id, status, "")
        (firing,) = store.decide(schedule.id, NOON + hour * HOUR, Checkup())
        assert firing.outcome is Outcome.OVERLAPPED
        assert "thermostable" in firing.sentence
    store.set_campaign_status(campaign_id, CampaignStatus.FINISHED, "")
    (after,) = store.decide(schedule.id, NOON + 6 * HOUR, Checkup())
    assert after.outcome is Outcome.FIRED
    assert store.firings(schedule_id=schedule.id)[0].campaign_id == campaign_id


def test_what_overlaps_waits_for_its_turn_where_the_schedule_says_so(store: Store) -> None:
    schedule = hourly(store, on_overlap=OnOverlap.QUEUE)
    for hour in (1, 2):
        store.decide(schedule.id, NOON + hour * HOUR, Checkup())
    first, second = store.submissions()
    assert not store.waits_for_its_schedule(first)
    assert store.waits_for_its_schedule(second)
    campaign_id = start(store, first.id)
    assert store.waits_for_its_schedule(second)
    store.set_campaign_status(campaign_id, CampaignStatus.ABORTED, "")
    assert not store.waits_for_its_schedule(second)


def test_what_others_handed_in_waits_for_no_schedule(store: Store) -> None:
    schedule = hourly(store)
    store.decide(schedule.id, NOON + HOUR, Checkup())
    own = store.submit("thermostable", CampaignText(text="x"), who="jon")
    other = hourly(store, "other")
    (firing,) = store.decide(other.id, NOON + HOUR, Checkup())
    assert not store.waits_for_its_schedule(own)
    assert not store.waits_for_its_schedule(store.submission(firing.submission_id))


def test_no_endless_queue_builds_up(store: Store) -> None:
    schedule = hourly(store, on_overlap=OnOverlap.QUEUE)
    for hour in range(1, MOST_WAITING + 5):
        store.decide(schedule.id, NOON + hour * HOUR, Checkup())
    assert len(store.submissions()) == MOST_WAITING + 1
    assert store.firings()[-1].outcome is Outcome.OVERLAPPED


def test_a_clock_that_is_set_back_makes_nothing_fire_twice(store: Store) -> None:
    schedule = hourly(store)
    store.decide(schedule.id, NOON + HOUR, Checkup())
    store.decide(schedule.id, NOON + 2 * HOUR, Checkup())
    for minutes in range(0, 150, 5):
        store.decide(schedule.id, NOON + timedelta(minutes=minutes), Checkup())
    assert told(store.firings()) == [(13, Outcome.FIRED), (14, Outcome.FIRED)]
    assert told(store.decide(schedule.id, NOON + 3 * HOUR, Checkup())) == [(15, Outcome.FIRED)]


def test_a_clock_that_was_a_year_ahead_does_not_silence_a_schedule_for_a_year(store: Store) -> None:
    schedule = hourly(store)
    ahead = NOON + timedelta(days=365, minutes=30)
    while store.decide(schedule.id, ahead, Checkup()):
        pass
    assert len(store.submissions()) == 1, "what a wrong clock took for a year of missed moments begins once"
    back = NOON + HOUR - timedelta(minutes=1)
    assert store.decide(schedule.id, back, Checkup()) == ()
    assert told(store.decide(schedule.id, NOON + HOUR, Checkup())) == [(13, Outcome.FIRED)]
    assert len(store.submissions()) == 2


def test_a_clock_that_jumps_ahead_for_a_minute_swallows_no_moment(store: Store) -> None:
    schedule = hourly(store)
    assert store.decide(schedule.id, NOON + 0.9 * HOUR, Checkup()) == ()
    assert store.decide(schedule.id, NOON + 0.1 * HOUR, Checkup()) == ()
    assert told(store.decide(schedule.id, NOON + HOUR + LATE, Checkup())) == [(13, Outcome.FIRED)]


def test_what_passes_while_it_is_paused_is_not_missed(store: Store) -> None:
    schedule = hourly(store)
    paused = store.pause_schedule("hourly", paused=True)
    assert (paused.active, paused.version) == (False, 2)
    assert store.pause_schedule("hourly", paused=True).version == 2
    assert not store.fires_now(schedule.id, NOON + 3 * HOUR)
    assert store.decide(schedule.id, NOON + 3 * HOUR, Checkup()) == ()
    store.pause_schedule(schedule.id, paused=False, expected_version=2, at=NOON + 5.5 * HOUR)
    assert told(store.decide(schedule.id, NOON + 6 * HOUR, Checkup())) == [(18, Outcome.FIRED)]
    assert len(store.firings()) == 1


def test_a_removed_schedule_begins_nothing_and_gives_its_name_back(store: Store) -> None:
    schedule = hourly(store)
    (firing,) = store.decide(schedule.id, NOON + HOUR, Checkup())
    store.remove_schedule("hourly", at=NOON + 2 * HOUR)
    assert store.decide(schedule.id, NOON + 3 * HOUR, Checkup()) == ()
    assert store.schedules() == ()
    assert [one.id for one in store.schedules(removed=True)] == [schedule.id]
    assert store.schedule(schedule.id).removed_utc == NOON + 2 * HOUR
    assert store.submission(firing.submission_id).status is SubmissionStatus.QUEUED
    assert hourly(store).id != schedule.id
    with pytest.raises(BadInput, match="no schedule nightly"):
        store.remove_schedule("nightly")


def test_a_change_by_an_old_page_is_refused(store: Store) -> None:
    schedule = hourly(store)
    store.pause_schedule(schedule.id, paused=True)
    for change in (store.remove_schedule, lambda *a, **k: store.pause_schedule(*a, paused=False, **k)):
        with pytest.raises(BadInput, match="changed meanwhile") as refused:
            change(schedule.id, expected_version=1)
        assert refused.value.field == "version"


def test_a_name_is_taken_once_and_not_empty(store: Store) -> None:
    hourly(store)
    with pytest.raises(BadInput, match="a schedule hourly already"):
        hourly(store, " hourly ")
    for name in ("  ", "a\nb", "a\0b"):
        with pytest.raises(BadInput, match="has a name"):
            hourly(store, name)


def test_firings_are_found_by_time_and_schedule(store: Store) -> None:
    schedule, other = hourly(store), hourly(store, "other")
    for one in (schedule, other):
        store.decide(one.id, NOON + 3.5 * HOUR, Checkup())
    assert told(store.firings(NOON + 2 * HOUR, NOON + 3 * HOUR)) == [(14, Outcome.MISSED)] * 2
    assert told(store.firings(most=2)) == [(15, Outcome.FIRED)] * 2
    assert len(store.firings(schedule_id=other.id)) == 3


_KILLED = """
import os, sys
from datetime import datetime
from lab.store import Store
import lab.store.schedules as schedules
url, schedule_id, at, point = sys.argv[1:]
def die(*_, **__):
    os._exit(9)
add = schedules.add_submission
if point == "before_submission":
    schedules.add_submission = die
if point == "after_submission":
    schedules.add_submission = lambda *a, **k: (add(*a, **k), die())
store = Store.open(url)
if point == "before_commit":
    from sqlalchemy import event
    event.listen(store._database._connection, "commit", die)
store.decide(schedule_id, datetime.fromisoformat(at), schedules.Checkup())
die()
"""


@pytest.mark.parametrize(
    ("point", "done"),
    [("before_submission", 0), ("after_submission", 0), ("before_commit", 0), ("after_commit", 1)],
)
def test_a_kill_at_any_point_leaves_a_moment_that_fires_once(url: str, point: str, done: int) -> None:
    with Store.open(url) as store:
        schedule = hourly(store)
    at = NOON + HOUR
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, url, schedule.id, at.isoformat(), point],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert killed.returncode == 9, killed.stderr
    with Store.open(url) as store:
        assert (len(store.firings()), len(store.submissions())) == (done, done), "both or neither"
        store.decide(schedule.id, at + timedelta(seconds=20), Checkup())
        assert told(store.firings()) == [(13, Outcome.FIRED)]
        assert [one.schedule_id for one in store.submissions()] == [schedule.id]
