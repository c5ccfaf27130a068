"""Protocols of the lab as files for an Opentrons robot, through a dry run of them."""

from __future__ import annotations

from devices.opentrons_robot.kit import RobotKit
from lab.app.benches import sketch
from lab.app.prepare import Prepared
from lab.app.scripts import ScriptRehearsal, rehearse_script
from lab.dry_run import DryStep
from lab.errors import Infeasible
from lab.files import WorkcellSpec
from protocols.opentrons_files import PlannedStep, opentrons_protocol

__all__ = ["ROBOT_DRIVER", "export_script"]

ROBOT_DRIVER = "liquid_handler/opentrons"


def export_script(prepared: Prepared, *, by_hand: bool = False) -> str:
    """The text of an Opentrons protocol that does what a protocol of the lab does with its Opentrons robot.

    It is tried dry with readings of nothing and of something; from the first step at which these ways part, steps depend on
    readings.

    Args:
        by_hand: write a pause in place of a step that is no pipetting.

    Raises:
        Infeasible: it can't be carried out, or has steps that can't be written; names them.
        BadInput: the bench has no such robot.
    """
    workcell = prepared.file.workcell
    robot, kit = _robot_of(workcell)
    rehearsal = rehearse_script(prepared)
    if rehearsal.problems:
        raise Infeasible(rehearsal.problems, way_out="Mend these first: drywet protocol dry-run")
    devices = sketch(workcell, prepared.file.material).devices
    certain = _certain(rehearsal)
    steps = []
    for step in rehearsal.longest.dry_run.steps:
        verb = getattr(devices[step.device], step.action)
        command = verb.command_type.from_json(step.arguments)
        steps.append(PlannedStep(device=step.device, command=command, certain=step.ordinal <= certain))
    return opentrons_protocol(
        steps, rehearsal.longest.before, robot=robot, kit=kit, name=prepared.file.name, by_hand=by_hand
    )


def _robot_of(workcell: WorkcellSpec) -> tuple[str, RobotKit]:
    for role, spec in workcell.devices.items():
        if spec.driver == ROBOT_DRIVER:
            positions = [position.name for position in workcell.positions if position.device == role]
            return role, RobotKit.from_settings(spec.settings, positions=positions)
    raise workcell.error(
        "devices",
        "There is no Opentrons robot on this bench, and nothing says which pipettes and slots to write for.",
        f"Name a workcell file that has a device with the driver {ROBOT_DRIVER}.",
    )


def _certain(rehearsal: ScriptRehearsal) -> int:
    """How many steps from the first are the same on all ways through it."""
    ways = [way.dry_run.steps for way in rehearsal.ways]
    same = 0
    for steps in zip(*ways, strict=False):
        if len({_what(step) for step in steps}) > 1:
            return same
        same += 1
    return same if len({len(way) for way in ways}) > 1 else len(ways[0])


def _what(step: DryStep) -> str:
    return f"{step.device} {step.action} {step.arguments!r}"
