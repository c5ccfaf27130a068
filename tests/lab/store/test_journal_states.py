"""The journal under any sequence of calls, restarts among them, against a model that is a few lines of Python."""

from __future__ import annotations

from dataclasses import dataclass, field

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from lab.errors import ProtocolDiverged, RunHeld
from lab.recovery import AFTER_UNKNOWN, Recovery
from lab.store import Store
from lab.types import Run, StepStatus
from tests.lab.store.examples import begin, opened_run

AFTER: dict[StepStatus, tuple[StepStatus, ...]] = {
    StepStatus.INTENT: (StepStatus.DISPATCHED, StepStatus.FAILED),
    StepStatus.DISPATCHED: (StepStatus.DONE, StepStatus.FAILED, StepStatus.UNKNOWN),
    StepStatus.UNKNOWN: (StepStatus.DONE, StepStatus.FAILED),
    StepStatus.DONE: (),
    StepStatus.FAILED: (),
}


@dataclass
class Place:
    """What the model knows of one place of one run: the key it was taken with, and each try as (id, status)."""

    key: str
    tries: list[list[str]] = field(default_factory=list)


class JournalMachine(RuleBasedStateMachine):
    url: str
    steps = Bundle("steps")

    @initialize()
    def open(self) -> None:
        self.store = Store.open(self.url)
        first = opened_run(self.store)
        self.bench = first.bench.id
        self.runs: list[Run] = [first.run, opened_run(self.store, first.bench, "second").run]
        self.places: dict[tuple[str, int], Place] = {}
        self.marked: dict[str, list[str]] = {}
        self.decided: dict[str, Recovery] = {}
        self.settled: list[tuple[int, str]] = []

    @rule(
        target=steps,
        run=st.integers(0, 1),
        ordinal=st.integers(1, 3),
        other=st.sampled_from([False, False, False, True]),
        dispatch=st.booleans(),
    )
    def begin(self, run: int, ordinal: int, other: bool, dispatch: bool) -> object:
        chosen = self.runs[run]
        key = f"{chosen.id}/{ordinal}/{'other' if other else 'usual'}"
        place = self.places.get((chosen.id, ordinal))
        status = None if place is None or not place.tries else place.tries[-1][1]
        if place is not None and place.key != key:
            with pytest.raises(ProtocolDiverged):
                begin(self.store, chosen, ordinal, key=key, dispatch=dispatch)
            return multiple()
        if place is not None and self.decided.get(place.tries[-1][0]) is Recovery.SKIP_SAMPLE:
            step = begin(self.store, chosen, ordinal, key=key, dispatch=dispatch)
            assert [step.id, step.status] == place.tries[-1]
            return multiple()
        if status in (StepStatus.DISPATCHED, StepStatus.UNKNOWN):
            with pytest.raises(RunHeld):
                begin(self.store, chosen, ordinal, key=key, dispatch=dispatch)
            return multiple()
        step = begin(self.store, chosen, ordinal, key=key, dispatch=dispatch)
        place = self.places.setdefault((chosen.id, ordinal), Place(key))
        if status == StepStatus.DONE:
            assert [step.id, step.status] == place.tries[-1]
            return multiple()
        fresh = StepStatus.DISPATCHED if dispatch else StepStatus.INTENT
        assert step.status is fresh
        if status == StepStatus.INTENT:
            assert step.id == place.tries[-1][0]
            place.tries[-1][1] = fresh
            return multiple()
        place.tries.append([step.id, fresh])
        assert step.attempt_number == len(place.tries)
        return step.id

    @rule(
        step_id=steps,
        becomes=st.sampled_from(list(StepStatus)),
        part=st.sampled_from([None, {"tips": ["A1"]}]),
    )
    def move(self, step_id: str, becomes: StepStatus, part: object) -> None:
        known = next(t for place in self.places.values() for t in place.tries if t[0] == step_id)
        if becomes not in AFTER[StepStatus(known[1])]:
            with pytest.raises(ValueError, match=r"cannot become|does not end as"):
                self._move(step_id, becomes, part)
            return
        completion = self._move(step_id, becomes, part)
        known[1] = becomes
        if becomes is StepStatus.DISPATCHED:
            return
        had = next((number for number, settled in self.settled if settled == step_id), None)
        latest = max((number for number, _ in self.settled), default=0)
        self.settled = [entry for entry in self.settled if entry[1] != step_id]
        if becomes is StepStatus.FAILED and part is None:
            assert completion is None
        else:
            assert completion == (latest + 1 if had is None else had)
            self.settled = sorted([*self.settled, (completion, step_id)])

    def _move(self, step_id: str, becomes: StepStatus, part: object) -> int | None:
        if becomes is StepStatus.DISPATCHED:
            self.store.dispatch_step(step_id, 7)
            return None
        return self.store.end_step(step_id, becomes, {"of": step_id}, "why", 1.0, part=part)

    @rule(step_id=steps, name=st.sampled_from(["draw", "give"]))
    def mark(self, step_id: str, name: str) -> None:
        known = next(t for place in self.places.values() for t in place.tries if t[0] == step_id)
        if known[1] != StepStatus.DISPATCHED:
            with pytest.raises(ValueError, match=f"{name} cannot be marked"):
                self.store.mark_step(step_id, name, None, 1.0)
        else:
            self.store.mark_step(step_id, name, None, 1.0)
            self.marked.setdefault(step_id, []).append(name)
        assert [mark.name for mark in self.store.marks(step_id)] == self.marked.get(step_id, [])

    @rule(step_id=steps, recovery=st.sampled_from(list(Recovery)))
    def decide(self, step_id: str, recovery: Recovery) -> None:
        known = next(t for place in self.places.values() for t in place.tries if t[0] == step_id)
        failed = known[1] == StepStatus.FAILED
        if failed or (known[1] == StepStatus.UNKNOWN and recovery in AFTER_UNKNOWN):
            self.store.decide_step(step_id, recovery)
            self.decided[step_id] = recovery
        else:
            with pytest.raises(ValueError, match=step_id):
                self.store.decide_step(step_id, recovery)
        assert self.store.step(step_id).recovery == self.decided.get(step_id, "")

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = Store.open(self.url)

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        for run in self.runs:
            held = sorted((s.ordinal, s.attempt_number, s.id, s.status) for s in self.store.steps(run.id))
            modelled = sorted(
                (ordinal, number, step_id, status)
                for (run_id, ordinal), place in self.places.items()
                if run_id == run.id
                for number, (step_id, status) in enumerate(place.tries, start=1)
            )
            assert held == modelled

    @invariant()
    def completions_are_in_the_order_of_ending(self) -> None:
        found = self.store.settled_steps_since(self.bench, 0)
        assert [step.id for step in found] == [step_id for _, step_id in self.settled]
        for step in found:
            assert step.result == ({"of": step.id} if step.status is StepStatus.DONE else None)
        assert self.store.last_completion(self.bench) == max((n for n, _ in self.settled), default=0)

    @invariant()
    def what_waits_for_an_answer_is_open(self) -> None:
        waiting = {
            step_id
            for place in self.places.values()
            for step_id, status in place.tries
            if status == StepStatus.DISPATCHED
            or (status == StepStatus.UNKNOWN and self.decided.get(step_id, "") in ("", Recovery.HOLD))
        }
        assert {step.id for step in self.store.open_steps(self.bench)} == waiting

    def teardown(self) -> None:
        self.store.close()


def test_no_sequence_of_calls_brings_the_journal_out_of_step(kind: str, url: str) -> None:
    JournalMachine.url = url
    run_state_machine_as_test(
        JournalMachine,
        settings=settings(
            max_examples=25 if kind == "sqlite" else 8,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
