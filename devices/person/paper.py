"""A worklist on paper: a CSV, a page to print with a map of each plate, and a table to fill in."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from html import escape

from devices.person.sheet import Line, PlateShown, Sheet
from lab.bench import well_names

__all__ = ["papers_of", "plate_map"]

COLUMNS = (
    "line",
    "action",
    "source_barcode",
    "source_labware",
    "source_well",
    "holds",
    "target_barcode",
    "target_labware",
    "target_well",
    "volume_ul",
    "note",
)

_STYLE = """body{font:14px/1.35 system-ui,sans-serif;margin:2em;color:#111}
table{border-collapse:collapse;margin:.6em 0 1.4em}
td,th{border:1px solid #999;padding:.15em .45em;text-align:left;vertical-align:top}th{background:#eee}
.map td{width:5.2em;height:2.6em;font-size:11px;text-align:center}.map .on{background:#e8f1fb}
.code{font-family:ui-monospace,monospace;font-size:1.1em}tr{break-inside:avoid}@media print{body{margin:0}}"""


def papers_of(sheet: Sheet) -> dict[str, str]:
    """File name -> text of all that the person gets."""
    papers = {"worklist.csv": _worklist(sheet), "worklist.html": _page(sheet)}
    if sheet.asks is not None:
        papers["results.csv"] = _to_fill_in(sheet)
    return papers


def plate_map(rows: int, columns: int, cells: dict[str, str]) -> str:
    """A plate as an HTML table.

    Args:
        cells: well -> text; wells that have one are shaded.
    """
    head = "".join(f"<th>{column}</th>" for column in range(1, columns + 1))
    names = well_names(rows, columns)
    body = []
    for row in range(rows):
        wells = names[row * columns : (row + 1) * columns]
        filled = "".join(
            f'<td class="on">{escape(cells[well])}</td>' if well in cells else "<td></td>" for well in wells
        )
        body.append(f"<tr><th>{escape(wells[0][0])}</th>{filled}</tr>")
    return f'<table class="map"><tr><th></th>{head}</tr>{"".join(body)}</table>'


def _worklist(sheet: Sheet) -> str:
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(COLUMNS)
    for number, line in enumerate(sheet.lines, start=1):
        table.writerow([number, *_cells(sheet, line)])
    return written.getvalue()


def _cells(sheet: Sheet, line: Line) -> list[str]:
    barcodes = {piece.id: piece.barcode for piece in sheet.labware}
    return [
        line.action,
        barcodes.get(line.source, ""),
        line.source,
        line.source_well,
        line.holds,
        barcodes.get(line.target, ""),
        line.target,
        line.target_well,
        "" if line.volume_ul is None else f"{line.volume_ul:g}",
        line.note,
    ]


def _to_fill_in(sheet: Sheet) -> str:
    assert sheet.asks is not None
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["barcode", "well", "value", "unit"])
    barcode = sheet.shown(sheet.asks.plate).barcode
    for well in sheet.asks.wells:
        table.writerow([barcode, well, "", sheet.asks.unit])
    return written.getvalue()


def _page(sheet: Sheet) -> str:
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in (str(number), *_cells(sheet, line))) + "</tr>"
        for number, line in enumerate(sheet.lines, start=1)
    )
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in COLUMNS)
    labware = "".join(
        f'<tr><td class="code">{escape(piece.barcode)}</td><td>{escape(piece.id)}</td>'
        f"<td>{escape(piece.type)}</td><td>{escape(piece.at)}</td></tr>"
        for piece in sheet.labware
    )
    maps = "".join(_map(sheet, piece) for piece in sheet.labware if piece.rows * piece.columns > 1)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(sheet.id)}</title>'
        f"<style>{_STYLE}</style></head><body>"
        f"<h1>{escape(sheet.title)}: {escape(sheet.id)}</h1>"
        f"<p>{escape(sheet.device)}, {escape(sheet.made_utc)}. Done by ____________________ at ____________</p>"
        f"<h2>Labware</h2><table><tr><th>barcode</th><th>id</th><th>type</th><th>stands at</th></tr>{labware}</table>"
        f"<h2>What to do</h2><table><tr>{head}</tr>{rows}</table>{maps}</body></html>\n"
    )


def _map(sheet: Sheet, piece: PlateShown) -> str:
    """The map of one plate: what each well gets, gives, or is to be measured."""
    cells: dict[str, list[str]] = defaultdict(list)
    drawn: dict[str, str] = {}
    for line in sheet.lines:
        if line.target == piece.id and line.target_well:
            ul = "" if line.volume_ul is None else f" {line.volume_ul:g}"
            cells[line.target_well].append(f"{line.holds or line.action}{ul}")
        if line.source == piece.id and line.source_well:
            drawn[line.source_well] = line.holds
    if sheet.asks is not None and sheet.asks.plate == piece.id:
        for well in sheet.asks.wells:
            cells[well].append("measure")
    shown = {well: "; ".join(texts) for well, texts in cells.items()} or drawn
    if not shown:
        return ""
    gives = "" if cells else ", which is drawn from"
    return (
        f'<h2>Plate <span class="code">{escape(piece.barcode)}</span> ({escape(piece.id)}){gives}</h2>'
        f"{plate_map(piece.rows, piece.columns, shown)}"
    )
