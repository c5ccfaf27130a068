"""The killed service: any number of cases, a table, and a verdict.

Run: python -m tests.crash.service_campaign --group all
By lot: python -m tests.crash.service_campaign --seeds 100 --keep
One case again: python -m tests.crash.service_campaign --case day=one,policy=hold,store=sqlite,kill=action-after/heat/1
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import socket
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.crash.campaign import MEMORY
from tests.crash.controller import Hung, in_child
from tests.crash.diary import read_diary
from tests.crash.service_cases import ServiceCase, ServiceScene
from tests.crash.service_controller import warm_up
from tests.crash.service_oracle import judge_service
from tests.crash.service_people import ADA, GRACE, PASSWORD, People, live_through
from tests.crash.service_sets import GROUPS, case_by_lot
from tests.postgres import PostgresServer, running_server

__all__ = ["Verdict", "add_people", "free_port", "main"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a case.

    Args:
        verbs: of the steps that were under way at the kills; ``-`` where none was.
        starts: services that it took.
        not_known: commands that were cut off, and whose answer was lost for good.
        settled: steps that a person said what came of.
        violations: of what must hold, a sentence each.
    """

    case: str
    verbs: tuple[str, ...] = ()
    kills: int = 0
    starts: int = 0
    not_known: int = 0
    settled: int = 0
    unknowns: int = 0
    redone: int = 0
    violations: tuple[str, ...] = ()
    wall_s: float = 0.0

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> Verdict:
        """From a line of JSON."""
        lists = {name: tuple(written[name]) for name in ("verbs", "violations")}
        return cls(**{**written, **lists})


def play(case: ServiceCase, folder: Path, store: str) -> Verdict:
    """One case from its first service to its verdict."""
    began = time.monotonic()
    scene = ServiceScene(case=case, folder=folder, store=store, port=free_port())
    people = People(scene)
    violations: list[str] = []
    judged: dict[str, Any] = {"redone": 0, "unknowns": 0}
    try:
        live_through(people)
        code = people.end()
        if code != 0:
            violations.append(f"The last service ended with {code}: {people.log}")
        code, found = in_child(lambda: judge_service(scene), folder / "judge.log")
        if code == 0:
            judged = found
            violations += judged["violations"]
        else:
            violations.append(f"The case could not be judged: {(folder / 'judge.log').read_text()[-3000:]}")
    except Hung as hung:
        violations.append(str(hung))
    finally:
        people.leave()
    kills = [note for note in read_diary(scene.diary) if note["what"] == "kill"]
    return Verdict(
        case=str(case),
        verbs=tuple(note["verb"] for note in kills),
        kills=len(kills),
        starts=people.stage,
        not_known=people.refused,
        settled=people.settled,
        unknowns=judged["unknowns"],
        redone=judged["redone"],
        violations=(*people.wrong, *(one for one in violations if one not in people.wrong)),
        wall_s=round(time.monotonic() - began, 1),
    )


