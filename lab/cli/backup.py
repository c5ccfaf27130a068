"""``drywet backup`` and ``drywet restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import StoreOption, err, out

__all__ = ["backup", "restore"]


def backup(
    file: Annotated[Path, typer.Argument(help="What to write, such as lab.tar.gz.", show_default=False)],
    store: StoreOption = None,
) -> None:
    """Write a backup of the store and its twins' ledgers into one file, also while a program works on it.

    Whoever has it can read the lab's results and the hashes of passwords. Files of the lab's folder are not in it: each
    campaign keeps what it was read from.

    Example: [bold]drywet backup lab-2026-11-22.tar.gz[/bold]
    """
    from lab.app import Settings
    from lab.app.backups import back_up
    from lab.cli.choosing import refuse_missing
    from lab.cli.text import count

    settings = Settings() if store is None else Settings(store=store)
    refuse_missing(settings.store)
    made = back_up(settings.store, file)
    ledgers = count(len(made.ledgers), "twin's ledger", "twins' ledgers")
    out.print(
        f"{count(made.campaigns, 'campaign')} and {ledgers} are in {file}, as they were at "
        f"{made.made_utc:%Y-%m-%d %H:%M:%S} UTC.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def restore(
    file: Annotated[Path, typer.Argument(help="A backup.", show_default=False)],
    store: StoreOption = None,
) -> None:
    """Put a backup where there is no store yet; nothing is ever written over.

    Example: [bold]drywet restore lab-2026-11-22.tar.gz --store restored/drywet.db[/bold]
    """
    from lab.app import Settings
    from lab.app.backups import restore as put_back
    from lab.cli.text import count

    settings = Settings() if store is None else Settings(store=store)
    made = put_back(file, settings)
    out.print(
        f"{count(made.campaigns, 'campaign')} as of {made.made_utc:%Y-%m-%d %H:%M:%S} UTC: {settings.store}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    for workcell in made.real:
        err.print(
            f"{workcell} is real: what was done on it since the backup is not known here. Its campaigns are held; look at "
            "the bench before you resume them.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
