"""How one settled step, and what was delivered, change what is believed of a bench."""

from __future__ import annotations

from collections.abc import Iterable

from lab.bench import Bench
from lab.interfaces import Command
from lab.orders import Order
from lab.types import JsonValue, StepStatus

__all__ = ["believe_orders", "believe_step"]


def believe_orders(bench: Bench, received: Iterable[Order]) -> None:
    """Change a belief by what was delivered. Ahead of every step, whenever it came: a well that an order was received into
    was empty until then, and no step had to do with it.
    """
    for order in received:
        bench.fill(order.labware, order.well, {order.candidate_id: order.volume_ul})


def believe_step(bench: Bench, command: Command, status: StepStatus, part: JsonValue) -> None:
    """Change a belief by a step that is DONE, or that is not and has used something up or may have been done.

    Of two possible courses of events the worse is believed: it was done, or only what is certain was.
    """
    if status is StepStatus.DONE:
        command.believe(bench)
        return
    done = bench.copy() if status is StepStatus.UNKNOWN else None
    if part is not None:
        command.believe_part(bench, part)
    if done is not None:
        command.believe(done)
        bench.doubt(done)
