"""Orders from a person's side: what is wanted, placing it, receiving it by barcode, giving it up and ordering again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from lab.app.belief import read_bench
from lab.app.prepare import stored_workcell
from lab.engine.supply import delivery_problem, free_wells, in_stock
from lab.errors import BadInput
from lab.orders import Order, OrderStatus
from lab.store import Store
from lab.types import ExperimentStatus

__all__ = ["again", "as_csv", "as_fasta", "cancel", "place", "receive"]

_LINE = 70
"""Letters in a line of FASTA."""

_OVER = frozenset({ExperimentStatus.MEASURED, ExperimentStatus.FAILED, ExperimentStatus.ABANDONED})


def place(store: Store, order_id: str, *, who: str, reference: str = "") -> Order:
    """Note that the supplier was asked.

    Raises:
        BadInput: no such order, or it was placed before.
    """
    order = store.order(order_id)
    now_s = store.last_lab_time(order.bench_id)
    return store.place_order(
        order.id, who=who, reference=reference, lab_time_s=now_s, due_lab_s=now_s + order.lead_time_s
    )


def receive(
    store: Store,
    order_id: str,
    *,
    barcode: str,
    who: str,
    well: str = "",
    volume_ul: float | None = None,
) -> Order:
    """Note that material came, by the barcode of the plate that it is in.

    Args:
        barcode: of a library plate of the workcell file, or its id where that has none.
        well: the next free one when left out.
        volume_ul: what was asked for when left out.

    Raises:
        BadInput: no such order, it was received before, the plate is none of this bench's library, the well is not
            free, or it would be too much or too little to use.
    """
    order = store.order(order_id)
    if order.status is OrderStatus.RECEIVED:
        raise BadInput(
            f"{order.id} ({order.candidate_id}) was received before, into {order.well} of {order.labware}.",
            way_out="Nothing is left to do.",
        )
    amount_ul = order.volume_ul if volume_ul is None else volume_ul
    record = store.campaign(order.campaign_id)
    spec = stored_workcell(record)
    bench = read_bench(store, order.bench_id).bench
    plates = {spec.barcodes.get(plate) or plate: plate for plate in spec.library}
    labware = plates.get(barcode)
    if labware is None:
        raise BadInput(
            f"No library plate of {spec.name} has the barcode {barcode!r}.",
            way_out=f"They are: {', '.join(plates)}.",
            field="barcode",
        )
    policy = record.campaign.material
    problem = delivery_problem(bench, labware, amount_ul, 0.0 if policy is None else policy.least_ul)
    if problem:
        most_ul = bench.labware[labware].type.max_volume_ul
        raise BadInput(
            problem,
            way_out=f"Receive an order once all of it has come, into one well, which takes {most_ul:g} ul.",
            field="volume_ul",
        )
    free = [name for plate, name in free_wells(bench, [labware])]
    chosen = well or next(iter(free), "")
    if chosen not in free:
        what = f"{well} of {labware} is not free" if well else f"No well of {labware} is free"
        raise BadInput(f"{what}.", way_out="Name an empty well that was never filled.", field="well")
    return store.receive_order(
        order.id,
        barcode=barcode,
        labware=labware,
        well=chosen,
        volume_ul=amount_ul,
        who=who,
        lab_time_s=store.last_lab_time(order.bench_id),
    )


def cancel(store: Store, order_id: str, *, who: str, why: str) -> Order:
    """Note that an order does not come.

    Raises:
        BadInput: no such order, it is not to come any more, or no reason is given.
    """
    order = store.order(order_id)
    return store.cancel_order(order.id, who=who, why=why, lab_time_s=store.last_lab_time(order.bench_id))


def again(store: Store, order_id: str, *, who: str) -> Order:
    """Want once more what was cancelled, or came and can't be used any more; as much of it as the campaign asks for.

    Returns:
        The new order.

    Raises:
        BadInput: no such order, its experiment still has one open, is over, or there is enough of it in stock.
    """
    order = store.order(order_id)
    policy = store.campaign(order.campaign_id).campaign.material
    least_ul = 0.0 if policy is None else policy.least_ul
    experiment = next(
        one for one in store.history(order.campaign_id).experiments if one.id == order.experiment_id
    )
    if experiment.status in _OVER:
        raise BadInput(
            f"The experiment on {order.candidate_id} that this was for is {experiment.status}.",
            way_out="Nothing waits for it any more.",
        )
    if in_stock(read_bench(store, order.bench_id).bench, order.candidate_id, least_ul):
        raise BadInput(
            f"There is enough of {order.candidate_id} in stock.",
            way_out="If it must not be used, bar its well: drywet samples bar",
        )
    return store.order_again(
        order.id,
        volume_ul=order.volume_ul if policy is None else policy.volume_ul,
        who=who,
        lab_time_s=store.last_lab_time(order.bench_id),
    )


def as_fasta(orders: Iterable[Order]) -> str:
    """Sequences of orders, as suppliers take them.

    Raises:
        BadInput: a candidate has no sequence.
    """
    found = []
    for order in orders:
        if not order.sequence:
            raise BadInput(
                f"{order.candidate_id} has no sequence.", way_out="Write a CSV instead: --csv FILE"
            )
        lines = [order.sequence[at : at + _LINE] for at in range(0, len(order.sequence), _LINE)]
        found.append("\n".join([f">{order.candidate_id} {order.id}", *lines]))
    return "\n".join([*found, ""]) if found else ""


def as_csv(orders: Sequence[Order]) -> str:
    """Orders as a table, one line each."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["order", "candidate", "kind", "supplier", "volume_ul", "status", "reference", "sequence"])
    for one in orders:
        table.writerow(
            [
                one.id,
                one.candidate_id,
                one.kind,
                one.supplier,
                f"{one.volume_ul:g}",
                one.status,
                one.reference,
                one.sequence,
            ]
        )
    return written.getvalue()
