"""What a report says, as frozen values: made from the store by ``reading``, drawn by ``figures``, laid out by ``page``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lab.types import Campaign, Experiment, JsonValue, Observation

__all__ = [
    "Amendment",
    "Bar",
    "Calibration",
    "Contents",
    "Curve",
    "Estimate",
    "PlateReading",
    "Prediction",
    "Result",
    "RunSpan",
    "State",
    "StepSpan",
    "Substitution",
    "Target",
    "Variant",
    "WellReading",
]

State = Literal["measured", "failed", "pending", "untested"]
WellKind = Literal["variant", "reference", "blank", "standard", "unused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with what is known of its uncertainty, all in the target's unit.

    Args:
        low: lower end of the 95 % interval.
        degrees_of_freedom: of the standard error; 0 where it rests on one reading, then the interval is the whole line.
    """

    value: float
    standard_error: float
    low: float
    high: float
    degrees_of_freedom: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One experiment of the campaign and what came of it.

    Args:
        number: in order of asking, from 1; what the budget has paid when this one is done.
        batch: number of its batch; 0 where the store names none.
        observation: the last one of the campaign's target; None before it is measured.
        estimate: of that observation; None as well when its value is not finite.
    """

    number: int
    batch: int
    experiment: Experiment
    observation: Observation | None
    estimate: Estimate | None

    @property
    def usable(self) -> bool:
        """Whether the planner may use it."""
        return self.observation is not None and self.observation.quality.ok and self.estimate is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Everything usable that was measured of one candidate, drawn together.

    Args:
        estimate: over all its usable observations.
        wells: replicates that it rests on.
        runs: independent runs that it was measured in; 2 or more are a replicate run.
        difference: to the reference; None where no reference was measured.
        differs: whether it is better than the reference at a false discovery rate of 5 % among all variants measured.
        agree: whether the runs' values lie within each other's uncertainty; True for one run.
        remarks: of the quality check, about observations that were usable all the same.
        made_of: what the candidate consists of (``PCE10 30 %, PCBM 70 %``); empty for sequences.
        broken: targets whose limits it does not keep, or that were not measured of it.
        on_front: with several objectives, no other candidate is better in one of them and as good in all.
    """

    candidate_id: str
    estimate: Estimate
    wells: int
    runs: int
    difference: Estimate | None
    differs: bool
    agree: bool
    remarks: str
    made_of: str = ""
    broken: tuple[str, ...] = ()
    on_front: bool = False

    @property
    def confirmed(self) -> bool:
        """A replicate run says the same, and it is better than the reference."""
        return self.runs > 1 and self.agree and self.differs


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One target that the goal speaks of, over everything that was measured of it.

    Args:
        wanted: of it, in words (``minimize``, ``at least 0.5``).
        unit: of its observations; empty before there is one.
        estimates: candidate id -> value over all its usable observations.
        reference: the same of the reference; None where no observation tells it.
    """

    name: str
    wanted: str
    unit: str
    estimates: Mapping[str, Estimate]
    reference: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A campaign's best usable value so far, by experiments spent.

    Args:
        planner: name.
        measured: (number of the experiment, value) of each usable result.
        best: (experiments spent, best value), one entry per experiment from the first usable one on.
    """

    planner: str
    measured: tuple[tuple[int, float], ...]
    best: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WellReading:
    """One well of a plate that was read.

    Args:
        value: in the reader's unit; None where the reader gave no number.
        content: candidate id or ``blank``; empty for unused wells.
        left_out: the analysis did not use it.
    """

    well: str
    row: int
    column: int
    value: float | None
    kind: WellKind
    content: str
    saturated: bool
    left_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateReading:
    """One read of one plate, with the statistics of its controls.

    Args:
        role: of the plate within the protocol (``heated_82``).
        z_prime: of all reference wells against all blank wells; None with fewer than two of either.
        reference_cv: coefficient of variation of the reference wells above the mean blank, as a share; None with fewer
            than two, or when they do not stand above the blank.
    """

    batch: int
    run_id: str
    role: str
    labware: str
    mode: str
    lab_time_s: float
    rows: int
    columns: int
    wells: tuple[WellReading, ...]
    z_prime: float | None
    reference_cv: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the planner expected of an experiment and what was measured.

    Args:
        z: (measured - mean) over the root of the summed squares of ``sd`` and the measurement's standard error.
    """

    candidate_id: str
    batch: int
    mean: float
    sd: float
    measured: float
    z: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How well the planner knew what it did not know.

    Args:
        covered: predictions with ``|z| <= 2``.
        coverage: their share, with a 95 % Wilson interval.
        rank_correlation: Spearman's, of predicted mean and measured value; None with fewer than three predictions.
    """

    predictions: tuple[Prediction, ...]
    covered: int
    coverage: Estimate
    rank_correlation: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Substitution:
    """A letter in another's place: of the one candidate that differs in nothing else, or of all that carry it.

    Args:
        position: counted from 1.
        letter: the new one.
        value: measured and usable, or the mean of those; None otherwise.
        state: what became of it.
    """

    position: int
    letter: str
    value: float | None
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpan:
    """When a run happened, in lab time.

    Args:
        begun_s: of its first step; None before one began.
        steps: journaled steps that are done.
        sentence: why it was stopped or what it failed with; empty otherwise.
    """

    run_id: str
    batch: int
    attempt: int
    stretches: int
    status: str
    begun_s: float | None
    ended_s: float | None
    steps: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpan:
    """When an instrument was busy with one step, in lab time."""

    device: str
    action: str
    batch: int
    begun_s: float
    ended_s: float
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What a person said about a result after it was recorded.

    Args:
        utc: to the minute.
        experiment_id: whose result it is about.
        what: a sentence.
        note: in few words, for where the experiment is named already.
    """

    utc: str
    who: str
    why: str
    experiment_id: str
    what: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Material that was barred, or that may be used again.

    Args:
        utc: to the minute.
        who: a person, or ``drywet`` itself.
        material: labware and wells.
        what: which of the two.
        in_force: whether it is barred to this day.
    """

    utc: str
    who: str
    why: str
    material: str
    what: str
    in_force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All that one report holds.

    Args:
        twin: whether the bench that it was given is one of twins.
        started_utc: ISO 8601, to the second.
        origins: of the observations; empty before there is one.
        reference: the target's value of the reference candidate over all runs; None where no observation tells it.
        targets: every one that the goal speaks of, the first objective's first.
        baseline: the campaign that is this one's baseline, when it has one.
        volumes: with several objectives, what share of the volume was dominated by when, and the same of the baseline.
        substitutions: of single ones each, or, where ``substitutions_are_means``, of all candidates that carry one.
        not_drawn: candidates of the pool that differ from the reference by more than one letter, where these are left out.
        versions: of the libraries that carried the runs out, as their documents record them.
        files: name -> text of what the campaign was read from.
        files_hash: of them, as the store holds it.
        amendments: of results, in the order of saying.
        bars: of material on its bench, in that order.
        content_sha256: of goal, choices, results and readings, identifiers left out: equal for equal tables.
    """

    campaign: Campaign
    status: str
    status_sentence: str
    twin: bool
    started_utc: str
    origins: tuple[str, ...]
    results: tuple[Result, ...]
    variants: tuple[Variant, ...]
    reference: Estimate | None
    reference_runs: int
    targets: tuple[Target, ...]
    curve: Curve
    baseline: Curve | None
    volumes: tuple[Curve, ...]
    calibration: Calibration | None
    substitutions: tuple[Substitution, ...]
    not_drawn: int
    substitutions_are_means: bool
    plates: tuple[PlateReading, ...]
    runs: tuple[RunSpan, ...]
    steps: tuple[StepSpan, ...]
    methods: tuple[str, ...]
    settings: Mapping[str, JsonValue]
    versions: Mapping[str, str]
    files: Mapping[str, str]
    files_hash: str
    amendments: tuple[Amendment, ...]
    bars: tuple[Bar, ...]
    content_sha256: str
