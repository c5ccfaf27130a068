"""Strict pydantic models for what arrives from files, and pydantic's findings in a reader's words."""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeGuard, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from lab.errors import BadInput
from lab.files.source import Problems, closest, did_you_mean
from lab.types import JsonValue
from lab.units import SUFFIXES, read_quantity

__all__ = ["FileModel", "Quantity", "refuse", "validate", "with_plain_numbers"]

M = TypeVar("M", bound="FileModel")


class FileModel(BaseModel):
    """A part of a file: unknown fields are errors, and nothing is converted silently (``"96"`` is no number)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def refuse(reason: str, way_out: str = "") -> PydanticCustomError:
    """The error for a validator of a :class:`FileModel` to raise."""
    return PydanticCustomError("refused", "{reason}", {"reason": reason, "way_out": way_out})


def _read(value: Any, info: ValidationInfo) -> float:
    name = info.field_name or ""
    if not isinstance(value, int | float | str):
        raise refuse(f"{name} is a number, not {_show(value)}.")
    try:
        number = read_quantity(name, value)
    except BadInput as error:
        raise refuse(error.reason, error.way_out) from error
    if not math.isfinite(number):
        raise refuse(f"{name} is no finite number.", "Write a smaller one.")
    return number


Quantity = Annotated[float, BeforeValidator(_read)]
"""A number in the unit of its field's name, or text with a unit (``"10 min"``)."""


def with_plain_numbers(
    values: Mapping[str, JsonValue], prefix: str, problems: Problems
) -> dict[str, JsonValue]:
    """Quantities written with a unit, as numbers in the unit of their names.

    Args:
        values: by name; where a name ends in a unit (``challenge_duration_s``), texts in it are read, in lists too.
        prefix: field that they stand in.
        problems: where texts that can't be read are noted.
    """
    return {name: _plain(name, value, f"{prefix}.{name}", problems) for name, value in values.items()}


def _plain(name: str, value: JsonValue, field: str, problems: Problems) -> JsonValue:
    if isinstance(value, Mapping):
        return with_plain_numbers(value, field, problems)
    if isinstance(value, list):
        return [_plain(name, item, f"{field}[{n}]", problems) for n, item in enumerate(value, start=1)]
    if not isinstance(value, str) or not name.endswith(tuple(SUFFIXES)):
        return value
    try:
        number = read_quantity(name, value)
    except BadInput as error:
        problems.add(field, error.reason, error.way_out)
        return value
    if not math.isfinite(number):
        problems.add(field, f"{name} is no finite number.", "Write a smaller one.")
    return number


def validate(model: type[M], values: Mapping[str, JsonValue], problems: Problems) -> M | None:
    """The values as a model; None when they are none, with everything that is wrong noted."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False)
        meant = {_meant(detail, model) for detail in found if detail["type"] == "extra_forbidden"}
        for detail in found:
            if detail["type"] == "missing" and detail["loc"] in meant:
                continue  # it is there, misspelt
            reason, way_out = _say(detail, model)
            problems.add(_dotted(detail["loc"]), reason, way_out)
        return None


def _meant(detail: ErrorDetails, model: type[BaseModel]) -> tuple[int | str, ...]:
    """The place of the field that an unknown one was likely meant to be; that of the unknown one when there is none."""
    *parents, name = detail["loc"]
    return (*parents, closest(str(name), _fields_at(model, tuple(parents))) or name)


def _dotted(place: tuple[int | str, ...]) -> str:
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        elif part != "[key]":
            text += f".{part}" if text else part
    return text


def _say(detail: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    """Reason and way out of one of pydantic's findings."""
    place, context, given = detail["loc"], detail.get("ctx", {}), detail["input"]
    name = str(place[-1]) if place else "the file"
    kind = detail["type"]
    if kind == "refused":
        return str(context["reason"]), str(context["way_out"])
    if kind == "extra_forbidden":
        fields = _fields_at(model, place[:-1])
        return f"There is no field {name!r} here.", did_you_mean(name, fields, what="The fields here")
    if kind == "missing":
        field = _fields_at(model, place[:-1]).get(name)
        example = field.examples[0] if field is not None and field.examples else None
        return (
            f"The field {name!r} is missing.",
            f"Add a line such as `{name}: {example}`." if example else "Add it.",
        )
    if given is None:
        return f"{name} has no value.", "Write one after the colon, or take the line out."
    wording = _WORDING.get(kind)
    if wording is None:
        return f"{name} is not right: {detail['msg']}.", f"It is {_show(given)} now."
    return wording(name, _show(given), context)


_Wording = Callable[[str, str, Mapping[str, Any]], tuple[str, str]]

_WORDING: dict[str, _Wording] = {
    "greater_than_equal": lambda n, v, c: (
        f"{n} is {v}, but at least {c['ge']} is needed.",
        f"Give {c['ge']} or more.",
    ),
    "less_than_equal": lambda n, v, c: (
        f"{n} is {v}, but at most {c['le']} is possible.",
        f"Give {c['le']} or less.",
    ),
    "greater_than": lambda n, v, c: (
        f"{n} is {v}, but more than {c['gt']} is needed.",
        f"Give more than {c['gt']}.",
    ),
    "int_type": lambda n, v, _: (f"{n} is a whole number, not {v}.", "Write digits, without quotes."),
    "int_from_float": lambda n, v, _: (f"{n} is a whole number, not {v}.", "Write it without decimals."),
    "float_type": lambda n, v, _: (f"{n} is a number, not {v}.", "Write digits, without quotes."),
    "string_type": lambda n, v, _: (f"{n} is text, not {v}.", "Put it in quotes if it is meant as text."),
    "bool_type": lambda n, v, _: (f"{n} is true or false, not {v}.", "Write true or false."),
    "list_type": lambda n, v, _: (f"{n} is a list, not {v}.", "Write [first, second]."),
    "tuple_type": lambda n, v, _: (f"{n} is a list, not {v}.", "Write [first, second]."),
    "dict_type": lambda n, v, _: (f"{n} holds fields, not {v}.", "Write its fields below it, indented."),
    "model_type": lambda n, v, _: (f"{n} holds fields, not {v}.", "Write its fields below it, indented."),
    "string_too_short": lambda n, _v, _c: (f"{n} is empty.", "Write a text."),
    "too_short": lambda n, _v, c: (f"{n} holds too few entries.", f"At least {c['min_length']} is needed."),
    "literal_error": lambda n, v, c: (f"{n} can't be {v}.", f"It is one of: {c['expected']}."),
}


def _fields_at(model: type[BaseModel], place: tuple[int | str, ...]) -> dict[str, FieldInfo]:
    """The fields of the model that a place inside a file belongs to; none where it belongs to no model."""
    here: Any = model
    for part in place:
        here = _inside(here, part)
    return dict(here.model_fields) if _is_model(here) else {}


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _inside(annotation: Any, part: int | str) -> Any:
    """The annotation one step deeper: of a model's field, a dict's value, a list's entry."""
    if _is_model(annotation):
        field = annotation.model_fields.get(str(part))
        return None if field is None else field.annotation
    inner = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
    return inner[-1] if inner else None


def _show(value: Any) -> str:
    if isinstance(value, Mapping):
        return "fields"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
