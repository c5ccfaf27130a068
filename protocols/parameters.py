"""Parameters of protocols as a person writes them: strict, frozen, quantities with or without their unit."""

import difflib
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from lab.errors import BadInput, CampaignFileError
from lab.types import JsonValue
from lab.units import SUFFIXES, read_quantity

__all__ = ["ProtocolParameters", "read_parameters", "refuse"]

M = TypeVar("M", bound="ProtocolParameters")


def refuse(reason: str, way_out: str = "") -> PydanticCustomError:
    """The error for a validator of parameters to raise."""
    return PydanticCustomError("refused", "{reason}", {"reason": reason, "way_out": way_out})


class ProtocolParameters(BaseModel):
    """Base of every protocol's ``Parameters``.

    A field whose name ends in a unit (``challenge_duration_s``) takes a number in it or a text such as ``"10
    min"``, in lists too. Unknown fields are errors, nothing else is converted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _plain_numbers(cls, written: Any, info: ValidationInfo) -> Any:
        return _plain(info.field_name or "", written)


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_plain(name, item) for item in value)
    if isinstance(value, float) and not math.isfinite(value):
        raise refuse(f"{name} is no finite number.", "Write a finite one.")
    if not isinstance(value, str) or not name.endswith(tuple(SUFFIXES)):
        return value
    try:
        number = read_quantity(name, value)
    except BadInput as error:
        raise refuse(error.reason, error.way_out) from error
    except ValueError as error:  # several decimal points look like a number until they are read
        raise refuse(f"{name} is a number, not {value!r}.") from error
    if not math.isfinite(number):
        raise refuse(f"{name} is no finite number.", "Write a finite one.")
    return number


def read_parameters(model: type[M], written: Mapping[str, JsonValue]) -> M:
    """Parameters from a campaign file.

    Raises:
        CampaignFileError: all that is wrong with them, one error a parameter, with its name as the field; file and line
            are for whoever read the file to add.
    """
    try:
        return model.model_validate(dict(written))
    except ValidationError as error:
        found = [_as_error(detail, model) for detail in error.errors(include_url=False)]
    first = found[0]
    raise CampaignFileError(first.reason, way_out=first.way_out, field=first.field, others=tuple(found[1:]))


def _as_error(detail: ErrorDetails, model: type[ProtocolParameters]) -> CampaignFileError:
    place, given = detail["loc"], detail["input"]
    name = str(place[0]) if place else ""
    field = name or None
    context = detail.get("ctx", {})
    match detail["type"]:
        case "refused":
            return CampaignFileError(context["reason"], way_out=context["way_out"], field=field)
        case "extra_forbidden":
            return CampaignFileError(
                f"The protocol has no parameter {name!r}.",
                way_out=_did_you_mean(name, model.model_fields),
                field=field,
            )
        case "missing":
            return CampaignFileError(f"The parameter {name!r} is missing.", way_out="Add it.", field=field)
        case "greater_than_equal" | "greater_than":
            least = context.get("ge", context.get("gt"))
            reason = f"{name} is {given}, too little."
            return CampaignFileError(reason, way_out=f"Give {least} or more.", field=field)
        case "less_than_equal" | "less_than":
            most = context.get("le", context.get("lt"))
            return CampaignFileError(
                f"{name} is {given}, too much.", way_out=f"Give {most} or less.", field=field
            )
        case "int_type" | "int_from_float":
            return CampaignFileError(f"{name} is a whole number, not {given!r}.", field=field)
        case "float_type":
            return CampaignFileError(f"{name} is a number, not {given!r}.", field=field)
        case "tuple_type":
            reason = f"{name} is a list, not {given!r}."
            return CampaignFileError(reason, way_out="Write [first, second].", field=field)
        case "string_type":
            return CampaignFileError(f"{name} is text, not {given!r}.", field=field)
    return CampaignFileError(f"{name} can't be {given!r}: {detail['msg']}.", field=field)


def _did_you_mean(given: str, fields: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(given, fields, n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else f"It has: {', '.join(fields)}."
