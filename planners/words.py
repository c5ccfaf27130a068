"""Reasons in a biologist's words."""

from collections.abc import Sequence

import numpy as np

from models.residues import RESIDUE_CLASS_OF
from planners.seen import Seen
from planners.space import Score, Space

__all__ = ["chosen_to_spread", "percent", "predicted", "quantity"]

_TIMES = {1: "once", 2: "twice"}


def quantity(value: float) -> str:
    """A number as one would write it beside a result: two decimals around 1, three digits otherwise."""
    return f"{value:.2f}" if 0.095 <= abs(value) < 100 or value == 0 else f"{value:.3g}"


def predicted(
    row: int, mean: float, sd: float, chance: float, best: float, space: Space, seen: Seen, sign: float
) -> str:
    """Why the model chose a candidate.

    Args:
        mean, sd: predicted, in the target's unit.
        chance: that it is truly better than the best so far.
        best: what the model makes of the best measured so far, in the target's unit.
    """
    text = (
        f"Predicted {quantity(mean)} +- {quantity(sd)}; "
        f"{percent(chance)} chance to beat the best so far ({quantity(best)})"
    )
    known = [_what_is_known(row, space, seen, sign), *_ranks(row, space)]
    return "; ".join([text, *filter(None, known)]) + "."


def chosen_to_spread(row: int, space: Space, seen: Seen, sign: float, ranked: Score | None) -> str:
    """Why a candidate stands in the first round, or in one without a model."""
    kind = ""
    if len(space.changes(row)) == 1:
        site = space.changes(row)[0]
        kind = f": {RESIDUE_CLASS_OF[space.candidates[row].sequence[site]]} residue at position {site + 1}"
    known = _what_is_known(row, space, seen, sign)
    return f"Chosen to cover the pool{_by_score(row, space, ranked)}{kind}" + (
        f"; {known}." if known else "."
    )


def _by_score(row: int, space: Space, ranked: Score | None) -> str:
    """That a score had its say too, and where it puts the candidate."""
    if ranked is None:
        return ""
    if ranked.named:
        better = int((ranked.values > ranked.values[row]).sum())
        return f", preferring what {ranked.name} promises (rank {better + 1} of {space.size})"
    share = int(100 * np.mean(ranked.values < ranked.values[row]))
    place = f" (this one less than {share} % of the pool)" if space.changes(row) else ""
    return f", preferring substitutions that cost other proteins little{place}"


def _ranks(row: int, space: Space) -> list[str]:
    """Where scores that the campaign asked for put the candidate."""
    return [
        f"{score.name} rank {int((score.values > score.values[row]).sum()) + 1} of {space.size}"
        for score in space.scores
        if score.named
    ]


def percent(chance: float) -> str:
    """A probability as a person writes it."""
    return "under 1 %" if chance < 0.01 else "over 99 %" if chance > 0.99 else f"{100 * chance:.0f} %"


def _what_is_known(row: int, space: Space, seen: Seen, sign: float) -> str:
    """What was measured at the positions that the candidate changes."""
    if not space.changes(row):
        return ""
    parts = [_at_site(site, space, seen, sign) for site in space.changes(row)[:3]]
    return "; ".join(parts)


def _at_site(site: int, space: Space, seen: Seen, sign: float) -> str:
    there = [i for i, measured in enumerate(seen.rows) if site in space.changes(int(measured))]
    if not there:
        return f"position {site + 1} has not been measured"
    how_often = _TIMES.get(len(there), f"{len(there)} times")
    return f"position {site + 1} measured {how_often}, {_verdict(seen.values[there], seen, sign)}"


def _verdict(values: Sequence[float] | np.ndarray, seen: Seen, sign: float) -> str:
    """How results compare with the reference, or with the middle of what was measured where that is not reported."""
    if seen.reference is None:
        mark, against = float(np.median(seen.values)), "the median so far"
    else:
        mark, against = seen.reference, "the reference"
    better = int(np.sum(sign * np.asarray(values) > sign * mark))
    n = len(values)
    if n == 1:
        return f"{'better' if better else 'not better'} than {against}"
    if better == n:
        return f"{'both' if n == 2 else 'all'} better than {against}"
    if better == 0:
        return f"{'neither' if n == 2 else 'none'} better than {against}"
    return f"{better} of {n} better than {against}"
