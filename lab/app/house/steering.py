"""What of the house stops, pauses and lets go on. Asks nothing of the store but to keep notes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from lab.app.house.shifts import Shifts
from lab.app.house.stops import QUEUE, Stops
from lab.app.laboratory import Laboratory
from lab.app.outcome import Standing
from lab.app.stopping import DeviceStop, StopReport

__all__ = ["Steering"]

log = logging.getLogger("drywet.stop")


class Steering:
    """Steers all laboratories of the house. Implements :class:`lab.app.watching.Steered`.

    Attributes:
        _left: campaigns that the house is to go on with when their bench takes them, name by identifier.
        _taking_up: the one whose bench is being opened for it.
    """

    _left: dict[str, str]
    _taking_up: Mapping[str, str]
    _shifts: Shifts
    _stops: Stops
    _halted: str = ""

    def request_stop(self, reason: str, campaign: str | None = None) -> None:
        """See :meth:`lab.service.house.House.request_stop`."""
        chosen = self._chosen(campaign)
        self._halt_queue(reason, campaign)
        self._ask_to_stop(reason, campaign)
        self._stops.add(chosen, reason)
        # One that was just being taken up is at work by now, or finds the note.
        self._ask_to_stop(reason, campaign)

    def is_under_way(self, campaign: str) -> bool:
        """See :meth:`lab.service.house.House.is_under_way`."""
        return bool(self._chosen(campaign))

    def _chosen(self, campaign: str | None) -> list[str]:
        """Who is asked to stop: one, or all that run, all that are about to go on, and all that wait to begin."""
        waiting = self._waiting(campaign)  # first: one that is taken up meanwhile is then at work
        running = [one.campaign_id for one in self.standings(campaign) if one.at_work]
        return [*dict.fromkeys([*running, *waiting]), *([QUEUE] if campaign is None else [])]

    def _waiting(self, campaign: str | None) -> Mapping[str, str]:
        """Which are about to go on, name by identifier."""
        every = {**self._left, **self._taking_up}
        return {one: name for one, name in every.items() if campaign in (None, one, name)}

    def _halt_queue(self, reason: str, campaign: str | None) -> None:
        """Where everything is stopped nothing else begins; the queue itself writes that down, as the store may hang."""
        if campaign is None:
            self._halted = reason

    def _ask_to_stop(self, reason: str, campaign: str | None = None) -> None:
        for laboratory in self._shifts.laboratories:
            laboratory.request_stop(reason, campaign)

    def stop_now(
        self,
        reason: str,
        campaign: str | None = None,
        tell: Callable[[StopReport], None] = lambda report: None,
    ) -> StopReport:
        """Break off what is under way and bring the devices to their safe state, on all benches side by side; bounded."""
        reports: list[StopReport] = []
        chosen, waiting = self._chosen(campaign), self._waiting(campaign)
        self._halt_queue(reason, campaign)
        self._ask_to_stop(reason, campaign)

        def stop(laboratory: Laboratory) -> None:
            try:
                reports.append(laboratory.stop_now(reason, campaign))
            except (
                Exception
            ) as bug:  # Whoever stops must hear of it; the other benches are stopped all the same.
                log.exception("A bench can't be stopped.")
                names = ", ".join(one.name for one in laboratory.standings(campaign)) or "a bench"
                unknown = DeviceStop(device=f"all of {names}", error=f"{type(bug).__name__}: {bug}")
                reports.append(StopReport(reason=reason, devices=(unknown,)))

        concerned = [one for one in self._shifts.laboratories if campaign is None or one.standings(campaign)]
        threads = [threading.Thread(target=stop, args=(one,), name="stop now") for one in concerned]
        for thread in threads:
            thread.start()
        self._stops.add(chosen, reason)
        self._ask_to_stop(reason, campaign)
        for thread in threads:
            thread.join()
        report = StopReport(
            reason=reason,
            campaigns=(*(name for one in reports for name in one.campaigns), *waiting.values()),
            broken_off=tuple(it for one in reports for it in one.broken_off),
            devices=tuple(it for one in reports for it in one.devices),
            errors=tuple(error for one in reports for error in one.errors),
        )
        tell(report)
        return report

    def pause(self, reason: str, campaign: str | None = None) -> None:
        """See :meth:`lab.service.house.House.pause`."""
        for laboratory in self._shifts.laboratories:
            laboratory.pause(reason, campaign)

    def let_go_on(self, campaign: str | None = None) -> None:
        """See :meth:`lab.service.house.House.let_go_on`."""
        for laboratory in self._shifts.laboratories:
            laboratory.let_go_on(campaign)

    def note(self, kind: str, sentence: str, campaign: str | None = None) -> None:
        """Keep with campaigns under way that somebody asked something of them. Blocking.

        Raises:
            StoreUnusable: it can't be kept.
        """
        for laboratory in self._shifts.laboratories:
            laboratory.note(kind, sentence, campaign)

    def standings(self, campaign: str | None = None) -> tuple[Standing, ...]:
        """How campaigns under way stand."""
        return tuple(
            one for laboratory in self._shifts.laboratories for one in laboratory.standings(campaign)
        )

    @property
    def real_workcells(self) -> tuple[str, ...]:
        """Names of the workcells of real instruments that are at work."""
        return tuple(name for one in self._shifts.laboratories for name in one.real_workcells)
