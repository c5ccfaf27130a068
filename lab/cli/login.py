"""``drywet login``: who acts through the lab service from this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.options import StoreOption, out

if TYPE_CHECKING:
    from lab.app import Settings

__all__ = ["login"]


def login(
    name: Annotated[
        str | None, typer.Option("--name", help="Yours at the service; asked for if left out.")
    ] = None,
    service: Annotated[
        str | None,
        typer.Option("--service", help="Its address; that of the service that has the store if left out."),
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Log in at the lab service: commands that change something go through it in your name.

    The session is kept in a file that only you can read, until it ends or you log in anew. A script gives a token of its
    own in the variable DRYWET_TOKEN instead; DRYWET_CA names the file of the lab's own certificate authority.
    """
    from lab.app import Settings
    from lab.app.at_the_computer import refusals
    from lab.cli.remote import keep_token, open_client

    address = (service or _address(Settings() if store is None else Settings(store=store))).rstrip("/")
    name = name or typer.prompt("Name")
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt(f"Password of {name} at {address}", hide_input=True)
    with open_client(address) as client, refusals():
        client.login(name, password)
        path = keep_token(address, client.token)
    out.print(
        f"{name} is logged in at {address}. The session is kept in {path}.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _address(settings: Settings) -> str:
    """Where the service answers that has the store.

    Raises:
        BadInput: none has it.
    """
    from lab.cli.remote import presence_of
    from lab.errors import BadInput

    presence = presence_of(settings)
    if presence is None:
        raise BadInput(
            f"No lab service has {settings.store} on this machine.",
            way_out="Name it: drywet login --service https://lab.example.org:8517",
            field="--service",
        )
    return presence.service
