"""The house: what comes in through the service, and the laboratories that carry it out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lab.app.belief import read_bench
from lab.app.house.beliefs import BeliefsOfPlanners, answered
from lab.app.house.by_hand import prepare_by_hand, verbs_of
from lab.app.house.choices import Choices, planners_here, protocols_here
from lab.app.house.going_on import SHUT_DOWN
from lab.app.house.lineage import lineage_of
from lab.app.house.material import Material
from lab.app.house.queueing import Queueing
from lab.app.house.shifts import Shifts
from lab.app.house.stops import Stops
from lab.app.house.thinking import Thinker
from lab.app.house.worklists import Worklists
from lab.app.laboratory import Laboratory
from lab.app.rehearsal import rehearse
from lab.app.rehearsal_words import rehearsal_json
from lab.app.reporting import report_campaign
from lab.app.resolving import Verdict, resolve, unresolved
from lab.app.settings import Settings, read_pace
from lab.app.stock import Claim
from lab.app.team import Team
from lab.app.tracking import Tracker
from lab.engine.progress import Progress
from lab.errors import BadInput, BenchBusy
from lab.service.house import Checked, Live
from lab.store import Store
from lab.submissions import CampaignText
from lab.types import JsonValue, Step

__all__ = ["SHUT_DOWN", "House"]

log = logging.getLogger("drywet.service")


class House(Queueing, Material, Choices, Worklists, BeliefsOfPlanners):
    """Implements :class:`lab.service.house.House` over one store. Any thread, unless a method says otherwise.

    Args:
        store: open for writing; whoever opened it closes it, after :meth:`close`.
        settings: where twins keep their ledgers.
        folder: the lab's; all that campaigns name lies in it.
        pace: of twins; see :func:`lab.app.settings.read_pace`.
    """

    def __init__(self, store: Store, settings: Settings, folder: Path, pace: str = "max") -> None:
        super().__init__()
        self.store = store
        self.folder = folder.resolve()
        self._pace = read_pace(pace)
        self.thinker = Thinker(answered)
        self._tracker = Tracker()
        self._listeners: list[Callable[[Progress], None]] = []
        self._wake, self._closing = threading.Event(), threading.Event()
        self._settling = threading.Lock()
        self._shifts = Shifts(store, settings.twin_folder, self._pace, self._tell, ended=self._wake.set)
        self._stops = Stops(settings.twin_folder.parent / "asked_to_stop.json")
        self._by_hand_folder = settings.twin_folder.parent / "by_hand"
        self._queue = threading.Thread(target=self._keep_looking, name="queue", daemon=True)

    def open(self, *, resume: bool) -> None:
        """Begin to look at the queue.

        Args:
            resume: first go on with what was under way when the program before this one ended.
        """
        self._keep_stops()
        if resume:
            self._left = self._left_under_way()
            self._go_on_with_left()
        self.thinker.open()
        self._queue.start()

    def close(self, timeout_s: float | None = None) -> bool:
        """Stop everything at a step boundary and give the benches back; whether that went well. Safe to repeat."""
        self._closing.set()
        before = len(self._shifts.troubles)
        self._shifts.close()
        self._wake.set()
        self._ask_to_stop(SHUT_DOWN)  # at once, whatever the queue waits for
        if self._queue.is_alive():
            self._queue.join(timeout_s)
        self._ask_to_stop(SHUT_DOWN)
        self.thinker.close()
        return self._shifts.wait(timeout_s) and len(self._shifts.troubles) == before

    @property
    def queue_alive(self) -> bool:
        """Whether somebody looks at the queue."""
        return self._queue.is_alive()

    def loop_delays(self) -> Mapping[str, float]:
        """See :meth:`lab.service.house.House.loop_delays`."""
        delays = {name: laboratory.loop_delay() for name, laboratory in self._shifts.by_workcell.items()}
        return {name: delay for name, delay in delays.items() if delay is not None}

    # What comes in.

    def check(self, document: CampaignText) -> Checked:
        """See :meth:`lab.service.house.House.check`."""
        prepared = self._prepare(document)
        rehearsal = rehearse(prepared)
        return Checked(
            campaign=rehearsal.campaign,
            twin=prepared.file.workcell.twin,
            devices=tuple(sorted({step.device for step in rehearsal.dry_run.steps})),
            rehearsal=rehearsal_json(rehearsal),
            problems=tuple(rehearsal.problems),
            sha256=prepared.file.sha256,
        )

    def look(self) -> None:
        """See :meth:`lab.service.house.House.look`."""
        self._wake.set()

    def verbs(self, bench_id: str) -> Sequence[Mapping[str, JsonValue]]:
        """See :meth:`lab.service.house.House.verbs`."""
        return verbs_of(self.store, bench_id)

    def by_hand(
        self, bench_id: str, device: str, verb: str, arguments: Mapping[str, JsonValue], *, who: str
    ) -> str:
        """See :meth:`lab.service.house.House.by_hand`."""
        bench = self.store.bench(bench_id)
        for other in self.live():
            busy = self.store.bench(other.bench_id)
            if other.at_work and busy.workcell == bench.workcell and busy.id != bench_id:
                raise BadInput(
                    f"{bench.workcell} is at work as another bench.",
                    way_out="Choose the one that is at work.",
                )
        for shown in self.devices(bench_id):
            if shown["role"] == device and shown["held_by"]:
                doing = f" ({shown['doing']})" if shown["doing"] else ""
                raise BenchBusy(
                    f"{device} is in use by {shown['held_by']}{doing}.",
                    way_out="Wait until this step has ended, or stop the campaign first.",
                    field="device",
                )
        folder = self._by_hand_folder
        prepared = prepare_by_hand(self.store, bench, folder, device, verb, arguments, who)
        claim = Claim(campaign=prepared.file.name, needs={}, batches=1)
        begun: list[str] = []

        def begin(laboratory: Laboratory, team: Team) -> None:
            begun.append(team.start(prepared, claim, baseline=False, bench_id=bench_id).id)

        record = next(r for r in reversed(self.store.campaigns()) if r.bench_id == bench_id)
        self._shifts.begin(bench.workcell, begin, twin=bench.twin, stopped=[record])
        return begun[0]

    # What shows.

    def live(self, campaign: str | None = None) -> tuple[Live, ...]:
        """See :meth:`lab.service.house.House.live`."""
        return tuple(
            live
            for laboratory in self._shifts.laboratories
            for live in laboratory.live(self._tracker, campaign)
        )

    def listen(self, listener: Callable[[Progress], None]) -> Callable[[], None]:
        """See :meth:`lab.service.house.House.listen`."""
        self._listeners = [*self._listeners, listener]

        def end() -> None:
            self._listeners = [one for one in self._listeners if one is not listener]

        return end

    def _tell(self, event: Progress) -> None:
        self._tracker.tell(event)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # Who watches changes nothing.
                log.exception("A listener failed.")

    def bench(self, bench_id: str) -> Mapping[str, JsonValue]:
        """See :meth:`lab.service.house.House.bench`."""
        for laboratory in self._shifts.laboratories:
            believed = laboratory.belief(bench_id)
            if believed is not None:
                return believed
        return read_bench(self.store, bench_id).bench.to_json()

    def devices(self, bench_id: str) -> Sequence[Mapping[str, JsonValue]]:
        """See :meth:`lab.service.house.House.devices`."""
        for laboratory in self._shifts.laboratories:
            found = laboratory.devices(bench_id)
            if found is not None:
                return found
        return ()

    def protocols(self) -> Sequence[Mapping[str, JsonValue]]:
        """See :meth:`lab.service.house.House.protocols`."""
        return protocols_here(self.folder / "protocols")

    def planners(self) -> Sequence[Mapping[str, JsonValue]]:
        """See :meth:`lab.service.house.House.planners`."""
        return planners_here()

    def report(self, campaign_id: str, path: Path) -> Path:
        """See :meth:`lab.service.house.House.report`."""
        return report_campaign(self.store, campaign_id, path)

    def lineage(self, sample_id: str) -> Mapping[str, JsonValue]:
        """See :meth:`lab.service.house.House.lineage`."""
        return lineage_of(self.store, sample_id)

    def unresolved(self, bench_id: str) -> Sequence[Step]:
        """See :meth:`lab.service.house.House.unresolved`."""
        return unresolved(self.store, bench_id)

    def resolve(self, step_id: str, verdict: str, *, who: str, why: str) -> str:
        """See :meth:`lab.service.house.House.resolve`."""
        try:
            said = Verdict(verdict)
        except ValueError:
            known = ", ".join(str(one) for one in Verdict)
            raise BadInput(f"A verdict is one of {known}.", field="verdict") from None
        with self._settling:
            return resolve(self.store, step_id, said, who=who, why=why)
