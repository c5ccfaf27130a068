"""What people settle for themselves: whether they are told by mail, and their own address of the calendar."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from lab.people import Permission, TokenKind
from lab.service.caller import Caller, SignedIn
from lab.service.commands import CommandRoute
from lab.service.errors import Refusal
from lab.service.icalendar_text import calendar_text
from lab.service.parts import MessengerPart, StorePart
from lab.service.people_shapes import PersonShape
from lab.service.schedules import calendar_of
from lab.service.tokens import hashed, make_calendar_secret

__all__ = ["open_router", "router"]

router = APIRouter(tags=["login"], route_class=CommandRoute)
"""Routes for whoever is logged in."""

open_router = APIRouter(tags=["schedules"])
"""Routes that take no token."""


class Told(BaseModel):
    """Whether somebody wants mails about what waits for them."""

    model_config = ConfigDict(extra="forbid")

    by_mail: bool


class CalendarAddress(BaseModel):
    """An address of the calendar for other programs; it is shown this once."""

    secret_path: str | None = Field(
        description="Of this service; whoever knows it can read the calendar. Null when the request is sent again."
    )


@router.put("/me/notices", summary="Be told by mail of what waits for one, or not")
def be_told(told: Told, caller: SignedIn, store: StorePart, messenger: MessengerPart) -> PersonShape:
    """Approvals that one may give, and campaigns that one may go on with and that are held."""
    if told.by_mail and caller.person.program:
        raise Refusal(422, "bad_input", "A program is told nothing by mail.", field="by_mail")
    if told.by_mail and not caller.person.email:
        raise Refusal(
            422,
            "bad_input",
            f"No mail address of {caller.name} is known here.",
            way_out="Ask an admin to add it.",
            field="by_mail",
        )
    if told.by_mail and messenger.mail is None:
        raise Refusal(
            409,
            "no_mail",
            "This lab has no mail server to send from.",
            way_out="Ask an admin for a channel with one in notify.yaml.",
            field="by_mail",
        )
    return PersonShape.of(store.tell_by_mail(caller.person.id, told.by_mail))


@router.post("/me/calendar", status_code=201, summary="Make one's own address of the calendar")
def make_calendar(caller: SignedIn, store: StorePart) -> CalendarAddress:
    """For calendar programs, which can't show a token. An older address of one's own ends with it."""
    _refuse_programs(caller)
    caller.require(Permission.SEE)
    secret = make_calendar_secret()
    store.set_calendar(caller.person.id, hashed(secret))
    return CalendarAddress(secret_path=f"/api/calendar/{secret}.ics")


@router.delete("/me/calendar", status_code=204, summary="End one's own address of the calendar")
def end_calendar(caller: SignedIn, store: StorePart) -> None:
    """Safe to repeat."""
    _refuse_programs(caller)
    store.set_calendar(caller.person.id, None)


@open_router.get(
    "/calendar/{secret}.ics",
    summary="The calendar, at somebody's own address",
    response_class=Response,
    responses={200: {"content": {"text/calendar": {"schema": {"type": "string"}}}}},
)
def calendar(secret: Annotated[str, Path(max_length=100)], store: StorePart) -> Response:
    """A week back and a month ahead, for as long as its owner may look on."""
    owner = store.person_of_calendar(hashed(secret))
    if owner is None or not owner.may(Permission.SEE):
        raise Refusal(
            404,
            "not_found",
            "There is no such calendar.",
            way_out="Make an address in the console: My account.",
        )
    return Response(calendar_text(calendar_of(store).entries), media_type="text/calendar")


def _refuse_programs(caller: Caller) -> None:
    """An address stays when a token ends, so that no token makes one.

    Raises:
        Refusal: 403.
    """
    if caller.token.kind is not TokenKind.SESSION:
        raise Refusal(403, "session_only", "An address of the calendar is for people who are logged in.")
