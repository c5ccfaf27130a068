"""Plates as the reader saw them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from lab.report.figures.style import INK, MUTED, PAPER, SCALE, WARNING, WIDTH_IN, new_figure, to_svg
from lab.report.values import PlateReading, WellReading
from lab.report.wording import role_words

__all__ = ["plate_maps"]

_SIZE = {96: 54.0, 384: 13.0}
"""Area of a well's disc in points squared, four plates across."""


def plate_maps(plates: Sequence[PlateReading], name: str, unit: str, candidate: str = "variant") -> str:
    """Small multiples on one colour scale, four across, each read of a plate with its controls marked.

    Args:
        plates: of one mode of reading, in the order to draw; at least one, all of one format.
        name: unique in the page.
        unit: of the readings, for the colour bar.
        candidate: what one is called.
    """
    across = 4
    down = math.ceil(len(plates) / across)
    norm = _norm([w.value for p in plates for w in p.wells if w.value is not None and w.kind != "unused"])
    cell = WIDTH_IN / across
    with new_figure(WIDTH_IN, 0.85 + down * (cell * 0.71 + 0.22)) as figure:
        grid = figure.subplots(down, across, squeeze=False)
        for axes, plate in zip(grid.flat, plates, strict=False):
            _plate(axes, plate, norm)
        for axes in grid.flat[len(plates) :]:
            axes.set_visible(False)
        bar = figure.colorbar(
            ScalarMappable(norm, SCALE),
            ax=grid,
            location="top",
            shrink=0.4,
            aspect=40,
            anchor=(0.0, 0.0),
            pad=0.09 / down,
        )
        bar.outline.set_visible(False)
        bar.set_label(unit, loc="left")
        bar.ax.tick_params(length=0, which="both")
        if not isinstance(norm, LogNorm):
            bar.ax.xaxis.set_major_locator(MaxNLocator(nbins=4))
            bar.ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        standards = any(well.kind == "standard" for plate in plates for well in plate.wells)
        marks = _marks(candidate, standards=standards)
        figure.legend(
            handles=marks, loc="outside upper right", ncols=len(marks), fontsize=9, handletextpad=0.2
        )
        return to_svg(
            figure,
            name=name,
            title=f"Plate readings, {unit}",
            description=f"{len(plates)} plates as heat maps: one disc per well, coloured by {unit};"
            " reference wells ringed, blank wells crossed, wells that are saturated or left out ringed in red.",
        )


def _norm(values: Sequence[float]) -> Normalize:
    """Linear, or logarithmic where readings span more than two decades and are all positive."""
    if not values:
        return Normalize(0, 1)
    low, high = float(np.min(values)), float(np.max(values))
    if low > 0 and high / low > 100:
        return LogNorm(low, high)
    return Normalize(min(low, 0.0), high if high > low else low + 1)


def _plate(axes: Axes, plate: PlateReading, norm: Normalize) -> None:
    size = _SIZE.get(plate.rows * plate.columns, 54.0 * 96 / (plate.rows * plate.columns))
    axes.set_aspect("equal")
    axes.set_xlim(-1.45 * plate.columns / 12, plate.columns - 0.35)
    axes.set_ylim(plate.rows - 0.35, -0.65)
    unused = [w for w in plate.wells if w.kind == "unused" or w.value is None]
    axes.scatter(
        [w.column for w in unused],
        [w.row for w in unused],
        s=size * 0.09,
        color=MUTED,
        alpha=0.6,
        linewidths=0,
    )
    used = [w for w in plate.wells if w.kind != "unused" and w.value is not None]
    axes.scatter(
        [w.column for w in used],
        [w.row for w in used],
        c=np.array([w.value for w in used], dtype=float),
        s=size,
        cmap=SCALE,
        norm=norm,
        edgecolors=MUTED,  # what is as dark as the page stays a disc
        linewidths=0.3,
    )
    _ring(axes, [w for w in used if w.kind == "reference"], size, INK)
    # A well too bright for a number has none, and is ringed around nothing.
    _ring(
        axes,
        [w for w in plate.wells if w.kind != "unused" and (w.saturated or w.left_out)],
        size * 1.25,
        WARNING,
    )
    blank = [w for w in used if w.kind == "blank"]
    for colour, width in ((INK, 2.6), (PAPER, 1.1)):
        axes.scatter(
            [w.column for w in blank],
            [w.row for w in blank],
            marker="x",
            s=size * 0.28,
            color=colour,
            linewidths=width,
        )
    standard = [w for w in used if w.kind == "standard"]
    axes.scatter(
        [w.column for w in standard],
        [w.row for w in standard],
        marker="s",
        s=size * 0.2,
        facecolors=PAPER,
        edgecolors=INK,
        linewidths=0.8,
    )
    axes.set_title(f"batch {plate.batch} · {role_words(plate.role) or plate.labware}", fontsize=9.5, pad=11)
    _rulers(axes, plate)


def _ring(axes: Axes, wells: Sequence[WellReading], size: float, colour: str) -> None:
    axes.scatter(
        [w.column for w in wells],
        [w.row for w in wells],
        s=size * 1.12,
        facecolors="none",
        edgecolors=colour,
        linewidths=1.3,
    )


def _rulers(axes: Axes, plate: PlateReading) -> None:
    # Plain text outside the layout: hundreds of ticks to be laid out would take most of the page's time.
    look: dict[str, Any] = {
        "fontsize": 6.5,
        "color": MUTED,
        "ha": "center",
        "va": "center",
        "in_layout": False,
    }
    for column in range(0, plate.columns, 1 if plate.columns <= 12 else 3):
        axes.text(column, -1.05 * plate.rows / 8, str(column + 1), **look)
    for row in range(0, plate.rows, 1 if plate.rows <= 8 else 2):
        axes.text(-1.0 * plate.columns / 12, row, _row_name(row), **look)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _row_name(row: int) -> str:
    return chr(ord("A") + row) if row < 26 else "A" + chr(ord("A") + row - 26)


def _marks(candidate: str, *, standards: bool) -> list[Line2D]:
    def mark(label: str, marker: str, face: str, edge: str) -> Line2D:
        return Line2D(
            [],
            [],
            linestyle="",
            marker=marker,
            markersize=8,
            markerfacecolor=face,
            markeredgecolor=edge,
            label=label,
        )

    return [
        mark(candidate, "o", "#21918c", "none"),
        mark("reference", "o", "none", INK),
        mark("blank", "x", INK, INK),
        *([mark("standard", "s", PAPER, INK)] if standards else []),
        mark("saturated or left out", "o", "none", WARNING),
        Line2D([], [], linestyle="", marker="o", markersize=2.4, color=MUTED, alpha=0.6, label="unused"),
    ]
