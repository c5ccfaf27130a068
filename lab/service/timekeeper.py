"""Looks at the clock on the wall and at the schedules, and hands in what is due. One thread; the store decides."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from lab.errors import DrywetError, StoreUnusable
from lab.people import Permission
from lab.schedules import Firing, Outcome, Schedule
from lab.service.house import Checked, House
from lab.service.submissions import for_a_person
from lab.store import Store
from lab.store.schedules import Checkup

__all__ = ["LOOK_EVERY_S", "Timekeeper", "check_with"]

log = logging.getLogger("drywet.service")

LOOK_EVERY_S = 1.0
"""Wall time between two looks; a clock that is set, or a computer that slept, is noticed within it."""


def _wall() -> datetime:
    return datetime.now(UTC)


class Timekeeper:
    """Hands in what schedules are due, until it is closed.

    It keeps nothing in memory that matters: whatever moment it is ended at, the next one goes on from what the store says.

    Args:
        store: open for writing.
        check: looks at what a schedule begins, ahead of a moment.
        begun: called when something was handed in.
        told: called with each schedule and what was decided of it.
        now: the time on the wall, UTC.
    """

    def __init__(
        self,
        store: Store,
        check: Callable[[Schedule], Checkup],
        begun: Callable[[], object] = lambda: None,
        told: Callable[[Schedule, Firing], object] = lambda schedule, firing: None,
        now: Callable[[], datetime] = _wall,
    ) -> None:
        self._store = store
        self._check = check
        self._begun = begun
        self._told = told
        self._now = now
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> tuple[Firing, ...]:
        """Decide all that is due now; what was decided.

        Raises:
            StoreUnusable: the store can't be read or written.
        """
        decided: list[Firing] = []
        for schedule in self._store.schedules():
            if not schedule.active:
                continue
            try:
                decided += self._decide(schedule)
            except StoreUnusable:
                raise
            except Exception:  # The others are due all the same, whatever is wrong with one.
                log.exception("The schedule %s can't be looked at.", schedule.name)
        if any(firing.outcome is Outcome.FIRED for firing in decided):
            self._begun()
        return tuple(decided)

    def _decide(self, schedule: Schedule) -> tuple[Firing, ...]:
        now = self._now()
        checkup = self._check(schedule) if self._store.fires_now(schedule.id, now) else None
        firings = self._store.decide(schedule.id, now, checkup)
        for firing in firings:
            log.log(
                logging.INFO if firing.outcome is Outcome.FIRED else logging.WARNING,
                "%s was due at %s: %s. %s",
                schedule.name,
                firing.due_utc.isoformat(timespec="minutes"),
                firing.outcome,
                firing.sentence,
            )
            self._told(schedule, firing)
        return firings

    def _keep_looking(self) -> None:
        while not self._closing.wait(LOOK_EVERY_S):
            try:
                self.look()
            except StoreUnusable as gone:
                log.error("The schedules can't be looked at: %s", gone)
            except Exception:  # It looks again in a moment, whatever went wrong with this look.
                log.exception("A look at the schedules failed.")

    def __enter__(self) -> Self:
        self._closing.clear()
        self._thread = threading.Thread(target=self._keep_looking, name="timekeeper", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join()


def check_with(house: House, store: Store) -> Callable[[Schedule], Checkup]:
    """What looks at a schedule's campaign as when it is handed in: by whom, and how it would go."""

    def check(schedule: Schedule) -> Checkup:
        try:
            checked = house.check(schedule.document)
        except StoreUnusable:
            raise
        except DrywetError as wrong:
            return Checkup(problem=str(wrong))
        if checked.problems:
            return Checkup(problem=" ".join(checked.problems))
        problem = _not_theirs(store, schedule, checked)
        if problem:
            return Checkup(problem=problem)
        return Checkup(
            ask=for_a_person(checked.campaign),
            rehearsal={
                **checked.rehearsal,
                "sha256": checked.sha256,
                "twin": checked.twin,
                "workcell": checked.campaign.workcell,
                "protocol": checked.campaign.protocol.name,
                "devices": list(checked.devices),
            },
        )

    return check


def _not_theirs(store: Store, schedule: Schedule, checked: Checked) -> str:
    """Why who made a schedule may not hand this in today; empty when they may.

    Who is nobody that the service knows made it at the terminal of this computer, where no roles are asked for.
    """
    known = [person for person in store.people() if person.name == schedule.who]
    for person in known:
        if not person.active:
            return f"{person.name}, who made this schedule, is not active any more."
        protocol = checked.campaign.protocol.name
        if not all(
            person.may(Permission.PLAN, device=one, protocol=protocol) for one in checked.devices or ("",)
        ):
            return f"{person.name}, who made this schedule, may not hand in such a campaign any more."
    return ""
