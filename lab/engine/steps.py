"""The steps of a lane: journaled, leased, sent by the plan, settled, and followed up by the campaign's recovery policy."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection

from lab.engine.arbiter import Lease
from lab.engine.flight import Flight
from lab.engine.progress import Watcher
from lab.engine.safety import make_safe
from lab.engine.session import BenchSession
from lab.engine.settle import (
    ASK_S,
    decide,
    in_full,
    look,
    of_a_bug,
    pause_s,
    sent_again,
    what_came_of,
)
from lab.engine.standstill import Pause
from lab.engine.telling import StepTeller
from lab.errors import (
    BatchRedone,
    CampaignAborted,
    DeviceFault,
    FaultKind,
    Infeasible,
    RunHeld,
    RunStopped,
    StoreUnusable,
)
from lab.interfaces import Answer, Command, Marker, Place, Reconciliation, StepEnd, Ticket, Verb
from lab.recovery import SAFE_BOUND_S, Recovery
from lab.types import Campaign, JsonValue, Step, StepStatus

__all__ = ["StepKeeper"]

_LAST = 0
"""In place of the number of a try: the step is done, and no other try follows."""


class StepKeeper:
    """Begins and ends the steps of one lane. Loop thread only.

    Args:
        session: the bench.
        campaign: whose policies decide.
        watch: told of every step that ends and of every fault.
        between: awaited where a run may stop, pause or be held; raises where it does.
        positions: takes what the plan claims, before the first step that needs it.
        stopping: why the lane is to stop; None while it is not.
        pause: whether the lane may begin steps.
    """

    def __init__(
        self,
        *,
        session: BenchSession,
        campaign: Campaign,
        watch: Watcher,
        between: Callable[[Flight], Awaitable[None]],
        positions: Callable[[Flight], Awaitable[None]],
        stopping: Callable[[], str | None],
        pause: Pause,
    ) -> None:
        self._session = session
        self._policies = campaign.policies
        self._teller = StepTeller(session, campaign.id, watch)
        self._between = between
        self._take_positions = positions
        self._stopping = stopping
        self._pause = pause

    async def begin(self, flight: Flight, verb: Verb, command: Command) -> Ticket:
        """Journal the step and lease its device, or walk past what an earlier stretch has settled.

        Raises:
            RunStopped, RunHeld: the run does not go on here; nothing was sent.
            Infeasible: it can't be done on the bench as believed.
            ProtocolDiverged: it is another step than the journal holds.
        """
        step = flight.journal.next_step(verb, command, again=flight.again)
        flight.step, flight.again = step, False
        earlier = flight.journal.earlier(step)
        if earlier is not None:
            flight.section_begun = True
            return await self._walk_past(flight, earlier, verb, command)
        await self._come_to_turn(flight)
        began = self._session.clock.now()
        flight.command = command
        flight.step_id = await self._session.clock.outside(
            "the journal", lambda: flight.journal.begin(step, began)
        )
        limit_s = verb.limit_s(command, self._session.bench)
        # Longer than the command may take, the instrument may be asked, and a safe state may need: it runs out only for a
        # lane that is stuck.
        lease = await self._leased(flight, verb, limit_s + ASK_S + 2 * SAFE_BOUND_S + ASK_S)
        try:
            await self._between(flight)
            problems = tuple(verb.problems(command, self._session.bench))
            if problems:
                raise Infeasible(problems)
            await self._interlocked(verb, command)
            step_id = flight.step_id
            await self._session.clock.outside(
                "the journal", lambda: flight.journal.dispatch(step_id, lease.token)
            )
            verb.engage(token=lease.token, limit_s=limit_s, mark=self._marker(step_id), step=step.key)
            flight.verb, flight.lease = verb, lease
            flight.sent_s, flight.sent_wall_s = self._session.clock.now(), time.monotonic()
            if (reason := self._stopping()) is not None and not verb.stop_waits:
                # The stop came too late to be seen above, and too early to find the verb.
                verb.break_off(reason)
        except BaseException:
            self._session.arbiter.give_back(lease)
            raise
        return Ticket(key=step.key, done=False)

    async def _interlocked(self, verb: Verb, command: Command) -> None:
        """Nothing is sent that the workcell's interlocks forbid at this moment.

        Raises:
            RunHeld: one does, or what it needs can't be known.
        """
        objections = await self._session.interlocks.objections(verb.device, command)
        if objections:
            raise RunHeld(f"Nothing was sent. {' '.join(objections)}")

    async def _come_to_turn(self, flight: Flight) -> None:
        """Wait until the lane may begin a step, with the positions that it needs; who stands still claims nothing new."""
        while True:
            if self._pause.reason is not None:
                self._give_back(flight)
            await self._pause.over(self._stopping)
            await self._between(flight)
            had_them = flight.claimed
            await self._take_positions(flight)
            if had_them or self._pause.reason is None:
                return
            self._session.arbiter.release_claims(flight.run.id)
            flight.claimed = False

    async def _leased(self, flight: Flight, verb: Verb, for_s: float) -> Lease:
        """The device, and not while the lane stands still; still leased where the step is tried once more."""
        had = flight.lease or self._session.take_kept(flight.run.id, verb.device)
        if had is not None:
            return self._session.arbiter.renew(had, for_s)
        while True:
            lease = await self._session.arbiter.lease(flight.run.id, [verb.device], for_s=for_s)
            if self._pause.reason is None or self._stopping() is not None:
                return lease
            self._session.arbiter.give_back(lease)
            await self._pause.over(self._stopping)

    def _give_back(self, flight: Flight) -> None:
        if flight.lease is not None:
            self._session.arbiter.give_back(flight.lease)
            flight.lease = None

    async def _walk_past(self, flight: Flight, earlier: Step, verb: Verb, command: Command) -> Ticket:
        """A step of an earlier stretch: done, given up, or still to be decided on."""
        if earlier.status is StepStatus.DISPATCHED:
            raise RunHeld(
                f"{earlier.action} on {earlier.device} ({earlier.id}) was sent, and the instrument has not been asked "
                "what came of it. Start again: drywet resume"
            )
        if earlier.status is StepStatus.DONE:
            await verb.restore(earlier.result)
            flight.shown[verb.device] = verb, earlier.result
        elif earlier.recovery == Recovery.SKIP_SAMPLE:
            await self._session.close(earlier.id, verb, command, "It was decided to go on without it.")
        else:
            flight.command, flight.step_id = command, earlier.id
            await self._follow(flight, verb, FaultKind.UNKNOWN_OUTCOME, 1, earlier.error, earlier.recovery)
        self._teller.ended(flight, verb, command, replayed=True)
        return Ticket(key=earlier.key, done=True, result=earlier.result)

    def _marker(self, step_id: str) -> Marker:
        async def mark(name: str, details: JsonValue) -> None:
            at_s = self._session.clock.now()
            await self._session.clock.outside(
                "the journal", lambda: self._session.store.mark_step(step_id, name, details, at_s)
            )

        return mark

    async def end(self, flight: Flight, verb: Verb, error: BaseException | None) -> StepEnd:
        """Journal what came of the step, do what the policy says, give the device back.

        Raises:
            RunHeld, BatchRedone, CampaignAborted: the instrument failed, and that is what the policy wants.
            RunStopped: a stop broke the step off.
            StoreUnusable: what came of it can't be kept.
        """
        if flight.command is None or flight.step is None:
            raise RuntimeError("step_end without step_begin")
        cause = None if error is None else error.__cause__ or error
        try:
            if cause is None:
                return await self._ended_well(flight, verb, verb.result())
            if isinstance(cause, StoreUnusable):
                # No record could be made, of a part of the step or, on a twin, of what it does. That says nothing of the
                # step: it stands at DISPATCHED, and the instrument is asked at the next start, as after a crash.
                raise cause
            if not isinstance(cause, DeviceFault):
                await self._settle(flight, of_a_bug(cause), None)
                raise cause
            return await self._ended_badly(flight, verb, cause)
        finally:
            flight.verb = None
            if flight.breaking is not None:
                flight.breaking.seen.set()
                flight.breaking = None
            if not flight.again:
                self._give_back(flight)

    async def _ended_well(self, flight: Flight, verb: Verb, result: JsonValue) -> StepEnd:
        assert flight.command is not None
        remark = verb.remark()
        await self._settle(
            flight, Reconciliation(answer=Answer.DONE, sentence="It said so.", result=result), remark
        )
        flight.shown[verb.device] = verb, result
        self._teller.ended(flight, verb, flight.command, replayed=False)
        if remark is not None:
            # It is done, so there is nothing to try again; only whether to go on is left to decide.
            await self._follow(flight, verb, remark.kind, _LAST, str(remark))
        return StepEnd(again=False, result=result)

    async def _ended_badly(self, flight: Flight, verb: Verb, fault: DeviceFault) -> StepEnd:
        """Ask the instrument what came of it, write that down, and do what the policy says."""
        step, command = flight.step, flight.command
        assert step is not None
        assert command is not None
        attempt = flight.journal.attempt(step)
        outcome = await self._asked(flight, verb, fault)
        if outcome.answer is Answer.DONE:
            return await self._done_all_the_same(flight, verb, fault, outcome)
        await self._settle(flight, outcome, fault)
        if (reason := self._stopping()) is not None:
            stop = RunStopped(reason)
            stop.add_note(f"The step under way was broken off: {in_full(fault, outcome)}")
            raise stop from fault
        known = outcome.answer is Answer.NOT_DONE
        kind = fault.kind if known else FaultKind.UNKNOWN_OUTCOME
        why = str(fault) if fault.nothing_done else in_full(fault, outcome)
        recovery = await self._follow(flight, verb, kind, attempt, why)
        if sent_again(recovery):
            # The device is kept: what it holds or is at, amid a step, a neighbour must not meet.
            wait_s = pause_s(kind, attempt)
            if flight.lease is not None:
                flight.lease = self._session.arbiter.renew(flight.lease, wait_s + SAFE_BOUND_S)
            await self._pause.lull(wait_s, self._stopping)
            flight.again = True
            return StepEnd(again=True)
        return StepEnd(again=False)

    async def _done_all_the_same(
        self, flight: Flight, verb: Verb, fault: DeviceFault, outcome: Reconciliation
    ) -> StepEnd:
        """The instrument failed to say so, or failed after it: what counts is that the command is done."""
        assert flight.command is not None
        await verb.restore(outcome.result)
        remark = verb.remark()
        await self._settle(flight, outcome, remark or fault)
        flight.shown[verb.device] = verb, outcome.result
        self._teller.ended(flight, verb, flight.command, replayed=False)
        await self._teller.fault(flight, verb, fault.kind, in_full(fault, outcome), None)
        if remark is not None:
            await self._follow(flight, verb, remark.kind, _LAST, str(remark))
        await self._between(flight)
        return StepEnd(again=False, result=outcome.result)

    async def _asked(self, flight: Flight, verb: Verb, fault: DeviceFault) -> Reconciliation:
        """What came of the command, by the fault itself where it was refused, else by the instrument."""
        assert flight.command is not None
        if fault.nothing_done:
            return Reconciliation(answer=Answer.NOT_DONE, sentence="Nothing was done.")
        step_id = flight.step_id
        marks = await self._session.clock.outside("the journal", lambda: self._session.store.marks(step_id))
        await look(self._session.workcell.devices[verb.device])
        if flight.breaking is not None:
            await flight.breaking.wait_until_safe()
        return await what_came_of(verb, flight.command, marks)

    async def _settle(self, flight: Flight, outcome: Reconciliation, fault: DeviceFault | None) -> None:
        assert flight.command is not None
        await self._session.settle(flight.step_id, flight.run.id, flight.command, outcome, fault)

    async def _follow(
        self, flight: Flight, verb: Verb, kind: FaultKind, attempt: int, why: str, decided: str = ""
    ) -> Recovery:
        """Do what the policy says about a fault, or what was decided before.

        Raises:
            RunHeld, BatchRedone, CampaignAborted: that is what it says.
        """
        command = flight.command
        assert command is not None
        run_id, step_id, session = flight.run.id, flight.step_id, self._session
        done = attempt == _LAST
        places = await session.clock.outside(
            "the journal", lambda: session.in_question(step_id, command, kind)
        )
        recovery = Recovery(decided) if decided else self._decided(flight, kind, attempt, places)
        sentence = await self._teller.fault(flight, verb, kind, why, recovery, done=done)
        if recovery is Recovery.SKIP_SAMPLE and not done:
            # Barred first: a program that ends between the two must not walk past the step with its samples in use.
            await self._session.clock.outside(
                "the journal", lambda: session.leave_out(run_id, step_id, command, places)
            )
            session.pass_over(run_id)
            await self._session.clock.outside(
                "the journal", lambda: session.store.decide_step(step_id, str(recovery))
            )
            await session.close(step_id, verb, command, "It was decided to go on without it.")
        elif recovery in (Recovery.REDO_BATCH, Recovery.ABORT):
            if not done:
                await self._session.clock.outside(
                    "the journal", lambda: session.store.decide_step(step_id, str(recovery))
                )
                await session.close(step_id, verb, command, "Its run was given up.")
                sentence += await self._left_safe(flight)
            raise (BatchRedone if recovery is Recovery.REDO_BATCH else CampaignAborted)(sentence)
        elif recovery is Recovery.HOLD:
            if not done:
                sentence += await self._left_safe(flight)
            if kind is FaultKind.UNKNOWN_OUTCOME:
                sentence += f" Look at the bench, then: drywet resolve {step_id} --as done|not-done|discard"
            raise RunHeld(sentence)
        return recovery

    async def _left_safe(self, flight: Flight) -> str:
        """Bring the device of a step that failed to its safe state, for whoever works here next: nothing hot, shut, clamped.

        Only while the lane leases it; of a step that an earlier stretch left behind, others may be using it by now.

        Returns:
            What is to be said of it; empty when it got there.
        """
        if flight.verb is None:
            return ""
        role = flight.verb.device
        unsafe = await make_safe({role: self._session.workcell.devices[role]})
        return "".join(f" It is NOT known to be in its safe state: {why}" for why in unsafe.values())

    def _decided(self, flight: Flight, kind: FaultKind, attempt: int, places: Collection[Place]) -> Recovery:
        assert flight.command is not None
        if attempt != _LAST:
            return decide(
                self._policies.recovery,
                kind,
                attempt,
                flight.command,
                self._session.bench,
                places=places,
                layout=flight.run.layout,
            )
        # A remark on what is done: the samples stay in, with what the analysis says of them.
        wanted = self._policies.recovery(kind, 1)
        return Recovery.SKIP_SAMPLE if sent_again(wanted) else wanted
