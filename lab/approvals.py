"""What a campaign does only when a person agrees: its policy, why one is asked for, and the request with its answer.

All that is decided here is decided from what is known before anything moves: what the file asks for, what the planner says
of its choice, how far a candidate is from all that was tested, what the batch would use and cost, and whether it is on a
list that the lab keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from lab.spaces import Candidate, JsonValue, SearchSpace

__all__ = [
    "Approval",
    "ApprovalKind",
    "ApprovalPolicy",
    "ApprovalReason",
    "ApprovalStatus",
    "Cause",
    "Consumption",
    "CostLimit",
    "Distance",
    "Ranges",
    "TrustRegion",
    "Watched",
    "nearest",
    "ranges_of",
]


class ApprovalKind(StrEnum):
    """What waits for a person."""

    START = "start"
    """A campaign that was handed in."""
    BATCH = "batch"
    """A batch that was proposed."""


class ApprovalStatus(StrEnum):
    """How far a request is. What was decided stays so."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    """Nobody needs it any more."""


class Cause(StrEnum):
    """Why a person is asked."""

    START = "start"
    EACH_BATCH = "each_batch"
    OUTSIDE_TRUST_REGION = "outside_trust_region"
    FIRST_ON_HARDWARE = "first_on_hardware"
    OVER_COST = "over_cost"
    SCREENING_HIT = "screening_hit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalReason:
    """One thing for which a person is asked.

    Args:
        sentence: for that person.
        experiments: that it is about; empty where it is about all.
    """

    cause: Cause
    sentence: str
    experiments: tuple[str, ...] = ()

    def to_json(self) -> dict[str, JsonValue]:
        """For the store and the service."""
        return {"cause": str(self.cause), "sentence": self.sentence, "experiments": list(self.experiments)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRegion:
    """What is near enough to what is known. What is left out is not looked at.

    Args:
        predicted_sd: most that the planner may be unsure of a candidate's true value, in the goal's unit; a choice that
            comes without a prediction counts as outside.
        letters: most letters of a sequence in which it may differ from the nearest tested one.
        fraction: most by which one value may differ from the nearest tested candidate's, as a fraction of its range;
            another level without order differs by all of it.
    """

    predicted_sd: float | None = None
    letters: int | None = None
    fraction: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumption:
    """What a batch would take, as its dry run says.

    Args:
        experiments: of them.
        hours: lab time of all steps one after the other.
        plates, tips: fresh ones.
        drawn_ul: content -> volume taken out of its wells.
    """

    experiments: int
    hours: float = 0.0
    plates: int = 0
    tips: int = 0
    drawn_ul: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLimit:
    """What a lab reckons a batch to cost, and what it may cost without a person.

    Args:
        amount: most that a batch may cost, in ``currency``.
        per_batch, per_experiment, per_hour, per_plate, per_tip: in ``currency``.
        per_ml: content -> price of a millilitre.
    """

    amount: float
    currency: str
    per_batch: float = 0.0
    per_experiment: float = 0.0
    per_hour: float = 0.0
    per_plate: float = 0.0
    per_tip: float = 0.0
    per_ml: Mapping[str, float] = field(default_factory=dict)

    def of(self, use: Consumption) -> float:
        """What a batch costs by these prices, in ``currency``."""
        liquids = sum(
            price * use.drawn_ul.get(content, 0.0) / 1000.0 for content, price in self.per_ml.items()
        )
        return (
            self.per_batch
            + self.per_experiment * use.experiments
            + self.per_hour * use.hours
            + self.per_plate * use.plates
            + self.per_tip * use.tips
            + liquids
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """An entry of the lab's own list of what a person should see first. It is compared letter by letter, nothing more.

    Args:
        name: what it is called to a person.
        contains: letters that a sequence must not hold in one piece; empty for none.
        ids: of candidates.
        values: texts that no value of a candidate may have.
    """

    name: str
    contains: str = ""
    ids: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    def hits(self, candidate: Candidate) -> bool:
        """Whether a candidate is what this entry speaks of."""
        if self.contains and self.contains in candidate.sequence:
            return True
        return candidate.id in self.ids or any(value in self.values for value in candidate.values.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPolicy:
    """What of a campaign needs a person.

    Args:
        start: its beginning.
        each_batch: every batch.
        trust: a candidate outside of this; None where that is not asked.
        first_on_hardware: the first time that its protocol runs on the real bench.
        cost: a batch over its amount; None where that is not asked.
        watched: a candidate on this list.
    """

    start: bool = False
    each_batch: bool = False
    trust: TrustRegion | None = None
    first_on_hardware: bool = False
    cost: CostLimit | None = None
    watched: tuple[Watched, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A request for a person's word, and that word once it is given.

    Args:
        id: ``apr_...``.
        details: what was known when it was asked: ``dry_run`` and, since, ``edits`` and ``left_out``.
        cost: of the batch, by the prices of the campaign; None where it has none.
        asked_by: who handed in or started what it is about, and so can't decide it.
        decided_by: empty while it waits; so with ``why`` and ``decided_utc``.
    """

    id: str
    kind: ApprovalKind
    status: ApprovalStatus
    reasons: tuple[ApprovalReason, ...]
    details: Mapping[str, JsonValue]
    asked_by: str
    asked_utc: datetime
    cost: float | None = None
    submission_id: str = ""
    campaign_id: str = ""
    batch_id: str = ""
    decided_by: str = ""
    why: str = ""
    decided_utc: datetime | None = None

    @property
    def version(self) -> int:
        """Counts its changes, for whoever decides it by an old page."""
        return 1 + len(self.details.get("edits", ())) + (self.status is not ApprovalStatus.WAITING)


