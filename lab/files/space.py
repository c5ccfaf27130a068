"""The search space of a campaign file, where that is no list of candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, model_validator

from lab.errors import BadInput
from lab.files.alphabets import ALPHABETS, AlphabetName
from lab.files.source import Problems
from lab.spaces import Candidate, LinearConstraint, Mixture, Parameter, SearchSpace, Sites
from lab.strict import StrictModel, refuse
from lab.types import JsonValue
from lab.units import SUFFIXES, read_quantity

__all__ = ["SpaceFields", "read_space", "with_units"]

V = TypeVar("V")

_FIRST_WORDS = {"a", "an", "at", "amounts", "coefficients", "every", "no", "sites", "steps", "the"}
"""Words that sentences begin with where they do not begin with a name, which stays as it is written."""

_QUANTITIES = ("low", "high", "resolution", "levels")


class ParameterFields(StrictModel):
    """Bounds of a number, or the levels of one."""

    low: float | None = None
    high: float | None = None
    integer: bool = False
    log: bool = False
    resolution: float = Field(default=0.0, ge=0.0)
    levels: tuple[float | str, ...] = Field(default=())

    @model_validator(mode="after")
    def _one_kind(self) -> ParameterFields:
        if bool(self.levels) == (self.low is not None or self.high is not None):
            raise refuse("A value has either bounds or levels.", "Write `low` and `high`, or `levels`.")
        return self

    @property
    def kind(self) -> Literal["continuous", "integer", "ordinal", "categorical"]:
        """What it is, by what is given."""
        if not self.levels:
            return "integer" if self.integer else "continuous"
        return "categorical" if any(isinstance(level, str) for level in self.levels) else "ordinal"


class MixtureFields(StrictModel):
    """Amounts that make up a whole."""

    ingredients: tuple[str, ...] = Field(min_length=2, examples=[["glycerol", "sucrose", "water"]])
    total: float = Field(default=1.0, gt=0.0)
    at_most: int | None = Field(default=None, ge=1)
    least: float = Field(default=0.0, ge=0.0)
    most: dict[str, float] = Field(default_factory=dict)
    resolution: float = Field(default=0.0, ge=0.0)


class SitesFields(StrictModel):
    """Substitutions at chosen sites of a parent."""

    alphabet: AlphabetName = "protein"
    parent: str = Field(min_length=1, examples=["MTYKLILNGKTLKGETTTEA"])
    positions: tuple[int, ...] = Field(min_length=1, examples=[[39, 40, 41, 54]])
    letters: str | tuple[str, ...] = ""
    at_most: int | None = Field(default=None, ge=1)


class ConstraintFields(StrictModel):
    """Bounds of a weighted sum."""

    sum: dict[str, float] = Field(min_length=1, examples=[{"glycerol": 1, "sucrose": 2}])
    at_least: float | None = None
    at_most: float | None = None


class ReferenceFields(StrictModel):
    """The control that every plate carries."""

    name: str = Field(default="reference", min_length=1)
    values: dict[str, float | str] = Field(default_factory=dict)


class SpaceFields(StrictModel):
    """What may be chosen, part by part."""

    parameters: dict[str, ParameterFields] = Field(default_factory=dict)
    mixture: MixtureFields | None = None
    sites: SitesFields | None = None
    constraints: tuple[ConstraintFields, ...] = ()
    rules: tuple[str, ...] = ()
    reference: ReferenceFields = ReferenceFields()


def read_space(fields: SpaceFields, folder: Path, problems: Problems) -> tuple[SearchSpace, Candidate] | None:
    """The space and its reference; None, with the problems noted, where they contradict themselves.

    Args:
        folder: of the campaign file; modules of rules are looked for there first.
    """
    parameters = [
        _made(partial(_parameter, name, written), f"space.parameters.{name}", problems)
        for name, written in fields.parameters.items()
    ]
    mixture = sites = None
    if (mixed := fields.mixture) is not None:
        mixture = _made(lambda: Mixture(**mixed.model_dump()), "space.mixture", problems)
    if (chosen := fields.sites) is not None:
        sites = _made(lambda: _sites(chosen), "space.sites", problems)
    constraints = [
        _made(
            partial(
                LinearConstraint, coefficients=written.sum, at_least=written.at_least, at_most=written.at_most
            ),
            f"space.constraints[{n}]",
            problems,
        )
        for n, written in enumerate(fields.constraints, start=1)
    ]
    for n, rule in enumerate(fields.rules, start=1):
        module, _, function = rule.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), function)):
            problems.add(
                f"space.rules[{n}]",
                f"{rule!r} names no function.",
                "Write module:function, with the module beside this file or installed.",
            )
    if problems:
        return None
    space = _made(
        lambda: SearchSpace(
            parameters=tuple(p for p in parameters if p is not None),
            mixture=mixture,
            sites=sites,
            constraints=tuple(c for c in constraints if c is not None),
            rules=fields.rules,
            folder=str(folder.resolve()) if fields.rules else "",
        ),
        "space",
        problems,
    )
    if space is None:
        return None
    reference = Candidate(
        id=fields.reference.name,
        sequence=space.sites.parent if space.sites else "",
        values=fields.reference.values,
    )
    _check_reference(reference, space, problems)
    return space, reference


def _made(make: Callable[[], V], field: str, problems: Problems) -> V | None:
    """What is made; None, with the sentence noted at its field, where it can't be."""
    try:
        return make()
    except ValueError as error:
        sentence = str(error)
        if sentence.split()[0] in _FIRST_WORDS:
            sentence = f"{sentence[0].upper()}{sentence[1:]}"
        problems.add(field, f"{sentence}.", "Change it, or take it out.")
        return None


