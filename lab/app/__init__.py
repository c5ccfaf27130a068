"""The composition root: the only place that knows implementations, and introduces them to each other."""

from lab.app.laboratory import Laboratory, Outcome
from lab.app.prepare import Prepared, prepare
from lab.app.rehearsal import Rehearsal, rehearse
from lab.app.reporting import report_campaign
from lab.app.settings import Settings, read_pace

__all__ = [
    "Laboratory",
    "Outcome",
    "Prepared",
    "Rehearsal",
    "Settings",
    "prepare",
    "read_pace",
    "rehearse",
    "report_campaign",
]
