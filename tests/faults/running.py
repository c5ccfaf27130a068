"""One case from its first process to its verdict."""

from __future__ import annotations

import functools
import inspect
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from digital_twin.faults import applicable
from lab.store import Store
from lab.types import CampaignStatus
from tests.crash import controller, evidence, person
from tests.crash.cases import NAME, Scene
from tests.crash.controller import Hung, in_child, work
from tests.crash.diary import Diary
from tests.crash.evidence import Evidence, gather
from tests.crash.oracle import DRYING_SHARE, NOISE_FLOOR, NOISE_SD, judge, table_of
from tests.faults.cases import CLARIOSTAR, NEVER, ROLE_OF, FaultCase, Rule, write_files
from tests.faults.decisions import SAW, Followed, follow
from tests.faults.hands import deed_of, put_back
from tests.faults.truth import read_ledger

__all__ = ["Verdict", "play", "play_undisturbed", "warm_up"]

MOST_STAGES = 12
"""Processes that a case may take; each visit of the person and each resume is one."""

OVER = (CampaignStatus.FINISHED, CampaignStatus.ABORTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a case.

    Args:
        status: of the campaign at the end.
        rule: when it struck.
        policy: for the fault and for unknown outcomes; empty for the default ladders.
        struck: how often.
        noticed: how often the store tells of it.
        did: what was decided, in order.
        holds: sentences with which controllers ended that held.
        caught: flags of wells that got too little without anybody knowing; empty where the analysis took them for good.
        effect: largest difference of a result that counts from the undisturbed one; None where there is nothing to compare.
        violations: of what must hold, a sentence each.
    """

    case: str
    status: str
    rule: str = ""
    policy: str = ""
    struck: int = 0
    noticed: int = 0
    did: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    caught: tuple[str, ...] = ()
    effect: float | None = None
    violations: tuple[str, ...] = ()
    wall_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """For a line of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> Verdict:
        """What :meth:`to_json` gave, read back."""
        lists = {name: tuple(written[name]) for name in ("did", "holds", "caught", "violations")}
        return cls(**{**written, **lists})


def warm_up() -> None:
    """Everything a controller imports, before the first fork; the oracle's ledger learns of accidents."""
    controller.warm_up()
    for module in (evidence, person):
        setattr(module, "read_ledger", read_ledger)  # noqa: B010  (mypy refuses the assignment)
        setattr(module, "deed_of", deed_of)  # noqa: B010


# ------------------------------------------------------------------------------------------------- the campaign left alone


def play_undisturbed(case: FaultCase, folder: Path) -> dict[str, Any]:
    """What a case's campaign comes to when nothing goes wrong, and how often something could have.

    Returns:
        ``table``, ``actions`` and ``strokes`` of the campaign; ``occasions``: verb and kind -> how many.

    Raises:
        RuntimeError: it does not come out right even so.
    """
    drivers = [
        d for d in ROLE_OF if (d == CLARIOSTAR) == (case.driver == CLARIOSTAR) or ROLE_OF[d] != "reader"
    ]
    rules = [
        (ROLE_OF[driver], verb, kind, Rule(at=NEVER))
        for driver, verb, kind in applicable()
        if driver in drivers
    ]
    scene = _scene(case, folder, rules)
    code, ended = in_child(partial(_work, scene, 1), folder / "stage_1.log")
    if code != 0 or ended["status"] != CampaignStatus.FINISHED:
        raise RuntimeError(
            f"The undisturbed campaign ended with {code}, {ended and ended['sentence']}:\n{_tail(folder / 'stage_1.log')}"
        )
    code, found = in_child(partial(_refer, scene), folder / "judge.log")
    if code != 0 or found["violations"]:
        raise RuntimeError(
            f"The undisturbed campaign does not stand up: {found}\n{_tail(folder / 'judge.log')}"
        )
    return dict(found)


def _refer(scene: Scene) -> dict[str, Any]:
    seen = gather(scene)
    occasions: dict[str, int] = {}
    for act in seen.acts:
        if act.action == "chance":
            occasions.update(
                {
                    f"{act.arguments['instrument']}.{key}": n
                    for key, n in act.arguments["opportunities"].items()
                }
            )
    return {
        "violations": judge(seen, None),
        "table": [asdict(row) for row in table_of(seen)],
        "actions": {str(one.batch_number): [s.action for s in seen.steps[one.run.id]] for one in seen.runs},
        "strokes": _strokes(seen),
        "occasions": occasions,
    }


def _strokes(seen: Evidence) -> list[Any]:
    """What handler and reader did, in order; their noise hangs on it."""
    return [
        [act.instrument, act.action, act.arguments]
        for act in seen.acts
        if act.instrument in ("handler", "reader")
    ]


# ---------------------------------------------------------------------------------------------------------------- one case


def play(case: FaultCase, folder: Path, reference: Mapping[str, Any]) -> Verdict:
    """Run into the fault; settle and resume until the campaign is over; then judge."""
    began = time.monotonic()
    occasions = reference["occasions"].get(f"{case.role}.{case.verb}.{case.kind}.before", 0)
    rule = case.rule(occasions)
    verdict = Verdict(case=str(case), status="", rule=str(rule), policy=str(case.policy or ""))
    if not occasions:
        return _with(verdict, status="never", violations=("The campaign has no occasion for it.",))
    scene = _scene(case, folder, [(case.role, case.verb, case.kind, rule)])
    violations: list[str] = []
    judged: dict[str, Any] = {}
    try:
        status = _to_the_end(scene, violations)
        code, judged = in_child(partial(_judged, scene, case, reference), folder / "judge.log")
        if code != 0:
            judged = {"violations": [f"The case could not be judged: {_tail(folder / 'judge.log')}"]}
    except Hung as hung:
        status = "hung"
        violations.append(str(hung))
    violations += judged.pop("violations", [])
    return _with(
        verdict,
        status=status,
        violations=tuple(violations),
        wall_s=round(time.monotonic() - began, 2),
        **judged,
    )


def _with(verdict: Verdict, **fields: Any) -> Verdict:
    return Verdict.from_json({**asdict(verdict), **fields})


def _scene(case: FaultCase, folder: Path, rules: list[Any]) -> Scene:
    return Scene(
        case=case.campaign,
        folder=folder,
        store=str(folder / "lab.db"),
        diary=folder / "diary.jsonl",
        file=write_files(folder, case, rules),
    )


def _work(scene: Scene, stage: int) -> dict[str, Any]:
    """A controller's process, whose diary also tells which fault each step ended with."""
    _note_what_drivers_saw(Diary(scene.diary, stage), later=False)
    return work(scene, stage)


def _settle(scene: Scene, stage: int) -> dict[str, Any]:
    _note_what_drivers_saw(Diary(scene.diary, stage), later=True)
    visit = person.settle(scene, stage)
    with Store.open(scene.store) as store:
        visit["put_back"] = put_back(store, store.campaign(NAME).bench_id)
    return visit


def _note_what_drivers_saw(diary: Diary, *, later: bool) -> None:
    owner = next(part for part in Store.__mro__ if "end_step" in vars(part))
    end_step: Callable[..., Any] = vars(owner)["end_step"]
    signature = inspect.signature(end_step)

    @functools.wraps(end_step)
    def ended(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        diary.note(
            SAW, step=given["step_id"], status=str(given["status"]), fault=given.get("fault", ""), later=later
        )
        return end_step(*args, **kwargs)

    owner.end_step = ended


def _to_the_end(scene: Scene, violations: list[str]) -> str:
    """Processes, one after the other, until one of them says that the campaign is over. Gives its status."""
    status, struck = "never begun", 0
    for stage in range(1, MOST_STAGES + 1):
        log = scene.folder / f"stage_{stage}.log"
        held = status == CampaignStatus.HELD
        if held:
            code, _ = in_child(partial(_settle, scene, stage), log)
            status = "settled"
        else:
            code, ended = in_child(partial(_work, scene, stage), log)
            status = ended["status"] if code == 0 else "broken"
        if code != 0:
            violations.append(f"A process ended with {code}: {_tail(log)}")
            return "broken"
        if status in OVER:
            return status
        if status == CampaignStatus.HELD:
            before, struck = struck, _strikes(scene)
            if before == struck and stage > 1 and not _told_no_result(ended["sentence"]):
                violations.append(f"Resumed once, and held again without a fault: {ended['sentence']}")
                return status
        elif not held:
            violations.append(f"The campaign is neither over nor held: {status}.")
            return status
    violations.append(f"The campaign was not over after {MOST_STAGES} processes; it was {status}.")
    return status


def _told_no_result(sentence: str) -> bool:
    return sentence.startswith("No result of batch")


def _strikes(scene: Scene) -> int:
    """Faults on the ledger by now."""
    (ledger,) = scene.folder.glob("**/bch_*.jsonl")
    return sum(1 for line in ledger.read_text().splitlines() if '"action":"fault"' in line)


# ------------------------------------------------------------------------------------------------------------- the verdict


def _judged(scene: Scene, case: FaultCase, reference: Mapping[str, Any]) -> dict[str, Any]:
    if case.unnoticeable:
        for module in (evidence, person):
            setattr(module, "read_ledger", partial(read_ledger, silent_is_noise=True))  # noqa: B010
    seen = gather(scene)
    followed = follow(seen, case)
    violations = [*followed.violations, *(v for v in judge(seen, None) if not _is_the_fault(v, followed))]
    effect, differing = _against(seen, reference)
    if not case.unnoticeable:
        violations += differing
    return {
        "struck": followed.struck,
        "noticed": followed.noticed,
        "did": list(followed.did),
        "holds": [n["sentence"] for n in seen.diary if n["what"] == "ended" and n["status"] == "held"],
        "caught": _flags_of(seen, followed.short),
        "effect": effect,
        "violations": violations,
    }


def _flags_of(seen: Evidence, short: frozenset[tuple[str, str]]) -> list[str]:
    wells = (well for one in seen.history.observations for well in one.details["wells"])
    return sorted({flag for w in wells if (w["labware"], w["well"]) in short for flag in w["flags"]})


def _is_the_fault(violation: str, followed: Followed) -> bool:
    """Whether a sentence of the oracle says no more than that a well is short which nobody could know of."""
    return violation.endswith(" ul are there.") and any(
        violation.startswith(f"{well} of {labware} is believed to hold ") for labware, well in followed.short
    )


def _against(seen: Evidence, reference: Mapping[str, Any]) -> tuple[float | None, list[str]]:
    """Results that count against those of the campaign left alone: the largest difference, and what is past the noise."""
    if seen.record.status is not CampaignStatus.FINISHED:
        return None, []
    alike = _strokes(seen) == reference["strokes"]
    effect: float | None = None
    wrong: list[str] = []
    for row, other in zip(table_of(seen), reference["table"], strict=False):
        if (row.candidate, row.batch) != (other["candidate"], other["batch"]):
            wrong.append(
                f"{row.candidate} was chosen where {other['candidate']} would have been, had nothing failed."
            )
            continue
        if row.spoilt or not row.ok:
            continue
        assert row.value is not None, "a result that counts has a value"
        differs = abs(row.value - other["value"])
        effect = max(differs, effect or 0.0)
        errors = math.hypot(row.standard_error or 0.0, other["standard_error"] or 0.0)
        allowed = DRYING_SHARE * abs(other["value"]) if alike else NOISE_SD * errors + NOISE_FLOOR
        if differs > allowed:
            wrong.append(
                f"{row.candidate} came to {row.value:.5f}, and undisturbed to {other['value']:.5f}; {allowed:.5f} "
                "are allowed."
            )
    wrong += _other_steps(seen, reference)
    return effect, wrong


def _other_steps(seen: Evidence, reference: Mapping[str, Any]) -> Iterator[str]:
    for one in seen.runs:
        mine = [tries[-1].action for tries in seen.tries(one.run.id) if tries[-1].branch == "main"]
        if one.run.status == "done" and mine != reference["actions"][str(one.batch_number)]:
            yield f"{one.run.id} is DONE with other steps than an undisturbed run of its batch."


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-3000:].strip() if log.exists() else "nothing was printed"


def begin(case: FaultCase, folder: Path, reference: Mapping[str, Any]) -> int:
    """Play a case in a forked child, which leaves ``verdict.json`` in its folder. Gives its process."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        verdict = play(case, folder, reference)
        (folder / "verdict.json").write_text(json.dumps(verdict.to_json()))
        code = 0
    finally:
        os._exit(code)
