"""The deck and the plates of a protocol that is tried out dry: what stands where, and what each well holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch

from lab.report.figures.style import DEVICE_COLOURS, EMPTY, GRID, INK, MUTED, WIDTH_IN, new_figure

__all__ = ["DeckPlace", "PlatePicture", "blended", "deck_picture"]

_SHOWN = 9
"""Contents that have a line in the legend; those with the largest volume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeckPlace:
    """One place, and what stands there.

    Args:
        holds: name of the labware; empty for a free place.
        what: its kind and content, as a person says it.
    """

    name: str
    device: str
    holds: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatePicture:
    """One plate and what is in its wells.

    Args:
        wells: well -> content -> volume_ul; wells that hold nothing may be left out.
        labels: well -> what the protocol calls it.
    """

    name: str
    rows: int
    columns: int
    wells: Mapping[str, Mapping[str, float]]
    labels: Mapping[str, str] = field(default_factory=dict)


def deck_picture(title: str, places: Sequence[DeckPlace], plates: Sequence[PlatePicture], path: Path) -> None:
    """Draw places and plates into an SVG or PNG file.

    Args:
        title: above everything.
        plates: as they are at the end; any number.

    Raises:
        OSError: it can't be written.
    """
    colours = _colours(plates)
    across = 2
    deck_rows = _deck_rows(places)
    deck_in = 0.55 * sum(math.ceil(len(row) / 6) for row in deck_rows.values()) + 0.35 * len(deck_rows)
    down = math.ceil(len(plates) / across)
    height = 0.9 + deck_in + down * 3.6
    with new_figure(WIDTH_IN, height) as figure:
        figure.set_facecolor("white")
        figure.suptitle(title, x=0.012, ha="left", fontsize=12, fontweight="bold", color=INK)
        grid = figure.add_gridspec(1 + down, across, height_ratios=[deck_in, *[3.6] * down])
        _deck(figure.add_subplot(grid[0, :]), deck_rows)
        for number, plate in enumerate(plates):
            _plate(figure.add_subplot(grid[1 + number // across, number % across]), plate, colours)
        if colours:
            _legend(figure, colours, labelled=any(plate.labels for plate in plates))
        if path.suffix.lower() == ".png":
            FigureCanvasAgg(figure)
            figure.savefig(path, format="png", dpi=110)
        else:
            with mpl.rc_context({"svg.hashsalt": title}):
                figure.savefig(path, format="svg", metadata={"Date": None})


def blended(parts: Mapping[str, float], colours: Mapping[str, str]) -> str:
    """Colour of a mixture: those of its contents, by their share of the volume."""
    total = sum(parts.values())
    rgb = [0.0, 0.0, 0.0]
    for content, volume_ul in parts.items():
        for channel, value in enumerate(to_rgb(colours.get(content, MUTED))):
            rgb[channel] += value * volume_ul / total
    return to_hex((rgb[0], rgb[1], rgb[2]))


def _colours(plates: Sequence[PlatePicture]) -> dict[str, str]:
    """A colour for each content, the most plentiful first; beyond the named ones all are grey."""
    totals: dict[str, float] = {}
    for plate in plates:
        for parts in plate.wells.values():
            for content, volume_ul in parts.items():
                totals[content] = totals.get(content, 0.0) + volume_ul
    ranked = sorted(totals, key=lambda content: (-totals[content], content))
    scale = mpl.colormaps["tab20"]
    extra = [to_hex(scale(n / 20)) for n in range(20)]
    return dict(zip(ranked, (*DEVICE_COLOURS[:6], *extra), strict=False))


def _deck_rows(places: Sequence[DeckPlace]) -> dict[str, list[DeckPlace]]:
    rows: dict[str, list[DeckPlace]] = {}
    for place in places:
        rows.setdefault(place.device, []).append(place)
    return rows


def _deck(axes: Axes, rows: Mapping[str, Sequence[DeckPlace]]) -> None:
    axes.set_axis_off()
    y = 0.0
    for device, places in rows.items():
        axes.text(0.0, y, device, fontsize=9.5, fontweight="bold", color=INK, va="bottom")
        for number, place in enumerate(places):
            left, top = number % 6, y + 0.15 + 0.9 * (number // 6)
            axes.add_patch(
                FancyBboxPatch(
                    (left + 0.02, top),
                    0.94,
                    0.75,
                    boxstyle="round,pad=0,rounding_size=0.06",
                    facecolor=EMPTY if place.holds else "white",
                    edgecolor=GRID if place.holds else MUTED,
                    linestyle="-" if place.holds else ":",
                    linewidth=0.9,
                )
            )
            axes.text(
                left + 0.07,
                top + 0.3,
                place.holds or "free",
                fontsize=8,
                color=INK,
                va="center",
                clip_on=True,
            )
            axes.text(
                left + 0.07,
                top + 0.56,
                _short(place.what or place.name),
                fontsize=6.8,
                color=MUTED,
                va="center",
            )
        y += 0.9 * math.ceil(len(places) / 6) + 0.55
    axes.set_xlim(0, 6)
    axes.set_ylim(y - 0.4, -0.35)


def _short(words: str) -> str:
    return words if len(words) <= 30 else f"{words[:29]}…"


def _plate(axes: Axes, plate: PlatePicture, colours: Mapping[str, str]) -> None:
    axes.set_aspect("equal")
    axes.set_xlim(-1.0, plate.columns - 0.4)
    axes.set_ylim(plate.rows - 0.4, -1.0)
    size = 230.0 * (12 / plate.columns) ** 2
    for well, (row, column) in _places(plate).items():
        parts = {content: ul for content, ul in plate.wells.get(well, {}).items() if ul > 0}
        axes.scatter(
            [column],
            [row],
            s=size,
            color=blended(parts, colours) if parts else "white",
            edgecolors=INK if well in plate.labels else GRID,
            linewidths=1.4 if well in plate.labels else 0.8,
        )
    look = {"fontsize": 7, "color": MUTED, "ha": "center", "va": "center"}
    for column in range(plate.columns):
        axes.text(column, -0.8, str(column + 1), **look)  # type: ignore[arg-type]  # words of a Text, in a dict
    for row in range(plate.rows):
        axes.text(-0.8, row, chr(ord("A") + row), **look)  # type: ignore[arg-type]  # likewise
    named = "; ".join(f"{label}: {wells}" for label, wells in _labelled(plate).items())
    axes.set_title(plate.name, fontsize=10)
    if named:
        axes.set_xlabel(
            f"ringed: {named}" if len(named) < 90 else "ringed: labelled by the protocol", fontsize=7.5
        )
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _places(plate: PlatePicture) -> dict[str, tuple[int, int]]:
    return {
        f"{chr(ord('A') + row)}{column + 1}": (row, column)
        for row in range(plate.rows)
        for column in range(plate.columns)
    }


def _labelled(plate: PlatePicture) -> dict[str, str]:
    """Label -> its wells, a few of them by name."""
    groups: dict[str, list[str]] = {}
    for well, label in plate.labels.items():
        groups.setdefault(label, []).append(well)
    return {
        label: ", ".join(wells) if len(wells) <= 4 else f"{wells[0]} to {wells[-1]}"
        for label, wells in groups.items()
    }


def _legend(figure: Figure, colours: Mapping[str, str], *, labelled: bool) -> None:
    handles = [
        Line2D([], [], linestyle="", marker="o", markersize=8, color=colour, label=content)
        for content, colour in list(colours.items())[:_SHOWN]
    ]
    if len(colours) > _SHOWN:
        handles.append(Line2D([], [], linestyle="", marker="", label=f"and {len(colours) - _SHOWN} more"))
    if labelled:
        handles.append(
            Line2D(
                [],
                [],
                linestyle="",
                marker="o",
                markersize=8,
                markerfacecolor="white",
                markeredgecolor=INK,
                label="labelled",
            )
        )
    figure.legend(handles=handles, loc="outside lower left", ncols=5, fontsize=8.5, handletextpad=0.2)
