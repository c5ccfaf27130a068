"""The closed loop: choose, keep, check, carry out, analyse, record, and choose again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from itertools import takewhile
from typing import Any

import numpy as np

from lab.dry_run import DryRun, commands_of, dry_run
from lab.engine import Lane
from lab.engine.clearing import ClearAway, Clearing, refuse_given_up
from lab.engine.journal import MAIN
from lab.engine.origins import origin_of
from lab.engine.progress import (
    BatchProposed,
    CampaignEnded,
    CampaignOpened,
    ResultsRecorded,
    RunOpened,
    Watcher,
)
from lab.engine.review import Review
from lab.engine.session import BenchSession
from lab.engine.supply import Supply
from lab.errors import (
    BatchRedone,
    CampaignAborted,
    DrywetError,
    Infeasible,
    RunHeld,
    RunStopped,
)
from lab.interfaces import Planner, ProtocolModule, RunRecord
from lab.recovery import Recovery
from lab.store import Store
from lab.types import (
    Batch,
    Campaign,
    CampaignStatus,
    Experiment,
    ExperimentStatus,
    History,
    JsonValue,
    Layout,
    Observation,
    Proposal,
    Run,
    RunStatus,
    StepStatus,
)

__all__ = ["CampaignLoop", "Streams", "best_so_far", "what_fails"]


def best_so_far(campaign: Campaign, history: History) -> tuple[Experiment, Observation] | None:
    """The usable result that serves the goal best, with its experiment; None before there is one."""
    return next(iter(history.serving(campaign.goal)), None)


def what_fails(campaign: Campaign, history: History, batch: Batch) -> str:
    """What all results of a batch have in common when none of them can be used, in a sentence; empty otherwise.

    One candidate alone may fail for a reason of its own, so a batch of one is judged with those before it, back to another
    candidate's.
    """
    last = {o.experiment_id: o for o in history.observations if o.target == campaign.goal.target}
    batch_ids = {experiment.id for experiment in batch.experiments}
    newest: list[Observation] = []
    candidates: set[str] = set()
    for experiment in reversed(history.experiments):
        if experiment.id in last and (experiment.id in batch_ids or len(candidates) < 2):
            newest.append(last[experiment.id])
            candidates.add(experiment.candidate.id)
    if len(candidates) < 2 or any(observation.usable for observation in newest):
        return ""
    flags = [flag for flag in newest[0].quality.flags if all(flag in o.quality.flags for o in newest)]
    if not flags:
        return ""
    # Verdicts begin with what concerns whole plates, so what they share is where they begin alike.
    told = [o.quality.sentence.rstrip(".").split(". ") for o in newest if o.experiment_id in batch_ids]
    alike = [a[0] for a in takewhile(lambda a: len(set(a)) == 1, zip(*told, strict=False)) if a[0]]
    return f"{'. '.join(alike)}." if alike else f"All of them: {', '.join(flags).replace('_', ' ')}."


class Streams(IntEnum):
    """Which stream of random numbers a batch's choices come from: seeded by (campaign's seed, stream, batch number)."""

    CHOOSING = 1
    LAYOUT = 2


class _Finished(Exception):
    """The campaign has nothing more to do."""


class CampaignLoop:
    """Runs one campaign to its end, or to where it is stopped. All that it knows is in the store.

    Args:
        campaign: frozen.
        planner: that the campaign names.
        protocol: module that the campaign names.
        parameters: of the protocol, checked.
        clear_away: the plan that brings home what a run that is given up has left standing.
        session: the bench.
        lane: on that bench, entered.
        watch: told what happens.
        supply: of candidates that are not in stock; None where all that is chosen must be there.
        asked_by: whoever handed in or started the campaign, and so can't approve its batches.
    """

    def __init__(
        self,
        *,
        campaign: Campaign,
        planner: Planner,
        protocol: ProtocolModule,
        parameters: Any,
        clear_away: ClearAway,
        session: BenchSession,
        lane: Lane,
        watch: Watcher,
        supply: Supply | None = None,
        asked_by: str = "",
    ) -> None:
        self._supply = supply
        self._campaign = campaign
        self._planner = planner
        self._protocol = protocol
        self._parameters = parameters
        self._clearing = Clearing(session, lane, clear_away)
        self._session = session
        self._store: Store = session.store
        self._lane = lane
        self._watch = watch
        self._given_up: Counter[str] = Counter()
        self._trouble: Exception | None = None
        self._review = None
        if campaign.approval is not None:
            self._review = Review(
                campaign=campaign,
                policy=campaign.approval,
                store=session.store,
                clock=session.clock,
                workcell=session.workcell.name,
                twin=session.workcell.twin,
                asked_by=asked_by,
            )

    def take_up(self) -> None:
        """Reserve what the run still uses that this campaign stopped in the middle of, before anybody plans on this bench.

        Once, before :meth:`run`, which says what is wrong where this fails.
        """
        try:
            found = self._store.batch_at_work(self._campaign.id)
            if found is not None and not self._is_given_up(found[1]):
                self._reserve(*found)
        except Exception as error:  # noqa: BLE001  Told by run(), which holds this campaign alone for it.
            self._trouble = error

    def _is_given_up(self, run: Run) -> bool:
        """Whether all that is left to do of a run is to clear it away."""
        try:
            refuse_given_up(self._store, run, self._campaign.policies)
        except (BatchRedone, CampaignAborted):
            return True
        return False

    def run(self) -> CampaignStatus:
        """Go on until the budget is spent, the planner advises to stop, somebody stops it, or its policy gives it up.

        Returns:
            FINISHED, STOPPED or ABORTED.

        Raises:
            Exception: the campaign is held; the store says why as well.
        """
        history = self._store.history(self._campaign.id)
        self._watch(
            CampaignOpened(
                **self._stamp(),
                budget=self._campaign.budget,
                measured=len(history.usable(self._campaign.goal.target)),
            )
        )
        self._store.set_campaign_status(
            self._campaign.id, CampaignStatus.RUNNING, "", self._session.clock.now()
        )
        try:
            if self._trouble is not None:
                raise self._trouble
            self._refuse_aborted()
            while True:
                batch = self._next()
                self._ask_a_person(batch)
                run = self._carry_out(batch)
                self._record(batch, run)
        except _Finished as end:
            return self._end(CampaignStatus.FINISHED, str(end))
        except RunStopped as stop:
            return self._end(CampaignStatus.STOPPED, str(stop))
        except CampaignAborted as abort:
            return self._end(CampaignStatus.ABORTED, str(abort))
        except DrywetError as error:
            self._end(CampaignStatus.HELD, str(error))
            raise
        except Exception as bug:  # of a planner or a protocol; the others on the bench may work for days yet
            self._end(CampaignStatus.HELD, f"{type(bug).__name__}: {bug}")
            raise

    def _next(self) -> Batch:
        """A batch that was proposed and can be carried out, or a new one; while material is on its way, the wait for it.

        Raises:
            _Finished: there is none; says why.
            RunStopped: a stop was asked for, or all that is left waits for material that people receive.
        """
        while True:
            if self._supply is None:
                return self._store.open_batch(self._campaign.id) or self._choose(())
            waiting = self._store.open_batches(self._campaign.id)
            for batch in waiting:
                if self._supply.missing(batch.experiments):
                    self._ask_a_person(batch, tried_out=False)  # before anything is ordered for it
            ready = self._supply.ready(waiting)
            if ready is not None:
                return ready
            try:
                self._choose(waiting)
            except _Finished:
                # Asked anew: what was proposed just now may be all that is left to wait for.
                waiting = self._store.open_batches(self._campaign.id)
                if not waiting:
                    raise
                self._supply.wait(waiting)

    def _choose(self, waiting: Sequence[Batch]) -> Batch:
        """The next batch, durable before anything moves; with material to be ordered, one of it and one of what is there.

        Args:
            waiting: batches that wait for material.

        Raises:
            _Finished: there is none; says why.
            RunStopped: a stop was asked for.
        """
        campaign = self._campaign
        history = self._store.history(campaign.id)
        left = campaign.budget - history.spent
        if left <= 0:
            raise _Finished(f"The budget of {campaign.budget} experiments is spent.")
        if self._lane.stopping is not None:
            raise RunStopped(self._lane.stopping)
        number = self._store.batches_asked(campaign.id) + 1
        rng = np.random.default_rng([campaign.seed, Streams.CHOOSING, number])
        n = min(campaign.batch_size, left)
        if self._supply is None:
            proposal = self._planner.ask(n, campaign, history, (), rng)
        else:
            proposal = self._ask_with_material(n, self._supply, history, waiting, rng)
        if proposal.advice is not None and proposal.advice.stop and campaign.policies.stop_when_advised:
            raise _Finished(proposal.advice.sentence)
        if not proposal.experiments:
            raise _Finished("Every candidate of the pool has been measured.")
        return self._propose(proposal)

    def _ask_with_material(
        self,
        n: int,
        supply: Supply,
        history: History,
        waiting: Sequence[Batch],
        rng: np.random.Generator,
    ) -> Proposal:
        """Ask for a batch. What of it is not in stock is proposed and ordered as a batch of its own, and its place is filled
        from what is there.

        Returns:
            What is there of the proposal; what was ordered where nothing is.
        """
        pending = [experiment for batch in waiting for experiment in batch.experiments]
        taken = {experiment.id for experiment in pending}
        known = replace(history, experiments=tuple(e for e in history.experiments if e.id not in taken))
        ordering = supply.may_order(waiting)
        proposal = self._planner.ask(n, supply.pool(waiting, ordering=ordering), known, pending, rng)
        missing = supply.missing(proposal.experiments)
        if not missing:
            return proposal
        gone = {experiment.id for experiment in missing}
        there = [experiment for experiment in proposal.experiments if experiment.id not in gone]
        on_order = self._propose(replace(proposal, experiments=tuple(missing)))
        self._ask_a_person(on_order, tried_out=False)
        supply.order(on_order)
        left = self._campaign.budget - history.spent - len(missing)
        more = min(n, left) - len(there)
        if more > 0:
            batches = (*waiting, on_order)
            pool = supply.pool(batches, ordering=False)
            asked = self._planner.ask(more, pool, known, [*pending, *missing, *there], rng)
            there += [e for e in asked.experiments if not supply.missing([e])]
        if not there:
            raise _Finished("All that may be chosen waits for material.")
        return replace(proposal, experiments=tuple(there))

    def _propose(self, proposal: Proposal) -> Batch:
        batch = self._store.propose(self._campaign.id, proposal)
        self._log("batch", f"Batch {batch.number} proposed: {len(batch.experiments)} experiments.")
        self._watch(BatchProposed(**self._stamp(), batch=batch, advice=proposal.advice))
        return batch

    def _ask_a_person(self, batch: Batch, *, tried_out: bool = True) -> None:
        """Let a batch pass that needs nobody's word, or has it.

        Args:
            tried_out: dry first, which takes its material.

        Raises:
            ApprovalNeeded: it waits for a person.
            Infeasible: it can't be carried out.
        """
        if self._review is not None:
            self._review.allow(batch, (lambda: self._rehearsed(batch)) if tried_out else None)

    def _rehearsed(self, batch: Batch) -> DryRun:
        with self._lane.turn_to_plan():
            return self._try_out(batch)[1]

    def _try_out(self, batch: Batch) -> tuple[Layout, DryRun]:
        """Plates and wells for a batch, and its plan walked through dry; in one's turn to plan.

        Raises:
            Infeasible: it can't be carried out.
        """
        what_if = self._session.what_if()
        # The same wells in each attempt: what differs between two is the material alone.
        rng = np.random.default_rng([self._campaign.seed, Streams.LAYOUT, batch.number])
        layout = self._protocol.layout(batch, self._campaign, what_if.bench, self._parameters, rng)
        plan = self._protocol.plan(batch, self._campaign, what_if, layout, self._parameters)
        expected = dry_run(plan, what_if)
        if expected.problems:
            raise Infeasible((*expected.problems, *self._session.left_standing()))
        return layout, expected

    def _carry_out(self, batch: Batch) -> Run:
        """The run that measured the batch, after as many attempts as it takes."""
        while True:
            run = self._store.last_run(batch.id)
            if run is not None and run.status is RunStatus.DONE:
                return run
            try:
                if run is not None and run.status is not RunStatus.ABANDONED:
                    refuse_given_up(self._store, run, self._campaign.policies)
                return self._attempt(batch, run)
            except BatchRedone as redo:
                self._give_up(batch, str(redo))
            except CampaignAborted as abort:
                self._give_up(batch, str(abort))
                self._abandon(batch)
                raise

    def _abandon(self, batch: Batch) -> None:
        self._store.set_experiment_status([e.id for e in batch.experiments], ExperimentStatus.ABANDONED)

    def _refuse_aborted(self) -> None:
        """A campaign that was being given up when the program ended is given up.

        Raises:
            CampaignAborted: that was decided, and its run is closed.
        """
        for one in self._store.runs(self._campaign.id):
            if one.run.status is not RunStatus.ABANDONED:
                continue
            try:
                refuse_given_up(self._store, one.run, self._campaign.policies)
            except BatchRedone:
                continue
            except CampaignAborted:
                for batch in self._store.open_batches(self._campaign.id):
                    self._abandon(batch)
                raise

    def _attempt(self, batch: Batch, run: Run | None) -> Run:
        """Carry a batch out: in a new run, or in the next stretch of one that was interrupted."""
        if run is None or run.status is RunStatus.ABANDONED:
            run, expected = self._prepare(batch, 1 if run is None else run.attempt + 1)
        else:
            run, expected = self._store.next_stretch(run.id), None
        self._watch(
            RunOpened(
                **self._stamp(),
                batch=batch,
                run=run,
                steps=0 if expected is None else len(expected.steps),
                expected_s=0.0 if expected is None else expected.duration_s,
            )
        )
        plan = self._protocol.plan(
            batch, self._campaign, self._session.workcell, run.layout, self._parameters
        )
        try:
            uid = self._lane.carry_out(run, plan, self._metadata(batch, run))
        except RunStopped as stop:
            error = " ".join(getattr(stop, "__notes__", ()))
            self._store.finish_run(run.id, RunStatus.STOPPED, reason=str(stop), error=error)
            raise
        except (BatchRedone, CampaignAborted):
            raise
        except DrywetError as error:
            self._store.finish_run(run.id, RunStatus.FAILED, reason="", error=str(error))
            raise
        self._store.finish_run(run.id, RunStatus.DONE, reason="", error="", uid=uid)
        return replace(run, status=RunStatus.DONE)

    def _give_up(self, batch: Batch, why: str) -> None:
        """Bar what a run has made, bring home what it left standing, and close it. Goes on where it was cut off.

        Raises:
            RunHeld: a piece can't be brought home, or the batch was done again often enough.
        """
        run = self._store.last_run(batch.id)
        assert run is not None  # else there was nothing to give up
        self._given_up[batch.id] += 1
        try:
            self._clearing.clear(run, why, self._metadata(batch, run))
            self._log("redo", f"Attempt {run.attempt} at batch {batch.number} was given up. {why}")
        finally:
            self._session.clock.soon(self._session.leave, run.id)

    def _prepare(self, batch: Batch, attempt: int) -> tuple[Run, DryRun]:
        """Choose plates and wells, try the plan out dry, and open the run.

        Raises:
            RunHeld: the batch was attempted often enough.
        """
        redos = self._campaign.policies.max_redos
        if self._given_up[batch.id] > redos:
            raise RunHeld(
                f"Batch {batch.number} was given up {attempt - 1} times, and the campaign may do it again {redos} times "
                "before a person has a look. Find out what goes wrong, then: drywet resume"
            )
        with self._lane.turn_to_plan():
            layout, expected = self._try_out(batch)
            self._store.set_experiment_status([e.id for e in batch.experiments], ExperimentStatus.APPROVED)
            run = self._store.create_run(batch, layout, attempt)
            self._reserve(batch, run)
        return run, expected

    def _reserve(self, batch: Batch, run: Run) -> None:
        """Let the bench know what the run is still going to use, so that others plan around it."""
        plan = self._protocol.plan(
            batch, self._campaign, self._session.workcell, run.layout, self._parameters
        )
        settled = {
            s.ordinal
            for s in self._store.steps(run.id)
            if s.branch == MAIN and (s.status is StepStatus.DONE or s.recovery == Recovery.SKIP_SAMPLE)
        }
        wanted = enumerate(commands_of(plan), start=1)
        self._session.expect(run.id, [command for ordinal, command in wanted if ordinal not in settled])

    def _record(self, batch: Batch, run: Run) -> None:
        """Documents to observations, and those to the store, in one transaction with the experiments' status.

        Raises:
            RunHeld: nothing of the batch can be used, for one reason, and there is budget left to save; all is recorded,
                and who resumes goes on with the next batch.
        """
        record = RunRecord(
            run_id=run.id,
            layout=run.layout,
            documents=self._store.documents(run.id),
            origin=origin_of(self._store.documents(run.id), self._session.workcell),
            barred=self._store.barred_samples(run.id),
        )
        observations = self._protocol.analyse(record, batch, self._campaign, self._parameters)
        self._store.record(observations)
        history = self._store.history(self._campaign.id)
        usable = sum(observation.usable for observation in observations)
        common = what_fails(self._campaign, history, batch)
        sentence = f"Batch {batch.number} measured: {usable} of {len(observations)} results can be used."
        self._log("result", f"{sentence} {common}".rstrip())
        self._watch(
            ResultsRecorded(
                **self._stamp(),
                batch=batch,
                observations=observations,
                spent=history.spent,
                best=best_so_far(self._campaign, history),
            )
        )
        if common and history.spent < self._campaign.budget:
            raise RunHeld(
                f"No result of batch {batch.number} can be used. {common} To save the rest of the budget the "
                "campaign waits; where its file is the cause, change that and start again with drywet run --new."
            )

    def _metadata(self, batch: Batch, run: Run) -> dict[str, JsonValue]:
        campaign = self._campaign
        return {
            "campaign_id": campaign.id,
            "batch_id": batch.id,
            "batch_number": batch.number,
            "protocol": campaign.protocol.name,
            "workcell": self._session.workcell.name,
            "plates": [{"role": role, "labware": labware} for role, labware in run.layout.labware.items()],
        }

    def _log(self, kind: str, sentence: str) -> None:
        self._store.log(self._campaign.id, kind, sentence, self._session.clock.now())

    def _stamp(self) -> Mapping[str, Any]:
        return {"campaign_id": self._campaign.id, "lab_time_s": self._session.clock.now()}

    def _end(self, status: CampaignStatus, sentence: str) -> CampaignStatus:
        self._store.set_campaign_status(self._campaign.id, status, sentence, self._session.clock.now())
        self._watch(CampaignEnded(**self._stamp(), status=status, sentence=sentence))
        return status
