"""What a campaign's planner believes: slices through a candidate, and which parameters matter.

Both take a fit, which is done outside this program. An answer that takes longer than whoever asks will wait comes as 202; it
is there when they ask again. The same question is answered once, as long as nothing new is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from lab.errors import BadInput
from lab.people import Permission
from lab.service.caller import Caller, needs
from lab.service.campaigns import record_of
from lab.service.commands import CommandRoute
from lab.service.parts import HousePart, StorePart
from lab.service.shapes import finite, plain

__all__ = ["router"]

router = APIRouter(tags=["campaigns"], route_class=CommandRoute)

Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]

_ASK_AGAIN_S = 2
"""When it is worth asking again."""

WaitS = Annotated[
    float, Query(ge=0.0, le=20.0, description="Wall time that the answer may take before it is a 202.")
]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class NotYet(_Shape):
    """It is being worked out."""

    ready: Literal[False] = False
    sentence: str


class TargetShape(_Shape):
    """An objective or a limit."""

    name: str
    unit: str
    wanted: str


class AxisShape(_Shape):
    """One thing in which candidates differ: a parameter, an ingredient, a value, a site."""

    name: str
    kind: Literal["number", "level"]
    log: bool = Field(description="Equal ratios make equal differences.")
    values: list[float | str]


class PointShape(_Shape):
    """What is expected at one place."""

    at: list[float | str] = Field(description="A coordinate for each axis of the slice.")
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    candidate_id: str = Field(description="Of the pool, or asked before; empty for any other.")


class MeasuredShape(_Shape):
    """A result, and where it stands beside the slice."""

    experiment_id: str
    candidate_id: str
    at: list[float | str]
    value: float | None
    standard_error: float | None
    apart: float = Field(
        description="From the slice: 0 on it, 1 at the other end of another parameter, or at another level."
    )


class CentreShape(_Shape):
    """The candidate that the slice goes through."""

    candidate_id: str
    what: Literal["best", "measured", "experiment", "candidate"]
    at: dict[str, float | str]
    mean: float | None
    low: float | None
    high: float | None


class _Believed(_Shape):
    ready: Literal[True] = True
    sentence: str = Field(description="Whose beliefs these are, and after what.")
    campaign_id: str
    planner: str
    results: int = Field(description="Usable results of the first objective.")
    batch: int | None = Field(description="That was chosen by these beliefs and is not measured yet.")
    targets: list[TargetShape]


class PosteriorShape(_Believed):
    """A slice of what is believed of one target. Values are true ones, not those of another reading."""

    target: str
    level: float = Field(description="Probability that low to high holds the true value.")
    axes: list[AxisShape] = Field(description="Along which there can be a slice.")
    along: list[str]
    centre: CentreShape
    points: list[PointShape]
    measured: list[MeasuredShape] = Field(description="Nearest first.")


class ImportanceShape(_Shape):
    """How much one parameter, ingredient, value or site matters."""

    name: str
    share: float = Field(description="0 to 1, median.")
    share_low: float
    share_high: float = Field(description="With share_low a 95 % interval.")
    change: float = Field(description="Typical change of the value, in its unit, when only this changes.")
    change_low: float
    change_high: float


class ImportancesShape(_Believed):
    """How much each parameter matters, by target, most first."""

    measure: str = Field(description="What a share is of.")
    importances: dict[str, list[ImportanceShape]]


_NOT_YET: dict[int | str, dict[str, Any]] = {
    202: {"model": NotYet, "description": "Being worked out. Ask again."}
}


@router.get(
    "/campaigns/{campaign_id}/posterior",
    summary="What the planner expects along one parameter or two",
    response_model=PosteriorShape,
    responses=_NOT_YET,
)
def posterior(
    campaign_id: str,
    caller: Viewer,
    store: StorePart,
    house: HousePart,
    along: Annotated[list[str] | None, Query(max_length=2, description="One or two of the axes.")] = None,
    at: Annotated[
        str, Query(max_length=400, description="Experiment or candidate; the best so far if empty.")
    ] = "",
    target: Annotated[str, Query(max_length=200, description="Objective or limit; the first if empty.")] = "",
    wait_s: WaitS = 10.0,
) -> Any:
    """Through a candidate, whose other values all points have; with the results near it."""
    record = record_of(store, campaign_id)
    wanted = target or record.campaign.goal.target
    if wanted not in record.campaign.goal.targets:
        known = ", ".join(record.campaign.goal.targets)
        raise BadInput(f"{wanted} is no target of this campaign.", way_out=f"It has {known}.", field="target")
    found = house.posterior(record.campaign.id, along=tuple(along or ()), at=at, wait_s=wait_s)
    if found is None:
        return _not_yet(record.campaign.planner.name)
    if wanted not in found["slice"]["targets"]:
        raise BadInput(f"{found['planner']} has no model of {wanted}.", field="target")
    return _posterior(found, wanted)


@router.get(
    "/campaigns/{campaign_id}/importances",
    summary="How much each parameter matters",
    response_model=ImportancesShape,
    responses=_NOT_YET,
)
def importances(
    campaign_id: str, caller: Viewer, store: StorePart, house: HousePart, wait_s: WaitS = 10.0
) -> Any:
    """Shares of what is predicted over the whole space, each with an interval that says how sure the planner is."""
    record = record_of(store, campaign_id)
    found = house.importances(record.campaign.id, wait_s=wait_s)
    if found is None:
        return _not_yet(record.campaign.planner.name)
    return plain({**found, "sentence": _whose(found)})


def _not_yet(planner: str) -> JSONResponse:
    told = NotYet(sentence=f"What {planner} believes is being worked out. Ask again in a moment.")
    return JSONResponse(told.model_dump(), status_code=202, headers={"Retry-After": str(_ASK_AGAIN_S)})


def _whose(found: Mapping[str, Any]) -> str:
    results = found["results"]
    after = f"{results} result{'' if results == 1 else 's'}"
    chosen = "" if found["batch"] is None else f", by which it chose batch {found['batch']}"
    return f"What {found['planner']} believes after {after}{chosen}."


def _posterior(found: Mapping[str, Any], target: str) -> dict[str, Any]:
    cut = found["slice"]
    numbers, along = cut["targets"][target], cut["along"]
    points = [
        {**point, **{name: finite(numbers[name][n]) for name in ("mean", "sd", "low", "high")}}
        for n, point in enumerate(cut["points"])
    ]
    centre = {} if cut["centre"] is None else points[cut["centre"]]
    return {
        **{name: found[name] for name in ("campaign_id", "planner", "results", "batch", "targets", "axes")},
        "sentence": _whose(found),
        "target": target,
        "level": numbers["level"],
        "along": along,
        "centre": {**found["centre"], **{name: centre.get(name) for name in ("mean", "low", "high")}},
        "points": points,
        "measured": sorted(
            (_measured(one, along, target) for one in found["measured"] if target in one["values"]),
            key=lambda one: one["apart"],
        ),
    }


def _measured(one: Mapping[str, Any], along: list[str], target: str) -> dict[str, Any]:
    value, error = one["values"][target]
    return {
        "experiment_id": one["experiment_id"],
        "candidate_id": one["candidate_id"],
        "at": [one["at"][name] for name in along],
        "value": finite(value),
        "standard_error": finite(error),
        "apart": max((far for name, far in one["apart"].items() if name not in along), default=0.0),
    }
