"""A lane: one Bluesky run engine that carries out one run at a time, next to other lanes on the same loop."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import bluesky.plan_stubs as bps
from bluesky.run_engine import RunEngine, _ensure_event_loop_running
from bluesky.utils import DuringTask, FailedStatus, Msg

from lab.dry_run import refuse_outside_step
from lab.engine.journal import Journal
from lab.engine.progress import StepEnded, Watcher
from lab.engine.session import BenchSession
from lab.engine.sink import DocumentSink
from lab.errors import DrywetError, Infeasible, OutOfRange, RunHeld, RunStopped
from lab.interfaces import Command, Ticket, Verb
from lab.types import Campaign, JsonValue, Run, StepStatus

__all__ = ["Lane"]

_PLANNING = "the plan of the bench"
"""Leased like a device, by whoever decides what the bench is to do next."""

Plan = Generator[Msg, Any, Any]


@dataclass(slots=True)
class _Flight:
    """What the run-engine commands need to know of the stretch under way.

    Args:
        section: positions that the plan claims now.
        claimed: whether they are taken; a section whose steps were all done in an earlier stretch never takes them.
        section_begun: a step of the section was done in an earlier stretch.
    """

    run: Run
    journal: Journal
    sink: DocumentSink
    step_id: str = ""
    command: Command | None = None
    steps: int = 0
    section: tuple[str, ...] = ()
    claimed: bool = False
    section_begun: bool = False


class Lane:
    """Carries out runs on one bench, in the thread that calls it.

    Outside a plan the lane holds the clock: whatever it does between two runs takes no lab time. Use it as a context
    manager, so that the hold is given back.

    Args:
        session: the bench.
        campaign: whose runs these are.
        watch: told of every step that ends; called on the loop, must return at once.
    """

    def __init__(self, session: BenchSession, campaign: Campaign, watch: Watcher) -> None:
        self._session = session
        self._clock = session.clock
        self._campaign_id = campaign.id
        self._name = campaign.name
        self._watch = watch
        self._hold: int | None = None
        self._flight: _Flight | None = None
        self._stop_reason: str | None = None
        # A run engine only knows the threads of loops that it started itself; this one runs in the clock's thread.
        threads: Any = _ensure_event_loop_running
        threads.loop_to_thread.setdefault(session.clock.loop, session.clock.thread)
        self._engine = RunEngine(
            {},
            loop=session.clock.loop,
            context_managers=[],
            during_task=DuringTask(),
            call_returns_result=True,
        )
        for command, handler in {
            "step_begin": self._step_begin,
            "step_end": self._step_end,
            "claim": self._claim,
            "release": self._release,
        }.items():
            self._engine.register_command(command, handler)

    def __enter__(self) -> Self:
        self._hold = self._clock.take_hold(f"{self._campaign_id} between runs")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_time_pass()

    @property
    def stopping(self) -> str | None:
        """Why the lane is to stop; None while it is not."""
        return self._stop_reason

    def request_stop(self, reason: str) -> None:
        """Stop before the next step begins. Any thread; safe to repeat."""
        self._stop_reason = self._stop_reason or reason
        flight = self._flight
        for owner in (self._campaign_id, *([flight.run.id] if flight is not None else [])):
            stop = RunStopped(self._stop_reason)
            self._clock.soon(self._session.arbiter.withdraw, owner, stop)

    @contextmanager
    def turn_to_plan(self) -> Iterator[None]:
        """Have the bench's future to oneself: lanes that plan their next runs do so one after the other.

        Raises:
            RunStopped: a stop was asked for while waiting.
        """
        self._clock.run(self._await_turn())
        try:
            yield
        finally:
            self._clock.soon(self._session.leave, self._campaign_id)

    async def _await_turn(self) -> None:
        """The clock is let go only for the wait, and on the loop, so that no lab time passes unseen."""
        self._session.enter(self._campaign_id, self._name)
        self.let_time_pass()
        try:
            await self._session.arbiter.lease(self._campaign_id, [_PLANNING])
        finally:
            self._hold = self._clock.take_hold(f"{self._campaign_id} between runs")

    def carry_out(self, run: Run, plan: Plan, metadata: Mapping[str, JsonValue]) -> str:
        """Run one stretch: the whole plan, less the steps that are done already.

        Args:
            run: whose journal is walked; its ``stretch`` numbers the Bluesky run.
            plan: of the protocol, without ``open_run``.
            metadata: for the start document.

        Returns:
            uid of the Bluesky run.

        Raises:
            RunStopped: a stop was asked for; the run can be continued.
            RunHeld: the run needs a person.
            DeviceFault: an instrument failed.
            ProtocolDiverged: the plan no longer asks for the journal's steps.
        """
        sink = DocumentSink(self._session.store, run.id, run.stretch)
        self._flight = _Flight(run, Journal(self._session.store, run), sink)
        start = {**metadata, "run_id": run.id, "attempt": run.attempt, "stretch": run.stretch}
        try:
            outcome: Any = self._engine(self._stretch(plan, self._flight, start), sink)
        except FailedStatus as failed:
            if isinstance(failed.__cause__, DrywetError):
                raise failed.__cause__ from failed
            raise
        finally:
            self._flight = None
            sink.close()
        return str(outcome.run_start_uids[0])

    def _stretch(self, plan: Plan, flight: _Flight, start: Mapping[str, JsonValue]) -> Plan:
        """The plan in its Bluesky run. Runs on the loop, so the clock is let go and held again without a gap."""
        self._session.enter(flight.run.id, self._name)
        self.let_time_pass()
        try:
            yield from bps.open_run(dict(start) | {"lab_time_s": self._clock.now()})
            try:
                yield from refuse_outside_step(plan)
                flight.journal.end_of_plan()
            except RunStopped as stop:
                yield from bps.close_run(exit_status="abort", reason=str(stop))
                raise
            except Exception as error:
                yield from bps.close_run(exit_status="fail", reason=str(error))
                raise
            yield from bps.close_run()
        finally:
            self._hold = self._clock.take_hold(f"{self._campaign_id} between runs")
            self._session.leave(flight.run.id)

    def let_time_pass(self) -> None:
        """Give the clock back, until the end of the next run takes it again. Safe to repeat."""
        if self._hold is not None:
            self._clock.release_hold(self._hold)
            self._hold = None

    def _in_flight(self) -> _Flight:
        if self._flight is None:
            raise RuntimeError("a step message came outside a run of this lane")
        return self._flight

    async def _step_begin(self, msg: Msg) -> Ticket:
        """``Msg("step_begin", verb, command)``: journal the step, lease its device; gives a :class:`Ticket`."""
        flight = self._in_flight()
        verb: Verb = msg.obj
        command: Command = msg.args[0]
        flight.steps += 1
        step = flight.journal.next_step(verb, command)
        earlier = flight.journal.done_before(step)
        if earlier is not None:
            flight.section_begun = True
            await verb.restore(earlier.result)
            self._tell(flight, verb, command, replayed=True)
            return Ticket(key=step.key, done=True, result=earlier.result)
        self._refuse_to_go_on(flight)
        await self._take_positions(flight)
        began = self._clock.now()
        flight.command = command
        flight.step_id = await self._clock.outside("the journal", lambda: flight.journal.begin(step, began))
        await self._session.arbiter.lease(flight.run.id, [verb.device])
        try:
            self._refuse_to_go_on(flight)
            problems = tuple(verb.problems(command, self._session.bench))
            if problems:
                raise Infeasible(problems)
            step_id = flight.step_id
            await self._clock.outside("the journal", lambda: flight.journal.dispatch(step_id))
        except BaseException:
            self._session.arbiter.release(flight.run.id)
            raise
        return Ticket(key=step.key, done=False)

    def _refuse_to_go_on(self, flight: _Flight) -> None:
        """Between steps is where a run stops or is held; never within one."""
        if self._stop_reason is not None:
            raise RunStopped(self._stop_reason)
        if flight.sink.failure is not None:
            raise RunHeld(f"The documents of {flight.run.id} can't be written: {flight.sink.failure}")

    async def _step_end(self, msg: Msg) -> JsonValue:
        """``Msg("step_end", verb, ticket, error=None)``: journal the outcome, give the device back; gives the result."""
        flight = self._in_flight()
        verb: Verb = msg.obj
        command = flight.command
        if command is None:
            raise RuntimeError("step_end without step_begin")
        error: BaseException | None = msg.kwargs.get("error")
        cause = None if error is None else error.__cause__ or error
        status = _outcome(cause)
        sentence = "" if cause is None else str(cause) or type(cause).__name__
        result = verb.result() if status is StepStatus.DONE else None
        ended, step_id = self._clock.now(), flight.step_id
        try:
            await self._clock.outside(
                "the journal",
                lambda: flight.journal.end(step_id, status, result=result, error=sentence, lab_time_s=ended),
            )
            if status is StepStatus.DONE:
                self._session.believe(flight.run.id, command)
        finally:
            self._session.arbiter.release(flight.run.id)
        if status is StepStatus.DONE:
            self._tell(flight, verb, command, replayed=False)
        return result

    async def _claim(self, msg: Msg) -> None:
        """``Msg("claim", None, positions)``: what the steps that follow need; the first that is sent takes all or waits."""
        flight = self._in_flight()
        if flight.section:
            raise RunHeld(f"The plan claims positions while it still claims {', '.join(flight.section)}.")
        flight.section, flight.claimed, flight.section_begun = tuple(msg.args[0]), False, False

    async def _take_positions(self, flight: _Flight) -> None:
        """The claim, for real: a section walked again must not wait for places that it was done with long ago."""
        if flight.claimed or not flight.section:
            return
        await self._session.arbiter.claim(
            flight.run.id, flight.section, self._session.active, under_way=flight.section_begun
        )
        flight.claimed = True

    async def _release(self, msg: Msg) -> None:
        """``Msg("release", None)``: give back what is claimed."""
        flight = self._in_flight()
        flight.section, flight.claimed = (), False
        self._session.arbiter.release_claims(flight.run.id)

    def _tell(self, flight: _Flight, verb: Verb, command: Command, *, replayed: bool) -> None:
        self._watch(
            StepEnded(
                campaign_id=self._campaign_id,
                lab_time_s=self._clock.now(),
                run_id=flight.run.id,
                number=flight.steps,
                device=verb.device,
                action=command.verb,
                replayed=replayed,
            )
        )


def _outcome(error: BaseException | None) -> StepStatus:
    """What became of a step: FAILED only where certainly nothing was done; a step may be many actions, some of them done."""
    if error is None:
        return StepStatus.DONE
    return StepStatus.FAILED if isinstance(error, OutOfRange) else StepStatus.UNKNOWN
