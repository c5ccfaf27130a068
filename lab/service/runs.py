"""Runs and their steps, faults, and steps that wait for a person to say what came of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from lab.people import Permission
from lab.service.caller import Caller, needs
from lab.service.commands import CommandRoute
from lab.service.errors import found
from lab.service.parts import HousePart, StorePart
from lab.service.shapes import StepShape, Told

__all__ = ["router"]

router = APIRouter(tags=["runs"], route_class=CommandRoute)

Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]
Operator = Annotated[Caller, Depends(needs(Permission.OPERATE, somewhere=True))]


class Settled(BaseModel):
    """What a person found on the bench."""

    model_config = ConfigDict(extra="forbid")

    verdict: str = Field(max_length=20, json_schema_extra={"enum": ["done", "not-done", "discard"]})
    why: str = Field(default="", max_length=2000)


class Waiting(StepShape):
    """A step that waits for a person, and whose."""

    campaign_id: str
    campaign: str
    bench_id: str


@router.get("/runs/{run_id}/steps", summary="The journal of a run")
def steps(run_id: str, caller: Viewer, store: StorePart) -> list[StepShape]:
    """In the order of beginning."""
    found(lambda: store.run(run_id), "run")
    return [StepShape.of(one) for one in store.steps(run_id)]


@router.get("/steps/waiting", summary="Steps of which nobody knows what came of them")
def waiting(caller: Viewer, store: StorePart, house: HousePart) -> list[Waiting]:
    """Each wants a person to look at the bench."""
    names = {record.campaign.id: record for record in store.campaigns()}
    shown = []
    for bench_id in dict.fromkeys(record.bench_id for record in names.values()):
        for step in house.unresolved(bench_id):
            record = names[store.run(step.run_id).campaign_id]
            shown.append(
                Waiting(
                    **StepShape.of(step).model_dump(),
                    campaign_id=record.campaign.id,
                    campaign=record.campaign.name,
                    bench_id=bench_id,
                )
            )
    return shown


@router.get("/steps/{step_id}")
def step(step_id: str, caller: Viewer, store: StorePart) -> StepShape:
    """One step."""
    return StepShape.of(found(lambda: store.step(step_id), "step"))


@router.post("/steps/{step_id}/resolve", summary="Say what came of a step")
def resolve(step_id: str, settled: Settled, caller: Operator, store: StorePart, house: HousePart) -> Told:
    """Its campaign can be resumed afterwards."""
    unsettled = found(lambda: store.step(step_id), "step")
    caller.require(Permission.OPERATE, devices=[unsettled.device])
    return Told(sentence=house.resolve(unsettled.id, settled.verdict, who=caller.name, why=settled.why))
