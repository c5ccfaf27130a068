"""``drywet deck``: what must stand where before a run, and holding scans against it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.cli.options import JsonOption, out

if TYPE_CHECKING:
    from lab.app.deck import Checklist

__all__ = ["ask_for_deck", "deck"]


def deck(
    file: Annotated[Path, typer.Argument(help="A campaign or workcell file (YAML).", show_default=False)],
    html: Annotated[Path | None, typer.Option("--html", help="Write a page to print here.")] = None,
    scans: Annotated[
        Path | None, typer.Option("--scans", help="Hold these scans against it: a CSV of position,barcode.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what must stand where before a run, with barcodes; check it against what was scanned.

    Exit code 2 when something stands at another's place.

    Example: [bold]drywet deck campaigns/thermostable_protein_g.yaml --html deck.html[/bold]
    """
    from lab.app.deck import as_page, checklist, read_scans, refuse_wrong

    wanted = checklist(file)
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


def ask_for_deck(files: list[Path], to: Console) -> None:
    """On a real bench, have a person look at the deck before anything moves: once, piece by piece.

    Raises:
        BadInput: something stands at another's place, the person says no, or nobody is there to be asked.
    """
    from lab.app.deck import checklist, refuse_wrong
    from lab.errors import BadInput

    for file in files:
        wanted = checklist(file)
        if not wanted.real:
            continue
        if not sys.stdin.isatty():
            raise BadInput(
                f"Nobody has said that the deck of {wanted.title} is loaded.",
                way_out=f"Look at it (drywet deck {file}), then start again with: --deck-checked",
                file=file,
            )
        _show(wanted, to)
        scanned = {
            piece.position: typer.prompt(
                f"Scan or type {piece.position}", default="", show_default=False
            ).strip()
            for piece in wanted.pieces
            if piece.barcode
        }
        refuse_wrong(wanted, scanned)
        if not typer.confirm("Does everything else stand as listed?"):
            raise BadInput("The deck is not loaded.", way_out="Load it, and start again.", file=file)


def _show(wanted: Checklist, to: Console) -> None:
    to.print(f"[bold]{escape(wanted.title)}[/]", highlight=False)
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
