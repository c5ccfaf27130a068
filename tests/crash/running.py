"""One case from its first process to its verdict."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.types import CampaignStatus
from tests.crash.cases import Case, Scene, write_files
from tests.crash.controller import KILLED, Hung, in_child, work
from tests.crash.diary import read_diary
from tests.crash.evidence import gather
from tests.crash.oracle import judge, undisturbed
from tests.crash.person import settle
from tests.crash.points import UNTIMED

__all__ = ["Verdict", "play", "play_undisturbed"]

MOST_STAGES = 12
"""Processes that a case may take: each kill is one more, and so is each visit of the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a case.

    Args:
        status: of the campaign at the end.
        verb: of the step that was under way at the first kill; ``-`` where none was.
        kills: that happened.
        redone: attempts that were given up.
        settled: steps that the person settled.
        unknowns: steps that were of unknown outcome, whoever settled them.
        violations: of what must hold, a sentence each.
    """

    case: str
    status: str
    verb: str = "-"
    kills: int = 0
    redone: int = 0
    settled: int = 0
    unknowns: int = 0
    violations: tuple[str, ...] = ()
    wall_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """For a line of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> Verdict:
        """What :meth:`to_json` gave, read back."""
        return cls(**{**written, "violations": tuple(written["violations"])})


def play_undisturbed(case: Case, folder: Path) -> dict[str, Any]:
    """What the case's campaign comes to when nobody disturbs it, and the kill points on its way.

    Returns:
        ``reference`` for :func:`tests.crash.oracle.judge`, ``passed`` points.

    Raises:
        RuntimeError: it does not come out right even so.
    """
    scene = _scene(case.undisturbed, folder, "")
    code, ended = in_child(lambda: work(scene, 1), folder / "stage_1.log")
    if code != 0 or ended["status"] != CampaignStatus.FINISHED:
        raise RuntimeError(f"The undisturbed campaign ended with {code}, {ended}:\n{_log(folder, 1)}")
    code, judged = in_child(lambda: _judged(scene, None), folder / "judge.log")
    if code != 0 or judged["violations"]:
        raise RuntimeError(
            f"The undisturbed campaign does not stand up: {judged}\n{_tail(folder / 'judge.log')}"
        )
    return {"reference": judged["reference"], "passed": ended["passed"]}


def play(case: Case, folder: Path, store: str, reference: dict[str, Any] | None) -> Verdict:
    """Kill, resume, settle, resume, until the campaign is over; then judge.

    Args:
        folder: of the case alone.
        store: URL of an empty database; empty for a file of its own.
        reference: as :func:`play_undisturbed` gave it.
    """
    began = time.monotonic()
    scene = _scene(case, folder, store)
    violations: list[str] = []
    try:
        ended = _to_the_end(scene, violations)
        code, judged = in_child(lambda: _judged(scene, reference), folder / "judge.log")
        if code == 0:
            violations += judged["violations"]
        else:
            violations.append(f"The case could not be judged: {_tail(folder / 'judge.log')}")
            judged = {"redone": 0}
    except Hung as hung:
        ended, judged = {"status": "hung"}, {"redone": 0}
        violations.append(str(hung))
    diary = read_diary(scene.diary)
    if case.at and not case.at.startswith(UNTIMED) and not any(note["what"] == "kill" for note in diary):
        violations.append("Its kill point never came: nothing is shown by it.")
    kills = [note for note in diary if note["what"] == "kill"]
    unknowns = {note["step"] for note in diary if note["what"] == "end" and note["status"] == "unknown"}
    return Verdict(
        case=str(case),
        status=ended["status"],
        verb=kills[0]["verb"] if kills else "-",
        kills=len(kills),
        redone=judged["redone"],
        settled=sum(note["what"] == "settled" for note in diary),
        unknowns=len(unknowns),
        violations=tuple(violations),
        wall_s=round(time.monotonic() - began, 2),
    )


def _scene(case: Case, folder: Path, store: str) -> Scene:
    return Scene(
        case=case,
        folder=folder,
        store=store or str(folder / "lab.db"),
        diary=folder / "diary.jsonl",
        file=write_files(folder, case),
    )


def _to_the_end(scene: Scene, violations: list[str]) -> dict[str, Any]:
    """Processes, one after the other, until one of them says that the campaign is over."""
    ended: dict[str, Any] = {"status": "never begun"}
    held_for = ""
    for stage in range(1, MOST_STAGES + 1):
        log = scene.folder / f"stage_{stage}.log"
        if ended["status"] == CampaignStatus.HELD:
            code, visit = in_child(partial(settle, scene, stage), log)
            if code == 0 and not visit["settled"] and held_for == ended["sentence"]:
                violations.append(f"Held twice, and nothing waits for a person: {held_for}")
                return ended
            # Where nothing waits to be settled, or the person was interrupted, they try to go on, and see.
            held_for, ended = ended["sentence"], {"status": "settled"}
        else:
            code, answer = in_child(partial(work, scene, stage), log)
            ended = answer if code == 0 else {"status": "killed"}
        if code not in (0, KILLED):
            violations.append(f"A process ended with {code}: {_tail(log)}")
            return {"status": "broken"}
        if ended["status"] in (CampaignStatus.FINISHED, CampaignStatus.ABORTED):
            return ended
    violations.append(f"The campaign was not over after {MOST_STAGES} processes; it was {ended['status']}.")
    return ended


def _judged(scene: Scene, reference: dict[str, Any] | None) -> dict[str, Any]:
    seen = gather(scene)
    return {
        "violations": judge(seen, reference),
        "reference": undisturbed(seen) if not scene.case.at else None,
        "redone": sum(one.run.status == "abandoned" for one in seen.runs),
    }


def _log(folder: Path, stage: int) -> str:
    return _tail(folder / f"stage_{stage}.log")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:].strip() if log.exists() else "nothing was printed"
