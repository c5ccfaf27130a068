"""What of the house looks at the queue, and begins what is due."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from lab.app.house.going_on import GoingOn
from lab.app.house.stops import QUEUE
from lab.app.inventory import refuse_other_material, refuse_to_begin
from lab.app.laboratory import Laboratory
from lab.app.prepare import Prepared, prepare
from lab.app.rehearsal import refuse, rehearse
from lab.app.stock import Claim
from lab.app.team import Team
from lab.app.unfinished import UNFINISHED
from lab.errors import BadInput, BenchBusy, DrywetError, Infeasible, StoreUnusable
from lab.store import CampaignRecord
from lab.submissions import CampaignText, Submission, SubmissionStatus
from lab.types import CampaignStatus

__all__ = ["LOOK_EVERY_S", "Queueing"]

log = logging.getLogger("drywet.service")

LOOK_EVERY_S = 1.0
"""Wall time between two looks at the queue, when nobody asks for one."""

LONGEST_WAIT_S = 16.0
"""Wall time after which what waits for a bench is tried again, when nothing has happened."""


class Queueing(GoingOn):
    """Begins what was handed in, one after the other, in the thread that keeps looking.

    Attributes:
        folder: the lab's.
    """

    folder: Path
    _wake: threading.Event

    def __init__(self) -> None:
        super().__init__()
        self._busy: dict[str, tuple[float, float]] = {}

    def _prepare(self, document: CampaignText) -> Prepared:
        path = (self.folder / document.path).resolve()
        if not path.is_relative_to(self.folder):
            raise BadInput(f"{document.path} lies outside the lab's folder.", field="path")
        return prepare(path, text=document.text, within=self.folder)

    def _keep_looking(self) -> None:
        while not self._closing.is_set():
            if self._wake.wait(LOOK_EVERY_S):
                self._busy.clear()
            self._wake.clear()
            try:
                self._hold_what_was_left()
                self._hold_queue()
                for submission in self.store.submissions(open_only=True):
                    if self._closing.is_set():
                        return
                    if self._halted:
                        break
                    if (
                        _is_due(submission)
                        and not self._waits_for_its_bench(submission)
                        and not self.store.waits_for_its_schedule(submission)
                    ):
                        self._begin_or_say_why(submission)
                self._go_on_with_left()
                self._go_on_with_decided()
            except StoreUnusable as gone:
                log.error("The queue can't be read: %s", gone)
            except Exception:  # The queue goes on with the others, whatever one of them does.
                log.exception("A look at the queue failed.")

    def _hold_queue(self) -> None:
        """Everything was stopped: who waits to begin waits for a person's word."""
        reason = self._halted
        if not reason:
            return
        for one in self.store.submissions(open_only=True):
            if not one.held:
                with suppress(BadInput):  # It started just before, and was stopped with the others.
                    self.store.change_submission(one.id, held=True, sentence=reason)
        self._stops.forget([QUEUE])
        if self._halted == reason:
            self._halted = ""

    def _waits_for_its_bench(self, submission: Submission) -> bool:
        """Whether its bench was busy a moment ago: to rehearse it anew with each look keeps the benches from their work."""
        until_s, _ = self._busy.get(submission.id, (0.0, 0.0))
        return time.monotonic() < until_s

    def _begin_or_say_why(self, submission: Submission) -> None:
        try:
            self._begin(submission)
        except BenchBusy as busy:
            if self._closing.is_set():
                return
            _, waited_s = self._busy.get(submission.id, (0.0, LOOK_EVERY_S / 2))
            wait_s = min(2 * waited_s, LONGEST_WAIT_S)
            self._busy[submission.id] = (time.monotonic() + wait_s, wait_s)
            self._say(submission, SubmissionStatus.QUEUED, str(busy))
        except StoreUnusable:
            raise
        except DrywetError as wrong:
            self._say(submission, SubmissionStatus.FAILED, str(wrong))
        except Exception as bug:
            log.exception("%s can't be started.", submission.name)
            self._say(submission, SubmissionStatus.FAILED, f"{type(bug).__name__}: {bug}")

    def _say(self, submission: Submission, status: SubmissionStatus, sentence: str) -> None:
        if (submission.status, submission.sentence) != (status, sentence):
            try:
                self.store.change_submission(submission.id, status=status.value, sentence=sentence)
            except BadInput:  # It started after all, or somebody took it back meanwhile.
                log.info("%s is over by now: %s", submission.name, sentence)

    def _begin(self, submission: Submission) -> None:
        prepared = self._prepare(submission.document)
        checked = submission.rehearsal.get("sha256")
        if checked is not None and checked != prepared.file.sha256:
            raise BadInput(
                "Its candidate or workcell file has changed since it was handed in.",
                way_out="Look at it again, and hand it in once more.",
            )
        rehearsal = rehearse(prepared)
        refuse(rehearsal)
        spec = prepared.file.workcell
        baseline = bool(submission.rehearsal.get("baseline", True))

        def begin(laboratory: Laboratory, team: Team) -> None:
            if self._halted:
                raise BenchBusy(self._halted)
            bench_id = self._bench_for(prepared, rehearsal.claim)
            team.start(
                prepared,
                rehearsal.claim,
                baseline=baseline,
                submission_id=submission.id,
                bench_id=bench_id,
            )

        self._shifts.begin(spec.name, begin, twin=spec.twin, stopped=self._on_bench(prepared))

    def _bench_for(self, prepared: Prepared, claim: Claim) -> str:
        """The bench that a campaign shares with others that have not finished; empty for one of its own.

        There is one real bench, so it is shared or the campaign waits. A twin stands for it where that goes;
        where it does not there can be another.

        Raises:
            BenchBusy: somebody stopped in the middle of a run on the bench, whose plates stand in the way.
            BadInput: the real bench holds other material, or too little.
        """
        for record in self._on_bench(prepared):
            if record.status is not CampaignStatus.RUNNING and self.store.batch_at_work(record.campaign.id):
                if prepared.file.workcell.twin:
                    return ""
                raise BenchBusy(
                    f"{record.campaign.name} has stopped in the middle of a run on this bench.",
                    way_out="Resume it or give it up; this one starts then.",
                )
            try:
                refuse_other_material(self.store, record.bench_id, prepared)
                refuse_to_begin(self.store, record.bench_id, claim)
            except (Infeasible, BadInput):
                if prepared.file.workcell.twin:
                    return ""
                raise
            return record.bench_id
        return ""

    def _on_bench(self, prepared: Prepared) -> list[CampaignRecord]:
        """Unfinished campaigns of the newest bench of a workcell; none where that is free for a new deck."""
        benches = self.store.benches(prepared.file.workcell.name)
        found = [
            record
            for record in self.store.campaigns()
            if record.status in UNFINISHED and not record.campaign.baseline_of
        ]
        for bench in reversed(benches):
            here = [record for record in found if record.bench_id == bench.id]
            if here:
                return here
        return []


def _is_due(submission: Submission) -> bool:
    if submission.status is not SubmissionStatus.QUEUED or submission.held:
        return False
    return submission.not_before_utc is None or submission.not_before_utc <= datetime.now(UTC)
