"""Pictures of what a protocol would leave: the deck, and the plates with what is in their wells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab.app.scripts import ScriptRehearsal
from lab.bench import Bench, Labware
from lab.errors import BadInput
from lab.report.figures.deck import DeckPlace, PlatePicture, deck_picture

__all__ = ["draw_deck"]


def draw_deck(rehearsal: ScriptRehearsal, path: Path) -> Path:
    """Draw the deck as it has to be loaded, and the plates as the longest way through the protocol leaves them.

    Raises:
        BadInput: it is neither SVG nor PNG, or can't be written.
    """
    if path.suffix.lower() not in (".svg", ".png"):
        raise BadInput(
            f"A picture is an SVG or a PNG, not {path.suffix or 'a file without an ending'}.",
            way_out="Name it deck.svg or deck.png.",
            file=path,
        )
    way = rehearsal.longest
    plates = [
        PlatePicture(
            name=item.id,
            rows=item.type.rows,
            columns=item.type.columns,
            wells={name: well.parts for name, well in item.wells.items() if well.volume_ul > 0},
            labels={well: label for (labware, well), label in rehearsal.labels.items() if labware == item.id},
        )
        for item in _used(way.before, way.after, rehearsal)
    ]
    title = f"{rehearsal.rehearsal.campaign.name} on {rehearsal.rehearsal.campaign.workcell}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        deck_picture(title, list(_places(way.before, {plate.name for plate in plates})), plates, path)
    except OSError as error:
        raise BadInput(
            f"The picture can't be written: {error.strerror}.", way_out="Name another file.", file=path
        ) from error
    return path


def _used(before: Bench, after: Bench, rehearsal: ScriptRehearsal) -> Iterator[Labware]:
    """Plates whose wells hold something else than before, or that the protocol labels."""
    labelled = {labware for labware, _ in rehearsal.labels}
    for item in after.of_kind("plate"):
        changed = any(
            abs(well.volume_ul - before.well(item.id, name).volume_ul) > 1e-9
            for name, well in item.wells.items()
        )
        if changed or item.id in labelled:
            yield item


def _places(bench: Bench, plates: set[str]) -> Iterator[DeckPlace]:
    """Places that hold something, and free ones beside them; of a hotel only those with plates that are used."""
    loaded = {place.device for place in bench.positions.values() if not place.home and bench.at(place.name)}
    for place in bench.positions.values():
        item = bench.at(place.name)
        if (item is None and (place.home or place.device not in loaded)) or (
            place.home and item is not None and item.id not in plates
        ):
            continue
        yield DeckPlace(
            name=place.name,
            device=place.device,
            holds="" if item is None else item.id,
            what=place.name
            if item is None
            else f"{_what(item)}, {place.name}"
            if place.home
            else _what(item),
        )


def _what(item: Labware) -> str:
    """``50 ml assay_buffer``, ``96 tips of 50 µl``, or what kind of labware it is."""
    if item.type.kind == "tip_rack":
        return f"{len(item.tips)} tips of {item.type.tip_volume_ul:g} µl"
    if item.type.kind == "trough":
        (well,) = item.wells.values()
        content = "+".join(sorted(well.parts))
        return f"{well.volume_ul / 1000:g} ml {content}" if content else "empty trough"
    filled = sum(well.volume_ul > 0 for well in item.wells.values())
    return f"{filled} filled wells" if filled else "new plate"
