"""The step journal of one stretch of a run: what a plan asks for, held against what is already done.

Every step goes INTENT -> DISPATCHED -> DONE | FAILED | UNKNOWN. What stands at INTENT was certainly not sent. A resumed
plan is walked again from its start: a step that is DONE gives its recorded result and nothing is sent, and neither is one
that was given up.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass

from lab.errors import ProtocolDiverged
from lab.interfaces import Command, Verb
from lab.recovery import Recovery
from lab.store import Store
from lab.types import JsonValue, Run, Step, StepStatus

__all__ = ["MAIN", "Journal", "PlannedStep", "step_key"]

MAIN = "main"
"""The branch that a protocol's plan walks."""


def step_key(
    batch_id: str, attempt: int, branch: str, ordinal: int, action: str, arguments: JsonValue
) -> str:
    """The identity of a step: the same for the same action at the same place of a resumed plan."""
    canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:16]
    return f"{batch_id}/{attempt}/{branch}/{ordinal}/{action}/{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """A step as the plan asks for it."""

    key: str
    branch: str
    ordinal: int
    action: str
    device: str
    arguments: JsonValue


class Journal:
    """Walks one run's journal alongside its plan. Not thread-safe: one step at a time, as a plan asks.

    Args:
        store: that keeps it.
        run: whose journal this is.
        branch: of the plan that is walked; clearing a run away is a branch of its own.
    """

    def __init__(self, store: Store, run: Run, branch: str = MAIN) -> None:
        self._store = store
        self._run = run
        self._branch = branch
        self._ordinal = 0
        self._earlier: dict[int, Step] = {}
        self._faults: Counter[int] = Counter()
        for step in store.steps(run.id):
            if step.branch == branch:
                self._earlier[step.ordinal] = step
                self._faults[step.ordinal] += bool(step.fault)
        self._walked: set[int] = set()
        self._sent_here: set[int] = set()

    def next_step(self, verb: Verb, command: Command, *, again: bool = False) -> PlannedStep:
        """The step that the plan asks for now.

        Args:
            again: it asks for the one before once more, after a fault.

        Raises:
            ProtocolDiverged: the journal holds another step at this place.
        """
        if not again:
            self._ordinal += 1
        arguments = command.to_json()
        key = step_key(
            self._run.batch_id, self._run.attempt, self._branch, self._ordinal, command.verb, arguments
        )
        earlier = self._earlier.get(self._ordinal)
        if earlier is not None and earlier.key != key:
            raise ProtocolDiverged(
                f"Step {self._ordinal} of {self._run.id} was {earlier.action} {json.dumps(earlier.arguments)}, "
                f"but the plan now asks for {command.verb} {json.dumps(arguments)}."
            )
        self._walked.add(self._ordinal)
        return PlannedStep(
            key=key,
            branch=self._branch,
            ordinal=self._ordinal,
            action=command.verb,
            device=verb.device,
            arguments=arguments,
        )

    def earlier(self, step: PlannedStep) -> Step | None:
        """The last try of the step in an earlier stretch, if it is settled or waits to be; None where it may be sent."""
        found = self._earlier.get(step.ordinal)
        if found is None or step.ordinal in self._sent_here:
            return None
        if found.status is StepStatus.FAILED and found.recovery != Recovery.SKIP_SAMPLE:
            return None
        return None if found.status is StepStatus.INTENT else found

    @property
    def ended_earlier_s(self) -> float | None:
        """Lab time at which the step asked for last ended in an earlier stretch; None where it was sent in this one."""
        found = None if self._ordinal in self._sent_here else self._earlier.get(self._ordinal)
        return None if found is None else found.ended_lab_s

    @property
    def goes_on_past(self) -> bool:
        """Whether an earlier stretch came as far as the step after the one that the plan asked for last."""
        return self._ordinal + 1 in self._earlier

    def attempt(self, step: PlannedStep) -> int:
        """How often the step has met a fault, this time included."""
        self._faults[step.ordinal] += 1
        return self._faults[step.ordinal]

    def end_of_plan(self) -> None:
        """The plan has asked for its last step.

        Raises:
            ProtocolDiverged: the journal holds steps that the plan did not ask for.
        """
        missed = sorted(set(self._earlier) - self._walked)
        if missed:
            step = self._earlier[missed[0]]
            raise ProtocolDiverged(
                f"The journal of {self._run.id} holds step {step.ordinal} ({step.action} on {step.device}), "
                "which the plan no longer asks for."
            )

    def begin(self, step: PlannedStep, lab_time_s: float) -> str:
        """INTENT, on disk. Returns the record's id. Blocking."""
        record = self._store.begin_step(
            self._run.id,
            step.key,
            step.branch,
            step.ordinal,
            step.action,
            step.device,
            step.arguments,
            lab_time_s,
        )
        self._sent_here.add(step.ordinal)
        return record.id

    def dispatch(self, step_id: str, token: int) -> None:
        """DISPATCHED, on disk: from here on the instrument may have done it. Blocking."""
        self._store.dispatch_step(step_id, token)
