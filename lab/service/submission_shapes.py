"""What the API says of what was handed in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from lab.service.shapes import plain
from lab.submissions import Submission

__all__ = ["SubmissionShape"]


class SubmissionShape(BaseModel):
    """A campaign that was handed in."""

    model_config = ConfigDict(frozen=True)

    id: str
    number: int
    name: str
    status: str
    sentence: str
    priority: int
    held: bool
    not_before_utc: datetime | None
    campaign_id: str
    schedule_id: str
    who: str
    version: int
    created_utc: datetime
    rehearsal: dict[str, Any]
    text: str
    path: str

    @classmethod
    def of(cls, one: Submission) -> SubmissionShape:
        """From the store's."""
        return cls(
            id=one.id,
            number=one.number,
            name=one.name,
            status=str(one.status),
            sentence=one.sentence,
            priority=one.priority,
            held=one.held,
            not_before_utc=one.not_before_utc,
            campaign_id=one.campaign_id,
            schedule_id=one.schedule_id,
            who=one.who,
            version=one.version,
            created_utc=one.created_utc,
            rehearsal=plain(dict(one.rehearsal)),
            text=one.document.text,
            path=one.document.path,
        )
