"""Whatever goes wrong in whatever order, each well is stamped once, and the journal says so."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ophyd_async.core import AsyncStatus

from lab.app.resolving import Verdict, resolve, unresolved
from lab.clock import LabClock
from lab.engine import BenchSession, Lane
from lab.engine.journal import step_key
from lab.engine.progress import Progress, StepEnded
from lab.errors import CommandTimeout, InstrumentBusy, RunHeld, RunStopped
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark, StepStatus
from tests.lab.engine.bench import Press, SmallLab, Stamp, stamp_plan

WELLS = ("A1", "A2", "A3", "A4", "A5")


class TruthfulPress(Press):
    """Knows what it did, or knows that it does not know; never says what is wrong.

    Attributes:
        stamped: how often each well was stamped, truly.
        next_fault: what happens to the next command: (refused, stamped all the same, can tell afterwards).
        can_tell: wells of which it can say what came of the last command.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stamped: Counter[str] = Counter()
        self.next_fault: tuple[bool, bool, bool] | None = None
        self.can_tell: set[str] = set()

    def set(self, value: Stamp) -> AsyncStatus:
        return AsyncStatus(self._command(value))

    async def _command(self, command: Stamp) -> None:
        await self.mark("stamp", {"well": command.well})
        fault, self.next_fault = self.next_fault, None
        if fault is None:
            self._do(command.well)
            return
        refused, done, can_tell = fault
        if refused:
            raise InstrumentBusy("busy", device="press")
        self.happens(command.well, done=done, can_tell=can_tell)
        raise CommandTimeout("no answer", device="press")

    def happens(self, well: str, *, done: bool, can_tell: bool) -> None:
        if done:
            self._do(well)
        (self.can_tell.add if can_tell else self.can_tell.discard)(well)

    def _do(self, well: str) -> None:
        self.stamped[well] += 1
        self.last = {"well": well}

    async def reconcile(self, command: Stamp, marks: Sequence[Mark]) -> Reconciliation:
        if not marks:
            return Reconciliation(answer=Answer.NOT_DONE, sentence="It was not begun.")
        if command.well not in self.can_tell:
            return Reconciliation(answer=Answer.UNKNOWN, sentence="It can't tell.")
        if self.stamped[command.well]:
            result: JsonValue = {"well": command.well}
            return Reconciliation(answer=Answer.DONE, sentence="The ink is there.", result=result)
        return Reconciliation(answer=Answer.NOT_DONE, sentence="The well is dry.")


class Recovery(RuleBasedStateMachine):
    """One run on one press, with faults, kills and people, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = LabClock(virtual=True).start()
        self.lab = SmallLab(Path(self.folder.name), self.clock)
        self.press = TruthfulPress()
        self.lab.press = self.press
        self.finished = False

    def teardown(self) -> None:
        # Whatever state it is in, a truthful person and some patience bring it to its end.
        for _ in range(2 * len(WELLS)):
            if self.finished:
                break
            self._people_look()
            self._carry_out(stop_after=None)
        assert self.finished
        assert self.press.stamped == Counter(dict.fromkeys(WELLS, 1))
        last = {step.ordinal: step.status for step in self.lab.store.steps(self.lab.run.id)}
        assert set(last.values()) == {StepStatus.DONE}
        bench = self.lab.session().bench
        assert [bench.well("plate_1", well).volume_ul for well in WELLS] == [1.0] * len(WELLS)
        assert bench.barred == {}
        self.lab.store.close()
        self.clock.close()
        self.folder.cleanup()

    @precondition(lambda self: not self.finished)
    @rule(stop_after=st.integers(1, len(WELLS)))
    def goes_on_for_some_steps(self, stop_after: int) -> None:
        self._carry_out(stop_after=stop_after)

    @precondition(lambda self: not self.finished)
    @rule(fault=st.tuples(st.booleans(), st.booleans(), st.booleans()))
    def the_next_command_fails(self, fault: tuple[bool, bool, bool]) -> None:
        self.press.next_fault = fault

    @precondition(lambda self: not self.finished and self._next_well() is not None)
    @rule(marked=st.booleans(), done=st.booleans(), can_tell=st.booleans())
    def the_program_is_killed_in_a_step(self, marked: bool, done: bool, can_tell: bool) -> None:
        well = self._next_well()
        assert well is not None
        lab, ordinal = self.lab, WELLS.index(well) + 1
        arguments = Stamp(well=well).to_json()
        key = step_key(lab.batch.id, 1, "main", ordinal, "stamp", arguments)
        step = lab.store.begin_step(
            lab.run.id, key, "main", ordinal, "stamp", "press", arguments, self.clock.now()
        )
        lab.store.dispatch_step(step.id, lab.store.last_token(lab.bench_id) + 1)
        if marked:
            lab.store.mark_step(step.id, "stamp", {"well": well}, self.clock.now())
            self.press.happens(well, done=done, can_tell=can_tell)

    @precondition(lambda self: not self.finished)
    @rule()
    def somebody_looks_at_the_bench(self) -> None:
        self._people_look()

    @precondition(lambda self: self.finished)
    @rule()
    def nothing_is_left_to_do(self) -> None:
        assert self.lab.store.open_steps(self.lab.bench_id) == ()

    @invariant()
    def no_well_is_stamped_twice(self) -> None:
        assert max(self.press.stamped.values(), default=0) <= 1

    @invariant()
    def what_is_journaled_as_done_was_done_and_what_failed_was_not(self) -> None:
        last = {s.ordinal: s for s in self.lab.store.steps(self.lab.run.id)}
        for step in last.values():
            stamped = self.press.stamped[step.arguments["well"]]
            if step.status is StepStatus.DONE:
                assert stamped == 1
            if step.status in (StepStatus.INTENT, StepStatus.FAILED):
                assert stamped == 0

    @invariant()
    def what_nobody_knows_of_is_barred(self) -> None:
        barred = self.lab.store.barred(self.lab.bench_id)
        for step in unresolved(self.lab.store, self.lab.bench_id):
            assert ("plate_1", step.arguments["well"]) in barred

    def _next_well(self) -> str | None:
        """Of the first step that is not done; None where a step is in the air or waits for a person."""
        if self.lab.store.open_steps(self.lab.bench_id):
            return None
        done = {
            s.arguments["well"] for s in self.lab.store.steps(self.lab.run.id) if s.status is StepStatus.DONE
        }
        return next((well for well in WELLS if well not in done), None)

    def _carry_out(self, *, stop_after: int | None) -> None:
        """A new process: it comes back, goes on, and ends in one of the ways that it may."""
        lab = self.lab
        session: BenchSession = lab.session()
        self.clock.run(session.come_back())
        lab.run = lab.store.next_stretch(lab.run.id)

        def watch(event: Progress) -> None:
            if isinstance(event, StepEnded) and event.number == stop_after:
                lane.request_stop("enough")

        with Lane(session, lab.campaign, watch) as lane:
            try:
                lane.carry_out(lab.run, stamp_plan(self.press, WELLS), {})
            except (RunStopped, RunHeld):
                return
        self.finished = True

    def _people_look(self) -> None:
        for step in unresolved(self.lab.store, self.lab.bench_id):
            stamped = self.press.stamped[step.arguments["well"]]
            verdict = Verdict.DONE if stamped else Verdict.NOT_DONE
            resolve(self.lab.store, step.id, verdict, who="ada", why="looked")


TestRecovery = Recovery.TestCase
TestRecovery.settings = settings(
    max_examples=15,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
