"""Notices in the store: noted once, with how far was read, and tried until they are taken or given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lab.approvals import ApprovalReason, Cause
from lab.errors import BadInput
from lab.notices import Channel, Desktop, Notice, NoticeKind, NoticeStatus, next_try
from lab.store import Store
from lab.store.notices import GATHERED
from lab.store.schedules import Checkup
from lab.submissions import CampaignText, SubmissionStatus
from lab.types import CampaignStatus
from tests.lab.store.examples import a_campaign, opened_run, stocked

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SCREEN = Channel(name="screen", way=Desktop())


def begun(store: Store, name: str = "thermostable") -> str:
    campaign = a_campaign(name)
    store.create_campaign(campaign, stocked(store, {}).id, "hash", {})
    return campaign.id


def listen(store: Store, *channels: Channel, at: datetime = NOON) -> list[Notice]:
    """Note all that came up; what is new of it, oldest first."""
    before = {one.number for one in store.notices()}
    for heard in store.news():
        store.note_news(heard, channels or (SCREEN,), at)
    return [one for one in reversed(store.notices()) if one.number not in before]


def kinds(notices: list[Notice]) -> list[tuple[NoticeKind, str]]:
    return [(one.kind, one.channel) for one in notices]


def test_nothing_is_told_of_what_happened_before_anybody_listened(store: Store) -> None:
    campaign_id = begun(store)
    store.set_campaign_status(campaign_id, CampaignStatus.HELD, "Step 3 is unknown.")
    assert store.news() == ()
    store.begin_to_listen()
    assert listen(store) == []
    store.log(campaign_id, "fault", "The tip is clogged.")
    assert kinds(listen(store)) == [(NoticeKind.FAULT, "screen")]


def test_hold_fault_and_end_are_told_and_the_rest_is_not(store: Store) -> None:
    store.begin_to_listen()
    campaign_id = begun(store)
    store.log(campaign_id, "batch", "Batch 1 proposed.")
    store.log(campaign_id, "fault", "The tip is clogged.")
    store.set_campaign_status(campaign_id, CampaignStatus.HELD, "Step 3 is unknown.")
    store.set_campaign_status(campaign_id, CampaignStatus.RUNNING, "")
    store.set_campaign_status(campaign_id, CampaignStatus.STOPPED, "Lunch.")
    store.set_campaign_status(campaign_id, CampaignStatus.FINISHED, "The budget is spent.")
    fault, hold, finished = listen(store)
    assert [fault.kind, hold.kind, finished.kind] == [NoticeKind.FAULT, NoticeKind.HOLD, NoticeKind.FINISHED]
    assert "The tip is clogged." in fault.sentence
    assert hold.subject == "thermostable is held and waits for you"
    assert hold.path == f"live_run?campaign={campaign_id}"
    assert finished.subject == "thermostable has finished"
    assert finished.path == f"results?campaign={campaign_id}"
    assert {one.status for one in (fault, hold, finished)} == {NoticeStatus.WAITING}
    assert listen(store) == []


def test_the_end_of_a_baseline_is_nobodys_news_but_its_hold_is(store: Store) -> None:
    from dataclasses import replace

    store.begin_to_listen()
    own = a_campaign()
    bench = stocked(store, {}).id
    store.create_campaign(own, bench, "hash", {})
    baseline = replace(a_campaign("thermostable_random"), baseline_of=own.id)
    store.create_campaign(baseline, bench, "hash", {})
    store.set_campaign_status(baseline.id, CampaignStatus.HELD, "A plate fell.")
    store.set_campaign_status(baseline.id, CampaignStatus.FINISHED, "")
    assert [one.kind for one in listen(store)] == [NoticeKind.HOLD]


def test_a_channel_takes_what_it_is_for(store: Store) -> None:
    store.begin_to_listen()
    holds = Channel(name="holds", way=Desktop(), kinds=frozenset({NoticeKind.HOLD}))
    films = Channel(name="films", way=Desktop(), campaigns=("film_*", "paint"))
    for name in ("film_7", "thermostable"):
        store.set_campaign_status(begun(store, name), CampaignStatus.HELD, "")
    store.log(begun(store, "paint"), "fault", "It leaks.")
    told = [(one.subject.split()[0].rstrip(":"), one.channel) for one in listen(store, holds, films)]
    assert sorted(told) == [
        ("film_7", "films"),
        ("film_7", "holds"),
        ("paint", "films"),
        ("thermostable", "holds"),
    ]


def test_a_restart_tells_nothing_twice_and_loses_nothing(url: str) -> None:
    with Store.open(url) as store:
        store.begin_to_listen()
        campaign_id = begun(store)
        store.log(campaign_id, "fault", "One.")
        (heard,) = store.news()
        store.note_news(heard, [SCREEN], NOON)
        store.set_campaign_status(campaign_id, CampaignStatus.HELD, "Two.")
    with Store.open(url) as store:
        store.begin_to_listen()
        assert store.note_news(heard, [SCREEN], NOON) == 0, "as a program that was killed just before would"
        assert [one.kind for one in listen(store)] == [NoticeKind.HOLD]
        assert len(store.notices()) == 2


def test_what_can_not_be_noted_is_not_counted_as_read(store: Store) -> None:
    store.begin_to_listen()
    store.log(begun(store), "fault", "One.")
    (heard,) = store.news()
    broken = Channel(name=None, way=Desktop())  # type: ignore[arg-type]  # the database refuses it
    with pytest.raises(ValueError, match="refuses"):
        store.note_news(heard, [SCREEN, broken], NOON)
    assert store.notices() == ()
    assert kinds(listen(store)) == [(NoticeKind.FAULT, "screen")]


def test_faults_that_follow_each_other_are_told_together(store: Store) -> None:
    store.begin_to_listen()
    campaign_id, other = begun(store), begun(store, "other")
    store.log(campaign_id, "fault", "The first.")
    (first,) = listen(store)
    assert first.next_utc == NOON
    store.notice_tried(first.number, at=NOON)
    for n, word in enumerate(("second", "third"), start=1):
        store.log(campaign_id, "fault", f"The {word}.")
        listen(store, at=NOON + n * MINUTE)
    store.log(other, "fault", "Another's.")
    (others,) = listen(store, at=NOON + 3 * MINUTE)
    assert others.next_utc == NOON + 3 * MINUTE
    (gathered,) = [one for one in store.notices(campaign_id=campaign_id) if one.number != first.number]
    assert "The second." in gathered.sentence
    assert "The third." in gathered.sentence
    assert gathered.next_utc == NOON + GATHERED
    for n in range(100):
        store.log(campaign_id, "fault", f"Number {n}.")
    assert listen(store, at=NOON + 5 * MINUTE) == []
    (gathered,) = [one for one in store.notices(campaign_id=campaign_id) if one.number != first.number]
    assert gathered.sentence.splitlines()[-1] == "There are more."
    assert len(gathered.sentence.splitlines()) == 31
    store.notice_tried(gathered.number, at=NOON + GATHERED)
    store.log(campaign_id, "fault", "Much later.")
    (later,) = listen(store, at=NOON + 3 * GATHERED)
    assert later.next_utc == NOON + 3 * GATHERED


def test_what_could_not_be_started_is_told_when_that_is_known(store: Store) -> None:
    store.begin_to_listen()
    early = store.submit("early", CampaignText(text="x"), who="mira")
    late = store.submit("late", CampaignText(text="x"), who="mira")
    assert listen(store) == []
    store.change_submission(late.id, status=SubmissionStatus.FAILED.value, sentence="No such bench.")
    (notice,) = listen(store)
    assert (notice.kind, notice.subject) == (NoticeKind.NOT_STARTED, "late could not be started")
    assert "No such bench." in notice.sentence
    assert listen(store) == []
    store.change_submission(early.id, status=SubmissionStatus.FAILED.value, sentence="Nor this.")
    assert [one.subject for one in listen(store)] == ["early could not be started"]
    store.submit("third", CampaignText(text="x"), who="mira", status=SubmissionStatus.FAILED)
    assert [one.subject for one in listen(store)] == ["third could not be started"]


def test_a_schedule_that_could_not_begin_is_told(store: Store) -> None:
    pytest.importorskip("cronsim", reason="The extra `service` brings cronsim.")
    store.begin_to_listen()
    schedule = store.add_schedule(
        "nightly",
        campaign="thermostable",
        document=CampaignText(text="x"),
        cron="0 * * * *",
        timezone="UTC",
        who="mira",
        at=NOON,
    )
    store.decide(schedule.id, NOON + timedelta(hours=1), Checkup(problem="There is no planner 'luck'."))
    (notice,) = listen(store)
    assert notice.subject == "thermostable did not begin as scheduled"
    assert "There is no planner 'luck'." in notice.sentence
    store.decide(schedule.id, NOON + timedelta(hours=2), Checkup())
    assert listen(store) == []


def test_an_approval_that_is_waited_for_is_told_in_place_of_the_hold(store: Store) -> None:
    store.begin_to_listen()
    opened = opened_run(store)
    campaign_id = opened.run.campaign_id
    reason = ApprovalReason(cause=Cause.EACH_BATCH, sentence="Every batch needs a person.")
    approval = store.ask_for_batch(opened.batch.id, reasons=[reason], details={}, asked_by="mira")
    store.set_campaign_status(campaign_id, CampaignStatus.HELD, "Batch 1 waits for an approval.")
    (notice,) = listen(store)
    assert (notice.kind, notice.path) == (NoticeKind.APPROVAL, f"approve?approval={approval.id}")
    assert notice.subject == "thermostable: batch 1 waits for an approval"
    assert "Asked for by mira. Every batch needs a person." in notice.sentence
    assert notice.campaign_id == campaign_id
    store.approve(approval.id, who="jon")
    store.set_campaign_status(campaign_id, CampaignStatus.HELD, "A plate fell.")
    assert [one.kind for one in listen(store)] == [NoticeKind.HOLD]


def test_a_start_that_waits_for_an_approval_is_told(store: Store) -> None:
    store.begin_to_listen()
    reason = ApprovalReason(cause=Cause.START, sentence="The campaign is to begin.")
    store.submit("film", CampaignText(text="x"), who="mira", ask=(reason,))
    (notice,) = listen(store)
    assert notice.subject == "film: its start waits for an approval"
    assert "Asked for by mira. The campaign is to begin." in notice.sentence
    assert listen(store) == []


def test_a_notice_is_due_until_it_is_sent_or_given_up(store: Store) -> None:
    store.begin_to_listen()
    store.set_campaign_status(begun(store), CampaignStatus.HELD, "")
    (notice,) = listen(store)
    assert store.notices_due("screen", NOON - MINUTE) == ()
    assert store.notices_due("other", NOON) == ()
    assert store.notices_due("screen", NOON) == (notice,)
    tried = store.notice_tried(notice.number, error="No answer.", next_utc=NOON + MINUTE, at=NOON)
    assert (tried.tries, tried.error, tried.status) == (1, "No answer.", NoticeStatus.WAITING)
    assert store.notices_due("screen", NOON) == ()
    assert store.notices_due("screen", NOON + MINUTE) == (tried,)
    sent = store.notice_tried(notice.number, at=NOON + MINUTE)
    assert (sent.tries, sent.error, sent.status) == (2, "", NoticeStatus.SENT)
    assert sent.sent_utc == NOON + MINUTE
    assert store.notices_due("screen", NOON + MINUTE) == ()
    assert store.notices(status=NoticeStatus.SENT) == (sent,)
    assert store.notices(status=NoticeStatus.WAITING) == ()


def test_a_notice_that_is_given_up_stays_to_be_seen(store: Store) -> None:
    store.begin_to_listen()
    store.set_campaign_status(begun(store), CampaignStatus.HELD, "")
    (notice,) = listen(store)
    given_up = store.notice_tried(notice.number, error="No answer.", at=NOON)
    assert given_up.status is NoticeStatus.GIVEN_UP
    assert store.notices_due("screen", NOON + timedelta(days=9)) == ()
    assert store.notices(status=NoticeStatus.GIVEN_UP) == (given_up,)
    with pytest.raises(KeyError):
        store.notice_tried(12345, at=NOON)


def test_tries_get_rarer_and_end_after_a_day() -> None:
    tries, now, waits = 0, NOON, []
    while True:
        tries += 1
        again = next_try(tries, NOON, now)
        if again is None:
            break
        waits.append((again - now) // MINUTE)
        now = again
    assert waits[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert timedelta(hours=22) < now - NOON <= timedelta(days=1)


def test_nothing_is_noted_where_nobody_listens(store: Store) -> None:
    from lab.store.news import Heard

    with pytest.raises(BadInput, match="Nobody listens"):
        store.note_news(Heard("notices:event", 1, ()), [SCREEN], NOON)
