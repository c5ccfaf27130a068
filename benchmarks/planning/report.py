"""Tables of what was run: one a set, and a summary over sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from benchmarks.planning.harness import read_runs
from benchmarks.planning.metrics import Figures, Mean, figures, mean_of
from benchmarks.planning.sets import PlanningSet, load

__all__ = ["Arm", "arms", "coverage", "report"]

Runs = Mapping[tuple[str, str, int], dict[str, Any]]

PAIRED = ("best", "top5", "area")
"""What differences are given of."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One method on one set: its campaigns by seed.

    Args:
        seconds: of every ask, on the processor.
        peak_mb: largest of all campaigns.
        failed: sentence of each campaign that failed.
    """

    method: str
    figures: Mapping[int, Figures]
    runs: Mapping[int, dict[str, Any]]
    seconds: np.ndarray
    peak_mb: float
    failed: Sequence[str]

    def mean(self, metric: str) -> Mean:
        """Over all seeds."""
        return mean_of([getattr(f, metric) for f in self.figures.values()])

    def difference(self, other: Arm, metric: str) -> Mean | None:
        """This less the other, paired by seed; None without a seed in common."""
        seeds = sorted(self.figures.keys() & other.figures.keys())
        if not seeds:
            return None
        return mean_of([getattr(self.figures[s], metric) - getattr(other.figures[s], metric) for s in seeds])


def arms(runs: Runs, chosen: PlanningSet, wanted: Sequence[str] = ()) -> list[Arm]:
    """Every method that was run on a set, the best area first; ``wanted`` keeps only these."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for (method, name, seed), run in sorted(runs.items()):
        if name == chosen.name and (not wanted or method in wanted):
            found.setdefault(method, {})[seed] = run
    made = []
    for method, own in found.items():
        good = {seed: run for seed, run in own.items() if "error" not in run}
        made.append(
            Arm(
                method=method,
                figures={seed: figures(chosen.merits, run["rows"]) for seed, run in good.items()},
                runs=good,
                seconds=np.array([s for run in good.values() for s in run["cpu_s"]]),
                peak_mb=max((run["peak_mb"] for run in good.values()), default=math.nan),
                failed=[run["error"] for run in own.values() if "error" in run],
            )
        )
    return sorted(made, key=lambda arm: -arm.mean("area").middle if arm.figures else math.inf)


def report(folder: Path, sets: Sequence[str], wanted: Sequence[str] = (), title: str = "Planners") -> str:
    """Markdown: a summary, then a table a set.

    Args:
        wanted: methods; the first is the one whose differences to others are given. Empty for all, ours first.
    """
    runs = read_runs(folder)
    by_set = {}
    for name in sets:
        found = arms(runs, load(name), wanted)
        if any(arm.figures for arm in found):
            by_set[name] = [arm for arm in found if arm.figures or arm.failed]
    if not by_set:
        return "Nothing was run on these sets yet."
    base = wanted[0] if wanted else _base(by_set)
    lines = [
        f"# {title}",
        "",
        machine(),
        "",
        "What the columns mean, and what the sets are: benchmarks/planning/README.md. Means and 95 % intervals over seeds.",
        "",
        *_summary(by_set, base),
        *_commits(by_set, base),
    ]
    for name, found in by_set.items():
        lines += ["", *_table(load(name), found, base)]
    return "\n".join(lines)


def _base(by_set: Mapping[str, Sequence[Arm]]) -> str:
    from benchmarks.planning.methods import DEFAULT

    every = [arm.method for found in by_set.values() for arm in found]
    return DEFAULT if DEFAULT in every else every[0]


