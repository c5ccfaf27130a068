"""Notices: what people were told, what waits to be told, and the channels, without their secrets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from lab.notices import Channel, Notice, NoticeKind, NoticeStatus
from lab.people import Permission
from lab.service.caller import Caller, needs
from lab.service.commands import CommandRoute
from lab.service.errors import Refusal
from lab.service.messenger import Messenger
from lab.service.parts import MessengerPart, StorePart

__all__ = ["router"]

router = APIRouter(tags=["notices"], route_class=CommandRoute)

Admin = Annotated[Caller, Depends(needs(Permission.ADMINISTER))]
Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]


class NoticeShape(BaseModel):
    """Something that people are told over one channel."""

    number: int
    kind: NoticeKind
    campaign_id: str
    subject: str
    sentence: str
    link: str
    channel: str
    status: NoticeStatus
    tries: int
    error: str
    next_utc: datetime | None
    created_utc: datetime
    sent_utc: datetime | None


class ChannelShape(BaseModel):
    """A way to tell people. Passwords and addresses by which anybody may post are not shown."""

    name: str
    way: str
    kinds: list[NoticeKind]
    campaigns: list[str]


@router.get("/notices", summary="What people are told")
def notices(
    caller: Viewer,
    store: StorePart,
    messenger: MessengerPart,
    status: NoticeStatus | None = None,
    campaign: Annotated[
        str | None, Query(max_length=50, pattern=r"^\w*$", description="Id of a campaign.")
    ] = None,
    most: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[NoticeShape]:
    """The newest first."""
    found = store.notices(status=status, campaign_id=campaign, most=most)
    return [_shape(one, messenger) for one in found]


@router.get("/notices/channels", summary="Channels")
def channels(caller: Viewer, messenger: MessengerPart) -> list[ChannelShape]:
    """Over which people are told, and what goes over each."""
    return [_channel(one) for one in messenger.channels]


@router.post("/notices/test", status_code=201, summary="Try the channels")
def test(caller: Admin, messenger: MessengerPart) -> list[NoticeShape]:
    """Send a notice over each channel; what came of it is seen among the notices a moment later."""
    if not messenger.channels:
        raise Refusal(
            409,
            "no_channels",
            "There is no channel.",
            way_out="Write notify.yaml; see docs/notifications.md.",
        )
    return [_shape(one, messenger) for one in messenger.test(caller.name)]


def _shape(one: Notice, messenger: Messenger) -> NoticeShape:
    return NoticeShape(
        number=one.number,
        kind=one.kind,
        campaign_id=one.campaign_id,
        subject=one.subject,
        sentence=one.sentence,
        link=messenger.link(one.path),
        channel=one.channel,
        status=one.status,
        tries=one.tries,
        error=one.error,
        next_utc=one.next_utc if one.status is NoticeStatus.WAITING else None,
        created_utc=one.created_utc,
        sent_utc=one.sent_utc,
    )


def _channel(one: Channel) -> ChannelShape:
    return ChannelShape(
        name=one.name, way=one.way.where, kinds=sorted(one.kinds), campaigns=list(one.campaigns)
    )
