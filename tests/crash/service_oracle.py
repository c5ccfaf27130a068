"""What must hold of a service's store and ledger when the day is over, however often the service was killed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.approvals import ApprovalKind, ApprovalStatus
from lab.schedules import Outcome
from lab.store import CampaignRecord, Store
from lab.submissions import SubmissionStatus
from lab.types import RunStatus
from tests.crash.cases import BY_HAND
from tests.crash.check_belief import at_rest, belief_is_not_optimistic, unknowns_are_told
from tests.crash.check_steps import no_action_twice_and_none_lost, nothing_outside_steps, runs_are_whole
from tests.crash.diary import read_diary
from tests.crash.evidence import Evidence, gather_campaign
from tests.crash.oracle import judge
from tests.crash.service_cases import ServiceScene
from tests.crash.service_people import ADA, GRACE
from tests.crash.truth import read_ledger

__all__ = ["judge_service"]


def judge_service(scene: ServiceScene) -> dict[str, Any]:
    """All that must not be, and some numbers. In a process of its own: it rebuilds worlds.

    Returns:
        ``violations``: sentences; ``redone``: attempts that were given up; ``unknowns``: steps of unknown outcome.
    """
    os.chdir(scene.folder)
    diary = read_diary(scene.diary)
    with Store.open(scene.store, read_only=True) as store:
        violations = [
            *_each_submission_is_one_campaign(store),
            *_each_moment_fires_once(store),
            *_each_batch_is_asked_about_once(store),
            *_budgets_are_right(store),
            *_one_bench_was_worked_on(store),
            *_acts_are_audited(store, sum(note["what"] == "kill" for note in diary)),
        ]
        for record in store.campaigns():
            wrong = _judged(gather_campaign(store, record, diary))
            violations += [f"{record.campaign.name}: {sentence}" for sentence in wrong]
        runs = [run.run for record in store.campaigns() for run in store.runs(record.campaign.id)]
    unknown = {note["step"] for note in diary if note["what"] == "end" and note["status"] == "unknown"}
    return {
        "violations": list(dict.fromkeys(violations)),
        "redone": sum(run.status is RunStatus.ABANDONED for run in runs),
        "unknowns": len(unknown),
    }


def _judged(seen: Evidence) -> list[str]:
    if not seen.record.campaign.name.startswith(BY_HAND):
        return judge(seen, None)
    # A command by hand has no assay whose wells could be looked at.
    checks = (
        nothing_outside_steps(seen),
        no_action_twice_and_none_lost(seen),
        runs_are_whole(seen),
        unknowns_are_told(seen),
        belief_is_not_optimistic(seen),
        at_rest(seen),
    )
    return [sentence for check in checks for sentence in check]


def _one_bench_was_worked_on(store: Store) -> Iterator[str]:
    """A kill between a bench and its first campaign leaves a bench on which nothing ever stood."""
    used = {record.bench_id for record in store.campaigns()}
    if len(used) != 1:
        yield f"{len(used)} benches were worked on, and one was enough."
    for bench in store.benches():
        acts, _ = read_ledger(Path(bench.ledger))
        if acts and bench.id not in used:
            yield f"{len(acts)} actions were done on {bench.id}, which is no campaign's."


def _handed_in(store: Store) -> list[CampaignRecord]:
    return [record for record in store.campaigns() if not record.campaign.name.startswith(BY_HAND)]


def _each_submission_is_one_campaign(store: Store) -> Iterator[str]:
    submissions = store.submissions()
    names = Counter(one.name for one in submissions)
    for name, times in names.items():
        if times > 1:
            yield f"{name} was handed in once, and stands in the queue {times} times."
    for one in submissions:
        if one.status is not SubmissionStatus.STARTED:
            yield f"{one.name} was handed in, and is {one.status}: {one.sentence}"
    became = Counter(one.campaign_id for one in submissions)
    campaigns = Counter(record.campaign.id for record in _handed_in(store))
    if became != campaigns:
        yield f"{len(submissions)} submissions became {len(campaigns)} campaigns, or others than they say."


def _each_moment_fires_once(store: Store) -> Iterator[str]:
    submissions = [one for one in store.submissions() if one.schedule_id]
    firings = store.firings()
    if len(store.schedules()) > 1:
        yield "A schedule was made once, and there are more of it."
    for (schedule, due), times in Counter((one.schedule_id, one.due_utc) for one in firings).items():
        if times > 1:
            yield f"{schedule} was decided {times} times for {due}."
    fired = Counter(one.submission_id for one in firings if one.outcome is Outcome.FIRED)
    if fired != Counter(one.id for one in submissions):
        yield f"{len(fired)} moments fired, and {len(submissions)} submissions are a schedule's."
    if store.schedules() and len(fired) != 1:
        yield f"One moment was due, and {len(fired)} fired."


def _each_batch_is_asked_about_once(store: Store) -> Iterator[str]:
    asked = Counter(one.batch_id for one in store.approvals() if one.kind is ApprovalKind.BATCH)
    for batch_id, times in asked.items():
        if times > 1:
            yield f"A person was asked {times} times about {batch_id}."
    for one in store.approvals():
        if one.status is not ApprovalStatus.APPROVED or one.decided_by != GRACE:
            yield f"The request about {one.batch_id} is {one.status}, by {one.decided_by or 'nobody'}."
    for record in _handed_in(store):
        if record.campaign.approval is None:
            continue
        for batch in store.batches(record.campaign.id):
            if batch.id not in asked:
                yield f"Batch {batch.number} of {record.campaign.name} was carried out, and nobody was asked."


def _budgets_are_right(store: Store) -> Iterator[str]:
    for record in _handed_in(store):
        history = store.history(record.campaign.id)
        if history.spent != record.campaign.budget:
            yield f"{record.campaign.name} spent {history.spent} of {record.campaign.budget} experiments."
    for record in store.campaigns():
        if record not in _handed_in(store):
            runs = store.runs(record.campaign.id)
            if len([run for run in runs if run.run.status is RunStatus.DONE]) != 1:
                yield f"A command by hand is {[str(run.run.status) for run in runs]}."


def _acts_are_audited(store: Store, kills: int) -> Iterator[str]:
    """Who did what is there; of an act without an end a kill is the reason."""
    acts = store.acts(limit=1000)
    open_ones = [act for act in acts if not act.ended_utc]
    if len(open_ones) > kills:
        yield f"{len(open_ones)} acts have no end, and the service was killed {kills} times."
    strangers = {act.who for act in acts} - {ADA, GRACE, ""}
    if any(act.who not in (ADA, GRACE) for act in acts if act.action.startswith("POST")):
        yield f"Somebody acted who was not there: {', '.join(sorted(strangers))}."