def _summary(by_set: Mapping[str, Sequence[Arm]], base: str) -> list[str]:
    """Each method beside ``base`` on the sets and seeds that both ran."""
    ran = {name: {arm.method: arm for arm in found if arm.figures} for name, found in by_set.items()}
    methods = list(dict.fromkeys(method for at in ran.values() for method in at if base in at))
    lines = [
        f"{base} less each method: the mean over sets that both ran, a set one observation, and its 95 % interval.",
        "",
        "| method | sets | best | top 5 % | area | larger area on | clearly / clearly smaller | its ask takes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for method in sorted(methods, key=lambda m: m != base):
        pairs = [(at[base], at[method]) for at in ran.values() if method in at and base in at]
        lines.append(_row([method, str(len(pairs)), *_compared(pairs, method == base)]))
    return lines


def _commits(by_set: Mapping[str, Sequence[Arm]], base: str) -> list[str]:
    """What the planner was at when it was run; one commit where it was frozen."""
    runs = [
        run for found in by_set.values() for arm in found if arm.method == base for run in arm.runs.values()
    ]
    known = sorted({run["commit"] for run in runs if run.get("commit")})
    return ["", f"{base} was run at {', '.join(known)}."] if known else []


def _compared(pairs: Sequence[tuple[Arm, Arm]], itself: bool) -> list[str]:
    """Cells of one method, from the two arms of every set."""
    if itself:
        means = [float(np.mean([own.mean(metric).middle for own, _ in pairs])) for metric in PAIRED]
        seconds = float(np.mean([np.median(own.seconds) for own, _ in pairs]))
        return [*(f"{mean:.3f}" for mean in means), "", "", f"{seconds:.3f} s"]
    gaps = {
        metric: [gap for own, other in pairs if (gap := own.difference(other, metric)) is not None]
        for metric in PAIRED
    }
    if not gaps["area"]:
        return [""] * 6
    clear = [gap for gap in gaps["area"] if not math.isnan(gap.half) and abs(gap.middle) > gap.half]
    larger = sum(gap.middle > 0 for gap in gaps["area"])
    ratios = [np.median(other.seconds) / np.median(own.seconds) for own, other in pairs]
    return [
        *(_signed(mean_of([gap.middle for gap in gaps[metric]])) for metric in PAIRED),
        f"{larger} of {len(gaps['area'])}",
        f"{sum(gap.middle > 0 for gap in clear)} / {sum(gap.middle < 0 for gap in clear)}",
        f"{float(np.exp(np.mean(np.log(np.maximum(ratios, 1e-9))))):.3g} times",
    ]


def _table(chosen: PlanningSet, found: Sequence[Arm], base: str) -> list[str]:
    protocol = chosen.protocol
    what = " and ".join(f"{o.direction} {o.name}" for o in chosen.outcomes)
    lines = [
        f"## {chosen.name}",
        "",
        f"{len(chosen.candidates):,} candidates, {what}; {protocol.first} + {protocol.batch} to {protocol.budget}.",
        "",
        "| method | seeds | best | in unit | top 1 % | top 5 % | to 95 % (reached) | area | ask, s | p95 | peak MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for arm in found:
        if not arm.figures:
            lines.append(_row([arm.method, f"0, {len(arm.failed)} failed", *[""] * 9]))
            continue
        reached = np.mean([f.to95 <= protocol.budget for f in arm.figures.values()])
        sign = 1.0 if chosen.outcomes[0].direction == "maximize" else -1.0
        raw = arm.mean("raw")
        failed = f", {len(arm.failed)} failed" if arm.failed else ""
        lines.append(
            _row(
                [
                    arm.method,
                    f"{len(arm.figures)}{failed}",
                    _plain(arm.mean("best"), 3),
                    "" if math.isnan(raw.middle) else f"{sign * raw.middle + 0.0:.4g}",
                    _plain(arm.mean("top1"), 2),
                    _plain(arm.mean("top5"), 2),
                    f"{arm.mean('to95').middle:.0f} ({reached:.0%})",
                    _plain(arm.mean("area"), 3),
                    f"{np.median(arm.seconds):.3f}",
                    f"{np.quantile(arm.seconds, 0.95):.3f}",
                    f"{arm.peak_mb:.0f}",
                ]
            )
        )
    own = next((arm for arm in found if arm.method == base and arm.figures), None)
    others = [arm for arm in found if arm.method != base and arm.figures]
    if own is not None and others:
        lines += [
            "",
            f"{base} less the other, seeds paired:",
            "",
            "| | best | top 5 % | area |",
            "|---|---|---|---|",
        ]
        for arm in others:
            gaps = [own.difference(arm, metric) for metric in PAIRED]
            lines.append(_row([arm.method, *("" if gap is None else _signed(gap) for gap in gaps)]))
    failures = sorted({(arm.method, text) for arm in found for text in arm.failed})
    if failures:
        lines += ["", *(f"{method} failed: {text}" for method, text in failures)]
    return lines


def coverage(folder: Path, sets: Sequence[str], wanted: Sequence[str] = ()) -> str:
    """Markdown: how often 95 % intervals held the published value, by how much was measured and at what was chosen."""
    runs = {
        key: run
        for key, run in read_runs(folder).items()
        if key[1] in sets and "error" not in run and (not wanted or key[0] in wanted)
    }
    lines = [
        "# Coverage of 95 % intervals",
        "",
        "Share of published values inside, pooled over candidates; the interval is of the mean over sets.",
        "",
        "| method | where | sets | campaigns | values | inside | over sets | mean width, sd of the pool |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for method in sorted({key[0] for key in runs}):
        own = {key: run for key, run in runs.items() if key[0] == method}
        for at in (25, 50, 100):
            probes = [
                (key[1], p) for key, run in own.items() for p in run["probes"] if p["at"] == at and p["of"]
            ]
            counts = [(name, p["inside"], p["of"], p["width"]) for name, p in probes]
            lines += _covered(method, f"unmeasured, at {at}", counts)
        probes = [(key[1], p) for key, run in own.items() for p in run["probes"] if p["of"]]
        pooled = [(name, p["inside"], p["of"], p["width"]) for name, p in probes]
        lines += _covered(method, "unmeasured, at 25, 50 and 100", pooled)
        chosen = [(key[1], *run["chosen"], math.nan) for key, run in own.items() if run["chosen"][1]]
        lines += _covered(method, "chosen", chosen)
    return "\n".join(lines)


def _covered(method: str, where: str, counts: Sequence[tuple[str, int, int, float]]) -> list[str]:
    """One line of counts: set, inside, of how many, mean width."""
    if not counts:
        return []
    inside, of = sum(c[1] for c in counts), sum(c[2] for c in counts)
    by_set = [
        sum(c[1] for c in counts if c[0] == name) / sum(c[2] for c in counts if c[0] == name)
        for name in sorted({c[0] for c in counts})
    ]
    width = float(np.mean([c[3] for c in counts]))
    cells = [method, where, str(len(by_set)), str(len(counts)), str(of), f"{inside / of:.3f}"]
    cells += [_plain(mean_of(by_set), 3), "" if math.isnan(width) else f"{width:.2f}"]
    return [_row(cells)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(mean: Mean, digits: int) -> str:
    half = "" if math.isnan(mean.half) else f" ± {mean.half:.{digits}f}"
    return f"{mean.middle:.{digits}f}{half}"


def _signed(mean: Mean) -> str:
    if math.isnan(mean.half):
        return f"{mean.middle:+.3f}"
    return f"{mean.middle:+.3f} ({mean.middle - mean.half:+.3f} to {mean.middle + mean.half:+.3f})"
