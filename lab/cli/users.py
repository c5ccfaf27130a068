"""``drywet users``: who may act through the lab service."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from lab.cli.options import JsonOption, StoreOption, out

if TYPE_CHECKING:
    from lab.app.people import Directory

__all__ = ["users"]

users = typer.Typer(no_args_is_help=True, help="People and programs that may act through the lab service.")

Name = Annotated[str, typer.Argument(help="Of a person or program.", show_default=False)]
RoleOption = Annotated[
    list[str],
    typer.Option("--role", help="viewer, operator, scientist, approver or admin; may be given again."),
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, one line.")
]
DeviceGrants = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        help="What counts with some devices in place of the roles: 'furnace*=operator,viewer'; may be given again.",
        show_default=False,
    ),
]
ProtocolGrants = Annotated[
    list[str] | None,
    typer.Option("--protocol", help="The same for protocols: 'thermal_*=scientist'.", show_default=False),
]


@users.command()
def add(
    name: Name,
    role: RoleOption,
    full_name: Annotated[str, typer.Option("--full-name", help="As colleagues write it.")] = "",
    email: Annotated[str, typer.Option("--email", help="For notices.")] = "",
    device: DeviceGrants = None,
    protocol: ProtocolGrants = None,
    subject: Annotated[
        str,
        typer.Option(
            "--subject", help="Logs in at the institute's provider, as ISSUER#SUBJECT; no password here."
        ),
    ] = "",
    program: Annotated[
        bool,
        typer.Option("--program", help="A program: it has tokens and no password, and may only propose."),
    ] = False,
    password_stdin: PasswordStdin = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a person or a program. The password is asked for twice and not shown.

    Example: [bold]drywet users add ada --role admin --role operator[/bold]
    """
    grants = _grants(device, protocol) or {}
    asks = password_stdin or not (program or subject)
    with _directory(store, makes=True) as directory:
        added = directory.add(
            name,
            roles=role,
            full_name=full_name,
            email=email,
            grants=grants,
            subject=subject,
            password=_password(password_stdin) if asks else None,
            program=program,
        )
    _tell(added, f"{added['name']} is added: {', '.join(added['roles'])}.", as_json)


@users.command("list")
def list_all(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show who may act here."""
    with _directory(store, read_only=True) as directory:
        found = directory.people()
    if as_json:
        from lab.cli.text import print_json

        print_json({"people": found})
        return
    if not found:
        out.print("Nobody is here yet. Add the first: drywet users add NAME --role admin", markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("name", "", "roles", "with devices and protocols", "logs in"):
        table.add_column(heading)
    for one in found:
        cells = (
            one["name"],
            one["full_name"],
            ", ".join(one["roles"]),
            _grants_text(one["grants"]),
            _way_in(one),
        )
        table.add_row(*(escape(cell) for cell in cells))
    out.print(table)


@users.command("set-password")
def set_password(name: Name, password_stdin: PasswordStdin = False, store: StoreOption = None) -> None:
    """Give somebody a new password. Their sessions end."""
    with _directory(store) as directory:
        directory.set_password(name, _password(password_stdin))
    out.print(f"{name} has a new password, and is logged out everywhere.", markup=False, highlight=False)


@users.command()
def roles(
    name: Name,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", help="All that they are from now on; may be given again.", show_default=False),
    ] = None,
    device: DeviceGrants = None,
    protocol: ProtocolGrants = None,
    no_grants: Annotated[
        bool, typer.Option("--no-grants", help="Their roles count everywhere again.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what somebody may do from now on; what is not named stays as it is."""
    from lab.errors import BadInput

    grants = {} if no_grants else _grants(device, protocol)
    if not role and grants is None:
        raise BadInput(
            "Nothing is to be different.", way_out="Give --role, --device, --protocol or --no-grants."
        )
    changes: dict[str, Any] = {"roles": role} if role else {}
    if grants is not None:
        changes["grants"] = grants
    with _directory(store) as directory:
        changed = directory.change(name, **changes)
    sentence = f"{changed['name']} is {', '.join(changed['roles'])}"
    more = _grants_text(changed["grants"])
    _tell(changed, f"{sentence}; {more}." if more else f"{sentence}.", as_json)


@users.command()
def link(
    name: Name,
    subject: Annotated[str, typer.Argument(help="ISSUER#SUBJECT; '' for nowhere.", show_default=False)],
    store: StoreOption = None,
) -> None:
    """Say who somebody is at the institute's provider, where they log in."""
    with _directory(store) as directory:
        changed = directory.change(name, subject=subject)
    where = f"logs in as {changed['subject']}" if changed["subject"] else "logs in at no provider"
    out.print(f"{changed['name']} {where}.", markup=False, highlight=False, soft_wrap=True)


@users.command()
def disable(name: Name, store: StoreOption = None) -> None:
    """Keep somebody from doing anything. Their sessions and tokens end; what they did stays theirs."""
    with _directory(store) as directory:
        changed = directory.change(name, active=False)
    out.print(f"{changed['name']} may not do anything any more.", markup=False, highlight=False)


@users.command()
def enable(name: Name, store: StoreOption = None) -> None:
    """Let somebody act again who was disabled. Tokens that ended stay ended."""
    with _directory(store) as directory:
        changed = directory.change(name, active=True)
    out.print(f"{changed['name']} is {', '.join(changed['roles'])} again.", markup=False, highlight=False)


@users.command()
def token(
    name: Name,
    scope: Annotated[
        list[str],
        typer.Option("--scope", help="see, operate, plan, approve or administer; may be given again."),
    ],
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How long it is good.")] = 90,
    label: Annotated[str, typer.Option("--for", help="What it is for.")] = "",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token for a program or script, which acts in this name with it. It is shown once."""
    with _directory(store) as directory:
        made = directory.make_token(name, label=label or "made on the command line", days=days, scope=scope)
    if as_json:
        _tell(made, "", as_json)
        return
    sys.stdout.write(f"{made['token']}\n")
    sys.stdout.flush()
    from lab.cli.options import err

    err.print(
        f"Good for {', '.join(made['scope'])} until {made['expires_utc'][:10]}. It is not shown again; end it with: "
        f"drywet users revoke {made['id']}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@users.command()
def tokens(name: Name, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show somebody's sessions and tokens."""
    with _directory(store, read_only=True) as directory:
        found = directory.tokens(name)
    if as_json:
        from lab.cli.text import print_json

        print_json({"tokens": found})
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "kind", "for", "good for", "until", "last used", ""):
        table.add_column(heading)
    for one in found:
        used, revoked = one["used_utc"] or "never", "ended" if one["revoked_utc"] else ""
        cells = (one["id"], one["kind"], one["name"], ", ".join(one["scope"]))
        table.add_row(*map(escape, (*cells, one["expires_utc"][:10], used[:16], revoked)))
    out.print(table)


@users.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id: tok_...", show_default=False)],
    store: StoreOption = None,
) -> None:
    """End a session or a token for good."""
    with _directory(store) as directory:
        directory.revoke(token_id)
    out.print(f"{token_id} is good for nothing any more.", markup=False, highlight=False)


