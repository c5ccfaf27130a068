"""What a person sees of a request for their word, before they give it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lab.approvals import Approval, ApprovalKind, Ranges, nearest, ranges_of
from lab.engine.review import tested
from lab.store import Store
from lab.types import Batch, Campaign, Candidate, Experiment, History

__all__ = ["picture"]


def picture(store: Store, approval: Approval, *, candidates: bool = True) -> dict[str, Any]:
    """All that a person sees of a request before they decide; numbers that are not known are None.

    Args:
        candidates: whether those of a batch are shown, each beside the nearest that was tested.
    """
    told: dict[str, Any] = {
        "id": approval.id,
        "kind": str(approval.kind),
        "status": str(approval.status),
        "version": approval.version,
        "reasons": [one.to_json() for one in approval.reasons],
        "asked_by": approval.asked_by,
        "asked_utc": approval.asked_utc.isoformat(),
        "decided_by": approval.decided_by,
        "decided_utc": None if approval.decided_utc is None else approval.decided_utc.isoformat(),
        "why": approval.why,
        "submission_id": approval.submission_id,
        "campaign_id": approval.campaign_id,
        "cost": approval.cost,
        "currency": approval.details.get("currency"),
        "amount": approval.details.get("amount"),
        "dry_run": approval.details.get("dry_run"),
        "edits": list(approval.details.get("edits", ())),
    }
    if approval.kind is ApprovalKind.START:
        submission = store.submission(approval.submission_id)
        return {
            **told,
            "name": submission.name,
            "batch": None,
            "target": "",
            "experiments": [],
            "dry_run": approval.details.get("dry_run") or dict(submission.rehearsal),
        }
    campaign = store.campaign(approval.campaign_id).campaign
    batch = store.whole_batch(approval.batch_id)
    return {
        **told,
        "name": campaign.name,
        "batch": batch.number,
        "target": campaign.goal.target,
        "experiments": _experiments(campaign, store.history(campaign.id), batch) if candidates else [],
    }


def _experiments(campaign: Campaign, history: History, batch: Batch) -> list[dict[str, Any]]:
    ours = {one.id for one in batch.experiments}
    before = History(
        experiments=tuple(one for one in history.experiments if one.id not in ours),
        observations=tuple(one for one in history.observations if one.experiment_id not in ours),
    )
    known = tested(campaign, before)
    ranges = ranges_of(campaign.candidates, campaign.space)
    results = _results(campaign, before)
    return [_shown(one, known, ranges, results) for one in batch.experiments]


def _results(campaign: Campaign, history: History) -> dict[str, dict[str, Any]]:
    """Candidate -> what is known of it: this campaign's last result, or else the past's."""
    found = {
        one.candidate.id: {"value": one.value, "standard_error": one.standard_error, "earlier": one.campaign}
        for one in campaign.past
        if one.target == campaign.goal.target
    }
    for experiment, observation in history.usable(campaign.goal.target):
        found[experiment.candidate.id] = {
            "value": observation.value,
            "standard_error": observation.standard_error,
            "earlier": "",
        }
    return found


def _shown(
    one: Experiment,
    known: Sequence[Candidate],
    ranges: Ranges,
    results: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    near = nearest(one.candidate, known, ranges)
    beside = None
    if near is not None:
        other, how_far = near
        beside = {"candidate_id": other.id, **asdict(how_far), **_finite(results.get(other.id, {}))}
    reason = one.reason
    return {
        "id": one.id,
        "candidate_id": one.candidate.id,
        "sequence": one.candidate.sequence,
        "values": dict(one.candidate.values),
        "status": str(one.status),
        "taken_back": one.waived,
        "repeat_of": one.repeat_of,
        "planner": reason.planner,
        "why": reason.sentence,
        "acquisition": reason.acquisition,
        "model_cards": list(reason.model_cards),
        **_finite(
            {
                "acquisition_value": reason.acquisition_value,
                "predicted_mean": reason.predicted_mean,
                "predicted_sd": reason.predicted_sd,
            }
        ),
        "interval": None if reason.interval is None else list(reason.interval),
        "nearest": beside,
    }


def _finite(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in numbers.items()
    }
