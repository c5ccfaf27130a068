"""Submissions: hand a campaign in, see how it would go, and wait for its turn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from lab.approvals import ApprovalReason, Cause
from lab.people import Permission
from lab.service.caller import Caller, needs
from lab.service.commands import CommandRoute
from lab.service.errors import Refusal, found
from lab.service.moments import Moment
from lab.service.parts import HousePart, StorePart
from lab.service.shapes import plain
from lab.service.submission_shapes import SubmissionShape
from lab.store import Store
from lab.submissions import CampaignText, SubmissionStatus
from lab.types import Campaign

__all__ = ["Handed", "for_a_person", "router"]

router = APIRouter(tags=["submissions"], route_class=CommandRoute)

Planner = Annotated[Caller, Depends(needs(Permission.PLAN, somewhere=True))]
Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]

_PATH = r"^[A-Za-z0-9_][A-Za-z0-9_. -]*(/[A-Za-z0-9_][A-Za-z0-9_. -]*)*\.ya?ml$"


class Handed(BaseModel):
    """A campaign file."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=1_000_000, description="YAML or JSON.")
    path: str = Field(
        default="campaigns/submitted.yaml",
        pattern=_PATH,
        max_length=300,
        description="Where it would stand in the lab's folder; the files that it names are looked for from there.",
    )

    @property
    def document(self) -> CampaignText:
        """For the house."""
        return CampaignText(text=self.text, path=self.path)


class Submitted(Handed):
    """A campaign file to be started."""

    priority: int = Field(default=0, ge=-9, le=9, description="More is sooner.")
    held: bool = Field(default=False, description="Keep it from starting for now.")
    not_before_utc: Moment | None = Field(default=None, description="It does not start earlier.")
    baseline: bool = Field(
        default=True, description="Also run the baseline that its file asks for, on a twin."
    )


class Changed(BaseModel):
    """What is to be different about a submission that waits."""

    model_config = ConfigDict(extra="forbid")

    expected: int = Field(ge=1, le=2**31, description="Its version, as seen.")
    priority: int | None = Field(default=None, ge=-9, le=9)
    held: bool | None = None
    not_before_utc: Moment | None = None
    at_once: bool = Field(default=False, description="It need not wait for a moment any more.")


class Verdict(BaseModel):
    """What a campaign would do."""

    name: str
    twin: bool
    devices: list[str]
    problems: list[str]
    rehearsal: dict[str, object]
    sha256: str


@router.post("/checks", summary="Try a campaign out dry")
def check(handed: Handed, caller: Viewer, house: HousePart) -> Verdict:
    """Read a campaign and try its first batch out. Nothing is kept, and nothing moves."""
    checked = house.check(handed.document)
    return Verdict(
        name=checked.campaign.name,
        twin=checked.twin,
        devices=list(checked.devices),
        problems=list(checked.problems),
        rehearsal=plain(dict(checked.rehearsal)),
        sha256=checked.sha256,
    )


@router.post("/submissions", status_code=201, summary="Hand a campaign in")
def submit(handed: Submitted, caller: Planner, house: HousePart, store: StorePart) -> SubmissionShape:
    """Keep a campaign and start it when its turn comes. Refused when it can't be started as things are."""
    checked = house.check(handed.document)
    if checked.problems:
        raise Refusal(
            422, "infeasible", " ".join(checked.problems), way_out="Change what it names.", field="text"
        )
    caller.require(Permission.PLAN, protocol=checked.campaign.protocol.name, devices=checked.devices)
    _refuse_taken(store, checked.campaign.name)
    submission = store.submit(
        checked.campaign.name,
        handed.document,
        who=caller.name,
        rehearsal={
            **checked.rehearsal,
            "sha256": checked.sha256,
            "baseline": handed.baseline,
            "twin": checked.twin,
            "workcell": checked.campaign.workcell,
            "protocol": checked.campaign.protocol.name,
            "devices": list(checked.devices),
        },
        priority=handed.priority,
        not_before_utc=handed.not_before_utc,
        held=handed.held,
        ask=for_a_person(checked.campaign),
    )
    house.look()
    return SubmissionShape.of(submission)


def for_a_person(campaign: Campaign) -> tuple[ApprovalReason, ...]:
    """Why a person must agree before it starts; empty where its file asks for nobody."""
    if campaign.approval is None or not campaign.approval.start:
        return ()
    return (ApprovalReason(cause=Cause.START, sentence="The campaign is to begin."),)


def _refuse_taken(store: StorePart, name: str) -> None:
    """One name stands for one campaign at a time, so that people know which they stop."""
    unfinished = ("running", "stopped", "held")
    campaigns = [r.campaign.name for r in store.campaigns() if r.status in unfinished]
    waiting = [one.name for one in store.submissions(open_only=True)]
    if name in campaigns or name in waiting:
        raise Refusal(
            409,
            "name_taken",
            f"A campaign {name} has not finished yet.",
            way_out="Give this one another name, or finish that one.",
            field="name",
        )


@router.get("/submissions", summary="What was handed in")
def submissions(
    caller: Viewer,
    store: StorePart,
    waiting: Annotated[bool, Query(description="Only what waits.")] = False,
    newest: Annotated[int, Query(ge=1, le=2000, description="Of those that don't wait any more.")] = 500,
) -> list[SubmissionShape]:
    """In the order in which they may start."""
    found = store.submissions(open_only=waiting)
    over = sorted(one.number for one in found if one.status.over)
    kept = set(over[-newest:])
    return [SubmissionShape.of(one) for one in found if not one.status.over or one.number in kept]


@router.get("/submissions/{submission_id}")
def submission(submission_id: str, caller: Viewer, store: StorePart) -> SubmissionShape:
    """One of them."""
    return SubmissionShape.of(found(lambda: store.submission(submission_id), "submission"))


@router.post("/submissions/{submission_id}/change", summary="Change when it starts")
def change(
    submission_id: str, changed: Changed, caller: Planner, house: HousePart, store: StorePart
) -> SubmissionShape:
    """Its priority, whether it is held, and the moment before which it does not start."""
    _to_change(store, submission_id, caller)
    changes: dict[str, Any] = {
        name: value
        for name in ("priority", "held", "not_before_utc")
        if (value := getattr(changed, name)) is not None
    }
    if changed.at_once:
        changes["not_before_utc"] = None
    after = store.change_submission(submission_id, expected_version=changed.expected, **changes)
    house.look()
    return SubmissionShape.of(after)


@router.post("/submissions/{submission_id}/withdraw", summary="Take it back")
def withdraw(
    submission_id: str,
    caller: Planner,
    store: StorePart,
    expected: Annotated[int | None, Query(ge=1, le=2**31)] = None,
) -> SubmissionShape:
    """Before it starts; what has started is stopped instead."""
    _to_change(store, submission_id, caller)
    sentence = f"Taken back by {caller.name} at {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    after = store.change_submission(
        submission_id,
        expected_version=expected,
        status=SubmissionStatus.WITHDRAWN.value,
        sentence=sentence,
    )
    store.withdraw_approvals(submission_id=submission_id, why=sentence)
    return SubmissionShape.of(after)


def _to_change(store: Store, submission_id: str, caller: Caller) -> None:
    """See that somebody may change a submission: who might hand it in may change it and take it back.

    Raises:
        Refusal: 404; 403 for its protocol or its devices.
    """
    rehearsed = found(lambda: store.submission(submission_id), "submission").rehearsal
    devices = cast(list[str], rehearsed.get("devices") or [])
    caller.require(Permission.PLAN, protocol=str(rehearsed.get("protocol", "")), devices=devices)
