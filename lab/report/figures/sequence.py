"""Which substitutions were tried along the sequence, and what they did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from lab.report.figures.style import EMPTY, INK, MUTED, SCALE, WARNING, new_figure, to_svg
from lab.report.values import Substitution

__all__ = ["substitution_map"]

_ROWS = {"protein": "GAVLIMFWYPSTCNQKRHDE", "dna": "ACGT"}
"""By alphabet. Amino acids by character: small and aliphatic, aromatic, proline, polar, positive, negative."""
_BREAKS = {"protein": (6, 9, 10, 15, 18), "dna": ()}
"""Rows before which the character changes."""
_LETTER = {"protein": "residue", "dna": "base"}


def substitution_map(
    substitutions: Sequence[Substitution],
    reference: str,
    reference_value: float | None,
    label: str,
    alphabet: Literal["protein", "dna"] = "protein",
) -> str:
    """Positions across, letters down; measured cells in colour, the rest by what became of them.

    Args:
        substitutions: at least one.
        reference: its letters; where its own stands is marked by a dot.
        label: of the colour bar, with its unit.
    """
    rows = _ROWS[alphabet]
    values = [s.value for s in substitutions if s.value is not None]
    norm = Normalize(min([*values, 0.0]), max([*values, 1e-9] if values else [1.0]))
    with new_figure(max(6.0, 1.0 + 0.1715 * len(reference)), 4.9) as figure:
        axes = figure.subplots()
        _cells(axes, [s for s in substitutions if s.state == "untested"], rows, EMPTY)
        _measured(axes, [s for s in substitutions if s.state == "measured"], rows, norm)
        for state, mark, colour in (("failed", "x", WARNING), ("pending", "o", INK)):
            there = [s for s in substitutions if s.state == state]
            _cells(axes, there, rows, EMPTY)
            axes.scatter(
                [s.position for s in there],
                [rows.index(s.letter) for s in there],
                marker=mark,
                s=26,
                facecolors=colour if mark == "x" else "none",
                edgecolors=None if mark == "x" else colour,
                linewidths=1.4,
            )
        axes.scatter(
            range(1, len(reference) + 1), [rows.index(a) for a in reference], s=9, color=MUTED, linewidths=0
        )
        _frame(axes, reference, alphabet)
        bar = figure.colorbar(ScalarMappable(norm, SCALE), ax=axes, fraction=0.025, pad=0.01)
        bar.outline.set_visible(False)
        bar.set_label(label)
        bar.ax.tick_params(length=0)
        if (
            reference_value is not None
            and norm.vmin is not None
            and norm.vmin <= reference_value <= (norm.vmax or 0)
        ):
            bar.ax.axhline(reference_value, color="white", linewidth=2.4)
            bar.ax.axhline(reference_value, color=INK, linewidth=1.2)
        return to_svg(
            figure,
            name="sequence",
            title="Substitutions along the sequence",
            description=f"{len(values)} of {len(substitutions)} substitutions measured,"
            f" at {len({s.position for s in substitutions if s.value is not None})} of {len(reference)} positions.",
        )


def _cells(axes: Axes, there: Sequence[Substitution], rows: str, colour: str) -> None:
    squares = [_square(s, rows) for s in there]
    axes.add_collection(PatchCollection(squares, facecolor=colour, edgecolor="none"))


def _measured(axes: Axes, there: Sequence[Substitution], rows: str, norm: Normalize) -> None:
    cells = PatchCollection(
        [_square(s, rows) for s in there], cmap=SCALE, norm=norm, edgecolor=MUTED, linewidth=0.4
    )
    cells.set_array(np.array([s.value for s in there], dtype=float))
    axes.add_collection(cells)


def _square(substitution: Substitution, rows: str) -> Rectangle:
    return Rectangle((substitution.position - 0.46, rows.index(substitution.letter) - 0.46), 0.92, 0.92)


def _frame(axes: Axes, reference: str, alphabet: Literal["protein", "dna"]) -> None:
    rows = _ROWS[alphabet]
    axes.set_xlim(0.3, len(reference) + 0.7)
    axes.set_ylim(len(rows) - 0.3, -0.7)
    axes.set_yticks(range(len(rows)), list(rows), fontsize=8.5)
    tens = [p for p in range(1, len(reference) + 1) if p == 1 or p % 5 == 0]
    axes.set_xticks(tens, [str(p) for p in tens])
    axes.tick_params(length=0)
    letters = axes.secondary_xaxis("top")
    if len(reference) <= 120:
        letters.set_xticks(range(1, len(reference) + 1), list(reference), fontsize=7.5)
    else:
        letters.set_xticks([])
    letters.tick_params(length=0, pad=1)
    letters.spines["top"].set_visible(False)
    for row in _BREAKS[alphabet]:
        axes.axhline(row - 0.5, color=MUTED, linewidth=0.4, alpha=0.6)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel(f"position (its {_LETTER[alphabet]} in the reference above)")
    axes.set_ylabel("substituted by")
