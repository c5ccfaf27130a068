"""Data frames, dictionaries and short spellings, as people write them in a notebook, and what they mean.

Whatever is wrong is said with the row it stands in; nothing is taken over in part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from lab.errors import BadInput
from lab.spaces import DNA, Candidate, JsonValue, Parameter, SearchSpace
from lab.types import Goal, Limit, Objective, Reason

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EXPECTED",
    "Told",
    "alphabet_of",
    "candidates_of",
    "check_same",
    "described_row",
    "expected_row",
    "frame_of",
    "goal_of",
    "name_of",
    "space_of",
    "told_of",
]

EXPECTED = ("predicted", "low", "high", "why")
"""Columns that an ask adds to what describes a candidate."""

_DIRECTIONS = ("maximize", "minimize", "map")
_WITH_LEVEL = ("hit", "exceed")
_LIMITS = ("at_least", "at_most")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One line of results.

    Args:
        key: id of the candidate; empty where values or sequence say which it is.
        values: named values and ``sequence`` of the line.
        results: target -> value; NaN where the line has none.
        errors: target -> standard error, where it is given.
        failed: whether the candidate could not be had.
        line: for messages.
    """

    key: str
    values: Mapping[str, JsonValue]
    results: Mapping[str, float]
    errors: Mapping[str, float]
    failed: bool
    line: str


def goal_of(written: str | Mapping[str, Any] | Goal) -> Goal:
    """``"yield"``, ``{"yield": "maximize", "cost": ("at_most", 5)}`` or a goal as it is.

    The first objective comes first. ``("hit", 7.0)`` and ``("exceed", 0.5)`` are objectives with a level,
    ``("at_least", x)`` and ``("at_most", x)`` are limits.

    Raises:
        BadInput: a direction that is none, or nothing to look for.
    """
    if isinstance(written, Goal):
        return written
    if isinstance(written, str):
        written = {written: "maximize"}
    objectives, limits = [], []
    for target, wish in written.items():
        word, level = wish if isinstance(wish, tuple) and len(wish) == 2 else (wish, None)
        if word in _LIMITS and isinstance(level, int | float):
            limits.append(Limit(target=target, **{str(word): float(level)}))
        elif (word in _DIRECTIONS and level is None) or (
            word in _WITH_LEVEL and isinstance(level, int | float)
        ):
            objectives.append(
                Objective(target=target, direction=word, level=None if level is None else float(level))
            )
        else:
            raise BadInput(
                f"What is wanted of {target} can't be {wish!r}.",
                way_out='Write "maximize", "minimize", "map", ("hit", level), ("exceed", level), ("at_least", x) or '
                '("at_most", x).',
                field="goal",
            )
    if not objectives:
        raise BadInput(
            "The goal has limits and nothing to look for.", way_out="Name a target to maximize.", field="goal"
        )
    first, *also = objectives
    try:
        return Goal(
            target=first.target,
            direction=first.direction,
            level=first.level,
            also=tuple(also),
            limits=tuple(limits),
        )
    except ValueError as error:
        raise BadInput(f"The goal can't be: {error}.", field="goal") from error


def space_of(written: Mapping[str, Any]) -> SearchSpace:
    """``{"temperature_c": (20, 80), "solvent": ["water", "DMSO"]}``: pairs are bounds, lists are levels.

    Raises:
        BadInput: a value is neither, or its bounds or levels can't be.
    """
    parameters = []
    for name, wish in written.items():
        try:
            if isinstance(wish, Parameter):
                parameters.append(wish)
            elif isinstance(wish, tuple) and len(wish) == 2 and all(_is_number(v) for v in wish):
                parameters.append(Parameter(name=name, low=float(wish[0]), high=float(wish[1])))
            elif isinstance(wish, list) and all(_is_number(v) for v in wish):
                levels = tuple(sorted({float(v) for v in wish}))
                parameters.append(Parameter(name=name, kind="ordinal", levels=levels))
            elif isinstance(wish, list) and all(isinstance(v, str) for v in wish):
                parameters.append(Parameter(name=name, kind="categorical", levels=tuple(wish)))
            else:
                raise ValueError(f"{name} is {wish!r}, which is neither bounds nor levels")
        except ValueError as error:
            raise BadInput(
                f"The space can't be: {error}.",
                way_out="Write (low, high) for bounds, [a, b, c] for levels, or a lab.spaces.Parameter.",
                field="space",
            ) from error
    try:
        return SearchSpace(parameters=tuple(parameters))
    except ValueError as error:
        raise BadInput(f"The space can't be: {error}.", field="space") from error


