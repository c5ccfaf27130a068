"""``drywet orders``: material that experiments wait for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from lab.cli.options import ByOption, CampaignName, JsonOption, StoreOption, out, who_says

if TYPE_CHECKING:
    from lab.orders import Order
    from lab.store import Store

__all__ = ["orders"]

orders = typer.Typer(
    no_args_is_help=True, help="Material that experiments wait for: what is wanted, placed and received."
)

OrderId = Annotated[str, typer.Argument(help="An order, by its id or the end of it.", show_default=False)]


@orders.command("list")
def list_all(
    campaign: CampaignName = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were received.")] = False,
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
        found = [one for one in opened.orders(wanted) if everything or one.status is not OrderStatus.RECEIVED]
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

    with _to_write(store) as opened:
        found = place_order(opened, order, who=who_says(by), reference=reference)
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

    While a program runs campaigns of this store, stop it first: only one may write. Then go on with drywet resume.

    Example: [bold]drywet orders receive 4K2P --barcode L0001 --well C5[/bold]
    """
    from lab.app.orders import receive as receive_order

    with _to_write(store) as opened:
        found = receive_order(
            opened, order, barcode=barcode, well=well, volume_ul=volume_ul, who=who_says(by)
        )
    out.print(
        f"{found.candidate_id}: {found.volume_ul:g} ul in {found.well} of {found.labware}.",
        markup=False,
        highlight=False,
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


def _to_write(store: str | None) -> Store:
    from lab.app import Settings
    from lab.cli.choosing import refuse_missing
    from lab.store import Store

    settings = Settings() if store is None else Settings(store=store)
    refuse_missing(settings.store)
    return Store.open(settings.store)


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
