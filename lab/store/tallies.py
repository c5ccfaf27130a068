"""How far campaigns have come, for lists of them: counted anew only where anything may have changed."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import col, func, select

from lab.store.database import Database
from lab.store.records import CampaignRecord
from lab.store.results import Results
from lab.store.tables import AmendmentTable, ExperimentTable
from lab.types import CampaignStatus, Experiment, Goal, History, Observation

__all__ = ["Tallies", "Tally"]

_OVER = (CampaignStatus.FINISHED, CampaignStatus.ABORTED)

_Stamp = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a campaign has come.

    Args:
        spent: experiments charged to its budget.
        measured: those of them with a usable result of the first objective.
        best: experiment and result of the best that keeps all limits; None where there is none.
    """

    spent: int
    measured: int
    best: tuple[Experiment, Observation] | None

    @classmethod
    def of(cls, history: History, goal: Goal) -> Tally:
        """Counted."""
        return cls(
            spent=history.spent,
            measured=len(history.usable(goal.target)),
            best=next(iter(history.serving(goal)), None),
        )


class Tallies(Results):
    """The part of :class:`lab.store.Store` that counts results for lists. Any thread."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._counting = threading.Lock()
        self._counted: dict[str, tuple[_Stamp, Tally]] = {}

    def tallies(self, records: Sequence[CampaignRecord]) -> Mapping[str, Tally]:
        """How far each of these campaigns has come, by identifier.

        What is over changes only by what people say of it since, so of that a count is kept.
        """
        stamps = self._stamps()
        return {record.campaign.id: self._tally(record, stamps[record.campaign.id]) for record in records}

    def _tally(self, record: CampaignRecord, stamp: _Stamp) -> Tally:
        campaign = record.campaign
        with self._counting:
            known = self._counted.get(campaign.id)
        if known is not None and known[0] == stamp and record.status in _OVER:
            return known[1]
        tally = Tally.of(self.history(campaign.id), campaign.goal)
        if record.status in _OVER:
            with self._counting:
                self._counted[campaign.id] = (stamp, tally)
        return tally

    def _stamps(self) -> Mapping[str, _Stamp]:
        """What differs for a campaign when any of its experiments stands otherwise or anything was said of its results."""
        stands = select(ExperimentTable.campaign_id, ExperimentTable.status, func.count()).group_by(
            col(ExperimentTable.campaign_id), col(ExperimentTable.status)
        )
        said = select(AmendmentTable.campaign_id, func.max(AmendmentTable.number)).group_by(
            col(AmendmentTable.campaign_id)
        )
        found: dict[str, list[tuple[str, int]]] = defaultdict(list)
        with self._database.read_session() as session:
            for campaign_id, status, count in session.exec(stands):
                found[campaign_id].append((status, count))
            for campaign_id, number in session.exec(said):
                found[campaign_id].append(("said", number or 0))
        return defaultdict(tuple, {one: tuple(sorted(stamp)) for one, stamp in found.items()})
