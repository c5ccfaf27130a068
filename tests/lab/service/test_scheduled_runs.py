"""Schedules with a whole service around them: what was missed while it was down, and what waits for its turn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from lab.schedules import OnOverlap, Outcome, Schedule
from lab.store import Store
from lab.store.schedules import Checkup
from lab.submissions import CampaignText
from lab.types import CampaignStatus
from tests.campaign_files import write_campaign
from tests.lab.service.lab_app import lab


def daily(folder: Path, on_overlap: OnOverlap, at: datetime) -> Schedule:
    """A schedule in the store of a folder whose service is not there yet; its moments are as far from now as can be."""
    file = write_campaign(folder, "nightly", budget=3, batch_size=3)
    opposite = (datetime.now(UTC) + timedelta(hours=12)).hour
    with Store.open(folder / "lab.db") as store:
        return store.add_schedule(
            "nightly",
            campaign="nightly",
            document=CampaignText(text=file.read_text(), path=file.name),
            cron=f"0 {opposite} * * *",
            timezone="UTC",
            who="root at the command line",
            on_overlap=on_overlap,
            at=at,
        )


def test_what_was_missed_while_the_service_was_down_begins_once_when_it_is_back(tmp_path: Path) -> None:
    schedule = daily(tmp_path, OnOverlap.SKIP, datetime.now(UTC) - timedelta(days=4))
    for start in range(2):
        with lab(tmp_path) as here:
            if start == 0:
                assert here.ended().status is CampaignStatus.FINISHED
            *missed, fired = here.store.firings(schedule_id=schedule.id)
            assert [one.outcome for one in missed] == [Outcome.MISSED] * 3
            assert fired.outcome is Outcome.FIRED
            assert fired.sentence == "It was missed, and made up for; 3 before it were missed."
            assert len(here.store.submissions()) == 1
            assert here.client.app.state.timekeeper.look() == ()  # type: ignore[attr-defined]  # an app of ours


def test_what_overlaps_starts_when_the_one_before_is_over(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    schedule = daily(tmp_path, OnOverlap.QUEUE, now)
    with Store.open(tmp_path / "lab.db") as store:
        for day in (1, 2):
            (firing,) = store.decide(
                schedule.id, now + timedelta(days=day), Checkup(rehearsal={"baseline": False})
            )
            assert firing.outcome is Outcome.FIRED
    with lab(tmp_path) as here:
        first, second = here.ended(), here.ended()
        assert [first.status, second.status] == [CampaignStatus.FINISHED] * 2
        earlier, later = here.store.submissions()
        assert (earlier.campaign_id, later.campaign_id) == (first.campaign_id, second.campaign_id)
        (*_, ended) = here.store.events(first.campaign_id)
        begun = here.store.events(second.campaign_id)[0]
        assert ended.details["status"] == CampaignStatus.FINISHED
        assert ended.number < begun.number
