"""What a lab's own monitoring is told: numbers for Prometheus, and traces campaign -> batch -> step.

Both are made of the house's progress. It is put in a queue where it happens and worked off in a thread of its own, so that
neither a full disk nor a slow collector is ever in the way of a step.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lab.approvals import ApprovalStatus
from lab.engine.progress import CampaignEnded, FaultMet, Progress, ResultsRecorded, StepEnded
from lab.errors import StoreUnusable
from lab.service.house import House
from lab.service.hub import Hub
from lab.service.traces import Traces
from lab.store import Store
from lab.types import CampaignStatus

__all__ = ["Telemetry"]

log = logging.getLogger("drywet.service")

MOST_WAITING = 20_000
"""Events that may wait to be worked off; more are counted and dropped."""

_LAB_SECONDS = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 24 * 3600.0)
_WALL_SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 600.0, 3600.0)


class _Watching(Protocol):
    def tell(self, event: Progress, wall_ns: int) -> None:
        """Take what happened into account."""


class Metrics:
    """Counters and histograms of one service; nothing of it is shared with another in the process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._steps = Counter(
            "drywet_steps",
            "Steps that ended: done, replayed (done in an earlier stretch), or the kind of fault that was met.",
            ("device", "outcome"),
            registry=self.registry,
        )
        self._lab_s = Histogram(
            "drywet_step_duration_seconds",
            "Lab time that steps took, from when they were sent.",
            ("device", "action"),
            buckets=_LAB_SECONDS,
            registry=self.registry,
        )
        self._wall_s = Histogram(
            "drywet_step_wall_seconds",
            "Time that steps took by the clock of the machine; a twin's is shorter than its lab time.",
            ("device", "action"),
            buckets=_WALL_SECONDS,
            registry=self.registry,
        )
        self._results = Counter(
            "drywet_results", "Observations recorded.", ("usable",), registry=self.registry
        )
        self._ended = Counter(
            "drywet_campaign_ends",
            "Times that a campaign finished, was stopped, was held or was given up.",
            ("status",),
            registry=self.registry,
        )

    def tell(self, event: Progress, wall_ns: int) -> None:
        """Count what happened."""
        match event:
            case StepEnded():
                self._steps.labels(event.device, "replayed" if event.replayed else "done").inc()
                if event.took_s is not None and event.wall_s is not None:
                    self._lab_s.labels(event.device, event.action).observe(event.took_s)
                    self._wall_s.labels(event.device, event.action).observe(event.wall_s)
            case FaultMet():
                self._steps.labels(event.device, event.fault).inc()
            case ResultsRecorded():
                for observation in event.observations:
                    self._results.labels("yes" if observation.usable else "no").inc()
            case CampaignEnded():
                self._ended.labels(str(event.status)).inc()


class Telemetry(Collector):
    """Metrics and traces of a service, for as long as the block lasts.

    Args:
        folder: beside the store; traces are written under it.
    """

    def __init__(self, house: House, store: Store, hub: Hub, folder: Path) -> None:
        self._house = house
        self._store = store
        self._hub = hub
        self._folder = folder
        self._metrics = Metrics()
        self.registry = self._metrics.registry
        self._waiting: queue.Queue[tuple[Progress, int] | None] = queue.Queue(MOST_WAITING)
        self._dropped = 0
        self._end: Callable[[], None] = lambda: None
        self._thread: threading.Thread | None = None
        self._metrics.registry.register(self)

    def __enter__(self) -> Self:
        traces = Traces(self._folder)
        self._thread = threading.Thread(
            target=self._work_off, args=((self._metrics, traces), traces), name="telemetry", daemon=True
        )
        self._thread.start()
        self._end = self._house.listen(self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join()

    def _note(self, event: Progress) -> None:
        """In the thread in which it happens; never waits."""
        try:
            self._waiting.put_nowait((event, time.time_ns()))
        except queue.Full:
            self._dropped += 1

    def _work_off(self, watching: Iterable[_Watching], traces: Traces) -> None:
        while (waiting := self._waiting.get()) is not None:
            for one in watching:
                try:
                    one.tell(*waiting)
                except Exception:  # What watches changes nothing.
                    log.exception("Telemetry failed.")
        traces.close()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """How things stand at this moment; what can't be asked is left out."""
        try:
            yield from self._of_the_store()
            yield _gauge("drywet_store_readable", "Whether the store can be read.", 1)
        except StoreUnusable:
            yield _gauge("drywet_store_readable", "Whether the store can be read.", 0)
        live = self._house.live()
        yield _gauge("drywet_campaigns_at_work", "Campaigns at work here.", sum(one.at_work for one in live))
        yield _gauge("drywet_event_listeners", "Who listens to the stream of events.", self._hub.listeners)
        yield _gauge("drywet_queue_alive", "Whether somebody looks at the queue.", self._house.queue_alive)
        yield _gauge("drywet_telemetry_dropped", "Events that were not counted.", self._dropped)
        delays = GaugeMetricFamily(
            "drywet_loop_delay_seconds",
            "How long the loop of a bench at work took to answer just now.",
            labels=("workcell",),
        )
        for workcell, delay_s in self._house.loop_delays().items():
            delays.add_metric((workcell,), delay_s)
        yield delays

    def _of_the_store(self) -> Iterable[GaugeMetricFamily]:
        counts = self._store.campaign_counts()
        campaigns = GaugeMetricFamily("drywet_campaigns", "Campaigns in the store.", labels=("status",))
        for status in CampaignStatus:
            campaigns.add_metric((str(status),), counts.get(status, 0))
        yield campaigns
        waiting = self._store.submissions(open_only=True)
        yield _gauge("drywet_queue_length", "Submissions that were not started yet.", len(waiting))
        asked = self._store.approvals(status=ApprovalStatus.WAITING)
        yield _gauge("drywet_approvals_waiting", "Requests that wait for a person.", len(asked))


def _gauge(name: str, help_: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_, value=float(value))
