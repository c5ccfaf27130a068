"""What people and programs write, read strictly, and what is wrong with it in a reader's words.

The one place for it: files, protocols, planners and every register of names use the same base, the same sentences and the
same suggestions. It knows no files; who read one adds file and line.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeGuard, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from lab.errors import BadInput, CampaignFileError
from lab.types import JsonValue
from lab.units import SUFFIXES, read_quantity

__all__ = [
    "Finding",
    "StrictModel",
    "Wording",
    "closest",
    "did_you_mean",
    "findings",
    "read_strictly",
    "refuse",
]

M = TypeVar("M", bound=BaseModel)

Wording = Callable[[str, str, Mapping[str, Any]], tuple[str, str]]
"""Name of the field, value as shown, pydantic's context -> reason and way out."""


class Finding(NamedTuple):
    """One thing that is wrong.

    Args:
        field: dotted, lists counted from 1 (``labware[3].id``); empty for the whole.
        reason: a sentence.
        way_out: a sentence, or empty.
    """

    field: str
    reason: str
    way_out: str


class StrictModel(BaseModel):
    """Values from outside: unknown fields are errors, and nothing is converted silently (``"96"`` is no number).

    A field whose name ends in a unit (``challenge_duration_s``) takes a number in it or a text such as ``"10 min"``, in
    lists too. A list is taken where a tuple is meant, as YAML and JSON have no tuples.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, written: Any, info: ValidationInfo) -> Any:
        name = info.field_name or ""
        if isinstance(written, list) and _is_tuple(cls.model_fields[name].annotation):
            written = tuple(written)
        return _in_unit(name, written) if name.endswith(tuple(SUFFIXES)) else written


def _is_tuple(annotation: Any) -> bool:
    return tuple in {typing.get_origin(kind) for kind in (annotation, *typing.get_args(annotation))}


def _in_unit(name: str, written: Any) -> Any:
    if isinstance(written, list | tuple):
        return type(written)(_in_unit(name, item) for item in written)
    if not isinstance(written, str | bool):
        return written
    try:
        return read_quantity(name, written)
    except BadInput as error:
        raise refuse(error.reason, error.way_out) from error


def refuse(reason: str, way_out: str = "") -> PydanticCustomError:
    """The error for a validator to raise."""
    return PydanticCustomError("refused", "{reason}", {"reason": reason, "way_out": way_out})


def closest(given: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one was likely meant to be, capitals aside."""
    lowered = {name.lower(): name for name in sorted(known)}
    found = difflib.get_close_matches(given.lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def did_you_mean(given: str, known: Iterable[str], *, what: str = "Known here:", quoted: bool = True) -> str:
    """A way out for a name that does not exist: the likeliest meant one, or all there are.

    Args:
        known: in the order in which to list them.
        what: the words before the list.
        quoted: whether the likeliest stands in quotes, as it does where people write them.
    """
    names = list(known)
    meant = closest(given, names)
    if meant is not None:
        return f"Did you mean {meant!r}?" if quoted else f"Did you mean {meant}?"
    return f"{what} {', '.join(names)}." if names else ""


def read_strictly(
    model: type[M],
    written: Mapping[str, JsonValue],
    *,
    within: str = "",
    unknown: str = "There is no field {} here.",
    known: str = "The fields here:",
    wording: Mapping[str, Wording] | None = None,
) -> M:
    """The values as a model.

    Args:
        within: field that they stand in (``planner.settings``), for the errors.
        unknown, known, wording: as for :func:`findings`.

    Raises:
        CampaignFileError: all that is wrong, one error a finding; file and line are for whoever read the file to add.
    """
    try:
        return model.model_validate(dict(written))
    except ValidationError as error:
        found = findings(error, model, unknown=unknown, known=known, wording=wording)
    first, *others = [
        CampaignFileError(
            one.reason, way_out=one.way_out, field=".".join(filter(None, (within, one.field))) or None
        )
        for one in found
    ]
    raise CampaignFileError(first.reason, way_out=first.way_out, field=first.field, others=tuple(others))


def findings(
    error: ValidationError,
    model: type[BaseModel],
    *,
    unknown: str = "There is no field {} here.",
    known: str = "The fields here:",
    wording: Mapping[str, Wording] | None = None,
) -> tuple[Finding, ...]:
    """What pydantic found wrong, in a reader's words and in its order.

    Args:
        model: what was to be read.
        unknown: reason for an unknown field, with braces for its name.
        known: words before the list of fields there are.
        wording: sentences of the caller's own, by pydantic's type of error.
    """
    found = error.errors(include_url=False)
    meant = {_meant(detail, model) for detail in found if detail["type"] == "extra_forbidden"}
    own = {**_WORDING, **(wording or {})}
    said = []
    for detail in found:
        place, kind = detail["loc"], detail["type"]
        if kind == "missing" and place in meant:
            continue  # it is there, misspelt
        if kind == "extra_forbidden":
            name, fields = str(place[-1]), _fields_at(model, place[:-1])
            words = unknown.format(repr(name)), did_you_mean(name, fields, what=known) or "Take it out."
        else:
            words = _say(detail, model, own)
        said.append(Finding(_dotted(place), *words))
    return tuple(said)


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


def _say(detail: ErrorDetails, model: type[BaseModel], words: Mapping[str, Wording]) -> tuple[str, str]:
    """Reason and way out of one of pydantic's findings."""
    place, context, given = detail["loc"], detail.get("ctx", {}), detail["input"]
    # An entry of a list has no name of its own.
    name = next((part for part in reversed(place) if isinstance(part, str)), "the file")
    kind = detail["type"]
    if kind == "refused":
        return str(context["reason"]), str(context["way_out"])
    if kind == "missing":
        field = _fields_at(model, place[:-1]).get(name)
        example = field.examples[0] if field is not None and field.examples else None
        return (
            f"The field {name!r} is missing.",
            f"Add a line such as `{name}: {example}`." if example else "Add it.",
        )
    if given is None:
        return f"{name} has no value.", "Write one after the colon, or take the line out."
    say = words.get(kind)
    if say is None:
        return f"{name} is not right: {detail['msg']}.", f"It is {_show(given)} now."
    return say(name, _show(given), context)


_WORDING: dict[str, Wording] = {
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
    "less_than": lambda n, v, c: (
        f"{n} is {v}, but less than {c['lt']} is needed.",
        f"Give less than {c['lt']}.",
    ),
    "finite_number": lambda n, _v, _c: (f"{n} is no finite number.", "Write a finite one."),
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
        return None if field is None else _given(field.annotation)
    inner = typing.get_args(annotation)
    return _given(inner[-1]) if inner else None


def _given(annotation: Any) -> Any:
    """The annotation of a value that is there: of an optional one, without the None."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation
    return next(arg for arg in typing.get_args(annotation) if arg is not type(None))


def _show(value: Any) -> str:
    if isinstance(value, Mapping):
        return "fields"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
