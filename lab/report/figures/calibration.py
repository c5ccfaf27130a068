"""Whether the planner's predictions and their stated doubt held."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy import stats

from lab.report.figures.style import ACCENT, INK, MUTED, WARNING, WIDTH_IN, bare, new_figure, to_svg
from lab.report.values import Calibration

__all__ = ["calibration"]


def calibration(found: Calibration, label: str) -> str:
    """Predicted mean +- 2 sd against what was measured, and the errors in units of their predicted spread."""
    predictions = found.predictions
    with new_figure(WIDTH_IN, 4.3) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        measured = np.array([p.measured for p in predictions])
        mean = np.array([p.mean for p in predictions])
        sd = np.array([p.sd for p in predictions])
        inside = np.array([abs(p.z) <= 2 for p in predictions])
        low = min(measured.min(), mean.min())
        high = max(measured.max(), mean.max())
        pad = 0.06 * (high - low or 1.0)
        left.plot([low - pad, high + pad], [low - pad, high + pad], color=MUTED, linewidth=1)
        for which, colour in ((inside, ACCENT), (~inside, WARNING)):
            left.errorbar(
                mean[which],
                measured[which],
                xerr=2 * sd[which],
                fmt="o",
                color=colour,
                markersize=4.5,
                elinewidth=0.8,
                alpha=0.75,
            )
        reach = 8 * pad
        left.set_xlim(
            max(low - reach, min(low, float((mean - 2 * sd).min())) - pad),
            min(high + reach, max(high, float((mean + 2 * sd).max())) + pad),
        )
        left.set_ylim(low - pad, high + pad)
        left.set_xlabel(f"predicted {label}, ± 2 sd")
        left.set_ylabel(f"measured {label}")
        bare(left, grid="both")
        left.set_title("Prediction against measurement")
        _histogram(right, np.array([p.z for p in predictions]))
        return to_svg(
            figure,
            name="calibration",
            title="Calibration of the planner",
            description=f"{found.covered} of {len(predictions)} measurements lie within 2 predicted standard deviations.",
        )


def _histogram(axes: Axes, z: np.ndarray) -> None:
    reach = max(4.0, math.ceil(float(np.abs(z).max())))
    reach = min(reach, 8.0)
    edges = [float(edge) for edge in np.arange(-reach, reach + 0.5, 0.5)]
    axes.hist(
        np.clip(z, -reach, reach - 1e-9), edges, color=ACCENT, alpha=0.75, edgecolor="none", rwidth=0.92
    )
    x = np.linspace(-reach, reach, 200)
    axes.plot(x, stats.norm.pdf(x) * len(z) * 0.5, color=INK, linewidth=1.4)
    axes.annotate(
        "expected if\nthe doubt is right",
        (1.1, float(stats.norm.pdf(1.1)) * len(z) * 0.5),
        xytext=(14, 18),
        textcoords="offset points",
        fontsize=9,
        color=INK,
    )
    axes.set_xlabel("(measured − predicted) / combined sd")
    axes.set_ylabel("experiments")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("Errors in units of their predicted spread")
    bare(axes)
