"""What must stand where before a run: a checklist, and scans held against it.

It comes from the workcell and candidate files where nothing has run yet, and from the store where a campaign waits to go on.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from lab.app.belief import read_bench
from lab.app.benches import belief_of
from lab.app.prepare import stored_workcell
from lab.app.unfinished import UNFINISHED
from lab.bench import Bench, Labware
from lab.errors import BadInput, CampaignFileError
from lab.files import WorkcellSpec, load_campaign, load_workcell
from lab.files.source import read_source
from lab.files.yaml_text import read_yaml
from lab.store import CampaignRecord, Store

__all__ = ["Checklist", "Piece", "as_page", "checklist", "checklist_of", "read_scans", "refuse_wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One piece of labware, where it must stand.

    Args:
        barcode: that is on it; empty where the workcell file knows none.
        contents: what is in it, in a few words.
    """

    position: str
    device: str
    labware: str
    type: str
    barcode: str
    contents: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """All that must stand on a bench before a run.

    Args:
        title: the campaign's or workcell's name.
        real: whether a device of the bench is real.
        pieces: in the order of the workcell file's positions.
        left_by: campaign whose journal tells what stands where by now; empty where the files tell it.
    """

    title: str
    real: bool
    pieces: tuple[Piece, ...]
    left_by: str = ""


def checklist(path: Path, store: Store | None = None, *, campaign: str = "") -> Checklist:
    """The checklist of a campaign file, or of a workcell file by itself.

    Args:
        store: whose journal says what stands where, if a campaign of it waits to go on there; None where there is none.
        campaign: the one that waits, for a workcell file; the newest that waits on a bench of its name when left out.

    Raises:
        CampaignFileError: the file, or one that it names, is wrong.
    """
    _, written = read_yaml(read_source(path, "campaign or workcell file"))
    if "workcell" in written:
        file = load_campaign(path)
        waiting = None if store is None else _waiting(store, file.name)
        if store is None or waiting is None:
            return _of(file.name, file.workcell, belief_of(file.workcell, file.material))
        return checklist_of(store, waiting, file.name)
    spec = load_workcell(path)
    waiting = None if store is None else _waiting(store, campaign, workcell=spec.name)
    if store is None or waiting is None:
        return _of(spec.name, spec, belief_of(spec, ()))
    return checklist_of(store, waiting, spec.name)


def checklist_of(store: Store, record: CampaignRecord, title: str = "") -> Checklist:
    """The checklist of a campaign that is to go on: what the store believes to stand where now.

    Args:
        title: the campaign's name when left out.
    """
    name = record.campaign.name
    bench = read_bench(store, record.bench_id).bench
    return replace(_of(title or name, stored_workcell(record), bench, believed=True), left_by=name)


def _waiting(store: Store, name: str, *, workcell: str = "") -> CampaignRecord | None:
    """The newest campaign of a name, or on a workcell of a name, if it waits to go on."""
    found = [
        record
        for record in store.campaigns()
        if not record.campaign.baseline_of
        and (not name or record.campaign.name == name)
        and (not workcell or store.bench(record.bench_id).workcell == workcell)
    ]
    if name:
        found = found[-1:]
    waiting = [record for record in found if record.status in UNFINISHED]
    return waiting[-1] if waiting else None


def _of(title: str, spec: WorkcellSpec, bench: Bench, *, believed: bool = False) -> Checklist:
    standing = {item.position: item for item in bench.labware.values()}
    holds = {item.id: item.holds for item in spec.labware}
    pieces = tuple(
        Piece(
            position=place.name,
            device=place.device,
            labware=item.id,
            type=next(one.type for one in spec.labware if one.id == item.id),
            barcode=spec.barcodes.get(item.id, ""),
            contents=_contents(item, holds[item.id], believed=believed),
        )
        for place in spec.positions
        if (item := standing.get(place.name)) is not None
    )
    return Checklist(title=title, real=not spec.twin, pieces=pieces)


def _contents(item: Labware, holds: str, *, believed: bool) -> str:
    lost = f"; or it stands at {item.maybe}" if item.maybe else ""
    return f"{_material(item, holds, believed=believed)}{lost}"


