"""``drywet inventory``: tips, plates and reagents of benches. Reads only, so it works beside a process that writes."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.app import Settings
from lab.app.inventory import BenchInventory, read_inventory
from lab.app.lineage import place_words
from lab.app.stock import words
from lab.app.unfinished import UNFINISHED
from lab.cli.choosing import chosen, open_to_read
from lab.errors import BadInput
from lab.store import Store

__all__ = ["show_inventory"]


def show_inventory(name: str | None, *, store: str | None, as_json: bool, out: Console) -> None:
    """Show the inventory of benches.

    Args:
        name: of a campaign or of a workcell; None for the benches of unfinished campaigns, or else the newest campaign's.

    Raises:
        BadInput: nothing is called so, or the store can't be read.
    """
    settings = Settings() if store is None else Settings(store=store)
    with open_to_read(settings.store) as opened:
        found = [read_inventory(opened, bench_id) for bench_id in _benches(opened, name)]
    if as_json:
        from lab.cli.text import print_json

        print_json({"benches": [one.to_json() for one in found]})
        return
    for n, one in enumerate(found):
        if n:
            out.print()
        _show(one, out)


def _benches(store: Store, name: str | None) -> list[str]:
    campaigns = store.campaigns()
    if name is not None:
        used = {record.bench_id for record in campaigns}
        of_workcell = [bench.id for bench in store.benches(name) if bench.id in used]
        if of_workcell:
            return of_workcell
        try:
            return [store.campaign(name).bench_id]
        except BadInput as unknown:
            cells = ", ".join(dict.fromkeys(bench.workcell for bench in store.benches()))
            raise BadInput(
                f"This store has no campaign and no workcell {name}.", way_out=f"Workcells: {cells}."
            ) from unknown
    unfinished = [record.bench_id for record in campaigns if record.status in UNFINISHED]
    return list(dict.fromkeys(unfinished or [chosen(store, None).bench_id]))


def _show(found: BenchInventory, out: Console) -> None:
    out.print(f"[bold]{escape(found.workcell)}[/]  [dim]{found.bench_id}[/]", highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for heading in ("there", "on its way", "unknown", "free"):
        table.add_column(heading, justify="right")
    table.add_column("reserved by")
    for name in found.names:
        free = found.free(name)
        table.add_row(
            _thing(name),
            words(name, found.there.get(name, 0.0), bare=True),
            _some(name, found.pending),
            _some(name, found.unknown),
            f"[bold red]{words(name, free, bare=True)}[/]" if free < 0 else words(name, free, bare=True),
            escape(
                ", ".join(
                    f"{who} {words(name, much, bare=True)}" for who, much in found.reserved(name).items()
                )
            )
            or "-",
        )
    out.print(table)
    for place, why in found.barred.items():
        out.print(f"Barred: {place_words(place)}. {why}", markup=False, highlight=False, style="yellow")
    if any(found.free(name) < 0 for name in found.names):
        out.print(
            "More is reserved than there is: refill, or somebody will have to wait.",
            style="yellow",
            highlight=False,
        )


def _thing(name: str) -> str:
    kind, _, of = name.partition(":")
    return {"tips": f"tips of {of} µl", "plates": "clean plates"}.get(kind, escape(of))


def _some(name: str, amounts: Mapping[str, float]) -> str:
    return words(name, amounts[name], bare=True) if amounts.get(name) else "-"
