"""Blocks of features of candidates that are described by named values.

Every number or level is a block with a lengthscale of its own, except numbers that only say which of a few things a
candidate has: several columns that all change together, as descriptors of one solvent or ligand do. These are one block of
descriptors, and one of levels beside it, for what the descriptors do not say.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from lab.types import Candidate
from models.encodings import NamedValues
from planners.features import Dense

__all__ = ["SPREAD_OF_DESCRIPTORS", "ValueBlocks", "even_columns", "value_blocks"]

_SPREAD_OF_LEVELS = 0.85
"""Mean squared distance of two levels: about 1 between different ones, what two ends of a number's range are apart."""

SPREAD_OF_DESCRIPTORS = 1.0 / 3.0
"""Mean squared distance of descriptors: two numbers' worth, however many they are, since they are correlated."""

_MOST_LEVELS = 60

_SAMPLED = 1000
"""Candidates from which those directions are found."""

_MOST_COLUMNS = 64
"""Directions that are kept of features that a model gives; more could not be told apart by 100 results."""


@dataclass(slots=True)
class ValueBlocks:
    """Features by name.

    Args:
        columns: name -> block.
        spreads: mean squared distances of those that are not plain numbers.
        factors: blocks that say which of a few things a candidate has.
        label: of the encoder.
    """

    columns: dict[str, Dense] = field(default_factory=dict)
    spreads: dict[str, float] = field(default_factory=dict)
    factors: list[str] = field(default_factory=list)
    label: str = ""


def value_blocks(pool: Sequence[Candidate], logs: Collection[str] = ()) -> ValueBlocks:
    """Blocks of a pool with named values.

    Args:
        logs: numbers of which equal ratios make equal differences.

    Raises:
        BadInput: what :class:`models.encodings.NamedValues` refuses.
    """
    made, numbers = ValueBlocks(label=NamedValues.card.label), {}
    for name, column in _columns(pool).items():
        if isinstance(column, np.ndarray):
            if name in logs and column.min() > 0.0:
                column = np.log(column)
            low, high = float(column.min()), float(column.max())
            if high > low:
                numbers[name] = (column - low) / (high - low)
            continue
        levels, which = np.unique(column, return_inverse=True)
        if len(levels) > 1:
            made.columns[name] = Dense(np.eye(len(levels))[which])
            made.spreads[name] = _SPREAD_OF_LEVELS
            made.factors.append(name)
    for names, kinds in _that_change_together(numbers):
        if kinds is None:
            made.columns[names[0]] = Dense(numbers[names[0]][:, None] - 0.5)
            continue
        title = f"{names[0]} and {len(names) - 1} more"
        made.columns[title] = Dense(_descriptors(pool, names))
        made.spreads[title] = SPREAD_OF_DESCRIPTORS
        made.columns[f"which {title}"] = Dense(np.eye(int(kinds.max()) + 1)[kinds])
        made.spreads[f"which {title}"] = _SPREAD_OF_LEVELS
        made.factors += [title, f"which {title}"]
    return made


def _columns(pool: Sequence[Candidate]) -> dict[str, np.ndarray | list[str]]:
    """Named values by name, in alphabetical order: an array of numbers, or text where one of them is not a number."""
    names = sorted(pool[0].values)
    if not names or any(c.values.keys() != pool[0].values.keys() for c in pool):
        NamedValues(pool=pool)  # refuses, and says why
    columns: dict[str, np.ndarray | list[str]] = {}
    for name in names:
        values = [candidate.values[name] for candidate in pool]
        if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
            columns[name] = [str(value) for value in values]
            continue
        columns[name] = np.array(values, dtype=np.float64)
        if not np.isfinite(columns[name]).all():
            NamedValues(pool=pool)
    return columns


def _that_change_together(numbers: dict[str, np.ndarray]) -> list[tuple[list[str], np.ndarray | None]]:
    """Names of numbers by what they tell apart, and for those of several names which of the few it is, as an integer."""
    groups: dict[bytes, list[str]] = {}
    codes: dict[bytes, np.ndarray] = {}
    for name, column in numbers.items():
        _, first, inverse = np.unique(column, return_index=True, return_inverse=True)
        # levels numbered by where they first appear, so that equal partitions get equal codes
        code = np.argsort(np.argsort(first))[inverse].astype(np.int32)
        few = len(first) <= min(_MOST_LEVELS, max(len(column) // 4, 2))
        key = code.tobytes() if few else name.encode()
        groups.setdefault(key, []).append(name)
        codes[key] = code
    return [(names, codes[key] if len(names) > 2 else None) for key, names in _split(groups)]


def _split(groups: dict[bytes, list[str]]) -> list[tuple[bytes, list[str]]]:
    """Groups of at least three names as they are, the others name by name: two numbers may change together by design."""
    return [
        (key, part)
        for key, names in groups.items()
        for part in ([names] if len(names) > 2 else [[name] for name in names])
    ]


def _descriptors(pool: Sequence[Candidate], names: Sequence[str]) -> np.ndarray:
    """N x d: standardised, unless they are principal components, whose sizes say how much each matters."""
    values = np.array([[float(candidate.values[name]) for name in names] for candidate in pool])
    values -= values.mean(axis=0)
    spread = values.std(axis=0)
    few = np.unique(values, axis=0)
    few = few - few.mean(axis=0)
    sizes = np.linalg.norm(few, axis=0)
    alike = (few.T @ few) / np.maximum(np.outer(sizes, sizes), 1e-300)
    if np.abs(alike - np.diag(np.diag(alike))).max() < 1e-6:
        return values
    standardised: np.ndarray = values / np.maximum(spread, 1e-300)
    return standardised


def even_columns(encoded: np.ndarray) -> np.ndarray:
    """Features that a model gives, each column that varies with the same spread, turned to its main directions if many.

    Distances are those of all columns, up to what the directions left out hold.
    """
    values = np.asarray(encoded, dtype=np.float64)
    spread = values.std(axis=0)
    kept = spread > 1e-9 * np.maximum(np.abs(values).max(axis=0, initial=0.0), 1e-300)
    values = (values[:, kept] - values[:, kept].mean(axis=0)) / spread[kept]
    if values.shape[1] <= _MOST_COLUMNS:
        return values
    # rows compared as bytes: a hundred columns compared one after the other took most of an ask
    whole = np.ascontiguousarray(values).view(np.dtype((np.void, values.itemsize * values.shape[1])))
    _, first, which = np.unique(whole.ravel(), return_index=True, return_inverse=True)
    few = values[first]
    shown = few if len(few) <= _SAMPLED else few[np.linspace(0, len(few) - 1, _SAMPLED).astype(np.intp)]
    _, _, directions = np.linalg.svd(shown - shown.mean(axis=0), full_matrices=False)
    turned: np.ndarray = (few @ directions[:_MOST_COLUMNS].T)[which.ravel()]
    return turned
