"""Was each fault noticed, was what the policy says decided, and did it follow?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.errors import FaultKind
from lab.recovery import Recovery
from lab.store import EventRecord
from lab.types import CampaignStatus, ExperimentStatus, RunStatus, Step, StepStatus
from tests.crash.check_steps import named
from tests.crash.evidence import Evidence
from tests.crash.truth import Act
from tests.faults.cases import FaultCase
from tests.faults.truth import FaultyTruth

__all__ = ["SAW", "Followed", "follow"]

SAW = "saw"
"""Note of the diary: a step ended, with the kind of fault that its driver saw."""

SERVES_WELLS = frozenset({"distribute", "add_reagent", "mix", "heat", "incubate"})
"""Verbs that can be left out with the samples they are about; what follows builds on all others."""

AGAIN = (Recovery.RETRY, Recovery.RETRY_NEW_TIP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What became of the faults of a case.

    Args:
        struck: how often the script struck.
        noticed: of these, how often the store tells of it.
        did: what was decided, in order; ``done`` where the instrument said that it had been done all the same, ``unnoticed``
            where nobody knew.
        short: (labware, well) that may have got too little without anybody knowing.
        violations: a sentence each.
    """

    struck: int
    noticed: int
    did: tuple[str, ...]
    short: frozenset[tuple[str, str]]
    violations: tuple[str, ...]


def follow(seen: Evidence, case: FaultCase) -> Followed:
    """Go through the ledger's faults, and through the store's."""
    view = _View(seen, case)
    strikes = [act for act in seen.acts if act.action == "fault"]
    violations: list[str] = []
    did: list[str] = []
    short: set[tuple[str, str]] = set()
    noticed = 0
    for strike in strikes:
        wrong = list(view.unnoticed(strike))
        noticed += not wrong
        if wrong and case.unnoticeable:
            did.append("unnoticed")
            short.update(view.served_at(strike))
        else:
            violations += wrong
    for event in view.events:
        violations += view.of_no_rule(event)
        did.append(str(event.details["recovery"]) or "done")
        violations += view.misjudged(event)
        violations += view.not_followed(event)
    if not strikes:
        violations.append("The fault never struck.")
    return Followed(
        struck=len(strikes),
        noticed=noticed,
        did=tuple(did),
        short=frozenset(short),
        violations=tuple(violations),
    )


