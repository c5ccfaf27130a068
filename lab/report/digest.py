"""One number for all tables of a campaign, the same for the same tables."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict

from lab.report.values import PlateReading, Result, Target
from lab.types import Campaign, Candidate, JsonValue, SearchSpace

__all__ = ["content_sha256"]


def content_sha256(
    campaign: Campaign,
    results: Sequence[Result],
    plates: Sequence[PlateReading],
    targets: Sequence[Target] = (),
) -> str:
    """SHA-256 of goal, search space, choices, results and readings, as hexadecimal digits.

    Identifiers and wall-clock times are left out, so that two campaigns of one seed on identical twins give the same hash.
    Numbers go in as Python writes them, to the last digit, but for lab times, which go in to the millisecond: the clock
    adds up waits, and what else runs on it changes how their last bits round.

    Args:
        targets: every one of the goal; of one alone, the results say all.
    """
    numbers = {r.experiment.id: r.number for r in results}
    tables: dict[str, JsonValue] = {
        "goal": [campaign.goal.direction, campaign.goal.target],
        "candidates": [_described(c) for c in campaign.candidates],
        "reference": campaign.reference.id,
        "planner": [campaign.planner.name, sorted(campaign.planner.settings.items())],
        "protocol": [campaign.protocol.name, sorted(campaign.protocol.parameters.items())],
        "budget": [campaign.budget, campaign.batch_size, campaign.seed],
        "experiments": [_row(result, numbers) for result in results],
        "readings": [
            [
                p.batch,
                p.role,
                p.labware,
                p.mode,
                _milliseconds(p.lab_time_s),
                [[w.value, w.content, w.saturated] for w in p.wells],
            ]
            for p in plates
        ],
    }
    tables |= _beyond_a_pool(campaign)
    if len(targets) > 1:
        tables["targets"] = [
            [t.name, [[name, e.value, e.standard_error] for name, e in sorted(t.estimates.items())]]
            for t in targets
        ]
    text = json.dumps(tables, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=list)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _beyond_a_pool(campaign: Campaign) -> dict[str, JsonValue]:
    """What a campaign has beside a target to maximise or minimise and a pool; nothing where it has no more."""
    goal = campaign.goal
    added: dict[str, JsonValue] = {}
    if goal.level is not None or goal.also or goal.limits:
        added["whole_goal"] = asdict(goal)
    if campaign.space is not None:
        added["space"] = _space(campaign.space)
        added["whole_reference"] = _described(campaign.reference)
    if campaign.models:
        added["models"] = [[m.name, sorted(m.settings.items())] for m in campaign.models]
    if campaign.past:
        added["past"] = [
            [_described(r.candidate), r.target, r.value, r.standard_error, r.campaign] for r in campaign.past
        ]
    if campaign.shared:
        added["shared"] = list(campaign.shared)
    return added


def _space(space: SearchSpace) -> JsonValue:
    """All of it but the folder of its rules, which is another on every machine."""
    written = asdict(space)
    del written["folder"]
    written["rules"] = [
        rule if isinstance(rule, str) else getattr(rule, "__qualname__", type(rule).__qualname__)
        for rule in space.rules
    ]
    return written


def _described(candidate: Candidate) -> JsonValue:
    return [candidate.id, candidate.sequence, sorted(candidate.values.items())]


def _milliseconds(lab_time_s: float) -> int | None:
    return round(1000 * lab_time_s) if math.isfinite(lab_time_s) else None


def _row(result: Result, numbers: dict[str, int]) -> list[JsonValue]:
    experiment, observation = result.experiment, result.observation
    reason = experiment.reason
    chosen = [
        result.number,
        result.batch,
        experiment.candidate.id,
        experiment.status.value,
        numbers.get(experiment.repeat_of or ""),
        [reason.planner, reason.sentence, reason.acquisition, reason.acquisition_value],
        [reason.predicted_mean, reason.predicted_sd, list(reason.model_cards), list(reason.seed)],
    ]
    if observation is None:
        return chosen
    quality = observation.quality
    return [
        *chosen,
        [observation.value, observation.standard_error, observation.unit, observation.replicates],
        [quality.ok, list(quality.flags), quality.sentence],
        [observation.method, observation.origin.value, _milliseconds(observation.lab_time_s)],
    ]
