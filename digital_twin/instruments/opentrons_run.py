"""One run of a simulated Opentrons robot: its commands, its queue and its states, as a robot's protocol engine has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from digital_twin.instruments.opentrons_engine import Engine, Params
from digital_twin.instruments.opentrons_hardware import CommandError
from digital_twin.instruments.opentrons_stamp import stamp

__all__ = ["Run"]


@dataclass(slots=True)
class Run:
    """A run and what it believes.

    Args:
        before: is told the type of each command of a protocol, or of its recovery, that is about to be carried out.
    """

    id: str
    engine: Engine
    now: Callable[[], float]
    new_id: Callable[[], str]
    protocol_id: str | None = None
    offsets: list[dict[str, Any]] = field(default_factory=list)
    status: str = "idle"
    current: bool = True
    created: str = ""
    commands: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    rules: list[dict[str, Any]] = field(default_factory=list)
    recovered: bool = False
    before: Callable[[str], None] = lambda kind: None
    _ended: dict[str, asyncio.Event] = field(default_factory=dict)
    _queue: list[str] = field(default_factory=list)
    _work: asyncio.Task[None] | None = None

    # what arrives

    def enqueue(
        self, kind: str, params: Params, *, intent: str, key: str | None, failed: str | None = None
    ) -> dict[str, Any]:
        """Take a command; a setup command is begun at once."""
        record: dict[str, Any] = {
            "id": self.new_id(),
            "createdAt": stamp(self.now()),
            "commandType": kind,
            "key": key or self.new_id(),
            "status": "queued",
            "params": dict(params),
            "intent": intent,
        }
        if failed is not None:
            record["failedCommandId"] = failed
        self.commands.append(record)
        self._ended[record["id"]] = asyncio.Event()
        self._queue.append(record["id"])
        if intent != "protocol" or self.status == "running":
            self.pump()
        return record

    async def wait_for(self, command_id: str, timeout_s: float | None) -> None:
        """Until a command has ended, or as long as the asker wants to wait."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended[command_id].wait()
        except TimeoutError:
            return

    def play(self) -> None:
        """Begin, or go on after a pause."""
        self.status = "running"
        self.pump()

    def pause(self) -> None:
        """Begin no further command."""
        self.status = "paused"

    def resume(self, *, assume: bool = False) -> None:
        """Go on after a failure that somebody mended, or, to ``assume`` so, as if there had been none."""
        failed = [one for one in self.commands if one["status"] == "failed" and one["intent"] == "protocol"]
        if assume:
            self.engine.assume(failed[-1]["commandType"], failed[-1]["params"])
        self.status = "running"
        self.pump()

    async def stop(self) -> None:
        """Halt in the midst of a command, which fails."""
        work, self._work = self._work, None
        if work is not None and not work.done():
            work.cancel()
            await asyncio.wait([work])
        self._queue.clear()
        self.status = "stopped"

    @property
    def busy(self) -> bool:
        """Whether a command is being carried out."""
        return self._work is not None and not self._work.done()

    def pump(self) -> None:
        """Carry out what is in the queue, unless that is going on."""
        if not self.busy:
            self._work = asyncio.ensure_future(self._carry_on())

    # carrying out

    async def _carry_on(self) -> None:
        while (record := self._next()) is not None:
            await self._carry_out(record)
        if self.status == "running" and self.protocol_id is not None and not self._queue:
            self.status = "succeeded"

    def _next(self) -> dict[str, Any] | None:
        """The next command that may be begun: setup commands first, those of the protocol only in a run that is played."""
        by_id = {record["id"]: record for record in self.commands}
        waiting = [by_id[one] for one in self._queue]
        chosen = next((r for r in waiting if r["intent"] in ("setup", "fixit")), None)
        if chosen is None and self.status == "running":
            chosen = next(iter(waiting), None)
        if chosen is not None:
            self._queue.remove(chosen["id"])
        return chosen

    async def _carry_out(self, record: dict[str, Any]) -> None:
        record["status"], record["startedAt"] = "running", stamp(self.now())
        try:
            if record["intent"] != "setup":
                self.before(record["commandType"])
            record["result"] = await self.engine.do(record["commandType"], record["params"])
            record["status"] = "succeeded"
        except CommandError as error:
            self._fail(record, error)
        except asyncio.CancelledError:
            self._fail(record, CommandError("RunStoppedError", "Run was cancelled", code="2014"))
            raise
        finally:
            record["completedAt"] = stamp(self.now())
            self._ended[record["id"]].set()

    def _fail(self, record: dict[str, Any], error: CommandError) -> None:
        record["status"] = "failed"
        record["error"] = error.shown(self.new_id(), stamp(self.now()))
        if record["intent"] != "protocol" or self.status != "running":
            return
        match self._reaction(record["commandType"], error):
            case "waitForRecovery":
                self.status, self.recovered = "awaiting-recovery", True
            case "ignoreAndContinue":
                pass
            case _:
                self.status = "failed"
                self.errors = [record["error"]]
                self._queue.clear()

    def _reaction(self, kind: str, error: CommandError) -> str:
        for rule in self.rules:
            command = rule["matchCriteria"]["command"]
            if command["commandType"] == kind and command["error"]["errorType"] == error.kind:
                return str(rule["ifMatch"])
        return "waitForRecovery" if error.defined and self.engine.hardware.feels_tips else "failRun"
