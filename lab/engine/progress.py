"""What the engine and the loop tell whoever watches. Values only; a watcher that is slow or fails changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.types import Advice, Batch, Experiment, Observation, Run

__all__ = [
    "BatchProposed",
    "CampaignEnded",
    "CampaignOpened",
    "FaultMet",
    "Progress",
    "ResultsRecorded",
    "RunOpened",
    "StepEnded",
    "Watcher",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Something happened to a campaign.

    Args:
        lab_time_s: when.
    """

    campaign_id: str
    lab_time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignOpened(Progress):
    """The loop begins, or goes on after a stop.

    Args:
        measured: experiments with a result from before.
    """

    budget: int
    measured: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProposed(Progress):
    batch: Batch
    advice: Advice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOpened(Progress):
    """A run begins.

    Args:
        steps: that its dry run counted.
        expected_s: lab time that its dry run added up.
    """

    batch: Batch
    run: Run
    steps: int
    expected_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded(Progress):
    """One step is done.

    Args:
        number: of the step within its run, from 1.
        replayed: it was done in an earlier stretch and was not sent again.
        took_s: lab time from when it was last sent; None where it was not sent now.
        wall_s: the same by the clock of the machine.
    """

    run_id: str
    number: int
    device: str
    action: str
    replayed: bool
    took_s: float | None = None
    wall_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultMet(Progress):
    """An instrument did not do what it was told, or nobody knows whether it did.

    Args:
        fault: its kind (``lab.errors.FaultKind``).
        recovery: what is done about it (``lab.recovery.Recovery``); empty where it turned out to be done.
        sentence: both, for a person.
    """

    run_id: str
    device: str
    action: str
    fault: str
    recovery: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsRecorded(Progress):
    """A batch is measured.

    Args:
        spent: experiments charged to the budget so far.
        best: the best usable result so far, if there is one.
    """

    batch: Batch
    observations: tuple[Observation, ...]
    spent: int
    best: tuple[Experiment, Observation] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignEnded(Progress):
    """The loop ends: finished, stopped or held.

    Args:
        sentence: why.
    """

    status: str
    sentence: str


Watcher = Callable[[Progress], None]
