"""A run engine with a journal on paper: just enough of ``lab.engine`` to carry plans out and to resume them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.run_engine import RunEngine, _ensure_event_loop_running
from bluesky.utils import DuringTask, Msg

from lab.bench import Bench
from lab.clock import LabClock
from lab.dry_run import refuse_outside_step
from lab.errors import RunHeld, RunStopped
from lab.interfaces import Command, Document, StepEnd, Ticket

Plan = Generator[Msg, Any, Any]


@dataclass
class PaperEngine:
    """Journals steps in ``done``; stops before the step of number ``stop_before``, as a person would."""

    clock: LabClock
    bench: Bench
    done: list[tuple[str, Command, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    claims: list[tuple[str, ...]] = field(default_factory=list)
    released: int = 0
    stop_before: int | None = None
    documents: list[Document] = field(default_factory=list)
    ordinal: int = 0
    command: Command | None = None

    def __post_init__(self) -> None:
        # The run engine looks up the thread of a loop that is running already.
        _ensure_event_loop_running.loop_to_thread[self.clock.loop] = self.clock.thread  # type: ignore[attr-defined]
        self.engine = RunEngine({}, loop=self.clock.loop, context_managers=[], during_task=DuringTask())
        self.engine.register_command("step_begin", self._begin)
        self.engine.register_command("step_end", self._end)
        self.engine.register_command("claim", self._claim)
        self.engine.register_command("release", self._release)

    def carry_out(self, plan: Plan) -> list[Document]:
        """One stretch; gives back its documents."""
        self.ordinal, self.documents = 0, []

        def stretch() -> Plan:
            yield from bps.open_run()
            try:
                yield from refuse_outside_step(plan)
            except Exception:
                yield from bps.close_run(exit_status="abort")
                raise
            yield from bps.close_run()

        self.engine(stretch(), lambda name, body: self.documents.append((name, body)))
        return self.documents

    async def _begin(self, msg: Msg) -> Ticket:
        self.ordinal += 1
        command = msg.args[0]
        if self.ordinal <= len(self.done):
            device, earlier, result = self.done[self.ordinal - 1]
            assert (device, earlier) == (msg.obj.device, command)
            await msg.obj.restore(result)
            return Ticket(key=str(self.ordinal), done=True, result=result)
        if self.ordinal == self.stop_before:
            raise RunStopped("somebody asked to stop")
        self.command = command
        return Ticket(key=str(self.ordinal), done=False)

    async def _end(self, msg: Msg) -> StepEnd:
        error = msg.kwargs["error"]
        if error is not None:
            self.failed.append(str(error.__cause__ or error))
            raise RunHeld(self.failed[-1]) from error
        assert self.command is not None
        self.command.believe(self.bench)
        result = msg.obj.result()
        self.done.append((msg.obj.device, self.command, result))
        return StepEnd(again=False, result=result)

    async def _claim(self, msg: Msg) -> None:
        self.claims.append(msg.args[0])

    async def _release(self, msg: Msg) -> None:
        self.released += 1