def _parameter(name: str, written: ParameterFields) -> Parameter:
    return Parameter(
        name=name,
        kind=written.kind,
        low=written.low,
        high=written.high,
        resolution=written.resolution,
        log=written.log,
        levels=written.levels,
    )


def _sites(written: SitesFields) -> Sites:
    alphabet = ALPHABETS[written.alphabet]
    parent = "".join(written.parent.split())
    place = alphabet.stranger(parent)
    if place is not None:
        raise ValueError(
            f"parent has {parent[place - 1]!r} at position {place}, which is no {alphabet.letter}"
        )
    letters = written.letters or alphabet.letters
    if isinstance(letters, str):
        letters = (letters,) * len(written.positions)
    for text in letters:
        strange = alphabet.stranger(text)
        if strange is not None:
            raise ValueError(f"{text[strange - 1]!r} among the letters is no {alphabet.letter}")
    return Sites(parent=parent, positions=written.positions, letters=letters, at_most=written.at_most)


def _check_reference(reference: Candidate, space: SearchSpace, problems: Problems) -> None:
    """A reference is described as candidates are; it need not keep to the bounds."""
    missing = [name for name in space.names if name not in reference.values]
    if missing:
        problems.add(
            "space.reference.values",
            f"The reference has no {missing[0]}, and every plate carries it as its control.",
            f"Write values for {', '.join(missing)}.",
        )
    for name in sorted(set(reference.values) - set(space.names)):
        problems.add(
            f"space.reference.values.{name}", f"The space has no value named {name}.", "Take it out."
        )
    for parameter in space.parameters:
        value = reference.values.get(parameter.name)
        if value is not None and isinstance(value, str) == parameter.is_number:
            kind = "a number" if parameter.is_number else "text"
            problems.add(
                f"space.reference.values.{parameter.name}", f"{parameter.name} is {kind}.", "Write one."
            )


def with_units(values: Mapping[str, JsonValue], problems: Problems) -> dict[str, JsonValue]:
    """A campaign file's values with bounds and levels of the space as numbers, in the unit that the value's name ends in."""
    space = values.get("space")
    if not isinstance(space, Mapping):
        return dict(values)
    read: dict[str, Any] = dict(space)
    if isinstance(parameters := space.get("parameters"), Mapping):
        read["parameters"] = {
            name: {
                field: _plain(name, value, f"space.parameters.{name}.{field}", problems)
                if field in _QUANTITIES
                else value
                for field, value in fields.items()
            }
            if isinstance(fields, Mapping)
            else fields
            for name, fields in parameters.items()
        }
    reference = space.get("reference")
    if isinstance(reference, Mapping) and isinstance(given := reference.get("values"), Mapping):
        read["reference"] = {
            **reference,
            "values": {
                name: _plain(name, value, f"space.reference.values.{name}", problems)
                for name, value in given.items()
            },
        }
    return {**values, "space": read}


def _plain(name: str, value: JsonValue, field: str, problems: Problems) -> JsonValue:
    if isinstance(value, list):
        return [_plain(name, item, f"{field}[{n}]", problems) for n, item in enumerate(value, start=1)]
    if not isinstance(value, str) or not name.endswith(tuple(SUFFIXES)):
        return value
    try:
        return read_quantity(name, value)
    except BadInput as error:
        problems.add(field, error.reason, error.way_out)
        return 0.0  # a number, so that nothing more is said of it
