"""What happened when, in lab time."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from lab.report.figures.style import (
    ACCENT,
    BASELINE,
    DEVICE_COLOURS,
    MUTED,
    WARNING,
    WIDTH_IN,
    new_figure,
    to_svg,
)
from lab.report.values import RunSpan, StepSpan

__all__ = ["timeline"]

_UNITS = (
    (2 * 86400.0, 86400.0, "days"),
    (2 * 3600.0, 3600.0, "hours"),
    (120.0, 60.0, "minutes"),
    (0.0, 1.0, "seconds"),
)
"""From this span on, divide by, and call it."""


def timeline(runs: Sequence[RunSpan], steps: Sequence[StepSpan]) -> str:
    """Batches as bars, and below them when each instrument was busy, with the share of the whole.

    Args:
        runs: at least one that has begun.
    """
    begun = [r for r in runs if r.begun_s is not None and r.ended_s is not None]
    first = min(r.begun_s for r in begun if r.begun_s is not None)
    last = max(r.ended_s for r in begun if r.ended_s is not None)
    _, unit_s, unit = next(u for u in _UNITS if last - first >= u[0])
    devices = sorted({s.device for s in steps})
    with new_figure(WIDTH_IN, 1.7 + 0.34 * len(devices)) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1, 0.62 * max(1, len(devices))))
        _batches(upper, begun, first, unit_s)
        for row, device in enumerate(devices):
            colour = DEVICE_COLOURS[row % len(DEVICE_COLOURS)]
            spans = [s for s in steps if s.device == device]
            for failed, shade in ((False, colour), (True, WARNING)):
                lower.broken_barh(
                    _merged([s for s in spans if s.failed is failed], first, unit_s),
                    (row - 0.36, 0.72),
                    facecolor=shade,
                    linewidth=0,
                )
            busy = sum(width for _, width in _merged(spans, first, unit_s)) * unit_s
            share = busy / (last - first) if last > first else 0.0
            lower.annotate(
                f"{100 * share:.0f} % busy",
                (1.0, row),
                xycoords=("axes fraction", "data"),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                color=MUTED,
                fontsize=9,
            )
        lower.set_yticks(range(len(devices)), devices)
        lower.set_ylim(len(devices) - 0.4, -0.6)
        lower.set_xlim(0, (last - first) / unit_s or 1.0)
        lower.set_xlabel(f"lab time since the first step, {unit}")
        for axes in (upper, lower):
            axes.tick_params(length=0)
            axes.grid(visible=True, axis="x")
            axes.spines["left"].set_visible(False)
        upper.spines["bottom"].set_visible(False)
        upper.tick_params(labelbottom=False)
        return to_svg(
            figure,
            name="timeline",
            title="Lab time",
            description=f"{len(begun)} runs over {(last - first) / unit_s:.1f} {unit}; instruments: {', '.join(devices)}.",
        )


def _batches(axes: Axes, runs: Sequence[RunSpan], first: float, unit_s: float) -> None:
    for run in runs:
        if run.begun_s is None or run.ended_s is None:
            continue
        left, width = (run.begun_s - first) / unit_s, (run.ended_s - run.begun_s) / unit_s
        colour = {"done": ACCENT, "failed": WARNING}.get(run.status, BASELINE)
        axes.barh(0, width * 0.985, left=left, height=0.8, color=colour, alpha=0.85, linewidth=0)
        axes.text(
            left + width / 2, 0, str(run.batch), ha="center", va="center", color="white", fontweight="bold"
        )
    axes.set_yticks([0], ["batch"])
    axes.set_ylim(0.6, -0.6)


def _merged(steps: Sequence[StepSpan], first: float, unit_s: float) -> list[tuple[float, float]]:
    """(begin, width) of the stretches in which any of the steps was under way."""
    merged: list[list[float]] = []
    for step in sorted(steps, key=lambda s: s.begun_s):
        if merged and step.begun_s <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], step.ended_s)
        else:
            merged.append([step.begun_s, step.ended_s])
    return [((begin - first) / unit_s, (end - begin) / unit_s) for begin, end in merged]
