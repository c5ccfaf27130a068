"""Drivers of instruments on text and register buses: furnace, syringe pump, spectrometer."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lab.app.drivers.fitting import Fitting
from lab.errors import BadInput

__all__ = ["aq6370_spectrometer", "eurotherm_furnace", "ne1000_pump"]


def eurotherm_furnace(fitting: Fitting) -> Any:
    """A furnace under a Eurotherm 3216, over Modbus. Settings: ``cooling_constant_s``."""
    from devices.furnace.commands import TYPICAL_COOLING_S
    from devices.furnace.eurotherm import Eurotherm3216
    from digital_twin.instruments.bus_faults import EUROTHERM_FAULTS
    from digital_twin.instruments.eurotherm import EurothermTwin

    _only(fitting, {"cooling_constant_s"})
    constant_s = _number(fitting, "cooling_constant_s", TYPICAL_COOLING_S)
    if constant_s <= 0.0:
        raise BadInput(
            f"A furnace does not cool with a time constant of {constant_s:g} s.",
            field="settings.cooling_constant_s",
        )
    role, position = fitting.spec.role, fitting.position
    wire = fitting.transport(
        lambda world: EurothermTwin(world, name=role, position=position),
        Eurotherm3216.framing,
        EUROTHERM_FAULTS,
        schemes=("modbus",),
    )
    return Eurotherm3216(role, wire, limits=fitting.spec.limits, cooling_constant_s=constant_s)


def ne1000_pump(fitting: Fitting) -> Any:
    """A New Era NE-1000 in safe mode. Settings: ``diameter_mm``, ``syringe_volume_ul``, ``outlet``, ``syringe_at``."""
    from devices.syringe_pump.ne1000 import NE1000, Syringe
    from digital_twin.instruments.bus_faults import NE1000_FAULTS
    from digital_twin.instruments.ne1000 import NE1000Twin

    _only(fitting, {"diameter_mm", "syringe_volume_ul", "outlet", "syringe_at"})
    syringe = Syringe(
        diameter_mm=_number(fitting, "diameter_mm"),
        volume_ul=_number(fitting, "syringe_volume_ul"),
        outlet=_text(fitting, "outlet", "A1"),
    )
    role, (syringe_at, outlet_at) = fitting.spec.role, _pump_positions(fitting)
    wire = fitting.transport(
        lambda world: NE1000Twin(
            world, name=role, syringe_at=syringe_at, outlet_at=outlet_at, outlet=syringe.outlet
        ),
        NE1000.framing,
        NE1000_FAULTS,
    )
    return NE1000(role, wire, syringe=syringe, limits=fitting.spec.limits)


def aq6370_spectrometer(fitting: Fitting) -> Any:
    """A Yokogawa AQ6370 series analyzer. Settings: ``well`` for a fixed light path, or ``stage``, ``a1_mm``, ``load_mm``."""
    from devices.addresses import open_transport
    from devices.spectrometer.aq6370 import AQ6370
    from devices.spectrometer.light_path import STAGE_FRAMING, FixedPath, StagePath
    from devices.transport import InProcess
    from digital_twin.instruments.aq6370 import AQ6370Twin, MS2000Twin
    from digital_twin.instruments.bus_faults import AQ6370_FAULTS

    _only(fitting, {"well", "stage", "a1_mm", "load_mm"})
    role, position, settings = fitting.spec.role, fitting.position, fitting.settings
    if "stage" in settings and "well" in settings:
        raise BadInput("A light path is fixed, or has a stage.", field="settings.well")
    path: FixedPath | StagePath
    if "stage" in settings:
        a1_mm = _pair(fitting, "a1_mm", (0.0, 0.0))
        load_mm = _pair(fitting, "load_mm", a1_mm)
        if fitting.world is None:
            stage = None
            try:
                line = open_transport(_text(fitting, "stage"), framing=STAGE_FRAMING)
            except BadInput as wrong:
                raise BadInput(wrong.reason, way_out=wrong.way_out, field="settings.stage") from wrong
            path = StagePath(line, a1_mm=a1_mm, load_mm=load_mm)
        else:
            stage = MS2000Twin(fitting.world, name=f"{role}_stage", a1_mm=a1_mm)
            path = StagePath(InProcess(stage), a1_mm=a1_mm, load_mm=load_mm)
    else:
        stage, path = None, FixedPath(_text(fitting, "well", "A1"))
    fixed = path.well if isinstance(path, FixedPath) else ""
    wire = fitting.transport(
        lambda world: AQ6370Twin(
            world,
            name=role,
            position=position,
            well=stage.well_in_light if stage is not None else lambda: fixed,
        ),
        AQ6370.framing,
        AQ6370_FAULTS,
        schemes=("tcp", "visa", "serial"),
    )
    return AQ6370(role, wire, path=path, limits=fitting.spec.limits)


def _pump_positions(fitting: Fitting) -> tuple[str, str]:
    """Where the syringe is, and what is under the end of its tube."""
    names = [p.name for p in fitting.workcell.positions if p.device == fitting.spec.role]
    syringe_at = _text(fitting, "syringe_at")
    if len(names) != 2 or syringe_at not in names:
        raise BadInput(
            f"{fitting.spec.role} needs two positions, one of them its syringe's; it has {', '.join(names) or 'none'}.",
            way_out="Give it one for the syringe, named in settings.syringe_at, and one for what stands under its tube.",
            field="settings.syringe_at",
        )
    return syringe_at, next(name for name in names if name != syringe_at)


def _only(fitting: Fitting, known: Collection[str]) -> None:
    for name in fitting.settings:
        if name not in known:
            raise BadInput(
                f"There is no setting {name!r} of this driver.",
                way_out=f"It has {', '.join(sorted(known))}.",
                field=f"settings.{name}",
            )


def _number(fitting: Fitting, name: str, default: float | None = None) -> float:
    value = fitting.settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{name} has to be a number.", field=f"settings.{name}")
    return float(value)


def _text(fitting: Fitting, name: str, default: str | None = None) -> str:
    value = fitting.settings.get(name, default)
    if not isinstance(value, str) or not value:
        raise BadInput(f"{name} has to be a word.", field=f"settings.{name}")
    return value


def _pair(fitting: Fitting, name: str, default: tuple[float, float]) -> tuple[float, float]:
    value = fitting.settings.get(name, list(default))
    if (
        not isinstance(value, list)
        or len(value) != 2
        or any(isinstance(one, bool) or not isinstance(one, int | float) for one in value)
    ):
        raise BadInput(f"{name} has to be two numbers, as [12.5, 8].", field=f"settings.{name}")
    return float(value[0]), float(value[1])
