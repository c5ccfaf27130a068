"""What happens in the house, numbered, for everybody who listens; the last of it is kept for whoever comes back."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self

from anyio import CapacityLimiter

from lab.engine.progress import (
    BatchProposed,
    CampaignEnded,
    CampaignOpened,
    FaultMet,
    Progress,
    ResultsRecorded,
    RunOpened,
    StepEnded,
)
from lab.service.house import House
from lab.types import JsonValue

__all__ = ["BEHIND", "KEPT", "MOST", "MOST_OF_ONE", "Hub", "Listener", "Sent", "TooMany"]

KEPT = 5000
"""Events that are kept for whoever comes back."""

BEHIND = 1000
"""Events that a listener may be behind before it is sent a fresh snapshot in their place."""

MOST = 500
"""Who may listen at the same time, in all."""

MOST_OF_ONE = 100
"""Listeners of one account."""

READERS = 4
"""Threads in which the store is read for all who listen."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One event: its number within the life of this service, its kind and what it says."""

    number: int
    kind: str
    body: dict[str, JsonValue]


class TooMany(Exception):
    """Nobody more can listen now."""


class Listener:
    """One who listens, on the loop of the server.

    Args:
        account: in whose name.
    """

    def __init__(self, account: str) -> None:
        self.account = account
        self.queue: asyncio.Queue[Sent | None] = asyncio.Queue(BEHIND)
        self._loop = asyncio.get_running_loop()
        self.lost = False

    def tell(self, sent: Sent) -> None:
        """From any thread."""
        with suppress(
            RuntimeError
        ):  # The server has ended, now or while we ask; others may listen elsewhere.
            self._loop.call_soon_threadsafe(self._put, sent)

    def _put(self, sent: Sent) -> None:
        if self.queue.full():
            self.lost = True  # It gets a snapshot; nobody waits for a slow reader.
            while not self.queue.empty():
                self.queue.get_nowait()
        self.queue.put_nowait(sent)


class Hub:
    """Numbers what happens and passes it on. Any thread.

    Attributes:
        life: of this service; numbers of another life mean nothing here.
        readers: threads in which the store is read for whoever listens.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self.life = secrets.token_hex(4)
        self.readers = CapacityLimiter(READERS)
        self._lock = threading.Lock()
        self._kept: deque[Sent] = deque(maxlen=KEPT)
        self._number = 0
        self._listeners: list[Listener] = []
        self._end: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        self._end = self._house.listen(self._progress)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def refuse_more(self, account: str) -> None:
        """See that one more may listen.

        Raises:
            TooMany: listen already, in all or in this name.
        """
        with self._lock:
            if len(self._listeners) >= MOST:
                raise TooMany(f"{MOST} listen already.")
            if sum(one.account == account for one in self._listeners) >= MOST_OF_ONE:
                raise TooMany(f"{MOST_OF_ONE} listen already in your name.")

    def join(self, account: str, last_seen: str = "") -> tuple[Listener, list[Sent] | None, int]:
        """Listen from here on. On the loop of the server.

        Args:
            account: in whose name.
            last_seen: identifier of the last event that it saw.

        Returns:
            The listener, what it missed (None where a snapshot must come first), and the number of the newest event.
        """
        listener = Listener(account)
        with self._lock:
            self._listeners.append(listener)
            return listener, self._missed(last_seen), self._number

    def latest(self, campaign_id: str, most: int) -> list[Sent]:
        """The last that happened to a campaign, as far as it is kept, in order."""
        with self._lock:
            newest_first = (
                sent for sent in reversed(self._kept) if sent.body.get("campaign_id") == campaign_id
            )
            return list(islice(newest_first, most))[::-1]

    def leave(self, listener: Listener) -> None:
        """Listen no more. Safe to repeat."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def name(self, number: int) -> str:
        """Identifier of an event, for ``Last-Event-ID``."""
        return f"{self.life}-{number}"

    def tell(self, kind: str, **body: JsonValue) -> None:
        """Pass on that something happened."""
        with self._lock:
            self._number += 1
            sent = Sent(self._number, kind, body)
            self._kept.append(sent)
            # Within the lock, which nothing here waits for: else two threads could tell them in the wrong order.
            for listener in self._listeners:
                listener.tell(sent)

    def _missed(self, last_seen: str) -> list[Sent] | None:
        life, _, written = last_seen.partition("-")
        if life != self.life or not (written.isascii() and written.isdigit()):
            return None
        last = int(written)
        oldest = self._kept[0].number if self._kept else self._number + 1
        if last > self._number or last + 1 < oldest:
            return None
        return [sent for sent in self._kept if sent.number > last]

    def _progress(self, event: Progress) -> None:
        kind, body = _told(event)
        self.tell(kind, campaign_id=event.campaign_id, lab_time_s=event.lab_time_s, **body)


def _told(event: Progress) -> tuple[str, dict[str, JsonValue]]:
    match event:
        case CampaignOpened():
            return "campaign", {"status": "running", "sentence": ""}
        case BatchProposed():
            return "batch", {"batch": event.batch.number, "experiments": len(event.batch.experiments)}
        case RunOpened():
            return "run", {"run_id": event.run.id, "batch": event.batch.number, "steps": event.steps}
        case StepEnded():
            return "step", {
                "run_id": event.run_id,
                "number": event.number,
                "device": event.device,
                "action": event.action,
                "replayed": event.replayed,
            }
        case FaultMet():
            return "fault", {
                "run_id": event.run_id,
                "device": event.device,
                "action": event.action,
                "fault": event.fault,
                "recovery": event.recovery,
                "sentence": event.sentence,
            }
        case ResultsRecorded():
            return "results", {"batch": event.batch.number, "spent": event.spent}
        case CampaignEnded():
            return "campaign", {"status": str(event.status), "sentence": event.sentence}
        case _:
            return "other", {}
