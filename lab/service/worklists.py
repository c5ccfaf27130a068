"""Worklists: what people at a bench are asked to do, its papers, and handing it in with what was measured."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lab.people import Permission
from lab.service.caller import Caller, needs
from lab.service.commands import CommandRoute
from lab.service.errors import Refusal, found
from lab.types import JsonValue

__all__ = ["PAPERS", "Results", "WorklistHouse", "router"]

router = APIRouter(tags=["worklists"], route_class=CommandRoute)

Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]
Operator = Annotated[Caller, Depends(needs(Permission.OPERATE, somewhere=True))]

PAPERS: Mapping[str, str] = {
    "worklist.html": "text/html; charset=utf-8",
    "worklist.csv": "text/csv; charset=utf-8",
    "results.csv": "text/csv; charset=utf-8",
}
"""Papers that a worklist may have, and what they are: with a map of each plate, line by line, and to fill in."""

_MOST_CHARACTERS = 5_000_000
"""Of a file in base64; ten times the largest plate with a page of words to each well."""

_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_. ()-]*\.(csv|CSV|txt|TXT|tsv|xlsx|XLSX|xls|XLS|xml|json|asr|bib)$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A file of what was measured.

    Args:
        name: of the file; how it ends says what it is.
        barcode: of the plate, as scanned.
        page: of a workbook.
        reader: vendor of the export; empty for a list or grid.
    """

    name: str
    content: bytes
    barcode: str
    page: str
    reader: str


class WorklistHouse(Protocol):
    """What of the house concerns worklists; every method raises BadInput with what is wrong."""

    def worklists(self, *, everything: bool) -> Sequence[Mapping[str, JsonValue]]:
        """Those that are out, or all."""

    def worklist(self, place: str, sheet: str) -> Mapping[str, JsonValue]:
        """One of them, line by line."""

    def worklist_protocols(self, place: str) -> Sequence[str]:
        """Protocols of the campaigns whose people get their worklists there."""

    def worklist_paper(self, place: str, sheet: str, name: str) -> bytes:
        """One of its papers."""

    def hand_worklist_in(
        self, place: str, sheet: str, said: str, *, who: str, note: str, results: Results | None
    ) -> Mapping[str, JsonValue]:
        """Say what became of it, once; with what was measured where that was asked for."""


def _house(request: Request) -> WorklistHouse:
    return cast(WorklistHouse, request.app.state.house)


HousePart = Annotated[WorklistHouse, Depends(_house)]
Place = Annotated[str, Path(max_length=40)]
SheetId = Annotated[str, Path(max_length=40)]


class WorklistShort(BaseModel):
    """A worklist, and what became of it."""

    place: str = Field(description="Which folder of worklists; part of its address here.")
    id: str
    workcell: str
    campaigns: list[str] = Field(description="Unfinished ones whose people work there.")
    device: str
    title: str
    count: int = Field(description="Lines.")
    asks_for: str = Field(description="Numbers that are to come back; empty for none.")
    made_utc: str
    said: str = Field(description="`done`, `not-done`, `unsure` or `withdrawn`; empty while it is out.")
    by: str
    note: str
    handed_in_utc: str | None
    papers: list[str]


class WorklistFull(WorklistShort):
    """A worklist, line by line."""

    lines: list[dict[str, Any]]
    labware: list[dict[str, Any]]
    asks: dict[str, Any] | None


class Measured(BaseModel):
    """A file of what was measured."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=100, pattern=_NAME, examples=["results.csv"])
    content: str = Field(max_length=_MOST_CHARACTERS, description="In base64.")
    barcode: str = Field(default="", max_length=200, description="Of the plate, where the file names none.")
    page: str = Field(default="", max_length=200, description="Of a workbook; the first if empty.")
    reader: str = Field(
        default="",
        max_length=50,
        description="Make of the reader whose export it is; empty for a list or grid.",
    )


class HandedIn(BaseModel):
    """What became of a worklist."""

    model_config = ConfigDict(extra="forbid")

    said: Literal["done", "not-done", "unsure"]
    note: str = Field(default="", max_length=2000)
    results: Measured | None = None


@router.get("/worklists", summary="What people at a bench are asked to do")
def worklists(
    caller: Viewer,
    house: HousePart,
    everything: Annotated[bool, Query(description="Also those that were handed in.")] = False,
    newest: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[WorklistShort]:
    """In the order in which they were handed out, place by place."""
    return [WorklistShort.model_validate(dict(one)) for one in house.worklists(everything=everything)][
        -newest:
    ]


@router.get("/worklists/{place}/{sheet}", summary="A worklist")
def worklist(place: Place, sheet: SheetId, caller: Viewer, house: HousePart) -> WorklistFull:
    """Line by line."""
    return WorklistFull.model_validate(dict(found(lambda: house.worklist(place, sheet), "worklist")))


@router.get(
    "/worklists/{place}/{sheet}/{paper}",
    summary="A paper of a worklist",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}, "text/html": {}}}},
)
def paper(
    place: Place, sheet: SheetId, paper: Annotated[str, Path(max_length=40)], caller: Viewer, house: HousePart
) -> Response:
    """`worklist.html` with a map of each plate, `worklist.csv`, or `results.csv` to fill in."""
    content = found(lambda: house.worklist_paper(place, sheet, paper), "paper")
    headers = {"Content-Disposition": f'attachment; filename="{sheet}_{paper}"'}
    return Response(content, media_type=PAPERS[paper], headers=headers)


@router.post("/worklists/{place}/{sheet}/hand-in", summary="Hand a worklist in")
def hand_in(
    place: Place, sheet: SheetId, handed: HandedIn, caller: Operator, house: HousePart
) -> WorklistFull:
    """Once. Nothing of a file of results is used when anything in it is wrong; each thing that is wrong is told."""
    one = found(lambda: house.worklist(place, sheet), "worklist")
    for protocol in house.worklist_protocols(place):
        caller.require(Permission.OPERATE, devices=[str(one["device"])], protocol=protocol)
    results = None if handed.results is None else _read(handed.results)
    after = house.hand_worklist_in(
        place, sheet, handed.said, who=caller.name, note=handed.note, results=results
    )
    return WorklistFull.model_validate(dict(after))


def _read(measured: Measured) -> Results:
    """A file that came in a request.

    Raises:
        Refusal: 422; it is no base64.
    """
    try:
        content = base64.b64decode(measured.content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(
            422, "bad_input", "The file is not in base64.", way_out="Send it so.", field="content"
        ) from error
    return Results(
        name=measured.name,
        content=content,
        barcode=measured.barcode,
        page=measured.page,
        reader=measured.reader,
    )
