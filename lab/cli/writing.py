"""``drywet new`` and ``drywet report``: the commands that write files."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from lab.app import Settings, report_campaign
from lab.cli.choosing import chosen, open_to_read
from lab.errors import BadInput
from lab.files import write_new_campaign

__all__ = ["refuse_unwritable", "write_campaign_report", "write_new"]


def write_new(file: Path, out: Console) -> None:
    """Write a campaign to edit, and say what was written and what to do with it.

    Raises:
        CampaignFileError: a file is there already, or can't be written.
    """
    written = write_new_campaign(file)
    for path in written:
        out.print(f"Wrote [bold]{path}[/]", highlight=False, soft_wrap=True)
    campaign = written[0]
    out.print(
        f"\nIt runs as it is, on a digital twin. Look at what it would do:\n  drywet dry-run {campaign}\n"
        f"Edit it, then run it:\n  drywet run {campaign}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def write_campaign_report(name: str | None, *, store: str | None, output: Path | None, out: Console) -> None:
    """Write a campaign's report and say where it is.

    Args:
        name: of the campaign; None for the newest.
        output: None for the campaign's name in this folder.

    Raises:
        BadInput: no such campaign or store, or the file can't be written.
    """
    settings = Settings() if store is None else Settings(store=store)
    with open_to_read(settings.store) as opened:
        campaign = chosen(opened, name).campaign
        path = report_campaign(opened, campaign.id, output or Path(f"{campaign.name}.html"))
    out.print(f"Report: [bold]{path}[/]", highlight=False, soft_wrap=True)


def refuse_unwritable(path: Path) -> None:
    """Refuse a file that could not be written later.

    Raises:
        BadInput: it is a folder, or it or its folder may not be written to.
    """
    if path.is_dir():
        raise BadInput("This is a folder.", way_out=f"Name a file in it: {path / 'report.html'}", file=path)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if (
        not folder.is_dir()
        or not os.access(folder, os.W_OK)
        or (path.exists() and not os.access(path, os.W_OK))
    ):
        raise BadInput(
            "The report can't be written there.",
            way_out="Choose a folder that you may write to.",
            file=path,
            field="--report",
        )
