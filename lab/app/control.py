"""Where a running drywet can be reached by another process: a folder of small files beside the store.

No login, database, planner or lab time is needed for it. Who runs campaigns keeps a file here that the operating system
locks for as long as the process lives, so a file that a dead process left is known for what it is. Who wants something of
it puts a request beside it and reads the answer; both appear whole, by renaming. Files:

* ``4711@lab-pc.json``: a process at work, what it works on and since when;
* ``4711@lab-pc.<id>.request.json``: what somebody asks of it;
* ``4711@lab-pc.<id>.answer.json``: what became of that, kept for :data:`KEPT_S`.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.app.settings import Settings
from lab.errors import BadInput
from lab.types import JsonValue

__all__ = [
    "KEPT_S",
    "Action",
    "Answer",
    "Presence",
    "Request",
    "ask",
    "control_folder",
    "newest_answer",
    "present",
    "store_name",
    "sweep",
    "take_requests",
    "write_answer",
    "write_whole",
]

KEPT_S = 7 * 24 * 3600.0
"""Wall time for which answers are kept, to be looked at after the process has ended."""


class Action(StrEnum):
    """What can be asked of a process at work."""

    STOP = "stop"
    STOP_NOW = "stop_now"
    PAUSE = "pause"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asks of a process.

    Args:
        to: identifier of the process.
        campaign: name or id; None for all of them.
    """

    id: str
    to: str
    action: Action
    reason: str
    campaign: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a request so far.

    Args:
        state: ``accepted``, then ``done``; or ``refused``.
        report: of a stop in the midst of a step; None before it is known, and for all else.
    """

    state: str
    sentence: str
    report: Mapping[str, JsonValue] | None = None

    @property
    def final(self) -> bool:
        """Whether nothing more is to be expected."""
        return self.state != "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """A process that runs campaigns.

    Args:
        store: that it writes to, without a password.
        campaigns: names; empty while it gets ready.
        real: names of the workcells of real instruments that it holds.
        since: UTC, ISO 8601.
        service: where it answers as a lab service; empty for a process that is none.
        lab: folder in which all lies that campaigns of the service name.
    """

    pid: int
    host: str
    store: str
    since: str
    campaigns: tuple[str, ...] = ()
    real: tuple[str, ...] = ()
    service: str = ""
    lab: str = ""
    folder: Path = field(default=Path(), compare=False)

    @property
    def id(self) -> str:
        """Two containers may have processes of one number on one disk; their hosts' names differ."""
        return f"{self.pid}@{self.host}"

    @property
    def label(self) -> str:
        """For a person."""
        return f"process {self.pid} on {self.host}"

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder / f"{self.id}.json"

    @property
    def alive(self) -> bool:
        """Whether the process still holds its file; a file that nobody holds was left by a dead one."""
        return _held(self.path)

    def to_json(self) -> dict[str, JsonValue]:
        """What stands in its file."""
        return {key: value for key, value in asdict(self).items() if key != "folder"}

    @classmethod
    def this(cls, store: str, folder: Path) -> Presence:
        """Of the process that calls."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(pid=os.getpid(), host=socket.gethostname(), store=store, since=now, folder=folder)


def control_folder(settings: Settings) -> Path:
    """Beside a SQLite store; under ``.drywet`` here for a server's."""
    return settings.twin_folder.parent / "control"


def store_name(where: str) -> str:
    """What a store is called in these files: its path from the root, or its URL without password and options."""
    if "://" not in where:
        return str(Path(where).resolve())
    parts = urlsplit(where)
    user = f"{parts.username}@" if parts.username else ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme.partition('+')[0]}://{user}{parts.hostname or ''}{port}{parts.path}"


def present(folder: Path) -> tuple[Presence, ...]:
    """The processes at work here, oldest first. Changes nothing."""
    found = [_read_presence(path) for path in _names(folder, ".json") if _held(path)]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (one.since, one.pid)))


def sweep(folder: Path) -> None:
    """Take away what dead processes left: their own files and requests at once, answers when they are old."""
    for path in _names(folder, ".json"):
        if not _is_presence(path):
            continue
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # raises where it is held
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                path.unlink()
    living = {one.id for one in present(folder)}
    for path in _names(folder, ".request.json"):
        if _addressee(path) not in living:
            path.unlink(missing_ok=True)
    for path in [*_names(folder, ".answer.json"), *_names(folder, ".new")]:
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > KEPT_S:
                path.unlink()


def ask(presence: Presence, action: Action, reason: str, campaign: str | None) -> Request:
    """Put a request before a process.

    Raises:
        BadInput: it can't be written.
    """
    number = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    request = Request(id=number, to=presence.id, action=action, reason=reason, campaign=campaign)
    path = presence.folder / f"{presence.id}.{number}.request.json"
    try:
        write_whole(path, asdict(request))
    except OSError as error:
        raise BadInput(
            f"The request can't be put before {presence.label}: {error.strerror}.",
            way_out=f"On {presence.host}, kill {presence.pid} stops it between two steps as well.",
            file=path,
        ) from error
    return request


def take_requests(folder: Path, to: str) -> Iterator[Request]:
    """The requests to a process that it has not seen yet, oldest first; what can't be read is taken away."""
    for path in _names(folder, ".request.json"):
        if _addressee(path) != to:
            continue
        text = path.read_text(encoding="utf-8")
        path.unlink()
        with suppress(ValueError, TypeError, KeyError):
            written = json.loads(text)
            yield Request(**{**written, "action": Action(written["action"])})


def write_answer(folder: Path, request: Request, answer: Answer) -> None:
    """Tell what became of a request so far.

    Raises:
        OSError: it can't be written.
    """
    about = {"action": str(request.action), "campaign": request.campaign, "reason": request.reason}
    write_whole(_answer_path(folder, request), {**about, **asdict(answer)})


def newest_answer(folder: Path, request: Request) -> Answer | None:
    """What became of a request; None before it was answered."""
    try:
        written = json.loads(_answer_path(folder, request).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Answer(state=written["state"], sentence=written["sentence"], report=written["report"])


def write_whole(path: Path, value: JsonValue) -> None:
    """A file that is there as a whole or not at all, on the disk when this returns.

    Raises:
        OSError: it can't be written.
    """
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        with beside.open("x", encoding="utf-8") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _answer_path(folder: Path, request: Request) -> Path:
    return folder / f"{request.to}.{request.id}.answer.json"


def _names(folder: Path, ending: str) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(ending))
    except OSError:
        return []


def _is_presence(path: Path) -> bool:
    return not path.name.endswith((".request.json", ".answer.json"))


def _addressee(path: Path) -> str:
    """Whom a request or an answer concerns: ``4711@lab.pc`` of ``4711@lab.pc.20260101T000000-1a2b.request.json``."""
    return path.name.rsplit(".", 3)[0]


def _held(path: Path) -> bool:
    if not _is_presence(path):
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _read_presence(path: Path) -> Presence | None:
    """What a process says of itself; None where it has taken its file away meanwhile."""
    for _ in range(3):  # it is written over in place, for the lock is on this very file
        try:
            written: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            lists = {key: tuple(written[key]) for key in ("campaigns", "real")}
            return Presence(**{**written, **lists, "folder": path.parent})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError):
            time.sleep(0.01)
    return None
