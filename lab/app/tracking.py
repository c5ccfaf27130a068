"""Where each campaign under way stands within its run, as its progress tells."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from lab.engine.progress import BatchProposed, CampaignEnded, CampaignOpened, Progress, RunOpened, StepEnded

__all__ = ["Place", "Tracker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a campaign is.

    Args:
        step: ended in the run under way, of ``steps``; 0 of 0 where its dry run is not at hand (a resumed run).
        begun_s: lab time at which the run began.
        expected_s: lab time that it takes.
    """

    run_id: str = ""
    batch: int = 0
    step: int = 0
    steps: int = 0
    doing: str = ""
    begun_s: float = 0.0
    expected_s: float = 0.0

    def left_s(self, now_s: float) -> float | None:
        """Lab time that is left of the run; None where that is not known."""
        if not self.expected_s:
            return None
        return max(0.0, self.begun_s + self.expected_s - now_s)


class Tracker:
    """Campaign -> where it is. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[str, Place] = {}

    def of(self, campaign_id: str) -> Place:
        """Where a campaign is; nowhere between runs."""
        with self._lock:
            return self._places.get(campaign_id, Place())

    def tell(self, event: Progress) -> None:
        """Take what happened into account."""
        with self._lock:
            before = self._places.get(event.campaign_id, Place())
            match event:
                case CampaignOpened():
                    after = Place()
                case BatchProposed():
                    after = Place(batch=event.batch.number)
                case RunOpened():
                    after = Place(
                        run_id=event.run.id,
                        batch=event.batch.number,
                        steps=event.steps,
                        begun_s=event.lab_time_s,
                        expected_s=event.expected_s,
                    )
                case StepEnded():
                    after = replace(
                        before, step=event.number, doing=f"{event.device} {event.action}".replace("_", " ")
                    )
                case CampaignEnded():
                    after = Place(batch=before.batch)
                case _:
                    after = before
            self._places[event.campaign_id] = after