def _material(item: Labware, holds: str, *, believed: bool) -> str:
    if item.type.kind == "tip_rack":
        return f"{len(item.tips)} tips of {item.type.tip_volume_ul:g} ul"
    filled = {name: well for name, well in item.wells.items() if well.volume_ul > 0.0}
    if not filled:
        if item.type.kind == "lid":
            return ""
        return f"{holds}, as the candidate file says" if holds and not believed else "empty"
    volume_ul = max(well.volume_ul for well in filled.values())
    if believed and len(item.wells) > 1:
        least_ul = min(well.volume_ul for well in filled.values())
        range_ul = f"{least_ul:g} to {volume_ul:g}" if least_ul < volume_ul else f"{volume_ul:g}"
        return f"{len(filled)} wells with {range_ul} ul"
    names = dict.fromkeys(part for well in filled.values() for part in well.parts)
    what = next(iter(names)) if len(names) == 1 else f"{len(names)} of the {holds}"
    wells = "" if len(item.wells) == 1 else f" in each of {len(filled)} wells"
    told = f"{volume_ul / 1000:g} ml" if volume_ul >= 1000 else f"{volume_ul:g} ul"
    return f"{told} of {what}{wells}" if len(names) == 1 else f"{what}, {told}{wells}"


def read_scans(path: Path) -> dict[str, str]:
    """Position -> barcode, from a CSV with these two columns, as a scanner's program writes it.

    Raises:
        CampaignFileError: it is no such table, or a position stands in it twice; with the line.
    """
    source = read_source(path, "scans file")
    reader = csv.reader(io.StringIO(source.text, newline=""), strict=True)
    found: dict[str, str] = {}
    try:
        heading = [cell.strip().lower() for cell in next(reader, [])]
        if sorted(heading) != ["barcode", "position"]:
            raise CampaignFileError(
                "The heading is not position,barcode.", way_out="Write these two columns.", file=path, line=1
            )
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != 2:
                raise CampaignFileError(
                    f"This row has {len(cells)} cells.",
                    way_out="It has two.",
                    file=path,
                    line=reader.line_num,
                )
            row = dict(zip(heading, (cell.strip() for cell in cells), strict=True))
            if row["position"] in found:
                raise CampaignFileError(
                    f"{row['position']} was scanned twice.",
                    way_out="Keep one.",
                    file=path,
                    line=reader.line_num,
                )
            found[row["position"]] = row["barcode"]
    except csv.Error as wrong:
        raise CampaignFileError(
            f"This row can't be read: {wrong}.", way_out="Check its quotes.", file=path, line=reader.line_num
        ) from wrong
    return found


def refuse_wrong(wanted: Checklist, scans: Mapping[str, str]) -> None:
    """Refuse a deck on which something stands at another's place, or nothing, where a barcode is known.

    Args:
        scans: position -> barcode that was scanned there; empty where nothing stood.

    Raises:
        BadInput: a sentence for each position that is not as it should be.
    """
    problems = _problems(wanted.pieces, scans)
    if problems:
        raise BadInput(
            " ".join(problems),
            way_out="Load the deck as `drywet deck` shows it, and scan it again.",
            field="deck",
        )


def _problems(pieces: Sequence[Piece], scans: Mapping[str, str]) -> list[str]:
    homes = {piece.barcode: piece.position for piece in pieces if piece.barcode}
    places = {piece.position for piece in pieces}
    problems = [
        f"{place} was scanned, and nothing is to stand there." for place in scans if place not in places
    ]
    for piece in pieces:
        found = scans.get(piece.position, "")
        if not piece.barcode or found == piece.barcode:
            continue
        should = f"{piece.position} should hold {piece.labware} ({piece.barcode})"
        if not found:
            problems.append(f"{should}, and nothing was scanned there.")
        elif found in homes:
            problems.append(f"{should}, and {found} was scanned, which belongs to {homes[found]}.")
        else:
            problems.append(f"{should}, and {found} was scanned, which nobody knows.")
    return problems


_STYLE = """body{font:15px/1.4 system-ui,sans-serif;margin:2em;color:#111}
table{border-collapse:collapse}td,th{border:1px solid #999;padding:.25em .6em;text-align:left}th{background:#eee}
.box{width:1.6em}.code{font-family:ui-monospace,monospace}tr{break-inside:avoid}@media print{body{margin:0}}"""


def as_page(wanted: Checklist) -> str:
    """The checklist as a page to print."""
    rows = "".join(
        f'<tr><td class="box"></td><td>{escape(piece.position)}</td><td>{escape(piece.device)}</td>'
        f'<td>{escape(piece.labware)}</td><td>{escape(piece.type)}</td><td class="code">{escape(piece.barcode)}</td>'
        f"<td>{escape(piece.contents)}</td></tr>"
        for piece in wanted.pieces
    )
    left_by = f"<p>As {escape(wanted.left_by)} has left it.</p>" if wanted.left_by else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Deck: {escape(wanted.title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>Deck: {escape(wanted.title)}</h1>{left_by}"
        "<p>Checked by ____________________ at ____________</p><table><tr><th></th><th>position</th><th>of</th>"
        f"<th>labware</th><th>type</th><th>barcode</th><th>contents</th></tr>{rows}</table></body></html>\n"
    )
