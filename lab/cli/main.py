"""The commands of ``drywet``, with their help. Each hands over to a module that does the work."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from lab.cli.approving import approve
from lab.cli.backup import backup, restore
from lab.cli.deck import ask_for_deck, ask_for_deck_again, deck
from lab.cli.login import login
from lab.cli.notify import notify
from lab.cli.options import CampaignFiles, CampaignName, JsonOption, PaceOption, StoreOption, err, out
from lab.cli.orders import orders
from lab.cli.protocol import protocol
from lab.cli.protocol_export import export_protocol
from lab.cli.schedule import schedule
from lab.cli.stopping import go_on, pause, safe, stop
from lab.cli.surgery import inventory, results, samples
from lab.cli.users import users
from lab.cli.workcells import workcell_commands
from lab.cli.worklists import worklist
from lab.errors import DrywetError

if TYPE_CHECKING:
    from lab.app import Settings

__all__ = ["app", "main"]

DetachOption = Annotated[
    bool, typer.Option("--detach", help="With a lab service: hand it in, and do not watch.")
]

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


def _served(settings: Settings) -> bool:
    """Whether a lab service owns the store."""
    from lab.cli.remote import presence_of

    return presence_of(settings) is not None


def _refuse_detach(detach: bool) -> None:
    from lab.errors import BadInput

    if detach:
        raise BadInput(
            "There is no lab service that would go on with it.",
            way_out="Start one with drywet serve, or leave --detach out.",
            field="--detach",
        )


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
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run campaigns until their budget is spent.

    Several files run side by side; files that name the same workcell share its instruments. A campaign that was stopped
    goes on where it was. On a real bench you are asked to look at the deck first. Where a lab service owns the store, it
    runs them for whoever logged in ([bold]drywet login[/bold]), and Ctrl-C ends only the watching.

    Example: [bold]drywet run campaigns/thermostable_protein_g.yaml --report report.html[/bold]
    """
    from lab.cli.running import Wishes, run_files

    wishes = Wishes(store=store, report=report, pace=pace, as_json=as_json)
    there = _served(wishes.settings)
    if not deck_checked:
        ask_for_deck(files, err, store=store, new=new, beside=there)
    if there:
        from lab.cli.following import run_there

        code = run_there(files, wishes, new=new, baseline=not no_baseline, detach=detach, out=out)
        raise typer.Exit(code)
    _refuse_detach(detach)
    raise typer.Exit(run_files(files, wishes, new=new, baseline=not no_baseline, out=out, err=err))


@app.command()
def resume(
    campaign: CampaignName = None,
    store: StoreOption = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write the report here when it ends.")
    ] = None,
    pace: PaceOption = "max",
    deck_checked: Annotated[
        bool,
        typer.Option("--deck-checked", help="On a real bench: everything stands where it was left."),
    ] = False,
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go on with a campaign that was stopped, held, or cut off by a crash.

    The instruments are brought to their safe state first, and asked what came of the steps they were at. Steps that were
    done are not done again; the campaign is the one in the store, whatever its file says now. On a real bench you are asked
    to look at the deck first, as the campaign has left it.
    """
    from lab.cli.running import Wishes, resume_campaign

    wishes = Wishes(store=store, report=report, pace=pace, as_json=as_json)
    there = _served(wishes.settings)
    if not deck_checked:
        ask_for_deck_again(campaign, store, err, beside=there)
    if there:
        from lab.cli.following import resume_there

        raise typer.Exit(resume_there(campaign, wishes, detach=detach, out=out))
    _refuse_detach(detach)
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


@app.command()
def serve(
    store: StoreOption = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            help="The lab's folder: campaigns that are handed in name files in it.",
            show_default=".",
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen at.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Port to listen at.", show_default="8517")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="TLS certificate, PEM; needed for other machines.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Its key, PEM.")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy of the lab's own ends TLS before it.")
    ] = False,
    console: Annotated[
        str | None,
        typer.Option(
            "--console", help="Address of the console, for links.", show_default="http://localhost:8501"
        ),
    ] = None,
    pace: PaceOption = "max",
    no_resume: Annotated[
        bool, typer.Option("--no-resume", help="Leave what was under way when it last ended as it stands.")
    ] = False,
) -> None:
    """Serve the lab: run campaigns unattended and on schedule, for people and programs.

    It owns the store, the benches and the queue. Ctrl-C, or a polite kill, ends it at a step boundary, and what was under
    way goes on at the next start; Ctrl-C twice breaks the steps under way off. The first admin is made with
    [bold]drywet users add NAME --role admin[/bold].

    Example: [bold]drywet serve --folder my_lab[/bold]
    """
    from lab.cli.serving import serve_lab

    given = {
        "folder": folder,
        "host": host,
        "port": port,
        "certificate": certificate,
        "key": key,
        "behind_proxy": behind_proxy or None,
        "console": console,
        "pace": pace,
        "resume": False if no_resume else None,
    }
    raise typer.Exit(serve_lab(given, store=store, out=out))


@app.command()
def console(
    service: Annotated[
        str, typer.Option("--service", help="Address of the lab service.", envvar="DRYWET_CONSOLE_SERVICE")
    ] = "http://127.0.0.1:8517",
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen at.")] = 8501,
    names: Annotated[
        str,
        typer.Option(
            "--names", help="Host names that it answers to, with blanks between.", show_default=False
        ),
    ] = "",
) -> None:
    """Serve the web console: what runs, what waits for you, results, and stopping, in a browser.

    It is a client of [bold]drywet serve[/bold], and holds no instrument: closing it changes nothing in the lab.
    """
    from lab.cli.console import run_console

    run_console(service, host=host, port=port, names=names, out=out)


app.add_typer(workcell_commands, name="workcell")
app.add_typer(worklist, name="worklist")
app.add_typer(orders, name="orders")
app.add_typer(approve, name="approve")
app.command()(login)
app.command()(deck)
app.command()(backup)
app.command()(restore)
app.command()(inventory)
app.add_typer(samples, name="samples")
app.add_typer(results, name="results")
protocol.command("export")(export_protocol)
app.add_typer(protocol, name="protocol")
app.add_typer(users, name="users")
app.add_typer(schedule, name="schedule")
app.add_typer(notify, name="notify")


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
