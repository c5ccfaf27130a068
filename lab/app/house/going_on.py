"""What of the house goes on with campaigns that have stopped, or gives them up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from lab.app.control import Action
from lab.app.house.shifts import Shifts
from lab.app.house.steering import Steering
from lab.app.house.stops import QUEUE
from lab.app.laboratory import Laboratory
from lab.app.prepare import stored_workcell
from lab.app.team import Team
from lab.app.unfinished import UNFINISHED
from lab.errors import BadInput, BenchBusy, DrywetError, StoreUnusable
from lab.store import CampaignRecord, Store
from lab.types import CampaignStatus, ExperimentStatus

__all__ = ["SHUT_DOWN", "GoingOn"]

log = logging.getLogger("drywet.service")

SHUT_DOWN = "The service was shut down; this goes on when it is back."
"""Why what was under way then has stopped; by this it is known at the next start."""


class GoingOn(Steering):
    """Campaigns that go on: as somebody asks, as a person has decided, or as the program before this one left them.

    Attributes:
        store: of the house.
    """

    store: Store
    _shifts: Shifts
    _closing: threading.Event

    def __init__(self) -> None:
        self._resuming = threading.Lock()
        self._left: dict[str, str] = {}
        self._taking_up: Mapping[str, str] = {}

    def _hold_what_was_left(self) -> None:
        with self._resuming:
            self._shifts.hold_what_was_left()

    def left(self) -> tuple[str, ...]:
        """What is not over, a sentence each: what goes on at the next start, what waits for somebody, and the queue."""
        sentences = []
        for record in self.store.campaigns():
            name, why = record.campaign.name, record.sentence
            if _is_left_under_way(record):
                sentences.append(f"{name} goes on at the next start.")
            elif record.status in UNFINISHED:
                sentences.append(f"{name} is {record.status}{f': {why}' if why else '.'}")
        waiting = len(self.store.submissions(open_only=True))
        return (*sentences, *([f"In the queue: {waiting}."] if waiting else []))

    def resume(self, campaign_id: str) -> None:
        """See :meth:`lab.service.house.House.resume`."""
        self._resume(self.store.campaign(campaign_id), lambda other: True)

    def _resume(
        self, record: CampaignRecord, company: Callable[[CampaignRecord], bool], *, unasked: bool = False
    ) -> None:
        """Go on with a campaign, and with those of its company that may.

        Args:
            unasked: nobody has said so: what was asked of them before, to pause or to stop, holds.

        Raises:
            BadInput: as :meth:`resume`.
        """
        if record.status not in UNFINISHED:
            raise BadInput(
                f"{record.campaign.name} has {record.status}; there is nothing to go on with.", field="status"
            )
        with self._resuming:
            if any(one.campaign_id == record.campaign.id and one.at_work for one in self.standings()):
                raise BadInput(f"{record.campaign.name} runs already.", field="status")
            spec = stored_workcell(record)
            began = self._stops.mark

            def begin(laboratory: Laboratory, team: Team) -> None:
                campaigns = laboratory.go_on(team, record, company)
                asked = self._stops.read() if unasked else self._stops.since(began)
                self._stops.forget(campaigns.keys() - asked.keys())
                for campaign_id in campaigns.keys() & asked.keys():
                    laboratory.request_stop(asked[campaign_id], campaign_id)
                for campaign_id, pause in campaigns.items():
                    why = self._paused_for(campaign_id)
                    if why and unasked:
                        pause(why)
                    elif why:
                        self.store.log(campaign_id, Action.CONTINUE, "Resumed.", None)

            self._taking_up = {record.campaign.id: record.campaign.name}
            try:
                self._shifts.begin(spec.name, begin, twin=spec.twin, stopped=[record])
            finally:
                self._taking_up = {}

    def give_up(self, campaign_id: str, why: str) -> None:
        """See :meth:`lab.service.house.House.give_up`."""
        record = self.store.campaign(campaign_id)
        name = record.campaign.name
        if record.status not in UNFINISHED:
            raise BadInput(f"{name} has {record.status}; there is nothing to give up.", field="status")
        if any(one.at_work for one in self.standings(record.campaign.id)):
            raise BadInput(f"{name} runs.", way_out="Stop it first.", field="status")
        if self.store.batch_at_work(record.campaign.id) is not None:
            raise BadInput(
                f"{name} stopped in the middle of a run, and its plates stand where that left them.",
                way_out="Resume it until its batch is measured, and stop it then.",
                field="status",
            )
        waiting = [
            one.id for batch in self.store.open_batches(record.campaign.id) for one in batch.experiments
        ]
        self.store.set_experiment_status(waiting, ExperimentStatus.ABANDONED)
        self.store.set_campaign_status(record.campaign.id, CampaignStatus.ABORTED, why)

    def _keep_stops(self) -> None:
        """Tell the store who was asked to stop before the program ended, where it could not be told then."""
        stops = self._stops.read()
        self._halted = stops.get(QUEUE, "")
        known = {record.campaign.id: record for record in self.store.campaigns()}
        asked = {one: why for one, why in stops.items() if one in known}
        for campaign_id, why in asked.items():
            self._keep_stop(known[campaign_id], f"{why} The store is told of it only now.", why)
        self._stops.forget(asked)

    def _keep_stop(self, record: CampaignRecord, sentence: str, why: str) -> None:
        if _is_left_under_way(record):
            self.store.set_campaign_status(record.campaign.id, CampaignStatus.STOPPED, why)
            self.store.log(record.campaign.id, "stop", sentence, None)

    def _left_under_way(self) -> dict[str, str]:
        """What was under way when the program before this one ended, baselines among it, whatever became of the others.

        Returns:
            Identifier -> name.
        """
        left = filter(_is_left_under_way, self.store.campaigns())
        return {record.campaign.id: record.campaign.name for record in left}

    def _may_go_on(self, record: CampaignRecord) -> bool:
        """Without anybody's word."""
        return _is_left_under_way(record) and record.campaign.id not in self._stops.read()

    def _paused_for(self, campaign_id: str) -> str:
        """Why a campaign was to stand still when somebody last said anything about that; empty where it may go on."""
        said = [e for e in self.store.events(campaign_id) if e.kind in (Action.PAUSE, Action.CONTINUE)]
        return (said[-1].sentence or "Paused.") if said and said[-1].kind == Action.PAUSE else ""

    def _go_on_with_left(self) -> None:
        """Resume what was under way; what a bench that is being opened keeps waiting is tried again at the next look.

        Whatever keeps one campaign from going on, the others do, and its status says why.
        """
        for campaign_id in list(self._left):
            if self._closing.is_set():
                return
            if not any(
                one.campaign_id == campaign_id for one in self.standings()
            ):  # else the company of another
                record = self.store.campaign(campaign_id)
                try:
                    if why := self._stops.read().get(campaign_id):
                        self._keep_stop(record, why, why)
                    elif _is_left_under_way(record):
                        self._resume_or_say_why(record)
                except BenchBusy:
                    continue
            del self._left[campaign_id]

    def _go_on_with_decided(self) -> None:
        """Resume what a person has decided about, also where they did so while no service was here."""
        for campaign_id in self.store.decided_since_held():
            at_work = any(one.campaign_id == campaign_id and one.at_work for one in self.standings())
            if self._closing.is_set() or at_work:  # It is being held this moment; the next look finds it.
                continue
            with suppress(BenchBusy):
                self._resume_or_say_why(self.store.campaign(campaign_id))

    def _resume_or_say_why(self, record: CampaignRecord) -> None:
        """Resume a campaign, or hold it. What a person stopped on its bench stays stopped: nobody has said a word of it.

        Raises:
            BenchBusy: its bench is being opened or given back, which passes.
            StoreUnusable: nothing can be said of it.
        """
        try:
            self._resume(record, self._may_go_on, unasked=True)
        except (StoreUnusable, BenchBusy):
            raise
        except DrywetError as error:
            self.store.set_campaign_status(record.campaign.id, CampaignStatus.HELD, str(error))
        except Exception as bug:
            log.exception("%s can't be resumed.", record.campaign.name)
            self.store.set_campaign_status(
                record.campaign.id, CampaignStatus.HELD, f"{type(bug).__name__}: {bug}"
            )


def _is_left_under_way(record: CampaignRecord) -> bool:
    """Whether the end of a program, and nobody's wish, is why a campaign does not run."""
    shut_down = record.status is CampaignStatus.STOPPED and record.sentence == SHUT_DOWN
    return shut_down or record.status is CampaignStatus.RUNNING