class _View:
    """The store's side of a case, by step."""

    def __init__(self, seen: Evidence, case: FaultCase) -> None:
        self._seen = seen
        self._case = case
        self.events = [event for event in seen.events if event.kind == "fault"]
        self._steps = {step.id: step for steps in seen.steps.values() for step in steps}
        self._runs = {one.run.id: one for one in seen.runs}
        self._saw = {note["step"]: note for note in seen.diary if note["what"] == SAW and not note["later"]}
        self._settled = {note["step"] for note in seen.diary if note["what"] == SAW and note["later"]}
        self._tries: dict[tuple[str, str, int], list[Step]] = defaultdict(list)
        for step in self._steps.values():
            self._tries[step.run_id, step.branch, step.ordinal].append(step)

    def unnoticed(self, strike: Act) -> Iterator[str]:
        """Why nobody can have noticed a strike; nothing where it is in the store."""
        kind, line = strike.arguments["kind"], f"Line {strike.index} of the ledger"
        step = self._steps.get(self._seen.step_of_line[strike.index])
        if step is None:
            yield f"{line} ({kind}) struck outside every step."
            return
        told = [event for event in self.events if event.details["step"] == step.id]
        if not told:
            yield f"{line} ({kind}) struck {named(step)}, and no event names it."
            return
        noted = self._saw.get(step.id, {}).get("fault", "")
        seen = noted or told[0].details["fault"]
        if seen != kind:
            yield f"{line} is {kind}, and the driver of {named(step)} saw {seen}."
        elif noted and step.fault != noted and step.id not in self._settled:
            yield f"The driver of {named(step)} saw {seen}, and the journal says {step.fault or 'nothing'}."

    def served_at(self, strike: Act) -> Sequence[tuple[str, str]]:
        """The wells of the step that was struck."""
        step = self._steps.get(self._seen.step_of_line[strike.index])
        return () if step is None else _wells_of(step)

    def of_no_rule(self, event: EventRecord) -> Iterator[str]:
        """Whether a fault came of another fault, and of no rule: an instrument was left as it should not have been."""
        step = self._steps[event.details["step"]]
        if event.details["fault"] == FaultKind.GRIP and self._fallen_by(step):
            return  # What lies on the floor can't be gripped until a person puts it back.
        if not any(act.action == "fault" for act in self._seen.acts_of[step.id]):
            yield f"{named(step)} met {event.details['fault']}, and nothing struck it: {event.sentence}"

    def _fallen_by(self, step: Step) -> bool:
        truth = self._seen.past.truths[self._seen.ended[step.id]]
        assert isinstance(truth, FaultyTruth)
        return bool(truth.fallen)

    def misjudged(self, event: EventRecord) -> Iterator[str]:
        """Whether a decision is another than the policy's."""
        step = self._steps[event.details["step"]]
        kind, decided = FaultKind(event.details["fault"]), str(event.details["recovery"])
        note = self._saw.get(step.id)
        status = str(step.status) if note is None else note["status"]
        if status == StepStatus.DONE and not decided:
            return  # It had been done all the same; there is nothing to decide.
        if status == StepStatus.UNKNOWN and kind is not FaultKind.UNKNOWN_OUTCOME:
            yield f"{named(step)} was of unknown outcome, and was decided on as {kind}."
        wanted = self._wanted(step, kind, done=status == StepStatus.DONE)
        if decided != wanted:
            yield f"{named(step)}: after {kind} {decided or 'nothing'} was decided, and the policy says {wanted}."

    def _wanted(self, step: Step, kind: FaultKind, *, done: bool) -> Recovery:
        if done:  # A remark on what is done already.
            wanted = self._case.ladders(kind, 1)
            return Recovery.SKIP_SAMPLE if wanted in AGAIN else wanted
        tries = self._tries[step.run_id, step.branch, step.ordinal]
        before = [one for one in tries[: tries.index(step) + 1] if self._saw.get(one.id, {}).get("fault")]
        wanted = self._case.ladders(kind, max(1, len(before)))
        if wanted is not Recovery.SKIP_SAMPLE:
            return wanted
        if step.action not in SERVES_WELLS:
            return Recovery.HOLD
        return Recovery.REDO_BATCH if self._takes_the_last_control(step, kind) else wanted

    def _takes_the_last_control(self, step: Step, kind: FaultKind) -> bool:
        """Whether a plate of the run would be left without blanks or without the reference, and so without any result."""
        unknown = kind is FaultKind.UNKNOWN_OUTCOME  # What is barred later for another reason does not count.
        gone = set(self._seen.kept_barred.get(step.id, ()) if unknown else _wells_of(step))
        plates: dict[tuple[str, str], set[bool]] = {}
        for use in self._runs[step.run_id].run.layout.wells:
            if use.kind != "variant":
                there = not {(use.labware, use.well), (use.labware, "*")} & gone
                plates.setdefault((use.labware, use.kind), set()).add(there)
        return any(left == {False} for left in plates.values())

    def not_followed(self, event: EventRecord) -> Iterator[str]:
        """Whether what was decided did not come about."""
        step = self._steps[event.details["step"]]
        done = self._saw.get(step.id, {}).get("status") == StepStatus.DONE
        match str(event.details["recovery"]):
            case "retry" | "retry_new_tip":
                yield from self._tried_again(step)
            case "skip_sample" if not done:
                yield from self._left_out(step)
            case "redo_batch":
                yield from self._redone(step)
            case "hold":
                yield from self._held(event, step)
            case "abort":
                yield from self._aborted(step)
            case "" if not done:
                yield f"{named(step)} met a fault, is not done, and nothing was decided about it."

    def _tried_again(self, step: Step) -> Iterator[str]:
        tries = self._tries[step.run_id, step.branch, step.ordinal]
        if tries[-1] is step:
            yield f"{named(step)} was to be tried again, and was not."

    def _left_out(self, step: Step) -> Iterator[str]:
        if step.recovery != Recovery.SKIP_SAMPLE:
            yield f"{named(step)} was to be left out, and the journal says {step.recovery or 'nothing'} of it."
        # Of an unknown outcome only what is in doubt goes, and that it does the oracle sees to.
        places = () if step.status is StepStatus.UNKNOWN else _wells_of(step)
        for labware, well in places:
            if not self._seen.is_barred(labware, well):
                yield f"{named(step)} was left out, and {well} of {labware} is not barred."
        for observation in self._seen.history.observations:
            if observation.run_id != step.run_id:
                continue
            for well in observation.details["wells"]:
                mine = {(well["labware"], well["well"]), (well["labware"], "*")} & set(places)
                if mine and not well["flags"]:
                    yield f"{observation.id} counts {well['well']} of {well['labware']}, which was left out."

    def _redone(self, step: Step) -> Iterator[str]:
        run = self._runs[step.run_id]
        later = [
            one
            for one in self._seen.runs
            if one.batch_number == run.batch_number and one.run.attempt > run.run.attempt
        ]
        if run.run.status is not RunStatus.ABANDONED or not later:
            yield (
                f"The batch of {named(step)} was to be done again; {run.run.id} is {run.run.status}, and "
                f"{len(later)} runs follow."
            )

    def _held(self, event: EventRecord, step: Step) -> Iterator[str]:
        ends = [note for note in self._seen.diary if note["what"] == "ended" and step.id in note["sentence"]]
        if not any(note["status"] == CampaignStatus.HELD for note in ends):
            yield f"The run was to be held for {named(step)}, and no controller ended so."
        for note in ends:
            wanted = event.details["fault"] == FaultKind.UNKNOWN_OUTCOME
            if wanted and f"drywet resolve {step.id}" not in note["sentence"]:
                yield f"Held for {named(step)} without a way out: {note['sentence']}"

    def _aborted(self, step: Step) -> Iterator[str]:
        run = self._runs[step.run_id]
        if (
            self._seen.record.status is not CampaignStatus.ABORTED
            or run.run.status is not RunStatus.ABANDONED
        ):
            yield f"{named(step)} was to end the campaign; it is {self._seen.record.status}, its run {run.run.status}."
        batch = next(b for b in self._seen.batches if b.number == run.batch_number)
        status = {experiment.id: experiment.status for experiment in self._seen.history.experiments}
        for experiment in batch.experiments:
            if status[experiment.id] is not ExperimentStatus.ABANDONED:
                yield f"The campaign was given up, and {experiment.candidate.id} is {status[experiment.id]}."


def _wells_of(step: Step) -> Sequence[tuple[str, str]]:
    """What a step that serves wells is about, by its arguments."""
    given: Mapping[str, Any] = step.arguments
    match step.action:
        case "distribute":
            return [(labware, well) for labware, well, _ in given["targets"]]
        case "add_reagent" | "mix":
            return [(given["labware"], well) for well in given["wells"]]
        case _:
            return [(given["plate"], "*")]
