"""The campaign file: what is looked for, among what, with which recipe, planner and budget."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from lab.approvals import ApprovalPolicy
from lab.errors import BadInput, CampaignFileError
from lab.files import goal, space
from lab.files.alphabets import AlphabetName
from lab.files.approval import ApprovalFields, read_approval
from lab.files.candidates import Material
from lab.files.choice import (
    CandidateFields,
    beside,
    read_chosen_space,
    read_past_tables,
    read_pool,
)
from lab.files.goal import GoalFields
from lab.files.recovery import RecoveryFields
from lab.files.source import Problems, SourceFile, read_source, source_of
from lab.files.space import SpaceFields
from lab.files.workcell import WorkcellSpec, load_workcell
from lab.files.yaml_text import read_yaml
from lab.orders import MaterialPolicy, OrderKind
from lab.strict import StrictModel, refuse
from lab.types import (
    Campaign,
    Candidate,
    Goal,
    JsonValue,
    ModelChoice,
    PastResult,
    PlannerChoice,
    Policies,
    ProtocolChoice,
    SearchSpace,
)
from lab.units import SUFFIXES, read_quantity

__all__ = ["MAX_BUDGET", "CampaignFile", "load_campaign"]

MAX_BUDGET = 100
"""Experiments of one campaign; what a bench can carry out in days, and what planners are tuned for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFile:
    """A campaign file and the files that it names, checked.

    Args:
        candidates: the pool, in the order of the candidate file, without the reference.
        material: every filled well of the library, as the candidate file says; the reference may have several. None on
            a workcell without a library, where candidates are made from stocks.
        sources: candidate id, the reference's too -> (labware id, well) of its first well, if it has any.
        baseline: planner to run on an identical twin, for comparison; empty for none.
        protocol: quantities in its parameters are numbers in the unit of their names.
        alphabet: what the letters of sequences are.
        sha256: of all files together; changes when any of them does.
        space: what may be chosen, where that is no pool; ``candidates`` is empty then.
        shared: names of values that all experiments of one batch have in common.
        ordering: what is done about candidates that are not in stock; None where all must stand in a well.
        approval: what needs a person; None where nothing does.
    """

    source: SourceFile
    name: str
    goal: Goal
    candidates: tuple[Candidate, ...]
    reference: Candidate
    material: tuple[Material, ...]
    sources: Mapping[str, tuple[str, str]]
    planner: PlannerChoice
    baseline: str
    protocol: ProtocolChoice
    policies: Policies
    budget: int
    batch_size: int
    seed: int
    workcell: WorkcellSpec
    sha256: str
    alphabet: AlphabetName = "protein"
    space: SearchSpace | None = None
    models: tuple[ModelChoice, ...] = ()
    past: tuple[PastResult, ...] = ()
    shared: tuple[str, ...] = ()
    ordering: MaterialPolicy | None = None
    approval: ApprovalPolicy | None = None

    @property
    def path(self) -> Path:
        """The campaign file."""
        return self.source.path

    @property
    def text(self) -> str:
        """The campaign file as it was written."""
        return self.source.text

    @property
    def workcell_path(self) -> Path:
        """The workcell file, found from the campaign file."""
        return self.workcell.source.path

    def line_of(self, field: str) -> int | None:
        """Line of a field of the campaign file (``protocol.parameters.replicates``)."""
        return self.source.line_of(field)

    def error(self, field: str, reason: str, way_out: str = "") -> CampaignFileError:
        """An error at a field of the campaign file."""
        return self.source.error(field, reason, way_out)

    def unknown_name(self, field: str, kind: str, given: str, known: Iterable[str]) -> CampaignFileError:
        """The error for a name in the file that does not exist, with the likeliest meant one."""
        return self.source.unknown_name(field, kind, given, known)

    def campaign(self, campaign_id: str) -> Campaign:
        """The campaign it asks for, under an id (``cmp_...``) of the caller's; without its baseline."""
        return Campaign(
            id=campaign_id,
            name=self.name,
            goal=self.goal,
            candidates=self.candidates,
            reference=self.reference,
            planner=self.planner,
            protocol=self.protocol,
            budget=self.budget,
            batch_size=self.batch_size,
            seed=self.seed,
            workcell=self.workcell.name,
            sources=self.sources,
            policies=self.policies,
            alphabet=self.alphabet,
            space=self.space,
            models=self.models,
            past=self.past,
            shared=self.shared,
            material=self.ordering,
            approval=self.approval,
        )


