"""Drivers of Opentrons robots over their HTTP API."""

from __future__ import annotations

from typing import Any

from lab.app.drivers.fitting import Fitting

__all__ = ["robot", "thermocycler"]


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