@contextmanager
def _directory(store: str | None, *, makes: bool = False, read_only: bool = False) -> Iterator[Directory]:
    """The people of the store that is meant.

    Args:
        makes: whether a store that is not there is made.
        read_only: for looking, also while a service owns it; to change something goes through that service.
    """
    from lab.app import Settings
    from lab.app.at_the_computer import refusals
    from lab.cli.choosing import refuse_missing
    from lab.cli.remote import open_client, presence_of, service_of
    from lab.errors import MissingData

    try:
        from lab.app.people import first_admin_secret, open_directory
    except ModuleNotFoundError as missing:
        raise MissingData(
            f"People of the lab service need {missing.name}, which is not installed.",
            way_out="pip install 'drywet[service]'",
        ) from missing
    settings = Settings() if store is None else Settings(store=store)
    if not makes:
        refuse_missing(settings.store)
    presence = presence_of(settings) if makes else None
    secret = first_admin_secret(settings.twin_folder.parent) if presence else ""
    first = open_client(presence.service) if presence and secret else None
    service = first or (None if read_only else service_of(settings))
    with (
        service or nullcontext(),
        refusals() if service else nullcontext(),
        open_directory(settings.store, service=service, read_only=read_only, secret=secret) as directory,
    ):
        yield directory


def _password(from_stdin: bool) -> str:
    """A password, asked for twice; never shown.

    Raises:
        BadInput: there is nobody to ask, or the two differ.
    """
    from lab.errors import BadInput

    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise BadInput("A password is wanted, and nobody is there to ask.", way_out="Use --password-stdin.")
    first = typer.prompt("Password", hide_input=True, err=True)
    if typer.prompt("Once more", hide_input=True, err=True) != first:
        raise BadInput("The two are not the same.", way_out="Try again.")
    return str(first)


def _grants(devices: Sequence[str] | None, protocols: Sequence[str] | None) -> dict[str, Any] | None:
    """``furnace*=operator,viewer`` as grants; None where nothing is said of any.

    Raises:
        BadInput: one has no ``=``.
    """
    from lab.errors import BadInput

    if devices is None and protocols is None:
        return None
    grants: dict[str, dict[str, list[str]]] = {}
    for kind, written in (("devices", devices or ()), ("protocols", protocols or ())):
        for one in written:
            pattern, equals, named = one.partition("=")
            if not equals:
                raise BadInput(
                    f"{one!r} does not say what they are there.",
                    way_out="Write NAME=ROLE,ROLE; nothing after the = for nothing.",
                    field=f"--{kind[:-1]}",
                )
            names = [name.strip() for name in named.split(",") if name.strip()]
            grants.setdefault(kind, {})[pattern.strip()] = names
    return grants


def _grants_text(grants: dict[str, dict[str, list[str]]]) -> str:
    return "; ".join(
        f"{pattern}: {', '.join(roles) or 'nothing'}"
        for patterns in grants.values()
        for pattern, roles in patterns.items()
    )


def _way_in(one: dict[str, Any]) -> str:
    if not one["active"]:
        return "disabled"
    if one["program"]:
        return "program"
    if one["has_password"]:
        return "password"
    return "elsewhere" if one["subject"] else "no password yet"


def _tell(answer: dict[str, Any], sentence: str, as_json: bool) -> None:
    if as_json:
        from lab.cli.text import print_json

        print_json(answer)
    else:
        out.print(sentence, markup=False, highlight=False, soft_wrap=True)