class _Protocol(StrictModel):
    name: str = Field(min_length=1, examples=["thermal_challenge"])
    parameters: dict[str, Any] = Field(default_factory=dict)


class _Planner(StrictModel):
    name: str = Field(min_length=1, examples=["adaptive"])
    settings: dict[str, Any] = Field(default_factory=dict)


class _Model(StrictModel):
    name: str = Field(min_length=1, examples=["protein_mpnn"])
    settings: dict[str, Any] = Field(default_factory=dict)


class _Material(StrictModel):
    source: Literal["order", "build"] = Field(examples=["order"])
    lead_time_s: float = Field(ge=0.0, le=3.2e7, examples=["5 d"])
    supplier: str = Field(default="", max_length=200)
    volume_ul: float = Field(default=100.0, gt=0.0, le=1e6)
    least_ul: float = Field(default=1.0, gt=0.0, le=1e6)
    finish_within_s: float | None = Field(default=None, gt=0.0)
    batches_on_order: int = Field(default=1, ge=1, le=100)

    @property
    def policy(self) -> MaterialPolicy:
        return MaterialPolicy(**{**self.model_dump(), "source": OrderKind(self.source)})


class _Policies(StrictModel):
    repeat_failed: int = Field(default=1, ge=0, le=10)
    stop_when_advised: bool = False
    recovery: RecoveryFields = RecoveryFields()
    max_redos: int = Field(default=2, ge=0, le=10)
    priority: int = Field(default=0, ge=0, le=9)

    @property
    def policies(self) -> Policies:
        return Policies(
            repeat_failed=self.repeat_failed,
            stop_when_advised=self.stop_when_advised,
            recovery=self.recovery.policy,
            max_redos=self.max_redos,
            priority=self.priority,
        )


class _Campaign(StrictModel):
    name: str = Field(examples=["thermostable_protein_g"])
    goal: GoalFields = Field(examples=["{maximize: residual_activity}"])
    candidates: CandidateFields | None = None
    space: SpaceFields | None = None
    shared: tuple[str, ...] = ()
    models: tuple[_Model, ...] = ()
    past: tuple[str, ...] = ()
    workcell: str = Field(min_length=1, examples=["../workcells/protein_bench_twin.yaml"])
    protocol: _Protocol = Field(examples=["{name: thermal_challenge}"])
    planner: _Planner = Field(examples=["{name: adaptive}"])
    baseline: str | None = Field(default=None, min_length=1)
    budget: int = Field(ge=1, le=MAX_BUDGET, examples=[96])
    batch_size: int = Field(ge=1, examples=[12])
    seed: int = Field(ge=0, lt=2**32, examples=[7])
    policies: _Policies = _Policies()
    material: _Material | None = None
    approval: ApprovalFields = ApprovalFields()

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
            raise refuse(
                f"{name!r} can't be the name of a campaign.",
                "Use up to 64 letters, digits, - and _, beginning with a letter or digit.",
            )
        return name

    @model_validator(mode="after")
    def _one_space(self) -> _Campaign:
        if (self.candidates is None) == (self.space is None):
            raise refuse(
                "What may be chosen is either a list of candidates or a space.",
                "Write one of the two: `candidates: {file: protein_g_library.csv, reference: WT}` names a table.",
            )
        return self


