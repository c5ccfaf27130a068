"""Worklists of a bench's persons: which are out, and handing them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lab.app.drivers.persons import worklists_of
from lab.errors import BadInput
from lab.files import load_workcell
from lab.worklists import Expected, Handed, read_results

if TYPE_CHECKING:
    from devices.person.folder import SheetFolder
    from devices.person.sheet import HandIn, Sheet

__all__ = ["Given", "Worklist", "folder_at", "hand_in", "the_one_out", "worklists"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worklist:
    """A worklist, and what became of it.

    Args:
        path: folder of its papers.
        answer: what was handed in; None while it is out.
        taken: whether its run has the answer.
    """

    sheet: Sheet
    path: Path
    answer: HandIn | None
    taken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Results that a person hands in.

    Args:
        file: a list or grid, CSV or Excel, or a reader's own export.
        barcode: of the plate, as scanned; needed where the file names none.
        page: of a workbook; the first when empty.
        reader: vendor of the export, as :mod:`lab.worklists.reader_files` calls it; empty for a list or grid.
    """

    file: Path
    barcode: str = ""
    page: str = ""
    reader: str = ""


def folder_at(place: Path) -> SheetFolder:
    """The worklists of a workcell file, or in a folder.

    Raises:
        CampaignFileError: the file is wrong.
        BadInput: there is no such place, or the workcell has no persons, or persons with folders of their own.
    """
    from devices.person.folder import SheetFolder

    if place.is_dir():
        return SheetFolder(place)
    folders = worklists_of(load_workcell(place))
    if len(folders) == 1:
        return SheetFolder(folders[0])
    if not folders:
        raise BadInput("No person works on this bench.", way_out="Name another workcell file.", file=place)
    told = ", ".join(str(folder) for folder in folders)
    raise BadInput("Its persons have several folders.", way_out=f"Name one of them: {told}.", file=place)


def worklists(folder: SheetFolder) -> tuple[Worklist, ...]:
    """All worklists of a folder, in the order in which they were handed out.

    Raises:
        BadInput: the folder can't be read, or one of them is damaged.
    """
    try:
        return tuple(
            Worklist(
                sheet=sheet,
                path=folder.path / sheet.id,
                answer=folder.answer(sheet.id),
                taken=folder.taken(sheet.id),
            )
            for sheet in folder.sheets()
        )
    except OSError as error:
        raise _unusable(folder, error) from error


def hand_in(
    folder: SheetFolder,
    sheet_id: str,
    said: str,
    *,
    by: str,
    note: str = "",
    given: Given | None = None,
) -> HandIn:
    """Say what became of a worklist; with its results, where they were asked for.

    Args:
        said: ``done``, ``not-done`` or ``unsure``.

    Raises:
        CampaignFileError: the results are not what was asked for; says all that is wrong.
        BadInput: there is no such worklist, it was handed in before, or there are no results where some were asked for, or
            some where none were.
    """
    from devices.person.sheet import HandIn, Said

    sheet = folder.sheet(sheet_id)
    answer = Said(said)
    handed = None
    if answer is Said.DONE:
        handed = _results(sheet, given)
    elif given is not None:
        raise BadInput(
            f"What was {answer.replace('-', ' ')} has no results.",
            way_out="Leave --results out.",
            field="results",
        )
    written = HandIn(
        sheet=sheet.id,
        said=answer,
        by=by,
        at_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        note=note,
        values={} if handed is None else dict(handed.values),
        source="" if given is None else given.file.name,
        source_sha256="" if handed is None else handed.sha256,
    )
    try:
        folder.hand_in(written)
    except OSError as error:
        raise _unusable(folder, error) from error
    return written


def _results(sheet: Sheet, given: Given | None) -> Handed | None:
    if sheet.asks is None:
        if given is not None:
            raise BadInput(
                f"{sheet.id} asks for no results.", way_out="Leave --results out.", field="results"
            )
        return None
    if given is None:
        raise BadInput(
            f"{sheet.id} asks for {sheet.asks.quantity} of {len(sheet.asks.wells)} wells of {sheet.asks.plate}.",
            way_out="Fill in its results.csv, or name your reader's file: --results FILE",
            field="results",
        )
    plate = sheet.shown(sheet.asks.plate)
    expected = Expected(
        plate=plate.id,
        barcode=plate.barcode,
        rows=plate.rows,
        columns=plate.columns,
        wells=sheet.asks.wells,
        unit=sheet.asks.unit,
        lowest=sheet.asks.lowest,
        highest=sheet.asks.highest,
    )
    if given.reader:
        from lab.worklists.reader_files import read_export

        return read_export(given.file, given.reader, expected, barcode=given.barcode)
    return read_results(given.file, expected, barcode=given.barcode, sheet=given.page)


def the_one_out(found: Sequence[Worklist]) -> str:
    """The id of the only worklist that is out.

    Raises:
        BadInput: none is, or several are.
    """
    out = [one.sheet.id for one in found if one.answer is None]
    if len(out) == 1:
        return out[0]
    if not out:
        raise BadInput("No worklist is out.", way_out="See all: drywet worklist list --all")
    raise BadInput(f"{len(out)} worklists are out.", way_out=f"Name one: {', '.join(out)}.")


def _unusable(folder: SheetFolder, error: OSError) -> BadInput:
    return BadInput(
        f"It can't be used: {error.strerror or error}.", way_out="Is the disk there?", file=folder.path
    )