def candidates_of(frame: pd.DataFrame, leave_out: Sequence[str] = ()) -> tuple[Candidate, ...]:
    """A row a candidate: ``id``, ``sequence``, and every other column a named value.

    Without a column ``id``, the index names candidates where it is not just a count; else they are called after their row.

    Args:
        leave_out: columns that describe no candidate (targets).

    Raises:
        BadInput: no rows, an id twice, a value that is missing.
    """
    if not len(frame):
        raise BadInput("The data frame of candidates has no rows.", field="candidates")
    names = [c for c in frame.columns if c not in ("id", "sequence", "failed", *leave_out)]
    ids = _ids(frame)
    made: dict[str, Candidate] = {}
    for row, (key, cells) in enumerate(zip(ids, frame.to_dict("records"), strict=True)):
        if key in made:
            raise BadInput(
                f"Row {row} of the candidates has the id {key}, as one above it.",
                way_out="Give each candidate an id of its own.",
                field="candidates",
            )
        values = {str(name): _plain(cells[name]) for name in names}
        if missing := [name for name, value in values.items() if value is None]:
            raise BadInput(
                f"Candidate {key} (row {row}) has no {missing[0]}.",
                way_out="Fill it in, or leave the candidate or the column out.",
                field="candidates",
            )
        sequence = _plain(cells.get("sequence", ""))
        made[key] = Candidate(id=key, sequence=str(sequence or ""), values=values)
    return tuple(made.values())


def alphabet_of(candidates: Sequence[Candidate]) -> str:
    """``dna`` where every sequence has no letters but those of the four bases, else ``protein``."""
    letters = set().union(*(candidate.sequence for candidate in candidates))
    return "dna" if letters and letters <= set(DNA) else "protein"


def told_of(results: pd.DataFrame | Mapping[str, Any], targets: Sequence[str]) -> tuple[Told, ...]:
    """Results line by line.

    A data frame has a column for each target that was measured, ``id`` or what describes the candidate, and where
    known ``<target>_se`` and ``failed``. A dictionary is ``{id: value}``, ``{id: [value, value]}`` for replicates, or
    ``{id: {target: value}}``.

    Raises:
        BadInput: no column of any target, or something where a number is expected.
    """
    if isinstance(results, Mapping):
        return _from_mapping(results, targets)
    frame = results
    there = [target for target in targets if target in frame.columns]
    if not there and "failed" not in frame.columns:
        raise BadInput(
            f"The results have no column {targets[0]!r}.",
            way_out=f"They have {', '.join(map(str, frame.columns))}.",
            field="results",
        )
    told = []
    named = "id" in frame.columns or not _counts(frame)
    keys = _ids(frame) if named else [""] * len(frame)
    for row, (key, cells) in enumerate(zip(keys, frame.to_dict("records"), strict=True)):
        line = f"row {row}" + (f" ({key})" if key else "")
        used = {"id", "failed", *EXPECTED, *targets, *(f"{t}_se" for t in targets)}
        told.append(
            Told(
                key=key,
                values={
                    str(k): v for k, c in cells.items() if k not in used and (v := _plain(c)) is not None
                },
                results={target: _number(cells[target], target, line) for target in there},
                errors={
                    t: _number(cells[f"{t}_se"], f"{t}_se", line) for t in there if f"{t}_se" in frame.columns
                },
                failed=_truth(cells.get("failed", False), line),
                line=line,
            )
        )
    return tuple(told)


