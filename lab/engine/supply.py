"""Material for experiments: which candidates are in stock, which are ordered, and waiting for what is on its way.

A batch whose candidates are not in stock is proposed like any other and charged to the budget, and waits; each of its
experiments has one order in the store. The loop goes on with batches of what is there. On a twin the supplier is a twin
too: orders are placed at once, and come after their lead time in lab time. On a real bench people place and receive them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from lab.bench import Bench
from lab.engine.lane import Lane
from lab.engine.session import BenchSession
from lab.errors import Infeasible, RunStopped
from lab.orders import MaterialPolicy, Order, OrderStatus
from lab.types import Batch, Campaign, Candidate, Experiment

__all__ = ["Deliver", "Supply", "delivery_problem", "free_wells", "in_stock"]

Deliver = Callable[[Order, str, str], tuple[str, str]]
"""Puts what was ordered into a well of a twin's world (labware, well), and says in which it is: an order is delivered once,
and one that was before stays where it was put.
"""

TICK_S = 0.001
"""Less than this of lab time is none: the loop's own timers are no finer."""

SUPPLIER = "the supplier's twin"


def in_stock(bench: Bench, content: str, least_ul: float) -> bool:
    """Whether a well that may be used holds nothing but a candidate, and can give enough of it."""
    return any(
        set(well.parts) == {content} and bench.available_ul(piece.id, name) >= max(least_ul, 1e-6)
        for piece in bench.labware.values()
        for name, well in piece.wells.items()
        if content in well.parts
    )


