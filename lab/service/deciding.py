"""Who may give their word on a request, and what an edit may put in a candidate's place."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lab.approvals import Approval, ApprovalKind
from lab.errors import BadInput
from lab.store import Store
from lab.strict import did_you_mean
from lab.types import (
    Batch,
    Campaign,
    Candidate,
    Experiment,
    ExperimentStatus,
    History,
    JsonValue,
    Reason,
    new_id,
)

__all__ = ["Decider", "Edit", "NotYours", "approve", "devices_of", "edit", "protocol_of", "reject"]

_UNDER_WAY = (ExperimentStatus.PROPOSED, ExperimentStatus.APPROVED, ExperimentStatus.RUNNING)

_NAME = re.compile(r"[\w.+-]{1,64}")

PERSON = "person"
"""Stands for the planner in the reason of an experiment that a person chose."""


class NotYours(BadInput):
    """Whoever decides asked for it themselves, or is no person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Who decides.

    Args:
        name: that is kept with what they say.
        program: it is none of us.
        alone: nobody has an account in this lab, so the user of the computer is all that there is.
    """

    name: str
    program: bool = False
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is to be done in place of an experiment.

    Args:
        experiment_id: of the batch.
        candidate: of the pool, by its id; a name for a new one in a space, empty for one that it is given.
        values, sequence: of a candidate in a space; what is left out stays as it was.
    """

    experiment_id: str
    candidate: str = ""
    values: Mapping[str, JsonValue] | None = None
    sequence: str = ""


def approve(
    store: Store,
    approval_id: str,
    by: Decider,
    *,
    why: str = "",
    left_out: Collection[str] = (),
    expected_version: int | None = None,
) -> Approval:
    """Say yes; see :meth:`lab.store.approvals.Approvals.approve`.

    Raises:
        NotYours: it asked for this itself, or is a program.
        BadInput: it can't be decided so.
    """
    _refuse_own(store.approval(approval_id), by)
    if by.alone:
        why = f"{why.strip()} Nobody has an account here; the user of the computer said so.".strip()
    return store.approve(
        approval_id, who=by.name, why=why, left_out=left_out, expected_version=expected_version
    )


def reject(
    store: Store, approval_id: str, by: Decider, *, why: str, expected_version: int | None = None
) -> Approval:
    """Say no. Whoever asked may take their own request back so.

    Raises:
        NotYours: it is a program.
        BadInput: it can't be decided so.
    """
    _refuse_program(by)
    return store.reject(approval_id, who=by.name, why=why, expected_version=expected_version)


def edit(
    store: Store,
    approval_id: str,
    change: Edit,
    by: Decider,
    *,
    why: str,
    expected_version: int | None = None,
) -> Approval:
    """Put a candidate of a person's in the place of one that waits, as an experiment of its own; the batch waits on.

    Raises:
        NotYours: it asked for this itself, or is a program.
        BadInput: the candidate can't be chosen here, or it can't be changed so.
    """
    approval = store.approval(approval_id)
    _refuse_own(approval, by)
    if approval.kind is ApprovalKind.START:
        raise BadInput(
            "A campaign that was not started has no experiments to edit.",
            way_out="Reject it, and have it handed in as it should be.",
        )
    campaign = store.campaign(approval.campaign_id).campaign
    batch = store.whole_batch(approval.batch_id)
    replacement = _replacement(campaign, store.history(campaign.id), batch, change, by.name, why)
    return store.edit_batch(
        approval.id,
        change.experiment_id,
        replacement,
        who=by.name,
        why=why,
        expected_version=expected_version,
    )


def _refuse_program(by: Decider) -> None:
    if by.program:
        raise NotYours(
            f"{by.name} is a program; it may propose, and people decide.", way_out="Ask an approver."
        )


def _refuse_own(approval: Approval, by: Decider) -> None:
    _refuse_program(by)
    if approval.asked_by == by.name and not by.alone:
        raise NotYours(
            f"{by.name} asked for this, and nobody approves what they asked for themselves.",
            way_out="Ask another approver.",
        )


