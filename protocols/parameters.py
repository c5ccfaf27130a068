"""Parameters of protocols as a campaign file gives them."""

from collections.abc import Mapping
from typing import TypeVar

from lab.strict import StrictModel, Wording, read_strictly
from lab.types import JsonValue

__all__ = ["read_parameters"]

M = TypeVar("M", bound=StrictModel)

_WORDING: dict[str, Wording] = {
    "greater_than_equal": lambda n, v, c: (f"{n} is {v}, too little.", f"Give {c['ge']} or more."),
    "less_than_equal": lambda n, v, c: (f"{n} is {v}, too much.", f"Give {c['le']} or less."),
    "string_type": lambda n, v, _: (f"{n} is text, not {v}.", ""),
}
"""Where a parameter is spoken of in other words than a field of a file."""


def read_parameters(model: type[M], written: Mapping[str, JsonValue]) -> M:
    """Parameters from a campaign file.

    Raises:
        CampaignFileError: all that is wrong with them, one error a parameter, with its name as the field; file and line
            are for whoever read the file to add.
    """
    return read_strictly(
        model, written, unknown="The protocol has no parameter {}.", known="It has:", wording=_WORDING
    )
