"""The step journal of one stretch of a run: what a plan asks for, held against what is already done.

Every step goes INTENT -> DISPATCHED -> DONE | FAILED. What stands at INTENT was certainly not sent. A resumed plan is
walked again from its start: a step that is DONE gives its recorded result and nothing is sent.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from lab.errors import ProtocolDiverged, RunHeld
from lab.interfaces import Command, Verb
from lab.store import Store
from lab.types import JsonValue, Run, Step, StepStatus

__all__ = ["Journal", "PlannedStep", "step_key"]


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
    """

    def __init__(self, store: Store, run: Run) -> None:
        self._store = store
        self._run = run
        self._branch = "main"
        self._ordinal = 0
        self._earlier: dict[tuple[str, int], Step] = {}
        for step in store.steps(run.id):
            self._earlier[(step.branch, step.ordinal)] = step
        self._walked: set[tuple[str, int]] = set()

    def next_step(self, verb: Verb, command: Command) -> PlannedStep:
        """The step that the plan asks for now.

        Raises:
            ProtocolDiverged: the journal holds another step at this place.
        """
        self._ordinal += 1
        arguments = command.to_json()
        place = (self._branch, self._ordinal)
        key = step_key(self._run.batch_id, self._run.attempt, *place, command.verb, arguments)
        earlier = self._earlier.get(place)
        if earlier is not None and earlier.key != key:
            raise ProtocolDiverged(
                f"Step {self._ordinal} of {self._run.id} was {earlier.action} {json.dumps(earlier.arguments)}, "
                f"but the plan now asks for {command.verb} {json.dumps(arguments)}."
            )
        self._walked.add(place)
        return PlannedStep(
            key=key,
            branch=self._branch,
            ordinal=self._ordinal,
            action=command.verb,
            device=verb.device,
            arguments=arguments,
        )

    def done_before(self, step: PlannedStep) -> Step | None:
        """The step's record, if it was done in an earlier stretch.

        Raises:
            RunHeld: it was sent, and whether it was done is not known.
        """
        earlier = self._earlier.get((step.branch, step.ordinal))
        if earlier is None or earlier.status in (StepStatus.INTENT, StepStatus.FAILED):
            return None
        if earlier.status is StepStatus.DONE:
            return earlier
        raise RunHeld(
            f"Step {step.ordinal} ({step.action} on {step.device}) had been sent when the run was cut off, "
            "and whether it was done is not known. Look at the bench before anything else."
        )

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
        return record.id

    def dispatch(self, step_id: str) -> None:
        """DISPATCHED, on disk: from here on the instrument may have done it. Blocking."""
        self._store.dispatch_step(step_id)

    def end(
        self, step_id: str, status: StepStatus, *, result: JsonValue, error: str, lab_time_s: float
    ) -> None:
        """DONE, FAILED or UNKNOWN. Blocking."""
        self._store.end_step(step_id, status, result, error, lab_time_s)