def _replacement(
    campaign: Campaign, history: History, batch: Batch, change: Edit, who: str, why: str
) -> Experiment:
    """The experiment that a person puts in the place of one.

    Raises:
        BadInput: it is none of the batch, or the campaign can't choose that candidate now.
    """
    standing = {one.id: one for one in batch.experiments if not one.waived}
    old = standing.get(change.experiment_id)
    if old is None:
        raise BadInput(
            f"{change.experiment_id} is no experiment of this batch.",
            way_out=f"They are: {', '.join(standing)}.",
            field="experiment",
        )
    if campaign.space is None:
        candidate = _from_pool(campaign, change)
    else:
        known = {one.candidate.id: one.candidate for one in history.experiments}
        candidate = _again(change, known) or _from_space(campaign, change, old)
    _refuse_unshared(campaign, candidate, old.candidate)
    earlier = [one for one in history.experiments if not one.waived and _same(one.candidate, candidate)]
    if any(one.status in _UNDER_WAY for one in earlier):
        raise BadInput(
            f"{candidate.id} is on its way already.", way_out="Choose another one.", field="candidate"
        )
    return Experiment(
        id=new_id("exp"),
        candidate=earlier[0].candidate if earlier else candidate,
        reason=Reason(
            planner=PERSON,
            sentence=f"{who} chose it in the place of {old.candidate.id}: {why.strip()}",
        ),
        repeat_of=earlier[0].id if earlier else None,
    )


def _same(one: Candidate, other: Candidate) -> bool:
    return one.id == other.id or (one.sequence == other.sequence and dict(one.values) == dict(other.values))


def _from_pool(campaign: Campaign, change: Edit) -> Candidate:
    pool = {one.id: one for one in campaign.candidates}
    if change.candidate not in pool:
        raise BadInput(
            f"There is no candidate {change.candidate!r} in the pool of {campaign.name}.",
            way_out=did_you_mean(change.candidate, pool),
            field="candidate",
        )
    if change.values is not None or change.sequence:
        raise BadInput("A candidate of a pool is what it is.", way_out="Give its name only.", field="values")
    return pool[change.candidate]


def _again(change: Edit, known: Mapping[str, Candidate]) -> Candidate | None:
    """A candidate of a space that was chosen before, by its name alone; None where a new one is meant.

    Raises:
        BadInput: the name of another one, or none that a candidate can have.
    """
    if not change.candidate:
        return None
    if change.candidate not in known:
        if _NAME.fullmatch(change.candidate) is None:
            raise BadInput(
                f"{change.candidate!r} can't be the name of a candidate.",
                way_out="Use up to 64 letters, digits, dots, + and -, or leave it out.",
                field="candidate",
            )
        return None
    if change.values is not None or change.sequence:
        raise BadInput(
            f"There is a candidate {change.candidate} already.",
            way_out="Give a new one another name, or none.",
            field="candidate",
        )
    return known[change.candidate]


def _from_space(campaign: Campaign, change: Edit, old: Experiment) -> Candidate:
    space = campaign.space
    assert space is not None  # else there is a pool
    if space.rules:
        raise BadInput(
            "The space of this campaign has rules of its own, which are asked where planners draw from it.",
            way_out="Leave the experiment out, or reject the batch.",
        )
    strange = sorted(set(change.values or {}) - set(space.names))
    if strange:
        raise BadInput(
            f"The space has no value {strange[0]!r}.",
            way_out=did_you_mean(strange[0], space.names),
            field="values",
        )
    given: dict[str, JsonValue] = {**old.candidate.values, **(change.values or {})}
    for parameter in space.parameters:
        value = given.get(parameter.name)
        if value is not None and parameter.is_number and parameter.holds(value):
            given[parameter.name] = parameter.snapped(float(value))
    sequence = change.sequence.upper() or old.candidate.sequence
    new = new_id("exp")[-6:].lower()
    candidate = Candidate(id=change.candidate or f"by_hand_{new}", sequence=sequence, values=given)
    if not space.holds(candidate):
        told = ", ".join(f"{name} {value}" for name, value in given.items())
        raise BadInput(
            f"This lies outside the space of {campaign.name}: {told or sequence}.",
            way_out="Keep to its bounds, levels, sites and constraints.",
            field="values",
        )
    return candidate


def _refuse_unshared(campaign: Campaign, candidate: Candidate, old: Candidate) -> None:
    for name in campaign.shared:
        if candidate.values.get(name) != old.values.get(name):
            raise BadInput(
                f"All of a batch have one {name}: {old.values.get(name)}.",
                way_out=f"Give {name} that value, or reject the batch.",
                field="values",
            )


def devices_of(approval: Approval) -> tuple[str, ...]:
    """Devices that it would use, as far as that is known."""
    rehearsed = approval.details.get("dry_run") or {}
    return tuple(rehearsed.get("devices", ()))


def protocol_of(store: Store, approval: Approval) -> str:
    """The protocol that it would carry out; empty where that is not known."""
    if approval.campaign_id:
        return store.campaign(approval.campaign_id).campaign.protocol.name
    return str(store.submission(approval.submission_id).rehearsal.get("protocol", ""))
