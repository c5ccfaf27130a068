"""What waits for a person: what it is, why it is asked, and the person's word."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lab.approvals import Approval, ApprovalKind, ApprovalStatus
from lab.people import Permission
from lab.service import deciding
from lab.service.caller import Caller, needs
from lab.service.commands import CommandRoute
from lab.service.deciding import Decider, Edit, NotYours
from lab.service.errors import Refusal, found
from lab.service.house import House
from lab.service.hub import Hub
from lab.service.parts import HousePart, HubPart, StorePart
from lab.service.request_view import picture
from lab.service.shapes import plain
from lab.store import Store

__all__ = ["router"]

router = APIRouter(tags=["approvals"], route_class=CommandRoute)

Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]
Approver = Annotated[Caller, Depends(needs(Permission.APPROVE, somewhere=True))]

_Version = Annotated[int, Field(ge=1, le=2**31, description="Its version, as the page showed it.")]
_Why = Annotated[str, Field(max_length=2000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Yes(_Body):
    """A yes, to all of it or to a part."""

    expected: _Version
    why: _Why = ""
    left_out: list[str] = Field(
        default_factory=list, max_length=100, description="Experiments that it does not hold for."
    )


class No(_Body):
    """A no."""

    expected: _Version
    why: _Why = Field(min_length=1)


class Change(_Body):
    """A person's candidate in the place of an experiment."""

    expected: _Version
    experiment_id: str = Field(max_length=60)
    candidate: str = Field(
        default="", max_length=200, description="Of the pool; in a space a name, or nothing."
    )
    values: dict[str, float | str] | None = Field(default=None, description="In a space: those that differ.")
    sequence: str = Field(default="", max_length=100_000, description="In a space with sites.")
    why: _Why = Field(min_length=1)


class ReasonShape(BaseModel):
    """One thing for which a person is asked."""

    cause: str
    sentence: str
    experiments: list[str]


class NearestShape(BaseModel):
    """The tested candidate that is nearest to one, and what came of it."""

    candidate_id: str
    letters: int = Field(description="That differ.")
    fraction: float = Field(description="Largest difference of one value, as a fraction of its range.")
    value: float | None = None
    standard_error: float | None = None
    earlier: str = Field(default="", description="The earlier campaign that it was tested in.")


class CandidateShape(BaseModel):
    """One experiment of a batch that waits."""

    id: str
    candidate_id: str
    sequence: str
    values: dict[str, Any]
    status: str
    taken_back: bool
    repeat_of: str | None
    planner: str
    why: str
    acquisition: str
    acquisition_value: float | None
    predicted_mean: float | None
    predicted_sd: float | None
    interval: list[float] | None
    model_cards: list[str]
    nearest: NearestShape | None


class ApprovalShape(BaseModel):
    """A request for a person's word, with all that they see before they give it."""

    id: str
    kind: str
    status: str
    version: int
    name: str = Field(description="Of the campaign.")
    campaign_id: str
    submission_id: str
    batch: int | None
    target: str
    reasons: list[ReasonShape]
    cost: float | None
    currency: str | None
    amount: float | None = Field(description="That a batch may cost without being asked for.")
    dry_run: dict[str, Any] | None = Field(
        description="As it was proposed; none before its material is there."
    )
    experiments: list[CandidateShape]
    edits: list[dict[str, Any]]
    asked_by: str
    asked_utc: AwareDatetime
    decided_by: str
    decided_utc: AwareDatetime | None
    why: str

    @classmethod
    def of(cls, store: Store, approval: Approval, *, candidates: bool = True) -> ApprovalShape:
        """From the store's."""
        return cls.model_validate(plain(picture(store, approval, candidates=candidates)))


class Decided(BaseModel):
    """What came of a decision."""

    sentence: str
    goes_on: bool = Field(description="Whether its campaign goes on, or begins in its turn.")
    approval: ApprovalShape


