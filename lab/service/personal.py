"""Mails to people about what waits for them: who wants them, and what is theirs to decide or to go on with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lab.approvals import ApprovalStatus
from lab.notices import Channel, Mail, News, NoticeKind
from lab.people import Permission, Person
from lab.service.deciding import devices_of, protocol_of
from lab.store import Store

__all__ = ["PREFIX", "channel_of", "mail_of", "waits_for", "wants_mail"]

PREFIX = "mail to "
"""How the names of such channels begin; a name of somebody follows."""


def mail_of(channels: Sequence[Channel]) -> Mail | None:
    """The lab's mail server, and the address that its mails come from; None where it has none."""
    return next((one.way for one in channels if isinstance(one.way, Mail)), None)


def channel_of(person: Person, mail: Mail) -> Channel:
    """The way to tell one person, over the lab's mail server."""
    return Channel(name=f"{PREFIX}{person.name}", way=replace(mail, to=(person.email,)))


def wants_mail(person: Person) -> bool:
    """Whether somebody is to be told by mail."""
    return person.active and person.told_by_mail and bool(person.email)


def waits_for(store: Store, news: News, people: Iterable[Person]) -> tuple[Person, ...]:
    """Of those who want mails, for whom something waits.

    A request waits for whoever may give their word on it and did not ask for it themselves; a campaign that is held
    waits for whoever may go on with it.
    """
    wanting = [one for one in people if wants_mail(one)]
    if not wanting or news.kind not in (NoticeKind.APPROVAL, NoticeKind.HOLD):
        return ()
    if news.kind is NoticeKind.HOLD:
        protocol = store.campaign(news.campaign_id).campaign.protocol.name
        return tuple(one for one in wanting if one.may(Permission.OPERATE, protocol=protocol))
    asked = store.approval(news.key.removeprefix("approval:"))
    if asked.status is not ApprovalStatus.WAITING:
        return ()
    protocol, devices = protocol_of(store, asked), devices_of(asked) or ("",)
    return tuple(
        one
        for one in wanting
        if one.name != asked.asked_by
        and all(one.may(Permission.APPROVE, device=device, protocol=protocol) for device in devices)
    )
