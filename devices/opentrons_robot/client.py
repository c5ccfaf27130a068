"""The robot's HTTP API, typed. Each method is one request, but for :meth:`RobotClient.do`, which sees a command through.

A command carries a key of ours. Where the answer to it is lost, the run is asked for the key before anything is sent again,
so that a retry finds the command in place of doing it twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from devices.opentrons_robot.faults import fault_of
from devices.opentrons_robot.offsets import OffsetRecord
from devices.opentrons_robot.records import (
    CommandPage,
    CommandRecord,
    Health,
    ModuleRecord,
    PipetteRecord,
    RunRecord,
    as_list,
    as_mapping,
    as_text,
)
from devices.opentrons_robot.wire import REPLY_S, Wire
from lab.errors import CommandTimeout, ConnectionLost, NonsenseReply
from lab.types import JsonValue

__all__ = ["RobotClient"]

WAIT_S = 20.0
"""Lab time that one request waits for its command to end; after it, the command is asked for."""

POLL_S = 1.0
"""Lab time between two questions."""

TRIES = 3
"""How often a command that the robot does not know is sent, and how often a lost one is asked for."""

PAGE = 50


class RobotClient:
    """One robot's API.

    Args:
        wire: the way to it.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    async def health(self) -> Health:
        """Who answers."""
        return Health.of(await self.wire.ask("GET", "/health"))

    async def pipettes(self) -> tuple[PipetteRecord, ...]:
        """The pipettes that are attached and well."""
        items = (PipetteRecord.of(item) for item in await self._list("/instruments"))
        return tuple(pipette for pipette in items if pipette is not None)

    async def modules(self) -> tuple[ModuleRecord, ...]:
        """The modules that are plugged in."""
        return tuple(ModuleRecord.of(item) for item in await self._list("/modules"))

    async def home(self) -> None:
        """Bring gantry and plungers home; for a robot that has no run under way."""
        await self.wire.ask("POST", "/robot/home", body={"target": "robot"}, timeout_s=60.0)

    # runs

    async def create_run(
        self,
        *,
        protocol_id: str | None = None,
        offsets: Sequence[Mapping[str, JsonValue]] = (),
        parameters: Mapping[str, JsonValue] | None = None,
    ) -> RunRecord:
        """A new run, which becomes the current one.

        Args:
            offsets: of labware, as ``labwareOffsets`` has them.
            parameters: of the protocol (``runTimeParameterValues``).

        Raises:
            InstrumentBusy: another run is under way.
        """
        data: dict[str, JsonValue] = {}
        if protocol_id is not None:
            data["protocolId"] = protocol_id
        if offsets:
            data["labwareOffsets"] = [dict(offset) for offset in offsets]
        if parameters:
            data["runTimeParameterValues"] = dict(parameters)
        answer = await self.wire.ask("POST", "/runs", body={"data": data}, timeout_s=30.0)
        return RunRecord.of(_data(answer))

    async def run(self, run_id: str) -> RunRecord:
        """One run.

        Raises:
            Refused: there is none of this id (``RunNotFound``).
        """
        return RunRecord.of(_data(await self.wire.ask("GET", f"/runs/{run_id}")))

    async def current_run(self) -> RunRecord | None:
        """The run that controls the robot, if one does."""
        runs = [RunRecord.of(item) for item in await self._list("/runs")]
        return next((run for run in runs if run.current), None)

    async def act(self, run_id: str, action: str) -> None:
        """``play``, ``pause``, ``stop``, ``resume-from-recovery`` or (since software 8.2)
        ``resume-from-recovery-assuming-false-positive`` a run.

        Raises:
            Refused: the run is not in a state for it (``RunActionNotAllowed``, ``RunStopped``).
        """
        await self.wire.ask(
            "POST", f"/runs/{run_id}/actions", body={"data": {"actionType": action}}, timeout_s=30.0
        )

    async def let_go(self, run_id: str) -> None:
        """End being the current run, so that others may begin.

        Raises:
            Refused: it is under way (``RunNotIdle``).
        """
        await self.wire.ask("PATCH", f"/runs/{run_id}", body={"data": {"current": False}}, timeout_s=30.0)

    async def delete_run(self, run_id: str) -> None:
        """Make the robot forget a run."""
        await self.wire.ask("DELETE", f"/runs/{run_id}")

    async def offsets(self, run_id: str) -> tuple[OffsetRecord, ...]:
        """The labware offsets that a run keeps."""
        answer = await self.wire.ask("GET", f"/runs/{run_id}")
        return OffsetRecord.all_of(as_mapping(_data(answer), "a run"))

    async def add_offset(self, run_id: str, offset: Mapping[str, JsonValue]) -> OffsetRecord:
        """Tell a run by how much labware stands off its nominal place (``LabwareOffsetCreate``)."""
        answer = await self.wire.ask("POST", f"/runs/{run_id}/labware_offsets", body={"data": dict(offset)})
        return OffsetRecord.of(_data(answer))

    async def add_definition(self, run_id: str, definition: Mapping[str, JsonValue]) -> None:
        """Teach a run labware that Opentrons does not sell (its schema 2)."""
        await self.wire.ask("POST", f"/runs/{run_id}/labware_definitions", body={"data": dict(definition)})

    async def recover_by(self, run_id: str, rules: Sequence[tuple[str, str, str]]) -> None:
        """Say what a run does about errors.

        Args:
            rules: (command type, error type, reaction), where a reaction is ``ignoreAndContinue``, ``failRun`` or
                ``waitForRecovery``.
        """
        written = [
            {"matchCriteria": {"command": {"commandType": c, "error": {"errorType": e}}}, "ifMatch": reaction}
            for c, e, reaction in rules
        ]
        await self.wire.ask(
            "PUT", f"/runs/{run_id}/errorRecoveryPolicy", body={"data": {"policyRules": written}}
        )

    # commands

    async def do(
        self,
        run_id: str,
        kind: str,
        params: Mapping[str, JsonValue],
        *,
        key: str,
        limit_s: float,
        intent: str = "setup",
        failed: str = "",
    ) -> CommandRecord:
        """Have a command carried out, once, and wait for its end.

        Args:
            kind: ``commandType``.
            key: ours, of no other command.
            limit_s: lab time within which it must end.
            failed: id of the command that one with the intent ``fixit`` is to mend.

        Raises:
            DeviceFault: what the robot says went wrong (:func:`fault_of`), or the wire's faults.
            CommandTimeout: it did not end in time; it may still be at it.
        """
        try:
            async with asyncio.timeout(limit_s) as limit:
                record = await self._sent_once(run_id, kind, params, key=key, intent=intent, failed=failed)
                while not record.ended:
                    await asyncio.sleep(POLL_S)
                    record = await self._asked(run_id, record.id)
        except TimeoutError as late:
            if not limit.expired():
                raise
            raise CommandTimeout(f"{kind} did not end in {limit_s:g} s.") from late
        if record.status == "failed":
            raise fault_of(record.error or {"detail": f"{kind} failed and gives no reason"})
        return record

    async def enqueue(
        self,
        run_id: str,
        kind: str,
        params: Mapping[str, JsonValue],
        *,
        key: str,
        intent: str = "setup",
        failed: str = "",
        wait_s: float = 0.0,
    ) -> CommandRecord:
        """Hand a command to a run; one request, never repeated.

        Args:
            wait_s: for how long the answer is held back until the command has ended.
        """
        query = {"waitUntilComplete": "true", "timeout": str(round(1000 * wait_s))} if wait_s else {}
        if failed:
            query["failedCommandId"] = failed
        body = {"data": {"commandType": kind, "params": dict(params), "intent": intent, "key": key}}
        answer = await self.wire.ask(
            "POST", f"/runs/{run_id}/commands", body=body, params=query, timeout_s=wait_s + REPLY_S
        )
        record = CommandRecord.of(_data(answer))
        if record.key != key:
            raise NonsenseReply(f"{kind} with the key {key} was answered with the command {record.key}.")
        return record

    async def command(self, run_id: str, command_id: str) -> CommandRecord:
        """One command, with its result."""
        return CommandRecord.of(_data(await self.wire.ask("GET", f"/runs/{run_id}/commands/{command_id}")))

    async def commands(self, run_id: str, *, cursor: int | None = None, length: int = PAGE) -> CommandPage:
        """A stretch of a run's commands; by default around the one that runs, or the last ones."""
        params = {"pageLength": str(length)} | ({} if cursor is None else {"cursor": str(cursor)})
        return CommandPage.of(await self.wire.ask("GET", f"/runs/{run_id}/commands", params=params))

    async def every_command(self, run_id: str) -> list[CommandRecord]:
        """All commands of a run, in their order."""
        records: list[CommandRecord] = []
        while True:
            page = await self.commands(run_id, cursor=len(records))
            records += page.commands
            if len(records) >= page.total or not page.commands:
                return records

    async def find(self, run_id: str, keys: Sequence[str]) -> dict[str, CommandRecord]:
        """The commands of a run that have these keys, by key; those that it does not have are left out."""
        wanted, found = set(keys), dict[str, CommandRecord]()
        page = await self.commands(run_id)
        end = page.total
        while True:
            for record in page.commands:
                if record.key in wanted:
                    found.setdefault(record.key, record)
            if wanted <= set(found) or end <= 0:
                return found
            first = max(0, end - PAGE)
            page, end = await self.commands(run_id, cursor=first), first
            if not page.commands:
                raise NonsenseReply(f"the run {run_id} has {page.total} commands and shows none at {first}.")

    async def _sent_once(
        self, run_id: str, kind: str, params: Mapping[str, JsonValue], *, key: str, intent: str, failed: str
    ) -> CommandRecord:
        """Send a command until the robot has it: again only when the robot says that it does not."""
        lost: ConnectionLost | CommandTimeout | None = None
        for _ in range(TRIES):
            if lost is not None and (known := await self._known(run_id, key, lost)) is not None:
                return known
            try:
                return await self.enqueue(
                    run_id, kind, params, key=key, intent=intent, failed=failed, wait_s=WAIT_S
                )
            except (ConnectionLost, CommandTimeout) as fault:
                lost = fault
        assert lost is not None
        if (known := await self._known(run_id, key, lost)) is not None:
            return known
        raise lost

    async def _known(
        self, run_id: str, key: str, lost: ConnectionLost | CommandTimeout
    ) -> CommandRecord | None:
        """The command of a key, asked for some times, since what was sent may be on its way still.

        Raises:
            ConnectionLost: the robot can't be asked; the fault for which it was to be.
        """
        if lost.nothing_done:
            return None
        answered = False
        for _ in range(TRIES):
            await asyncio.sleep(POLL_S)
            try:
                found = await self.find(run_id, [key])
            except (ConnectionLost, CommandTimeout):
                continue
            answered = True
            if found:
                return found[key]
        if answered:
            return None
        raise lost

    async def _asked(self, run_id: str, command_id: str) -> CommandRecord:
        """A command's state, over one lost answer or two."""
        for _ in range(TRIES - 1):
            try:
                return await self.command(run_id, command_id)
            except (ConnectionLost, CommandTimeout):
                await asyncio.sleep(POLL_S)
        return await self.command(run_id, command_id)

    async def do_now(self, kind: str, params: Mapping[str, JsonValue], *, timeout_s: float) -> CommandRecord:
        """A command outside any run, for a module; answered when it has ended, or as it stands by then.

        Raises:
            Refused: a run is under way (``RunActive``).
        """
        query = {"waitUntilComplete": "true", "timeout": str(round(1000 * timeout_s))}
        body = {"data": {"commandType": kind, "params": dict(params)}}
        answer = await self.wire.ask("POST", "/commands", body=body, params=query, timeout_s=timeout_s + 1.0)
        return CommandRecord.of(_data(answer))

    # protocols

    async def upload(self, name: str, text: bytes, *, support: Mapping[str, bytes] | None = None) -> str:
        """Give the robot a protocol file, which it begins to analyse; gives back the protocol's id.

        Args:
            support: custom labware definitions, by file name.

        Raises:
            Refused: it is no protocol, or one for the other robot (``ProtocolFilesInvalid``, ``ProtocolRobotTypeMismatch``).
        """
        files = [("files", (name, text, "text/x-python"))]
        files += [("files", (other, raw, "application/json")) for other, raw in (support or {}).items()]
        answer = await self.wire.ask("POST", "/protocols", files=files, timeout_s=120.0)
        return as_text(as_mapping(_data(answer), "a protocol"), "id", "a protocol")

    async def analysis(self, protocol_id: str, *, limit_s: float = 600.0) -> Mapping[str, Any]:
        """The newest analysis of a protocol, once it is there.

        Raises:
            CommandTimeout: it is not, in this time.
        """
        deadline_s = asyncio.get_running_loop().time() + limit_s
        while True:
            summaries = await self._list(f"/protocols/{protocol_id}/analyses")
            newest = as_mapping(summaries[-1], "an analysis") if summaries else {}
            if newest.get("status") == "completed":
                path = f"/protocols/{protocol_id}/analyses/{as_text(newest, 'id', 'an analysis')}"
                return as_mapping(_data(await self.wire.ask("GET", path, timeout_s=60.0)), "an analysis")
            if asyncio.get_running_loop().time() > deadline_s:
                raise CommandTimeout(f"the protocol was not analysed in {limit_s:g} s.")
            await asyncio.sleep(POLL_S)

    async def delete_protocol(self, protocol_id: str) -> None:
        """Make the robot forget a protocol that no run uses."""
        await self.wire.ask("DELETE", f"/protocols/{protocol_id}")

    async def _list(self, path: str) -> Sequence[Any]:
        return as_list(_data(await self.wire.ask("GET", path)), path)


def _data(answer: object) -> Any:
    return as_mapping(answer, "an answer").get("data")
