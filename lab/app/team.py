"""The benches, lanes and loops of one call, on one clock, each campaign in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lab.app.approving import who_asks
from lab.app.benches import OpenBench, new_bench, reopen_bench
from lab.app.inventory import refuse_other_material, refuse_to_begin
from lab.app.prepare import Loaded, Prepared, load_stored
from lab.app.stock import Amounts, Claim
from lab.app.stopping import BrokenOff, StopReport, kept, reach_safe_states
from lab.campaign import CampaignLoop
from lab.clock import LabClock
from lab.engine import Lane
from lab.engine.progress import Watcher
from lab.engine.session import BenchSession
from lab.engine.standstill import Breaking
from lab.engine.supply import Supply
from lab.errors import BenchBusy, DeviceFault, DrywetError, StoreUnusable
from lab.files import WorkcellSpec
from lab.interfaces import Planner
from lab.store import CampaignRecord, Store
from lab.types import Campaign, CampaignStatus, PlannerChoice, new_id

__all__ = ["Assignment", "Team"]

log = logging.getLogger("drywet.stop")

STORE_S = 5.0
"""Wall time that the store has to take what a stop did, after all devices were told."""

TURN_S = 5.0
"""Wall time that who wants to join waits for whoever opens a bench just now."""


@dataclass(slots=True, kw_only=True)
class Assignment:
    """A campaign, what carries it out, and what became of it.

    Args:
        begun: runs that it goes on with, which count as at work on the bench from the start.
        error: what holds it, if it is held.
        bug: what else went wrong, to be raised where the work was asked for.
    """

    campaign: Campaign
    loop: CampaignLoop
    lane: Lane
    session: BenchSession
    twin: bool
    begun: tuple[str, ...] = ()
    status: CampaignStatus = CampaignStatus.RUNNING
    error: DrywetError | None = None
    bug: BaseException | None = field(default=None, repr=False)

    def work(self) -> None:
        """Run the campaign to its end or stop, in the thread that calls; whatever happens is kept here."""
        try:
            self.status = self.loop.run()
        except DrywetError as error:
            self.status, self.error = CampaignStatus.HELD, error
        except BaseException as bug:  # noqa: BLE001  Other campaigns go on; the caller raises it when they have ended.
            self.status, self.bug = CampaignStatus.HELD, bug
        finally:
            for run_id in self.begun:
                self.session.clock.soon(self.session.leave, run_id)
            self.lane.let_time_pass()


class Team:
    """The benches, lanes and loops of one call, on one clock; all that it opens is closed by the stack it is given."""

    def __init__(
        self, *, clock: LabClock, store: Store, twin_folder: Path, tell: Watcher, stack: ExitStack
    ) -> None:
        self.clock = clock
        self.assignments: list[Assignment] = []
        self._store = store
        self._twin_folder = twin_folder
        self._tell = tell
        self._stack = stack
        self._benches: dict[str, OpenBench] = {}
        self._open: list[OpenBench] = []
        self._closing: dict[str, ExitStack] = {}
        self._threads: list[threading.Thread] = []
        self._joining = threading.Lock()
        self._at_work = False

    def start(
        self,
        prepared: Prepared,
        claim: Claim,
        *,
        baseline: bool,
        submission_id: str = "",
        bench_id: str | None = None,
    ) -> Campaign:
        """A new campaign on the bench of its workcell file, and its baseline on one of its own.

        Args:
            claim: what it needs of that bench, as its rehearsal found.
            submission_id: what it was handed in as, if it was.
            bench_id: of a bench of the store that it shares, empty for a new one; None for that of its file, which is new
                unless it is at work here.

        Raises:
            Infeasible: others have reserved too much of it.
            BenchBusy: its instruments are connected as another bench.
            BadInput: the bench holds other material than its files say.
        """
        place = str(prepared.file.workcell_path.resolve()) if bench_id is None else bench_id
        bench = self._benches.get(place) if place else None
        if bench is None and bench_id:
            self._refuse_to_share(prepared.file.workcell)
            bench = self._enter(reopen_bench(prepared.file.workcell, self.clock, self._store, bench_id))
        if bench is None:
            bench = self._new_bench(prepared)
        else:
            refuse_other_material(self._store, bench.session.bench_id, prepared)
            refuse_to_begin(self._store, bench.session.bench_id, claim)
        self._benches[place] = self._benches[bench.session.bench_id] = bench
        campaign = prepared.file.campaign(new_id("cmp"))
        self._begin(prepared, campaign, prepared.planner, bench, claim.needs, submission_id)
        if baseline and prepared.baseline is not None:
            comparison = replace(
                campaign,
                id=new_id("cmp"),
                name=f"{campaign.name}_{prepared.file.baseline}",
                planner=PlannerChoice(name=prepared.file.baseline),
                baseline_of=campaign.id,
                approval=None,
            )
            self._begin(prepared, comparison, prepared.baseline, self._new_bench(prepared), claim.needs)
        return campaign

    def bench(self, bench_id: str) -> OpenBench | None:
        """A bench of the store that is open here; None where it is not."""
        return next((one for one in self._open if one.session.bench_id == bench_id), None)

    def go_on(self, record: CampaignRecord) -> None:
        """A campaign of the store, on its bench as the journal and the ledger left it. Safe to repeat."""
        for assignment in self.assignments:
            if assignment.campaign.id == record.campaign.id:
                if assignment.status is CampaignStatus.RUNNING:
                    return
                self.assignments.remove(assignment)
                break
        loaded = load_stored(record)
        bench = self._benches.get(record.bench_id) or self.bench(record.bench_id)
        if bench is None:
            self._refuse_to_share(loaded.workcell)
            bench = reopen_bench(loaded.workcell, self.clock, self._store, record.bench_id)
            self._benches[record.bench_id] = self._enter(bench)
        self._assign(loaded, bench)

    def _new_bench(self, prepared: Prepared) -> OpenBench:
        self._refuse_to_share(prepared.file.workcell)
        bench = new_bench(prepared.file, self.clock, self._store, self._twin_folder)
        return self._enter(bench)

    def _refuse_to_share(self, spec: WorkcellSpec) -> None:
        """Real instruments have one bench at a time: two would each believe another deck.

        Raises:
            BenchBusy: they are connected here.
        """
        if all(role in spec.twins for role in spec.devices):
            return
        if any(one.session.workcell.name == spec.name for one in self._open):
            raise BenchBusy(
                f"The instruments of {spec.name} are at work with another deck.",
                way_out="Wait until its campaigns have ended.",
            )

    def _enter(self, bench: OpenBench) -> OpenBench:
        closing = self._stack.enter_context(ExitStack())
        self._open.append(closing.enter_context(bench))
        self._closing[bench.session.bench_id] = closing
        return bench

    def _begin(
        self,
        prepared: Prepared,
        campaign: Campaign,
        planner: Planner,
        bench: OpenBench,
        needs: Amounts,
        submission_id: str = "",
    ) -> None:
        self._store.create_campaign(
            campaign,
            bench.session.bench_id,
            prepared.file.sha256,
            prepared.texts,
            needs=needs,
            submission_id=submission_id,
        )
        try:
            self._assign(prepared.load(campaign, planner), bench)
        except BaseException as error:
            self._hold(campaign.id, error)
            raise

    def _assign(self, loaded: Loaded, bench: OpenBench) -> None:
        from protocols.steps import clear_away

        lane = Lane(bench.session, loaded.campaign, self._tell)
        supply = None
        if loaded.campaign.material is not None:
            supply = Supply(
                campaign=loaded.campaign,
                session=bench.session,
                lane=lane,
                library=loaded.workcell.library,
                deliver=bench.deliver if loaded.workcell.twin else None,
            )
        loop = CampaignLoop(
            campaign=loaded.campaign,
            planner=loaded.planner,
            protocol=loaded.protocol,
            parameters=loaded.parameters,
            clear_away=clear_away,
            session=bench.session,
            lane=lane,
            watch=self._tell,
            supply=supply,
            asked_by=who_asks(self._store, loaded.campaign.id),
        )
        begun = self._begun(loaded.campaign)
        for run_id in begun:
            bench.session.enter(run_id, loaded.campaign.name, loaded.campaign.policies.priority)
        self.assignments.append(
            Assignment(
                campaign=loaded.campaign,
                loop=loop,
                lane=lane,
                session=bench.session,
                twin=loaded.workcell.twin,
                begun=begun,
            )
        )

    def _begun(self, campaign: Campaign) -> tuple[str, ...]:
        """The run that a stopped campaign is in the middle of, if it is."""
        found = self._store.batch_at_work(campaign.id)
        return () if found is None else (found[1].id,)

    def work(self) -> None:
        """Connect all benches, then run all campaigns side by side until the last one ends, also of those that join."""
        with self._joining:
            try:
                self._set_off(self.assignments, self._open)
            except BaseException:
                for one in self.assignments:
                    one.status = CampaignStatus.HELD
                raise
            self._at_work = True
        while True:
            for thread in list(self._threads):
                thread.join()
            with self._joining:
                if not any(thread.is_alive() for thread in self._threads):
                    self._at_work = False
                    break
        for assignment in self.assignments:
            if assignment.bug is not None:
                raise assignment.bug

    def join(self, begin: Callable[[], object]) -> bool:
        """Have more campaigns begin while the others work. Any thread; blocking.

        Args:
            begin: calls :meth:`start` or :meth:`go_on`.

        Returns:
            False where the last campaign has ended, and nothing was begun.

        Raises:
            BadInput: it can't begin; the others go on.
            DeviceFault: a bench that it opened can't be connected; the campaigns are held.
        """
        if not self._joining.acquire(timeout=TURN_S):
            return False
        try:
            if not self._at_work:
                return False
            self._let_go_of_finished()
            campaigns, benches = list(self.assignments), list(self._open)
            try:
                begin()
                joined = [one for one in self.assignments if not _holds(campaigns, one)]
                self._set_off(joined, [one for one in self._open if not _holds(benches, one)])
            except BaseException as error:
                self.take_back(error, campaigns, benches)
                raise
            return True
        finally:
            self._joining.release()

    def _let_go_of_finished(self) -> None:
        """A bench that is never at rest would else keep the run engine and the planner of all that it ever carried out.

        One whose baseline is still at it stays: by its name both are stopped.
        """
        wanted = {
            one.campaign.baseline_of for one in self.assignments if one.status is CampaignStatus.RUNNING
        }
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self.assignments = [
            one
            for one in self.assignments
            if one.status is not CampaignStatus.FINISHED or one.campaign.id in wanted
        ]

    def take_back(
        self,
        error: BaseException,
        campaigns: Sequence[Assignment] = (),
        benches: Sequence[OpenBench] = (),
    ) -> None:
        """Hold what could not set off, and close the benches that were opened for it: another try opens them anew.

        Args:
            error: why it could not.
            campaigns: assignments that were here before, and stay.
            benches: that were open before, and stay.

        Raises:
            DeviceFault: an instrument may not be in its safe state.
        """
        for one in [one for one in self.assignments if not _holds(campaigns, one)]:
            one.status = CampaignStatus.HELD
            one.error = error if isinstance(error, DrywetError) else None
            for run_id in one.begun:
                self.clock.soon(one.session.leave, run_id)
            one.lane.let_time_pass()
            self._hold(one.campaign.id, error)
        unsafe: list[str] = []
        for bench in [one for one in self._open if not _holds(benches, one)]:
            self._open.remove(bench)
            self._benches = {place: one for place, one in self._benches.items() if one is not bench}
            try:
                self._closing.pop(bench.session.bench_id).close()
            except DeviceFault as fault:
                unsafe.append(str(fault))
        if unsafe:
            raise DeviceFault(f"{' '.join(unsafe)} Before that: {error}") from error

    def _hold(self, campaign_id: str, error: BaseException) -> None:
        """Nobody works on it, whatever the store says by now."""
        sentence = str(error) or type(error).__name__
        try:
            if self._store.campaign(campaign_id).status is CampaignStatus.RUNNING:
                self._store.set_campaign_status(campaign_id, CampaignStatus.HELD, sentence, self.clock.now())
        except StoreUnusable as gone:
            log.error("That %s is held can't be kept: %s", campaign_id, gone)

    def _set_off(self, assignments: Sequence[Assignment], benches: Sequence[OpenBench]) -> None:
        self.clock.run(self._connect(benches))
        with ExitStack() as holds:
            # Every lane holds the clock before the first one starts, so that no campaign gets a head start in lab time.
            for assignment in assignments:
                holds.enter_context(assignment.lane)
            for assignment in assignments:
                assignment.loop.take_up()
            holds.pop_all()  # Each gives its own back as it works.
        threads = [threading.Thread(target=a.work, name=a.campaign.name) for a in assignments]
        self._threads.extend(threads)
        for thread in threads:
            thread.start()

    def stop_now(
        self, chosen: Sequence[Assignment], reason: str, tell: Callable[[StopReport], None]
    ) -> StopReport:
        """Break off the steps of some campaigns and bring their devices to the safe state; those of nobody else.

        A bench that only these campaigns work on is brought there as a whole; of a shared one, the devices that their steps
        were broken off on. Any thread but the clock's; bounded, whatever fails.
        """
        broken: dict[str, Breaking] = {}
        devices, shared = self._concerned(chosen)

        def break_off() -> dict[str, Breaking]:
            for one in chosen:
                breaking = one.lane.break_off(reason)
                if breaking is not None:
                    broken[one.campaign.id] = breaking
            return {
                self._label(one.session, broken[one.campaign.id].device): broken[one.campaign.id]
                for one in chosen
                if one.campaign.id in broken
            }

        outcome = reach_safe_states(self.clock, devices, break_off=break_off, shared=shared)
        report = StopReport(
            reason=reason,
            campaigns=tuple(one.campaign.name for one in chosen),
            broken_off=tuple(
                BrokenOff(campaign=one.campaign.name, device=it.device, action=it.action, error=it.error)
                for one in chosen
                if (it := broken.get(one.campaign.id)) is not None
            ),
            devices=outcome,
        )
        log.warning("%s %s %s", reason, report.sentence, report.to_json())
        tell(report)  # before the store, which may hang
        return self._kept(chosen, report)

    def _concerned(self, chosen: Sequence[Assignment]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Devices of benches that only these campaigns work on, and of benches that others work on too."""
        theirs = {one.session.bench_id for one in chosen}
        others = {
            one.session.bench_id
            for one in self.assignments
            if one not in chosen and one.status is CampaignStatus.RUNNING
        }
        devices: dict[str, Any] = {}
        shared: dict[str, Any] = {}
        for bench in self._open:
            if bench.session.bench_id in theirs:
                (shared if bench.session.bench_id in others else devices).update(
                    {
                        self._label(bench.session, role): device
                        for role, device in dict(bench.connected).items()
                    }
                )
        return devices, shared

    def _label(self, session: BenchSession, role: str) -> str:
        if len(self._open) == 1:
            return role
        users = [one.campaign.name for one in self.assignments if one.session is session]
        return f"{role} ({', '.join(users)})"

    def _kept(self, chosen: Sequence[Assignment], report: StopReport) -> StopReport:
        """The report in the store, if that can be written; else with why not."""

        def write() -> None:
            for one in chosen:
                self._store.log(
                    one.campaign.id,
                    "stop",
                    f"{report.reason} {report.sentence}",
                    self.clock.now(),
                    report.to_json(),
                )

        failure = kept(write, STORE_S) if chosen else ""
        if not failure:
            return report
        log.error("The stop may not be in the store: %s", failure)
        return replace(report, errors=(*report.errors, f"This may not be in the store: {failure}"))

    async def _connect(self, benches: Sequence[OpenBench]) -> None:
        """Side by side, so that one takes no lab time of another."""
        await asyncio.gather(*[bench.connect() for bench in benches])


def _holds(things: Sequence[object], thing: object) -> bool:
    """Whether it is one of them, and not only like one."""
    return any(one is thing for one in things)
