"""Where along a protein the candidates of a campaign differ from its reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.report.values import State, Substitution
from lab.types import Candidate

__all__ = ["single_substitutions"]


def single_substitutions(
    candidates: Sequence[Candidate],
    reference: str,
    values: Mapping[str, float],
    failed: frozenset[str],
    pending: frozenset[str],
) -> tuple[tuple[Substitution, ...], int]:
    """Candidates one residue away from the reference, and how many others there are.

    Args:
        reference: amino-acid letters; empty when candidates are no proteins.
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


def _differences(sequence: str, reference: str) -> list[int] | None:
    """Positions that differ, from 0; None for another length."""
    if len(sequence) != len(reference):
        return None
    return [i for i, (new, old) in enumerate(zip(sequence, reference, strict=True)) if new != old]
