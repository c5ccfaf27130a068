"""The fault campaign: every fault that an instrument can have, a table, and a verdict.

Run: make faults JOBS=2
One fault again: python -m tests.faults.campaign --only liquid_handler/star.distribute.clog:2
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.cases import CLARIOSTAR, SEEDS, FaultCase, all_cases, quick_cases
from tests.faults.running import Verdict, begin, play_undisturbed, warm_up
from tests.faults.sabotage import SABOTAGES, commit

__all__ = ["main"]

COMMAND = "python -m tests.faults.campaign"


@dataclass(frozen=True, slots=True)
class References:
    """The campaigns left alone, each carried out when it is first asked for.

    Args:
        folder: for their files.
    """

    folder: Path
    known: dict[tuple[bool, int], dict[str, Any]]

    def of(self, case: FaultCase) -> dict[str, Any]:
        """That of a case."""
        which = (case.driver == CLARIOSTAR, case.campaign.budget)
        if which not in self.known:
            folder = self.folder / f"undisturbed_{len(self.known)}"
            folder.mkdir()
            self.known[which] = play_undisturbed(case, folder)
            shutil.rmtree(folder)
        return self.known[which]


def play_all(
    cases: Iterable[FaultCase], folder: Path, jobs: int, tell: Callable[[Verdict], None]
) -> list[Verdict]:
    """Play cases side by side, each in a process of its own that is forked off this one."""
    references = References(folder, {})
    verdicts: list[Verdict] = []
    under_way: dict[int, tuple[FaultCase, Path]] = {}
    waiting = list(enumerate(cases, start=1))[::-1]
    while waiting or under_way:
        while waiting and len(under_way) < jobs:
            number, case = waiting.pop()
            reference = references.of(case)
            of_case = folder / f"case_{number}"
            of_case.mkdir()
            under_way[begin(case, of_case, reference)] = (case, of_case)
        pid, status = os.wait()
        case, of_case = under_way.pop(pid)
        verdicts.append(_verdict(case, of_case, os.waitstatus_to_exitcode(status)))
        tell(verdicts[-1])
        if not verdicts[-1].violations:
            shutil.rmtree(of_case)
    return verdicts


def _verdict(case: FaultCase, folder: Path, code: int) -> Verdict:
    written = folder / "verdict.json"
    if code == 0 and written.exists():
        return Verdict.from_json(json.loads(written.read_text()))
    return Verdict(case=str(case), status="broken", violations=(f"The harness ended with {code}.",))


# -------------------------------------------------------------------------------------------------------------- the table

TITLE = "# Every fault that an instrument of the twin can have, and what became of it"

EXPLAINED = """Each case is a campaign of 2 or 4 experiments in batches of 2 on the twin, with one fault in its workcell
file: at an occasion drawn at random, before or after the instrument has done what it was told, once or several times in a
row. Two of three cases run under the default ladders; in the third the campaign file says `redo_batch`, `skip_sample` or
`abort`, for the fault and for unknown outcomes. A case that is held is settled truthfully where a step is of unknown
outcome, and resumed.

