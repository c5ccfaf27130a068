"""What commands do in the name of whoever sits at the computer: in the store itself, or through the service that owns it."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lab.errors import BadInput
from lab.store import Store
from lab.types import JsonValue

__all__ = ["act", "refusals", "user"]


def user() -> str:
    """Who sits at the computer, as far as that is known; no account of the lab has such a name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        name = "somebody"
    return f"{name} at the command line"


@contextmanager
def act(
    store: Store,
    action: str,
    subject: str,
    details: Mapping[str, JsonValue] | None = None,
    *,
    who: str | None = None,
) -> Iterator[None]:
    """Have something written down before and after it is done; what can't be written down is not done.

    Args:
        store: nobody else's at the moment.
        action: in a word or two.
        subject: name or identifier of what it is done to.
        details: of it; nothing secret.
        who: does it, where that is not simply :func:`user`.
    """
    begun = store.audit_begin(
        who=who or user(), source="command line", action=action, subject=subject, details=details
    )
    try:
        yield
    except BadInput as refused:
        store.audit_end(begun, f"refused: {refused.reason}")
        raise
    except BaseException as failed:
        store.audit_end(begun, str(failed) or type(failed).__name__)
        raise
    store.audit_end(begun, "done")


@contextmanager
def refusals() -> Iterator[None]:
    """What the service refuses, as what a person gave, wrong as it was."""
    from lab.client import Refused, Unreachable  # httpx is installed where there is a service to speak to

    try:
        yield
    except Refused as refused:
        way_out = "Log in: drywet login" if refused.status == 401 else refused.way_out
        raise BadInput(refused.sentence, way_out=way_out, field=refused.field or None) from refused
    except Unreachable as gone:
        raise BadInput(str(gone), way_out="See whether it runs: drywet serve") from gone
