"""Drivers by the names that workcell files use: how each device is built on its instrument, and on its twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lab.app.drivers.fitting import Fitting
from lab.bench import Bench
from lab.errors import BadInput, CampaignFileError
from lab.files import DeviceSpec, WorkcellSpec

if TYPE_CHECKING:
    from digital_twin.faults import FaultScript
    from digital_twin.world import World

__all__ = ["DRIVERS", "Driver", "build_device", "fault_script", "seats"]

_HERE = "lab.app.drivers"


@dataclass(frozen=True, slots=True)
class Driver:
    """How devices of one kind are built.

    Args:
        seat: what its positions are like on a twin (``bench``, ``reader``, ``cycler``, ``shaker``, ``storage``).
        build: ``module:function``, imported when the first one is built; the function takes a :class:`Fitting`.
    """

    seat: str
    build: str


DRIVERS: dict[str, Driver] = {
    "liquid_handler/star": Driver("bench", f"{_HERE}.plate_bench:handler"),
    "liquid_handler/opentrons": Driver("bench", f"{_HERE}.opentrons:robot"),
    "liquid_handler/evo": Driver("bench", f"{_HERE}.pylabrobot_machines:evo_handler"),
    "plate_reader/infinite": Driver("reader", f"{_HERE}.plate_bench:infinite_reader"),
    "plate_reader/clariostar": Driver("reader", f"{_HERE}.plate_bench:clariostar_reader"),
    "plate_reader/synergy": Driver("reader", f"{_HERE}.pylabrobot_machines:synergy_reader"),
    "plate_hotel/cytomat": Driver("storage", f"{_HERE}.pylabrobot_machines:cytomat_store"),
    "centrifuge/microspin": Driver("bench", f"{_HERE}.pylabrobot_machines:microspin_centrifuge"),
    "balance/mettler_toledo": Driver("bench", f"{_HERE}.pylabrobot_machines:mettler_toledo_balance"),
    "thermocycler/opentrons_robot": Driver("cycler", f"{_HERE}.opentrons:thermocycler"),
    "incubator/opentrons_robot": Driver("heater_shaker", f"{_HERE}.opentrons:heater_shaker"),
    "temperature_module/opentrons_robot": Driver(
        "temperature_module", f"{_HERE}.opentrons:temperature_module"
    ),
    "magnet/opentrons_robot": Driver("bench", f"{_HERE}.opentrons:magnetic_module"),
    "thermocycler/opentrons": Driver("cycler", f"{_HERE}.plate_bench:thermocycler"),
    "thermocycler/atc": Driver("cycler", f"{_HERE}.pylabrobot_machines:atc_cycler"),
    "incubator/bioshake": Driver("shaker", f"{_HERE}.plate_bench:shaker"),
    "incubator/inheco_thermoshake": Driver("shaker", f"{_HERE}.pylabrobot_machines:thermoshake"),
    "temperature_module/inheco_cpac": Driver("shaker", f"{_HERE}.pylabrobot_machines:cpac_heater"),
    "climate_chamber/lads": Driver("chamber", f"{_HERE}.networked:lads_chamber"),
    "climate_chamber/epics": Driver("chamber", f"{_HERE}.networked:ioc_chamber"),
    "climate_chamber/sila": Driver("chamber", f"{_HERE}.networked:sila_chamber"),
    "climate_chamber/lads_light": Driver("light_chamber", f"{_HERE}.networked:lads_chamber"),
    "plate_hotel/preciseflex": Driver("storage", f"{_HERE}.plate_bench:arm"),
    "furnace/eurotherm": Driver("furnace", f"{_HERE}.buses:eurotherm_furnace"),
    "syringe_pump/ne1000": Driver("bench", f"{_HERE}.buses:ne1000_pump"),
    "pump/masterflex": Driver("bench", f"{_HERE}.pylabrobot_machines:masterflex_pump"),
    "spectrometer/aq6370": Driver("reader", f"{_HERE}.buses:aq6370_spectrometer"),
    "person/handler": Driver("bench", f"{_HERE}.persons:handler"),
    "person/arm": Driver("storage", f"{_HERE}.persons:arm"),
    "person/reader": Driver("reader", f"{_HERE}.persons:reader"),
    "person/shaker": Driver("shaker", f"{_HERE}.persons:shaker"),
    "person/thermocycler": Driver("cycler", f"{_HERE}.persons:thermocycler"),
}
"""Name in the workcell file -> its driver. A name with a colon is the user's own, an import path: ``my_lab.pumps:build``."""

