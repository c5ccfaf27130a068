"""Schedules of a lab as the command line sees them: in the store itself, or through the service that owns it.

Both ways give what the API gives, as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from lab.app.at_the_computer import act, refusals, user
from lab.app.prepare import prepare
from lab.app.rehearsal import refuse, rehearse
from lab.client import Client
from lab.schedules import OnMissed, OnOverlap
from lab.service.schedule_shapes import schedule_shape
from lab.store import Store
from lab.submissions import CampaignText

__all__ = ["Schedules", "ServiceSchedules", "StoreSchedules", "open_schedules"]

Json = dict[str, Any]


class Schedules(Protocol):
    """The schedules of a lab. Every method raises :class:`lab.errors.BadInput` where something can't be."""

    def all(self) -> list[Json]:
        """Those that stand, each with its next moment."""

    def one(self, name: str) -> Json:
        """One of them, by name or id, with its next ten moments."""

    def add(self, document: CampaignText, wanted: Mapping[str, Any]) -> Json:
        """Make one: ``name``, ``cron``, ``timezone``, ``priority``, ``on_missed`` and ``on_overlap``."""

    def pause(self, name: str) -> Json:
        """Have it begin nothing for now."""

    def resume(self, name: str) -> Json:
        """Have it begin again."""

    def remove(self, name: str) -> Json:
        """Have it begin nothing any more."""


@contextmanager
def open_schedules(
    where: str, folder: Path, *, writes: bool, service: Client | None = None
) -> Iterator[Schedules]:
    """The schedules of a store.

    Args:
        where: of the store.
        folder: the lab's, in which campaign files lie.
        writes: whether anything is to be changed; looking works beside a service.
        service: that owns the store, with the token of who asks; None where none does.

    Raises:
        StoreUnusable: it can't be opened.
    """
    if service is not None:
        yield ServiceSchedules(service)
        return
    with Store.open(where, read_only=not writes) as store:
        yield StoreSchedules(store, folder)


class StoreSchedules:
    """In the store itself. Whoever may write to its file may do so; what they do is in the audit all the same."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder.resolve()

    def all(self) -> list[Json]:
        """As :class:`Schedules`."""
        return [schedule_shape(one, 1).model_dump(mode="json") for one in self._store.schedules()]

    def one(self, name: str) -> Json:
        """As :class:`Schedules`."""
        return schedule_shape(self._store.schedule(name), 10).model_dump(mode="json")

    def add(self, document: CampaignText, wanted: Mapping[str, Any]) -> Json:
        """As :class:`Schedules`."""
        with act(self._store, "schedule add", str(wanted.get("name") or document.path), wanted):
            prepared = prepare(self._folder / document.path, text=document.text, within=self._folder)
            rehearsal = rehearse(prepared)
            refuse(rehearsal)
            campaign = rehearsal.campaign.name
            made = self._store.add_schedule(
                wanted.get("name") or campaign,
                campaign=campaign,
                document=document,
                cron=wanted["cron"],
                timezone=wanted["timezone"],
                who=user(),
                priority=wanted["priority"],
                on_missed=OnMissed(wanted["on_missed"]),
                on_overlap=OnOverlap(wanted["on_overlap"]),
            )
        return self.one(made.id)

    def pause(self, name: str) -> Json:
        """As :class:`Schedules`."""
        with act(self._store, "schedule pause", name):
            self._store.pause_schedule(name, paused=True)
        return self.one(name)

    def resume(self, name: str) -> Json:
        """As :class:`Schedules`."""
        with act(self._store, "schedule resume", name):
            self._store.pause_schedule(name, paused=False)
        return self.one(name)

    def remove(self, name: str) -> Json:
        """As :class:`Schedules`."""
        with act(self._store, "schedule remove", name):
            removed = self._store.remove_schedule(name)
        return self.one(removed.id)


class ServiceSchedules:
    """Through the service, in the name of whoever's token the client has."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def all(self) -> list[Json]:
        """As :class:`Schedules`."""
        with refusals():
            return list(self._client.schedules())

    def one(self, name: str) -> Json:
        """As :class:`Schedules`."""
        with refusals():
            return dict(self._client.schedule(name))

    def add(self, document: CampaignText, wanted: Mapping[str, Any]) -> Json:
        """As :class:`Schedules`."""
        with refusals():
            return dict(self._client.add_schedule(document.text, document.path, **wanted))

    def pause(self, name: str) -> Json:
        """As :class:`Schedules`."""
        return self._changed(name, "pause")

    def resume(self, name: str) -> Json:
        """As :class:`Schedules`."""
        return self._changed(name, "resume")

    def remove(self, name: str) -> Json:
        """As :class:`Schedules`."""
        return self._changed(name, "remove")

    def _changed(self, name: str, command: str) -> Json:
        with refusals():
            return dict(self._client.change_schedule(name, command))