@dataclass(frozen=True, slots=True, order=True)
class Distance:
    """How far two candidates are apart: letters that differ, then the largest difference of one value, as a fraction."""

    letters: int
    fraction: float


Ranges = Mapping[str, float]
"""Name of a number -> its largest less its least value; what has no range is text."""


def ranges_of(candidates: Sequence[Candidate], space: SearchSpace | None) -> Ranges:
    """How far apart the numbers of a campaign can be: in its space, or among its pool."""
    if space is not None:
        found = {}
        for one in space.parameters:
            if one.is_number:
                low, high = (one.low, one.high) if one.low is not None else (one.levels[0], one.levels[-1])
                found[one.name] = float(high or 0.0) - float(low or 0.0)
        if space.mixture is not None:
            found |= dict.fromkeys(space.mixture.ingredients, space.mixture.total)
        return found
    numbers: dict[str, list[float]] = {}
    for candidate in candidates:
        for name, value in candidate.values.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                numbers.setdefault(name, []).append(float(value))
    return {name: max(values) - min(values) for name, values in numbers.items()}


def distance(one: Candidate, other: Candidate, ranges: Ranges) -> Distance:
    """How far apart two candidates are; a value that only one of them has differs by all of its range."""
    differing = sum(a != b for a, b in zip(one.sequence, other.sequence, strict=False))
    letters = differing + abs(len(one.sequence) - len(other.sequence))
    fractions = [
        _fraction(one.values.get(name), other.values.get(name), ranges.get(name, 0.0))
        for name in {*one.values, *other.values}
    ]
    return Distance(letters, max(fractions, default=0.0))


def _fraction(one: JsonValue, other: JsonValue, range_: float) -> float:
    if one == other:
        return 0.0
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return 1.0
    return abs(one - other) / range_ if range_ > 0 else 1.0


def nearest(
    candidate: Candidate, tested: Sequence[Candidate], ranges: Ranges
) -> tuple[Candidate, Distance] | None:
    """The tested candidate that is nearest, and how far it is; None where nothing was tested."""
    found = [(distance(candidate, one, ranges), place) for place, one in enumerate(tested)]
    if not found:
        return None
    how_far, place = min(found)
    return tested[place], how_far
