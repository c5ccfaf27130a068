"""The commands of ``drywet``, with their help. Each hands over to a module that does the work."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from lab.cli.deck import ask_for_deck, deck
from lab.cli.options import CampaignFiles, CampaignName, JsonOption, PaceOption, StoreOption, err, out
from lab.cli.orders import orders
from lab.cli.protocol import protocol
from lab.cli.protocol_export import export_protocol
from lab.cli.stopping import go_on, pause, safe, stop
from lab.cli.surgery import inventory, results, samples
from lab.cli.workcells import workcell_commands
from lab.cli.worklists import worklist
from lab.errors import DrywetError

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Runs a self-driving laboratory: chooses experiments, carries them out on a twin or on instruments, "
        "reads the results and chooses again.\n\n"
        "Start with [bold]drywet new my_campaign.yaml[/bold], look at it with [bold]drywet dry-run[/bold], then "
        "[bold]drywet run[/bold] it. Ctrl-C stops between two steps; [bold]drywet resume[/bold] goes on from there, also "
        "after a crash."
    ),
    epilog=(
        "Exit codes: 0 done; 1 a campaign is held or was given up; 2 something you gave can't be used, and nothing was "
        "started; 3 stopped, and can be continued."
    ),
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        out.print(f"drywet {version('drywet')}", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and end.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """What stands before a command; the app's own help is shown in place of this."""


@app.command()
def run(
    files: CampaignFiles,
    store: StoreOption = None,
    new: Annotated[
        bool, typer.Option("--new", help="Start afresh even if this campaign was run or stopped before.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Write the report of the first campaign here when it ends."),
    ] = None,
    pace: PaceOption = "max",
    no_baseline: Annotated[
        bool, typer.Option("--no-baseline", help="Leave out the baseline campaign that the file asks for.")
    ] = False,
    deck_checked: Annotated[
        bool,
        typer.Option("--deck-checked", help="On a real bench: the deck is loaded as `drywet deck` shows it."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run campaigns until their budget is spent.

    Several files run side by side; files that name the same workcell share its instruments. A campaign that was stopped
    goes on where it was. On a real bench you are asked to look at the deck first.

    Example: [bold]drywet run campaigns/thermostable_protein_g.yaml --report report.html[/bold]
    """
    from lab.cli.running import Wishes, run_files

    if not deck_checked:
        ask_for_deck(files, err)
    wishes = Wishes(store=store, report=report, pace=pace, as_json=as_json)
    raise typer.Exit(run_files(files, wishes, new=new, baseline=not no_baseline, out=out, err=err))


@app.command()
def resume(
    campaign: CampaignName = None,
    store: StoreOption = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write the report here when it ends.")
    ] = None,
    pace: PaceOption = "max",
    as_json: JsonOption = False,
) -> None:
    """Go on with a campaign that was stopped, held, or cut off by a crash.

    The instruments are brought to their safe state first, and asked what came of the steps they were at. Steps that were
    done are not done again; the campaign is the one in the store, whatever its file says now.
    """
    from lab.cli.running import Wishes, resume_campaign

    wishes = Wishes(store=store, report=report, pace=pace, as_json=as_json)
    raise typer.Exit(resume_campaign(campaign, wishes, out=out, err=err))


@app.command()
def resolve(
    step: Annotated[
        str | None,
        typer.Argument(
            help="The step, or the end of its id; without it, those that wait are listed.", show_default=False
        ),
    ] = None,
    verdict: Annotated[
        str | None,
        typer.Option("--as", help="What you found: done, not-done or discard.", show_default=False),
    ] = None,
    why: Annotated[str, typer.Option("--why", help="How you know.", show_default=False)] = "",
    by: Annotated[
        str | None, typer.Option("--by", help="Who says so; you, if left out.", show_default=False)
    ] = None,
    store: StoreOption = None,
) -> None:
    """Say what came of a step that no instrument could tell.

    A step that was being carried out when the program or an instrument broke off may be done or not. drywet never
    guesses: the samples it touches are barred, and the run waits for you.

    [bold]done[/bold]: all of it was done. [bold]not-done[/bold]: none of it was, and it may be sent again.
    [bold]discard[/bold]: something in between; the material is thrown away and the batch done again on fresh material.
    """
    from lab.cli.resolving import resolve_step

    resolve_step(step, verdict, by=by, why=why, store=store, out=out)


app.command()(stop)
app.command()(pause)
app.command("continue")(go_on)
app.command()(safe)


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="The campaign file to write.", show_default=False)],
) -> None:
    """Write a commented campaign file to edit, with the bench and the candidates it needs."""
    from lab.cli.writing import write_new

    write_new(file, out)


@app.command("dry-run")
def dry_run(
    file: Annotated[Path, typer.Argument(help="A campaign file (YAML).", show_default=False)],
    steps: Annotated[bool, typer.Option("--steps", help="Show every step of the first batch.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Try a campaign out without moving anything: steps, time, volumes, tips, plates.

    Says what would not work, one sentence per problem. Exit code 2 when something would not.
    """
    from lab.cli.dry_running import show_dry_run

    raise typer.Exit(show_dry_run(file, steps=steps, as_json=as_json, out=out, err=err))


@app.command()
def status(campaign: CampaignName = None, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show where campaigns stand, also while they run."""
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
    """Check this installation, and say what is missing and how to get it."""
    from lab.cli.doctor import examine

    raise typer.Exit(examine(workcell, store=store, as_json=as_json, out=out))


app.add_typer(workcell_commands, name="workcell")
app.add_typer(worklist, name="worklist")
app.add_typer(orders, name="orders")
app.command()(deck)
app.command()(inventory)
app.add_typer(samples, name="samples")
app.add_typer(results, name="results")
protocol.command("export")(export_protocol)
app.add_typer(protocol, name="protocol")


def main() -> NoReturn:
    """Entry point of the ``drywet`` command: no expected error shows a traceback."""
    try:
        app()
    except DrywetError as error:
        from lab.cli.explaining import error_json, exit_code, explain

        if "--json" in sys.argv:
            from lab.cli.text import print_json

            # A program reads standard output, whatever came of its command.
            print_json(error_json(error))
            sys.exit(exit_code(error))
        sys.exit(explain(error, err))
    except BrokenPipeError:
        # Whoever read our output (`drywet status | head`) has seen enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(0)
