"""One laboratory in a thread of its own for each bench at work; what comes to a bench joins the one that is there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from lab.app.laboratory import Laboratory
from lab.app.team import Team
from lab.engine.progress import Watcher
from lab.errors import BenchBusy, DrywetError, StoreUnusable
from lab.store import CampaignRecord, Store
from lab.types import CampaignStatus

__all__ = ["Shift", "Shifts"]

log = logging.getLogger("drywet.service")


@dataclass(slots=True, kw_only=True)
class Shift:
    """A laboratory at work on one workcell, and its thread.

    Args:
        begun: done when what it began with is in the store; fails with why it could not begin.
    """

    workcell: str
    laboratory: Laboratory
    begun: Future[None] = field(default_factory=Future)
    thread: threading.Thread | None = None

    @property
    def over(self) -> bool:
        """Whether its last campaign has ended and its bench is closed."""
        return self.thread is not None and not self.thread.is_alive()


class Shifts:
    """The laboratories at work, by the name of their workcell. Any thread.

    Args:
        store: open for writing.
        twin_folder: where twins keep their ledgers.
        pace: of virtual time.
        watch: told what happens.
        ended: called when a bench was given back.
    """

    def __init__(
        self,
        store: Store,
        twin_folder: Path,
        pace: float | None,
        watch: Watcher,
        ended: Callable[[], object] = lambda: None,
    ) -> None:
        self._store = store
        self._twin_folder = twin_folder
        self.pace = pace
        self._watch = watch
        self._ended = ended
        self._closed = False
        self._untold: dict[str, str] = {}
        self._lock = threading.Lock()
        self._shifts: dict[str, Shift] = {}
        self.troubles: list[str] = []
        """What benches ended with that did not end well, oldest first."""

    @property
    def laboratories(self) -> Sequence[Laboratory]:
        """Those at work, in no order."""
        with self._lock:
            return [shift.laboratory for shift in self._shifts.values() if not shift.over]

    @property
    def by_workcell(self) -> Mapping[str, Laboratory]:
        """Those at work."""
        with self._lock:
            return {name: shift.laboratory for name, shift in self._shifts.items() if not shift.over}

    def begin(
        self,
        workcell: str,
        begin: Callable[[Laboratory, Team], object],
        *,
        twin: bool,
        stopped: Sequence[CampaignRecord] = (),
    ) -> None:
        """Have something begin on a workcell; returns when it is in the store.

        Args:
            begin: what; called with the laboratory that does it.
            stopped: campaigns of the store that go on with it.

        Raises:
            BenchBusy: the workcell's bench is just being opened or given back.
            DrywetError: it can't begin.
        """
        with self._lock:
            if self._closed:
                raise BenchBusy("The service is being shut down.", way_out="Try again when it is back.")
            shift = self._shifts.get(workcell)
            fresh = shift is None or shift.over
            if fresh:
                shift = Shift(
                    workcell=workcell, laboratory=Laboratory(self._store, self._twin_folder, self.pace)
                )
                shift.laboratory.watch = self._watch
                self._shifts[workcell] = shift
        assert shift is not None
        laboratory = shift.laboratory
        if not fresh:
            if not laboratory.join(lambda team: begin(laboratory, team)):
                raise BenchBusy(
                    f"The bench of {workcell} is being opened or closed this moment.",
                    way_out="Try again in a few seconds.",
                )
            return
        shift.thread = threading.Thread(
            target=self._work, args=(shift, begin, stopped, twin), name=f"bench of {workcell}"
        )
        shift.thread.start()
        shift.begun.result()

    def _work(
        self,
        shift: Shift,
        begin: Callable[[Laboratory, Team], object],
        stopped: Sequence[CampaignRecord],
        twin: bool,
    ) -> None:
        laboratory, begun = shift.laboratory, shift.begun
        try:
            outcomes = laboratory.work(
                lambda team: begin(laboratory, team), stopped, [twin], lambda: begun.set_result(None)
            )
            why = {one.campaign.id: str(one.error) for one in outcomes if one.error is not None}
            self._hold_what_it_left(laboratory, "Its bench was given back.", why)
        except BaseException as error:
            if not begun.done():
                begun.set_exception(error)
                return
            log.error(
                "The bench of %s ended with: %s",
                shift.workcell,
                error,
                exc_info=not isinstance(error, DrywetError),
            )
            self.troubles.append(f"{shift.workcell}: {error}")
            self._hold_what_it_left(laboratory, str(error) or type(error).__name__)
        self._ended()

    def _hold_what_it_left(
        self, laboratory: Laboratory, sentence: str, why: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Nobody works on them any more, whatever their status says."""
        with self._lock:
            self._untold.update({one: why.get(one, sentence) for one in laboratory.campaigns})
        try:
            self.hold_what_was_left()
        except StoreUnusable as gone:
            log.error("What the bench left can't be kept yet: %s", gone)

    def hold_what_was_left(self) -> None:
        """Have the store say that nobody works on what ended while it took nothing, where it says otherwise.

        Raises:
            StoreUnusable: it takes nothing yet.
        """
        with self._lock:
            untold = dict(self._untold)
        if not untold:
            return
        working = {
            one.campaign_id
            for laboratory in self.laboratories
            for one in laboratory.standings()
            if one.at_work
        }
        for campaign_id, sentence in untold.items():
            if (
                campaign_id not in working
                and self._store.campaign(campaign_id).status is CampaignStatus.RUNNING
            ):
                self._store.set_campaign_status(campaign_id, CampaignStatus.HELD, sentence)
            self._forget(campaign_id)

    def _forget(self, campaign_id: str) -> None:
        with self._lock:
            self._untold.pop(campaign_id, None)

    def close(self) -> None:
        """Begin nothing any more. Safe to repeat."""
        with self._lock:
            self._closed = True

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until every laboratory has closed its bench; whether all have."""
        with self._lock:
            threads = [shift.thread for shift in self._shifts.values() if shift.thread is not None]
        for thread in threads:
            thread.join(timeout_s)
        return not any(thread.is_alive() for thread in threads)