Build = Callable[[Fitting], Any]


def build_device(workcell: WorkcellSpec, spec: DeviceSpec, bench: Bench, world: World | None) -> Any:
    """One device, not connected yet.

    Raises:
        CampaignFileError: there is no such driver, or the workcell file does not give what it needs.
    """
    field = f"devices.{spec.role}"
    build = _builder(workcell, spec)
    world = world if spec.twin else None
    try:
        script = fault_script(workcell, spec)
        return build(Fitting(spec=spec, workcell=workcell, bench=bench, world=world, script=script))
    except CampaignFileError:
        raise
    except BadInput as wrong:
        raise workcell.error(
            f"{field}.{wrong.field}" if wrong.field else field, wrong.reason, wrong.way_out
        ) from wrong


def _builder(workcell: WorkcellSpec, spec: DeviceSpec) -> Build:
    """What builds a device: ours by name, or the user's own by import path.

    Raises:
        CampaignFileError: there is none of this name, or it can't be imported.
    """
    field = f"devices.{spec.role}.driver"
    known = DRIVERS.get(spec.driver)
    if known is None and ":" not in spec.driver:
        raise workcell.unknown_name(field, "driver", spec.driver, DRIVERS)
    module, _, function = (spec.driver if known is None else known.build).partition(":")
    if known is not None:
        ours: Build = getattr(import_module(module), function)
        return ours
    try:
        found = getattr(import_module(module), function)
    except Exception as error:
        # Whatever a user's own module raises is for the user to mend, and is never a traceback of ours.
        raise workcell.error(
            field,
            f"The driver {spec.driver!r} can't be imported: {type(error).__name__}: {error}.",
            "Write module:function, of a module that Python finds; the function takes a lab.app.drivers.Fitting.",
        ) from error
    if not callable(found):
        raise workcell.error(
            field, f"{spec.driver!r} is no function.", "It has to take a Fitting and give a device."
        )
    theirs: Build = found
    return theirs


def fault_script(workcell: WorkcellSpec, spec: DeviceSpec) -> FaultScript:
    """What goes wrong with one device of a twin.

    Raises:
        CampaignFileError: a rule of the workcell file that could never strike, or makes no sense.
    """
    from digital_twin.faults import NO_FAULTS, FaultRule, FaultScript, Moment, repertoires

    written = [rule for rule in workcell.faults.rules if rule.device == spec.role]
    if not written:
        return NO_FAULTS
    rules: list[FaultRule] = []
    for one in written:
        field = f"faults.rules[{one.number}]"
        try:
            rule = FaultRule(
                instrument=one.device,
                kind=one.fault,
                where=one.verb,
                probability=one.probability,
                at=one.at,
                moment=Moment(one.moment),
                count=one.count,
                silent=one.silent,
            )
            if spec.driver not in repertoires():
                raise workcell.error(
                    field,
                    f"No faults are known for {spec.driver}.",
                    "Leave the rule out, or inject faults in its twin.",
                )
            repertoires()[spec.driver].check(rule)
            script = FaultScript(workcell.faults.seed, (*rules, rule))
        except BadInput as wrong:
            place = f"{field}.{wrong.field}" if wrong.field else field
            raise workcell.error(place, wrong.reason, wrong.way_out) from wrong
        rules.append(rule)
    return script


def seats(workcell: WorkcellSpec) -> dict[str, str]:
    """What each position is like on a twin, by the device that it belongs to.

    Of a driver of the user's own, what its function says as its attribute ``seat``; an open place where it says nothing.

    Raises:
        CampaignFileError: such a function can't be had.
    """
    of_role = {}
    for role, device in workcell.devices.items():
        known = DRIVERS.get(device.driver)
        if known is not None:
            of_role[role] = known.seat
        elif ":" in device.driver:
            of_role[role] = str(getattr(_builder(workcell, device), "seat", "bench"))
    return {p.name: of_role[p.device] for p in workcell.positions if p.device in of_role}
