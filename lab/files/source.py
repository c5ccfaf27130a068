"""A file that a person wrote: its text, where each field stands in it, and errors that say so."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from lab.errors import CampaignFileError
from lab.strict import StrictModel, did_you_mean, findings
from lab.types import JsonValue

__all__ = ["Problems", "SourceFile", "line_of", "read_source", "source_of"]

M = TypeVar("M", bound=StrictModel)

SHOWN = 20
"""Problems of one file that are shown; a table saved in the wrong format has one in every row."""


def line_of(lines: Mapping[str, int], field: str) -> int | None:
    """The line of a field, or else of the nearest that it would stand in."""
    while field:
        if field in lines:
            return lines[field]
        field = field[: max(field.rfind("."), field.rfind("["), 0)]
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file as it was read.

    Args:
        path: as the person wrote it, or as found beside the file that names it.
        sha256: of its bytes.
        lines: field (``goal.maximize``, ``labware[3].id``; lists count from 1) -> line, counted from 1.
    """

    path: Path
    text: str
    sha256: str
    lines: Mapping[str, int] = field(default_factory=dict)

    def line_of(self, field: str) -> int | None:
        """The line of a field; of what it would stand in when it is not there; None when nothing of it is."""
        return line_of(self.lines, field)

    def error(
        self, field: str, reason: str, way_out: str = "", *, line: int | None = None
    ) -> CampaignFileError:
        """An error at a field of this file; raise it, or collect it in :class:`Problems`."""
        return CampaignFileError(
            reason,
            way_out=way_out,
            file=self.path,
            line=line if line is not None else self.line_of(field),
            field=field or None,
        )

    def unknown_name(self, field: str, kind: str, given: str, known: Iterable[str]) -> CampaignFileError:
        """The error for a name that does not exist, with the likeliest meant one.

        Args:
            kind: what it would be a name of, in a reader's words (``planner``).
        """
        return self.error(field, f"There is no {kind} {given!r}.", did_you_mean(given, known))


class Problems:
    """What is wrong in one file, collected so that a person mends all of it in one go."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._found: list[CampaignFileError] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, field: str, reason: str, way_out: str = "", *, line: int | None = None) -> None:
        """Note one problem."""
        self._found.append(self._source.error(field, reason, way_out, line=line))

    def append(self, error: CampaignFileError) -> None:
        """Note one problem that is an error already."""
        self._found.append(error)

    def read(self, model: type[M], values: Mapping[str, JsonValue]) -> M | None:
        """The values as a model; None when they are none, with everything that is wrong noted."""
        try:
            return model.model_validate(values)
        except ValidationError as error:
            for found in findings(error, model):
                self.add(*found)
            return None

    def raise_if_any(self) -> None:
        """Raise one error that holds all problems, in the order of their lines.

        Raises:
            CampaignFileError: something was noted.
        """
        if not self._found:
            return
        found = sorted(self._found, key=lambda error: error.line or 0)
        first, shown = found[0], found[1:SHOWN]
        if len(found) > SHOWN:
            shown.append(self._source.error("", f"{len(found) - SHOWN} more problems follow in this file."))
        raise CampaignFileError(
            first.reason,
            way_out=first.way_out,
            file=first.file,
            line=first.line,
            field=first.field,
            others=tuple(shown),
        )


def read_source(path: Path, kind: str) -> SourceFile:
    """Read a text file that a person wrote; its lines are not looked at yet.

    Args:
        kind: what it is, in a reader's words (``campaign file``).

    Raises:
        CampaignFileError: it is missing, no file, unreadable, not UTF-8 or empty.
    """
    try:
        if path.is_dir():
            raise CampaignFileError(
                f"This is a folder, not a {kind}.", way_out="Name the file in it.", file=path
            )
        if not path.exists():
            raise CampaignFileError(f"There is no such {kind}.", way_out=_beside(path), file=path)
        if not path.is_file():
            raise CampaignFileError(
                f"This is no ordinary file, so no {kind}.", way_out="Name a file on disk.", file=path
            )
        raw = path.read_bytes()
    except OSError as error:
        raise CampaignFileError(
            f"The {kind} can't be read: {error.strerror or error}.",
            way_out="Check its name, and that you may read it.",
            file=path,
        ) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CampaignFileError(
            f"The {kind} is not UTF-8 text: byte 0x{raw[error.start]:02X} stands where a character should.",
            way_out="Save it as UTF-8 in your editor or spreadsheet program.",
            file=path,
            line=raw.count(b"\n", 0, error.start) + 1,
        ) from error
    return source_of(text, path, kind, raw)


def source_of(text: str, path: Path, kind: str, raw: bytes | None = None) -> SourceFile:
    """A text as if it stood in a file.

    Args:
        kind: what it is, in a reader's words (``campaign file``).
        raw: its bytes on disk, where they are known.

    Raises:
        CampaignFileError: it is empty.
    """
    if not text.strip():
        raise CampaignFileError(
            f"The {kind} is empty.",
            way_out="`drywet new` writes one to start from." if kind == "campaign file" else "",
            file=path,
        )
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass") if raw is None else raw)
    return SourceFile(path=path, text=text, sha256=digest.hexdigest())


def _beside(path: Path) -> str:
    """A way out for a file that is not there."""
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder {folder} either; check the path."
    names = [entry.name for entry in folder.iterdir() if entry.is_file() and entry.suffix == path.suffix]
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {str(folder / close[0])!r}?"
    return f"Check the name; looked in {folder.resolve()}."
