"""Figures of what was run: best so far on every set, and beside published runs where there are some."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from benchmarks.planning import published
from benchmarks.planning.harness import read_runs
from benchmarks.planning.methods import DEFAULT
from benchmarks.planning.metrics import best_so_far
from benchmarks.planning.sets import PlanningSet, load

__all__ = ["beside_published", "overview"]

COLOURS = {
    "random": "#9a9a9a",
    "forest": "#b59a00",
    "physbo": "#2f9e77",
    "gpcam": "#5ab4d6",
    "botorch": "#d95f0e",
    "baybe": "#8856a7",
    "ax": "#e377c2",
}
OURS = ("#0b3d91", "#3d7bd9", "#85b0f0", "#123")
"""Of methods that are no peers, in order; the default first."""

THEIRS = "#444444"
"""Of what others published."""

Curve = Callable[[PlanningSet, Sequence[int]], np.ndarray]


def course(chosen: PlanningSet, rows: Sequence[int]) -> np.ndarray:
    """Best so far, 0 the pool's median and 1 its best."""
    return best_so_far(chosen.merits, rows)


def course_in_unit(chosen: PlanningSet, rows: Sequence[int]) -> np.ndarray:
    """Best value so far, in the set's unit."""
    found: np.ndarray = np.maximum.accumulate(chosen.merits[list(rows), 0])
    return found


def course_of_top(share: float, counted: bool) -> Curve:
    """How much of the pool's best was found so far; as a count, or as a share of it."""

    def made(chosen: PlanningSet, rows: Sequence[int]) -> np.ndarray:
        merits = chosen.merits[:, 0]
        good = merits >= np.sort(merits)[-max(round(share * len(merits)), 1)]
        found: np.ndarray = np.cumsum(good[list(rows)])
        return found if counted else found / good.sum()

    return made


def course_of_maximum(chosen: PlanningSet, rows: Sequence[int]) -> np.ndarray:
    """Best so far as a share of the maximum."""
    merits = chosen.merits[:, 0]
    found: np.ndarray = np.maximum.accumulate(merits[list(rows)]) / merits.max()
    return found


def by_method(
    runs: Mapping[tuple[str, str, int], dict[str, Any]], name: str, curve: Curve
) -> dict[str, np.ndarray]:
    """Method -> its campaigns on a set, seeds x experiments; ours first, random last."""
    found: dict[str, list[np.ndarray]] = {}
    for (method, of_set, _), run in sorted(runs.items()):
        if of_set == name and "error" not in run:
            found.setdefault(method, []).append(curve(load(name), run["rows"]))
    order = sorted(found, key=lambda m: (m == "random", m in COLOURS, not m.startswith(DEFAULT), m))
    return {method: np.array(found[method]) for method in order}


def colour_of(method: str, ours: Sequence[str]) -> str:
    """A peer's own colour, or the next of ours."""
    return COLOURS.get(method) or OURS[list(ours).index(method) % len(OURS)]


