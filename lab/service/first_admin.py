"""The first admin of a service that runs: added by whoever can read a file that only its own account can.

There is no default password. While there is no admin who can log in, a secret that is good for one thing lies in a file
beside the store, of mode 0600. With it ``drywet users add``, on the machine of the service, adds the first admin.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import threading
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self, cast

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from lab.people import Person, Role
from lab.service.caller import address_of
from lab.service.commands import refuse_unaudited
from lab.service.errors import Refusal
from lab.service.login import LoginPart
from lab.service.passwords import refuse_weak
from lab.service.people import NewPerson
from lab.service.people_shapes import PersonShape
from lab.service.tokens import hashed
from lab.store import Store

__all__ = ["FILE", "FirstAdmin", "router"]

log = logging.getLogger("drywet.service")

FILE = "first_admin.secret"
"""What the file is called beside the store."""

WHO = "somebody at the computer of the service"
"""In the audit; no account can be called so."""


class FirstAdmin:
    """Lets the first admin in, once.

    Args:
        store: open for writing.
        folder: beside the store.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._path = folder / FILE
        self._hash = ""
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        self._forget()
        if self._store.has_admin():
            return self
        secret = secrets.token_urlsafe(32)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(f"{secret}\n")
        except OSError as error:
            log.warning("The first admin can be added only while no service runs: %s", error)
            return self
        self._hash = hashed(secret)
        log.warning("There is no admin yet. On this machine: drywet users add NAME --role admin")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget()

    def refuse_wrong(self, secret: str) -> None:
        """See that this is the secret, before any work is done for whoever sends it.

        Raises:
            Refusal: 403, there is an admin, or this is not the secret.
        """
        if self._store.has_admin():
            raise Refusal(403, "has_admin", "There is an admin already.", way_out="Ask them to add you.")
        if not self._hash or not hmac.compare_digest(hashed(secret), self._hash):
            raise Refusal(
                403,
                "wrong_secret",
                "This is not the secret of this service.",
                way_out="On its machine, as the user it runs as: drywet users add NAME --role admin",
            )

    def add(self, secret: str, new: NewPerson, password_hash: str, source: str) -> Person:
        """Add the first admin, and forget the secret.

        Raises:
            Refusal: 403, there is an admin, or this is not the secret.
            BadInput: they can't be added as they are.
        """
        with self._turn:
            self.refuse_wrong(secret)
            details = {"roles": list(new.roles)}
            act = refuse_unaudited(
                lambda: self._store.audit_begin(
                    who=WHO, source=source, action="POST /first-admin", subject=new.name, details=details
                )
            )
            try:
                added = self._store.add_person(
                    new.name,
                    roles=new.roles,
                    full_name=new.full_name,
                    email=new.email,
                    grants=new.grants,
                    password_hash=password_hash,
                    subject=new.subject,
                )
            except BaseException as error:
                self._store.audit_end(act, str(error) or type(error).__name__)
                raise
            self._store.audit_end(act, "done")
            self._forget()
        return added

    def _forget(self) -> None:
        self._hash = ""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s can't be deleted; it is good for nothing: %s", self._path, error)


def _first_admin(request: Request) -> FirstAdmin:
    return cast(FirstAdmin, request.app.state.first_admin)


router = APIRouter(tags=["people"])


class NewAdmin(NewPerson):
    """The first admin, with the secret that lies beside the store."""

    secret: str = Field(max_length=200)


@router.post("/first-admin", status_code=201, summary="Add the first admin")
def add_first_admin(
    new: NewAdmin,
    request: Request,
    login: LoginPart,
    first_admin: Annotated[FirstAdmin, Depends(_first_admin)],
) -> PersonShape:
    """Once, with the secret that lies beside the store while there is no admin who can log in."""
    if Role.ADMIN not in new.roles or new.program or not (new.password or new.subject):
        raise Refusal(
            422,
            "bad_input",
            "The first person here is an admin who can log in.",
            way_out="Give the role admin, and a password or who they are at the provider.",
            field="roles",
        )
    if new.password is not None:
        refuse_weak(new.password, new.name, new.full_name, new.email)
    first_admin.refuse_wrong(new.secret)
    kept = "" if new.password is None else login.passwords.hash(new.password)
    return PersonShape.of(first_admin.add(new.secret, new, kept, address_of(request)))
