"""``drywet deck``: what must stand where before a run, and holding scans against it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.cli.options import JsonOption, StoreOption, out

if TYPE_CHECKING:
    from lab.app.deck import Checklist

__all__ = ["ask_for_deck", "ask_for_deck_again", "deck"]


def deck(
    file: Annotated[Path, typer.Argument(help="A campaign or workcell file (YAML).", show_default=False)],
    html: Annotated[Path | None, typer.Option("--html", help="Write a page to print here.")] = None,
    scans: Annotated[
        Path | None, typer.Option("--scans", help="Hold these scans against it: a CSV of position,barcode.")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what must stand where before a run, with barcodes; check it against what was scanned.

    Where a campaign of the store waits to go on there, what it has left is shown: moved plates, used tips, volumes. Else
    what the file says. Exit code 2 when something stands at another's place.

    Example: [bold]drywet deck campaigns/thermostable_protein_g.yaml --html deck.html[/bold]
    """
    from lab.app.deck import as_page, read_scans, refuse_wrong

    wanted = _from_store(file, store)
    if html is not None:
        _write(html, as_page(wanted))
    if as_json:
        from dataclasses import asdict

        from lab.cli.text import print_json

        print_json(asdict(wanted))
    elif html is None and scans is None:
        _show(wanted, out)
    if scans is not None:
        refuse_wrong(wanted, read_scans(scans))
        if not as_json:
            out.print("The deck is as it should be.", highlight=False)


def ask_for_deck(
    files: list[Path],
    to: Console,
    *,
    store: str | None,
    new: bool,
    campaign: str = "",
    beside: bool = False,
) -> None:
    """On a real bench, have a person look at the deck before anything moves: once, piece by piece.

    Args:
        store: that the run is kept in.
        new: it starts afresh, whatever the store holds.
        campaign: of a workcell file, the one that may wait to go on there.
        beside: a lab service owns the store, which is only read.

    Raises:
        BadInput: something stands at another's place, the person says no, or nobody is there to be asked.
    """
    from lab.app.deck import checklist

    for file in files:
        wanted = checklist(file)
        if wanted.real:
            wanted = wanted if new else _from_store(file, store, campaign=campaign, upgrade=not beside)
            _ask(wanted, to, f"drywet deck {file}")


def ask_for_deck_again(name: str | None, store: str | None, to: Console, *, beside: bool = False) -> None:
    """The same before a campaign of the store goes on.

    Args:
        beside: a lab service owns the store, which is only read.

    Raises:
        BadInput: as :func:`ask_for_deck`, or there is nothing to go on with.
        StoreUnusable: there is no store, or it can't be used.
    """
    from lab.app import Laboratory, Settings
    from lab.app.deck import checklist_of
    from lab.app.unfinished import waiting
    from lab.cli.choosing import refuse_missing

    settings = Settings() if store is None else Settings(store=store)
    refuse_missing(settings.store)
    if beside:
        from lab.cli.choosing import open_to_read
        from lab.cli.following import waiting_there

        with open_to_read(settings.store) as opened:
            left = waiting_there(opened, name)
            if opened.bench(left.bench_id).twin:
                return
            wanted = checklist_of(opened, left)
        _ask(wanted, to, "drywet inventory")
        return
    with Laboratory.open(settings) as laboratory:
        record = waiting(laboratory.store, name)
        if laboratory.store.bench(record.bench_id).twin:
            return
        wanted = checklist_of(laboratory.store, record)
    _ask(wanted, to, "drywet inventory")


def _from_store(file: Path, store: str | None, *, campaign: str = "", upgrade: bool = False) -> Checklist:
    """The checklist of a file, with what the store knows of it.

    Args:
        upgrade: an older store may be brought up to date, as whoever asks is about to write to it.
    """
    from lab.app import Settings
    from lab.app.deck import checklist
    from lab.store import Store

    where = (Settings() if store is None else Settings(store=store)).store
    if "://" not in where and not Path(where).exists():
        return checklist(file)
    with Store.open(where, read_only=not upgrade) as opened:
        return checklist(file, opened, campaign=campaign)


def _ask(wanted: Checklist, to: Console, see: str) -> None:
    from lab.app.deck import refuse_wrong
    from lab.errors import BadInput

    if not sys.stdin.isatty():
        raise BadInput(
            f"Nobody has said that the deck of {wanted.title} is loaded.",
            way_out=f"Look at it ({see}), then start again with: --deck-checked",
        )
    _show(wanted, to)
    scanned = {
        piece.position: typer.prompt(f"Scan or type {piece.position}", default="", show_default=False).strip()
        for piece in wanted.pieces
        if piece.barcode
    }
    refuse_wrong(wanted, scanned)
    if not typer.confirm("Does everything else stand as listed?"):
        raise BadInput("The deck is not loaded.", way_out="Load it, and start again.")


def _show(wanted: Checklist, to: Console) -> None:
    left_by = f"  as {escape(wanted.left_by)} has left it" if wanted.left_by else ""
    to.print(f"[bold]{escape(wanted.title)}[/]{left_by}", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("position", "labware", "type", "barcode", "contents"):
        table.add_column(heading)
    for piece in wanted.pieces:
        cells = (piece.position, piece.labware, piece.type, piece.barcode or "-", piece.contents)
        table.add_row(*(escape(cell) for cell in cells))
    to.print(table)


def _write(path: Path, text: str) -> None:
    from lab.errors import BadInput

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"It can't be written: {error.strerror}.", way_out="Name another file.", file=path
        ) from error
    out.print(f"Wrote {path}", markup=False, highlight=False, soft_wrap=True)