Cases are counted under each thing that was decided in them: *retried*, *skipped* (the samples are left out and barred),
*redone* (the batch, on fresh material), *held* (for a person, then resumed), *aborted*, *done all the same* (the instrument
was asked, and said so), *not noticed*. Effect: the largest difference of a result that counts from that of the campaign left
alone. Violations: sentences of `tests/faults/decisions.py` and of the oracle of `tests/crash`."""

UNNOTICED = """A tip that draws too little and does not say so leaves nothing that anybody could ask for. What is left is the
analysis: replicates that do not agree, blanks, the reference."""

COLUMNS = (
    ("retried", ("retry", "retry_new_tip")),
    ("skipped", ("skip_sample",)),
    ("redone", ("redo_batch",)),
    ("held", ("hold",)),
    ("aborted", ("abort",)),
    ("done all the same", ("done",)),
    ("not noticed", ("unnoticed",)),
)


def table(verdicts: Sequence[Verdict]) -> str:
    """Driver, verb and fault: what became of the cases."""
    rows: dict[tuple[str, str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        driver, verb, kind = verdict.case.partition(":")[0].rsplit(".", 2)
        rows[driver, verb, kind].append(verdict)
    names = [name for name, _ in COLUMNS]
    lines = [
        f"| driver | verb | fault | cases | struck | finished | {' | '.join(names)} | effect | violations |",
        f"|---|---|---|{'---:|' * (len(names) + 5)}",
    ]
    lines += [_line(*place, found) for place, found in rows.items()]
    return "\n".join([*lines, _line("all", "", "", verdicts)])


def _line(driver: str, verb: str, kind: str, verdicts: Sequence[Verdict]) -> str:
    effects = [v.effect for v in verdicts if v.effect is not None]
    cells = (
        driver,
        verb,
        kind,
        len(verdicts),
        sum(v.struck for v in verdicts),
        sum(v.status == "finished" for v in verdicts),
        *(sum(any(word in v.did for word in words) for v in verdicts) for _, words in COLUMNS),
        f"{max(effects):.3f}" if effects else "",
        sum(len(v.violations) for v in verdicts),
    )
    return f"| {' | '.join(map(str, cells))} |"


def not_noticed(verdicts: Sequence[Verdict]) -> str:
    """What nobody knew of when it happened, and what came of it."""
    lines = [
        f"* {verdict.case} ({verdict.rule}): {_consequence(verdict)}"
        for verdict in verdicts
        if "unnoticed" in verdict.did
    ]
    return "\n".join(lines or ["None."])


def _consequence(verdict: Verdict) -> str:
    flagged = (
        f"the analysis flags wells of it as {', '.join(verdict.caught)}"
        if verdict.caught
        else "no well is flagged"
    )
    effect = (
        "no result counts"
        if verdict.effect is None
        else f"results that count are off by up to {verdict.effect:.3f}"
    )
    return f"{flagged}; {effect}."


def page(verdicts: Sequence[Verdict], machine: str, command: str) -> str:
    """The file that is kept."""
    statuses = Counter(v.status for v in verdicts)
    counts = (
        f"{len(verdicts)} cases, {sum(v.struck for v in verdicts)} strikes; {sum(v.noticed for v in verdicts)} of "
        f"them in the store. {', '.join(f'{n} {s}' for s, n in sorted(statuses.items()))}."
    )
    parts = (
        TITLE,
        machine,
        f"Made with `{command}`. {counts}",
        EXPLAINED,
        table(verdicts),
        "## Not noticed when it happened",
        UNNOTICED,
        not_noticed(verdicts),
    )
    return "\n\n".join(parts) + "\n"


# ------------------------------------------------------------------------------------------------------------- the program


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="cases of each fault")
    parser.add_argument("--jobs", type=int, default=2, help="cases side by side")
    parser.add_argument("--only", action="append", default=[], metavar="DRIVER.VERB.KIND[:SEED]")
    parser.add_argument("--quick", action="store_true", help="one case for each kind of fault of each driver")
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), help="build a mistake into the engine first")
    parser.add_argument("--list", action="store_true", help="print the cases, and play none")
    parser.add_argument(
        "--json", action="store_true", help="print a line of JSON for each case and nothing else"
    )
    parser.add_argument("--keep", action="store_true", help="write the table to benchmarks/results/faults.md")
    return parser.parse_args()


def _cases(given: argparse.Namespace) -> list[FaultCase]:
    cases = quick_cases() if given.quick else all_cases(given.seeds)
    for wanted in given.only:
        if not any(str(case).startswith(wanted) for case in cases):
            raise SystemExit(f"There is no case {wanted}; see --list.")
    return [
        case for case in cases if not given.only or any(_is_named(str(case), name) for name in given.only)
    ]


def _is_named(case: str, name: str) -> bool:
    """By all of it, or by some of its parts from the front."""
    return case == name or case.startswith((f"{name}:", f"{name}."))


def main() -> int:
    """Play what is asked for; 1 when something was violated."""
    given = _arguments()
    cases = _cases(given)
    if given.list:
        print("\n".join(map(str, cases)))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="drywet-faults-"))
    warm_up()
    if given.sabotage:
        commit(given.sabotage)
    done = 0

    def tell(verdict: Verdict) -> None:
        nonlocal done
        done += 1
        if given.json:
            print(json.dumps(verdict.to_json()), flush=True)
            return
        bad = "; ".join(verdict.violations)
        print(
            f"{done:4} of {len(cases)}  {verdict.case} ({verdict.rule}; {verdict.policy or 'default'}): "
            f"{', '.join(verdict.did)}; {verdict.status}, {verdict.wall_s:.1f} s{f'  VIOLATED: {bad}' if bad else ''}",
            flush=True,
        )

    verdicts = play_all(cases, folder, given.jobs, tell)
    violated = [verdict for verdict in verdicts if verdict.violations]
    if not given.json:
        _conclude(verdicts, violated, folder, given)
    if not violated:
        shutil.rmtree(folder)
    return 1 if violated else 0


def _conclude(
    verdicts: list[Verdict], violated: Sequence[Verdict], folder: Path, given: argparse.Namespace
) -> None:
    from benchmarks.machine import RESULTS, machine

    places = {str(case): n for n, case in enumerate(all_cases(given.seeds))}
    verdicts.sort(key=lambda verdict: places[verdict.case])
    text = page(verdicts, machine(), " ".join([COMMAND, *sys.argv[1:]]))
    print(f"\n{text}")
    if given.keep:
        (RESULTS / "faults.md").write_text(text)
    for verdict in violated:
        print(
            f"\n{verdict.case} ({verdict.rule}; {verdict.policy or 'default'})\n  "
            + "\n  ".join(verdict.violations)
        )
        print(f"  Again: {COMMAND} --only {verdict.case}")
    if violated:
        print(f"\n{len(violated)} cases violate something. Their files are in {folder}.")


if __name__ == "__main__":
    sys.exit(main())
