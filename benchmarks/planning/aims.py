"""What the planner is meant to reach on named sets, beside what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.planning.harness import read_runs
from benchmarks.planning.metrics import figures, mean_of
from benchmarks.planning.sets import PlanningSet, load

__all__ = ["AIMS", "Aim", "aims"]


@dataclass(frozen=True, slots=True)
class Aim:
    """One aim on one set.

    Args:
        value: of one campaign, from the set and the rows that were measured.
        least: to be reached on average; negative where the value is to be at most its opposite.
    """

    set: str
    sentence: str
    value: Callable[[PlanningSet, Sequence[int]], float]
    least: float


def share_of_maximum(chosen: PlanningSet, rows: Sequence[int]) -> float:
    """Best measured as a share of the pool's maximum."""
    merits = chosen.merits[:, 0]
    return float(merits[list(rows)].max() / merits.max())


def until_99(chosen: PlanningSet, rows: Sequence[int]) -> float:
    """Minus the experiments until a yield of 99 %, budget + 1 where none was found."""
    good = chosen.merits[list(rows), 0] >= 99.0
    return -float(np.argmax(good) + 1 if good.any() else len(rows) + 1)


def top_tenth(chosen: PlanningSet, rows: Sequence[int]) -> float:
    """How many of the pool's best 10 % were measured."""
    merits = chosen.merits[:, 0]
    threshold = np.sort(merits)[-round(0.1 * len(merits))]
    return float((merits[list(rows)] >= threshold).sum())


AIMS = (
    Aim("gb1", "share of the maximum within 100, at least 0.95", share_of_maximum, 0.95),
    Aim("direct_arylation", "experiments to 99 % yield, at most 15", until_99, -15.0),
    Aim("direct_arylation_dft", "experiments to 99 % yield, at most 15", until_99, -15.0),
    Aim(
        "crossed_barrel_sequential",
        "share of the top 5 % within 100, at least 0.75",
        lambda chosen, rows: figures(chosen.merits, rows).top5,
        0.75,
    ),
    Aim("tem1", "of the top 10 % within 96, at least 50", top_tenth, 50.0),
)


def aims(folder: Path, wanted: Sequence[str] = ()) -> str:
    """Markdown: each aim, and what each method that was run on its set came to."""
    runs = read_runs(folder)
    lines = ["# Aims", "", "| set | aim | method | seeds | mean | reached |", "|---|---|---|---|---|---|"]
    for aim in AIMS:
        of_method: dict[str, list[float]] = {}
        for (method, name, _), run in sorted(runs.items()):
            if name == aim.set and "error" not in run and (not wanted or method in wanted):
                of_method.setdefault(method, []).append(aim.value(load(name), run["rows"]))
        for method, values in sorted(of_method.items(), key=lambda item: -float(np.mean(item[1]))):
            found = mean_of(values)
            half = "" if np.isnan(found.half) else f" ± {found.half:.3g}"
            reached = "yes" if found.middle >= aim.least else f"short by {aim.least - found.middle:.3g}"
            lines.append(
                f"| {aim.set} | {aim.sentence} | {method} | {found.n} | {abs(found.middle):.3g}{half} | {reached} |"
            )
    return "\n".join(lines)
