"""72 hours of lab time on the twin: two campaigns on one bench, faults of every kind, one kill, and resumed each time.

Run: make soak
Both campaigns work through the protocol of the crash tests, which uses every verb. What one is held for, a truthful person
settles, who looks at the ledger. At the end the oracle of the crash tests holds journal and ledger against one another.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.machine import RESULTS, machine
from tests.faults.long_run import LongRun, Report, Scale

KILL_SHARE = 0.5
"""Of the lab time, after which the controller is killed."""

MIB = 2**20

HOLD_WORDS = 120
"""Letters of a sentence that are enough to tell why."""

TITLE = "# Two campaigns on one bench for {hours:.0f} hours of lab time"


def table(report: Report) -> str:
    """Memory and files at every six hours of lab time."""
    lines = [
        "| lab time (h) | process | steps | ledger lines | resident memory (MiB) | store (MiB) | ledger (MiB) | log (MiB) |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in report.samples:
        cells = (
            f"{one.lab_h:.1f}",
            one.process,
            one.steps,
            one.ledger_lines,
            *(f"{size / MIB:.1f}" for size in (one.resident, one.store, one.ledger, one.log)),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def faults(report: Report) -> str:
    """What struck, and what was decided about it."""
    struck = Counter(report.struck)
    decided: dict[str, Counter[str]] = {}
    for kind, recovery in report.decisions:
        decided.setdefault(kind, Counter())[recovery or "done all the same"] += 1
    kinds = sorted({*struck, *decided})
    lines = ["| fault | struck | decided |", "|---|---:|---|"]
    for kind in kinds:
        what = ", ".join(f"{word} {n}" for word, n in decided.get(kind, Counter()).most_common())
        lines.append(f"| {kind} | {struck[kind]} | {what} |")
    return "\n".join(lines)


def holds(report: Report) -> str:
    """Why campaigns were held, in the words that a person saw, without names."""
    if not report.holds:
        return "No campaign was held."
    said = Counter(_in_general(one) for one in report.holds)
    return "\n".join(["Held for:", "", *[f"* {n} times: {sentence}" for sentence, n in said.most_common()]])


def _in_general(sentence: str) -> str:
    """Without identifiers and numbers, so that the same reason reads the same."""
    plain = re.sub(r" \((stp|run)_\w+\)|(stp|run)_\w+", "", sentence)
    return re.sub(r"\d+", "n", plain)[:HOLD_WORDS]


def page(report: Report, wall_s: float, command: str) -> str:
    """The file that is kept."""
    ends = "; ".join(f"{name} {status} ({n} of {m} results count)" for name, status, n, m in report.ends)
    verdict = (
        "none"
        if not report.violations
        else f"{len(report.violations)}:\n\n" + "\n".join(f"* {sentence}" for sentence in report.violations)
    )
    flags = ", ".join(f"{flag} {n}" for flag, n in Counter(report.flags).most_common())
    facts = [
        f"{report.lab_h:.1f} h of lab time in {wall_s:.0f} s of wall time; {report.steps} steps in {report.runs} runs.",
        f"{len(report.struck)} faults struck, one kill at {report.killed_h:.1f} h.",
        f"{report.unknowns} steps were of unknown outcome; {report.redone} batches were done again.",
        (
            f"{len(report.holds)} times a campaign was held. {report.put_back} pieces were put back that the arm had "
            f"dropped, {report.settled} steps were settled by a person. {report.resumes} times campaigns were resumed."
        ),
        f"Ends: {ends}. Flags of results that do not count: {flags or 'none'}.",
        (
            f"{report.dried} wells hold less than is believed because they dried or their strokes were short; no account "
            "of liquids follows that."
        ),
    ]
    return "\n\n".join(
        [
            TITLE.format(hours=report.lab_h),
            machine(),
            f"Made with `{command}`.",
            "\n".join(f"* {fact}" for fact in facts),
            "## What was done about faults",
            faults(report),
            holds(report),
            "## Memory and files",
            growth(report),
            table(report),
            f"Violations found by the oracle: {verdict}\n",
        ]
    )


def growth(report: Report) -> str:
    """How fast things grow, a step, once the first batches have loaded what the others use again."""
    said = []
    for process in sorted({one.process for one in report.samples}):
        mine = [one for one in report.samples if one.process == process][1:]
        if len(mine) > 1 and mine[-1].steps > mine[0].steps:
            first, last = mine[0], mine[-1]
            per_step = (last.resident - first.resident) / (last.steps - first.steps)
            said.append(f"{per_step / 1024:.0f} KiB of memory a step in process {process}")
    first, last = report.samples[0], report.samples[-1]
    if last.steps > first.steps:
        for name in ("store", "ledger", "log"):
            per_step = (getattr(last, name) - getattr(first, name)) / (last.steps - first.steps)
            said.append(f"{per_step / 1024:.1f} KiB of {name}")
    return (
        f"Growth: {', '.join(said)}. Memory is counted from the second sample of each process. It grows with the ledger, "
        "all of which a twin keeps, and in steps where campaigns are resumed within a process: the bench of before goes "
        "when the next one is there."
    )


def main() -> int:
    """Run it, print the page; 1 when the oracle finds something."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=72.0, help="of lab time, at least")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="write the page to benchmarks/results/soak.md")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="drywet-soak-") as folder:
        scale = Scale.of(given.hours, seed=given.seed)
        report = LongRun(Path(folder), scale, kill_h=KILL_SHARE * given.hours, tell=print).carry_out()
    text = page(report, time.monotonic() - began, f"python -m benchmarks.soak --hours {given.hours:g}")
    print(f"\n{text}")
    if given.keep:
        (RESULTS / "soak.md").write_text(text)
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
