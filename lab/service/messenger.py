"""Tells people what happens: one thread notes what is to be told, and one for each channel sends it."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Self

from lab.errors import StoreUnusable
from lab.notices import Channel, Notice, NoticeStatus, next_try
from lab.service.personal import PREFIX, channel_of, mail_of, waits_for, wants_mail
from lab.service.senders import PATIENCE_S, NotSent, send
from lab.store import Store
from lab.store.news import Heard

__all__ = ["LOOK_EVERY_S", "Messenger"]

log = logging.getLogger("drywet.service")

LOOK_EVERY_S = 2.0
"""Wall time between two looks at what happened."""


def _wall() -> datetime:
    return datetime.now(UTC)


class Messenger:
    """Reads what happened out of the store and sends notices of it. Nothing ever waits for it.

    What was noted and how far was read is written in one transaction, so a restart loses nothing and tells nothing twice. A
    try that is cut off is made once more: of two that say the same, the second shows the same identifier.

    Args:
        store: open for writing.
        channels: over which people are told.
        console: address of the console, for links.
        now: the time on the wall, UTC.
    """

    def __init__(
        self, store: Store, channels: Sequence[Channel], console: str, now: Callable[[], datetime] = _wall
    ) -> None:
        self.channels = tuple(channels)
        self._store = store
        self._console = console.rstrip("/")
        self._now = now
        self._closing = threading.Event()
        self._wakes = {channel.name: threading.Event() for channel in self.channels}
        self.mail = mail_of(self.channels)
        self._wake_people = threading.Event()
        self._threads: list[threading.Thread] = []

    def listen(self) -> int:
        """Note what happened since one listened last; how many notices that made.

        Raises:
            StoreUnusable: the store can't be read or written.
        """
        new = 0
        for heard in self._store.news():
            new += self._store.note_news(heard, self.channels, self._now(), self._personal(heard))
        if new:
            self.wake()
        return new

    def _personal(self, heard: Heard) -> dict[str, list[Channel]]:
        """Key of news -> the ways to those for whom it waits and who want to be told."""
        if self.mail is None or not heard.news:
            return {}
        mail, people = self.mail, self._store.people()
        return {
            news.key: [channel_of(one, mail) for one in waits_for(self._store, news, people)]
            for news in heard.news
        }

    def send_to_people(self) -> int:
        """Send what is due to single people; how many were tried. Who does not want it any more is not told.

        Raises:
            StoreUnusable: the store can't be read or written.
        """
        tried = 0
        for name in self._store.channels_waiting(PREFIX):
            person = self._store.person(name.removeprefix(PREFIX))
            if self.mail is not None and wants_mail(person):
                tried += self.send_due(channel_of(person, self.mail))
                continue
            for notice in self._store.notices_due(name, self._now()):
                sentence = f"{person.name} is not told by mail any more."
                self._store.notice_tried(notice.number, error=sentence, at=self._now())
        return tried

    def send_due(self, channel: Channel) -> int:
        """Send what is due over a channel; how many were tried.

        Raises:
            StoreUnusable: the store can't be read or written.
        """
        due = self._store.notices_due(channel.name, self._now())
        for notice in due:
            if self._closing.is_set():
                break
            self._try(channel, notice)
        return len(due)

    def test(self, who: str) -> tuple[Notice, ...]:
        """Have a notice sent over each channel by which people see whether it works."""
        notices = self._store.note_test(f"test:{secrets.token_hex(8)}", self.channels, who, self._now())
        self.wake()
        return notices

    def wake(self) -> None:
        """Have what is due sent now."""
        for wake in (*self._wakes.values(), self._wake_people):
            wake.set()

    def link(self, path: str) -> str:
        """The address of a page of the console."""
        return f"{self._console}/{path}" if path else self._console

    def _try(self, channel: Channel, notice: Notice) -> None:
        error, again = "", None
        try:
            send(channel, notice, self.link(notice.path))
        except NotSent as failed:
            error = str(failed)
        except Exception as bug:  # Whatever one notice does, the others are sent; it is tried again like any.
            log.exception("A notice to %s can't be sent.", channel.name)
            error = type(bug).__name__
        now = self._now()
        if error:
            again = next_try(notice.tries + 1, notice.created_utc, now)
        after = self._store.notice_tried(notice.number, error=error, next_utc=again, at=now)
        if after.status is NoticeStatus.GIVEN_UP:
            log.warning(
                "%s was not told to %s: given up after a day. %s", notice.subject, channel.name, error
            )
        elif error:
            log.info("%s is not told to %s yet: %s", notice.subject, channel.name, error)

    def _keep_listening(self) -> None:
        begun = False
        while not self._closing.is_set():
            try:
                if not begun:
                    self._store.begin_to_listen()
                    begun = True
                self.listen()
            except StoreUnusable as gone:
                log.error("What is to be told can't be read: %s", gone)
            except Exception:  # It listens again in a moment, whatever went wrong.
                log.exception("What is to be told can't be read.")
            self._closing.wait(LOOK_EVERY_S)

    def _keep_sending(self, name: str, wake: threading.Event, send_due: Callable[[], int]) -> None:
        while not self._closing.is_set():
            wake.wait(LOOK_EVERY_S)
            wake.clear()
            try:
                while not self._closing.is_set() and send_due():
                    pass
            except StoreUnusable as gone:
                log.error("Notices to %s can't be read: %s", name, gone)
            except Exception:  # The same: it goes on in a moment.
                log.exception("Notices to %s can't be sent.", name)

    def __enter__(self) -> Self:
        self._closing.clear()
        self._threads = [
            threading.Thread(target=self._keep_listening, name="messenger", daemon=True),
            *(
                threading.Thread(
                    target=self._keep_sending,
                    args=(channel.name, self._wakes[channel.name], partial(self.send_due, channel)),
                    name=f"notices {channel.name}",
                    daemon=True,
                )
                for channel in self.channels
            ),
            threading.Thread(
                target=self._keep_sending,
                args=("single people", self._wake_people, self.send_to_people),
                name="notices to people",
                daemon=True,
            ),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What is being sent is waited for, within the time that a server may take; what is not sent waits in the store."""
        self._closing.set()
        self.wake()
        for thread in self._threads:
            thread.join(PATIENCE_S)
