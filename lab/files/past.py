"""Results of earlier campaigns: a table with a row for each, in the words of the campaign file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.files.alphabets import Alphabet
from lab.files.candidates import sequence_of
from lab.files.source import Problems, read_source
from lab.types import Candidate, Goal, PastResult, SearchSpace

__all__ = ["Known", "read_past"]

_FIXED = ("variant", "target", "value", "standard_error", "campaign", "sequence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What rows are read against.

    Args:
        candidates: id -> candidate of the pool, the reference's too.
        parent: that variants' names are read against; empty without one.
        space: None for a pool.
    """

    goal: Goal
    candidates: Mapping[str, Candidate]
    parent: str
    alphabet: Alphabet
    space: SearchSpace | None = None

    def is_number(self, name: str) -> bool:
        """Whether the value of that name is a number, not a level or a word."""
        if self.space is not None:
            return all(p.is_number for p in self.space.parameters if p.name == name)
        return not isinstance(next(iter(self.candidates.values())).values[name], str)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the values that describe candidates."""
        if self.space is not None:
            return self.space.names
        return tuple(next(iter(self.candidates.values())).values) if self.candidates else ()


def read_past(path: Path, known: Known) -> tuple[tuple[PastResult, ...], str]:
    """The results in a table, and the hash of the file.

    Columns: ``variant``, ``value``; ``target`` unless the goal has one only; ``standard_error`` and ``campaign`` if wanted;
    ``sequence``, or the values that describe a candidate, for those that are not in the pool.

    Raises:
        CampaignFileError: all that is wrong in the file.
    """
    source = read_source(path, "table of past results")
    problems = Problems(source)
    found: list[PastResult] = []
    header: list[str] | None = None
    for line, cells in _filled(source.text, problems):
        if header is None:
            header = cells
            _check_header(header, known, problems, line)
            problems.raise_if_any()
            continue
        row = dict(zip(header, cells, strict=False))
        if len(cells) != len(header):
            problems.add("", f"This row has {len(cells)} cells, the heading {len(header)}.", line=line)
        elif (result := _read(row, path.stem, known, problems, line)) is not None:
            found.append(result)
    if not found and not problems:
        problems.add("", "The file holds no results.", "Add a row for each: variant, target, value.")
    problems.raise_if_any()
    return tuple(found), source.sha256


def _filled(text: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Lines and cells of the rows that hold something; one that can't be read is noted, and ends the table."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if any(cells) and not cells[0].startswith("#"):
                yield rows.line_num, cells
    except csv.Error as error:
        problems.add(
            "", f"This row can't be read: {error}.", "Check its quotes and commas.", line=rows.line_num
        )


def _check_header(header: Sequence[str], known: Known, problems: Problems, line: int) -> None:
    needed = ["variant", "value"] + (["target"] if len(known.goal.targets) > 1 else [])
    for name in needed:
        if name not in header:
            problems.add(
                name, f"There is no column {name}.", f"The heading needs {', '.join(needed)}.", line=line
            )
    for name in header:
        if header.count(name) > 1:
            problems.add(name, f"The column {name} stands here twice.", "Keep one.", line=line)
        elif name not in _FIXED and name not in known.names:
            problems.add(
                name,
                f"{name!r} is no column of past results.",
                f"Columns are {', '.join((*_FIXED, *known.names))}.",
                line=line,
            )


def _read(
    row: Mapping[str, str], campaign: str, known: Known, problems: Problems, line: int
) -> PastResult | None:
    target = row.get("target") or known.goal.target
    if target not in known.goal.targets:
        problems.add(
            "target",
            f"{target!r} is no target of the goal.",
            f"Its targets are {', '.join(known.goal.targets)}; take other rows out.",
            line=line,
        )
        return None
    value = _number(row["value"], "value", problems, line)
    error = (
        _number(row["standard_error"], "standard_error", problems, line)
        if row.get("standard_error")
        else math.nan
    )
    candidate = _candidate(row, known, problems, line)
    if value is None or error is None or candidate is None:
        return None
    if error < 0.0:
        problems.add("standard_error", f"standard_error is {error:g}.", "Give 0 or more.", line=line)
        return None
    return PastResult(
        candidate=candidate,
        target=target,
        value=value,
        standard_error=error,
        campaign=row.get("campaign") or campaign,
    )


def _number(written: str, name: str, problems: Problems, line: int) -> float | None:
    try:
        number = float(written)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number
    problems.add(
        name, f"{name} is {written!r}, which is no number.", "Write one, or take the row out.", line=line
    )
    return None


def _candidate(row: Mapping[str, str], known: Known, problems: Problems, line: int) -> Candidate | None:
    """The pool's own candidate of that name, or one that the row describes."""
    name = row["variant"]
    given = {key: row[key] for key in known.names if row.get(key)}
    if name in known.candidates and not row.get("sequence") and not given:
        return known.candidates[name]
    missing = [key for key in known.names if key not in given]
    if missing:
        problems.add(
            "variant",
            f"{name or 'A row'} is no candidate of this campaign, and the row does not say its {missing[0]}.",
            f"Add columns for {', '.join(known.names)}, or take the row out.",
            line=line,
        )
        return None
    sequence = row.get("sequence", "").upper()
    if not sequence and known.parent:
        try:
            sequence = sequence_of(name, known.parent, known.alphabet)
        except ValueError as error:
            problems.add("variant", str(error), "Correct it, or give its sequence.", line=line)
            return None
    if not sequence and not known.names:
        problems.add(
            "variant",
            f"{name!r} is no candidate of this campaign, and the row has no sequence.",
            "Add a column with its sequence, or take the row out.",
            line=line,
        )
        return None
    place = known.alphabet.stranger(sequence)
    if place is not None:
        problems.add(
            "sequence",
            f"{name} has {sequence[place - 1]!r} at position {place}, which is no {known.alphabet.letter}.",
            known.alphabet.way_out,
            line=line,
        )
        return None
    values = {key: _value(text, key, known, problems, line) for key, text in given.items()}
    if None in values.values():
        return None
    own = known.candidates.get(name)
    if own is not None and (own.sequence, dict(own.values)) != (sequence, values):
        problems.add(
            "variant", f"{name} is another candidate in this campaign.", "Give it another name.", line=line
        )
        return None
    return Candidate(id=name or f"past_{line}", sequence=sequence, values=values)


def _value(text: str, name: str, known: Known, problems: Problems, line: int) -> float | str | None:
    """A number where the campaign has numbers under that name; None, with the problem noted, where it is none."""
    return _number(text, name, problems, line) if known.is_number(name) else text
