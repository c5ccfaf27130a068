"""Submissions: campaigns that somebody handed in, from then until they are started or given back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from lab.types import JsonValue

__all__ = ["CampaignText", "Submission", "SubmissionStatus"]


class SubmissionStatus(StrEnum):
    """How far a submission is."""

    WAITING = "waiting"
    """For a person's approval."""
    QUEUED = "queued"
    """For its turn."""
    STARTED = "started"
    """It is a campaign now."""
    REJECTED = "rejected"
    """A person said no."""
    WITHDRAWN = "withdrawn"
    """Taken back before it started."""
    FAILED = "failed"
    """It can't be started; the sentence says why."""

    @property
    def over(self) -> bool:
        """Whether nothing more becomes of it by itself."""
        return self not in (SubmissionStatus.WAITING, SubmissionStatus.QUEUED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignText:
    """The text of a campaign file, and where it would stand.

    Args:
        text: YAML, or JSON, which is YAML too.
        path: of the file that it stands for, from the lab's folder; what it names is looked for beside that.
    """

    text: str
    path: str = "campaigns/submitted.yaml"

    def to_json(self) -> dict[str, JsonValue]:
        """For the store."""
        return {"text": self.text, "path": self.path}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A campaign that was handed in.

    Args:
        id: ``sub_...``.
        name: of the campaign.
        sentence: why it stands as it does; empty where that needs no word.
        rehearsal: what was found when it was tried out dry.
        priority: of waiting submissions, who starts first; more is sooner.
        held: a person keeps it from starting.
        not_before_utc: it does not start earlier; None for at once.
        campaign_id: what it became; empty before that.
        schedule_id: what handed it in; empty where a person did.
        who: handed it in.
        version: counts its changes.
    """

    id: str
    number: int
    name: str
    status: SubmissionStatus
    document: CampaignText
    who: str
    created_utc: datetime
    sentence: str = ""
    rehearsal: Mapping[str, JsonValue] = field(default_factory=dict)
    priority: int = 0
    held: bool = False
    not_before_utc: datetime | None = None
    campaign_id: str = ""
    schedule_id: str = ""
    version: int = 1