@router.get("/approvals", summary="What waits, or waited, for a person")
def approvals(
    caller: Viewer,
    store: StorePart,
    status: Annotated[ApprovalStatus | None, Query(description="Only these.")] = None,
    newest: Annotated[int, Query(ge=1, le=500)] = 50,
    candidates: Annotated[
        bool, Query(description="With the candidates of each batch; without them it is quicker.")
    ] = True,
) -> list[ApprovalShape]:
    """Newest first."""
    asked = store.approvals(status=status)
    return [ApprovalShape.of(store, one, candidates=candidates) for one in list(reversed(asked))[:newest]]


@router.get("/approvals/{approval_id}")
def approval(approval_id: str, caller: Viewer, store: StorePart) -> ApprovalShape:
    """One of them: its reasons, its dry run and cost, and each candidate beside the nearest that was tested."""
    return ApprovalShape.of(store, found(lambda: store.approval(approval_id), "request"))


@router.post("/approvals/{approval_id}/approve", summary="Say yes")
def approve(
    approval_id: str, yes: Yes, caller: Approver, store: StorePart, house: HousePart, hub: HubPart
) -> Decided:
    """Its campaign goes on. Nobody approves what they asked for themselves, and no program approves anything."""
    asked = _asked(store, approval_id, caller)
    try:
        after = deciding.approve(
            store,
            asked.id,
            _decider(caller),
            why=yes.why,
            left_out=yes.left_out,
            expected_version=yes.expected,
        )
    except NotYours as own:
        raise _not_yours(own) from own
    return _go_on(after, store, house, hub)


@router.post("/approvals/{approval_id}/reject", summary="Say no")
def reject(
    approval_id: str, no: No, caller: Approver, store: StorePart, house: HousePart, hub: HubPart
) -> Decided:
    """Its experiments are abandoned and cost nothing; the campaign goes on with other ones."""
    asked = _asked(store, approval_id, caller)
    try:
        after = deciding.reject(store, asked.id, _decider(caller), why=no.why, expected_version=no.expected)
    except NotYours as own:
        raise _not_yours(own) from own
    return _go_on(after, store, house, hub)


@router.post("/approvals/{approval_id}/edit", summary="Put a candidate of one's own in the place of another")
def edit(approval_id: str, change: Change, caller: Approver, store: StorePart, hub: HubPart) -> ApprovalShape:
    """It is an experiment of its own that the planner learns from; the batch goes on waiting for a yes."""
    asked = _asked(store, approval_id, caller)
    wanted = Edit(
        experiment_id=change.experiment_id,
        candidate=change.candidate,
        values=change.values,
        sequence=change.sequence,
    )
    try:
        after = deciding.edit(
            store, asked.id, wanted, _decider(caller), why=change.why, expected_version=change.expected
        )
    except NotYours as own:
        raise _not_yours(own) from own
    hub.tell("approval", campaign_id=after.campaign_id, approval_id=after.id, status=str(after.status))
    return ApprovalShape.of(store, after)


def _asked(store: Store, approval_id: str, caller: Caller) -> Approval:
    """A request that somebody may decide.

    Raises:
        Refusal: 404; 403 for its devices or its protocol.
    """
    asked = found(lambda: store.approval(approval_id), "request")
    caller.require(
        Permission.APPROVE,
        devices=deciding.devices_of(asked),
        protocol=deciding.protocol_of(store, asked),
    )
    return asked


def _decider(caller: Caller) -> Decider:
    return Decider(name=caller.name, program=caller.person.program)


def _not_yours(own: NotYours) -> Refusal:
    return Refusal(403, "own_request", own.reason, way_out=own.way_out)


def _go_on(after: Approval, store: Store, house: House, hub: Hub) -> Decided:
    """Have the house look at once for what may go on. Where it can't, its status says why; the decision stands."""
    goes_on = after.kind is ApprovalKind.BATCH or after.status is ApprovalStatus.APPROVED
    hub.tell("approval", campaign_id=after.campaign_id, approval_id=after.id, status=str(after.status))
    house.look()
    said = str(after.status).capitalize()
    sentence = f"{said}; the campaign goes on." if goes_on else f"{said}; the campaign does not start."
    return Decided(sentence=sentence, goes_on=goes_on, approval=ApprovalShape.of(store, after))
