"""Results that a person corrects: another value, a replicate, and all that was said about them."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from lab.people import Permission
from lab.service.caller import Caller, needs
from lab.service.commands import CommandRoute
from lab.service.errors import found
from lab.service.parts import StorePart
from lab.service.shapes import ObservationShape, Told
from lab.store import AmendmentRecord, Store

__all__ = ["require_to_correct", "router"]

router = APIRouter(tags=["results"], route_class=CommandRoute)

Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]
Planner = Annotated[Caller, Depends(needs(Permission.PLAN, somewhere=True))]


class Superseded(BaseModel):
    """Another value for a result, in its unit."""

    model_config = ConfigDict(extra="forbid")

    value: float = Field(ge=-1e50, le=1e50, allow_inf_nan=False)
    standard_error: float | None = Field(
        default=None, ge=0, le=1e50, allow_inf_nan=False, description="If known."
    )
    why: str = Field(min_length=1, max_length=2000)


class Replicate(BaseModel):
    """Which experiment measured the same before."""

    model_config = ConfigDict(extra="forbid")

    of: str = Field(min_length=1, max_length=200)
    why: str = Field(min_length=1, max_length=2000)


class AmendmentShape(BaseModel):
    """What somebody said about a result."""

    id: str
    kind: str
    experiment_id: str
    observation_id: str
    replacement_id: str
    of_experiment_id: str
    who: str
    why: str
    utc: datetime

    @classmethod
    def of(cls, one: AmendmentRecord) -> AmendmentShape:
        """From the store's."""
        return cls(
            id=one.id,
            kind=str(one.kind),
            experiment_id=one.experiment_id,
            observation_id=one.observation_id or "",
            replacement_id=one.replacement_id or "",
            of_experiment_id=one.of_experiment_id or "",
            who=one.who,
            why=one.why,
            utc=one.utc,
        )


@router.get("/campaigns/{campaign_id}/amendments", summary="What was said about results since")
def amendments(campaign_id: str, caller: Viewer, store: StorePart) -> list[AmendmentShape]:
    """In the order of saying."""
    record = found(lambda: store.campaign(campaign_id), "campaign")
    return [AmendmentShape.of(one) for one in store.amendments(record.campaign.id)]


@router.post("/observations/{observation_id}/supersede", summary="Put another value in a result's place")
def supersede(
    observation_id: str, superseded: Superseded, caller: Planner, store: StorePart
) -> ObservationShape:
    """The old one stays readable; the planner goes on from the new one."""
    old = found(lambda: store.observation(observation_id), "observation")
    require_to_correct(caller, store, old.experiment_id)
    error = math.nan if superseded.standard_error is None else superseded.standard_error
    new = store.supersede(old.id, superseded.value, error, who=caller.name, why=superseded.why)
    return ObservationShape.of(new)


@router.post("/experiments/{experiment_id}/replicate", summary="Say that it measured the same once more")
def replicate(experiment_id: str, said: Replicate, caller: Planner, store: StorePart) -> Told:
    """The usable results of both are pooled."""
    again = found(lambda: store.experiment(experiment_id), "experiment")
    first = found(lambda: store.experiment(said.of), "experiment")
    require_to_correct(caller, store, again.id)
    store.mark_replicate(again.id, first.id, who=caller.name, why=said.why)
    return Told(sentence=f"{again.candidate.id} has one result from both experiments from now on.")


def require_to_correct(caller: Caller, store: Store, experiment_id: str) -> None:
    """See that they may plan with the protocol of an experiment's campaign.

    Raises:
        Refusal: 403.
    """
    for record in store.campaigns():
        if any(one.id == experiment_id for one in store.history(record.campaign.id).experiments):
            caller.require(Permission.PLAN, protocol=record.campaign.protocol.name)
            return
    raise LookupError(f"{experiment_id} belongs to no campaign")  # every experiment has one
