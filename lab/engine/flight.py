"""What is known of the stretch of a run that is under way."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.engine.arbiter import Lease
from lab.engine.journal import Journal, PlannedStep
from lab.engine.sink import DocumentSink
from lab.engine.standstill import Breaking
from lab.interfaces import Command, Verb
from lab.types import JsonValue, Run

__all__ = ["Flight"]


@dataclass(slots=True)
class Flight:
    """What is known of the stretch under way.

    Args:
        step: as the plan asked for it last.
        verb: that the step was sent to, until it ends.
        breaking: of the step, if it was told to end in its midst.
        again: that step is to be tried once more.
        lease: that the last try was sent under, kept for the next one; None where there is no next one.
        section: positions that the plan claims now.
        claimed: whether they are taken; a section whose steps were all done in an earlier stretch never takes them.
        section_begun: a step of the section was done in an earlier stretch.
        shown: device -> verb and result of the run's last step that was done on it.
        waited_s: lab time until which the plan has waited last.
        sent_s: lab time at which the step under way was sent; ``sent_wall_s`` by the machine's own clock.
    """

    run: Run
    journal: Journal
    sink: DocumentSink
    step: PlannedStep | None = None
    step_id: str = ""
    command: Command | None = None
    verb: Verb | None = None
    breaking: Breaking | None = None
    again: bool = False
    lease: Lease | None = None
    section: tuple[str, ...] = ()
    claimed: bool = False
    section_begun: bool = False
    shown: dict[str, tuple[Verb, JsonValue]] = field(default_factory=dict)
    waited_s: float = 0.0
    sent_s: float = 0.0
    sent_wall_s: float = 0.0
