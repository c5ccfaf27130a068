"""``drywet worklist``: what the people at a bench are asked to do, and handing it in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.cli.options import ByOption, JsonOption, out, who_says
from lab.types import JsonValue

if TYPE_CHECKING:
    from lab.app.worklists import Worklist

__all__ = ["worklist"]

worklist = typer.Typer(
    no_args_is_help=True, help="Worklists of the people at a bench: what is out, and handing it in."
)

Place = Annotated[
    Path, typer.Argument(help="A workcell file (YAML), or the folder of its worklists.", show_default=False)
]
SheetName = Annotated[
    str | None,
    typer.Argument(help="A worklist; the only one that is out if left out.", show_default=False),
]
NoteOption = Annotated[str, typer.Option("--note", help="What there is to say of it, in a sentence.")]


@worklist.command("list")
def list_all(
    place: Place,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were handed in.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the worklists that are out."""
    from lab.app.worklists import folder_at, worklists

    found = [one for one in worklists(folder_at(place)) if everything or one.answer is None]
    if as_json:
        from lab.cli.text import print_json

        print_json({"worklists": [_to_json(one) for one in found]})
    elif not found:
        out.print("No worklist is out." if not everything else "There are no worklists.", highlight=False)
    else:
        _table(found, out)


@worklist.command()
def show(place: Place, sheet: SheetName = None) -> None:
    """Show a worklist line by line, and where its papers are."""
    from lab.app.worklists import folder_at, the_one_out, worklists

    folder = folder_at(place)
    found = worklists(folder)
    wanted = sheet or the_one_out(found)
    one = next((one for one in found if one.sheet.id == wanted), None)
    if one is None:
        folder.sheet(wanted)  # says that there is none
        return
    out.print(
        f"[bold]{escape(one.sheet.title)}[/]  {one.sheet.id}, {escape(one.sheet.device)}", highlight=False
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "from", "holds", "to", "ul", ""):
        table.add_column(heading)
    for line in one.sheet.lines:
        volume = "" if line.volume_ul is None else f"{line.volume_ul:g}"
        cells = (
            line.action,
            f"{line.source} {line.source_well}".strip(),
            line.holds,
            f"{line.target} {line.target_well}".strip(),
            volume,
            line.note,
        )
        table.add_row(*(escape(cell) for cell in cells))
    out.print(table)
    out.print(f"To print: {one.path / 'worklist.html'}", markup=False, highlight=False, soft_wrap=True)


@worklist.command()
def done(
    place: Place,
    sheet: SheetName = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", help="What was measured: CSV or Excel, a list of wells or a grid."),
    ] = None,
    barcode: Annotated[
        str, typer.Option("--barcode", help="Of the plate that was measured, where the file names none.")
    ] = "",
    page: Annotated[str, typer.Option("--page", help="Sheet of an Excel workbook.")] = "",
    reader: Annotated[
        str, typer.Option("--reader", help="The file is a reader's own export, of this make: BMG_MARS, ...")
    ] = "",
    note: NoteOption = "",
    by: ByOption = None,
) -> None:
    """Hand a worklist in: all of it was done.

    Nothing of a results file is used when anything in it is wrong: another plate, a well missing or twice, another unit, a
    number out of range.

    Example: [bold]drywet worklist done bench.yaml --results results.csv[/bold]
    """
    from lab.app.worklists import Given

    given = None if results is None else Given(file=results, barcode=barcode, page=page, reader=reader)
    _hand_in(place, sheet, "done", by, note, given)


@worklist.command("not-done")
def not_done(place: Place, sheet: SheetName = None, note: NoteOption = "", by: ByOption = None) -> None:
    """Hand a worklist in: nothing of it was done, and it may be asked for again."""
    _hand_in(place, sheet, "not-done", by, note)


@worklist.command()
def unsure(place: Place, sheet: SheetName = None, note: NoteOption = "", by: ByOption = None) -> None:
    """Hand a worklist in: something of it was done, or nobody is sure. Its samples are not used any more."""
    _hand_in(place, sheet, "unsure", by, note)


def _hand_in(
    place: Path, sheet: str | None, said: str, by: str | None, note: str, given: object = None
) -> None:
    from lab.app.worklists import Given, folder_at, hand_in, the_one_out, worklists

    folder = folder_at(place)
    wanted = sheet or the_one_out(worklists(folder))
    assert given is None or isinstance(given, Given)
    answer = hand_in(folder, wanted, said, by=who_says(by), note=note, given=given)
    numbers = f", with {len(answer.values)} numbers" if answer.values else ""
    out.print(f"{wanted} is handed in as {said}{numbers}.", markup=False, highlight=False)


def _table(found: list[Worklist], to: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "what", "who", "lines", "since", "", "papers"):
        table.add_column(heading)
    for one in found:
        said = "out" if one.answer is None else f"{one.answer.said}, {one.answer.by}"
        cells = (
            one.sheet.id,
            one.sheet.title,
            one.sheet.device,
            str(len(one.sheet.lines)),
            one.sheet.made_utc,
            said,
            str(one.path),
        )
        table.add_row(*(escape(cell) for cell in cells))
    to.print(table)


def _to_json(one: Worklist) -> JsonValue:
    answer = None if one.answer is None else one.answer.model_dump(mode="json")
    return {**one.sheet.to_json(), "path": str(one.path), "handed_in": answer, "taken": one.taken}
