"""The named values of candidates, as models ask for them."""

from typing import Any

from lab.errors import BadInput
from lab.strict import did_you_mean
from lab.types import JsonValue

__all__ = ["text_of", "value_of"]


def value_of(candidate: Any, name: str) -> JsonValue:
    """A candidate's value.

    Raises:
        BadInput: it has none of that name.
    """
    if name not in candidate.values:
        known = did_you_mean(name, candidate.values, what="Its values are:")
        raise BadInput(
            f"Candidate {candidate.id} has no value {name!r}.",
            way_out=known or "Give each candidate its values.",
            field="models.value",
        )
    return candidate.values[name]


def text_of(candidate: Any, name: str, what: str) -> str:
    """A candidate's value that is text.

    Args:
        what: it should be, for errors (``a formula``).

    Raises:
        BadInput: it has none of that name, or one that is no text, or is empty.
    """
    value = value_of(candidate, name)
    if not isinstance(value, str) or not value:
        raise BadInput(
            f"Candidate {candidate.id} has {value!r} for {name}, where {what} is expected.",
            way_out="Put it in quotes if it is meant as text.",
            field="models.value",
        )
    return value
