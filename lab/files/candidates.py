"""The candidate file: one row per well of the library, ``variant, plate, well`` and, without a parent, ``sequence``.

Candidates that are no sequences have a column for each value that describes them instead. On a workcell without a
library they are made from stocks, one row each, and stand in no well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lab.files.alphabets import PROTEIN, Alphabet
from lab.files.candidate_rows import Rows
from lab.files.candidate_values import ValueColumns
from lab.files.source import Problems, SourceFile, read_source
from lab.types import Candidate

__all__ = ["CandidateTable", "Material", "read_candidates", "sequence_of"]

WILD_TYPE = "WT"
"""The name of the parent itself."""

_MUTATION = re.compile(r"^([A-Z])([0-9]+)([A-Z])$")
_SEPARATORS = re.compile(r"[+/:;,]")
_WELL = re.compile(r"^([A-Z])0?([1-9][0-9]?)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """One well of the library.

    Args:
        content: candidate id.
        labware: id of the library plate (``library_3``).
    """

    content: str
    labware: str
    well: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateTable:
    """What a candidate file holds.

    Args:
        candidates: the pool, in the order of the file, without the reference.
        reference: None when the file has no such row; the caller says so, in the file that named it.
        material: every row, in the order of the file. Only the reference may stand in several wells. Empty where the
            workcell has no library.
        values: names of the columns that describe the candidates; empty for sequences.
    """

    source: SourceFile
    candidates: tuple[Candidate, ...]
    reference: Candidate | None
    material: tuple[Material, ...]
    values: tuple[str, ...] = ()


def sequence_of(variant: str, parent: str, alphabet: Alphabet = PROTEIN) -> str:
    """The sequence that a name such as ``T16I`` or ``T16I+K10R`` stands for.

    Args:
        variant: mutations counted from 1 in the parent, joined by ``+``; ``WT`` is the parent itself.
        parent: letters of the alphabet.

    Raises:
        ValueError: one sentence that says what is wrong with the name.
    """
    if variant == WILD_TYPE:
        return parent
    letters = list(parent)
    changed: set[int] = set()
    for mutation in _SEPARATORS.split(variant):
        match = _MUTATION.match(mutation.strip())
        if match is None:
            raise ValueError(f"{mutation!r} is no mutation such as T16I, and no sequence is given for it.")
        old, place, new = match[1], int(match[2]), match[3]
        strange = [letter for letter in (old, new) if letter not in alphabet.letters]
        if strange:
            raise ValueError(f"{variant}: {strange[0]!r} is no {alphabet.letter}.")
        if not 1 <= place <= len(parent):
            raise ValueError(f"{variant}: the parent has positions 1 to {len(parent)}, no {place}.")
        if parent[place - 1] != old:
            raise ValueError(f"{variant}: the parent has {parent[place - 1]} at position {place}, not {old}.")
        if new == old:
            raise ValueError(f"{variant}: {mutation} changes nothing.")
        if place in changed:
            raise ValueError(f"{variant}: position {place} is changed twice.")
        changed.add(place)
        letters[place - 1] = new
    return "".join(letters)


def read_candidates(
    path: Path,
    *,
    parent: str | None,
    reference: str,
    plates: Sequence[str],
    wells: Sequence[str],
    alphabet: Alphabet = PROTEIN,
    by_name: bool = False,
    may_lack: bool = False,
) -> CandidateTable:
    """Read a candidate file.

    Args:
        parent: the sequence that variant names are read against; without one each row gives its ``sequence``.
        reference: name of the row that is the control.
        plates: ids of the library plates, in order; ``plate`` 1 is the first. Without any, candidates stand in no wells.
        wells: names of the wells that such a plate has.
        may_lack: a row may name no plate and no well: that candidate is not in stock.
        by_name: a name is enough, and values may be alike, because a model of the campaign knows more of each candidate.

    Raises:
        CampaignFileError: all that is wrong in the file.
    """
    source = read_source(path, "candidate file")
    reader = _Reader(source, parent, reference, plates, wells, alphabet, by_name, may_lack)
    named = by_name or parent is not None
    rows = Rows(source, reader.problems, has_parent=parent is not None, named=named, has_library=bool(plates))
    for line, row in rows:
        reader.read(line, row, rows.values)
    if not reader.candidates and not reader.problems:
        columns = "variant and its values" if rows.values else "variant, plate, well"
        reader.problems.add("", "The file holds no candidates.", f"Add a row for each: {columns}.")
    reader.problems.raise_if_any()
    return CandidateTable(
        source=replace(source, lines=reader.lines),
        candidates=tuple(reader.candidates.values()),
        reference=reader.reference,
        material=tuple(reader.material),
        values=() if rows.values is None else rows.values.names,
    )


class _Reader:
    """Takes rows one by one, and notes what is wrong with each."""

    def __init__(
        self,
        source: SourceFile,
        parent: str | None,
        reference: str,
        plates: Sequence[str],
        wells: Sequence[str],
        alphabet: Alphabet,
        by_name: bool,
        may_lack: bool,
    ) -> None:
        self._may_lack = may_lack
        self._alphabet = alphabet
        self._by_name = by_name
        self.problems = Problems(source)
        self.candidates: dict[str, Candidate] = {}
        self.reference: Candidate | None = None
        self.material: list[Material] = []
        self.lines: dict[str, int] = {}
        self._parent = parent
        self._reference = reference
        self._plates = plates
        self._wells = frozenset(wells)
        self._sequences: dict[str, str] = {}
        self._used: dict[tuple[str, str], int] = {}

    def read(self, line: int, row: dict[str, str], values: ValueColumns | None) -> None:
        """Take one row; ``values`` reads the columns that describe candidates."""
        name = row["variant"]
        if not name:
            self.problems.add(
                "variant", "This row has no variant.", "Name it, or take the row out.", line=line
            )
            return
        lacks = self._may_lack and not row["plate"] and not row["well"]
        place = self._place(line, row) if self._plates and not lacks else None
        if name == self._reference and name in self.lines and (self._plates or values is None):
            pass  # the control needs more material than any other, so it may stand in several wells
        elif name in self.lines:
            self.problems.add(
                "variant",
                f"{name} stands here a second time; the first is in line {self.lines[name]}.",
                "Keep one of the rows.",
                line=line,
            )
        else:
            self.lines[name] = line
            if values is None:
                self._candidate(line, name, row)
            else:
                self._described(line, name, row, values)
        if place is not None:
            self.material.append(Material(content=name, labware=place[0], well=place[1]))

    def _candidate(self, line: int, name: str, row: dict[str, str]) -> None:
        by_name = self._parent is None and "sequence" not in row
        sequence = "" if by_name else self._sequence(line, name, row.get("sequence", "").upper())
        if sequence is None:
            return
        candidate = Candidate(id=name, sequence=sequence)
        if name == self._reference:
            self.reference = candidate
            return
        twin = self._sequences.setdefault(sequence, name) if sequence else name
        if twin != name:
            self.problems.add(
                "variant",
                f"{name} is the same {self._alphabet.whole} as {twin} in line {self.lines[twin]}.",
                "Keep one of the rows.",
                line=line,
            )
        self.candidates[name] = candidate

    def _described(self, line: int, name: str, row: dict[str, str], columns: ValueColumns) -> None:
        values = columns.read(line, name, row)
        if values is None:
            return
        candidate = Candidate(id=name, values=values)
        if name == self._reference:
            self.reference = candidate
            return
        twin = None if self._by_name else columns.twin(line, name, values)
        if twin is not None:
            self.problems.add(
                "variant",
                f"{name} has the same values as {twin[0]} in line {twin[1]}.",
                "Keep one of the rows.",
                line=line,
            )
        self.candidates[name] = candidate

    def _sequence(self, line: int, name: str, given: str) -> str | None:
        """The candidate's letters, from its name or its cell; None, with the problem noted, when neither gives them."""
        if given:
            strange = self._alphabet.stranger(given)
            if strange is not None:
                self.problems.add(
                    "sequence",
                    f"{given[strange - 1]!r} at position {strange} of {name} is no {self._alphabet.letter}.",
                    self._alphabet.way_out,
                    line=line,
                )
                return None
            named = self._parent is not None and (name == WILD_TYPE or _MUTATION.match(name) is not None)
            if not named:
                return given
        if self._parent is None:
            self.problems.add("sequence", f"{name} has no sequence.", "Write its letters.", line=line)
            return None
        try:
            sequence = sequence_of(name, self._parent, self._alphabet)
        except ValueError as error:
            self.problems.add("variant", str(error), "Compare it with the campaign's `parent`.", line=line)
            return None
        if given and given != sequence:
            self.problems.add(
                "sequence",
                f"The letters given for {name} are not those of the parent with that change.",
                "Correct one of them, or give the row another name.",
                line=line,
            )
            return None
        return sequence

    def _place(self, line: int, row: dict[str, str]) -> tuple[str, str] | None:
        plate, written = row["plate"], row["well"]
        match = _WELL.match(written.upper())
        well = f"{match[1]}{match[2]}" if match else ""
        number = int(plate) if plate.isascii() and plate.isdigit() and len(plate) < 6 else 0
        if not 1 <= number <= len(self._plates):
            self.problems.add(
                "plate",
                f"There is no library plate {plate!r}; the workcell has plates 1 to {len(self._plates)}.",
                "Correct it, or raise the count of the library plates in the workcell file.",
                line=line,
            )
            return None
        if well not in self._wells:
            self.problems.add(
                "well",
                f"A library plate has no well {written!r}.",
                f"Wells are A1 to {max(self._wells, key=lambda w: (w[0], int(w[1:])))}.",
                line=line,
            )
            return None
        place = (self._plates[number - 1], well)
        if place in self._used:
            self.problems.add(
                "well",
                f"Well {well} of plate {plate} is used twice; the first time in line {self._used[place]}.",
                "One well holds one variant: correct one of the rows.",
                line=line,
            )
            return None
        self._used[place] = line
        return place
