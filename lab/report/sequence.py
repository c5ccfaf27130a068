"""Where along a sequence the candidates of a campaign differ from its reference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

from lab.report.values import State, Substitution
from lab.types import Candidate

__all__ = ["single_substitutions", "substitution_means"]


def single_substitutions(
    candidates: Sequence[Candidate],
    reference: str,
    values: Mapping[str, float],
    failed: frozenset[str],
    pending: frozenset[str],
) -> tuple[tuple[Substitution, ...], int]:
    """Candidates one letter away from the reference, and how many others there are.

    Args:
        reference: letters of its sequence; empty when candidates are no sequences.
        values: usable measurements by candidate id.
        failed: ids asked for whose results can't be used.
        pending: ids asked for and not measured yet.

    Returns:
        One entry per single substitution, in order of the pool; and the number of candidates with a sequence that is
        not one substitution away.
    """
    if not reference:
        return (), 0
    found: list[Substitution] = []
    others = 0
    for candidate in candidates:
        where = _differences(candidate.sequence, reference)
        if where is None or len(where) != 1:
            others += 1
            continue
        position = where[0]
        value = values.get(candidate.id)
        state: State
        if value is not None:
            state = "measured"
        elif candidate.id in pending:
            state = "pending"
        elif candidate.id in failed:
            state = "failed"
        else:
            state = "untested"
        found.append(
            Substitution(position=position + 1, letter=candidate.sequence[position], value=value, state=state)
        )
    return tuple(found), others


def substitution_means(
    candidates: Sequence[Candidate], reference: str, values: Mapping[str, float]
) -> tuple[Substitution, ...]:
    """Every substitution of the pool, with the mean over the measured candidates that carry it, whatever else they carry.

    Args:
        values: usable measurements by candidate id.

    Returns:
        In order of position, then letter; ``measured`` where a candidate with it was, else ``untested``.
    """
    carried: dict[tuple[int, str], list[float]] = defaultdict(list)
    for candidate in candidates:
        for position in _differences(candidate.sequence, reference) or ():
            of_it = carried[position + 1, candidate.sequence[position]]
            if candidate.id in values:
                of_it.append(values[candidate.id])
    return tuple(
        Substitution(
            position=position,
            letter=letter,
            value=fmean(found) if found else None,
            state="measured" if found else "untested",
        )
        for (position, letter), found in sorted(carried.items())
    )


def _differences(sequence: str, reference: str) -> list[int] | None:
    """Positions that differ, from 0; None for another length."""
    if len(sequence) != len(reference):
        return None
    return [i for i, (new, old) in enumerate(zip(sequence, reference, strict=True)) if new != old]
