"""Campaigns: where they stand, why each experiment was chosen, what was found, and steering them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from lab.people import Permission
from lab.report.reading import read_contents
from lab.report.values import Contents
from lab.service.caller import Caller, needs
from lab.service.commands import CommandRoute
from lab.service.corrections import require_to_correct
from lab.service.errors import Refusal, found
from lab.service.hub import Hub
from lab.service.parts import HousePart, HubPart, StorePart
from lab.service.shapes import (
    CampaignFull,
    CampaignShort,
    EventShape,
    ExperimentShape,
    ObservationShape,
    RunShape,
    Told,
    campaign_full,
    campaigns_short,
)
from lab.store import CampaignRecord, Store

__all__ = ["router"]

router = APIRouter(tags=["campaigns"], route_class=CommandRoute)

Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]
Operator = Annotated[Caller, Depends(needs(Permission.OPERATE, somewhere=True))]
Planner = Annotated[Caller, Depends(needs(Permission.PLAN, somewhere=True))]

MOST = 2000
"""Of a list that one request gets."""

After = Annotated[int, Query(ge=0, le=2**31 - 1, description="So many were seen before.")]
Most = Annotated[int, Query(ge=1, le=MOST)]

_CONTENTS: TypeAdapter[Contents] = TypeAdapter(Contents)


class Steered(BaseModel):
    """Why, and what the page showed."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=1000)
    expected: str | None = Field(default=None, max_length=40, description="Status that the page showed.")


class Retraction(BaseModel):
    """Why a result does not count."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=2000)


def record_of(store: Store, campaign_id: str) -> CampaignRecord:
    """A campaign by its identifier, or the newest of a name.

    Raises:
        Refusal: 404.
    """
    return found(lambda: store.campaign(campaign_id), "campaign")


@router.get("/campaigns", summary="All campaigns")
def campaigns(
    caller: Viewer,
    store: StorePart,
    house: HousePart,
    status: Annotated[str | None, Query(max_length=40)] = None,
    baselines: Annotated[bool, Query(description="Baselines too.")] = False,
    newest: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[CampaignShort]:
    """Newest first."""
    lives = house.live()
    records = [
        record
        for record in reversed(store.campaigns())
        if (baselines or not record.campaign.baseline_of) and status in (None, str(record.status))
    ]
    return campaigns_short(store, records[:newest], lives)


@router.get("/campaigns/{campaign_id}")
def campaign(campaign_id: str, caller: Viewer, store: StorePart, house: HousePart) -> CampaignFull:
    """One of them, with all that it was frozen with."""
    return campaign_full(store, record_of(store, campaign_id), house.live())


@router.get("/campaigns/{campaign_id}/experiments", summary="Chosen candidates, and why")
def experiments(
    campaign_id: str, caller: Viewer, store: StorePart, after: After = 0, most: Most = MOST
) -> list[ExperimentShape]:
    """In the order of asking."""
    found_id = record_of(store, campaign_id).campaign.id
    batch_of = {e.id: batch.number for batch in store.batches(found_id) for e in batch.experiments}
    return [
        ExperimentShape.of(one, number, batch_of.get(one.id, 0))
        for number, one in enumerate(store.history(found_id).experiments, start=1)
    ][after : after + most]


@router.get("/campaigns/{campaign_id}/observations", summary="Measured values that count")
def observations(
    campaign_id: str, caller: Viewer, store: StorePart, after: After = 0, most: Most = MOST
) -> list[ObservationShape]:
    """Those that stand, in the order of recording."""
    history = store.history(record_of(store, campaign_id).campaign.id)
    return [ObservationShape.of(one) for one in history.observations[after : after + most]]


@router.get("/campaigns/{campaign_id}/runs", summary="Attempts to carry batches out")
def runs(campaign_id: str, caller: Viewer, store: StorePart) -> list[RunShape]:
    """In the order of opening."""
    return [RunShape.of(one) for one in store.runs(record_of(store, campaign_id).campaign.id)]


@router.get("/campaigns/{campaign_id}/events", summary="What happened")
def events(
    campaign_id: str,
    caller: Viewer,
    store: StorePart,
    after: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
) -> list[EventShape]:
    """In order; after a number, only what came since."""
    found_id = record_of(store, campaign_id).campaign.id
    return [EventShape.of(one, found_id) for one in store.events(found_id, after)]


@router.get(
    "/campaigns/{campaign_id}/results",
    summary="Everything that the report shows, as data",
    response_model=dict[str, Any],
)
def results(campaign_id: str, caller: Viewer, store: StorePart) -> Response:
    """Variants with intervals, the best so far beside the baseline's, predictions, plates, faults and more."""
    contents = read_contents(store, record_of(store, campaign_id).campaign.id)
    # Written at once: to check so much anew on its way out takes as long as to read it.
    return Response(_CONTENTS.dump_json(contents, fallback=str), media_type="application/json")


