"""Who asks for what a campaign does, and who decides about it at the computer itself."""

from __future__ import annotations

from collections.abc import Callable

from lab.app.at_the_computer import user
from lab.approvals import Approval, ApprovalStatus
from lab.errors import BadInput, MissingData
from lab.people import Permission, Person
from lab.service.deciding import Decider, devices_of, protocol_of
from lab.store import Store

__all__ = ["find_waiting", "who_asks", "who_decides"]


def who_asks(store: Store, campaign_id: str) -> str:
    """Who handed a campaign in; of one that was started from the command line, the user of this computer."""
    submission = store.submission_of(campaign_id)
    return user() if submission is None else submission.who


def who_decides(store: Store, approval: Approval, name: str | None, password: Callable[[], str]) -> Decider:
    """Whoever sits at the computer, as one of the lab's approvers; where nobody has an account, as its user.

    Args:
        name: of an approver.
        password: asked for theirs.

    Raises:
        BadInput: people have accounts here and none is named, the password is wrong, or they may not approve this.
        MissingData: the packages that check passwords are not installed.
    """
    if not any(not one.program for one in store.people()):
        if name is not None:
            raise BadInput(
                f"There is nobody called {name}; nobody has an account in this lab.",
                way_out="Leave --as out, or add people: drywet users add NAME --role approver",
                field="--as",
            )
        return Decider(name=user(), alone=True)
    if name is None:
        raise BadInput(
            "People have accounts in this lab, so it must be known who says so.",
            way_out="Give --as NAME, and that person's password.",
            field="--as",
        )
    person = _known(store, name, password())
    devices = devices_of(approval) or ("",)
    protocol = protocol_of(store, approval)
    if not all(person.may(Permission.APPROVE, device=device, protocol=protocol) for device in devices):
        raise BadInput(
            f"{person.name} may not approve this.", way_out="It takes an approver; ask one.", field="--as"
        )
    return Decider(name=person.name, program=person.program)


def find_waiting(store: Store, name: str) -> Approval:
    """What waits for a person: by the name of its campaign, or by its own number.

    Raises:
        BadInput: nothing of this name waits.
    """
    waiting = store.approvals(status=ApprovalStatus.WAITING)
    found = [one for one in waiting if name in (one.id, one.campaign_id, one.submission_id)]
    found = found or [one for one in waiting if _campaign_of(store, one) == name]
    if found:
        return found[-1]
    if name.startswith("apr_"):
        return store.approval(name)
    names = ", ".join(dict.fromkeys(_campaign_of(store, one) for one in waiting))
    raise BadInput(
        f"Nothing of {name} waits for a person.",
        way_out=f"What waits: {names}." if names else "Nothing does at all.",
    )


def _campaign_of(store: Store, approval: Approval) -> str:
    if approval.campaign_id:
        return store.campaign(approval.campaign_id).campaign.name
    return store.submission(approval.submission_id).name


def _known(store: Store, name: str, password: str) -> Person:
    try:
        from lab.service.passwords import Passwords
    except ModuleNotFoundError as missing:
        raise MissingData(
            f"To check a password takes {missing.name}, which is not installed.",
            way_out="pip install 'drywet[service]'",
        ) from missing
    person, kept = store.credentials(name.strip().lower()) or (None, "")
    right = Passwords().check(kept, password).right
    if person is None or not right or not person.active:
        raise BadInput("This name and password don't belong together.", way_out="Try again.", field="--as")
    return person
