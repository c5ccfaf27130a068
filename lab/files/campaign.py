"""The campaign file: what is looked for, among what, with which recipe, planner and budget."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from lab.errors import BadInput, CampaignFileError
from lab.files.alphabets import ALPHABETS, AlphabetName
from lab.files.candidates import CandidateTable, Material, read_candidates
from lab.files.recovery import RecoveryFields
from lab.files.source import Problems, SourceFile, read_source
from lab.files.workcell import CANDIDATES, WorkcellSpec, load_workcell
from lab.files.yaml_text import read_yaml
from lab.strict import StrictModel, did_you_mean, refuse
from lab.types import (
    Campaign,
    Candidate,
    Goal,
    JsonValue,
    PlannerChoice,
    Policies,
    ProtocolChoice,
)
from lab.units import SUFFIXES, read_quantity

__all__ = ["MAX_BUDGET", "CampaignFile", "load_campaign"]

MAX_BUDGET = 100
"""Experiments of one campaign; what a bench can carry out in days, and what planners are tuned for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFile:
    """A campaign file and the two files that it names, checked.

    Args:
        candidates: the pool, in the order of the candidate file, without the reference.
        material: every filled well of the library, as the candidate file says; the reference may have several. None on
            a workcell without a library, where candidates are made from stocks.
        sources: candidate id, the reference's too -> (labware id, well) of its first well, if it has any.
        baseline: planner to run on an identical twin, for comparison; empty for none.
        protocol: quantities in its parameters are numbers in the unit of their names.
        alphabet: what the letters of sequences are.
        sha256: of the campaign, candidate and workcell files together; changes when any of them does.
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
        )


def _letters(value: Any, info: ValidationInfo) -> Any:
    """A parent without its blanks and line breaks; ``alphabet``, which stands before it in the model, is read already."""
    if not isinstance(value, str):
        return value
    letters = "".join(value.split())
    alphabet = ALPHABETS[info.data.get("alphabet", "protein")]
    place = alphabet.stranger(letters)
    if place is not None:
        raise refuse(
            f"parent has {letters[place - 1]!r} at position {place}, which is no {alphabet.letter}.",
            alphabet.way_out,
        )
    return letters


class _Goal(StrictModel):
    maximize: str | None = Field(default=None, min_length=1)
    minimize: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one(self) -> _Goal:
        if (self.maximize is None) == (self.minimize is None):
            raise refuse(
                "A goal is to maximize or to minimize one target.",
                "Write one of the two: `maximize: residual_activity`.",
            )
        return self

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        return "minimize" if self.maximize is None else "maximize"


class _Candidates(StrictModel):
    file: str = Field(min_length=1, examples=["protein_g_library.csv"])
    alphabet: AlphabetName = "protein"
    parent: Annotated[str | None, BeforeValidator(_letters)] = Field(default=None, min_length=1)
    reference: str = Field(min_length=1, examples=["WT"])


class _Protocol(StrictModel):
    name: str = Field(min_length=1, examples=["thermal_challenge"])
    parameters: dict[str, Any] = Field(default_factory=dict)


class _Planner(StrictModel):
    name: str = Field(min_length=1, examples=["adaptive"])
    settings: dict[str, Any] = Field(default_factory=dict)


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
    goal: _Goal = Field(examples=["{maximize: residual_activity}"])
    candidates: _Candidates = Field(examples=["{file: protein_g_library.csv, reference: WT}"])
    workcell: str = Field(min_length=1, examples=["../workcells/protein_bench_twin.yaml"])
    protocol: _Protocol = Field(examples=["{name: thermal_challenge}"])
    planner: _Planner = Field(examples=["{name: adaptive}"])
    baseline: str | None = Field(default=None, min_length=1)
    budget: int = Field(ge=1, le=MAX_BUDGET, examples=[96])
    batch_size: int = Field(ge=1, examples=[12])
    seed: int = Field(ge=0, lt=2**32, examples=[7])
    policies: _Policies = _Policies()

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
            raise refuse(
                f"{name!r} can't be the name of a campaign.",
                "Use up to 64 letters, digits, - and _, beginning with a letter or digit.",
            )
        return name


def load_campaign(path: Path | str) -> CampaignFile:
    """Read and check a campaign file and the candidate and workcell files that it names.

    Names of the planner and protocol, and their settings and parameters, are the caller's to check: it knows which exist.

    Raises:
        CampaignFileError: all that is wrong in one of the files.
    """
    source, values = read_yaml(read_source(Path(path), "campaign file"))
    problems = Problems(source)
    written = problems.read(_Campaign, values)
    parameters = _parameters(values, problems)
    problems.raise_if_any()
    assert written is not None  # else there were problems
    if written.batch_size > written.budget:
        problems.add(
            "batch_size",
            f"batch_size is {written.batch_size}, more than the budget of {written.budget}.",
            "Make it at most the budget.",
        )
    workcell_path = _beside(source, written.workcell)
    table_path = _beside(source, written.candidates.file)
    for field, named, kind in (
        ("workcell", workcell_path, "workcell"),
        ("candidates.file", table_path, "candidate"),
    ):
        _check_there(field, named, kind, problems)
    problems.raise_if_any()

    workcell = load_workcell(workcell_path)
    if written.baseline is not None and not workcell.twin:
        raise source.error(
            "baseline",
            f"A baseline costs as much as the campaign itself, and {workcell.name} is no twin.",
            "Take the line out.",
        )
    table = read_candidates(
        table_path,
        parent=written.candidates.parent,
        alphabet=ALPHABETS[written.candidates.alphabet],
        reference=written.candidates.reference,
        plates=workcell.library,
        wells=workcell.library_wells,
    )
    if not workcell.library and not table.values:
        raise workcell.error(
            "labware", "No labware here holds candidates.", f"Add `holds: {CANDIDATES}` to the plates."
        )
    return CampaignFile(
        source=source,
        name=written.name,
        goal=Goal(
            target=written.goal.maximize or written.goal.minimize or "", direction=written.goal.direction
        ),
        candidates=table.candidates,
        reference=_reference(source, table, written.candidates.reference),
        material=table.material,
        sources=_first_wells(table),
        planner=PlannerChoice(name=written.planner.name, settings=written.planner.settings),
        baseline=written.baseline or "",
        protocol=ProtocolChoice(name=written.protocol.name, parameters=parameters),
        policies=written.policies.policies,
        budget=written.budget,
        batch_size=written.batch_size,
        seed=written.seed,
        workcell=workcell,
        sha256=_together(source, table.source, workcell.source),
        alphabet=written.candidates.alphabet,
    )


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


def _beside(source: SourceFile, name: str) -> Path:
    """A file named in another, from that one's folder."""
    return Path(os.path.normpath(source.path.parent / Path(name).expanduser()))


def _check_there(field: str, path: Path, kind: str, problems: Problems) -> None:
    """Note a missing file where it is named; the rest is for whoever reads it."""
    try:
        read_source(path, f"{kind} file")
    except CampaignFileError as error:
        if not path.exists():
            problems.add(field, f"There is no {kind} file {path}.", error.way_out)


def _reference(source: SourceFile, table: CandidateTable, name: str) -> Candidate:
    if table.reference is None:
        known = [candidate.id for candidate in table.candidates]
        meant = did_you_mean(name, known) if len(known) < 40 else ""
        raise source.error(
            "candidates.reference",
            f"{table.source.path} has no row for the reference {name!r}.",
            f"Every plate carries it as a control; add it, or name another. {meant}".strip(),
        )
    return table.reference


def _first_wells(table: CandidateTable) -> dict[str, tuple[str, str]]:
    wells: dict[str, tuple[str, str]] = {}
    for material in table.material:
        wells.setdefault(material.content, (material.labware, material.well))
    return wells


def _together(*sources: SourceFile) -> str:
    """One hash of several files."""
    return hashlib.sha256("\n".join(source.sha256 for source in sources).encode()).hexdigest()
