"""What a campaign can name: protocols and planners with their forms, and files of the lab's folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Protocol, cast

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from lab.goals import ALONE, MEANINGS, WITH_A_LEVEL
from lab.people import Permission
from lab.service.caller import Caller, needs
from lab.service.commands import CommandRoute
from lab.service.parts import HousePart
from lab.types import JsonValue

__all__ = ["ChoicesHouse", "router"]

router = APIRouter(tags=["choices"], route_class=CommandRoute)

Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]


class ChoicesHouse(Protocol):
    """What of the house concerns the parts of a campaign."""

    def models(self) -> Sequence[Mapping[str, JsonValue]]:
        """Every model: ``name``, ``settings``, ``missing``, ``guides`` and ``letters``."""

    def space_form(self) -> Mapping[str, JsonValue]:
        """``schema`` of a space, and ``alphabets``."""


def _house(request: Request) -> ChoicesHouse:
    return cast(ChoicesHouse, request.app.state.house)


ChoicesPart = Annotated[ChoicesHouse, Depends(_house)]


class ModelShape(BaseModel):
    """A model that a campaign can name."""

    name: str
    missing: list[str] = Field(description="Commands that bring what it needs; empty where it can be made.")
    settings: dict[str, Any] | None = Field(description="JSON schema; null where something is missing.")
    guides: bool = Field(description="Whether planners can go by it, so that a campaign may name it.")
    letters: str | None = Field(
        description="Alphabet of the sequences that it reads; null where it reads none."
    )


class GoalShape(BaseModel):
    """What can be wanted of a target."""

    word: str = Field(description="As a campaign file has it, before the target.")
    meaning: str
    level: bool = Field(description="Whether it needs a level.")
    alone: bool = Field(description="Whether it is a goal of its own, without further objectives.")


class SpaceForm(BaseModel):
    """What a space of values is made of."""

    model_config = ConfigDict(serialize_by_alias=True)

    form: dict[str, Any] = Field(alias="schema", description="JSON schema of `space` in a campaign file.")
    alphabets: list[str]


_SHOWN = {".yaml": "yaml", ".yml": "yaml", ".csv": "table", ".tsv": "table", ".fasta": "table"}
_TELLING = {
    "campaign": re.compile(rb"^goal\s*:", re.MULTILINE),
    "workcell": re.compile(rb"^devices\s*:", re.MULTILINE),
}
"""What a YAML file is -> a field that tells it."""
_LONGEST_BYTES = 262_144
_DEEPEST = 3
_MOST = 2000


@router.get("/protocols", summary="Protocols, with the form of their parameters")
def protocols(caller: Viewer, house: HousePart) -> list[dict[str, Any]]:
    """Parameters are a JSON schema; quantities are in the unit of their name."""
    return [dict(one) for one in house.protocols()]


@router.get("/planners", summary="Planners, with the form of their settings")
def planners(caller: Viewer, house: HousePart) -> list[dict[str, Any]]:
    """Settings are a JSON schema."""
    return [dict(one) for one in house.planners()]


@router.get("/models", summary="Models, with the form of their settings")
def models(caller: Viewer, house: ChoicesPart) -> list[ModelShape]:
    """Settings are a JSON schema; where something is missing the commands that bring it are told."""
    return [ModelShape.model_validate(dict(one)) for one in house.models()]


@router.get("/goals", summary="What can be wanted of a target")
def goals(caller: Viewer) -> list[GoalShape]:
    """Every word that a goal can begin with, in the order in which they are offered."""
    return [
        GoalShape(word=word, meaning=meaning, level=word in WITH_A_LEVEL, alone=word in ALONE)
        for word, meaning in MEANINGS.items()
    ]


@router.get("/spaces/form", summary="What a space of values is made of")
def space_form(caller: Viewer, house: ChoicesPart) -> SpaceForm:
    """Parameters, a mixture, sites of a sequence, and constraints, as a JSON schema; and alphabets of sequences."""
    return SpaceForm.model_validate(dict(house.space_form()))


@router.get("/files", summary="Campaign, workcell and candidate files of the lab's folder")
def files(caller: Viewer, house: HousePart) -> list[dict[str, str]]:
    """Names to be used in a campaign, each a ``table``, ``campaign``, ``workcell`` or other ``yaml``.

    Hidden folders are left out.
    """
    shown = sorted(_named(house.folder))[:_MOST]
    return [{"path": path, "kind": _kind(house.folder / path)} for path in shown]


def _kind(path: Path) -> str:
    """What a file is, by its end and by fields that only campaigns or only workcells have."""
    kind = _SHOWN[path.suffix]
    if kind != "yaml":
        return kind
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_BYTES)
    except OSError:
        return kind  # it went away meanwhile, or may not be read: whoever names it is told so
    return next((name for name, field in _TELLING.items() if field.search(text)), kind)


def _named(folder: Path) -> Iterator[str]:
    """Files that can be shown, not looking into hidden folders, which may hold very many."""
    for where, folders, names in os.walk(folder):
        above = Path(where).relative_to(folder).parts
        kept = [one for one in folders if not one.startswith(".")]
        folders[:] = kept if len(above) < _DEEPEST - 1 else []
        for name in names:
            if not name.startswith(".") and PurePosixPath(name).suffix in _SHOWN:
                yield "/".join((*above, name))
