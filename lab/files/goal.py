"""The goal of a campaign file: one objective or several, and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from lab.errors import BadInput
from lab.files.source import Problems
from lab.goals import ALONE, MEANINGS, WITH_A_LEVEL, Direction, Goal, Limit, Objective
from lab.strict import StrictModel, refuse
from lab.types import JsonValue
from lab.units import SUFFIXES, read_quantity

__all__ = ["GoalFields", "ObjectiveFields", "with_units"]

_WORDS: tuple[Direction, ...] = tuple(MEANINGS)


class ObjectiveFields(StrictModel):
    """One target under the word for what is wanted of it."""

    maximize: str | None = Field(default=None, min_length=1)
    minimize: str | None = Field(default=None, min_length=1)
    hit: str | None = Field(default=None, min_length=1)
    exceed: str | None = Field(default=None, min_length=1)
    map: str | None = Field(default=None, min_length=1)
    level: float | None = None

    @model_validator(mode="after")
    def _one(self) -> ObjectiveFields:
        given = [word for word in _WORDS if getattr(self, word) is not None]
        if len(given) != 1:
            raise refuse(
                "A goal is to maximize, minimize, hit, exceed or map one target.",
                "Write one of the five: `maximize: residual_activity`. More targets go under `also`.",
            )
        if given[0] in WITH_A_LEVEL and self.level is None:
            raise refuse(f"To {given[0]} {self.target} takes a level.", "Add a line such as `level: 0.5`.")
        if given[0] not in WITH_A_LEVEL and self.level is not None:
            raise refuse(f"To {given[0]} {self.target} takes no level.", "Take the line `level` out.")
        return self

    @property
    def direction(self) -> Direction:
        """The word that is given."""
        return next(word for word in _WORDS if getattr(self, word) is not None)

    @property
    def target(self) -> str:
        """What stands after it."""
        return str(getattr(self, self.direction))

    @property
    def objective(self) -> Objective:
        """The value that the campaign keeps."""
        return Objective(target=self.target, direction=self.direction, level=self.level)


class LimitFields(StrictModel):
    """What a target must keep to."""

    target: str = Field(min_length=1, examples=["purity"])
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _bounds(self) -> LimitFields:
        if self.at_least is None and self.at_most is None:
            raise refuse(f"A limit of {self.target} has no bound.", "Add `at_least` or `at_most`.")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise refuse(
                f"No {self.target} is at least {self.at_least:g} and at most {self.at_most:g}.",
                "Swap the bounds.",
            )
        return self


class GoalFields(ObjectiveFields):
    """The whole goal."""

    also: tuple[ObjectiveFields, ...] = ()
    limits: tuple[LimitFields, ...] = ()

    @model_validator(mode="after")
    def _together(self) -> GoalFields:
        targets = [self.target, *(other.target for other in self.also)]
        if twice := next((target for target in targets if targets.count(target) > 1), ""):
            raise refuse(f"{twice} is an objective twice.", "Keep one of them; bounds go under `limits`.")
        alone = next((o.direction for o in (self, *self.also) if o.direction in ALONE), "")
        if alone and self.also:
            raise refuse(
                f"To {alone} a target is a goal of its own, without other objectives.",
                "Take `also` out, or write what else is wanted under `limits`.",
            )
        return self

    @property
    def goal(self) -> Goal:
        """The value that the campaign keeps."""
        return Goal(
            target=self.target,
            direction=self.direction,
            level=self.level,
            also=tuple(other.objective for other in self.also),
            limits=tuple(
                Limit(target=limit.target, at_least=limit.at_least, at_most=limit.at_most)
                for limit in self.limits
            ),
        )


def with_units(values: Mapping[str, JsonValue], problems: Problems) -> dict[str, JsonValue]:
    """A campaign file's values with levels and limits of the goal as numbers, in the unit that the target's name ends in."""
    goal = values.get("goal")
    if not isinstance(goal, Mapping):
        return dict(values)
    read = _plain(goal, "goal", problems)
    for name in ("also", "limits"):
        if isinstance(items := read.get(name), list):
            read[name] = [
                _plain(item, f"goal.{name}[{n}]", problems) if isinstance(item, Mapping) else item
                for n, item in enumerate(items, start=1)
            ]
    return {**values, "goal": read}


def _plain(fields: Mapping[str, JsonValue], place: str, problems: Problems) -> dict[str, Any]:
    named = [fields.get(word) for word in (*_WORDS, "target")]
    target = next((name for name in named if isinstance(name, str)), "")
    read = dict(fields)
    for bound in ("level", "at_least", "at_most"):
        written = fields.get(bound)
        if isinstance(written, str) and target.endswith(tuple(SUFFIXES)):
            try:
                read[bound] = read_quantity(target, written)
            except BadInput as error:
                problems.add(f"{place}.{bound}", error.reason, error.way_out)
                read.pop(bound)
    return read
