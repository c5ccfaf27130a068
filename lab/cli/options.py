"""What several commands take."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

__all__ = [
    "ByOption",
    "CampaignFiles",
    "CampaignName",
    "JsonOption",
    "ListsByDefault",
    "PaceOption",
    "StoreOption",
    "WhyOption",
    "err",
    "out",
    "who_says",
]

out = Console()
err = Console(stderr=True)

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="Where results are kept: a file, or a postgresql:// URL. Default: DRYWET_STORE, else .drywet/drywet.db here.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of text.")]
PaceOption = Annotated[
    str, typer.Option("--pace", help="How fast a twin's time goes: max, wall, or a factor such as 60.")
]
CampaignFiles = Annotated[list[Path], typer.Argument(help="Campaign files (YAML).", show_default=False)]
CampaignName = Annotated[
    str | None,
    typer.Argument(help="Name or id of a campaign in the store; the newest if left out.", show_default=False),
]
WhyOption = Annotated[str, typer.Option("--why", help="The reason, in a sentence.", show_default=False)]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who says so; you, if left out.", show_default=False)
]


def who_says(by: str | None) -> str:
    """The name given, or that of whoever is logged in."""
    return by or getpass.getuser()


class ListsByDefault(TyperGroup):
    """A group of commands that lists when none of them is named: ``drywet samples my_campaign``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``list`` before what is no command and no call for help."""
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["list", *args]
        rest: list[Any] = super().parse_args(ctx, args)
        return rest
