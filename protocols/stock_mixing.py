"""Candidates that are mixtures: from the shares of their ingredients to portions of stocks, and to tips that bring them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from pydantic import Field, field_validator

from lab.errors import Infeasible
from lab.interfaces import Workcell
from lab.strict import StrictModel, refuse
from lab.types import Batch, Campaign, Candidate
from protocols import steps
from protocols.plate_layout import column_major
from protocols.stock import Pick, Stock

__all__ = [
    "MixingParameters",
    "all_candidates",
    "mixing_picks",
    "portions_ul",
    "refuse_past_limits",
    "refuse_unmakeable",
]

_SHOWN = 4
_SUM_TOLERANCE = 1e-3
"""How far from 1 the shares may sum: what rounding to three decimals leaves."""


class MixingParameters(StrictModel):
    """What can be set about how blends are mixed in the wells of one plate."""

    stocks: dict[str, str] = Field(
        default_factory=dict,
        description="Value of a candidate -> what the trough of that stock holds; by default both have one name.",
    )
    solvent: str = Field(default="solvent", min_length=1, description="What the trough for blanks holds.")
    total_volume_ul: float = Field(default=150.0, ge=20.0, le=300.0, description="Of the blend in each well.")
    least_volume_ul: float = Field(
        default=1.0, ge=0.1, le=50.0, description="Least portion of a stock; the handler's limits hold too."
    )
    replicates: int = Field(default=3, ge=2, le=12, description="Wells of each blend.")
    reference_wells: int = Field(default=4, ge=3, le=24, description="Wells of the reference blend.")
    blank_wells: int = Field(default=4, ge=3, le=24, description="Wells of solvent.")
    mixing_temperature_c: float = Field(default=25.0, ge=4.0, le=70.0, description="While the plate shakes.")
    mixing_duration_s: float = Field(default=300.0, ge=10.0, le=7200.0, description="While the plate shakes.")
    shaking_rpm: float = Field(default=1000.0, ge=100.0, le=3000.0, description="While the plate shakes.")

    @field_validator("stocks")
    @classmethod
    def _one_each(cls, stocks: dict[str, str]) -> dict[str, str]:
        first: dict[str, str] = {}
        for name, content in stocks.items():
            if first.setdefault(content, name) != name:
                raise refuse(
                    f"{first[content]} and {name} are both said to come from the stock {content}.",
                    "Give each a stock of its own.",
                )
        return stocks

    def stocks_for(self, candidate: Candidate) -> Mapping[str, str]:
        """Value -> content of its stock."""
        return self.stocks or {name: name for name in candidate.values}


def all_candidates(batch: Batch, campaign: Campaign) -> tuple[Candidate, ...]:
    """The reference, the pool, and what is in the batch but not in the pool, each once."""
    every = (campaign.reference, *campaign.candidates, *(e.candidate for e in batch.experiments))
    return tuple({candidate.id: candidate for candidate in every}.values())


def refuse_past_limits(
    batch: Batch, campaign: Campaign, workcell: Workcell, parameters: MixingParameters
) -> None:
    """What the handler of this workcell can't give is refused by the candidate's name, before anything moves.

    Raises:
        Infeasible: as :func:`refuse_unmakeable`.
    """
    limits = steps.verb_of(workcell, "handler", "distribute").limits
    lowest, highest = limits.get("volume_ul", (0.0, float("inf")))
    refuse_unmakeable(
        all_candidates(batch, campaign),
        parameters.stocks_for(campaign.reference),
        total_ul=parameters.total_volume_ul,
        objections=lambda ul: (
            "" if lowest <= ul <= highest else f"the handler gives {lowest:g} to {highest:g} ul"
        ),
    )


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
            return (
                f"{candidate} needs {volume_ul:g} ul of {content} in each well, and {objection}. "
                "Change its shares (`least` and `most` of a space's mixture bound them), or total_volume_ul."
            )
    return ""
