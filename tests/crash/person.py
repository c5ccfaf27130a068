"""A truthful person: goes to the bench, which is the ledger, and says of each step that nobody knows of what came of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.app.resolving import Verdict, resolve, unresolved
from lab.store import Store
from tests.crash.cases import NAME, Scene
from tests.crash.deeds import Extent, Past, deed_of
from tests.crash.diary import read_diary
from tests.crash.points import Points
from tests.crash.truth import read_ledger

__all__ = ["settle", "verdict_on"]

READS = ("fluorescence", "absorbance")


def settle(scene: Scene, stage: int) -> dict[str, Any]:
    """Settle all that waits for a person; in a child of its own.

    Returns:
        ``settled``: step id -> what was said of it; empty where nothing waits.
    """
    os.chdir(scene.folder)
    of_line = {note["index"]: note["step"] for note in read_diary(scene.diary) if note["what"] == "action"}
    settled: dict[str, str] = {}
    with Store.open(scene.store) as store:
        record = store.campaign(NAME)
        past = Past(*read_ledger(Path(store.bench(record.bench_id).ledger)))
        points = Points.of(scene, stage, lines=len(past.acts))
        points.install()
        waiting = [step for step in unresolved(store, record.bench_id) if not step.recovery]
        for step in waiting:
            verdict = verdict_on(step.id, step.action, step.arguments, past, of_line)
            resolve(store, step.id, verdict, who="a truthful person", why="I looked at the bench.")
            settled[step.id] = verdict.value
            points.diary.note("settled", step=step.id, verdict=verdict.value)
    return {"settled": settled}


def verdict_on(
    step_id: str, verb: str, arguments: Mapping[str, Any], past: Past, of_line: Mapping[int, str]
) -> Verdict:
    """What somebody says of a step who looks at the bench.

    Args:
        of_line: line of the ledger -> step that was under way then.
    """
    if verb in READS:
        return Verdict.NOT_DONE  # Nobody can say what it read; reading again harms nothing.
    acts = [act for act in past.acts if of_line.get(act.index) == step_id]
    match deed_of(verb, arguments, acts, past, len(past.acts)).extent:
        case Extent.ALL:
            return Verdict.DONE
        case Extent.NOTHING:
            return Verdict.NOT_DONE
        case _:
            return Verdict.DISCARD
