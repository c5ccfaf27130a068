"""The commands of ``drywet protocol``, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import CampaignName, JsonOption, PaceOption, StoreOption, err, out

__all__ = ["protocol"]

protocol = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", context_settings={"help_option_names": ["-h", "--help"]}
)

ProtocolArgument = Annotated[
    str,
    typer.Argument(
        help="A Python file with a protocol in it; FILE:function where it has several.", show_default=False
    ),
]
WorkcellOption = Annotated[
    Path, typer.Option("--workcell", help="The bench: a workcell file (YAML).", show_default=False)
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter: name=value. Once for each.", show_default=False),
]
SeedOption = Annotated[
    int, typer.Option("--seed", help="Of choices at random, and of a twin's noise.", min=0)
]
LibraryOption = Annotated[
    Path | None,
    typer.Option(
        "--library",
        help="A table of variant,plate,well: what the plates of candidates hold.",
        show_default=False,
    ),
]


@protocol.callback()
def _protocol() -> None:
    """Look at protocols, try them out dry and run them: Python functions in any folder.

    How to write one: docs/writing-a-protocol.md
    """


@protocol.command("list")
def list_protocols(
    folder: Annotated[
        Path | None, typer.Option("--folder", help="A folder of your own protocols.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the protocols that come with drywet, and those of a folder."""
    from lab.cli.protocol_telling import show_list

    raise typer.Exit(show_list(folder, as_json=as_json, out=out, err=err))


@protocol.command("show")
def show_protocol(named: ProtocolArgument, as_json: JsonOption = False) -> None:
    """Show what a protocol does and what it can be told: name, type, unit, default, limits. With --json, its JSON schema."""
    from lab.cli.protocol_telling import show_form

    show_form(named, as_json=as_json, out=out)


@protocol.command("dry-run")
def dry_run_protocol(
    named: ProtocolArgument,
    workcell: WorkcellOption,
    settings: SetOption = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture", help="Draw the deck and the plates here (.svg or .png).", show_default=False
        ),
    ] = None,
    seed: SeedOption = 1,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a protocol out without moving anything: every step, the time, tips, liquids and plates.

    A protocol that asks what it has read is tried both ways: with readings of 0 and of 1. Exit code 2 when something would
    not work.
    """
    from lab.cli.protocol_telling import Asked, show_rehearsal

    asked = Asked(named=named, workcell=workcell, settings=settings or [], seed=seed, library=library)
    raise typer.Exit(show_rehearsal(asked, picture=picture, as_json=as_json, out=out, err=err))


@protocol.command("run")
def run_protocol(
    named: ProtocolArgument,
    workcell: WorkcellOption,
    settings: SetOption = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv", help="Write the readings here. Default: NAME_readings.csv here.", show_default=False
        ),
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Start afresh even if it was run or stopped before.")
    ] = False,
    seed: SeedOption = 1,
    library: LibraryOption = None,
    store: StoreOption = None,
    pace: PaceOption = "max",
    deck_checked: Annotated[
        bool,
        typer.Option("--deck-checked", help="On a real bench: the deck is loaded as `drywet deck` shows it."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a protocol on a workcell, twin or real, as a campaign of one experiment.

    On a real bench you are asked to look at the deck first.
    Ctrl-C stops between two steps; [bold]drywet resume[/bold] goes on from there, also after a crash.
    [bold]drywet status[/bold], [bold]results[/bold] and [bold]samples[/bold] know it by the protocol's name.
    """
    from lab.cli.protocol_running import run_script
    from lab.cli.protocol_telling import Asked
    from lab.cli.running import Wishes

    asked = Asked(named=named, workcell=workcell, settings=settings or [], seed=seed, library=library)
    wishes = Wishes(store=store, report=None, pace=pace, as_json=as_json)
    raise typer.Exit(run_script(asked, wishes, new=new, deck_checked=deck_checked, csv=csv, out=out, err=err))


@protocol.command("replay")
def replay_protocol(
    campaign: CampaignName = None,
    into: Annotated[
        Path | None,
        typer.Option("--into", help="Keep what is replayed in a new store at this file.", show_default=False),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Work the results of a campaign out once more from what its runs recorded, without any instrument.

    The documents of each run go through the sink and the protocol's analysis again, in a store of their own; the results are
    held against those that were recorded. Nothing is overwritten. Exit code 1 when they differ.
    """
    from lab.cli.protocol_running import show_replay

    raise typer.Exit(show_replay(campaign, into=into, store=store, as_json=as_json, out=out))
