"""What goes wrong on the wire of each driver and in its instrument, and what the driver makes of it: one table.

Every driver does its work on its twin, in lab time, while one answer of the instrument is bad (truncated, late, twice, with
a wrong checksum, out of range, in another script, endless, noise, none, cut off) or the instrument itself fails; at an
answer drawn at random, once for each seed, kind and job. A job is connecting, reading all that the device shows, or a
command. What the driver says is held against the same job left alone and against the world's own ledger; then the driver is
asked again.

Run: python -m benchmarks.driver_faults [--seeds 20] [--only DRIVER] [--keep]
"""

from __future__ import annotations

import argparse
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.machine import RESULTS, machine
from tests.devices.fault_benches import BENCHES
from tests.devices.fault_cases import Case, DriverBench, Outcome, Verdict
from tests.devices.fault_plays import cases_of, play
from tests.devices.wire_kinds import Bad

BAD = (Outcome.WRONG, Outcome.HANG, Outcome.UNTYPED, Outcome.STUCK)
UNGUARDED = str(Bad.OTHER_DIGIT)
KINDS = tuple(str(kind) for kind in Bad if kind is not Bad.OTHER_DIGIT)

Count = Counter[Outcome]


@dataclass(slots=True)
class Tally:
    """What became of the cases.

    Attributes:
        counts: (driver, column) -> outcomes. The faults of an instrument are one column.
        worst: the cases whose end is a defect.
    """

    counts: dict[tuple[str, str], Count] = field(default_factory=lambda: defaultdict(Counter))
    worst: list[tuple[Case, Verdict]] = field(default_factory=list)

    def add(self, case: Case, verdict: Verdict) -> None:
        """One more case."""
        column = "instrument" if case.rule is not None else case.kind
        self.counts[case.bench.driver, column][verdict.outcome] += 1
        if verdict.outcome in BAD and column != UNGUARDED:
            self.worst.append((case, verdict))

    def of(self, driver: str | None, columns: Iterable[str]) -> Count:
        """All outcomes in some columns, of a driver or of all."""
        wanted = set(columns)
        return sum(
            (count for (d, c), count in self.counts.items() if c in wanted and driver in (None, d)), Counter()
        )


def struck(count: Count) -> int:
    """How many cases took effect."""
    return count.total() - count[Outcome.MISSED]


def _cell(bench: DriverBench, kind: str, tally: Tally, notes: list[str]) -> str:
    count = tally.of(bench.driver, [kind])
    if not struck(count):
        missing = (
            "its twin offers no faults of its own" if kind == "instrument" else "nothing it says can be so"
        )
        why = next((why for bad, why in bench.without.items() if bad == kind), missing)
        if why not in notes:
            notes.append(why)
        return f"- ({notes.index(why) + 1})"
    bad = sum(count[outcome] for outcome in BAD)
    cell = f"{count[Outcome.FOUND]} + {count[Outcome.RIGHT]}"
    return f"{cell}, **{bad} bad**" if bad else cell


def table(benches: Sequence[DriverBench], tally: Tally) -> str:
    """Driver by kind: found + right in spite of it; and the sums."""
    columns = (*KINDS, "instrument")
    notes: list[str] = []
    lines = [
        f"| driver | {' | '.join(columns)} | injected | effective | found | right all the same | defects |",
        f"|---|{'---:|' * (len(columns) + 5)}",
    ]
    for bench in benches:
        cells = [_cell(bench, kind, tally, notes) for kind in columns]
        lines.append(f"| {bench.driver} | {' | '.join(cells)} | {_sums(tally.of(bench.driver, columns))} |")
    every = [tally.of(None, [kind]) for kind in columns]
    cells = [f"{count[Outcome.FOUND]} + {count[Outcome.RIGHT]}" for count in every]
    lines.append(f"| all | {' | '.join(cells)} | {_sums(tally.of(None, columns))} |")
    footnotes = [f"{number}. {why[0].upper()}{why[1:]}." for number, why in enumerate(notes, start=1)]
    return "\n".join([*lines, "", *footnotes])


def _sums(count: Count) -> str:
    bad = sum(count[outcome] for outcome in BAD)
    return f"{count.total()} | {struck(count)} | {count[Outcome.FOUND]} | {count[Outcome.RIGHT]} | {bad}"


def seams(benches: Sequence[DriverBench]) -> str:
    """Where each driver's answers are spoilt."""
    return "\n".join(
        ["| driver | seam |", "|---|---|", *(f"| {bench.driver} | {bench.seam} |" for bench in benches)]
    )


def unguarded(benches: Sequence[DriverBench], tally: Tally) -> str:
    """What a driver notices of a digit that is another, on a wire that has no checksum."""
    lines = ["| driver | cases | found | right all the same | another value |", "|---|---:|---:|---:|---:|"]
    for bench in benches:
        count = tally.of(bench.driver, [UNGUARDED])
        if struck(count):
            bad = sum(count[outcome] for outcome in BAD)
            lines.append(
                f"| {bench.driver} | {struck(count)} | {count[Outcome.FOUND]} | {count[Outcome.RIGHT]} | {bad} |"
            )
    return "\n".join(lines)


def report(benches: Sequence[DriverBench], tally: Tally, seeds: int, wall_s: float) -> str:
    """All of it, as a page."""
    worst = [f"* {case.key}: {verdict.outcome}: {verdict.sentence}" for case, verdict in tally.worst] or [
        "None."
    ]
    return f"""# Faults injected in each driver, and found

{machine()}

Made with `python -m benchmarks.driver_faults --keep --seeds {seeds}` in {wall_s:.0f} s.
Each driver connects, reads, and carries out its commands on its twin, while one answer is bad or the instrument fails, once
for each seed, kind and job. A cell is *found + right all the same*: a typed fault after which all that the driver says is
true, or the right value, or the work done, in spite of it. A defect is a wrong value, a command said to be done that is not
(or the other way round), a hang, an exception that is no fault, or a wire on which nothing works any more when it is well
again.
*Instrument* are the faults of the instrument itself, in its own words, which each twin can have. An answer that is late
comes after 1 to 400 s of lab time, a second one at once or up to 20 ms after the first: one that comes much later, in the
midst of another exchange, can't be told from the answer to that where a protocol numbers nothing and repeats nothing.

{table(benches, tally)}

## Defects

{chr(10).join(worst)}

## Where the answers are spoilt

{seams(benches)}

## What nothing can show

One digit of a number is another one, still possible, on a wire whose protocol has no checksum. A driver can notice it only
where it knows what the number should be, as a set point that it reads again, a limit, or an end that is waited for.

{unguarded(benches, tally)}
"""


def main() -> None:
    """Play the cases and print the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20, help="cases of each kind with each job")
    parser.add_argument("--only", default="", help="drivers whose name holds this")
    parser.add_argument("--keep", action="store_true", help="keep the page beside the scripts")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    benches = [bench for bench in BENCHES if given.only in bench.driver]
    tally = Tally()
    begun = time.monotonic()
    for bench in benches:
        for case in cases_of(bench, range(given.seeds)):
            tally.add(case, play(case))
    text = report(benches, tally, given.seeds, time.monotonic() - begun)
    print(text)
    if given.keep:
        (RESULTS / "driver_faults.md").write_text(text)


if __name__ == "__main__":
    main()
