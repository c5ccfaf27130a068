"""How campaigns ended, and how those under way stand."""

from __future__ import annotations

from dataclasses import dataclass

from lab.errors import DrywetError
from lab.types import Campaign, CampaignStatus, Experiment, JsonValue, Observation

__all__ = ["Outcome", "Standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one campaign ended this time.

    Args:
        results: usable results, best first.
        lab_s: lab time that went by since this process began.
        wall_s: wall time of the same.
        error: what holds it, if it is held.
    """

    campaign: Campaign
    status: CampaignStatus
    sentence: str
    results: tuple[tuple[Experiment, Observation], ...]
    measured: int
    twin: bool
    lab_s: float
    wall_s: float
    error: DrywetError | None = None

    def top(self, n: int) -> tuple[tuple[Experiment, Observation], ...]:
        """The n best usable results."""
        return self.results[:n]

    def to_json(self) -> dict[str, JsonValue]:
        """For ``--json``."""
        return {
            "campaign": self.campaign.id,
            "name": self.campaign.name,
            "baseline_of": self.campaign.baseline_of or None,
            "status": str(self.status),
            "sentence": self.sentence,
            "budget": self.campaign.budget,
            "measured": self.measured,
            "twin": self.twin,
            "lab_time_s": self.lab_s,
            "wall_time_s": self.wall_s,
            "best": [
                {
                    "candidate": e.candidate.id,
                    "value": o.value,
                    "standard_error": o.standard_error,
                    "unit": o.unit,
                }
                for e, o in self.top(10)
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a campaign under way stands.

    Args:
        campaign_id: which.
        at_work: it has not ended yet.
        pausing: it is to stand still.
        paused: it does, between two steps.
    """

    campaign_id: str
    name: str
    at_work: bool
    pausing: bool
    paused: bool
    status: str