def free_wells(bench: Bench, library: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Wells of library plates that were never filled and may be used, in order."""
    for plate in library:
        for name, well in bench.labware[plate].wells.items():
            if well.volume_ul == 0.0 and not well.parts and not bench.why_barred(plate, name):
                yield plate, name


def delivery_problem(bench: Bench, plate: str, volume_ul: float, least_ul: float) -> str:
    """Why a volume in a well of a library plate would be no stock, in a sentence; empty where it would."""
    kind = bench.labware[plate].type
    if not 0.0 < volume_ul <= kind.max_volume_ul:
        return f"{volume_ul:g} ul is no volume for a well of {plate}."
    if volume_ul - kind.dead_volume_ul < max(least_ul, 1e-6):
        can_ul = max(0.0, volume_ul - kind.dead_volume_ul)
        return f"Of {volume_ul:g} ul in a well of {plate} {can_ul:g} ul can be drawn; less than {least_ul:g} ul is no stock."
    return ""


class Supply:
    """Material of one campaign.

    Args:
        campaign: with a policy for material.
        session: the bench.
        lane: on that bench, entered.
        library: plates that what is delivered may go to.
        deliver: on a twin; None where people receive what comes.
    """

    def __init__(
        self,
        *,
        campaign: Campaign,
        session: BenchSession,
        lane: Lane,
        library: Sequence[str],
        deliver: Deliver | None,
    ) -> None:
        assert campaign.material is not None  # else nothing is ever ordered
        self._policy: MaterialPolicy = campaign.material
        self._campaign = campaign
        self._session = session
        self._store = session.store
        self._lane = lane
        self._library = tuple(library)
        self._deliver = deliver

    def there(self, candidate: Candidate) -> bool:
        """Whether a candidate is in stock."""
        return in_stock(self._session.bench, candidate.id, self._policy.least_ul)

    def ready(self, open_batches: Sequence[Batch]) -> Batch | None:
        """The oldest batch that can be carried out: it has been begun, or all that it needs is there. None while none can.

        What has come meanwhile is taken in first, and what a crash left without an order is ordered.
        """
        self._take_in()
        for batch in open_batches:
            if self._store.last_run(batch.id) is not None or not self.missing(batch.experiments):
                return batch
        for batch in open_batches:
            self.order(batch)
        return None

    def missing(self, experiments: Sequence[Experiment]) -> list[Experiment]:
        """Experiments whose candidates are not in stock."""
        return [experiment for experiment in experiments if not self.there(experiment.candidate)]

    def may_order(self, waiting: Sequence[Batch]) -> bool:
        """Whether another batch may be ordered now: not too many wait, and it would come in time."""
        elapsed_s = self._session.clock.now() - self._begun_s()
        return len(waiting) < self._policy.batches_on_order and self._policy.in_time(elapsed_s)

    def pool(self, waiting: Sequence[Batch], *, ordering: bool) -> Campaign:
        """The campaign to ask the planner for: of all its pool, or of what is in stock.

        Candidates that wait stay in it, for the planner knows them as pending.
        """
        if ordering:
            return self._campaign
        known = {experiment.candidate.id for batch in waiting for experiment in batch.experiments}
        candidates = tuple(c for c in self._campaign.candidates if c.id in known or self.there(c))
        return replace(self._campaign, candidates=candidates)

    def order(self, batch: Batch) -> tuple[Order, ...]:
        """See that every experiment of a batch whose candidate is not there has an order; on a twin, that it is placed."""
        now_s = self._session.clock.now()
        orders = self._store.want(self._campaign.id, self.missing(batch.experiments), self._policy, now_s)
        if self._deliver is not None:
            for order in orders:
                if order.status is OrderStatus.WANTED:
                    due_s = now_s + order.lead_time_s
                    self._store.place_order(order.id, who=SUPPLIER, lab_time_s=now_s, due_lab_s=due_s)
        return orders

    def wait(self, waiting: Sequence[Batch]) -> None:
        """Let lab time pass until something of what batches wait for comes.

        Raises:
            RunStopped: on a real bench, where people receive what comes; or a stop was asked for.
        """
        ids = {experiment.id for batch in waiting for experiment in batch.experiments}
        known = [one for one in self._store.orders(self._campaign.id) if one.experiment_id in ids]
        orders = [one for one in known if one.open]
        if not orders:
            raise RunStopped(self._what_became(waiting, known))
        if self._deliver is None:
            names = ", ".join(order.candidate_id for order in orders[:8])
            more = f" and {len(orders) - 8} more" if len(orders) > 8 else ""
            raise RunStopped(
                f"Nothing is left to do before material comes: {names}{more}. Place what is wanted and note what came "
                "(drywet orders), then: drywet resume"
            )
        due_s = min(order.due_lab_s for order in orders if order.due_lab_s is not None)
        self._session.clock.run(self._until(due_s))

    def _what_became(self, waiting: Sequence[Batch], known: Sequence[Order]) -> str:
        """Why nothing is to come of what batches wait for, in a sentence, and how to order again."""
        newest = {order.experiment_id: order for order in known}
        missing = [e for batch in waiting for e in self.missing(batch.experiments)]
        last = [newest[experiment.id] for experiment in missing]
        gone = ", ".join(
            dict.fromkeys(
                f"{o.candidate_id} ({o.id}{' was cancelled' if o.status is OrderStatus.CANCELLED else ' came'})"
                for o in last
            )
        )
        return (
            f"Nothing is on order any more, and there is not enough left that may be used of {gone}. Look at its wells ("
            "drywet inventory), or have it once more: drywet orders again ORDER"
        )

    async def _until(self, due_s: float) -> None:
        """The clock is let go only for the wait, and taken again on the loop, so that no lab time passes unseen."""
        self._lane.let_time_pass()
        try:
            while (left_s := due_s - self._session.clock.now()) > TICK_S:
                if self._lane.stopping is not None:
                    raise RunStopped(self._lane.stopping)
                await asyncio.sleep(left_s if self._session.clock.virtual else min(1.0, left_s))
        finally:
            self._lane.hold_time()

    def _take_in(self) -> None:
        """On a twin: what is due is delivered, into the world first and then into the store; either may be repeated."""
        if self._deliver is None:
            return
        now_s = self._session.clock.now()
        due = [
            order
            for order in self._store.orders(self._campaign.id)
            if order.status is OrderStatus.PLACED
            and order.due_lab_s is not None
            and order.due_lab_s <= now_s + TICK_S
        ]
        for order in due:
            place = next(free_wells(self._session.bench, self._library), None)
            if place is None:
                raise Infeasible(
                    (f"No well of the library is free for {order.candidate_id}, which has come.",),
                    way_out="Add library plates to the workcell file.",
                )
            self._session.clock.run(self._received(order, *place, now_s))

    async def _received(self, order: Order, labware: str, well: str, now_s: float) -> None:
        assert self._deliver is not None
        # What a crash kept from the store may be in the world already.
        labware, well = self._deliver(order, labware, well)
        received = await self._session.clock.outside(
            "an order",
            lambda: self._store.receive_order(
                order.id,
                barcode=labware,
                labware=labware,
                well=well,
                volume_ul=order.volume_ul,
                who=SUPPLIER,
                lab_time_s=now_s,
            ),
        )
        self._session.receive(received)

    def _begun_s(self) -> float:
        """Lab time at which the campaign began."""
        times = (event.lab_time_s for event in self._store.events(self._campaign.id))
        return next((at_s for at_s in times if at_s is not None), self._session.clock.now())
