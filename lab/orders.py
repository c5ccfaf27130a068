"""Material that must be bought or made before an experiment can be done: what a campaign says of it, and orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["MaterialPolicy", "Order", "OrderKind", "OrderStatus"]


class OrderKind(StrEnum):
    """How a candidate comes to be."""

    ORDER = "order"
    """A supplier makes it."""
    BUILD = "build"
    """The lab makes it: cloning, expression, synthesis."""


class OrderStatus(StrEnum):
    """How far an order is."""

    WANTED = "wanted"
    """An experiment needs it; nobody has asked the supplier yet."""
    PLACED = "placed"
    """Asked for; its lead time runs."""
    RECEIVED = "received"
    """In a well of the bench."""
    CANCELLED = "cancelled"
    """Given up, or lost on its way: it does not come. Its experiment can order again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialPolicy:
    """What a campaign does about candidates that are not in stock.

    Args:
        source: ordered, or built.
        lead_time_s: lab time from asking to having it.
        supplier: who is asked; a name for people.
        volume_ul: how much comes.
        least_ul: a well that can give less than this does not count as stock.
        finish_within_s: lab time from the campaign's start in which it is to end: what would come later is not ordered. None
            for as long as it takes.
        batches_on_order: so many batches may wait for material at once; while they do, only what is in stock is chosen.
    """

    source: OrderKind
    lead_time_s: float
    supplier: str = ""
    volume_ul: float = 100.0
    least_ul: float = 1.0
    finish_within_s: float | None = None
    batches_on_order: int = 1

    def in_time(self, elapsed_s: float) -> bool:
        """Whether what is ordered so long after the campaign's start comes before its end."""
        return self.finish_within_s is None or elapsed_s + self.lead_time_s <= self.finish_within_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Material for one experiment, which has one open order at most beside those that came or were cancelled.

    Args:
        id: ``ord_...``.
        sequence: of the candidate; empty where it is none.
        reference: the supplier's number, once it is placed.
        due_lab_s: lab time at which it should come; None until it is placed.
        barcode, labware, well: where it was put; empty until it is received.
        volume_ul: asked for, and, once received, what came.
        who: said last what became of it.
    """

    id: str
    campaign_id: str
    experiment_id: str
    bench_id: str
    candidate_id: str
    sequence: str
    kind: OrderKind
    supplier: str
    volume_ul: float
    lead_time_s: float
    status: OrderStatus
    reference: str = ""
    due_lab_s: float | None = None
    barcode: str = ""
    labware: str = ""
    well: str = ""
    received_lab_s: float | None = None
    who: str = ""
    wanted_utc: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether it is still to come."""
        return self.status in {OrderStatus.WANTED, OrderStatus.PLACED}
