"""The store: the only truth about campaigns, runs, steps and results. Tables stay inside; values go in and come out."""

from lab.store.records import (
    AmendmentRecord,
    AuditedObservation,
    BarRecord,
    BenchRecord,
    CampaignRecord,
    EventRecord,
    Fact,
    RunOutcome,
)
from lab.store.store import Store
from lab.store.tallies import Tally

__all__ = [
    "AmendmentRecord",
    "AuditedObservation",
    "BarRecord",
    "BenchRecord",
    "CampaignRecord",
    "EventRecord",
    "Fact",
    "RunOutcome",
    "Store",
    "Tally",
]
