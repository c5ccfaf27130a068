"""What a campaign can name, with the form of each as JSON schema: protocols, planners, models and parts of a space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.app.script_listing import list_protocols
from lab.errors import BadInput
from lab.files.alphabets import ALPHABETS
from lab.files.space import SpaceFields
from lab.types import JsonValue

__all__ = ["Choices", "models_here", "planners_here", "protocols_here"]


def protocols_here(folder: Path) -> Sequence[dict[str, JsonValue]]:
    """Ours, and those of a folder if there is one: summary, parameters as JSON schema, and why one can't be used."""
    from protocols import protocol

    found: list[dict[str, JsonValue]] = []
    for one in list_protocols(folder if folder.is_dir() else None):
        shown: dict[str, JsonValue] = {
            "name": one.name,
            "where": one.where if one.where == "drywet" else Path(one.where).name,
            "summary": one.summary,
            "wrong": "" if one.wrong is None else str(one.wrong),
            "parameters": None,
            "targets": [],
        }
        if one.where == "drywet":
            module = protocol(one.name)
            shown["parameters"] = _schema(module.Parameters)
            shown["targets"] = _targets(module)
        found.append(shown)
    return found


def _targets(module: Any) -> list[JsonValue]:
    """What it measures with its defaults; nothing where it has parameters without one."""
    try:
        return [*module.targets(module.Parameters())]
    except (BadInput, ValueError):
        return []


def planners_here() -> Sequence[dict[str, JsonValue]]:
    """Every planner with its settings as JSON schema."""
    from planners import planner_names
    from planners.registry import settings_type

    return [{"name": name, "settings": _schema(settings_type(name))} for name in planner_names()]


def models_here() -> Sequence[dict[str, JsonValue]]:
    """Every model with its settings as JSON schema, and what has to be installed before it can be made."""
    from lab.app.models_here import inventory
    from models.registry import LETTERS, guides, model_settings

    return [
        {
            "name": one.name,
            "missing": list(one.missing),
            "guides": guides(one.name),
            "letters": LETTERS.get(one.name),
            "settings": None if one.missing else _schema(model_settings(one.name)),
        }
        for one in inventory()
    ]


class Choices:
    """Implements :class:`lab.service.choices.ChoicesHouse`."""

    def models(self) -> Sequence[Mapping[str, JsonValue]]:
        """See :class:`lab.service.choices.ChoicesHouse`."""
        return models_here()

    def space_form(self) -> Mapping[str, JsonValue]:
        """See :class:`lab.service.choices.ChoicesHouse`."""
        return {"schema": _schema(SpaceFields), "alphabets": list(ALPHABETS)}


def _schema(model: Any) -> JsonValue:
    schema: JsonValue = model.model_json_schema()
    return schema
