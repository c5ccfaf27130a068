"""The commands that reach a bench from another process, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import JsonOption, StoreOption, err, out

__all__ = ["go_on", "pause", "safe", "stop"]

ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why, in words; kept with the campaign.", show_default=False)
]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Ask, and do not wait until it is done.")]
AskedCampaign = Annotated[
    str | None,
    typer.Argument(help="Name or id of a campaign that runs; all of them if left out.", show_default=False),
]


def stop(
    campaign: AskedCampaign = None,
    now: Annotated[
        bool,
        typer.Option(
            "--now", help="Break off the step under way, and bring every instrument to its safe state."
        ),
    ] = False,
    reason: ReasonOption = "",
    no_wait: NoWaitOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop campaigns that run in another window, between two steps.

    Needs no login and no database. [bold]drywet resume[/bold] goes on from there. Exit code 2 when nothing runs here.
    """
    from lab.app.control import Action
    from lab.cli.controlling import ask_running

    action = Action.STOP_NOW if now else Action.STOP
    raise typer.Exit(
        ask_running(
            action,
            campaign=campaign,
            reason=reason,
            store=store,
            wait=not no_wait,
            as_json=as_json,
            out=out,
            err=err,
        )
    )


def pause(
    campaign: AskedCampaign = None,
    reason: ReasonOption = "",
    no_wait: NoWaitOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let campaigns that run in another window stand still between two steps, until [bold]drywet continue[/bold]."""
    from lab.app.control import Action
    from lab.cli.controlling import ask_running

    raise typer.Exit(
        ask_running(
            Action.PAUSE,
            campaign=campaign,
            reason=reason,
            store=store,
            wait=not no_wait,
            as_json=as_json,
            out=out,
            err=err,
        )
    )


def go_on(
    campaign: AskedCampaign = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let campaigns go on that [bold]drywet pause[/bold] has let stand still."""
    from lab.app.control import Action
    from lab.cli.controlling import ask_running

    raise typer.Exit(
        ask_running(
            Action.CONTINUE,
            campaign=campaign,
            reason="",
            store=store,
            wait=True,
            as_json=as_json,
            out=out,
            err=err,
        )
    )


def safe(
    workcell: Annotated[
        Path, typer.Option("--workcell", help="The workcell file of the bench.", show_default=False)
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Even if a program that is alive holds the bench.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring every instrument of a bench to its safe state when no program does: after a crash or a kill.

    Connects to each; some instruments move when they are connected to. Exit code 1 when one may not be safe.
    """
    from lab.cli.controlling import make_safe

    raise typer.Exit(make_safe(workcell, force=force, store=store, as_json=as_json, out=out, err=err))