def load_campaign(path: Path | str, *, text: str | None = None, within: Path | None = None) -> CampaignFile:
    """Read and check a campaign file and the candidate and workcell files that it names.

    Names of the planner and protocol, and their settings and parameters, are the caller's to check: it knows which exist.

    Args:
        text: to be read as if it stood in a file of that path; the file itself is left alone, and need not be there.
        within: folder that every file it names must lie in; None lets it name any.

    Raises:
        CampaignFileError: all that is wrong in one of the files.
    """
    path = Path(path)
    found = read_source(path, "campaign file") if text is None else source_of(text, path, "campaign file")
    source, values = read_yaml(found)
    problems = Problems(source)
    written = problems.read(_Campaign, space.with_units(goal.with_units(values, problems), problems))
    parameters = _parameters(values, problems)
    problems.raise_if_any()
    assert written is not None  # else there were problems
    if written.batch_size > written.budget:
        problems.add(
            "batch_size",
            f"batch_size is {written.batch_size}, more than the budget of {written.budget}.",
            "Make it at most the budget.",
        )
    workcell_path = beside(source, written.workcell)
    for place, named, kind in _named_files(source, written):
        if within is not None and not named.resolve().is_relative_to(within.resolve()):
            problems.add(place, f"{named} lies outside the lab's folder.", "Name a file within it.")
        else:
            _check_there(place, named, kind, problems)
    problems.raise_if_any()

    workcell = load_workcell(workcell_path)
    if written.baseline is not None and not workcell.twin:
        raise source.error(
            "baseline",
            f"A baseline costs as much as the campaign itself, and {workcell.name} is no twin.",
            "Take the line out.",
        )
    if written.candidates is not None:
        choice = read_pool(
            source,
            written.candidates,
            workcell,
            by_name=bool(written.models),
            may_lack=written.material is not None,
        )
    elif written.material is not None:
        raise source.error(
            "material",
            "Only candidates of a list can be ordered, and this campaign has a space.",
            "Take `material` out, or write the candidates into a file.",
        )
    else:
        assert written.space is not None  # else there were problems
        choice = read_chosen_space(source, written.space)
    past = read_past_tables(source, written.goal.goal, written.past, choice)
    choice.check_shared(written.shared, source)
    approval, lists = read_approval(source, written.approval, workcell, choice)
    return CampaignFile(
        source=source,
        name=written.name,
        goal=written.goal.goal,
        candidates=choice.candidates,
        reference=choice.reference,
        material=choice.material,
        sources=choice.sources,
        planner=PlannerChoice(name=written.planner.name, settings=written.planner.settings),
        baseline=written.baseline or "",
        protocol=ProtocolChoice(name=written.protocol.name, parameters=parameters),
        policies=written.policies.policies,
        budget=written.budget,
        batch_size=written.batch_size,
        seed=written.seed,
        workcell=workcell,
        sha256=_together(
            source.sha256, *choice.hashes, workcell.source.sha256, *(digest for _, digest in past), *lists
        ),
        alphabet=choice.alphabet,
        space=choice.space,
        models=tuple(
            ModelChoice(name=one.name, settings=one.settings, folder=str(source.path.parent.resolve()))
            for one in written.models
        ),
        past=tuple(result for results, _ in past for result in results),
        shared=written.shared,
        ordering=None if written.material is None else written.material.policy,
        approval=approval,
    )


def _named_files(source: SourceFile, written: _Campaign) -> list[tuple[str, Path, str]]:
    """Field, path and kind of every file that the campaign file names."""
    named = [("workcell", beside(source, written.workcell), "workcell")]
    if written.candidates is not None:
        named.append(("candidates.file", beside(source, written.candidates.file), "candidate"))
    for n, name in enumerate(written.past, start=1):
        named.append((f"past[{n}]", beside(source, name), "past-results"))
    if written.approval.screening_hit is not None:
        watched = beside(source, written.approval.screening_hit)
        named.append(("approval.screening_hit", watched, "watch-list"))
    return named


def _parameters(values: Mapping[str, JsonValue], problems: Problems) -> dict[str, JsonValue]:
    """The protocol's parameters as numbers, read even where the rest of the file is wrong."""
    protocol = values.get("protocol")
    written = protocol.get("parameters") if isinstance(protocol, Mapping) else None
    if not isinstance(written, Mapping):
        return {}
    return _plain_numbers(written, "protocol.parameters", problems)


def _plain_numbers(values: Mapping[str, JsonValue], prefix: str, problems: Problems) -> dict[str, JsonValue]:
    """Quantities written with a unit, as numbers in the unit of their names.

    Args:
        values: by name; where a name ends in a unit (``challenge_duration_s``), texts in it are read, in lists too.
        prefix: field that they stand in.
        problems: where texts that can't be read are noted.
    """
    return {name: _plain(name, value, f"{prefix}.{name}", problems) for name, value in values.items()}


def _plain(name: str, value: JsonValue, field: str, problems: Problems) -> JsonValue:
    if isinstance(value, Mapping):
        return _plain_numbers(value, field, problems)
    if isinstance(value, list):
        return [_plain(name, item, f"{field}[{n}]", problems) for n, item in enumerate(value, start=1)]
    if not isinstance(value, str) or not name.endswith(tuple(SUFFIXES)):
        return value
    try:
        return read_quantity(name, value)
    except BadInput as error:
        problems.add(field, error.reason, error.way_out)
        return value


def _check_there(field: str, path: Path, kind: str, problems: Problems) -> None:
    """Note a missing file where it is named; the rest is for whoever reads it."""
    try:
        read_source(path, f"{kind} file")
    except CampaignFileError as error:
        if not os.path.exists(path):  # noqa: PTH110  the other one raises for a name that is too long
            problems.add(field, f"There is no {kind} file {path}.", error.way_out)


def _together(*hashes: str) -> str:
    """One hash of several files."""
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()
