"""The oracle's view of a bench that campaigns shared for days: its ledger is too long to keep the bench before each line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

from lab.store import CampaignRecord, Store
from lab.types import CampaignStatus, StepStatus
from tests.crash.check_belief import at_rest, belief_is_not_optimistic, unknowns_are_told
from tests.crash.check_results import experiments_are_asked_for_once, results_are_what_was_read
from tests.crash.check_steps import no_action_twice_and_none_lost, nothing_outside_steps, runs_are_whole
from tests.crash.deeds import Past
from tests.crash.diary import read_diary
from tests.crash.evidence import READINGS, Evidence, _belief_and_world, _in_force
from tests.crash.truth import Truth
from tests.faults.truth import FaultyTruth

__all__ = ["Truths", "bench_verdict", "past_of"]

EVERY = 400
"""Lines of the ledger from one copy of the bench to the next."""

DRIED = " ul are there."
"""How the oracle ends a sentence about a well that holds less than is believed, which after days is no surprise."""


class Truths(Sequence[Truth]):
    """The bench before each line of a ledger and after the last, worked out when it is asked for.

    What is given is changed by the next question; nobody keeps it.
    """

    def __init__(self, head: dict[str, Any], records: Sequence[dict[str, Any]]) -> None:
        self._records = records
        self._now = FaultyTruth.at_first(head["bench"])
        self._copies: list[FaultyTruth] = []
        self.acts = []
        for index, record in enumerate(records):
            if index % EVERY == 0:
                self._copies.append(self._now.copy())
            self.acts.append(self._now.apply(index, record))
        self._index = len(records)

    def __len__(self) -> int:
        return len(self._records) + 1

    @overload
    def __getitem__(self, index: int) -> Truth: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Truth]: ...

    def __getitem__(self, index: int | slice) -> Truth | Sequence[Truth]:
        if isinstance(index, slice):
            raise TypeError("one at a time")
        wanted = index + len(self) if index < 0 else index
        if not 0 <= wanted < len(self):
            raise IndexError(index)
        if wanted < self._index or wanted - self._index > EVERY:
            nearest = min(wanted // EVERY, len(self._copies) - 1)
            self._now, self._index = self._copies[nearest].copy(), nearest * EVERY
        while self._index < wanted:
            self._now.apply(self._index, self._records[self._index])
            self._index += 1
        return self._now


def past_of(ledger: Path) -> Past:
    """All that a ledger says. A torn last line is left out: it never took effect."""
    content = ledger.read_bytes()
    lines = content[: content.rfind(b"\n") + 1].splitlines()
    truths = Truths(json.loads(lines[0]), [json.loads(line) for line in lines[1:]])
    return Past(truths.acts, truths)


def bench_verdict(folder: Path) -> None:
    """Judge both campaigns and their bench; into ``verdict.json``. In a process of its own: it rebuilds the world."""
    (ledger,) = folder.glob("**/bch_*.jsonl")
    diary = read_diary(folder / "diary.jsonl")
    past = past_of(ledger)
    with Store.open(str(folder / "lab.db"), read_only=True) as store:
        records = store.campaigns()
        belief, world_ul, readings = _belief_and_world(store, records[0])
        lines = [act.index for act in past.acts if act.action in READINGS]
        common = {
            "barred": store.barred(records[0].bench_id),
            "kept_barred": _in_force(store.bars(records[0].bench_id)),
            "belief": belief,
            "past": past,
            "world_ul": world_ul,
            "readings": dict(zip(lines, readings, strict=True)),
        }
        each = [_of_campaign(store, record, diary, common) for record in records]
    together = _together(each, diary)
    sentences = [
        sentence
        for check in (
            nothing_outside_steps,
            no_action_twice_and_none_lost,
            runs_are_whole,
            unknowns_are_told,
            belief_is_not_optimistic,
            at_rest,
        )
        for sentence in check(together)
    ]
    for seen in each:
        sentences += experiments_are_asked_for_once(seen)
        sentences += results_are_what_was_read(seen)
    dried = [sentence for sentence in sentences if sentence.endswith(DRIED)]
    (folder / "verdict.json").write_text(json.dumps(_facts(together, each, dried, sentences)))


def _facts(
    together: Evidence, each: Sequence[Evidence], dried: Sequence[str], sentences: Sequence[str]
) -> dict[str, Any]:
    steps = [step for of_run in together.steps.values() for step in of_run]
    unknown = {n["step"] for n in together.diary if n["what"] == "end" and n["status"] == StepStatus.UNKNOWN}
    return {
        "lab_h": together.acts[-1].lab_time_s / 3600.0,
        "steps": sum(step.status is StepStatus.DONE for step in steps),
        "runs": len(together.runs),
        "ends": [
            (
                seen.record.campaign.name,
                str(seen.record.status),
                sum(o.usable for o in seen.history.observations),
                seen.record.campaign.budget,
            )
            for seen in each
        ],
        "struck": [act.arguments["kind"] for act in together.acts if act.action == "fault"],
        "decisions": [
            (str(e.details["fault"]), str(e.details["recovery"]))
            for e in together.events
            if e.kind == "fault"
        ],
        "flags": [
            f for seen in each for o in seen.history.observations if not o.usable for f in o.quality.flags
        ],
        "unknowns": len(unknown),
        "redone": sum(one.run.status == "abandoned" for one in together.runs),
        "dried": len(dried),
        "violations": [sentence for sentence in sentences if sentence not in dried],
    }


def _of_campaign(
    store: Store, record: CampaignRecord, diary: Sequence[dict[str, Any]], common: dict[str, Any]
) -> Evidence:
    campaign = record.campaign.id
    runs = store.runs(campaign)
    return Evidence(
        record=record,
        history=store.history(campaign),
        batches=store.batches(campaign),
        runs=runs,
        steps={one.run.id: store.steps(one.run.id) for one in runs},
        documents={one.run.id: store.documents(one.run.id) for one in runs},
        events=store.events(campaign),
        diary=[note for note in diary if note.get("campaign", campaign) == campaign],
        **common,
    )


def _together(each: Sequence[Evidence], diary: Sequence[dict[str, Any]]) -> Evidence:
    """What concerns the bench and not one campaign; over when both are."""
    first, second = each
    running = next((one.record for one in each if one.record.status not in _OVER), first.record)
    return replace(
        first,
        record=running,
        runs=[*first.runs, *second.runs],
        steps={**first.steps, **second.steps},
        documents={**first.documents, **second.documents},
        events=[*first.events, *second.events],
        diary=diary,
    )


_OVER = (CampaignStatus.FINISHED, CampaignStatus.ABORTED)
