"""One process at work on one store: campaigns on benches, each in a lane and a thread of its own, on one clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.app.benches import OpenBench, lab_time_of
from lab.app.outcome import Outcome, Standing
from lab.app.prepare import Prepared
from lab.app.rehearsal import refuse_clashes, rehearse_together
from lab.app.settings import Settings
from lab.app.stopping import StopReport, in_time
from lab.app.team import Assignment, Team
from lab.app.tracking import Tracker
from lab.app.unfinished import of_file, waiting, with_company
from lab.clock import LabClock
from lab.engine.progress import Watcher
from lab.errors import DeviceFault, RunHeld, StoreUnusable
from lab.service.house import Live
from lab.store import CampaignRecord, Store
from lab.types import Campaign, CampaignStatus, JsonValue, StepStatus

__all__ = ["Laboratory", "Outcome", "Standing"]

LOOK_BOUND_S = 5.0
"""Wall time that a look at a bench at work may take."""


class Laboratory:
    """Composes store, benches, lanes and loops, and runs campaigns on them.

    Args:
        store: open for writing.
        folder: where twins keep their ledgers.
        pace: of virtual time; None is as fast as it goes.
    """

    def __init__(self, store: Store, twin_folder: Path, pace: float | None) -> None:
        self.store = store
        self.watch: Watcher = lambda event: None
        self._twin_folder = twin_folder
        self._pace = pace
        self._stop: str | None = None
        self._working: Team | None = None
        self._at_work = threading.Lock()
        self._campaigns: dict[str, Campaign] = {}

    @classmethod
    def open(cls, settings: Settings, *, pace: float | None = None) -> Self:
        """Open the store for writing; a new one is made where there is none.

        Raises:
            StoreUnusable: it can't be opened, with the way out.
        """
        return cls(Store.open(settings.store), settings.twin_folder, pace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whoever leaves while campaigns are under way (a closed pipe, say) must not take the journal from under a step.
        self.request_stop("The program that watched it has ended.")
        with self._at_work:
            self.store.close()

    @property
    def campaigns(self) -> Mapping[str, Campaign]:
        """Those under way, by id; baselines after what they are for."""
        return self._campaigns

    def request_stop(self, reason: str, campaign: str | None = None) -> None:
        """Stop every campaign, or one, before its next step. Any thread, also a signal handler; safe to repeat."""
        if campaign is None:
            self._stop = self._stop or reason
        for assignment in self._chosen(campaign):
            assignment.lane.request_stop(reason)

    def stop_now(
        self,
        reason: str,
        campaign: str | None = None,
        tell: Callable[[StopReport], None] = lambda report: None,
    ) -> StopReport:
        """Stop in the midst of the step under way, and bring the devices to their safe state. Any thread; safe to repeat.

        Bounded: :data:`lab.recovery.SAFE_BOUND_S` of wall time for the devices, then a few seconds for the store to take the
        report. What could not be done is in the report.

        Args:
            tell: called with the report before the store is asked to keep it.
        """
        if campaign is None:
            self._stop = self._stop or reason
        team = self._working
        if team is None:
            return StopReport(reason=reason)
        return team.stop_now(self._chosen(campaign), reason, tell)

    def pause(self, reason: str, campaign: str | None = None) -> None:
        """Begin no more steps for a while; the devices stay connected. Any thread; safe to repeat."""
        for assignment in self._chosen(campaign):
            assignment.lane.request_pause(reason)

    def let_go_on(self, campaign: str | None = None) -> None:
        """Begin steps again. Any thread; safe to repeat."""
        for assignment in self._chosen(campaign):
            assignment.lane.let_go_on()

    def note(self, kind: str, sentence: str, campaign: str | None = None) -> None:
        """Keep with campaigns under way that somebody asked something of them. Blocking; any thread.

        Raises:
            StoreUnusable: it can't be kept.
        """
        for one in self._chosen(campaign):
            self.store.log(one.campaign.id, kind, sentence, one.session.clock.now())

    def standings(self, campaign: str | None = None) -> tuple[Standing, ...]:
        """How campaigns under way stand, for whoever asked one of them to stop or to pause; empty while they get ready."""
        return tuple(
            Standing(
                campaign_id=one.campaign.id,
                name=one.campaign.name,
                at_work=one.status is CampaignStatus.RUNNING,
                paused=one.lane.at_rest,
                pausing=one.lane.pausing is not None,
                status=str(one.status),
            )
            for one in self._chosen(campaign)
        )

    @property
    def real_workcells(self) -> tuple[str, ...]:
        """Names of the workcells of real instruments that campaigns under way work on."""
        team = self._working
        names = [] if team is None else [a.session.workcell.name for a in team.assignments if not a.twin]
        return tuple(dict.fromkeys(names))

    def live(self, tracker: Tracker, campaign: str | None = None) -> tuple[Live, ...]:
        """Campaigns under way with where they are in their run, for whoever watches."""
        found = []
        for one in self._chosen(campaign):
            place, now_s = tracker.of(one.campaign.id), one.session.clock.now()
            found.append(
                Live(
                    campaign_id=one.campaign.id,
                    name=one.campaign.name,
                    bench_id=one.session.bench_id,
                    twin=one.twin,
                    status=str(one.status),
                    at_work=one.status is CampaignStatus.RUNNING,
                    pausing=one.lane.pausing is not None,
                    paused=one.lane.at_rest,
                    stopping=one.lane.stopping is not None,
                    run_id=place.run_id,
                    batch=place.batch,
                    step=place.step,
                    steps=place.steps,
                    doing=place.doing,
                    left_s=place.left_s(now_s),
                    lab_time_s=now_s,
                    pace=self._pace if one.session.clock.virtual else 1.0,
                )
            )
        return tuple(found)

    def loop_delay(self) -> float | None:
        """Wall time that the loop under everything takes to answer, a second at most; None where it isn't running."""
        team = self._working
        if team is None or team.clock.loop.is_closed():
            return None
        answered, began = threading.Event(), time.monotonic()
        team.clock.soon(answered.set)
        answered.wait(1.0)
        return time.monotonic() - began

    def belief(self, bench_id: str) -> Mapping[str, JsonValue] | None:
        """What is believed of a bench at work here; None where it is not."""
        bench = self._open_bench(bench_id)
        if bench is None:
            return None
        found: list[Mapping[str, JsonValue]] = []

        async def look() -> None:
            # On the loop, where belief changes; a copy of it takes several times as long.
            found.append(bench.session.workcell.bench.to_json())

        late = in_time(bench.session.clock, look(), LOOK_BOUND_S)
        return None if late else found[0]

    def devices(self, bench_id: str) -> Sequence[Mapping[str, JsonValue]] | None:
        """The devices of a bench at work here; None where it is not."""
        bench = self._open_bench(bench_id)
        if bench is None:
            return None
        shown: list[dict[str, JsonValue]] = []

        async def look() -> None:
            shown.extend(await bench.show())

        in_time(bench.session.clock, look(), LOOK_BOUND_S)
        under_way = {
            step.device: step.action.replace("_", " ")
            for step in self.store.open_steps(bench_id)
            if step.status is StepStatus.DISPATCHED
        }
        return [{**one, "doing": under_way.get(str(one["role"]), "")} for one in shown]

    def _open_bench(self, bench_id: str) -> OpenBench | None:
        team = self._working
        return None if team is None else team.bench(bench_id)

    def _chosen(self, campaign: str | None) -> list[Assignment]:
        """All campaigns under way, or one with its baseline."""
        team = self._working
        assignments = [] if team is None else list(team.assignments)
        if campaign is None:
            return assignments
        ids = {one.campaign.id for one in assignments if campaign in (one.campaign.id, one.campaign.name)}
        return [one for one in assignments if {one.campaign.id, one.campaign.baseline_of} & ids]

    def run(
        self, prepared: Sequence[Prepared], *, new: bool = False, baseline: bool = True
    ) -> tuple[Outcome, ...]:
        """Run campaigns side by side, or go on with those that were stopped.

        Args:
            new: start afresh, whatever the store holds under these names.
            baseline: also run the baselines that the files ask for.

        Raises:
            BadInput: one of them can't be run; nothing was started.
        """
        refuse_clashes(prepared)
        stopped = [None if new else of_file(self.store, one) for one in prepared]
        rehearsed = rehearse_together(
            [one for one, record in zip(prepared, stopped, strict=True) if record is None]
        )

        def begin(team: Team) -> None:
            for one, record in zip(prepared, stopped, strict=True):
                if record is None:
                    team.start(one, rehearsed[one.file.name].claim, baseline=baseline)
                else:
                    self.go_on(team, record)

        return self.work(
            begin, [r for r in stopped if r is not None], [p.file.workcell.twin for p in prepared]
        )

    def resume(self, name: str | None = None) -> tuple[Outcome, ...]:
        """Go on with a stopped campaign of the store, its baseline, and whoever was stopped beside it.

        Args:
            name: or identifier; the newest that waits to go on when left out.

        Raises:
            BadInput: there is none of this name, or it has finished.
        """
        record = waiting(self.store, name)
        return self.work(
            lambda team: self.go_on(team, record), [record], [self.store.bench(record.bench_id).twin]
        )

    def work(
        self,
        begin: Callable[[Team], object],
        stopped: Sequence[CampaignRecord],
        twins: Sequence[bool],
        begun: Callable[[], object] = lambda: None,
    ) -> tuple[Outcome, ...]:
        """Have campaigns begin on a clock of their own, and work until the last one ends, also of those that join.

        Args:
            begin: what begins; see :class:`Team`.
            stopped: campaigns of the store among them, whose lab time goes on.
            twins: whether each workcell is one.
            begun: called when all that begins is in the store.

        Raises:
            DrywetError: it can't begin.
        """
        with self._team(stopped, twins) as team:
            self._working = team  # Whoever asks one of them to stop is heard from here on.
            try:
                begin(team)
                begun()
            except BaseException as error:
                self._working = None
                team.take_back(error)
                raise
            return self._carry_out(team)

    def join(self, begin: Callable[[Team], object]) -> bool:
        """Have more campaigns begin beside those under way; see :meth:`Team.join`.

        Returns:
            False where nothing is under way any more, or all of it is to stop: nothing was begun.
        """
        team = self._working
        if team is None or self._stop is not None:
            return False

        def also() -> None:
            begin(team)
            self._campaigns = {a.campaign.id: a.campaign for a in team.assignments}
            if self._stop is not None:  # asked for while it began
                self.request_stop(self._stop)

        return team.join(also)

    def go_on(
        self,
        team: Team,
        record: CampaignRecord,
        company: Callable[[CampaignRecord], bool] = lambda other: True,
    ) -> Mapping[str, Callable[[str], None]]:
        """Have a stopped campaign go on in a team, with its baselines and whoever stopped amid a run on its bench.

        Args:
            company: which of those others go on with it.

        Returns:
            Who goes on by this: identifier -> what has it stand still before its first step, given why.
        """
        working = {one.campaign.id for one in team.assignments if one.status is CampaignStatus.RUNNING}
        for one in with_company(self.store, [record]):
            if one is record or company(one):
                team.go_on(one)
        return {
            one.campaign.id: one.lane.request_pause
            for one in team.assignments
            if one.campaign.id not in working
        }

    @contextmanager
    def _team(self, stopped: Sequence[CampaignRecord], twins: Sequence[bool]) -> Iterator[Team]:
        """A team on a clock that begins where the benches of stopped campaigns left off.

        Raises:
            RunHeld: an instrument may not be in its safe state at the end; says what held the campaigns, too.
        """
        benches = {record.bench_id for record in with_company(self.store, stopped)}
        start_s = max((lab_time_of(self.store, bench_id) for bench_id in benches), default=0.0)
        held: list[str] = []
        try:
            with ExitStack() as stack:
                stack.enter_context(self._at_work)
                clock = stack.enter_context(LabClock(virtual=all(twins), pace=self._pace, start_s=start_s))
                team = Team(
                    clock=clock,
                    store=self.store,
                    twin_folder=self._twin_folder,
                    tell=lambda event: self.watch(event),
                    stack=stack,
                )
                yield team
                held = [f"{a.campaign.name}: {a.error}" for a in team.assignments if a.error is not None]
        except DeviceFault as unsafe:
            if not held:
                raise
            raise RunHeld(f"{unsafe} It was held before that. {' '.join(held)}") from unsafe

    def _carry_out(self, team: Team) -> tuple[Outcome, ...]:
        self._campaigns = {a.campaign.id: a.campaign for a in team.assignments}
        if self._stop is not None:
            self.request_stop(self._stop)
        began_wall, began_lab = time.monotonic(), team.clock.now()
        team.work()
        wall_s, lab_s = time.monotonic() - began_wall, team.clock.now() - began_lab
        try:
            return tuple(self._outcome(a, lab_s, wall_s) for a in team.assignments)
        except StoreUnusable as gone:
            whys = " ".join(dict.fromkeys(str(a.error or gone) for a in team.assignments))
            names = ", ".join(a.campaign.name for a in team.assignments)
            raise RunHeld(f"{names}: {whys}") from gone

    def _outcome(self, assignment: Assignment, lab_s: float, wall_s: float) -> Outcome:
        campaign = assignment.campaign
        history = self.store.history(campaign.id)
        usable = history.usable(campaign.goal.target)
        return Outcome(
            campaign=campaign,
            status=assignment.status,
            sentence=self.store.campaign(campaign.id).sentence,
            results=history.serving(campaign.goal),
            measured=len(usable),
            twin=assignment.twin,
            lab_s=lab_s,
            wall_s=wall_s,
            error=assignment.error,
        )
