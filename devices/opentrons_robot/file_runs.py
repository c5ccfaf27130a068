"""Running a protocol file on the robot, and what came of it when that broke off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from devices.fence import mark
from devices.opentrons_robot.client import RobotClient
from devices.opentrons_robot.faults import Refused, fault_of
from devices.opentrons_robot.files import EVENT_OF, RunFile, events_of, places_of
from devices.opentrons_robot.kit import RobotKit, robot_labware
from devices.opentrons_robot.records import ACTIVE, ENDED, CommandRecord, RunRecord
from lab.bench import Bench
from lab.errors import BadInput, CommandTimeout, ConnectionLost, DeviceFault, InstrumentBusy, InstrumentError
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["FileRunner"]

POLL_S = 2.0
"""Lab time between two questions how far it is."""

PATIENCE = 30
"""Questions in a row that may go unanswered before the robot counts as lost."""


class FileRunner:
    """Runs protocol files on one robot.

    Args:
        client: of the robot.
    """

    def __init__(self, client: RobotClient, kit: RobotKit) -> None:
        self._client = client
        self._kit = kit

    def objections(self, command: RunFile, bench: Bench) -> Sequence[str]:
        """Why the file can't run on this robot with what stands on it, one sentence each."""
        found = []
        if command.model != self._kit.model:
            found.append(f"{command.name} is for an {command.model}, and this is an {self._kit.model}.")
        for mount, name in command.pipettes:
            fitted = self._kit.pipettes.get(mount)
            if fitted is None or fitted.name != name:
                found.append(f"{command.name} wants {name} on the {mount} mount.")
        for slot, load_name, ours in command.labware:
            item = bench.labware.get(ours)
            if item is None:
                continue  # told by the command
            if self._kit.slots.get(item.position or "") != slot:
                found.append(f"{command.name} wants {ours} in slot {slot}.")
            known = robot_labware(item.type)
            if known is None or known[0] != load_name:
                found.append(f"{command.name} has {load_name} in slot {slot}, and {ours} is none.")
        return found

    async def run(self, command: RunFile, began: Callable[[str], None]) -> JsonValue:
        """Upload it, hold the robot's own analysis against what is expected, play it, and wait for its end.

        Args:
            began: is told when the robot may have begun.

        Raises:
            DeviceFault: the robot is at something else, would do something else, or fails on the way.
        """
        current = await self._client.current_run()
        if current is not None and current.status in ACTIVE:
            raise InstrumentBusy(
                f"the run {current.id} is {current.status} on the robot; it is not one of drywet's."
            )
        protocol_id = await self._client.upload(command.name, command.text.encode())
        await self._must_agree(command, protocol_id)
        run = await self._client.create_run(protocol_id=protocol_id)
        await mark("play", run=run.id)
        began("play")
        await self._play(run.id)
        ended = await self._ended(run.id)
        if ended.status != "succeeded":
            raise (
                fault_of(ended.errors[0])
                if ended.errors
                else InstrumentError(f"the run {run.id} {ended.status}.")
            )
        return {"run": run.id}

    async def _must_agree(self, command: RunFile, protocol_id: str) -> None:
        analysis = await self._client.analysis(protocol_id)
        errors = analysis.get("errors")
        if errors:
            raise InstrumentError(
                f"the robot finds fault with {command.name}: {errors[0].get('detail', errors[0])}"
            )
        stands = {slot: ours for slot, _, ours in command.labware}
        try:
            _, events = events_of(command.name, analysis["commands"], stands)
        except (BadInput, KeyError, TypeError) as other:
            raise InstrumentError(
                f"the robot's software would do {command.name} otherwise: {other}"
            ) from other
        if events != command.events:
            raise InstrumentError(
                f"the robot's software would do {command.name} otherwise than it was analysed here."
            )

    async def _play(self, run_id: str) -> None:
        """Once: where the answer is lost, the run says whether it began."""
        try:
            await self._client.act(run_id, "play")
        except (ConnectionLost, CommandTimeout):
            await asyncio.sleep(POLL_S)
            if (await self._client.run(run_id)).status == "idle":
                await self._client.act(run_id, "play")

    async def _ended(self, run_id: str) -> RunRecord:
        unanswered = 0
        while True:
            await asyncio.sleep(POLL_S)
            try:
                run = await self._client.run(run_id)
            except (ConnectionLost, CommandTimeout):
                unanswered += 1
                if unanswered >= PATIENCE:
                    raise
                continue
            unanswered = 0
            if run.status in ENDED:
                return run
            if run.status.startswith("awaiting-recovery"):
                raise await self._why(run_id)

    async def _why(self, run_id: str) -> DeviceFault:
        """Why a run waits to be recovered."""
        failed = [one for one in (await self._client.commands(run_id)).commands if one.error is not None]
        return (
            fault_of(failed[-1].error or {}) if failed else InstrumentError("the run waits to be recovered.")
        )

    async def reconcile(self, command: RunFile, marks: Sequence[Mark]) -> Reconciliation:
        """What came of it, command by command of its run, as far as the robot remembers."""
        if not marks:
            return Reconciliation(answer=Answer.NOT_DONE, sentence="The robot was not told to begin.")
        details = marks[-1].details
        assert isinstance(details, dict), "the mark of a run names it"
        try:
            run = await self._client.run(details["run"])
        except Refused as refused:
            if refused.status != 404:
                raise
            return _forgotten(command, "The robot does not know the run any more.")
        if not run.ok:
            return _forgotten(command, "The robot has lost its record of the run.")
        if run.status == "idle":
            return Reconciliation(answer=Answer.NOT_DONE, sentence="The run was made and never played.")
        if run.status == "succeeded":
            return Reconciliation(answer=Answer.DONE, sentence="The run succeeded.", result={"run": run.id})
        return _as_far_as(command, await self._all(run.id), run)

    async def _all(self, run_id: str) -> list[CommandRecord]:
        records: list[CommandRecord] = []
        while True:
            page = await self._client.commands(run_id, cursor=len(records))
            records += page.commands
            if len(records) >= page.total or not page.commands:
                return records


def _as_far_as(command: RunFile, records: Sequence[CommandRecord], run: RunRecord) -> Reconciliation:
    """From the statuses of the run's commands: what succeeded is done, what failed or was going on is in doubt.

    The commands that do something to tips or liquid are the command's events, in their order.
    """
    status = [record.status for record in records if record.type in EVENT_OF]
    events, done = command.events, 0
    while done < min(len(events), len(status)) and status[done] == "succeeded":
        done += 1
    if done == len(events):
        sentence = f"All its pipetting succeeded; the run {run.status}."
        return Reconciliation(answer=Answer.DONE, sentence=sentence, result={"run": run.id})
    begun = done < len(status) and status[done] != "queued"
    if done == 0 and not begun:
        sentence = f"The run {run.status} before it touched anything."
        return Reconciliation(answer=Answer.NOT_DONE, sentence=sentence)
    left = [event for event in events[done:] if event[0] == "give"]
    return Reconciliation(
        answer=Answer.UNKNOWN,
        sentence=f"The run {run.status} after {done} of {len(events)} acts.",
        part={"events": done + (begun and events[done][0] in ("tips", "draw"))},
        doubtful=tuple(dict.fromkeys(place for event in left for place in places_of(event))),
    )


def _forgotten(command: RunFile, sentence: str) -> Reconciliation:
    return Reconciliation(
        answer=Answer.UNKNOWN, sentence=sentence, part={"events": 0}, doubtful=command.touches
    )
