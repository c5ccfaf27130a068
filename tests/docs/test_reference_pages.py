"""The tables of the reference pages say what the code says."""

from __future__ import annotations

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from devices.labware import LABWARE_TYPES
from digital_twin.chemistry import CHEMISTRIES
from lab.app.drivers import DRIVERS
from lab.errors import FaultKind
from lab.files.campaign import _Campaign, _Policies
from lab.files.choice import CandidateFields
from lab.files.goal import GoalFields
from lab.files.labware import LabwareFields, PlaceFields
from lab.files.recovery import RecoveryFields
from lab.files.space import SpaceFields
from lab.files.workcell import _Device, _Workcell
from lab.recovery import DEFAULT_LADDERS, Recovery
from lab.units import SUFFIXES
from planners import planner_names, settings_type
from protocols import protocol, protocol_names
from tests.project.source_tree import REPOSITORY

CAMPAIGN_FILES = (REPOSITORY / "docs" / "campaign-files.md").read_text(encoding="utf-8")
WORKCELL_FILES = (REPOSITORY / "docs" / "workcell-files.md").read_text(encoding="utf-8")


def row(name: str, field: FieldInfo) -> str:
    """A parameter's line in the table: name, default, range, description."""
    return f"| `{name}` | {_shown(field.get_default(call_default_factory=True))} | {_range(field)} | {field.description} |"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value)) if value else "[]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _range(field: FieldInfo) -> str:
    bounds = {
        kind: getattr(m, kind)
        for m in field.metadata
        for kind in ("ge", "gt", "le", "lt")
        if hasattr(m, kind)
    }
    low = f"{bounds['ge']:g}" if "ge" in bounds else f"above {bounds['gt']:g}" if "gt" in bounds else ""
    high = (
        f" to {bounds['le']:g}" if "le" in bounds else f" to below {bounds['lt']:g}" if "lt" in bounds else ""
    )
    return low + high


@pytest.mark.parametrize("name", protocol_names())
def test_every_parameter_of_a_protocol_is_told_with_default_and_range(name: str):
    section = CAMPAIGN_FILES.split(f"### Parameters of `{name}`\n")[1].split("\n### ")[0].splitlines()
    fields = protocol(name).Parameters.model_fields
    assert [row(field, fields[field]) for field in fields] == [
        line for line in section if line.startswith("| `")
    ]


@pytest.mark.parametrize("name", settings_type("adaptive").model_fields)
def test_every_setting_of_the_planner_is_told_with_its_default(name: str):
    default = _shown(settings_type("adaptive").model_fields[name].default)
    assert f"| `{name}` | {default} |" in CAMPAIGN_FILES


FILE_MODELS = [_Campaign, CandidateFields, GoalFields, SpaceFields, _Policies]


@pytest.mark.parametrize("model", FILE_MODELS, ids=lambda model: model.__name__)
def test_every_field_of_a_campaign_file_is_told(model: type[BaseModel]):
    assert [name for name in model.model_fields if f"| `{name}` |" not in CAMPAIGN_FILES] == []


@pytest.mark.parametrize("kind", FaultKind)
def test_every_kind_of_fault_is_told_once_with_its_default_ladder(kind: FaultKind):
    (told,) = [line for line in CAMPAIGN_FILES.splitlines() if line.startswith(f"| `{kind.value}` |")]
    assert told.endswith(f" | {', '.join(step.value for step in DEFAULT_LADDERS[kind])} |")


def test_every_kind_of_fault_can_be_written_in_a_campaign_file():
    assert list(RecoveryFields.model_fields) == [kind.value for kind in FaultKind]


def test_every_word_of_a_recovery_is_told():
    assert [word.value for word in Recovery if f"| `{word.value}` |" not in CAMPAIGN_FILES] == []


@pytest.mark.parametrize(
    "model", [_Workcell, _Device, PlaceFields, LabwareFields], ids=lambda model: model.__name__
)
def test_every_field_of_a_workcell_file_is_told(model: type[BaseModel]):
    assert [name for name in model.model_fields if f"| `{name}` |" not in WORKCELL_FILES] == []


def test_every_unit_is_told():
    assert [suffix for suffix in SUFFIXES if f"`{suffix}`" not in CAMPAIGN_FILES] == []


def test_every_planner_and_driver_is_told():
    assert [name for name in planner_names() if f"`{name}`" not in CAMPAIGN_FILES] == []
    assert [name for name in DRIVERS if f"`{name}`" not in WORKCELL_FILES] == []


def test_every_type_of_labware_and_every_chemistry_is_told():
    assert [name for name in CHEMISTRIES if f"`{name}`" not in WORKCELL_FILES] == []
    assert [name for name in LABWARE_TYPES if f"`{name}`" not in WORKCELL_FILES] == []
