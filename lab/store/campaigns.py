"""Benches, campaigns, and what happened to them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlmodel import Session, col, select

from lab.errors import BadInput
from lab.store import values
from lab.store.database import Part
from lab.store.material import add_samples, stock_of
from lab.store.records import BenchRecord, CampaignRecord, EventRecord
from lab.store.tables import BenchTable, CampaignTable, EventTable, next_number
from lab.types import Campaign, CampaignStatus, JsonValue, new_id

__all__ = ["Campaigns"]


class Campaigns(Part):
    """The part of :class:`lab.store.Store` that keeps benches, campaigns and events. Any thread."""

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

    def create_campaign(
        self,
        campaign: Campaign,
        bench_id: str,
        content_hash: str,
        files: Mapping[str, str],
        needs: Mapping[str, float] = MappingProxyType({}),
    ) -> CampaignRecord:
        """Freeze a campaign. It begins as RUNNING.

        Args:
            bench_id: where it runs.
            content_hash: of ``files``.
            files: name -> text of what it was read from.
            needs: what one batch of it takes of the bench's inventory; see :class:`CampaignRecord`.

        Raises:
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
        query = select(CampaignTable).order_by(col(CampaignTable.number).desc())
        with self._database.read_session() as session:
            row = session.get(CampaignTable, id_or_name)
            row = row or session.exec(query.where(CampaignTable.name == id_or_name).limit(1)).first()
            if row is not None:
                return values.campaign(row)
            names = dict.fromkeys(found.name for found in session.exec(query))
        known = (
            f"It has: {', '.join(list(names)[:10])}." if names else "It is empty: begin with `drywet run`."
        )
        raise BadInput(f"This store has no campaign {id_or_name}.", way_out=known)

    def campaigns(self) -> tuple[CampaignRecord, ...]:
        """All campaigns, oldest first."""
        query = select(CampaignTable).order_by(col(CampaignTable.number))
        with self._database.read_session() as session:
            return tuple(values.campaign(row) for row in session.exec(query))

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


def _bench_row(session: Session, bench_id: str) -> BenchTable:
    row = session.get(BenchTable, bench_id)
    if row is None:
        raise KeyError(bench_id)
    return row
