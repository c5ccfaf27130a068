"""Drivers of a bench of plates: handler, reader, thermocycler, shaker and arm."""

from __future__ import annotations

from typing import Any

from lab.app.drivers.fitting import Fitting

__all__ = ["arm", "clariostar_reader", "handler", "infinite_reader", "shaker", "thermocycler"]


def thermocycler(fitting: Fitting) -> Any:
    """Opentrons Thermocycler on a serial line."""
    from devices.thermocycler.opentrons import OpentronsThermocycler
    from digital_twin.instruments.line_faults import THERMOCYCLER
    from digital_twin.instruments.thermocycler import ThermocyclerTwin

    role, position = fitting.spec.role, fitting.position
    wire = fitting.transport(
        lambda world: ThermocyclerTwin(world, name=role, position=position),
        OpentronsThermocycler.framing,
        THERMOCYCLER,
    )
    return OpentronsThermocycler(role, wire, limits=fitting.spec.limits)


def shaker(fitting: Fitting) -> Any:
    """QInstruments BioShake on a serial line."""
    from devices.incubator.bioshake import BioShake
    from digital_twin.instruments.bioshake import BioShakeTwin
    from digital_twin.instruments.line_faults import BIOSHAKE

    role, position = fitting.spec.role, fitting.position
    wire = fitting.transport(
        lambda world: BioShakeTwin(world, name=role, position=position), BioShake.framing, BIOSHAKE
    )
    return BioShake(role, wire, limits=fitting.spec.limits)


def arm(fitting: Fitting) -> Any:
    """Brooks PreciseFlex over TCP."""
    from devices.plate_hotel.preciseflex import PreciseFlexArm
    from digital_twin.instruments.line_faults import preciseflex_faults
    from digital_twin.instruments.preciseflex import PreciseFlexTwin

    role, stations = fitting.spec.role, fitting.workcell.stations
    wire = fitting.transport(
        lambda world: PreciseFlexTwin(world, name=role, stations=stations),
        PreciseFlexArm.framing,
        preciseflex_faults(role, stations),
    )
    return PreciseFlexArm(role, wire, bench=fitting.bench, stations=stations, limits=fitting.spec.limits)


def handler(fitting: Fitting) -> Any:
    """Hamilton STAR through PyLabRobot."""
    from devices.liquid_handler.star import real_star, star

    if fitting.world is None:
        driver = real_star()
    else:
        from digital_twin.instruments.liquid_handler import star_twin

        driver = star_twin(fitting.world, name=fitting.spec.role, script=fitting.script)
    return star(fitting.spec.role, driver, bench=fitting.bench, limits=fitting.spec.limits)


def infinite_reader(fitting: Fitting) -> Any:
    """Tecan Infinite through PyLabRobot."""
    from devices.plate_reader.infinite import infinite, real_infinite

    if fitting.world is None:
        driver = real_infinite()
    else:
        from digital_twin.instruments.plate_reader import infinite_twin

        driver = infinite_twin(
            fitting.world, name=fitting.spec.role, position=fitting.position, script=fitting.script
        )
    return infinite(fitting.spec.role, driver, bench=fitting.bench, limits=fitting.spec.limits)


def clariostar_reader(fitting: Fitting) -> Any:
    """BMG CLARIOstar through PyLabRobot."""
    from devices.plate_reader.clariostar import clariostar, real_clariostar

    if fitting.world is None:
        driver = real_clariostar()
    else:
        from digital_twin.instruments.plate_reader import clariostar_twin

        driver = clariostar_twin(
            fitting.world, name=fitting.spec.role, position=fitting.position, script=fitting.script
        )
    return clariostar(fitting.spec.role, driver, bench=fitting.bench, limits=fitting.spec.limits)
