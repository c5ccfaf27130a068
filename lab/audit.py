"""Who did what, when, from where, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lab.types import JsonValue

__all__ = ["Act", "Begun", "Once", "Replied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that somebody did, or tried to do.

    Args:
        number: the order in which acts began.
        id: ``act_...``.
        who: name of the person, or what acted in nobody's name (``schedule``).
        source: from where: an address, ``command line``.
        action: what was asked for: ``POST /api/runs/{run}/stop``.
        subject: what it was about.
        details: what came with it; never a password or a token.
        begun_utc: written before anything was done.
        ended_utc: None while it is under way, and for good where the program ended in its midst.
        outcome: ``done``, or what came of it in a sentence; empty while that is not known.
        result: more of the outcome.
    """

    number: int
    id: str
    who: str
    source: str
    action: str
    subject: str
    begun_utc: datetime
    ended_utc: datetime | None = None
    outcome: str = ""
    details: Mapping[str, JsonValue] = field(default_factory=dict)
    result: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """That a command is done once, however often it is sent.

    Args:
        person_id: who sends it.
        key: their own word for it.
        command: all that it says; another command may not come under the same key.
    """

    person_id: str
    key: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """What is known of a command that was sent before.

    Args:
        command: see :class:`Once`.
        utc: when it was sent first.
        status_code: of the answer; None where none was kept: it is under way, or what came of it is not known.
        body: of the answer, without what is shown only once; before that ``{"act": ...}``.
    """

    command: str
    utc: datetime
    status_code: int | None = None
    body: JsonValue = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The beginning of an act.

    Args:
        act: its identifier; empty where the command was sent before.
        earlier: what is known of that.
    """

    act: str
    earlier: Replied | None = None
