"""Benches, campaigns, and what happened to them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from sqlmodel import Session, col, func, select

from lab.errors import BadInput
from lab.store import values
from lab.store.database import Database, Part
from lab.store.material import add_samples, stock_of
from lab.store.records import BenchRecord, CampaignRecord, EventRecord
from lab.store.submissions import start_submission
from lab.store.tables import BenchTable, CampaignTable, EventTable, next_number
from lab.types import Campaign, CampaignStatus, JsonValue, new_id

__all__ = ["Campaigns"]

_STANDS = select(CampaignTable.id, CampaignTable.status, CampaignTable.sentence)
"""How campaigns stand; what they are is known from reading them once."""


class Campaigns(Part):
    """The part of :class:`lab.store.Store` that keeps benches, campaigns and events. Any thread."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._frozen = _Frozen()

    def create_bench(
        self, *, workcell: str, twin: bool, seed: int, ledger: str, snapshot: JsonValue, bench_id: str = ""
    ) -> BenchRecord:
        """Keep a new bench, and a sample for each well that is filled.

        Args:
            workcell: its name.
            seed: of a twin's world.
            ledger: path of a twin's ledger; empty on hardware.
            snapshot: of the belief, as the workcell file describes it.
            bench_id: for a caller whose ledger is named after it; else a fresh one.
        """
        with self._database.write_session() as session:
            row = BenchTable(
                id=bench_id or new_id("bch"),
                number=next_number(session, BenchTable),
                workcell=workcell,
                twin=twin,
                seed=seed,
                ledger=ledger,
                first_snapshot=snapshot,
            )
            session.add(row)
            session.flush()
            add_samples(session.connection(), row.id, stock_of(snapshot))
        return self.bench(row.id)

    def bench(self, bench_id: str) -> BenchRecord:
        """A bench by its identifier.

        Raises:
            KeyError: no such bench.
        """
        with self._database.read_session() as session:
            return values.bench(_bench_row(session, bench_id))

    def benches(self, workcell: str | None = None) -> tuple[BenchRecord, ...]:
        """All benches, or those of one workcell, oldest first."""
        query = select(BenchTable).order_by(col(BenchTable.number))
        if workcell is not None:
            query = query.where(BenchTable.workcell == workcell)
        with self._database.read_session() as session:
            return tuple(values.bench(row) for row in session.exec(query))

    def move_ledger(self, bench_id: str, ledger: str) -> None:
        """Note that a twin's ledger lies elsewhere now.

        Raises:
            KeyError: no such bench.
        """
        with self._database.write_session() as session:
            row = _bench_row(session, bench_id)
            row.ledger = ledger
            session.add(row)

    def create_campaign(
        self,
        campaign: Campaign,
        bench_id: str,
        content_hash: str,
        files: Mapping[str, str],
        needs: Mapping[str, float] = MappingProxyType({}),
        submission_id: str = "",
    ) -> CampaignRecord:
        """Freeze a campaign. It begins as RUNNING.

        Args:
            bench_id: where it runs.
            content_hash: of ``files``.
            files: name -> text of what it was read from.
            needs: what one batch of it takes of the bench's inventory; see :class:`CampaignRecord`.
            submission_id: what it was handed in as, which has started with this; empty where it was not.

        Raises:
            BadInput: that submission does not wait to be started.
            ValueError: its identifier is taken, or there is no such bench.
        """
        with self._database.write_session() as session:
            row = CampaignTable(
                id=campaign.id,
                number=next_number(session, CampaignTable),
                name=campaign.name,
                status=CampaignStatus.RUNNING.value,
                sentence="",
                content_hash=content_hash,
                frozen=campaign,
                files=dict(files),
                needs=dict(needs),
                budget=campaign.budget,
                bench_id=bench_id,
            )
            session.add(row)
            session.flush()
            if submission_id:
                start_submission(session, submission_id, campaign.id)
            session.add(
                EventTable(
                    campaign_id=campaign.id,
                    kind="status",
                    sentence=f"Campaign {campaign.name} was started.",
                    details={"status": CampaignStatus.RUNNING},
                )
            )
        return self.campaign(campaign.id)

    def campaign(self, id_or_name: str) -> CampaignRecord:
        """A campaign by its identifier, or the newest of a name.

        Raises:
            BadInput: no such campaign; names those that there are.
        """
        newest = select(CampaignTable.name).order_by(col(CampaignTable.number).desc())
        with self._database.read_session() as session:
            named = _STANDS.where(CampaignTable.name == id_or_name).order_by(col(CampaignTable.number).desc())
            stand = session.exec(_STANDS.where(CampaignTable.id == id_or_name)).all()
            stand = stand or session.exec(named.limit(1)).all()
            for found in self._records(session, stand):
                return found
            names = dict.fromkeys(session.exec(newest))
        known = (
            f"It has: {', '.join(list(names)[:10])}." if names else "It is empty: begin with `drywet run`."
        )
        raise BadInput(f"This store has no campaign {id_or_name}.", way_out=known)

    def campaigns(self) -> tuple[CampaignRecord, ...]:
        """All campaigns, oldest first."""
        with self._database.read_session() as session:
            stand = session.exec(_STANDS.order_by(col(CampaignTable.number))).all()
            return tuple(self._records(session, stand))

    def _records(self, session: Session, stand: Sequence[tuple[str, str, str]]) -> Iterator[CampaignRecord]:
        """Of rows of :data:`_STANDS`."""
        known = self._frozen.get(campaign_id for campaign_id, _, _ in stand)
        for campaign_id, status, sentence in stand:
            record = known.get(campaign_id)
            if record is None:
                row = session.get_one(CampaignTable, campaign_id)
                record = self._frozen.keep(values.campaign(row))
            yield replace(record, status=CampaignStatus(status), sentence=sentence)

    def twin_benches(self) -> frozenset[str]:
        """Identifiers of the benches that are twins."""
        with self._database.read_session() as session:
            return frozenset(session.exec(select(BenchTable.id).where(col(BenchTable.twin))))

    def campaign_counts(self) -> dict[CampaignStatus, int]:
        """How many campaigns there are of each status; none of those that have none."""
        query = select(CampaignTable.status, func.count()).group_by(col(CampaignTable.status))
        with self._database.read_session() as session:
            return {CampaignStatus(status): count for status, count in session.exec(query)}

    def set_campaign_status(
        self, campaign_id: str, status: CampaignStatus, sentence: str, lab_time_s: float | None = None
    ) -> None:
        """Say how a campaign stands, and log it.

        Args:
            sentence: why; empty where the status says it all.

        Raises:
            KeyError: no such campaign.
        """
        with self._database.write_session() as session:
            row = session.get(CampaignTable, campaign_id)
            if row is None:
                raise KeyError(campaign_id)
            row.status = status.value
            row.sentence = sentence
            session.add(row)
            session.add(
                EventTable(
                    campaign_id=campaign_id,
                    kind="status",
                    sentence=sentence or f"The campaign is {status}.",
                    lab_time_s=lab_time_s,
                    details={"status": status},
                )
            )

    def log(
        self,
        campaign_id: str,
        kind: str,
        sentence: str,
        lab_time_s: float | None = None,
        details: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Keep what happened, for status and report.

        Args:
            kind: a short word (``batch``, ``result``).
            sentence: for a person.
        """
        with self._database.write_session() as session:
            session.add(
                EventTable(
                    campaign_id=campaign_id,
                    kind=kind,
                    sentence=sentence,
                    lab_time_s=lab_time_s,
                    details=dict(details or {}),
                )
            )

    def events(self, campaign_id: str, after: int | None = None) -> tuple[EventRecord, ...]:
        """What happened to a campaign, in order; only what came after event number ``after``, if one is given."""
        query = select(EventTable).where(EventTable.campaign_id == campaign_id)
        if after is not None:
            query = query.where(col(EventTable.number) > after)
        with self._database.read_session() as session:
            return tuple(values.event(row) for row in session.exec(query.order_by(col(EventTable.number))))


class _Frozen:
    """Campaigns that were read before: what a campaign is never changes, only how it stands. Any thread."""

    MOST_CANDIDATES = 200_000
    """In all of them together; above it the ones not asked for longest are let go."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._known: OrderedDict[str, CampaignRecord] = OrderedDict()
        self._candidates = 0

    def get(self, campaign_ids: Iterable[str]) -> dict[str, CampaignRecord]:
        """Those of them that are known; how they stand may be long past."""
        with self._turn:
            found = {one: self._known[one] for one in campaign_ids if one in self._known}
            for one in found:
                self._known.move_to_end(one)
        return found

    def keep(self, record: CampaignRecord) -> CampaignRecord:
        """Know this one, too."""
        with self._turn:
            if record.campaign.id not in self._known:
                self._known[record.campaign.id] = record
                self._candidates += _size(record)
            while self._candidates > self.MOST_CANDIDATES and len(self._known) > 1:
                _, gone = self._known.popitem(last=False)
                self._candidates -= _size(gone)
        return record


def _size(record: CampaignRecord) -> int:
    """In candidates; one without any weighs something, too."""
    return len(record.campaign.candidates) + 100


def _bench_row(session: Session, bench_id: str) -> BenchTable:
    row = session.get(BenchTable, bench_id)
    if row is None:
        raise KeyError(bench_id)
    return row
