"""The campaign file's `approval`: what of a campaign needs a person before it is done."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from lab.approvals import ApprovalPolicy, CostLimit, TrustRegion, Watched
from lab.files.choice import Choice, beside
from lab.files.labware import CANDIDATES
from lab.files.source import Problems, SourceFile, read_source
from lab.files.workcell import WorkcellSpec
from lab.files.yaml_text import read_yaml
from lab.strict import StrictModel, refuse

__all__ = ["ApprovalFields", "read_approval"]

_PRICE = Field(default=0.0, ge=0.0, le=1e9)


class _Trust(StrictModel):
    predicted_sd: float | None = Field(default=None, gt=0.0)
    letters: int | None = Field(default=None, ge=0)
    fraction: float | None = Field(default=None, ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _something(self) -> _Trust:
        if self.predicted_sd is None and self.letters is None and self.fraction is None:
            raise refuse(
                "A trust region needs a bound.", "Give one or more of predicted_sd, letters and fraction."
            )
        return self

    @property
    def trust(self) -> TrustRegion:
        return TrustRegion(predicted_sd=self.predicted_sd, letters=self.letters, fraction=self.fraction)


class _Cost(StrictModel):
    amount: float = Field(ge=0.0, le=1e12, examples=[500])
    currency: str = Field(min_length=1, max_length=12, examples=["EUR"])
    per_batch: float = _PRICE
    per_experiment: float = _PRICE
    per_hour: float = _PRICE
    per_plate: float = _PRICE
    per_tip: float = _PRICE
    per_ml: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _some_price(self) -> _Cost:
        prices = (self.per_batch, self.per_experiment, self.per_hour, self.per_plate, self.per_tip)
        if any(price < 0.0 for price in self.per_ml.values()):
            raise refuse("A price is at least 0.", "Correct it under per_ml.")
        if not any((*prices, *self.per_ml.values())):
            raise refuse(
                "Without a price nothing costs anything.",
                "Give one or more of per_batch, per_experiment, per_hour, per_plate, per_tip and per_ml.",
            )
        return self

    @property
    def limit(self) -> CostLimit:
        return CostLimit(**self.model_dump())


class ApprovalFields(StrictModel):
    """What needs a person; nothing does that is not written."""

    start: bool = False
    each_batch: bool = False
    outside_trust_region: _Trust | None = None
    first_on_hardware: bool = False
    over_cost: _Cost | None = None
    screening_hit: str | None = Field(default=None, min_length=1, examples=["watched.yaml"])

    def policy(self, watched: tuple[Watched, ...]) -> ApprovalPolicy | None:
        """What is written, with the entries of the list that it names; None where nothing needs a person."""
        found = ApprovalPolicy(
            start=self.start,
            each_batch=self.each_batch,
            trust=None if self.outside_trust_region is None else self.outside_trust_region.trust,
            first_on_hardware=self.first_on_hardware,
            cost=None if self.over_cost is None else self.over_cost.limit,
            watched=watched,
        )
        return None if found == ApprovalPolicy() else found


class _Entry(StrictModel):
    name: str = Field(min_length=1, max_length=200, examples=["a toxin's active site"])
    contains: str = Field(default="", max_length=10_000)
    ids: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _something(self) -> _Entry:
        if not (self.contains or self.ids or self.values):
            raise refuse(f"{self.name} would never be found.", "Give it contains, ids or values.")
        return self


class _List(StrictModel):
    watch: tuple[_Entry, ...] = Field(examples=["[{name: one, contains: MKT}]"])

    @model_validator(mode="after")
    def _something(self) -> _List:
        if not self.watch:
            raise refuse(
                "Nothing is watched for.", "Write an entry, or take screening_hit out of the campaign file."
            )
        return self


def read_approval(
    source: SourceFile, written: ApprovalFields, workcell: WorkcellSpec, choice: Choice
) -> tuple[ApprovalPolicy | None, tuple[str, ...]]:
    """What needs a person, and the hashes of files that say so beside the campaign file.

    Raises:
        CampaignFileError: a price of what the bench does not have, a bound on what candidates do not have, or what is
            wrong in the list that is watched for.
    """
    _check_prices(source, written.over_cost, workcell)
    _check_trust(source, written.outside_trust_region, choice)
    if written.screening_hit is None:
        return written.policy(()), ()
    entries, found = _read_watched(beside(source, written.screening_hit))
    return written.policy(entries), (found.sha256,)


def _check_prices(source: SourceFile, cost: _Cost | None, workcell: WorkcellSpec) -> None:
    """A price that is never asked for would let everything pass."""
    known = dict.fromkeys(one.holds for one in workcell.labware if one.holds and one.holds != CANDIDATES)
    for name in cost.per_ml if cost is not None else ():
        if name not in known:
            raise source.unknown_name(f"approval.over_cost.per_ml.{name}", "reagent", name, known)


def _check_trust(source: SourceFile, trust: _Trust | None, choice: Choice) -> None:
    """So would a bound on what no candidate has."""
    if trust is None:
        return
    letters = any(one.sequence for one in choice.candidates) or (
        choice.space is not None and choice.space.sites is not None
    )
    values = any(one.values for one in choice.candidates) or (
        choice.space is not None and bool(choice.space.names)
    )
    for field, bound, there, what in (
        ("letters", trust.letters, letters, "a sequence"),
        ("fraction", trust.fraction, values, "values"),
    ):
        if bound is not None and not there:
            raise source.error(
                f"approval.outside_trust_region.{field}",
                f"No candidate has {what}, so that this bound would never hold anything back.",
                "Take it out.",
            )


def _read_watched(path: Path) -> tuple[tuple[Watched, ...], SourceFile]:
    """The lab's own list of what a person should see first, and the file it stands in.

    Raises:
        CampaignFileError: all that is wrong in it.
    """
    source, values = read_yaml(read_source(path, "list of what is watched for"))
    problems = Problems(source)
    written = problems.read(_List, values)
    problems.raise_if_any()
    assert written is not None  # else there were problems
    entries = tuple(
        Watched(name=one.name, contains=one.contains.upper(), ids=one.ids, values=one.values)
        for one in written.watch
    )
    return entries, source
