"""The form of a protocol: what its function's signature says that it can be told."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from lab.errors import BadInput
from lab.strict import StrictModel
from lab.types import JsonValue
from lab.units import SUFFIXES
from protocols.scripts.kinds import Plate, PlateMap, Reagent, Samples, Wells

__all__ = ["FRESH", "Entry", "Form", "form_of", "form_of_model"]

FRESH = "fresh"
"""Default of a plate: the next one that was never used."""

_PLAIN: dict[Any, str] = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    Plate: "plate",
    Wells: "wells",
    Reagent: "reagent",
    PlateMap: "plate map",
    Samples: "samples",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the form.

    Args:
        kind: type of the parameter, as annotated; a plain type or one of :mod:`protocols.scripts.kinds`.
        words: that type, for a person.
        unit: that its name ends in; empty for none.
        required: it has no default.
        limits: as ``0 to 5``; empty for none.
    """

    name: str
    kind: Any
    words: str
    unit: str
    required: bool
    default: JsonValue
    limits: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a protocol can be told.

    Args:
        model: reads parameters from files and programs; plates, wells and reagents are text in it.
        entries: in the order of the signature.
        summary: what the protocol does: the first paragraph of its docstring.
    """

    model: type[StrictModel]
    entries: tuple[Entry, ...]
    summary: str

    @property
    def schema(self) -> dict[str, JsonValue]:
        """JSON schema, for programs."""
        return self.model.model_json_schema()

    @property
    def takes_samples(self) -> bool:
        """Whether it can be the plan of a campaign."""
        return any(entry.kind is Samples for entry in self.entries)


class _Parameters(StrictModel):
    """What the models of all forms share: defaults are checked too, for people write ``"10 min"`` there."""

    model_config = ConfigDict(validate_default=True)


def form_of(function: Callable[..., Any]) -> Form:
    """Read a function's signature; its first parameter is the bench.

    Raises:
        BadInput: a parameter has no type, or one that no form can ask for; names the line of the function.
    """
    code = function.__code__
    try:
        parameters = list(inspect.signature(function, eval_str=True).parameters.values())
    except Exception as error:
        # Whatever evaluating a user's annotations raises is for the user to mend.
        raise BadInput(
            f"The types of {function.__name__} can't be read: {error}.",
            way_out="Import what they name.",
            file=code.co_filename,
            line=code.co_firstlineno,
        ) from error
    if not parameters:
        raise BadInput(
            f"{function.__name__} takes no bench.",
            way_out=f"Write def {function.__name__}(bench, ...): with the bench as its first parameter.",
            file=code.co_filename,
            line=code.co_firstlineno,
        )
    told = _told(inspect.getdoc(function) or "")
    fields: dict[str, Any] = {}
    kinds: dict[str, tuple[Any, bool]] = {}
    for parameter in parameters[1:]:
        try:
            kind, annotation, info = _read(parameter, told.get(parameter.name))
        except BadInput as wrong:
            raise BadInput(
                wrong.reason, way_out=wrong.way_out, file=code.co_filename, line=code.co_firstlineno
            ) from wrong
        fields[parameter.name] = (annotation, info)
        kinds[parameter.name] = (kind, info.is_required())
    try:
        model: type[StrictModel] = create_model(function.__name__, __base__=_Parameters, **fields)
    except Exception as error:
        raise BadInput(
            f"No form can be made of {function.__name__}: {error}.",
            way_out="Use int, float, str, bool, Literal, lists of them, or Plate, Wells, Reagent, PlateMap and Samples.",
            file=code.co_filename,
            line=code.co_firstlineno,
        ) from error
    entries = tuple(_entry(name, model.model_fields[name], *kinds[name]) for name in fields)
    summary = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
    return Form(model=model, entries=entries, summary=summary)


def form_of_model(model: type[StrictModel], summary: str) -> Form:
    """The form of a protocol that is a module, from its own model."""
    entries = tuple(
        _entry(name, field, field.annotation, field.is_required())
        for name, field in model.model_fields.items()
    )
    return Form(model=model, entries=entries, summary=summary)


_PASSED_AS: dict[Any, Any] = {
    Plate: str,
    Wells: str,
    Reagent: str,
    PlateMap: dict[str, str],
    Samples: tuple[str, ...],
}
"""What stands in files and stores for the kinds that only a protocol knows."""


def _read(parameter: inspect.Parameter, told: str | None) -> tuple[Any, Any, FieldInfo]:
    """Kind, the annotation for the model, and the field."""
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise BadInput(
            f"*{parameter.name} is nothing that a form can ask for.", way_out="Name each parameter."
        )
    written = parameter.annotation
    if written is parameter.empty:
        raise BadInput(
            f"{parameter.name} has no type.", way_out=f"Write {parameter.name}: float, for example."
        )
    kind: Any = written
    metadata: tuple[Any, ...] = ()
    if typing.get_origin(written) is Annotated:
        kind, *rest = typing.get_args(written)
        metadata = tuple(rest)
    plain = _PASSED_AS.get(kind, kind)
    default = parameter.default
    if default is parameter.empty and kind is Plate:
        default = FRESH
    if default is parameter.empty and kind is Samples:
        default = ()
    annotation = Annotated[(plain, *metadata)] if metadata else plain
    described = (one.description for one in metadata if isinstance(one, FieldInfo) and one.description)
    about: dict[str, Any] = {"description": next(described, told)}
    if default is not parameter.empty:
        about["default"] = _as_text(kind, default)
    field: FieldInfo = Field(**about)
    return kind, annotation, field


def _as_text(kind: Any, default: Any) -> Any:
    if kind is Wells and not isinstance(default, str):
        return ",".join(default)
    return str(default) if kind in (Plate, Reagent) else default


def _entry(name: str, field: FieldInfo, kind: Any, required: bool) -> Entry:
    suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(s)), "")
    default = None if required else field.get_default(call_default_factory=True)
    return Entry(
        name=name,
        kind=kind,
        words=_words(kind),
        unit=next(iter(SUFFIXES[suffix])) if suffix else "",
        required=required,
        default=list(default) if isinstance(default, tuple) else default,
        limits=_limits(field),
        help=field.description or "",
    )


def _words(kind: Any) -> str:
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return " or ".join(str(one) for one in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join("nothing" if one is type(None) else _words(one) for one in inner)
    if origin in (list, tuple) and inner:
        return f"list of {_words(inner[0])}"
    return getattr(kind, "__name__", str(kind))


def _limits(field: FieldInfo) -> str:
    bounds = {k: getattr(m, k) for m in field.metadata for k in ("ge", "gt", "le", "lt") if hasattr(m, k)}
    low = f"{bounds['ge']:g}" if "ge" in bounds else f"above {bounds['gt']:g}" if "gt" in bounds else ""
    high = f"{bounds['le']:g}" if "le" in bounds else f"below {bounds['lt']:g}" if "lt" in bounds else ""
    if low and high:
        return f"{low} to {high}"
    return f"{low} or more" if "ge" in bounds else low or (f"up to {high}" if "le" in bounds else high)


def _told(docstring: str) -> Mapping[str, str]:
    """What a docstring says of each argument, under ``Args:`` as Google writes it."""
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", docstring, re.MULTILINE | re.DOTALL)
    if section is None:
        return {}
    entries = re.findall(
        r"^ {2,8}(\w+)(?: \([^)]*\))?: (.*?)(?=^ {2,8}\w+(?: \([^)]*\))?: |\Z)",
        section[1],
        re.MULTILINE | re.DOTALL,
    )
    return {name: " ".join(text.split()) for name, text in entries}