def check_same(line: Told, candidate: Candidate) -> None:
    """Refuse a line that has a candidate's id and describes another; what it does not say is not compared.

    Raises:
        BadInput: its sequence, or one of its values, is another.
    """
    described = {**candidate.values, **({"sequence": candidate.sequence} if candidate.sequence else {})}
    for name in line.values.keys() & described.keys():
        one, other = line.values[name], described[name]
        # tables that went through a spreadsheet come back with fewer digits
        close = _is_number(one) and _is_number(other) and math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-9)
        if not close and str(one) != str(other):
            raise BadInput(
                f"The results' {line.line} has {one!r} for {name}, but {candidate.id} is a candidate with {other!r}.",
                way_out="Give it an id of its own, or leave the id out.",
                field="results",
            )


def _from_mapping(results: Mapping[str, Any], targets: Sequence[str]) -> tuple[Told, ...]:
    told = []
    for key, said in results.items():
        line = str(key)
        by_target = said if isinstance(said, Mapping) else {targets[0]: said}
        if strange := [t for t in by_target if t not in targets]:
            raise BadInput(
                f"The results of {key} name {strange[0]!r}, which is no target.",
                way_out=f"The targets are {', '.join(targets)}.",
                field="results",
            )
        columns = {t: v if isinstance(v, list | tuple) else [v] for t, v in by_target.items()}
        for i in range(max(map(len, columns.values()), default=0)):
            numbers = {t: _number(column[i], t, line) for t, column in columns.items() if i < len(column)}
            told.append(Told(key=str(key), values={}, results=numbers, errors={}, failed=False, line=line))
    return tuple(told)


def frame_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Rows as a data frame, with its columns in order, also where there are no rows."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(columns))


def _ids(frame: pd.DataFrame) -> list[str]:
    if "id" in frame.columns:
        missing = [row for row, cell in enumerate(frame["id"]) if _plain(cell) is None]
        if missing:
            raise BadInput(f"Row {missing[0]} has no id.", way_out="Fill it in.", field="id")
        return [str(_plain(cell)) for cell in frame["id"]]
    if _counts(frame):
        return [f"row {row}" for row in range(len(frame))]
    return [str(label) for label in frame.index]


def _counts(frame: pd.DataFrame) -> bool:
    """Whether the index only counts rows."""
    import pandas as pd

    return bool(pd.api.types.is_integer_dtype(frame.index.dtype))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(cell: Any) -> JsonValue:
    """What a cell holds, as Python's own number, text or truth value; None where it is empty."""
    value = cell.item() if hasattr(cell, "item") else cell
    if (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or type(value).__name__ in ("NAType", "NaTType")
    ):
        return None
    return value


def _number(cell: Any, name: str, line: str) -> float:
    value = _plain(cell)
    if value is None:
        return math.nan
    if not _is_number(value):
        raise BadInput(
            f"The results' {line} has {value!r} for {name}, where a number is expected.",
            way_out="Leave the cell empty where nothing was measured.",
            field="results",
        )
    return float(value)


def _truth(cell: Any, line: str) -> bool:
    value = _plain(cell)
    if value is None or value in (0, 1, True, False):
        return bool(value)
    raise BadInput(
        f"The results' {line} has {value!r} under failed.", way_out="Write True or False.", field="results"
    )


def described_row(candidate: Candidate) -> dict[str, JsonValue]:
    """What describes a candidate: id, sequence if it has one, values."""
    sequence = {"sequence": candidate.sequence} if candidate.sequence else {}
    return {"id": candidate.id, **sequence, **candidate.values}


def expected_row(candidate: Candidate, reason: Reason) -> dict[str, JsonValue]:
    """That, with what is expected of it, and why it was chosen."""
    low, high = reason.interval or (math.nan, math.nan)
    predicted = math.nan if reason.predicted_mean is None else reason.predicted_mean
    expected = {"predicted": predicted, "low": low, "high": high}
    return {**described_row(candidate), **expected, "why": reason.sentence}


def name_of(sequence: str, values: Mapping[str, JsonValue]) -> str:
    """An id that says what a candidate is."""
    letters = (
        sequence if len(sequence) <= 30 else f"{sequence[:12]}...{sha256(sequence.encode()).hexdigest()[:8]}"
    )
    return " ".join([*([letters] if letters else []), *(f"{name}={value}" for name, value in values.items())])
