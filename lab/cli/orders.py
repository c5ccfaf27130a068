"""``drywet orders``: material that experiments wait for."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from lab.cli.options import ByOption, CampaignName, JsonOption, StoreOption, out, who_says

if TYPE_CHECKING:
    from lab.cli.remote import Session
    from lab.orders import Order
    from lab.store import Store

__all__ = ["orders"]

orders = typer.Typer(
    no_args_is_help=True,
    help="Material that experiments wait for: what is wanted, placed, received and cancelled.",
)

OrderId = Annotated[str, typer.Argument(help="An order, by its id or the end of it.", show_default=False)]


@orders.command("list")
def list_all(
    campaign: CampaignName = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were received or cancelled.")
    ] = False,
    fasta: Annotated[
        Path | None, typer.Option("--fasta", help="Write the sequences of what is wanted here.")
    ] = None,
    table: Annotated[Path | None, typer.Option("--csv", help="Write what is listed here, as CSV.")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the orders of a campaign; of all, when none is named. Works beside a process that runs it."""
    from lab.app.orders import as_csv, as_fasta
    from lab.orders import OrderStatus

    with _to_read(store) as opened:
        wanted = None if campaign is None else opened.campaign(campaign).campaign.id
        found = [one for one in opened.orders(wanted) if everything or one.open]
    if fasta is not None:
        _write(fasta, as_fasta(one for one in found if one.status is OrderStatus.WANTED))
    if table is not None:
        _write(table, as_csv(found))
    if as_json:
        from lab.cli.text import print_json

        print_json({"orders": [_to_json(one) for one in found]})
    elif not found:
        out.print("Nothing is on order.", highlight=False)
    else:
        _table(found)


@orders.command()
def show(order: OrderId, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show one order."""
    with _to_read(store) as opened:
        found = opened.order(order)
    if as_json:
        from lab.cli.text import print_json

        print_json(_to_json(found))
        return
    for name, value in _to_json(found).items():
        if value not in (None, ""):
            out.print(f"[dim]{name}[/]  {escape(str(value))}", highlight=False, soft_wrap=True)


@orders.command()
def place(
    order: OrderId,
    reference: Annotated[str, typer.Option("--reference", help="The supplier's number.")] = "",
    by: ByOption = None,
    store: StoreOption = None,
) -> None:
    """Note that an order was placed; its lead time runs from now."""
    from lab.app.orders import place as place_order

    with _to_write(store) as session:
        if session.service is None:
            place_order(session.store, order, who=who_says(by), reference=reference)
        else:
            _refuse_other(by)
            session.service.place_order(session.store.order(order).id, reference)
        found = session.store.order(order)
    out.print(f"{found.candidate_id} is placed.", markup=False, highlight=False)


@orders.command()
def receive(
    order: OrderId,
    barcode: Annotated[
        str, typer.Option("--barcode", help="Of the library plate that it is in.", show_default=False)
    ],
    well: Annotated[str, typer.Option("--well", help="The next free one if left out.")] = "",
    volume_ul: Annotated[
        float | None, typer.Option("--volume-ul", help="What came, if not what was asked for.")
    ] = None,
    by: ByOption = None,
    store: StoreOption = None,
) -> None:
    """Note that material came and where it is; its experiment may use it from here on.

    While drywet run works on this store, stop it first: only one may write. A lab service takes it at any time. Then go on
    with drywet resume.

    Example: [bold]drywet orders receive 4K2P --barcode L0001 --well C5[/bold]
    """
    from lab.app.orders import receive as receive_order

    given: dict[str, Any] = {"barcode": barcode, "well": well, "volume_ul": volume_ul}
    with _to_write(store) as session:
        if session.service is None:
            receive_order(session.store, order, who=who_says(by), **given)
        else:
            _refuse_other(by)
            session.service.receive_order(session.store.order(order).id, **given)
        found = session.store.order(order)
    out.print(
        f"{found.candidate_id}: {found.volume_ul:g} ul in {found.well} of {found.labware}.",
        markup=False,
        highlight=False,
    )


@orders.command()
def cancel(
    order: OrderId,
    why: Annotated[str, typer.Option("--why", help="For the record, in a sentence.", show_default=False)],
    by: ByOption = None,
    store: StoreOption = None,
) -> None:
    """Note that an order does not come: given up, or lost on its way.

    Example: [bold]drywet orders cancel 4K2P --why "Lost in the post."[/bold]
    """
    from lab.app.orders import cancel as cancel_order

    with _to_write(store) as session:
        if session.service is None:
            cancel_order(session.store, order, who=who_says(by), why=why)
        else:
            _refuse_other(by)
            session.service.cancel_order(session.store.order(order).id, why)
        found = session.store.order(order)
    out.print(
        f"{found.candidate_id} does not come. Have it once more: drywet orders again {found.id}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@orders.command()
def again(order: OrderId, by: ByOption = None, store: StoreOption = None) -> None:
    """Want once more what was cancelled, or came and can't be used any more. Then go on with drywet resume.

    Example: [bold]drywet orders again 4K2P[/bold]
    """
    from lab.app.orders import again as order_again

    with _to_write(store) as session:
        if session.service is None:
            found = order_again(session.store, order, who=who_says(by))
        else:
            _refuse_other(by)
            answer = session.service.order_again(session.store.order(order).id)
            found = session.store.order(answer["id"])
    out.print(
        f"{found.candidate_id} is wanted once more: {found.id}", markup=False, highlight=False, soft_wrap=True
    )


def _write(path: Path, text: str) -> None:
    from lab.errors import BadInput

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"It can't be written: {error.strerror}.", way_out="Name another file.", file=path
        ) from error
    out.print(f"Wrote {path}", markup=False, highlight=False, soft_wrap=True)


def _to_read(store: str | None) -> Store:
    from lab.app import Settings
    from lab.cli.choosing import open_to_read

    settings = Settings() if store is None else Settings(store=store)
    opened: Store = open_to_read(settings.store)
    return opened


def _to_write(store: str | None) -> AbstractContextManager[Session]:
    from lab.app import Settings
    from lab.cli.remote import open_to_write

    return open_to_write(Settings() if store is None else Settings(store=store))


def _refuse_other(by: str | None) -> None:
    from lab.cli.remote import refuse_other

    refuse_other(who_says(by))


def _table(found: list[Order]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "candidate", "", "from", "ul", "status", "where"):
        table.add_column(heading)
    for one in found:
        where = f"{one.well} of {one.labware}" if one.labware else ""
        cells = (
            one.id,
            one.candidate_id,
            one.kind,
            one.supplier,
            f"{one.volume_ul:g}",
            f"{one.status} {one.reference}".strip(),
            where,
        )
        table.add_row(*(escape(cell) for cell in cells))
    out.print(table)


def _to_json(order: Order) -> dict[str, Any]:
    from dataclasses import asdict

    written = asdict(order)
    wanted = order.wanted_utc
    return {
        **written,
        "kind": str(order.kind),
        "status": str(order.status),
        "wanted_utc": None if wanted is None else wanted.isoformat(),
    }
