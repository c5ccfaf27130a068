"""How the pictures look, and how a matplotlib figure becomes SVG that lives inside a page.

Colours that follow the page's light or dark scheme are drawn in the named inks below; :func:`to_svg` writes them as
``var(--ink, #1f2933)``, so that the page may restate them and a picture taken out of the page keeps its own. The
qualitative colours are those of Okabe and Ito (2008), the continuous scale is viridis; colour-blind readers see both.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import escape

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

__all__ = [
    "ACCENT",
    "BASELINE",
    "DEVICE_COLOURS",
    "EMPTY",
    "GRID",
    "INK",
    "MUTED",
    "PAPER",
    "REFERENCE",
    "SCALE",
    "WARNING",
    "WIDTH_IN",
    "bare",
    "new_figure",
    "to_svg",
]

INK = "#1f2933"
MUTED = "#5f6c7b"
GRID = "#dde3ea"
PAPER = "#fffffe"
EMPTY = "#edf0f4"
ACCENT = "#0072b2"
BASELINE = "#c05a00"
REFERENCE = "#00835f"
WARNING = "#b3261e"

_INKS = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    PAPER: "paper",
    EMPTY: "empty",
    ACCENT: "accent",
    BASELINE: "baseline",
    REFERENCE: "reference",
    WARNING: "warning",
}

SCALE = "viridis"
WIDTH_IN = 10.6
"""Of a figure that fills the page's column, at 72 points an inch and 96 pixels an inch."""
DEVICE_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8f98")
FONT_STACK = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

_SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text: it can be searched, read out and edited on a slide
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that sizes are the same on every machine
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=DEVICE_COLOURS),
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
}


@contextmanager
def new_figure(width_in: float, height_in: float) -> Iterator[Figure]:
    """A figure in the report's style, with no global state left behind; draw and call :func:`to_svg` inside."""
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasSVG(figure)
        yield figure


def bare(axes: Axes, *, grid: str = "y") -> None:
    """Only what helps reading: no ticks' stubs, a light grid along ``grid`` (``x``, ``y``, ``both`` or empty)."""
    axes.tick_params(length=0)
    if grid:
        axes.grid(visible=True, axis="both" if grid == "both" else "x" if grid == "x" else "y")


def to_svg(figure: Figure, *, name: str, title: str, description: str) -> str:
    """The figure as one ``<svg>`` element: the same text for the same figure.

    Args:
        name: unique in the page; keeps the ids of several pictures apart.
        title: read out by a screen reader first.
        description: what a reader who can't see it should know.
    """
    with mpl.rc_context({"svg.hashsalt": name}):
        buffer = io.StringIO()
        figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font-family: ?'DejaVu Sans'[^;\"]*;? ?", "", svg)
    svg = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", svg)
    svg = re.sub("|".join(_INKS), lambda found: f"var(--{_INKS[found[0]]}, {found[0]})", svg)
    opening = f'<svg class="figure" font-family="{FONT_STACK}" role="img" aria-labelledby="{name}-title {name}-desc" '
    spoken = (
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    )
    head, body = svg.removeprefix("<svg ").split(">", 1)
    return f"{opening}{head}>{spoken}{body}"
