"""People of a lab as the command line sees them: in the store itself, or through the service that owns it.

Both ways give what the API gives, as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from lab.app.at_the_computer import act, refusals
from lab.client import Client
from lab.errors import BadInput
from lab.people import Person, TokenKind, read_scope
from lab.service.first_admin import FILE
from lab.service.passwords import Passwords, refuse_weak
from lab.service.people_shapes import PersonShape, TokenMade, TokenShape
from lab.service.tokens import hashed, make_secret
from lab.store import Store

__all__ = [
    "Directory",
    "FirstAdminDirectory",
    "ServiceDirectory",
    "StoreDirectory",
    "first_admin_secret",
    "open_directory",
]


Json = dict[str, Any]


class Directory(Protocol):
    """Who may act in a lab. Every method raises :class:`lab.errors.BadInput` where something can't be."""

    def people(self) -> list[Json]:
        """All of them."""

    def add(
        self,
        name: str,
        *,
        roles: Sequence[str],
        full_name: str = "",
        email: str = "",
        grants: Mapping[str, Any] | None = None,
        subject: str = "",
        password: str | None = None,
        program: bool = False,
    ) -> Json:
        """Add somebody."""

    def change(self, name: str, **changes: Any) -> Json:
        """Change ``roles``, ``grants``, ``full_name``, ``email``, ``subject`` or ``active``."""

    def set_password(self, name: str, password: str) -> None:
        """Give somebody a password; their sessions end."""

    def tokens(self, name: str) -> list[Json]:
        """Somebody's sessions and API tokens."""

    def make_token(self, name: str, *, label: str, days: int, scope: Sequence[str]) -> Json:
        """A token of somebody; its secret is the ``token`` of the answer, and nowhere else."""

    def revoke(self, token_id: str) -> None:
        """End a session or an API token."""


@contextmanager
def open_directory(
    where: str, service: Client | None = None, *, read_only: bool = False, secret: str = ""
) -> Iterator[Directory]:
    """The people of a store.

    Args:
        where: of the store.
        service: that owns it, with the token of who asks; None where none does.
        read_only: for looking, which works beside a service too.
        secret: of the service, where it has no admin yet; see :func:`first_admin_secret`.

    Raises:
        StoreUnusable: it can't be opened.
    """
    if service is not None:
        yield FirstAdminDirectory(service, secret) if secret else ServiceDirectory(service)
        return
    with Store.open(where, read_only=read_only) as store:
        yield StoreDirectory(store)


class StoreDirectory:
    """In the store itself. Whoever may write to its file may do so; what they do is in the audit all the same."""

    def __init__(self, store: Store, passwords: Passwords | None = None) -> None:
        self._store = store
        self._passwords = passwords

    def people(self) -> list[Json]:
        """As :class:`Directory`."""
        return [_shown(person) for person in self._store.people()]

    def add(
        self,
        name: str,
        *,
        roles: Sequence[str],
        full_name: str = "",
        email: str = "",
        grants: Mapping[str, Any] | None = None,
        subject: str = "",
        password: str | None = None,
        program: bool = False,
    ) -> Json:
        """As :class:`Directory`."""
        with act(
            self._store,
            "users add",
            name,
            {"roles": list(roles), "program": program, "grants": dict(grants or {})},
        ):
            if password is not None:
                refuse_weak(password, name, full_name, email)
            added = self._store.add_person(
                name,
                roles=roles,
                full_name=full_name,
                email=email,
                grants=grants,
                password_hash="" if password is None else self._hash(password),
                subject=subject,
                program=program,
            )
        return _shown(added)

    def change(self, name: str, **changes: Any) -> Json:
        """As :class:`Directory`."""
        with act(self._store, "users change", name, changes):
            return _shown(self._store.change_person(name, **changes))

    def set_password(self, name: str, password: str) -> None:
        """As :class:`Directory`."""
        with act(self._store, "users set-password", name):
            person = self._store.person(name)
            refuse_weak(password, person.name, person.full_name, person.email)
            self._store.set_password(person.id, self._hash(password))

    def tokens(self, name: str) -> list[Json]:
        """As :class:`Directory`."""
        person = self._store.person(name)
        found = self._store.tokens(person.id)
        return [TokenShape.of(token, person.name).model_dump(mode="json") for token in found]

    def make_token(self, name: str, *, label: str, days: int, scope: Sequence[str]) -> Json:
        """As :class:`Directory`."""
        with act(self._store, "users token", name, {"label": label, "days": days, "scope": list(scope)}):
            person, secret = self._store.person(name), make_secret(TokenKind.API)
            made = self._store.add_token(
                person.id,
                kind=TokenKind.API,
                hashed=hashed(secret),
                expires_utc=datetime.now(UTC) + timedelta(days=days),
                name=label,
                scope=read_scope(scope),
            )
        shape = TokenMade(token=secret, **TokenShape.of(made, person.name).model_dump())
        return shape.model_dump(mode="json")

    def revoke(self, token_id: str) -> None:
        """As :class:`Directory`."""
        with act(self._store, "users revoke", token_id):
            self._store.revoke_token(token_id)

    def _hash(self, password: str) -> str:
        self._passwords = self._passwords or Passwords()
        return self._passwords.hash(password)


