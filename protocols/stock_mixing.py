"""Candidates that are mixtures: from the shares of their ingredients to portions of stocks, and to tips that bring them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from lab.errors import Infeasible
from lab.types import Candidate
from protocols.plate_layout import column_major
from protocols.stock import Pick, Stock

__all__ = ["mixing_picks", "portions_ul", "refuse_unmakeable"]

_SHOWN = 4
_SUM_TOLERANCE = 1e-3
"""How far from 1 the shares may sum: what rounding to three decimals leaves."""


def portions_ul(candidate: Candidate, stocks: Mapping[str, str], total_ul: float) -> dict[str, float]:
    """Content of a stock -> volume of it in one well, nothing left out but what is zero.

    Args:
        candidate: its values are the shares, which :func:`refuse_unmakeable` has let pass.
        stocks: name of a value -> content of the stock that it is the share of.
        total_ul: in one well.
    """
    portions = {content: round(candidate.values[name] * total_ul, 3) for name, content in stocks.items()}
    return {content: volume_ul for content, volume_ul in portions.items() if volume_ul > 0.0}


def refuse_unmakeable(
    candidates: Iterable[Candidate],
    stocks: Mapping[str, str],
    *,
    total_ul: float,
    objections: Callable[[float], str],
) -> None:
    """Refuse candidates that can't be mixed.

    Args:
        objections: what is against giving a volume (``0.4 ul, and the least is 1 ul``); empty where nothing is.

    Raises:
        Infeasible: with a sentence for each of the first candidates, and the number of the others.
    """
    problems = []
    for candidate in candidates:
        problem = _not_shares(candidate, stocks) or _not_given(
            candidate.id, portions_ul(candidate, stocks, total_ul), objections
        )
        if problem:
            problems.append(problem)
    if problems:
        more = len(problems) - _SHOWN
        rest = (f"{more} more candidate{'s' if more > 1 else ''} can't be made either.",) if more > 0 else ()
        raise Infeasible(
            (*problems[:_SHOWN], *rest),
            way_out="Correct the candidate file, or the protocol's stocks and volumes.",
        )


def mixing_picks(
    blends: Sequence[tuple[Mapping[str, float], Sequence[str]]], plate: str, stock: Stock
) -> tuple[Pick, ...]:
    """What goes into a plate from the stocks on the handler's deck, stock by stock.

    No tip meets two blends, so that none is carried into another.

    Args:
        blends: portions of each, and the wells that get them.
        stock: keeps account, and notes what there is too little of.
    """
    picks: list[Pick] = []
    for content in dict.fromkeys(content for portions, _ in blends for content in portions):
        sources = stock.at_home_on("handler", content)
        for portions, wells in blends:
            if content in portions:
                targets = [(plate, well, portions[content]) for well in column_major(wells)]
                whole = Pick(content=content, source=("", ""), targets=tuple(targets), tip_volume_ul=0.0)
                fits = whole.command.drawn_ul <= stock.largest_tip_ul
                atoms = [targets] if fits else [[target] for target in targets]
                picks += stock.picks(content, atoms, sources)
    return tuple(picks)


def _not_shares(candidate: Candidate, stocks: Mapping[str, str]) -> str:
    """Why a candidate's values are no shares of the stocks; empty when they are."""
    for name in stocks:
        if name not in candidate.values:
            return f"{candidate.id} has no value {name}, which says how much of {stocks[name]} goes into it."
    for name, value in candidate.values.items():
        if name not in stocks:
            return f"{candidate.id} has a value {name}, and no stock is named for it."
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
            return f"{name} of {candidate.id} is {value}, and a share is a number from 0 to 1."
    total = math.fsum(candidate.values.values())
    if abs(total - 1.0) > _SUM_TOLERANCE:
        return f"The shares of {candidate.id} sum to {total:g}, not to 1."
    return ""


def _not_given(candidate: str, portions: Mapping[str, float], objections: Callable[[float], str]) -> str:
    """Why a candidate's portions can't be given; empty when they can."""
    for content, volume_ul in portions.items():
        objection = objections(volume_ul)
        if objection:
            return f"{candidate} needs {volume_ul:g} ul of {content} in each well, and {objection}."
    return ""
