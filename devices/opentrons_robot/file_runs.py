"""Running a protocol file on the robot, and what came of it when that broke off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from devices.fence import mark
from devices.opentrons_robot.client import RobotClient
from devices.opentrons_robot.faults import Refused, fault_of
from devices.opentrons_robot.files import EVENT_OF, RunFile, events_of, places_of
from devices.opentrons_robot.kit import RobotKit, robot_labware
from devices.opentrons_robot.offsets import offset_json, taken
from devices.opentrons_robot.records import ACTIVE, ENDED, CommandRecord, RunRecord
from devices.opentrons_robot.recovery import Recoverer, decisions, mended
from lab.bench import Bench
from lab.errors import (
    BadInput,
    CommandTimeout,
    ConnectionLost,
    DeviceFault,
    InstrumentBusy,
    InstrumentError,
    NonsenseReply,
    ShortVolume,
)
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
        offsets = self._offsets(await self._must_agree(command, protocol_id))
        run = await self._client.create_run(protocol_id=protocol_id, offsets=offsets)
        taken(offsets, await self._client.offsets(run.id) if offsets else ())
        await mark("play", run=run.id)
        began("play")
        await self._play(run.id)
        recoverer = Recoverer(self._client, self._kit.recovery, run.id)
        ended = await self._ended(run.id, recoverer)
        if ended.status != "succeeded":
            raise (
                fault_of(ended.errors[0])
                if ended.errors
                else InstrumentError(f"the run {run.id} {ended.status}.")
            )
        return _result(run.id, await self._client.every_command(run.id), recoverer.decided)

    def remark(self, result: JsonValue) -> DeviceFault | None:
        """What was passed over in a run that went on after something had failed."""
        passed_over = result.get("passed_over", ()) if isinstance(result, dict) else ()
        return ShortVolume(f"the run went on past: {'; '.join(passed_over)}.") if passed_over else None

    def _offsets(self, analysis: Mapping[str, Any]) -> list[dict[str, JsonValue]]:
        """What the workcell file says of the slots that a file has labware in, for the definitions that it loads."""
        at = {self._kit.slots[position]: vector for position, vector in self._kit.offsets.items()}
        found = []
        for one in analysis["labware"]:
            location = one.get("location")
            slot = location.get("slotName") if isinstance(location, Mapping) else None
            if slot in at:
                _, load_name, version = str(one["definitionUri"]).split("/")
                found.append(offset_json(load_name, int(version), str(slot), at[slot]))
        return found

    async def _must_agree(self, command: RunFile, protocol_id: str) -> Mapping[str, Any]:
        """The robot's own analysis, which is as expected."""
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
        return analysis

    async def _play(self, run_id: str) -> None:
        """Once: where the answer is lost, the run says whether it began."""
        try:
            await self._client.act(run_id, "play")
        except (ConnectionLost, CommandTimeout, NonsenseReply):
            await asyncio.sleep(POLL_S)
            if (await self._client.run(run_id)).status == "idle":
                await self._client.act(run_id, "play")

    async def _ended(self, run_id: str, recoverer: Recoverer) -> RunRecord:
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
                await recoverer.answer()

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
            result = _result(run.id, await self._client.every_command(run.id), decisions(marks))
            return Reconciliation(answer=Answer.DONE, sentence="The run succeeded.", result=result)
        records = await self._client.every_command(run.id)
        return _as_far_as(command, records, run, mended(records, decisions(marks)))


def _result(
    run_id: str, records: Sequence[CommandRecord], decided: Mapping[str, str]
) -> dict[str, JsonValue]:
    """What the journal keeps of a run that succeeded: what failed in it, and was mended or passed over."""
    well = mended(records, decided)
    result: dict[str, JsonValue] = {"run": run_id}
    for name, wanted in (("recovered", True), ("passed_over", False)):
        failed = [
            one
            for one in records
            if one.error is not None and one.intent != "fixit" and (one.id in well) is wanted
        ]
        if failed:
            result[name] = [str(fault_of(one.error or {})) for one in failed]
    return result


def _as_far_as(
    command: RunFile, records: Sequence[CommandRecord], run: RunRecord, well: frozenset[str]
) -> Reconciliation:
    """From the statuses of the run's commands: what succeeded, or counts as mended (``well``), is done; what failed or was
    going on is in doubt.

    The commands that do something to tips or liquid are the command's events, in their order.
    """
    own = [record for record in records if record.type in EVENT_OF and record.intent != "fixit"]
    status = ["succeeded" if record.id in well else record.status for record in own]
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