class ServiceDirectory:
    """Through the service, in the name of whoever's token the client has."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def people(self) -> list[Json]:
        """As :class:`Directory`."""
        with refusals():
            return list(self._client.get("/people"))

    def add(
        self,
        name: str,
        *,
        roles: Sequence[str],
        full_name: str = "",
        email: str = "",
        grants: Mapping[str, Any] | None = None,
        subject: str = "",
        password: str | None = None,
        program: bool = False,
    ) -> Json:
        """As :class:`Directory`."""
        body = {
            "name": name,
            "roles": list(roles),
            "full_name": full_name,
            "email": email,
            "grants": dict(grants or {}),
            "subject": subject,
            "password": password,
            "program": program,
        }
        with refusals():
            return dict(self._client.post("/people", body))

    def change(self, name: str, **changes: Any) -> Json:
        """As :class:`Directory`."""
        with refusals():
            expected = self._client.get(f"/people/{_in_path(name)}")["version"]
            return dict(self._client.put(f"/people/{_in_path(name)}", {"expected": expected, **changes}))

    def set_password(self, name: str, password: str) -> None:
        """As :class:`Directory`."""
        with refusals():
            self._client.put(f"/people/{_in_path(name)}/password", {"password": password})

    def tokens(self, name: str) -> list[Json]:
        """As :class:`Directory`."""
        with refusals():
            return list(self._client.get("/tokens", person=name))

    def make_token(self, name: str, *, label: str, days: int, scope: Sequence[str]) -> Json:
        """As :class:`Directory`."""
        body = {"name": label, "days": days, "scope": list(scope), "person": name}
        with refusals():
            return dict(self._client.post("/tokens", body))

    def revoke(self, token_id: str) -> None:
        """As :class:`Directory`."""
        with refusals():
            self._client.delete(f"/tokens/{_in_path(token_id)}")


class FirstAdminDirectory(ServiceDirectory):
    """Through a service in which nobody can log in yet: all that can be done is to add the first admin.

    Args:
        secret: that lies beside the store.
    """

    def __init__(self, client: Client, secret: str) -> None:
        super().__init__(client)
        self._secret = secret

    def add(
        self,
        name: str,
        *,
        roles: Sequence[str],
        full_name: str = "",
        email: str = "",
        grants: Mapping[str, Any] | None = None,
        subject: str = "",
        password: str | None = None,
        program: bool = False,
    ) -> Json:
        """As :class:`Directory`."""
        with refusals():
            added: Json = self._client.add_first_admin(
                self._secret,
                name=name,
                roles=list(roles),
                full_name=full_name,
                email=email,
                grants=dict(grants or {}),
                subject=subject,
                password=password,
                program=program,
            )
        return added


def first_admin_secret(folder: Path) -> str:
    """The secret of a service that has no admin yet; empty where none lies there.

    Args:
        folder: beside the store.

    Raises:
        BadInput: it is for another user of this computer.
    """
    path = folder / FILE
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise BadInput(
            f"The lab service has no admin yet, and its secret can't be read: {error.strerror}.",
            way_out="Do it as the user that the service runs as.",
            file=path,
        ) from error


def _shown(person: Person) -> Json:
    return PersonShape.of(person).model_dump(mode="json")


def _in_path(name: str) -> str:
    return quote(name, safe="")