@router.get(
    "/campaigns/{campaign_id}/report",
    summary="The report, one HTML file",
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}},
)
def report(campaign_id: str, caller: Viewer, store: StorePart, house: HousePart) -> Response:
    """With everything in it; opens in any browser."""
    record = record_of(store, campaign_id)
    with tempfile.TemporaryDirectory() as folder:
        path = house.report(record.campaign.id, Path(folder) / "report.html")
        content = path.read_bytes()
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in record.campaign.name)
    headers = {"Content-Disposition": f'attachment; filename="{name}.html"'}
    return Response(content, media_type="text/html; charset=utf-8", headers=headers)


@router.post("/campaigns/{campaign_id}/pause", summary="Begin no more steps for a while")
def pause(
    campaign_id: str, steered: Steered, caller: Operator, store: StorePart, house: HousePart, hub: HubPart
) -> Told:
    """The devices stay connected."""
    record = _steer(campaign_id, steered, caller, store)
    _refuse_idle(record, house)
    why = _why("Paused", caller, steered)
    house.pause(why, record.campaign.id)
    _tell(hub, record, why)
    house.note("pause", why, record.campaign.id)
    return Told(sentence=f"{record.campaign.name} pauses after the step under way.")


@router.post("/campaigns/{campaign_id}/continue", summary="Begin steps again")
def let_go_on(
    campaign_id: str, steered: Steered, caller: Operator, store: StorePart, house: HousePart, hub: HubPart
) -> Told:
    """After a pause."""
    record = _steer(campaign_id, steered, caller, store)
    _refuse_idle(record, house)
    why = _why("Continued", caller, steered)
    house.note("continue", why, record.campaign.id)
    house.let_go_on(record.campaign.id)
    _tell(hub, record, why)
    return Told(sentence=f"{record.campaign.name} goes on.")


@router.post("/campaigns/{campaign_id}/resume", summary="Go on with what was stopped or held")
def resume(campaign_id: str, steered: Steered, caller: Operator, store: StorePart, house: HousePart) -> Told:
    """On its bench, as the journal left it."""
    record = _steer(campaign_id, steered, caller, store)
    house.resume(record.campaign.id)
    return Told(sentence=f"{record.campaign.name} goes on.")


@router.post("/campaigns/{campaign_id}/give-up", summary="End for good what stands still")
def give_up(campaign_id: str, steered: Steered, caller: Operator, store: StorePart, house: HousePart) -> Told:
    """Between two runs; what it found stays."""
    record = _steer(campaign_id, steered, caller, store)
    house.give_up(record.campaign.id, _why("Given up", caller, steered))
    return Told(sentence=f"{record.campaign.name} is given up.")


@router.post("/observations/{observation_id}/retract", summary="Say that a result does not count")
def retract(observation_id: str, retraction: Retraction, caller: Planner, store: StorePart) -> Told:
    """Nothing is deleted; the planner no longer sees it."""
    result = found(lambda: store.observation(observation_id), "observation")
    require_to_correct(caller, store, result.experiment_id)
    store.retract(result.id, who=caller.name, why=retraction.why)
    return Told(sentence="It no longer counts.")


def _steer(campaign_id: str, steered: Steered, caller: Caller, store: Store) -> CampaignRecord:
    """A campaign that somebody who saw it as it is may steer.

    Raises:
        Refusal: 403 for this protocol; 409 where its status has changed since.
    """
    record = record_of(store, campaign_id)
    caller.require(Permission.OPERATE, protocol=record.campaign.protocol.name)
    if steered.expected is not None and steered.expected != str(record.status):
        raise Refusal(
            409,
            "stale",
            f"{record.campaign.name} is {record.status} by now, not {steered.expected}.",
            way_out="Look at it again.",
            field="expected",
        )
    return record


def _tell(hub: Hub, record: CampaignRecord, sentence: str) -> None:
    """Who looks on sees it at once, not when the next step has ended."""
    hub.tell("steering", campaign_id=record.campaign.id, sentence=sentence)


def _refuse_idle(record: CampaignRecord, house: HousePart) -> None:
    if not any(one.at_work for one in house.live(record.campaign.id)):
        raise Refusal(
            409, "not_running", f"{record.campaign.name} does not run; it is {record.status}.", field="status"
        )


def _why(what: str, caller: Caller, steered: Steered) -> str:
    because = f": {steered.reason}" if steered.reason else "."
    return f"{what} by {caller.name}{because}"
