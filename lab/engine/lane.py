"""A lane: one Bluesky run engine that carries out one run at a time, next to other lanes on the same loop."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import bluesky.plan_stubs as bps
from bluesky.run_engine import RunEngine, _ensure_event_loop_running
from bluesky.utils import DuringTask, FailedStatus, Msg

from lab.dry_run import refuse_outside_step
from lab.engine.flight import Flight
from lab.engine.journal import MAIN, Journal
from lab.engine.progress import Watcher
from lab.engine.session import BenchSession
from lab.engine.sink import DocumentSink
from lab.engine.standstill import Breaking, Pause
from lab.engine.steps import StepKeeper
from lab.errors import BatchRedone, CampaignAborted, DrywetError, RunHeld, RunStopped
from lab.interfaces import StepEnd, Ticket
from lab.types import Campaign, JsonValue, Run

__all__ = ["Lane"]

_PLANNING = "the plan of the bench"
"""Leased like a device, by whoever decides what the bench is to do next."""

# A run engine imports ophyd where it is installed, for its version alone, and ophyd starts the threads of a client of EPICS
# when it is imported. Devices here are ophyd-async's, which have a client of their own.
os.environ.setdefault("OPHYD_CONTROL_LAYER", "dummy")

Plan = Generator[Msg, Any, Any]


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
        self._priority = campaign.policies.priority
        self._hold: int | None = None
        self._flight: Flight | None = None
        self._stop_reason: str | None = None
        self._pause = Pause(session.clock)
        self._steps = StepKeeper(
            session=session,
            campaign=campaign,
            watch=watch,
            between=self._between,
            positions=self._take_positions,
            stopping=lambda: self._stop_reason,
            pause=self._pause,
        )
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
        self._read_plainly: Callable[[Msg], Awaitable[Any]] = self._engine._command_registry["read"]
        for command, handler in {
            "step_begin": self._step_begin,
            "step_end": self._step_end,
            "claim": self._claim,
            "release": self._release,
            "read": self._read,
            "sleep": self._sleep,
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
        self._clock.soon(self._wait_no_longer)
        self._pause.look_again()

    def _wait_no_longer(self) -> None:
        """For what goes on without us, like a worklist that is out: whoever goes on with the run waits for it again."""
        verb = None if self._flight is None else self._flight.verb
        if verb is not None and not verb.stop_waits:
            verb.break_off(self._stop_reason or "")

    def break_off(self, reason: str) -> Breaking | None:
        """Stop, and end the command under way in its midst. Loop thread only; safe to repeat.

        Returns:
            The command, for whoever brings its device to the safe state to follow to its end; None where there was none.
        """
        self.request_stop(reason)
        flight = self._flight
        if flight is None or flight.verb is None or flight.command is None:
            return None
        status = flight.verb.break_off(reason)
        if status is not None and flight.breaking is None:
            flight.breaking = Breaking(device=flight.verb.device, action=flight.command.verb, status=status)
        return flight.breaking

    def request_pause(self, reason: str) -> None:
        """Begin no more steps for a while; the devices stay connected. Any thread; safe to repeat."""
        self._pause.ask(reason)

    def let_go_on(self) -> None:
        """Begin steps again. Any thread; safe to repeat."""
        self._pause.end()

    @property
    def pausing(self) -> str | None:
        """Why the lane is to stand still; None while it is not."""
        return self._pause.reason

    @property
    def at_rest(self) -> bool:
        """Whether the lane stands still between two steps because of a pause."""
        return self._pause.at_rest

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
        self._session.enter(self._campaign_id, self._name, self._priority)
        self.let_time_pass()
        try:
            await self._session.arbiter.lease(self._campaign_id, [_PLANNING])
        finally:
            self._hold = self._clock.take_hold(f"{self._campaign_id} between runs")

    def carry_out(
        self, run: Run, plan: Plan, metadata: Mapping[str, JsonValue], *, branch: str = MAIN
    ) -> str:
        """Run one stretch: the whole plan, less the steps that are done already.

        Args:
            run: whose journal is walked; its ``stretch`` numbers the Bluesky run.
            plan: of the protocol, without ``open_run``.
            metadata: for the start document.
            branch: of the journal that the plan walks.

        Returns:
            uid of the Bluesky run.

        Raises:
            RunStopped: a stop was asked for; the run can be continued.
            RunHeld: the run needs a person.
            BatchRedone: the run is to be given up, and its batch done again.
            CampaignAborted: the campaign is to be given up. After either the run counts as at work until somebody has
                cleared it away, or let it leave the session: who waits for its places is not told that nobody will.
            ProtocolDiverged: the plan no longer asks for the journal's steps.
        """
        sink = DocumentSink(self._session.store, run.id, run.stretch)
        self._flight = Flight(run, Journal(self._session.store, run, branch), sink)
        start = {**metadata, "run_id": run.id, "attempt": run.attempt, "stretch": run.stretch}
        try:
            outcome: Any = self._engine(self._stretch(plan, self._flight, start), sink)
        except FailedStatus as failed:
            if isinstance(failed.__cause__, DrywetError):
                raise failed.__cause__ from failed
            raise
        finally:
            self._flight = None
            try:
                sink.close()
            except BaseException:
                # It ends with this, whatever else it would have ended with: nobody clears it away now.
                self._clock.soon(self._session.leave, run.id)
                raise
        return str(outcome.run_start_uids[0])

    def _stretch(self, plan: Plan, flight: Flight, start: Mapping[str, JsonValue]) -> Plan:
        """The plan in its Bluesky run. Runs on the loop, so the clock is let go and held again without a gap."""
        self._session.enter(flight.run.id, self._name, self._priority)
        self.let_time_pass()
        done = self._session.leave
        try:
            yield from bps.open_run(dict(start) | {"lab_time_s": self._clock.now()})
            try:
                yield from refuse_outside_step(plan)
                flight.journal.end_of_plan()
            except RunStopped as stop:
                yield from bps.close_run(exit_status="abort", reason=str(stop))
                raise
            except (BatchRedone, CampaignAborted) as given_up:
                done = self._session.give_up
                yield from bps.close_run(exit_status="fail", reason=str(given_up))
                raise
            except Exception as error:
                yield from bps.close_run(exit_status="fail", reason=str(error))
                raise
            yield from bps.close_run()
        finally:
            self._hold = self._clock.take_hold(f"{self._campaign_id} between runs")
            done(flight.run.id)

    def let_time_pass(self) -> None:
        """Give the clock back, until the end of the next run takes it again. Safe to repeat."""
        if self._hold is not None:
            self._clock.release_hold(self._hold)
            self._hold = None

    def hold_time(self) -> None:
        """Keep lab time from passing again, after :meth:`let_time_pass`. Loop thread only; safe to repeat."""
        if self._hold is None:
            self._hold = self._clock.take_hold(f"{self._campaign_id} between runs")

    def _in_flight(self) -> Flight:
        if self._flight is None:
            raise RuntimeError("a step message came outside a run of this lane")
        return self._flight

    async def _step_begin(self, msg: Msg) -> Ticket:
        """``Msg("step_begin", verb, command)``: see :meth:`StepKeeper.begin`."""
        return await self._steps.begin(self._in_flight(), msg.obj, msg.args[0])

    async def _step_end(self, msg: Msg) -> StepEnd:
        """``Msg("step_end", verb, ticket, error=None)``: see :meth:`StepKeeper.end`."""
        return await self._steps.end(self._in_flight(), msg.obj, msg.kwargs.get("error"))

    async def _read(self, msg: Msg) -> Any:
        """``Msg("read", device)``: what the device showed after this run's own last step on it.

        Another lane may have used the device since; a resumed run that walks past a reading of long ago shares it with
        whoever reads now. So it is shown once more and read under a lease.
        """
        flight = self._in_flight()
        shown = flight.shown.get(msg.obj.name)
        if shown is None or flight.verb is not None:
            return await self._read_plainly(msg)
        verb, result = shown
        lease = await self._session.arbiter.lease(flight.run.id, [verb.device])
        try:
            await verb.restore(result)
            return await self._read_plainly(msg)
        finally:
            self._session.arbiter.give_back(lease)

    async def _sleep(self, msg: Msg) -> None:
        """``Msg("sleep", None, seconds)``: so much lab time from the end of the step before, whoever was killed meanwhile.

        Nobody waits once more for what an earlier stretch has waited for, and a stop does not wait at all.
        """
        flight = self._in_flight()
        if flight.journal.goes_on_past:
            return
        now_s = self._clock.now()
        ended_s = flight.journal.ended_earlier_s
        since_s = now_s if ended_s is None else max(ended_s, flight.waited_s)
        flight.waited_s = since_s + float(msg.args[0])
        if flight.waited_s > now_s:
            await self._pause.lull(flight.waited_s - now_s, lambda: self._stop_reason)
        await self._between(flight)

    async def _between(self, flight: Flight) -> None:
        """Between steps is where a run stops or is held; never within one."""
        if self._stop_reason is not None:
            raise RunStopped(self._stop_reason)
        if flight.sink.failure is not None:
            raise RunHeld(f"The documents of {flight.run.id} can't be written: {flight.sink.failure}")

    async def _claim(self, msg: Msg) -> None:
        """``Msg("claim", None, positions)``: what the steps that follow need; the first that is sent takes all or waits."""
        flight = self._in_flight()
        if flight.section:
            raise RunHeld(f"The plan claims positions while it still claims {', '.join(flight.section)}.")
        flight.section, flight.claimed, flight.section_begun = tuple(msg.args[0]), False, False

    async def _take_positions(self, flight: Flight) -> None:
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
