"""The values all parts agree on. Frozen; tables and wire formats are made from them, never the other way round.

Words are those of DESIGN section 1. Times are lab time in seconds unless a name says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from ulid import ULID

from lab.approvals import ApprovalPolicy
from lab.goals import Direction, Goal, Limit, Objective
from lab.orders import MaterialPolicy
from lab.recovery import RecoveryPolicy
from lab.spaces import AMINO_ACIDS, DNA, Candidate, JsonValue, SearchSpace

__all__ = [
    "AMINO_ACIDS",
    "DNA",
    "INFEASIBLE",
    "Advice",
    "Batch",
    "Campaign",
    "CampaignStatus",
    "Candidate",
    "Direction",
    "Experiment",
    "ExperimentStatus",
    "Goal",
    "History",
    "JsonValue",
    "Layout",
    "Limit",
    "Mark",
    "ModelChoice",
    "Objective",
    "Observation",
    "Origin",
    "PastResult",
    "PlannerChoice",
    "Policies",
    "Proposal",
    "ProtocolChoice",
    "Quality",
    "Reason",
    "Run",
    "RunStatus",
    "Sample",
    "SearchSpace",
    "Step",
    "StepStatus",
    "WellUse",
    "new_id",
]

INFEASIBLE = "infeasible"
"""Quality flag of a candidate that can't be had: it does not express, does not dissolve, falls apart."""

Prefix = Literal[
    "cmp",
    "bat",
    "exp",
    "run",
    "stp",
    "smp",
    "obs",
    "bch",
    "amd",
    "ord",
    "sub",
    "sch",
    "apr",
    "per",
    "tok",
    "act",
]


def new_id(prefix: Prefix) -> str:
    """A fresh identifier, sortable by time of making: ``exp_01J...`` (a ULID after the prefix)."""
    return f"{prefix}_{ULID()}"


class Origin(StrEnum):
    """Where a reading comes from; stamped by the driver, kept with every observation."""

    REAL = "real"
    TWIN = "twin"
    REPLAY = "replay"
    MANUAL = "manual"