def free_port() -> int:
    """A port of this machine that nobody listens at, and that the system gives to nobody while the service is dead."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def add_people(store: str) -> None:
    """Those of the lab, as its owner adds them before the service starts."""
    from lab.people import Role
    from lab.service.passwords import Passwords
    from lab.store import Store

    with Store.open(store) as opened:
        for name, roles in ((ADA, [Role.ADMIN, Role.OPERATOR, Role.SCIENTIST]), (GRACE, [Role.APPROVER])):
            opened.add_person(name, roles=roles, password_hash=Passwords().hash(PASSWORD))


@dataclass(slots=True)
class Stage:
    """Where cases are played.

    Args:
        folder: for their files.
        server: of PostgreSQL; None where there is none.
    """

    folder: Path
    server: PostgresServer | None
    _number: int = 0
    _template: str = ""

    def play(self, case: ServiceCase) -> Verdict:
        """One case; its files are kept where something is wrong with it."""
        self._number += 1
        folder = self.folder / f"case_{self._number}"
        folder.mkdir()
        if case.store == "sqlite":
            shutil.copyfile(self._empty(), folder / "lab.db")
            verdict = play(case, folder, str(folder / "lab.db"))
        else:
            assert self.server is not None, "the case needs a PostgreSQL server"
            database = self.server.new_database(self._empty_database())
            verdict = play(case, folder, self.server.url(database))
            self.server.sql(f"DROP DATABASE {database} WITH (FORCE)")
        if not verdict.violations:
            shutil.rmtree(folder)
        return verdict

    def _empty(self) -> Path:
        path = self.folder / "empty.db"
        if not path.exists():
            self._make(str(path))
        return path

    def _empty_database(self) -> str:
        assert self.server is not None
        if not self._template:
            self._template = self.server.new_database()
            self._make(self.server.url(self._template))
        return self._template

    def _make(self, store: str) -> None:
        log = self.folder / "empty.log"
        code, _ = in_child(lambda: add_people(store), log)
        assert code == 0, log.read_text()


def table(verdicts: list[Verdict]) -> str:
    """Day x kill point: what became of the cases."""
    rows: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        case = ServiceCase.read(verdict.case)
        rows[case.day, case.kills[0].at if case.kills else "from outside"].append(verdict)
    lines = [
        "| day | first killed at | cases | kills | services | redone | unknowns | settled | answers lost | violations |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(_line(day, at.replace("-", ", "), found) for (day, at), found in sorted(rows.items())),
        _line("all", "", verdicts),
    ]
    return "\n".join(lines)


def _line(day: str, at: str, found: list[Verdict]) -> str:
    sums = [
        sum(getattr(one, name) for one in found)
        for name in ("kills", "starts", "redone", "unknowns", "settled", "not_known")
    ]
    cells = [day, at, len(found), *sums, sum(len(one.violations) for one in found)]
    return f"| {' | '.join(map(str, cells))} |"


EXPLAINED = """Each case is a lab service, `drywet serve`, and a day of people who act over HTTP: they hand in, approve,
pause, stop, send by hand. The service is killed with SIGKILL at one point or two and started again; it goes on by
itself, and the people answer what it asks. Then store, queue, schedules, requests and the twin's ledger are held against
one another (`tests/crash/service_oracle.py`). Redone: a batch was done again on fresh material. Unknowns: steps of which
the instrument could not say what came of them. Answers lost: commands whose answer a kill cut off, and that the service
would not do twice. A point by lot may never be passed: that kill is not counted."""


def page(verdicts: list[Verdict], machine: str) -> str:
    """The file that is kept."""
    kills = sum(one.kills for one in verdicts)
    title = "# A lab service killed with SIGKILL, and what its store and its twin's ledger say afterwards"
    return (
        f"{title}\n\n{machine}\n\n{len(verdicts)} cases, {kills} kills.\n\n{EXPLAINED}\n\n{table(verdicts)}\n"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.service_campaign", description=__doc__)
    parser.add_argument("--seeds", type=int, default=0, help="cases by lot, each by its number")
    parser.add_argument("--first", type=int, default=1, help="number of the first of them")
    parser.add_argument("--case", action="append", default=[], help="play this one; may be given again")
    parser.add_argument("--group", choices=(*GROUPS, "all"), help="play these")
    parser.add_argument(
        "--json", action="store_true", help="print a line of JSON for each case, and nothing else"
    )
    parser.add_argument(
        "--keep", action="store_true", help="write the table to benchmarks/results/service_killed.md"
    )
    return parser.parse_args()


def _cases(given: argparse.Namespace) -> list[ServiceCase]:
    cases = [ServiceCase.read(line) for line in given.case]
    if given.group:
        cases += [case for name, group in GROUPS.items() if given.group in (name, "all") for case in group]
    return cases + [case_by_lot(number) for number in range(given.first, given.first + given.seeds)]


def main() -> int:
    """Play what is asked for; 1 when something was violated."""
    given = _arguments()
    cases = _cases(given)
    folder = Path(tempfile.mkdtemp(prefix="drywet-service-", dir=MEMORY if MEMORY.is_dir() else None))
    warm_up()
    verdicts = []
    with ExitStack() as stack:
        needs_server = any(case.store == "postgres" for case in cases)
        stage = Stage(folder, stack.enter_context(running_server()) if needs_server else None)
        for number, case in enumerate(cases, start=1):
            verdict = stage.play(case)
            if verdict.kills < len(case.kills) and not given.seeds:
                never = "A kill point never came: nothing is shown by it."
                verdict = replace(verdict, violations=(*verdict.violations, never))
            verdicts.append(verdict)
            if given.json:
                print(json.dumps(asdict(verdict)), flush=True)
            else:
                bad = "".join(f"\n    VIOLATED: {one}" for one in verdict.violations)
                print(f"{number:4} of {len(cases)}  {case}: {verdict.wall_s} s{bad}", flush=True)
    wrong = any(verdict.violations for verdict in verdicts)
    if not given.json:
        from benchmarks.machine import RESULTS, machine

        text = page(verdicts, machine())
        print(f"\n{text}")
        if given.keep:
            (RESULTS / "service_killed.md").write_text(text)
        if wrong:
            print(f"Files of cases that violate something are in {folder}.")
    if not wrong:
        shutil.rmtree(folder)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
