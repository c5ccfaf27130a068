"""The wire to a person: a folder, in which each worklist is a folder of its own.

::

    sheet_0007/
      worklist.csv     line by line
      worklist.html    the same to print, with a map of each plate
      results.csv      to fill in, where numbers are to come back
      sheet.json       written last: with it the worklist is out
      handed_in.json   what the person said; whoever comes second is refused
      WITHDRAWN.txt    its step was given up, and why: nothing of it is to be done
      taken            the run has it

Every file appears whole or not at all, and stays when the power goes: written beside its place, synced, and linked there.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from devices.person.sheet import HandIn, Said, Sheet, sheet_from_json
from lab.errors import BadInput

__all__ = ["LARGEST_BYTES", "SheetFolder"]

T = TypeVar("T")

LARGEST_BYTES = 8_000_000
"""No worklist and no hand-in is larger; of what is, nothing is read."""

_SHEET, _HANDED_IN, _TAKEN, _WITHDRAWN = "sheet.json", "handed_in.json", "taken", "WITHDRAWN.txt"
_ID = re.compile(r"^sheet_([0-9]{4,9})$")


class SheetFolder:
    """Worklists of one bench.

    Args:
        path: made when the first worklist is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """Make the folder, and see that it can be written to; harmless when it is there.

        Raises:
            OSError: it can't.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        trial = self.path / f".trial_{os.getpid()}"
        trial.write_text("", encoding="utf-8")
        trial.unlink()

    def reserve(self) -> str:
        """An id that no other worklist has, for one that is about to be written.

        Raises:
            OSError: the folder can't be written to.
        """
        number = max((int(found[1]) for found in map(_ID.match, self._names()) if found), default=0) + 1
        while True:
            sheet = f"sheet_{number:04d}"
            try:
                (self.path / sheet).mkdir()
            except FileExistsError:
                number += 1
            else:
                return sheet

    def hand_out(self, sheet: Sheet, papers: Mapping[str, str]) -> None:
        """Write a worklist under the id that was reserved for it; from then on it is out.

        Args:
            papers: file name -> text, for the person.

        Raises:
            OSError: it can't be written.
        """
        place = self.path / sheet.id
        for name, text in papers.items():
            _write(place / name, text)
        _write(place / _SHEET, json.dumps(sheet.to_json(), ensure_ascii=False, indent=1))

    def sheets(self) -> tuple[Sheet, ...]:
        """All that were handed out, in the order of their numbers.

        Raises:
            OSError: the folder can't be read.
            BadInput: one of them is damaged; names its file.
        """
        found = [name for name in self._names() if _ID.match(name) and (self.path / name / _SHEET).exists()]
        return tuple(self.sheet(name) for name in sorted(found, key=lambda name: int(name[6:])))

    def exists(self, sheet: str) -> bool:
        """Whether a worklist was handed out."""
        return _ID.match(sheet) is not None and (self.path / sheet / _SHEET).exists()

    def sheet(self, sheet: str) -> Sheet:
        """One worklist, by its id.

        Raises:
            BadInput: there is none of this id, or it is damaged.
        """
        if not self.exists(sheet):
            raise BadInput(
                f"There is no worklist {sheet} in {self.path}.",
                way_out="See what is out: drywet worklist list",
            )
        return _read(self.path / sheet / _SHEET, sheet_from_json)

    def hand_in(self, answer: HandIn) -> None:
        """Keep what a person says of a worklist; once.

        Raises:
            BadInput: there is none of this id, it was handed in before, or the numbers are not those asked for.
            OSError: it can't be written.
        """
        sheet = self.sheet(answer.sheet)
        problems = answer.problems(sheet.asks)
        if problems:
            raise BadInput(" ".join(problems), way_out="Correct the results, and hand them in again.")
        try:
            _write(self.path / sheet.id / _HANDED_IN, answer.model_dump_json(indent=1))
        except FileExistsError as second:
            before = self.answer(sheet.id)
            said = "" if before is None else f", as {before.said} by {before.by} at {before.at_utc}"
            raise BadInput(
                f"{sheet.id} was handed in before{said}.",
                way_out="Results that are in the store are corrected with: drywet results supersede",
            ) from second

    def withdraw(self, sheet: str, why: str, at_utc: str) -> None:
        """Take a worklist back that is out; one that was handed in stays as it was. Safe to repeat.

        Args:
            why: in a sentence, for the person who has it.

        Raises:
            OSError: it can't be written.
        """
        answer = HandIn(sheet=sheet, said=Said.WITHDRAWN, by="drywet", at_utc=at_utc, note=why)
        with suppress(FileExistsError):
            _write(self.path / sheet / _HANDED_IN, answer.model_dump_json(indent=1))
            _write(self.path / sheet / _WITHDRAWN, f"{sheet} is withdrawn; do nothing of it. {why}\n")

    def answer(self, sheet: str) -> HandIn | None:
        """What a person said of a worklist; None while it is out.

        Raises:
            BadInput: what is there can't be read.
            OSError: the same, of the folder.
        """
        path = self.path / sheet / _HANDED_IN
        if not path.exists():
            return None
        found = _read(path, HandIn.read)
        if found.sheet != sheet:
            raise BadInput(f"This was handed in for {found.sheet}, not for {sheet}.", file=path)
        return found

    def take(self, sheet: str) -> None:
        """Note that the run has what was handed in, so that it never counts for another step. Safe to repeat."""
        with suppress(FileExistsError):
            _write(self.path / sheet / _TAKEN, "")

    def taken(self, sheet: str) -> bool:
        """Whether the run has what was handed in."""
        return (self.path / sheet / _TAKEN).exists()

    def _names(self) -> list[str]:
        try:
            return [entry.name for entry in self.path.iterdir()]
        except FileNotFoundError:
            return []


def _read(path: Path, parse: Callable[[str], T]) -> T:
    """A file's value.

    Raises:
        BadInput: it is too large, no UTF-8, or not what it should be; names the file.
    """
    with path.open("rb") as file:
        raw = file.read(LARGEST_BYTES + 1)
    if len(raw) > LARGEST_BYTES:
        raise BadInput(f"It has more than {LARGEST_BYTES} bytes.", file=path)
    try:
        return parse(raw.decode("utf-8"))
    except UnicodeDecodeError as wrong:
        raise BadInput("It is no UTF-8.", file=path) from wrong
    except BadInput as wrong:
        raise BadInput(wrong.reason, way_out=wrong.way_out, file=path) from wrong


def _write(path: Path, text: str) -> None:
    """Make a file, whole and on disk.

    Raises:
        FileExistsError: it is there.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(beside, path)
    finally:
        beside.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
