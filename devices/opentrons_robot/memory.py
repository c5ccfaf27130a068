"""What a robot remembers of the commands that it was given, by their keys."""

from __future__ import annotations

from collections.abc import Sequence

from devices.opentrons_robot.client import RobotClient
from devices.opentrons_robot.faults import Refused

__all__ = ["part_state"]


async def part_state(client: RobotClient, run_id: str, keys: Sequence[str]) -> tuple[str, str]:
    """How far the part of these keys got, and what the robot says of it."""
    try:
        run = await client.run(run_id)
        found = await client.find(run_id, keys) if run.ok else {}
    except Refused as refused:
        if refused.status != 404:
            raise
        return "unknown", "The robot does not know the run any more."
    if not run.ok:
        return "unknown", "The robot has lost its record of the run."
    if not found:
        return "not begun", "The robot was never given the last part."
    if len(found) == len(keys) and all(record.status == "succeeded" for record in found.values()):
        return "done", "The robot says that the last part succeeded."
    told = ", ".join(f"{record.type} {record.status}" for record in found.values())
    return "unknown", f"Of the last part the robot says: {told}."
