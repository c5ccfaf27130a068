"""Orders: what experiments wait for, and what came. An order belongs to one experiment, and is received once.

An experiment has one open order at most. Where that was cancelled, or what came of it can't be used any more, a person may
have it ordered again.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from lab.errors import BadInput
from lab.orders import MaterialPolicy, Order, OrderKind, OrderStatus
from lab.store.database import Part
from lab.store.material import add_samples
from lab.store.saying import refuse_silence
from lab.store.tables import CampaignTable, EventTable, OrderTable
from lab.types import Experiment, Sample, new_id

__all__ = ["Orders"]


class Orders(Part):
    """The part of :class:`lab.store.Store` that keeps orders. Any thread.

    What a bench holds because of them is read from here and nowhere else: each order that was received is one filling of
    one well that was empty before, ahead of every step.
    """

    def want(
        self,
        campaign_id: str,
        experiments: Iterable[Experiment],
        policy: MaterialPolicy,
        lab_time_s: float | None = None,
    ) -> tuple[Order, ...]:
        """Note that experiments need material that is not in stock. Safe to repeat: what was ordered once, whatever became
        of that, is ordered again only by :meth:`order_again`.

        Returns:
            The newest order of each of these experiments, in their order.

        Raises:
            KeyError: no such campaign.
        """
        wanted = list(experiments)
        ids = [experiment.id for experiment in wanted]
        with self._database.write_session() as session:
            campaign = session.get(CampaignTable, campaign_id)
            if campaign is None:
                raise KeyError(campaign_id)
            known = {
                row.experiment_id
                for row in session.exec(select(OrderTable).where(col(OrderTable.experiment_id).in_(ids)))
            }
            for experiment in wanted:
                if experiment.id in known:
                    continue
                session.add(
                    OrderTable(
                        id=new_id("ord"),
                        campaign_id=campaign_id,
                        experiment_id=experiment.id,
                        bench_id=campaign.bench_id,
                        candidate_id=experiment.candidate.id,
                        sequence=experiment.candidate.sequence,
                        kind=policy.source.value,
                        supplier=policy.supplier,
                        volume_ul=policy.volume_ul,
                        lead_time_s=policy.lead_time_s,
                        status=OrderStatus.WANTED.value,
                    )
                )
                session.flush()
                _log(session, campaign_id, f"{experiment.candidate.id} is not in stock: wanted.", lab_time_s)
            rows = session.exec(
                select(OrderTable)
                .where(col(OrderTable.experiment_id).in_(ids))
                .order_by(col(OrderTable.number))
            )
            found = {row.experiment_id: _order(row) for row in rows}
        return tuple(found[one] for one in ids)

    def cancel_order(self, order_id: str, *, who: str, why: str, lab_time_s: float | None = None) -> Order:
        """Note that an order does not come: given up, or lost on its way. Its number with the supplier stays.

        Raises:
            BadInput: there is none of this id, it came or was cancelled before, or nobody says so or why.
        """
        refuse_silence(who)
        if not why.strip():
            raise BadInput("Why does it not come?", way_out="Say it in a sentence.", field="why")
        with self._database.write_session() as session:
            row = _find(session, order_id)
            if not _order(row).open:
                raise BadInput(
                    f"{row.id} ({row.candidate_id}) is {row.status} already.",
                    way_out="Only what is still to come can be cancelled.",
                )
            row.status, row.who = OrderStatus.CANCELLED.value, who
            session.add(row)
            sentence = f"{who} cancelled the {row.kind} of {row.candidate_id}: {why.strip()}"
            _log(session, row.campaign_id, sentence, lab_time_s)
            session.flush()
            return _order(row)

    def order_again(
        self, order_id: str, *, volume_ul: float, who: str, lab_time_s: float | None = None
    ) -> Order:
        """Note that what an order was for is wanted anew, as it was asked for then.

        Args:
            order_id: cancelled, or received; the caller has checked that what came of it can't be used.
            volume_ul: asked for this time.

        Returns:
            The new order.

        Raises:
            BadInput: there is none of this id, an order of the same experiment is still to come, or nobody says so.
        """
        refuse_silence(who)
        with self._database.write_session() as session:
            row = _find(session, order_id)
            same = session.exec(select(OrderTable).where(OrderTable.experiment_id == row.experiment_id))
            still = next((one for one in same if _order(one).open), None)
            if still is not None:
                raise BadInput(
                    f"{still.id} ({still.candidate_id}) is {still.status}: it is still to come.",
                    way_out=f"If it does not: drywet orders cancel {still.id} --why '...'",
                )
            fresh = OrderTable(
                id=new_id("ord"),
                campaign_id=row.campaign_id,
                experiment_id=row.experiment_id,
                bench_id=row.bench_id,
                candidate_id=row.candidate_id,
                sequence=row.sequence,
                kind=row.kind,
                supplier=row.supplier,
                volume_ul=volume_ul,
                lead_time_s=row.lead_time_s,
                status=OrderStatus.WANTED.value,
                who=who,
            )
            session.add(fresh)
            _log(session, row.campaign_id, f"{who} wants {row.candidate_id} once more.", lab_time_s)
            session.flush()
            return _order(fresh)

    def orders(self, campaign_id: str | None = None) -> tuple[Order, ...]:
        """All orders, or those of a campaign, in the order in which they were wanted."""
        query = select(OrderTable).order_by(col(OrderTable.number))
        if campaign_id is not None:
            query = query.where(OrderTable.campaign_id == campaign_id)
        with self._database.read_session() as session:
            return tuple(_order(row) for row in session.exec(query))

    def received(self, bench_id: str) -> tuple[Order, ...]:
        """What came to a bench, in the order in which it was wanted."""
        query = select(OrderTable).where(
            OrderTable.bench_id == bench_id, OrderTable.status == OrderStatus.RECEIVED.value
        )
        with self._database.read_session() as session:
            return tuple(_order(row) for row in session.exec(query.order_by(col(OrderTable.number))))

    def order(self, order_id: str) -> Order:
        """An order by its id, or by enough characters of its end.

        Raises:
            BadInput: no such order, or more than one.
        """
        with self._database.read_session() as session:
            return _order(_find(session, order_id))

    def place_order(
        self, order_id: str, *, who: str, reference: str = "", lab_time_s: float, due_lab_s: float
    ) -> Order:
        """Note that the supplier was asked; its lead time runs from here.

        Raises:
            BadInput: there is none of this id, it was placed before, or nobody says so.
        """
        refuse_silence(who)
        with self._database.write_session() as session:
            row = _find(session, order_id)
            if row.status != OrderStatus.WANTED:
                raise BadInput(
                    f"{row.id} ({row.candidate_id}) is {row.status} already.",
                    way_out="Nothing is left to do.",
                )
            row.status, row.who, row.reference = OrderStatus.PLACED.value, who, reference
            row.due_lab_s = due_lab_s
            session.add(row)
            told = f" as {reference}" if reference else ""
            _log(
                session,
                row.campaign_id,
                f"{who} placed the {row.kind} of {row.candidate_id}{told}.",
                lab_time_s,
            )
            session.flush()
            return _order(row)

    def receive_order(
        self,
        order_id: str,
        *,
        barcode: str,
        labware: str,
        well: str,
        volume_ul: float,
        who: str,
        lab_time_s: float | None = None,
    ) -> Order:
        """Note that material came, and in which well it is. From here on experiments may use it.

        Args:
            labware: whose barcode it is; the caller has checked that this well is empty and was never filled.

        Raises:
            BadInput: there is none of this id, it was received before, the well was filled by another order, or nobody
                says so.
        """
        refuse_silence(who)
        try:
            with self._database.write_session() as session:
                row = _find(session, order_id)
                if row.status == OrderStatus.RECEIVED:
                    raise BadInput(
                        f"{row.id} ({row.candidate_id}) was received before, into {row.well} of {row.labware}.",
                        way_out="Nothing is left to do.",
                    )
                if row.status == OrderStatus.CANCELLED:
                    raise BadInput(
                        f"{row.id} ({row.candidate_id}) was cancelled.",
                        way_out=f"If it came after all: drywet orders again {row.id}, and receive that one.",
                    )
                row.status, row.who, row.barcode = OrderStatus.RECEIVED.value, who, barcode
                row.labware, row.well, row.volume_ul = labware, well, volume_ul
                row.received_lab_s = lab_time_s
                session.add(row)
                session.flush()
                sample = Sample(
                    id=new_id("smp"), labware=labware, well=well, content=row.candidate_id, run_id=""
                )
                add_samples(session.connection(), row.bench_id, [sample])
                sentence = (
                    f"{who} received {row.candidate_id}: {volume_ul:g} ul in {well} of {labware} ({barcode})."
                )
                _log(session, row.campaign_id, sentence, lab_time_s)
                return _order(row)
        except (IntegrityError, ValueError) as taken:
            raise BadInput(
                f"Another order was received into {well} of {labware}.", way_out="Name another well."
            ) from taken


def _find(session: Session, order_id: str) -> OrderTable:
    rows = session.exec(
        select(OrderTable).where(col(OrderTable.id).endswith(order_id, autoescape=True))
    ).all()
    if len(rows) == 1:
        return rows[0]
    if not rows or not order_id:
        raise BadInput(f"There is no order {order_id!r}.", way_out="See them with: drywet orders list")
    raise BadInput(f"{len(rows)} orders end in {order_id!r}.", way_out="Give more of its id.")


def _log(session: Session, campaign_id: str, sentence: str, lab_time_s: float | None) -> None:
    session.add(
        EventTable(
            campaign_id=campaign_id, kind="order", sentence=sentence, lab_time_s=lab_time_s, details={}
        )
    )


def _order(row: OrderTable) -> Order:
    return Order(
        id=row.id,
        campaign_id=row.campaign_id,
        experiment_id=row.experiment_id,
        bench_id=row.bench_id,
        candidate_id=row.candidate_id,
        sequence=row.sequence,
        kind=OrderKind(row.kind),
        supplier=row.supplier,
        volume_ul=row.volume_ul,
        lead_time_s=row.lead_time_s,
        status=OrderStatus(row.status),
        reference=row.reference,
        due_lab_s=row.due_lab_s,
        barcode=row.barcode,
        labware=row.labware or "",
        well=row.well or "",
        received_lab_s=row.received_lab_s,
        who=row.who,
        wanted_utc=row.wanted_utc,
    )
