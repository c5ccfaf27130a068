"""What was found and how fast: the best variants with their intervals, and the best so far, or the volume that several
objectives dominate together, against the budget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from lab.report.figures.style import ACCENT, BASELINE, PAPER, REFERENCE, WIDTH_IN, bare, new_figure, to_svg
from lab.report.naming import tick_labels
from lab.report.numbers import number
from lab.report.values import Curve, Estimate, Variant

__all__ = ["best_so_far", "top_variants", "volume_so_far"]


def top_variants(
    variants: Sequence[Variant], reference: Estimate | None, reference_name: str, label: str
) -> str:
    """Values and 95 % intervals, best on top, against the reference's interval as a band.

    Args:
        variants: best first; at least one.
        label: of the axis, with its unit.
    """
    with new_figure(WIDTH_IN, 1.0 + 0.29 * len(variants)) as figure:
        axes = figure.subplots()
        rows = range(len(variants) - 1, -1, -1)
        for row, variant in zip(rows, variants, strict=True):
            low, high = _finite(variant.estimate)
            axes.plot([low, high], [row, row], color=ACCENT, linewidth=1.8)
            axes.plot(
                variant.estimate.value,
                row,
                "o",
                color=ACCENT,
                markersize=7,
                markerfacecolor=ACCENT if variant.runs > 1 else PAPER,
                markeredgewidth=1.8,
            )
        axes.set_yticks(list(rows), tick_labels([(v.candidate_id, v.made_of) for v in variants]))
        axes.set_ylim(-0.7, len(variants) - 0.3)
        if reference is not None:
            low, high = _finite(reference)
            axes.axvspan(low, high, color=REFERENCE, alpha=0.2, linewidth=0)
            axes.axvline(reference.value, color=REFERENCE, linewidth=1.5)
            axes.annotate(
                reference_name,
                (reference.value, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                color=REFERENCE,
                fontweight="bold",
            )
        axes.set_xlabel(label)
        bare(axes, grid="x")
        several = any(v.runs > 1 for v in variants)
        return to_svg(
            figure,
            name="top",
            title="The best, with 95 % intervals",
            description=f"The {len(variants)} best, {variants[0].candidate_id} first, as points with 95 % intervals"
            f" on an axis of {label}; {'filled points were measured in several runs' if several else 'one run each'}.",
        )


def best_so_far(
    curve: Curve,
    baseline: Curve | None,
    reference: Estimate | None,
    reference_name: str,
    budget: int,
    label: str,
) -> str:
    """Best usable value against experiments spent, each measurement as a faint dot, and the baseline campaign's line."""
    with new_figure(WIDTH_IN, 4.6) as figure:
        axes = figure.subplots()
        axes.set_xlim(0, budget)
        axes.set_xticks(_ticks(budget))
        ends: list[tuple[float, str, str]] = []
        last = 0
        if baseline is not None and baseline.best:
            _line(axes, baseline, BASELINE, budget)
            last = baseline.best[-1][0]
            ends.append((baseline.best[-1][1], f"{_spoken(baseline.planner)}, baseline", BASELINE))
        if curve.best:
            axes.plot(
                [n for n, _ in curve.measured],
                [value for _, value in curve.measured],
                "o",
                color=ACCENT,
                alpha=0.5,
                markersize=4,
                markeredgewidth=0,
                clip_on=False,
            )
            _line(axes, curve, ACCENT, budget)
            last = max(last, curve.best[-1][0])
            ends.append((curve.best[-1][1], _spoken(curve.planner), ACCENT))
        if reference is not None:
            axes.axhline(reference.value, color=REFERENCE, linewidth=1.3, linestyle=(0, (4, 3)))
        axes.set_xlabel(f"experiments spent, of a budget of {budget}")
        axes.set_ylabel(label)
        bare(axes)
        here = last or budget
        if reference is not None:
            there = (reference.value, reference_name, REFERENCE)
            ends.extend([there] if here == budget else [])
            _end_labels(axes, [] if here == budget else [there], budget)
        _end_labels(axes, ends, here)
        return to_svg(
            figure,
            name="best",
            title="Best so far against budget",
            description="; ".join(f"{text}: {value:.3g}" for value, text, _ in ends)
            or "No result that can be used yet.",
        )


def volume_so_far(curve: Curve, baseline: Curve | None, budget: int) -> str:
    """Share of the volume that was dominated by then against experiments spent, and the baseline campaign's line."""
    with new_figure(WIDTH_IN, 4.6) as figure:
        axes = figure.subplots()
        axes.set_xlim(0, budget)
        axes.set_xticks(_ticks(budget))
        axes.set_ylim(0, 1.05)
        ends: list[tuple[float, str, str]] = []
        last = 0
        for one, what, colour in ((baseline, ", baseline", BASELINE), (curve, "", ACCENT)):
            if one is not None and one.best:
                _line(axes, one, colour, budget)
                last = max(last, one.best[-1][0])
                ends.append((one.best[-1][1], f"{_spoken(one.planner)}{what}", colour))
        axes.set_xlabel(f"experiments spent, of a budget of {budget}")
        axes.set_ylabel("share of the dominated volume")
        bare(axes)
        _end_labels(axes, ends, last)
        return to_svg(
            figure,
            name="volume",
            title="Dominated volume against budget",
            description="; ".join(f"{text}: {value:.3g}" for value, text, _ in ends),
        )


def _line(axes: Axes, curve: Curve, colour: str, budget: int) -> None:
    x = [n for n, _ in curve.best]
    y = [value for _, value in curve.best]
    axes.step(x, y, where="post", color=colour, linewidth=2.2)
    if x[-1] < budget:
        axes.plot(x[-1], y[-1], "o", color=colour, markersize=6)


def _end_labels(axes: Axes, ends: Sequence[tuple[float, str, str]], x: float) -> None:
    """Write each line's name right of where the lines end, at its height, moved apart where they would touch."""
    low, high = axes.get_ylim()
    gap = 0.062 * (high - low)
    at = -math.inf
    for value, text, colour in sorted(ends):
        at = max(value, at + gap)
        axes.annotate(
            f"{text} {number(value)}",
            (x, at),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontweight="bold",
            annotation_clip=False,
        )


def _ticks(budget: int) -> list[int]:
    """Round numbers, and the budget itself."""
    step = next(s for s in (1, 2, 5, 10, 20) if budget / s <= 10)
    return [*range(0, budget - step // 2, step), budget]


def _spoken(planner: str) -> str:
    return planner.replace("_", " ")


def _finite(estimate: Estimate) -> tuple[float, float]:
    """The interval, or the point where the interval is the whole line."""
    if math.isfinite(estimate.low) and math.isfinite(estimate.high):
        return estimate.low, estimate.high
    return estimate.value, estimate.value
