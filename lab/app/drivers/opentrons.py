"""Drivers of Opentrons robots over their HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.app.drivers.fitting import Fitting
from lab.errors import BadInput

if TYPE_CHECKING:
    from devices.transport import Transport

__all__ = ["heater_shaker", "magnetic_module", "robot", "temperature_module", "thermocycler"]


def robot(fitting: Fitting) -> Any:
    """An OT-2 or Flex as liquid handler."""
    from devices.opentrons_robot.kit import RobotKit
    from devices.opentrons_robot.robot import OpentronsRobot
    from devices.opentrons_robot.wire import Wire, robot_url

    role, workcell = fitting.spec.role, fitting.workcell
    positions = [position.name for position in workcell.positions if position.device == role]
    kit = RobotKit.from_settings(fitting.settings, positions=positions)
    if fitting.world is not None:
        from digital_twin.instruments.opentrons_protocols import software_analyser
        from digital_twin.instruments.opentrons_robot import OpentronsTwin

        analyser = software_analyser(fitting.world.clock)
        twin = OpentronsTwin(fitting.world, name=role, kit=kit, script=fitting.script, analyser=analyser)
        wire = Wire("http://twin", app=twin)
    elif fitting.spec.address:
        wire = Wire(robot_url(fitting.spec.address))
    else:
        raise workcell.error(
            f"devices.{role}",
            f"{role} has no address.",
            "Write http://HOST:31950, with the robot's address from the Opentrons App, or set twin: true.",
        )
    return OpentronsRobot(role, wire, kit=kit, bench=fitting.bench, limits=fitting.spec.limits)


def thermocycler(fitting: Fitting) -> Any:
    """A Thermocycler Module that is plugged into a robot."""
    from devices.opentrons_robot.module_line import ModuleLine
    from devices.opentrons_robot.wire import Wire, robot_url
    from devices.thermocycler.opentrons import OpentronsThermocycler

    role = fitting.spec.role
    if fitting.world is not None:
        from devices.opentrons_robot.kit import OT2, RobotKit
        from digital_twin.instruments.opentrons_modules import PluggedThermocycler
        from digital_twin.instruments.opentrons_robot import OpentronsTwin
        from digital_twin.instruments.thermocycler import ThermocyclerTwin

        kit = RobotKit(model=OT2, pipettes={}, slots={}, trash="fixedTrash")
        module = ThermocyclerTwin(fitting.world, name=role, position=fitting.position)
        plugged = PluggedThermocycler(id="thermocycler", line=module)
        wire = Wire("http://twin", app=OpentronsTwin(fitting.world, name=role, kit=kit, modules=[plugged]))
    elif fitting.spec.address:
        wire = Wire(robot_url(fitting.spec.address))
    else:
        raise fitting.workcell.error(
            f"devices.{role}",
            f"{role} has no address.",
            "Write that of the robot it is plugged into, http://HOST:31950, or set twin: true.",
        )
    return OpentronsThermocycler(role, ModuleLine(wire), limits=fitting.spec.limits)


def heater_shaker(fitting: Fitting) -> Any:
    """A Heater-Shaker Module that is plugged into a robot."""
    from devices.incubator.opentrons import KIND, HeaterShaker

    return HeaterShaker(fitting.spec.role, _module(fitting, KIND), limits=fitting.spec.limits)


def temperature_module(fitting: Fitting) -> Any:
    """A Temperature Module that is plugged into a robot."""
    from devices.temperature_module.opentrons import KIND, TemperatureModule

    return TemperatureModule(fitting.spec.role, _module(fitting, KIND), limits=fitting.spec.limits)


def magnetic_module(fitting: Fitting) -> Any:
    """A Magnetic Module that is plugged into a robot."""
    from devices.magnet.opentrons import KIND, MagneticModule

    return MagneticModule(fitting.spec.role, _module(fitting, KIND), limits=fitting.spec.limits)


def _module(fitting: Fitting, kind: str) -> Transport:
    """The way to a module through its robot, or to the twin of both."""
    from devices.opentrons_robot.modules import ModuleTransport
    from devices.opentrons_robot.wire import Wire, robot_url

    role = fitting.spec.role
    serial = fitting.settings.get("serial", "")
    unknown = sorted(set(fitting.settings) - {"serial"})
    if unknown or not isinstance(serial, str):
        name = unknown[0] if unknown else "serial"
        raise BadInput(
            f"{name} makes no sense for a module of an Opentrons robot.",
            way_out="The one setting is serial: its serial number, as text, where several of a kind are plugged in.",
            field=f"settings.{name}",
        )
    if fitting.world is not None:
        # A twin is told from a module by its serial number.
        number = f"TWIN-{serial}" if serial else ""
        return ModuleTransport(_twin_of_module(fitting, kind, number), kind=kind, serial=number)
    if fitting.spec.address:
        return ModuleTransport(Wire(robot_url(fitting.spec.address)), kind=kind, serial=serial)
    raise fitting.workcell.error(
        f"devices.{role}",
        f"{role} has no address.",
        "Write that of the robot it is plugged into, http://HOST:31950, or set twin: true.",
    )


def _twin_of_module(fitting: Fitting, kind: str, serial: str) -> Any:
    """The way to a simulated robot that has one module and nothing else."""
    from devices.opentrons_robot.kit import OT2, RobotKit
    from devices.opentrons_robot.wire import Wire
    from digital_twin.instruments.faulty_line import FaultyLine
    from digital_twin.instruments.opentrons_module_faults import MODULE_FAULTS
    from digital_twin.instruments.opentrons_module_twins import MODULE_TWINS
    from digital_twin.instruments.opentrons_modules import PluggedModule
    from digital_twin.instruments.opentrons_robot import OpentronsTwin

    role, world = fitting.spec.role, fitting.world
    assert world is not None, "of a twin"
    line: Any = MODULE_TWINS[kind](world, name=role, position=fitting.position, serial=serial)
    if fitting.script.rules:
        line = FaultyLine(line, MODULE_FAULTS[kind], world=world, name=role, script=fitting.script)
    kit = RobotKit(model=OT2, pipettes={}, slots={}, trash="fixedTrash")
    robot = OpentronsTwin(world, name=role, kit=kit, modules=[PluggedModule(id=role, line=line)])
    return Wire("http://twin", app=robot)