class CampaignStatus(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    HELD = "held"
    FINISHED = "finished"
    ABORTED = "aborted"


class ExperimentStatus(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    RUNNING = "running"
    MEASURED = "measured"
    FAILED = "failed"
    ABANDONED = "abandoned"
    RETRACTED = "retracted"


class RunStatus(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"
    ABANDONED = "abandoned"
    """Given up: its material is barred, and the batch is done again in the next attempt."""


class StepStatus(StrEnum):
    """INTENT -> DISPATCHED -> DONE | FAILED | UNKNOWN (DESIGN section 4)."""

    INTENT = "intent"
    DISPATCHED = "dispatched"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerChoice:
    """A planner by name, with the settings its own options type reads."""

    name: str
    settings: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """A model by name, with the settings its own options type reads.

    Args:
        folder: that relative paths in the settings start from; empty for the working directory.
    """

    name: str
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastResult:
    """What an earlier campaign measured of one candidate; costs nothing.

    Args:
        target: name of the observation, as in the goal.
        value: in the target's unit.
        standard_error: of ``value``; NaN where it is not known.
        campaign: the earlier one's name. Results of one name share whatever sets it apart from this campaign.
    """

    candidate: Candidate
    target: str
    value: float
    standard_error: float = math.nan
    campaign: str = "past"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolChoice:
    """A protocol by name, with the parameters its own type reads."""

    name: str
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What the campaign decides without a person.

    Args:
        repeat_failed: times a candidate whose result failed its quality check is proposed again; each repeat costs 1.
        stop_when_advised: end early when the planner says that another batch is not worth its cost.
        recovery: what to do about faults of instruments.
        max_redos: times that one batch is done again on fresh material before the campaign holds instead.
        priority: 0 to 9; who is served first at a shared instrument. Waiting counts more in the end, so nobody starves.
    """

    repeat_failed: int = 1
    stop_when_advised: bool = False
    recovery: RecoveryPolicy = field(default_factory=RecoveryPolicy)
    max_redos: int = 2
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Goal, search space, planner, protocol, budget and policies. Frozen once started.

    Args:
        candidates: the pool, in the order of its file; n of them. Empty where ``space`` is given.
        space: what may be chosen where that is not a pool; None for a pool.
        reference: the candidate every plate carries as its control (the wild type); not part of the pool, costs nothing.
        budget: experiments, 1 to 100.
        batch_size: experiments in one batch, at most the budget.
        seed: every random choice of the campaign and, on a twin, all its noise follow from it.
        sources: where each candidate's material stands: candidate id -> (labware id, well).
        baseline_of: the campaign that this one is the baseline of (another planner on an identical twin); empty otherwise.
        alphabet: what the letters of sequences are.
        models: what gives features or scores of candidates beside their own values.
        past: results of earlier campaigns.
        shared: names of values that all experiments of one batch have in common (the one temperature of a plate).
        fixed: values that whatever is chosen next must have; other candidates stay known and are not chosen. What
            ``shared`` asks for becomes this, batch by batch.
        material: what is done about candidates that are not in stock; None where all that is chosen must be there.
        approval: what needs a person before it is done; None where nothing does.
    """

    id: str
    name: str
    goal: Goal
    candidates: tuple[Candidate, ...]
    reference: Candidate
    planner: PlannerChoice
    protocol: ProtocolChoice
    budget: int
    batch_size: int
    seed: int
    workcell: str
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    policies: Policies = Policies()
    baseline_of: str = ""
    space: SearchSpace | None = None
    alphabet: Literal["protein", "dna"] = "protein"
    models: tuple[ModelChoice, ...] = ()
    past: tuple[PastResult, ...] = ()
    shared: tuple[str, ...] = ()
    fixed: Mapping[str, JsonValue] = field(default_factory=dict)
    material: MaterialPolicy | None = None
    approval: ApprovalPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why an experiment was chosen.

    Args:
        planner: its name.
        sentence: for a biologist ("predicted 0.81 +- 0.12; position 16 measured twice").
        acquisition: name of the acquisition, empty where none was used.
        acquisition_value: its value, in the units of the model's scale.
        predicted_mean: in the target's unit.
        predicted_sd: of a new measurement's true value, in the target's unit.
        interval: holds that true value with a probability of 95 %, in the target's unit; None where none was given.
        model_cards: ``name@version`` of every encoder and model used.
        seed: the integers that seeded the generator of this ask.
    """

    planner: str
    sentence: str
    acquisition: str = ""
    acquisition_value: float | None = None
    predicted_mean: float | None = None
    predicted_sd: float | None = None
    interval: tuple[float, float] | None = None
    model_cards: tuple[str, ...] = ()
    seed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One chosen candidate, with why it was chosen. Costs 1 of the budget.

    Args:
        repeat_of: the experiment of the same candidate that this one repeats: its result failed, or is to be known better.
        waived: a person took it back before anything was done for it; it is abandoned, and costs nothing.
    """

    id: str
    candidate: Candidate
    reason: Reason
    status: ExperimentStatus = ExperimentStatus.PROPOSED
    repeat_of: str | None = None
    waived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A planner's word on whether to go on; the campaign's policy decides."""

    stop: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What one ``ask`` returned."""

    experiments: tuple[Experiment, ...]
    advice: Advice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The experiments of one proposal, carried by one run.

    Args:
        number: counted from 1 within the campaign.
    """

    id: str
    campaign_id: str
    number: int
    experiments: tuple[Experiment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Verdict on one observation.

    Args:
        ok: whether the planner may use the value.
        flags: short names of what was seen (``high_cv``, ``low_z_prime``, ``saturated``, ``outlier_well``).
            :data:`INFEASIBLE` says that the candidate failed, not the measurement: repeating it tells nothing.
        sentence: for a person; empty when nothing was seen.
    """

    ok: bool
    flags: tuple[str, ...] = ()
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One measured value of one experiment.

    Args:
        value: in ``unit``; NaN where the wells gave none, which the quality tells.
        standard_error: of ``value``, from the replicates; in ``unit``; NaN where it is not known.
        replicates: wells the value rests on after flagged ones were left out.
        method: what was done, for the report ("residual activity after 10 min at 82 C, thermolysin assay").
        lab_time_s: when it was read.
        details: what else the analysis wants to keep, JSON.
    """

    id: str
    experiment_id: str
    target: str
    sample_id: str
    run_id: str
    value: float
    standard_error: float
    unit: str
    quality: Quality
    method: str
    origin: Origin
    replicates: int
    lab_time_s: float
    details: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether it has a value, and one that passed the quality check."""
        return self.quality.ok and math.isfinite(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a planner may know: all experiments asked so far and all observations, in order of asking."""

    experiments: tuple[Experiment, ...] = ()
    observations: tuple[Observation, ...] = ()

    @property
    def charged(self) -> tuple[Experiment, ...]:
        """Experiments charged to the budget: all that were asked for, less those that a person took back."""
        return tuple(experiment for experiment in self.experiments if not experiment.waived)

    @property
    def spent(self) -> int:
        """How many experiments are charged to the budget."""
        return len(self.charged)

    def usable(self, target: str) -> tuple[tuple[Experiment, Observation], ...]:
        """Measured experiments with a usable observation of ``target``, in order."""
        found = {o.experiment_id: o for o in self.observations if o.target == target and o.usable}
        return tuple(
            (e, found[e.id])
            for e in self.experiments
            if e.status is ExperimentStatus.MEASURED and e.id in found
        )

    def serving(self, goal: Goal) -> tuple[tuple[Experiment, Observation], ...]:
        """Usable results of the goal's first objective that keep all its limits, best first; equals in order of asking."""
        kept = [{e.id for e, o in self.usable(limit.target) if limit.holds(o.value)} for limit in goal.limits]
        found = [(e, o) for e, o in self.usable(goal.target) if all(e.id in of_limit for of_limit in kept)]
        return tuple(sorted(found, key=lambda pair: -goal.merit(pair[1].value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class WellUse:
    """What one well of a run is for.

    Args:
        labware: id of the plate.
        well: its name (``B7``).
        content: candidate id, ``blank``, or what a standard is of.
        kind: what the analysis takes it for; a ``standard`` holds something known that others are told by.
        experiment_id: empty for controls.
        sample_id: of the material made there.
    """

    labware: str
    well: str
    content: str
    kind: Literal["variant", "reference", "blank", "standard"]
    experiment_id: str = ""
    sample_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything of a run goes; fixed and stored before the run starts, so a resumed run finds the same plates.

    Args:
        labware: role within the protocol -> labware id (``heated_82c`` -> ``assay_07``).
        wells: one entry per used well of the plates that are read.
        choices: what else the protocol settled by looking at the bench (source wells, tip sizes), JSON; the plan must not
            look again, for a resumed run finds other volumes and tips.
    """

    labware: Mapping[str, str]
    wells: tuple[WellUse, ...]
    choices: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt to carry out a batch.

    Args:
        attempt: 1 for the first; a redo on fresh material is the next.
        stretch: interruptions so far + 1; each is one Bluesky run.
    """

    id: str
    batch_id: str
    campaign_id: str
    attempt: int
    layout: Layout
    status: RunStatus = RunStatus.RUNNING
    stretch: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One physical action of a run, as the journal holds it.

    Args:
        key: the same for the same action of a resumed plan: batch, attempt, branch path, ordinal, action, hash of arguments.
        ordinal: counted from 1 within its branch.
        action: verb (``heat``, ``transfer``).
        arguments: JSON of the command.
        attempt_number: the try under this key, 1 for the first.
        result: JSON the action gave back; None until DONE.
        error: sentence; empty unless FAILED or UNKNOWN.
        fault: kind of the fault that it failed with; empty where there was none.
        recovery: what was decided about it (``lab.recovery.Recovery``); empty while nothing was.
        part: what a step that is not DONE has used up or done all the same, JSON, as ``Command.believe_part`` reads it.
        token: fencing token of the lease that it was sent under; 0 before it was sent.
    """

    id: str
    run_id: str
    key: str
    branch: str
    ordinal: int
    action: str
    device: str
    arguments: JsonValue
    status: StepStatus
    attempt_number: int = 1
    result: JsonValue = None
    error: str = ""
    begun_lab_s: float | None = None
    ended_lab_s: float | None = None
    fault: str = ""
    recovery: str = ""
    part: JsonValue = None
    token: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a step had got: on disk before the part of it that it names is sent.

    Args:
        name: of the part that comes next (``draw``, ``give``, ``hold``).
        details: JSON, as the driver wants to read it back.
    """

    name: str
    details: JsonValue
    lab_time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Material in one well: what it was made from, and in which run.

    Args:
        run_id: that made it; empty for what stood on the bench from the start.
        parents: samples it was made from, in order of adding.
    """

    id: str
    labware: str
    well: str
    content: str
    run_id: str
    parents: tuple[str, ...] = ()
