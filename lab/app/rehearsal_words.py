"""A rehearsal as JSON, for programs and for the service."""

from __future__ import annotations

from lab.app.rehearsal import Rehearsal
from lab.dry_run import DryRun
from lab.types import JsonValue

__all__ = ["dry_run_json", "rehearsal_json"]


def rehearsal_json(rehearsal: Rehearsal) -> dict[str, JsonValue]:
    """What a campaign's first batch would be and do."""
    return {
        "campaign": rehearsal.campaign.name,
        "batches": rehearsal.batches,
        "problems": list(rehearsal.problems),
        "first_batch": {
            "candidates": [experiment.candidate.id for experiment in rehearsal.batch.experiments],
            **dry_run_json(rehearsal.dry_run),
        },
    }


def dry_run_json(walked: DryRun) -> dict[str, JsonValue]:
    """How long steps take, and what they use."""
    return {
        "duration_s": walked.duration_s,
        "plates": list(walked.plates),
        "tips": [{"tip_volume_ul": t.tip_volume_ul, "used": t.used, "left": t.left} for t in walked.tips],
        "volumes": [
            {
                "labware": use.labware,
                "well": use.well,
                "content": use.content,
                "drawn_ul": use.drawn_ul,
                "left_ul": use.left_ul,
            }
            for use in walked.volumes
        ],
        "steps": [
            {
                "ordinal": step.ordinal,
                "begin_s": step.begin_s,
                "duration_s": step.duration_s,
                "device": step.device,
                "action": step.action,
                "arguments": step.arguments,
            }
            for step in walked.steps
        ],
    }
