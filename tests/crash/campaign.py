"""The crash campaign: hundreds of cases, a table, and a verdict.

Run: make crash SEEDS=300 JOBS=2
One case again: python -m tests.crash.campaign --case seed=1,policy=hold,store=sqlite,at=action-after:57
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
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.store import Store
from tests.crash.cases import Case
from tests.crash.controller import in_child, warm_up
from tests.crash.running import Verdict, play, play_undisturbed
from tests.crash.sabotage import sabotaged
from tests.crash.sets import QUICK, SHORT, case_by_lot, quick_cases, seed_by_lot
from tests.postgres import PostgresServer, running_server

__all__ = ["SABOTAGED", "main"]

MEMORY = Path("/dev/shm")
"""Where a file system in memory is: what a killed process has written is there all the same, and no disk is waited for."""

SABOTAGED = "sabotaged"
"""Group of cases with a fault built in, each of which must violate something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where cases are played.

    Args:
        folder: for their files.
        empty: a store with nothing in it, to copy: making one takes longer than a batch.
        server: of PostgreSQL; None where there is none.
        references: seed and budget of a campaign -> what it comes to undisturbed, and its kill points.
    """

    folder: Path
    empty: Path
    server: PostgresServer | None
    references: dict[tuple[int, int], dict[str, Any]]

    def refer(self, case: Case) -> dict[str, Any]:
        """The undisturbed campaign of a case, carried out when it is first asked for."""
        which = (case.seed, case.budget)
        if which not in self.references:
            folder = self.folder / f"undisturbed_{case.seed}_{case.budget}"
            folder.mkdir()
            self.references[which] = play_undisturbed(case, folder)
            shutil.rmtree(folder)
        return self.references[which]

    def play(self, case: Case, folder: Path) -> Verdict:
        """One case; its files are kept where something is wrong with it."""
        reference = self.refer(case)["reference"]
        if case.store == "sqlite":
            shutil.copyfile(self.empty, folder / "lab.db")
            return play(case, folder, "", reference)
        assert self.server is not None, "the case needs a PostgreSQL server"
        database = self.server.new_database()
        try:
            return play(case, folder, self.server.url(database), reference)
        finally:
            self.server.sql(f"DROP DATABASE {database} WITH (FORCE)")


def play_all(
    bench: Bench, cases: Iterable[Case], jobs: int, tell: Callable[[Verdict], None]
) -> list[Verdict]:
    """Play cases side by side, each in a process of its own that is forked off this one."""
    verdicts: list[Verdict] = []
    under_way: dict[int, tuple[Case, Path]] = {}
    waiting = iter(enumerate(cases, start=1))
    more = True
    while more or under_way:
        while more and len(under_way) < jobs:
            numbered = next(waiting, None)
            more = numbered is not None
            if numbered is not None:
                number, case = numbered
                bench.refer(case)
                folder = bench.folder / f"case_{number}"
                folder.mkdir()
                under_way[_begin(bench, case, folder)] = (case, folder)
        if under_way:
            pid, status = os.wait()
            case, folder = under_way.pop(pid)
            verdicts.append(_verdict(case, folder, os.waitstatus_to_exitcode(status)))
            tell(verdicts[-1])
            if not verdicts[-1].violations:
                shutil.rmtree(folder)
    return verdicts


def _begin(bench: Bench, case: Case, folder: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        verdict = bench.play(case, folder)
        (folder / "verdict.json").write_text(json.dumps(verdict.to_json()))
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def _verdict(case: Case, folder: Path, code: int) -> Verdict:
    written = folder / "verdict.json"
    if code == 0 and written.exists():
        return Verdict.from_json(json.loads(written.read_text()))
    return Verdict(case=str(case), status="broken", violations=(f"The harness ended with {code}.",))


# -------------------------------------------------------------------------------------------------------------- the table

TITLE = "# A controller killed with SIGKILL, and what its store and its twin's ledger say afterwards"

EXPLAINED = """Each case is a campaign of 4 experiments in 2 batches on the twin, killed at one point, some once more while
it resumed, and resumed until it is over; a truthful person settles what it holds for. Redone: a batch was done again on
fresh material. Unknowns: steps of which the instrument could not say what came of them. Violations: sentences of the oracle,
`tests/crash/oracle.py`."""


def table(verdicts: Sequence[Verdict]) -> str:
    """Kill point x verb: what became of the cases."""
    rows: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        rows[Case.read(verdict.case).at, verdict.verb].append(verdict)
    lines = [
        "| killed at | verb | cases | killed twice | finished | redone | held and settled | unknowns | violations |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (at, verb), found in sorted(rows.items()):
        lines.append(_line(at.replace("-", ", "), verb, found))
    return "\n".join([*lines, _line("all", "", verdicts)])


def _line(at: str, verb: str, verdicts: Sequence[Verdict]) -> str:
    cells = (
        at,
        verb,
        len(verdicts),
        sum(v.kills > 1 for v in verdicts),
        sum(v.status == "finished" for v in verdicts),
        sum(v.redone > 0 for v in verdicts),
        sum(v.settled > 0 for v in verdicts),
        sum(v.unknowns for v in verdicts),
        sum(len(v.violations) for v in verdicts),
    )
    return f"| {' | '.join(map(str, cells))} |"


def page(verdicts: Sequence[Verdict], machine: str) -> str:
    """The file that is kept."""
    stores = Counter(Case.read(v.case).store for v in verdicts)
    policies = Counter(Case.read(v.case).policy for v in verdicts)
    never = sum(v.kills == 0 for v in verdicts)
    counts = (
        f"{len(verdicts)} cases ({', '.join(f'{n} on {s}' for s, n in sorted(stores.items()))}; policy for unknown "
        f"outcomes: {', '.join(f'{p} {n}' for p, n in sorted(policies.items()))}). {sum(v.kills for v in verdicts)} kills; "
        f"{never} cases ended before their kill point came."
    )
    return f"{TITLE}\n\n{machine}\n\n{counts}\n\n{EXPLAINED}\n\n{table(verdicts)}\n"


# ------------------------------------------------------------------------------------------------------------- the program


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.campaign", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="cases, each by its number")
    parser.add_argument("--jobs", type=int, default=2, help="cases side by side")
    parser.add_argument("--case", action="append", default=[], help="play this one; may be given again")
    parser.add_argument("--group", choices=(*QUICK, SABOTAGED), help="play a group of the quick set instead")
    parser.add_argument(
        "--json", action="store_true", help="print a line of JSON for each case and nothing else"
    )
    parser.add_argument("--keep", action="store_true", help="write the table to benchmarks/results/crash.md")
    parser.add_argument("--no-postgres", action="store_true", help="play on SQLite only")
    return parser.parse_args()


def _cases(given: argparse.Namespace, bench: Bench) -> list[Case]:
    if given.case:
        return [Case.read(line) for line in given.case]
    if given.group == SABOTAGED:
        return sabotaged(bench.refer(SHORT)["passed"], SHORT)
    if given.group:
        group = QUICK[given.group]
        return quick_cases(given.group, bench.refer(group.of)["passed"])
    numbers = range(1, given.seeds + 1)
    passed = {
        seed: bench.refer(Case(seed=seed))["passed"] for seed in sorted({seed_by_lot(n) for n in numbers})
    }
    return [case_by_lot(number, passed, postgres=bench.server is not None) for number in numbers]


def _empty_store(folder: Path) -> Path:
    path = folder / "empty.db"
    code, _ = in_child(lambda: Store.open(path).close(), folder / "empty.log")
    assert code == 0, (folder / "empty.log").read_text()
    return path


def _needs_server(given: argparse.Namespace) -> bool:
    if given.case:
        return any(Case.read(line).store == "postgres" for line in given.case)
    return given.group == "postgres" if given.group else not given.no_postgres


def main() -> int:
    """Play what is asked for; 1 when something was violated."""
    given = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="drywet-crash-", dir=MEMORY if MEMORY.is_dir() else None))
    warm_up()
    with ExitStack() as stack:
        server = stack.enter_context(running_server()) if _needs_server(given) else None
        bench = Bench(folder=folder, empty=_empty_store(folder), server=server, references={})
        cases = _cases(given, bench)
        done = 0

        def tell(verdict: Verdict) -> None:
            nonlocal done
            done += 1
            if given.json:
                print(json.dumps(verdict.to_json()), flush=True)
                return
            bad = "; ".join(verdict.violations)
            print(
                f"{done:4} of {len(cases)}  {verdict.case}: {verdict.status}, {verdict.wall_s:.1f} s"
                f"{f'  VIOLATED: {bad}' if bad else ''}",
                flush=True,
            )

        verdicts = play_all(bench, cases, given.jobs, tell)
    violated = [verdict for verdict in verdicts if verdict.violations]
    if not given.json:
        _conclude(verdicts, violated, folder, keep=given.keep)
    if not violated:
        shutil.rmtree(folder)
    return 1 if violated else 0


def _conclude(verdicts: Sequence[Verdict], violated: Sequence[Verdict], folder: Path, *, keep: bool) -> None:
    from benchmarks.machine import RESULTS, machine

    text = page(verdicts, machine())
    print(f"\n{text}")
    if keep:
        (RESULTS / "crash.md").write_text(text)
    for verdict in violated:
        print(f"\n{verdict.case}\n  " + "\n  ".join(verdict.violations))
        print(f"  Again: python -m tests.crash.campaign --case {verdict.case}")
    if violated:
        print(f"\n{len(violated)} cases violate something. Their files are in {folder}.")


if __name__ == "__main__":
    sys.exit(main())