def draw(axes: Axes, curves: Mapping[str, np.ndarray]) -> None:
    """Means and, for ours, the 95 % interval of the mean as a band."""
    ours = [method for method in curves if method not in COLOURS]
    for method, runs in reversed(list(curves.items())):
        x = np.arange(1, runs.shape[1] + 1)
        middle, colour = runs.mean(axis=0), colour_of(method, ours)
        own = method not in COLOURS
        axes.plot(
            x,
            middle,
            color=colour,
            linewidth=2.0 if own else 1.2,
            linestyle="--" if method == "random" else "-",
            label=f"{method} ({len(runs)})",
        )
        if own and len(runs) > 1:
            half = stats.t.ppf(0.975, len(runs) - 1) * runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
            axes.fill_between(x, middle - half, middle + half, color=colour, alpha=0.15, linewidth=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def overview(folder: Path, sets: Sequence[str], file: Path) -> None:
    """One panel a set that more than random was run on: best so far by experiments, mean over seeds."""
    runs = read_runs(folder)
    panels = {name: by_method(runs, name, course) for name in sets}
    panels = {name: curves for name, curves in panels.items() if set(curves) - {"random"}} or panels
    panels = {name: curves for name, curves in panels.items() if curves}
    columns = min(4, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(3.5 * columns, 2.7 * lines + 0.7), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    known: dict[str, Any] = {}
    for place, (name, curves) in zip(axes, panels.items(), strict=False):
        draw(place, curves)
        place.set_title(f"{name}, {len(load(name).candidates):,}", fontsize=9, loc="left")
        place.set_ylim(0.0, 1.03)
        place.tick_params(labelsize=8)
        for line in place.get_lines():
            known.setdefault(str(line.get_label()).partition(" (")[0], line)
    for place in axes[len(panels) :]:
        place.set_visible(False)
    figure.supxlabel("experiments", fontsize=9)
    figure.supylabel("best found: 0 the pool's median, 1 its best", fontsize=9)
    figure.legend(
        known.values(),
        known.keys(),
        loc="outside upper center",
        ncols=min(len(known), 8),
        frameon=False,
        fontsize=9,
    )
    _save(figure, file)


def beside_published(folder: Path, file: Path) -> None:
    """Four panels: direct arylation, crossed barrel, GB1 and TEM-1, with what others published of their own runs."""
    runs = read_runs(folder)
    figure = Figure(figsize=(11, 8.2), layout="constrained")
    arylation, barrel, gb1, tem1 = figure.subplots(2, 2).ravel()
    draw(arylation, by_method(runs, "direct_arylation", course_in_unit))
    _curve(arylation, published.edbo(), "EDBO, published (50)", "-.")
    _curve(arylation, published.people(), "people, published (50)", ":")
    _named(arylation, "Direct arylation, 5 + 5", "best yield, %")
    arylation.set_ylim(50, 101)
    draw(barrel, by_method(runs, "crossed_barrel_sequential", course_of_top(0.05, counted=False)))
    _curve(barrel, published.crossed_barrel(), "Liang et al., published (50)", "-.")
    _named(barrel, "Crossed barrel, 2 + one at a time", "share of the top 5 % found")
    barrel.set_ylim(0, 1)
    draw(gb1, by_method(runs, "gb1", course_of_maximum))
    for point, marker in zip(published.GB1, "osD^", strict=True):
        gb1.plot(
            point.experiments,
            point.value,
            marker,
            color=THEIRS,
            markersize=6,
            label=f"{point.label}, published",
        )
    _named(gb1, "GB1 at four sites, 10 + 5 of 149,361", "share of the maximum")
    gb1.set_ylim(0, 1.03)
    draw(tem1, by_method(runs, "tem1", course_of_top(0.1, counted=True)))
    for (label, ending), style in zip(published.TEM1.items(), ("-.", ":"), strict=True):
        hits = published.folde(ending)
        tem1.plot(
            list(hits),
            list(hits.values()),
            style,
            marker="o",
            color=THEIRS,
            markersize=4,
            label=f"{label}, published",
        )
    _named(tem1, "TEM-1 single substitutions, 16 + 16", "of the top 10 % found")
    for place in (arylation, barrel, gb1, tem1):
        handles, labels = place.get_legend_handles_labels()
        place.legend(handles[::-1], labels[::-1], fontsize=7.5, frameon=False, loc="best")
    _save(figure, file)


def _curve(axes: Axes, runs: np.ndarray, label: str, style: str) -> None:
    axes.plot(
        np.arange(1, runs.shape[1] + 1), runs.mean(axis=0), style, color=THEIRS, linewidth=1.4, label=label
    )


def _named(axes: Axes, title: str, what: str) -> None:
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("experiments", fontsize=9)
    axes.set_ylabel(what, fontsize=9)
    axes.tick_params(labelsize=8)


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # without a date, the same runs give the same file
    metadata = {"Date": None} if file.suffix == ".svg" else None
    figure.savefig(file, dpi=110, metadata=metadata)
