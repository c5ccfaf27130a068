"""Finding a row by what a person types of its identifier."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Table, or_, select

from lab.errors import BadInput

__all__ = ["SHORTEST", "find"]

SHORTEST = 6
"""Characters of an identifier that a person must type at least."""

_SHOWN = 5


def find(connection: Connection, table: Table, typed: str, what: str, way_out: str) -> Row[Any]:
    """The row whose identifier is what was typed, or begins or ends with it, in upper or lower case.

    Args:
        typed: all of the identifier, or at least :data:`SHORTEST` characters from its beginning (with or without the
            letters and the underscore before the number) or its end.
        what: that it is (``step``).
        way_out: where a person finds the identifiers.

    Raises:
        BadInput: none of this identifier, or more than one.
    """
    text = typed.strip()
    found = connection.execute(select(table).where(table.c.id == text)).first()
    if found is not None:
        return found
    if len(text) < SHORTEST:
        raise BadInput(
            f"{typed!r} is no {what}.",
            way_out=f"Give its identifier, or at least {SHORTEST} characters of its beginning or end. {way_out}",
        )
    fits = or_(
        table.c.id.istartswith(text, autoescape=True),
        table.c.id.istartswith(f"{_prefix_of(what)}_{text}", autoescape=True),
        table.c.id.iendswith(text, autoescape=True),
    )
    rows = connection.execute(select(table).where(fits).order_by(table.c.number).limit(_SHOWN + 1)).all()
    if not rows:
        raise BadInput(f"This store has no {what} {text}.", way_out=way_out)
    if len(rows) > 1:
        some = ", ".join(row.id for row in rows[:_SHOWN]) + (", ..." if len(rows) > _SHOWN else "")
        raise BadInput(f"More than one {what} is called {text}: {some}.", way_out="Type more of it.")
    return rows[0]


def _prefix_of(what: str) -> str:
    return {"step": "stp", "sample": "smp", "observation": "obs", "experiment": "exp"}[what]
