"""Benches: what is believed to stand on them, their devices and samples."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from lab.people import Permission
from lab.service.caller import Caller, needs
from lab.service.commands import CommandRoute
from lab.service.errors import found
from lab.service.parts import HousePart, StorePart
from lab.service.shapes import Page, plain
from lab.types import Sample

__all__ = ["router"]

router = APIRouter(tags=["benches"], route_class=CommandRoute)

Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]
Operator = Annotated[Caller, Depends(needs(Permission.OPERATE, somewhere=True))]


class BenchShort(BaseModel):
    """A bench of the store."""

    id: str
    workcell: str
    twin: bool
    at_work: bool
    campaigns: list[str]
    created_utc: datetime


class SampleShape(BaseModel):
    """Material in one well."""

    id: str
    labware: str
    well: str
    content: str
    run_id: str
    barred: str = Field(description="Why it must not be used; empty where it may.")


class ByHand(BaseModel):
    """A command for one device."""

    model_config = ConfigDict(extra="forbid")

    device: str = Field(min_length=1, max_length=100)
    verb: str = Field(min_length=1, max_length=100)
    arguments: dict[str, Any] = Field(default_factory=dict, max_length=100)


class SentByHand(BaseModel):
    """What a command by hand is kept as; its campaign tells what came of it."""

    campaign_id: str
    sentence: str


@router.get("/benches", summary="All benches")
def benches(caller: Viewer, store: StorePart, house: HousePart) -> list[BenchShort]:
    """Newest first; each is one loading of a workcell's deck."""
    busy = {one.bench_id for one in house.live() if one.at_work}
    names: dict[str, list[str]] = {}
    for record in store.campaigns():
        names.setdefault(record.bench_id, []).append(record.campaign.name)
    return [
        BenchShort(
            id=one.id,
            workcell=one.workcell,
            twin=one.twin,
            at_work=one.id in busy,
            campaigns=names.get(one.id, []),
            created_utc=one.created_utc,
        )
        for one in reversed(store.benches())
    ]


@router.get(
    "/benches/{bench_id}/deck",
    summary="What stands where, with volumes and tips",
    response_model=dict[str, Any],
)
def deck(bench_id: str, caller: Viewer, store: StorePart, house: HousePart) -> JSONResponse:
    """As believed this moment: positions, labware, wells, tips and what must not be used."""
    found(lambda: store.bench(bench_id), "bench")
    # Every viewer asks for it each second, and to check it anew on its way out takes longer than all the rest.
    return JSONResponse(plain(dict(house.bench(bench_id))))


@router.get("/benches/{bench_id}/devices", summary="Instruments of a bench at work")
def devices(bench_id: str, caller: Viewer, store: StorePart, house: HousePart) -> list[dict[str, Any]]:
    """What each is and what it does; none where nothing works on the bench."""
    found(lambda: store.bench(bench_id), "bench")
    return [dict(plain(dict(one))) for one in house.devices(bench_id)]


@router.get("/benches/{bench_id}/verbs", summary="What its devices can be told")
def verbs(bench_id: str, caller: Viewer, store: StorePart, house: HousePart) -> list[dict[str, Any]]:
    """Each verb with the parts of its command."""
    found(lambda: store.bench(bench_id), "bench")
    return [dict(one) for one in house.verbs(bench_id)]


@router.post("/benches/{bench_id}/commands", status_code=201, summary="Send one command by hand")
def by_hand(bench_id: str, sent: ByHand, caller: Operator, store: StorePart, house: HousePart) -> SentByHand:
    """Refused while the device is in use. Leased and journaled like any step, and held to limits and interlocks."""
    found(lambda: store.bench(bench_id), "bench")
    caller.require(Permission.OPERATE, devices=[sent.device])
    campaign_id = house.by_hand(bench_id, sent.device, sent.verb, sent.arguments, who=caller.name)
    return SentByHand(campaign_id=campaign_id, sentence=f"{sent.device} is to {sent.verb.replace('_', ' ')}.")


@router.get("/benches/{bench_id}/samples", summary="Material of a bench")
def samples(
    bench_id: str,
    caller: Viewer,
    store: StorePart,
    skip: Annotated[int, Query(ge=0, le=2**31)] = 0,
    most: Annotated[int, Query(ge=1, le=1000)] = 200,
    content: Annotated[
        str | None, Query(max_length=200, description="Has this in what it holds, its id or where it stands.")
    ] = None,
) -> Page:
    """In the order of making."""
    found(lambda: store.bench(bench_id), "bench")
    here = [s for s in store.samples_of_bench(bench_id) if content is None or _tells(s, content)]
    barred = store.barred(bench_id)
    return Page(total=len(here), items=[_shape(s, barred) for s in here[skip : skip + most]])


def _tells(sample: Sample, written: str) -> bool:
    place = f"{sample.labware}:{sample.well}"
    return any(written.lower() in told.lower() for told in (sample.content, sample.id, place))


def _shape(sample: Sample, barred: Mapping[tuple[str, str], str]) -> SampleShape:
    place = (sample.labware, sample.well)
    return SampleShape(
        id=sample.id,
        labware=sample.labware,
        well=sample.well,
        content=sample.content,
        run_id=sample.run_id or "",
        barred=barred.get(place) or barred.get((sample.labware, "*"), ""),
    )


@router.get("/samples/{sample_id}/lineage", summary="What a sample was made from and went into")
def lineage(sample_id: str, caller: Viewer, store: StorePart, house: HousePart) -> dict[str, Any]:
    """As the journal of its bench tells."""
    found(lambda: store.sample(sample_id), "sample")
    return dict(plain(dict(house.lineage(sample_id))))
