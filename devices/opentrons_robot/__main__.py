"""A person at a robot's HTTP API: who it is, what its run is at, and the actions of that run.

::

    python -m devices.opentrons_robot http://192.168.0.20:31950 status
    python -m devices.opentrons_robot http://192.168.0.20:31950 pause

For what drywet has no step for: pausing and going on with a file's run, answering one that waits to be recovered, and having
the robot analyse a file. It ends with 2 where something can't be.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from devices.opentrons_robot.client import RobotClient
from devices.opentrons_robot.faults import fault_of
from devices.opentrons_robot.records import RunRecord
from devices.opentrons_robot.recovery import ASSUME, RESUME, offers
from devices.opentrons_robot.wire import Wire, robot_url
from lab.errors import BadInput, DrywetError, InstrumentError

__all__ = ["ACTIONS", "lines", "main"]

ACTIONS = {"play": "play", "pause": "pause", "stop": "stop", "resume": RESUME, "false-positive": ASSUME}
"""Word on the command line -> action of the API."""

FILES = ("upload", "analyse")


async def lines(client: RobotClient, what: str, file: Path | None = None) -> AsyncIterator[str]:
    """Do what is asked, and say what came of it, line by line.

    Args:
        what: ``status``, a word of :data:`ACTIONS`, ``upload`` or ``analyse``.
        file: of the last two.

    Raises:
        DrywetError: the robot can't be reached or refuses, or the file can't be read.
    """
    if what == "status":
        async for line in _status(client):
            yield line
    elif what in ACTIONS:
        run = await client.current_run()
        if run is None:
            raise InstrumentError("the robot has no run.")
        await client.act(run.id, ACTIONS[what])
        yield f"{run.id}: {ACTIONS[what]}"
    else:
        async for line in _file(client, what, file):
            yield line


async def _status(client: RobotClient) -> AsyncIterator[str]:
    health = await client.health()
    yield f"{health.model} {health.name}, serial {health.serial}, software {health.software}"
    for pipette in await client.pipettes():
        yield f"{pipette.mount}: {pipette.name}, serial {pipette.serial}"
    for module in await client.modules():
        yield f"module: {module.model}, serial {module.serial}, {module.data.get('status')}"
    run = await client.current_run()
    if run is None:
        yield "no run"
        return
    yield f"run {run.id}: {run.status}"
    if run.status.startswith("awaiting-recovery"):
        async for line in _failure(client, run, health.software):
            yield line


async def _failure(client: RobotClient, run: RunRecord, software: str) -> AsyncIterator[str]:
    """What a run waits for, and what may be answered."""
    records = await client.every_command(run.id)
    failed = [one for one in records if one.error is not None and one.intent != "fixit"]
    if failed:
        yield f"failed: {failed[-1].type}: {fault_of(failed[-1].error or {})}"
    words = [word for word, action in ACTIONS.items() if action in offers(software)]
    yield f"it can be told: {', '.join(words)}"


async def _file(client: RobotClient, what: str, file: Path | None) -> AsyncIterator[str]:
    if file is None:
        raise BadInput(f"{what} needs a file.", way_out=f"Write: {what} my_protocol.py")
    try:
        text = await asyncio.to_thread(file.read_bytes)
    except OSError as unread:
        raise BadInput(f"It can't be read: {unread.strerror}.", file=file) from unread
    protocol_id = await client.upload(file.name, text)
    yield f"protocol {protocol_id}"
    if what == "upload":
        return
    analysis = await client.analysis(protocol_id)
    errors = analysis.get("errors") or ()
    for error in errors:
        yield f"error: {error.get('detail', error)}"
    yield f"{len(analysis.get('commands') or ())} commands, {len(errors)} errors"


async def _talk(address: str, what: str, file: Path | None) -> None:
    wire = Wire(robot_url(address))
    await wire.open()
    try:
        async for line in lines(RobotClient(wire), what, file):
            sys.stdout.write(f"{line}\n")
    finally:
        await wire.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m devices.opentrons_robot", description=__doc__.split("\n")[0]
    )
    parser.add_argument("address", help="http://HOST:31950")
    parser.add_argument("what", choices=("status", *ACTIONS, *FILES))
    parser.add_argument("file", nargs="?", type=Path, help="a protocol, to upload or analyse")
    asked = parser.parse_args(arguments)
    try:
        asyncio.run(_talk(asked.address, asked.what, asked.file))
    except DrywetError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
