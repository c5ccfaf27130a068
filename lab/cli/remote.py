"""The lab service that owns a store, for commands that write: what they do goes through it, in the name of who logged in.

A session is kept in the user's own folder of settings, readable by nobody else; the variable ``DRYWET_TOKEN`` stands before
it. A token is kept with the address that it was got from, and shown to no other.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.app import Settings
from lab.app.at_the_computer import refusals
from lab.app.control import Presence, control_folder, present, store_name
from lab.cli.choosing import open_to_read, refuse_missing
from lab.errors import BadInput, MissingData
from lab.store import Store

if TYPE_CHECKING:
    from lab.client import Client

__all__ = [
    "Session",
    "keep_token",
    "open_client",
    "open_to_write",
    "presence_of",
    "refuse_other",
    "service_of",
    "sessions_file",
]

TOKEN = "DRYWET_TOKEN"
"""Variable with the token of a program or script."""

AUTHORITY = "DRYWET_CA"
"""Variable with the file of the lab's own certificate authority."""


class Session:
    """A store to read, and the service that writes to it, if one owns it.

    Args:
        store: open for writing where no service owns it, else for reading.
        service: None where the store may be written to.
    """

    def __init__(self, store: Store, service: Client | None) -> None:
        self.store = store
        self.service = service


def presence_of(settings: Settings) -> Presence | None:
    """The lab service at work on this store on this machine, if there is one."""
    mine = store_name(settings.store)
    found = [one for one in present(control_folder(settings)) if one.service and one.store == mine]
    return found[-1] if found else None


def service_of(settings: Settings) -> Client | None:
    """The service that owns this store, as whoever logged in; None where none does. The caller closes it.

    Raises:
        BadInput: there is one, and nobody has logged in at it.
        MissingData: what speaks with it is not installed.
    """
    presence = presence_of(settings)
    if presence is None:
        return None
    token = os.environ.get(TOKEN) or _tokens().get(presence.service, "")
    if not token:
        raise BadInput(
            f"The lab service at {presence.service} has this store, and does not know who you are.",
            way_out=f"Log in: drywet login --service {presence.service} (a script gives a token in {TOKEN})",
        )
    return open_client(presence.service, token)


def open_client(address: str, token: str = "") -> Client:
    """A client of a service.

    Raises:
        MissingData: httpx is not installed.
    """
    try:
        from lab.client import Client
    except ModuleNotFoundError as missing:
        raise MissingData(
            f"To speak with the lab service takes {missing.name}, which is not installed.",
            way_out="pip install 'drywet[service]'",
        ) from missing
    return Client(address, token, verify=os.environ.get(AUTHORITY) or True)


@contextmanager
def open_to_write(settings: Settings) -> Iterator[Session]:
    """The store of these settings to change: itself, or through the service that owns it.

    Raises:
        BadInput: a service owns it and nobody has logged in; or it refuses what is asked of it, with its sentence.
        StoreUnusable: there is no store, or another program writes to it.
    """
    refuse_missing(settings.store)
    service = service_of(settings)
    if service is None:
        with Store.open(settings.store) as store:
            yield Session(store, None)
        return
    with service, refusals(), open_to_read(settings.store) as store:
        yield Session(store, service)


def refuse_other(who: str) -> None:
    """Refuse to act in another's name: a service notes who logged in.

    Raises:
        BadInput: somebody else is named.
    """
    if who != getpass.getuser():
        raise BadInput(
            f"A lab service owns this store, and notes who logged in, not {who}.",
            way_out="Leave --by out.",
            field="--by",
        )


def sessions_file() -> Path:
    """Where sessions are kept, with the address of each one's service."""
    import typer

    return Path(typer.get_app_dir("drywet")) / "sessions.json"


def keep_token(address: str, token: str) -> Path:
    """Keep the session of a service in place of the one before; nobody but its user may read the file.

    Raises:
        BadInput: it can't be kept.
    """
    path = sessions_file()
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({**_tokens(), address: token}, file)
        beside.rename(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise BadInput(
            f"The session can't be kept: {error.strerror}.", way_out="Make the folder writable.", file=path
        ) from error
    return path


def _tokens() -> dict[str, str]:
    """Address of a service -> token."""
    try:
        written: Any = json.loads(sessions_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in written.items()} if isinstance(written, dict) else {}
