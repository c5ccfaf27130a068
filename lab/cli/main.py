"""The commands of ``drywet``, with their help. Each hands over to a module that does the work."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from lab.errors import BadInput, DrywetError, Infeasible

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    help=(
        "Runs a self-driving laboratory: chooses experiments, carries them out on a twin or on instruments, "
        "reads the results and chooses again.\n\n"
        "Start with [bold]drywet new my_campaign.yaml[/bold], look at it with [bold]drywet dry-run[/bold], then "
        "[bold]drywet run[/bold] it. Ctrl-C stops between two steps; [bold]drywet resume[/bold] goes on from there."
    ),
    epilog="Exit codes: 0 done, 1 a run is held or an instrument failed, 2 something you gave can't be used, 3 stopped and can be continued.",
)

out = Console()
err = Console(stderr=True)

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="The database: a file, or a postgresql+psycopg:// URL. Default: DRYWET_STORE, else .drywet/drywet.db here.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of text.")]
CampaignFiles = Annotated[list[Path], typer.Argument(help="Campaign files (YAML).", show_default=False)]
CampaignName = Annotated[
    str | None,
    typer.Argument(help="Name or id of a campaign in the store; the newest one if left out.", show_default=False),
]


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


@app.command()
def run(
    files: CampaignFiles,
    store: StoreOption = None,
    new: Annotated[
        bool, typer.Option("--new", help="Start afresh even if this campaign was run or stopped before.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write the report of the first campaign here when it ends.")
    ] = None,
    pace: Annotated[
        str, typer.Option("--pace", help="How fast a twin's time goes: max, wall, or a factor such as 60.")
    ] = "max",
    no_baseline: Annotated[
        bool, typer.Option("--no-baseline", help="Leave out the baseline campaign that the file asks for.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run campaigns until their budget is spent.

    Several files run side by side; files that name the same workcell share its instruments. A campaign that was stopped goes on where it was.

    Example: [bold]drywet run campaigns/thermostable_protein_g.yaml --report report.html[/bold]
    """
    from lab.cli.running import run_files

    raise typer.Exit(
        run_files(
            files, store=store, new=new, report=report, pace=pace, baseline=not no_baseline, as_json=as_json, out=out, err=err
        )
    )


@app.command()
def resume(
    campaign: CampaignName = None,
    store: StoreOption = None,
    report: Annotated[Path | None, typer.Option("--report", help="Write the report here when it ends.")] = None,
    pace: Annotated[
        str, typer.Option("--pace", help="How fast a twin's time goes: max, wall, or a factor such as 60.")
    ] = "max",
    as_json: JsonOption = False,
) -> None:
    """Go on with a campaign that was stopped.

    Steps that were done are not done again; the campaign is the one in the store, whatever its file says now.
    """
    from lab.cli.running import resume_campaign

    raise typer.Exit(
        resume_campaign(campaign, store=store, report=report, pace=pace, as_json=as_json, out=out, err=err)
    )


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="The campaign file to write.", show_default=False)],
) -> None:
    """Write a commented campaign file to edit, with the workcell and the candidate list it needs."""
    from lab.cli.writing import write_new

    write_new(file, out)


@app.command("dry-run")
def dry_run(
    file: Annotated[Path, typer.Argument(help="A campaign file (YAML).", show_default=False)],
    steps: Annotated[bool, typer.Option("--steps", help="Show every step of the first batch.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Try a campaign's first batch out without moving anything: steps, duration, volumes, tips and plates.

    Says what would not work, one sentence per problem. Exit code 2 when something would not.
    """
    from lab.cli.showing import show_dry_run

    show_dry_run(file, steps=steps, as_json=as_json, out=out)


@app.command()
def status(campaign: CampaignName = None, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show where campaigns stand: measured, best so far, last events. Works while they run."""
    from lab.cli.showing import show_status

    show_status(campaign, store=store, as_json=as_json, out=out)


@app.command()
def report(
    campaign: CampaignName = None,
    store: StoreOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The HTML file to write. Default: NAME.html here.")
    ] = None,
) -> None:
    """Write a campaign's report: one HTML file with everything in it."""
    from lab.cli.writing import write_campaign_report

    write_campaign_report(campaign, store=store, output=output, out=out)


@app.command()
def doctor(
    workcell: Annotated[
        Path | None, typer.Option("--workcell", help="Also check this workcell file and its drivers.")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check this installation: versions, disk, database, workcell; what is missing and how to get it."""
    from lab.cli.doctor import examine

    raise typer.Exit(examine(workcell, store=store, as_json=as_json, out=out))


def explain(error: DrywetError) -> int:
    """Print an error as a person needs it; gives the exit code."""
    if isinstance(error, Infeasible):
        err.print("[bold red]This can't be carried out.[/bold red]")
        for problem in error.problems:
            err.print(f"  - {problem}", markup=False, highlight=False, soft_wrap=True)
        if error.way_out:
            err.print(error.way_out, markup=False, highlight=False, soft_wrap=True)
        return 2
    if isinstance(error, BadInput):
        if error.place:
            err.print(f"[bold red]{type(error).__doc__ and 'Error'}[/bold red] in [bold]{error.place}[/bold]", soft_wrap=True)
        err.print(error.reason, markup=False, highlight=False, soft_wrap=True)
        if error.way_out:
            err.print(error.way_out, markup=False, highlight=False, soft_wrap=True)
        return 2
    err.print(f"[bold red]Held:[/bold red] {error}", highlight=False, soft_wrap=True)
    return 1


def main() -> NoReturn:
    """Entry point of the ``drywet`` command: no expected error shows a traceback."""
    try:
        app(standalone_mode=True)
    except DrywetError as error:
        sys.exit(explain(error))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)
