"""Two objectives against each other: everything measured, and what no other candidate beats."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from lab.report.figures.style import ACCENT, MUTED, PAPER, REFERENCE, WIDTH_IN, bare, new_figure, to_svg
from lab.report.goal_words import target_name
from lab.report.values import Estimate, Target, Variant

__all__ = ["pareto"]

_TOLD = 12
"""Names of the set that its spoken description holds."""

_APART = (0.09, 0.05)
"""Least distance of two points along x and up y, as shares of the axes, at which both can carry their names."""


def pareto(variants: Sequence[Variant], targets: Sequence[Target], reference_name: str) -> str:
    """Values of two targets, the Pareto set with its 95 % intervals.

    Args:
        variants: everything measured, those of the set marked.
        targets: the two, the first along the x axis; candidates of which one of them is not known are left out.
    """
    along, up = targets
    both = [v for v in variants if v.candidate_id in along.estimates and v.candidate_id in up.estimates]
    front = sorted((v for v in both if v.on_front), key=lambda v: along.estimates[v.candidate_id].value)
    with new_figure(WIDTH_IN, 5.2) as figure:
        axes = figure.subplots()
        for broken in (False, True):
            rest = [v for v in both if not v.on_front and bool(v.broken) is broken]
            axes.plot(
                [along.estimates[v.candidate_id].value for v in rest],
                [up.estimates[v.candidate_id].value for v in rest],
                "o",
                color=MUTED,
                markerfacecolor=PAPER if broken else MUTED,
                markersize=5,
                alpha=0.7,
            )
        for variant in front:
            _point(axes, along.estimates[variant.candidate_id], up.estimates[variant.candidate_id])
        axes.margins(0.08)
        if along.reference is not None and up.reference is not None:
            here = (along.reference.value, up.reference.value)
            axes.plot(*here, "D", color=REFERENCE, markersize=8)
            axes.annotate(
                reference_name,
                here,
                xytext=(8, -12),
                textcoords="offset points",
                color=REFERENCE,
                fontweight="bold",
            )
        axes.set_xlabel(_label(along))
        axes.set_ylabel(_label(up))
        bare(axes, grid="both")
        _name(
            axes,
            [(v.candidate_id, along.estimates[v.candidate_id], up.estimates[v.candidate_id]) for v in front],
        )
        return to_svg(
            figure,
            name="pareto",
            title=f"{target_name(up.name)} against {target_name(along.name)}",
            description=f"{len(both)} candidates measured in both; {len(front)} in the Pareto set: "
            + ", ".join(v.candidate_id for v in front[:_TOLD]),
        )


def _point(axes: Axes, x: Estimate, y: Estimate) -> None:
    axes.plot(_ends(x), [y.value, y.value], color=ACCENT, linewidth=1.2, alpha=0.6)
    axes.plot([x.value, x.value], _ends(y), color=ACCENT, linewidth=1.2, alpha=0.6)
    axes.plot(x.value, y.value, "o", color=ACCENT, markersize=7)


def _name(axes: Axes, points: Sequence[tuple[str, Estimate, Estimate]]) -> None:
    """Write names beside points, from the first on, but for those that would lie on another's."""
    to_share = axes.transData + axes.transAxes.inverted()
    named: list[tuple[float, float]] = []
    for name, x, y in points:
        at = to_share.transform((x.value, y.value))
        if any(abs(at[0] - other[0]) < _APART[0] and abs(at[1] - other[1]) < _APART[1] for other in named):
            continue
        named.append((at[0], at[1]))
        axes.annotate(
            name,
            (x.value, y.value),
            xytext=(7, 7),
            textcoords="offset points",
            color=ACCENT,
            fontsize=9,
        )


def _ends(estimate: Estimate) -> tuple[float, float]:
    if math.isfinite(estimate.low) and math.isfinite(estimate.high):
        return estimate.low, estimate.high
    return estimate.value, estimate.value


def _label(target: Target) -> str:
    unit = f", {target.unit}" if target.unit not in ("", "1") else ""
    return f"{target_name(target.name)}{unit} ({target.wanted})"
