"""What a campaign file says may be chosen: the rows of a candidate file, or a space; and what is known of it beforehand."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo

from lab.files.alphabets import ALPHABETS, AlphabetName
from lab.files.candidates import CandidateTable, Material, read_candidates
from lab.files.labware import CANDIDATES
from lab.files.past import Known, read_past
from lab.files.source import Problems, SourceFile
from lab.files.space import SpaceFields, read_space
from lab.files.workcell import WorkcellSpec
from lab.strict import StrictModel, did_you_mean, refuse
from lab.types import DNA, Candidate, Goal, PastResult, SearchSpace

__all__ = ["CandidateFields", "Choice", "beside", "read_chosen_space", "read_past_tables", "read_pool"]


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


class CandidateFields(StrictModel):
    """Where the pool stands."""

    file: str = Field(min_length=1, examples=["protein_g_library.csv"])
    alphabet: AlphabetName = "protein"
    parent: Annotated[str | None, BeforeValidator(_letters)] = Field(default=None, min_length=1)
    reference: str = Field(min_length=1, examples=["WT"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What may be chosen: a pool and where it stands, or a space.

    Args:
        hashes: of the files that say so, beside the campaign file.
    """

    candidates: tuple[Candidate, ...]
    reference: Candidate
    alphabet: AlphabetName
    material: tuple[Material, ...] = ()
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    space: SearchSpace | None = None
    hashes: tuple[str, ...] = ()

    def check_shared(self, names: Sequence[str], source: SourceFile) -> None:
        """Refuse names of shared values that candidates do not have."""
        known = (
            [parameter.name for parameter in self.space.parameters]
            if self.space is not None
            else list(self.reference.values)
        )
        for n, name in enumerate(names, start=1):
            if name not in known:
                raise source.error(
                    f"shared[{n}]",
                    f"Batches can't share {name!r}: candidates have no such value.",
                    did_you_mean(name, known, what="They have:") or "Take it out.",
                )


def read_pool(
    source: SourceFile,
    written: CandidateFields,
    workcell: WorkcellSpec,
    *,
    by_name: bool,
    may_lack: bool = False,
) -> Choice:
    """The pool of a candidate file.

    Args:
        by_name: the campaign has models, so that candidates may be known by their names alone.
        may_lack: candidates need not be in stock, so that their rows may name no well.

    Raises:
        CampaignFileError: all that is wrong in it, or no row for the reference, or nowhere for candidates to stand.
    """
    table = read_candidates(
        beside(source, written.file),
        parent=written.parent,
        alphabet=ALPHABETS[written.alphabet],
        reference=written.reference,
        plates=workcell.library,
        wells=workcell.library_wells,
        by_name=by_name,
        may_lack=may_lack,
    )
    if may_lack and not workcell.library:
        raise workcell.error(
            "labware",
            "Material that comes needs a plate to go to, and no labware here holds candidates.",
            f"Add `holds: {CANDIDATES}` to the plates.",
        )
    if may_lack and all(one.content != written.reference for one in table.material):
        raise source.error(
            "candidates.reference",
            f"The reference {written.reference} stands in no well, and every plate needs it.",
            "Give its row a plate and a well.",
        )
    if "alphabet" not in written.model_fields_set:
        _check_letters(source, table)
    if not workcell.library and not table.values:
        raise workcell.error(
            "labware", "No labware here holds candidates.", f"Add `holds: {CANDIDATES}` to the plates."
        )
    return Choice(
        candidates=table.candidates,
        reference=_reference(source, table, written.reference),
        alphabet=written.alphabet,
        material=table.material,
        sources=_first_wells(table),
        hashes=(table.source.sha256,),
    )


def read_chosen_space(source: SourceFile, fields: SpaceFields) -> Choice:
    """The space, with the reference that it gives.

    Raises:
        CampaignFileError: all that contradicts itself in it.
    """
    problems = Problems(source)
    found = read_space(fields, source.path.parent, problems)
    problems.raise_if_any()
    assert found is not None  # else there were problems
    made, reference = found
    sites = fields.sites
    return Choice(
        candidates=(), reference=reference, alphabet=sites.alphabet if sites else "protein", space=made
    )


def read_past_tables(
    source: SourceFile, goal: Goal, names: Sequence[str], choice: Choice
) -> list[tuple[tuple[PastResult, ...], str]]:
    """Results and hash of each table of earlier campaigns.

    Raises:
        CampaignFileError: all that is wrong in one of them.
    """
    known = Known(
        goal=goal,
        candidates={candidate.id: candidate for candidate in (*choice.candidates, choice.reference)},
        parent=choice.reference.sequence,
        alphabet=ALPHABETS[choice.alphabet],
        space=choice.space,
    )
    return [read_past(beside(source, name), known) for name in names]


def beside(source: SourceFile, name: str) -> Path:
    """A file named in another, from that one's folder."""
    return Path(os.path.normpath(source.path.parent / Path(name).expanduser()))


_CHANCE = 12
"""Letters up to which a protein may well be of A, C, G and T only: of random ones of 12, one in a hundred million is."""


def _check_letters(source: SourceFile, table: CandidateTable) -> None:
    """Refuse a table that nobody said to be of proteins, and that looks like DNA.

    Raises:
        CampaignFileError: its sequences are long and of bases only.
    """
    known = (*table.candidates, *(() if table.reference is None else (table.reference,)))
    sequences = [candidate.sequence for candidate in known if candidate.sequence]
    if sequences and all(len(s) > _CHANCE and set(s) <= set(DNA) for s in sequences):
        raise source.error(
            "candidates.alphabet",
            f"All sequences of {table.source.path} are of the letters A, C, G and T only: this looks like DNA.",
            "Write `alphabet: dna` under `candidates:`, or `alphabet: protein` where they are proteins after all.",
        )


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
