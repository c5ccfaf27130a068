"""Notices: what people are told when a campaign wants them, and over which channels.

Channels are settings of the lab, not of a campaign: a file ``notify.yaml`` beside the store, or named by ``DRYWET_NOTIFY``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import urlencode, urlsplit

__all__ = [
    "GIVEN_UP_AFTER",
    "TOLD",
    "Channel",
    "Desktop",
    "Mail",
    "News",
    "Notice",
    "NoticeKind",
    "NoticeStatus",
    "Webhook",
    "next_try",
    "page",
]


class NoticeKind(StrEnum):
    """Why people are told."""

    HOLD = "hold"
    """A campaign waits for a person."""
    FAULT = "fault"
    """An instrument did not do what it was told."""
    APPROVAL = "approval"
    """Something waits for a person's approval."""
    FINISHED = "finished"
    """A campaign is over: its budget is spent, or it was given up."""
    NOT_STARTED = "not_started"
    """What was handed in, by a person or by a schedule, can't be begun."""
    TEST = "test"
    """Somebody tries the channels."""


class NoticeStatus(StrEnum):
    """How far a notice is."""

    WAITING = "waiting"
    """To be sent, or sent once more."""
    SENT = "sent"
    """Taken by the mail server, the web address or the desktop."""
    GIVEN_UP = "given_up"
    """It could not be sent for a day."""


TOLD = frozenset(kind for kind in NoticeKind if kind is not NoticeKind.TEST)
"""What goes over a channel that does not say."""

GIVEN_UP_AFTER = timedelta(days=1)
"""So long it is tried to send a notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that people are told over one channel.

    Args:
        key: of the thing and the channel; told once.
        campaign_id: empty where it is about none.
        subject: a line.
        sentence: more, in sentences; one to a line.
        path: of the console's page about it.
        tries: so often it was tried.
        error: why the last try failed; empty where none did.
        next_utc: it is not tried before.
        sent_utc: None until it was.
    """

    number: int
    key: str
    kind: NoticeKind
    campaign_id: str
    subject: str
    sentence: str
    path: str
    channel: str
    status: NoticeStatus
    tries: int
    error: str
    next_utc: datetime
    created_utc: datetime
    sent_utc: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """By mail, over a server of the lab's or its provider's.

    Args:
        security: ``tls`` from the first byte, ``starttls``, or ``none``: for a server on this computer.
        user: for the server; empty where it asks for none.
        password: never shown.
        sender: the address that it comes from.
        to: addresses.
    """

    server: str
    port: int
    security: Literal["tls", "starttls", "none"]
    sender: str
    to: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def where(self) -> str:
        """For people; no secret is in it."""
        return f"mail to {', '.join(self.to)} over {self.server} port {self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """By a POST of JSON to a web address.

    Args:
        url: never shown whole: with many services whoever knows it may post.
        secret: by which a post is signed; empty for none. Never shown.
    """

    url: str = field(repr=False)
    secret: str = field(default="", repr=False)

    @property
    def where(self) -> str:
        """For people; no secret is in it."""
        parts = urlsplit(self.url)
        return f"POST to {parts.hostname}{f' port {parts.port}' if parts.port else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desktop:
    """On the screen of the computer that the service runs on, where that has one."""

    @property
    def where(self) -> str:
        """For people."""
        return "the desktop of this computer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way to tell people, and what goes over it.

    Args:
        name: of this channel only.
        way: how.
        kinds: that go over it.
        campaigns: patterns (``thermo*``) of names of campaigns.
    """

    name: str
    way: Mail | Webhook | Desktop
    kinds: frozenset[NoticeKind] = TOLD
    campaigns: tuple[str, ...] = ("*",)

    def takes(self, kind: NoticeKind, campaign: str) -> bool:
        """Whether news of this kind and of a campaign of this name goes over it."""
        if kind is NoticeKind.TEST:
            return True
        return kind in self.kinds and any(fnmatchcase(campaign, pattern) for pattern in self.campaigns)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something that people may want to be told, before it is known over which channels.

    Args:
        key: of the thing; it is told once over each channel.
        campaign: its name; empty where it is about none.
        utc: when it happened.
    """

    key: str
    kind: NoticeKind
    campaign_id: str
    campaign: str
    subject: str
    sentence: str
    path: str
    utc: datetime


def next_try(tries: int, created: datetime, now: datetime) -> datetime | None:
    """When a notice that could not be sent is tried again: after a minute, then twice as long each time, up to an hour.

    Args:
        tries: so often it was tried.

    Returns:
        None where it is given up: a day after it came up.
    """
    again = now + min(timedelta(minutes=1) * 2 ** min(tries - 1, 10), timedelta(hours=1))
    return None if again - created > GIVEN_UP_AFTER else again


def page(name: str, **about: str) -> str:
    """The path of a page of the console that is about something."""
    return f"{name}?{urlencode(about)}" if about else name
