"""Planners by name. A new one is a file with a planner and its settings, and a line here."""

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ValidationError

from lab.errors import BadInput
from lab.interfaces import Planner
from lab.types import JsonValue

__all__ = ["PLANNERS", "planner", "planner_names", "settings_type"]

PLANNERS: dict[str, tuple[str, str, str]] = {
    "gaussian_process": ("planners.gaussian_process", "GaussianProcessPlanner", "GaussianProcessSettings"),
    "random": ("planners.baselines", "RandomPlanner", "NoSettings"),
    "sobol": ("planners.baselines", "SobolPlanner", "NoSettings"),
}
"""Name -> module, planner class and settings class, imported when first asked for."""


def planner_names() -> tuple[str, ...]:
    """Every name that :func:`planner` knows, in alphabetical order."""
    return tuple(sorted(PLANNERS))


def settings_type(name: str) -> type[BaseModel]:
    """The pydantic model of a planner's settings.

    Raises:
        BadInput: no planner has that name.
    """
    module, _, settings = _entry(name)
    found: type[BaseModel] = getattr(import_module(module), settings)
    return found


def planner(name: str, settings: Mapping[str, JsonValue] | None = None) -> Planner:
    """The planner of that name, with settings as a campaign file gives them.

    Raises:
        BadInput: no planner has that name, or a setting is unknown or out of range; names the field.
    """
    module, made_by, _ = _entry(name)
    try:
        checked = settings_type(name).model_validate(dict(settings or {}))
    except ValidationError as error:
        raise _refusal(name, error.errors()[0]) from None
    made: Planner = getattr(import_module(module), made_by)(checked)
    return made


def _entry(name: str) -> tuple[str, str, str]:
    if name in PLANNERS:
        return PLANNERS[name]
    close = difflib.get_close_matches(name, PLANNERS, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(planner_names())}."
    raise BadInput(f"There is no planner named {name!r}.", way_out=hint, field="planner.name")


def _refusal(name: str, first: Mapping[str, Any]) -> BadInput:
    place = ".".join(str(part) for part in first["loc"])
    known = ", ".join(settings_type(name).model_fields) or "none"
    if first["type"] == "extra_forbidden":
        reason = f"The planner {name} has no setting {place!r}."
    else:
        reason = f"{first['msg']}, not {first['input']!r}."
    return BadInput(reason, way_out=f"Its settings are: {known}.", field=f"planner.settings.{place}")
