"""One process at work on one store: campaigns on benches, each in a lane and a thread of its own, on one clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.app.benches import lab_time_of
from lab.app.outcome import Outcome, Standing
from lab.app.prepare import Prepared, refuse, refuse_together, rehearse
from lab.app.settings import Settings
from lab.app.stopping import StopReport
from lab.app.team import Assignment, Team
from lab.clock import LabClock
from lab.engine.progress import Progress, Watcher
from lab.errors import BadInput, DeviceFault, RunHeld, StoreUnusable
from lab.store import CampaignRecord, Store
from lab.types import Campaign, CampaignStatus

__all__ = ["Laboratory", "Outcome", "Standing"]

UNFINISHED = (CampaignStatus.RUNNING, CampaignStatus.STOPPED, CampaignStatus.HELD)


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
        _refuse_clashes(prepared)
        stopped = [None if new else self._unfinished(one) for one in prepared]
        rehearsed = {
            one.file.name: rehearse(one)
            for one, record in zip(prepared, stopped, strict=True)
            if record is None
        }
        for rehearsal in rehearsed.values():
            refuse(rehearsal)
        for sharing in _by_bench([one for one in prepared if one.file.name in rehearsed]):
            refuse_together([rehearsed[one.file.name] for one in sharing])
        with self._team(
            [r for r in stopped if r is not None], [p.file.workcell.twin for p in prepared]
        ) as team:
            for one, record in zip(prepared, stopped, strict=True):
                if record is None:
                    team.start(one, rehearsed[one.file.name].claim, baseline=baseline)
                else:
                    self._go_on(team, [record])
            return self._carry_out(team)

    def resume(self, name: str | None = None) -> tuple[Outcome, ...]:
        """Go on with a stopped campaign of the store, its baseline, and whoever was stopped beside it.

        Args:
            name: or identifier; the newest that waits to go on when left out.

        Raises:
            BadInput: there is none of this name, or it has finished.
        """
        record = self._newest_unfinished() if name is None else self.store.campaign(name)
        if record.status not in UNFINISHED:
            raise BadInput(
                f"{record.campaign.name} has {record.status}; there is nothing to go on with.",
                way_out=f"See it with: drywet report {record.campaign.name}",
            )
        with self._team([record], [self.store.bench(record.bench_id).twin]) as team:
            self._go_on(team, [record])
            return self._carry_out(team)

    @contextmanager
    def _team(self, stopped: Sequence[CampaignRecord], twins: Sequence[bool]) -> Iterator[Team]:
        """A team on a clock that begins where the benches of stopped campaigns left off.

        Raises:
            RunHeld: an instrument may not be in its safe state at the end; says what held the campaigns, too.
        """
        benches = {record.bench_id for record in self._with_company(stopped)}
        start_s = max((lab_time_of(self.store, bench_id) for bench_id in benches), default=0.0)
        held: list[str] = []
        try:
            with ExitStack() as stack:
                stack.enter_context(self._at_work)
                clock = stack.enter_context(LabClock(virtual=all(twins), pace=self._pace, start_s=start_s))
                team = Team(
                    clock=clock, store=self.store, twin_folder=self._twin_folder, tell=self._tell, stack=stack
                )
                yield team
                held = [f"{a.campaign.name}: {a.error}" for a in team.assignments if a.error is not None]
        except DeviceFault as unsafe:
            if not held:
                raise
            raise RunHeld(f"{unsafe} It was held before that. {' '.join(held)}") from unsafe

    def _go_on(self, team: Team, records: Sequence[CampaignRecord]) -> None:
        for record in self._with_company(records):
            team.go_on(record)

    def _with_company(self, records: Sequence[CampaignRecord]) -> list[CampaignRecord]:
        """Campaigns to go on with, each followed by its unfinished baselines and by those stopped amid a run on its bench.

        The latter's plates may stand where the others need to work, and only they will take them away.
        """
        known = self.store.campaigns()
        company: dict[str, CampaignRecord] = {}
        for record in records:
            company[record.campaign.id] = record
            for other in known:
                baseline = other.campaign.baseline_of == record.campaign.id and other.status in UNFINISHED
                if baseline or (other.bench_id == record.bench_id and self._stopped_amid_a_run(other)):
                    company.setdefault(other.campaign.id, other)
        return list(company.values())

    def _stopped_amid_a_run(self, record: CampaignRecord) -> bool:
        if record.status not in (CampaignStatus.RUNNING, CampaignStatus.STOPPED):
            return False  # What is held waits for a person.
        return self.store.batch_at_work(record.campaign.id) is not None

    def _newest_unfinished(self) -> CampaignRecord:
        waiting = [r for r in self.store.campaigns() if r.status in UNFINISHED and not r.campaign.baseline_of]
        if not waiting:
            raise BadInput(
                "No campaign in this store waits to go on.", way_out="Start one with: drywet run FILE"
            )
        return waiting[-1]

    def _unfinished(self, prepared: Prepared) -> CampaignRecord | None:
        """The stopped campaign that this file asks to go on with; None where the store has none of its name."""
        name, path = prepared.file.name, prepared.file.path
        records = [
            r for r in self.store.campaigns() if r.campaign.name == name and not r.campaign.baseline_of
        ]
        if not records:
            return None
        last = records[-1]
        if last.status not in UNFINISHED:
            raise BadInput(
                f"Campaign {name} has {last.status} in this store.",
                way_out=f"See it with: drywet report {name}. Run it once more with: drywet run --new {path}",
                file=path,
            )
        if last.content_hash != prepared.file.sha256:
            raise BadInput(
                f"Campaign {name} was stopped, and its campaign, candidate or workcell file has changed since.",
                way_out=f"Go on with it as it was: drywet resume {name}. Start afresh: drywet run --new {path}",
                file=path,
            )
        return last

    def _carry_out(self, team: Team) -> tuple[Outcome, ...]:
        self._campaigns = {a.campaign.id: a.campaign for a in team.assignments}
        self._working = team
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

    def _tell(self, event: Progress) -> None:
        self.watch(event)

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


def _by_bench(prepared: Sequence[Prepared]) -> list[list[Prepared]]:
    """Those that share a workcell file, together."""
    benches: dict[Path, list[Prepared]] = {}
    for one in prepared:
        benches.setdefault(one.file.workcell_path.resolve(), []).append(one)
    return list(benches.values())


def _refuse_clashes(prepared: Sequence[Prepared]) -> None:
    """Refuse campaigns that cannot run side by side.

    Raises:
        BadInput: two of one name, or two on one bench that find other variants in its wells.
    """
    names: dict[str, Prepared] = {}
    benches: dict[Path, Prepared] = {}
    for one in prepared:
        file = one.file
        if file.name in names:
            raise BadInput(
                f"Two campaigns of the name {file.name} can't run side by side.",
                way_out="Give each file once, and each campaign a name of its own.",
                file=file.path,
                field="name",
            )
        names[file.name] = one
        other = benches.setdefault(file.workcell_path.resolve(), one)
        if set(other.file.material) != set(file.material):
            raise BadInput(
                f"{file.name} and {other.file.name} share a bench, but their candidate files put different variants "
                "into its wells.",
                way_out="Give both the same candidate file, or each a workcell file of its own.",
                file=file.path,
            )
