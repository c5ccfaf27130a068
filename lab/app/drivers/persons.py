"""Drivers of a bench without robots: a person, who gets worklists in a folder and hands them in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lab.app.drivers.fitting import Fitting
from lab.errors import BadInput, CampaignFileError
from lab.files import WorkcellSpec
from lab.strict import StrictModel, read_strictly
from lab.types import JsonValue

if TYPE_CHECKING:
    from devices.person.person import Desk

__all__ = ["arm", "handler", "reader", "shaker", "thermocycler", "worklists_of"]

SCHEME = "folder:"
DRIVERS = "person/"


class _Settings(StrictModel):
    """What the workcell file may say of a person."""

    patience_s: float = Field(default=14 * 86_400.0, ge=60.0, le=366 * 86_400.0)
    poll_s: float = Field(default=1.0, ge=0.001, le=60.0)


class _ReaderSettings(_Settings):
    """The same of one who reads."""

    unit: str = Field(default="rfu", min_length=1, max_length=20)
    lowest: float | None = None
    highest: float | None = None


def handler(fitting: Fitting) -> Any:
    """A person with pipettes."""
    from devices.person.roles import PersonHandler

    desk = _desk(fitting, _Settings)
    return PersonHandler(fitting.spec.role, desk, bench=fitting.bench, limits=fitting.spec.limits)


def arm(fitting: Fitting) -> Any:
    """A person who carries plates."""
    from devices.person.roles import PersonArm

    desk = _desk(fitting, _Settings)
    return PersonArm(fitting.spec.role, desk, bench=fitting.bench, limits=fitting.spec.limits)


def shaker(fitting: Fitting) -> Any:
    """A person with a shaking incubator."""
    from devices.person.roles import PersonShaker

    desk = _desk(fitting, _Settings)
    return PersonShaker(fitting.spec.role, desk, bench=fitting.bench, limits=fitting.spec.limits)


def thermocycler(fitting: Fitting) -> Any:
    """A person with a thermocycler."""
    from devices.person.roles import PersonThermocycler

    desk = _desk(fitting, _Settings)
    return PersonThermocycler(fitting.spec.role, desk, bench=fitting.bench, limits=fitting.spec.limits)


def reader(fitting: Fitting) -> Any:
    """A person with a reader."""
    from devices.person.roles import PersonReader

    desk = _desk(fitting, _ReaderSettings)
    return PersonReader(fitting.spec.role, desk, bench=fitting.bench, limits=fitting.spec.limits)


def worklists_of(spec: WorkcellSpec) -> tuple[Path, ...]:
    """Folders of the worklists of a workcell's persons, each once.

    Raises:
        CampaignFileError: one has no folder.
    """
    persons = [one for one in spec.devices.values() if one.driver.startswith(DRIVERS)]
    return tuple(dict.fromkeys(_folder(spec, one.role, one.address) for one in persons))


def _folder(spec: WorkcellSpec, role: str, address: str) -> Path:
    if not address.startswith(SCHEME) or len(address) == len(SCHEME):
        raise spec.error(
            f"devices.{role}.address",
            f"{address!r} is no folder for worklists." if address else f"{role} has no folder for worklists.",
            "Write folder:NAME, seen from the workcell file; all persons of a bench may share one.",
        )
    return (spec.folder / address.removeprefix(SCHEME)).resolve()


def _desk(fitting: Fitting, model: type[_Settings]) -> Desk:
    """Where a person gets worklists.

    Raises:
        CampaignFileError: there is no folder for them, or a setting that there is none of.
        BadInput: a person that is to be a twin.
    """
    from devices.person.folder import SheetFolder
    from devices.person.person import Desk

    if fitting.spec.twin:
        raise BadInput(
            "A person has no twin.",
            way_out="Write twin: false here, or the driver of an instrument in the person's place.",
            field="twin",
        )
    settings = _settings(fitting.settings, model)
    more: Mapping[str, Any] = settings.model_dump()
    folder = _folder(fitting.workcell, fitting.spec.role, fitting.spec.address)
    return Desk(folder=SheetFolder(folder), barcodes=fitting.workcell.barcodes, **more)


def _settings(written: Mapping[str, JsonValue], model: type[_Settings]) -> _Settings:
    try:
        return read_strictly(model, written, within="settings")
    except CampaignFileError as wrong:
        # It knows no file; whoever called has it.
        raise BadInput(wrong.reason, way_out=wrong.way_out, field=wrong.field) from wrong
