"""The twin's own record of what physically happened: one line of JSON for each action, on disk before it takes effect.

Kept apart from the store, so that after a crash the two can be compared. A controller killed in the middle of a line
leaves a torn last line; that action never took effect, and reading cuts the line off.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.errors import BadInput, StoreUnusable
from lab.types import JsonValue

__all__ = ["LEDGER_FORMAT", "Action", "Ledger", "LedgerHead"]

LEDGER_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One physical action.

    Args:
        n: of this instrument's actions, counted from 0; keys its noise.
        lab_time_s: when it took effect.
    """

    n: int
    lab_time_s: float
    instrument: str
    action: str
    arguments: dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHead:
    """First line of a ledger: what the world was before the first action.

    Args:
        bench: snapshot by :meth:`lab.bench.Bench.to_json`.
        seats: position -> name of what it is for a plate's temperature (:data:`digital_twin.thermal.SEATS`).
        start_s: lab time at which the world began.
    """

    seed: int
    bench: dict[str, JsonValue]
    seats: dict[str, str]
    start_s: float
    format: int = LEDGER_FORMAT


class Ledger:
    """Append-only list of actions; on disk when it has a path, otherwise only in memory.

    Args:
        path: of the file; created with its head, never overwritten.
        head: written to a new file.

    Raises:
        BadInput: the file exists already (:meth:`read` opens it), or cannot be written.
    """

    def __init__(self, path: Path | None, head: LedgerHead) -> None:
        self.path = path
        self.head = head
        self.actions: list[Action] = []
        self._file: int | None = None
        self._broken: OSError | None = None
        if path is None:
            return
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        except OSError as error:
            raise BadInput(
                f"the twin's ledger can't be created: {error.strerror}.",
                way_out="Give a file that does not exist yet, in a folder that can be written to.",
                file=path,
            ) from error
        self._write(asdict(head))

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """Open a ledger that exists, to go on with it. A torn last line is cut off the file.

        Raises:
            BadInput: no such file, not a ledger, of another format, or damaged before its last line.
        """
        head, actions, whole = _parse(path)
        ledger = cls(None, head)
        ledger.path = path
        ledger.actions = actions
        ledger._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        if os.fstat(ledger._file).st_size != whole:
            os.ftruncate(ledger._file, whole)
            os.fsync(ledger._file)
        return ledger

    @property
    def end_s(self) -> float:
        """Lab time of the last action; of the beginning when there is none."""
        return self.actions[-1].lab_time_s if self.actions else self.head.start_s

    def append(self, action: Action) -> None:
        """Put an action on record; on disk (fsync) when this returns.

        Raises:
            StoreUnusable: it can't be written; the action is not on record.
        """
        if self._file is not None:
            self._write(asdict(action))
        self.actions.append(action)

    def close(self) -> None:
        """Close the file; safe to repeat."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, record: dict[str, JsonValue]) -> None:
        assert self._file is not None
        if self._broken is not None:
            raise self._unwritable(self._broken)
        line = json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        begun = os.fstat(self._file).st_size
        try:
            while line:
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)
        except OSError as error:
            self._cut_off(begun)
            raise self._unwritable(error) from error

    def _cut_off(self, whole: int) -> None:
        """A full disk may take half a line. What comes after it must not be glued to that half."""
        assert self._file is not None
        try:
            os.ftruncate(self._file, whole)
        except (
            OSError
        ) as error:  # a disk that has turned read-only; reading the ledger anew cuts half a line off
            self._broken = error

    def _unwritable(self, error: OSError) -> StoreUnusable:
        return StoreUnusable(
            f"the twin's ledger can't be written: {error.strerror or error}.",
            way_out="See that its disk has space and can be written to, then go on with: drywet resume",
            file=self.path,
        )


def _parse(path: Path) -> tuple[LedgerHead, list[Action], int]:
    """Head, actions and the length in bytes of the lines that are whole."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"the twin's ledger can't be read: {error.strerror}.", file=path) from error
    whole = content.rfind(b"\n") + 1
    lines = content[:whole].splitlines()
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise BadInput(
                "this line of the twin's ledger can't be read, though it is not the last one.",
                way_out="The file was changed by something else; start a new bench session.",
                file=path,
                line=number,
            ) from error
    try:
        head = LedgerHead(**records[0])
        actions = [Action(**record) for record in records[1:]]
    except (IndexError, TypeError) as error:
        raise BadInput("this is no ledger of a twin.", file=path) from error
    if head.format != LEDGER_FORMAT:
        raise BadInput(
            f"the twin's ledger has format {head.format}; this version reads {LEDGER_FORMAT}.",
            way_out="Start a new bench session.",
            file=path,
        )
    return head, actions, whole
