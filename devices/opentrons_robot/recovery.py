"""A protocol file's run that waits to be recovered: what is done about it, by the workcell file, and what came of that.

A Flex that feels a missing tip, too much pressure or no liquid does not give a run up: it halts in ``awaiting-recovery`` and
offers actions (``RunActionType``; the one that assumes a false positive since software 8.2). What to do is a ladder for each
kind of fault, as in a campaign file, and is written down as a mark before the robot is told. What no ladder mends ends the
run, and is a fault of its kind: then the campaign's own ladders say what follows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import uuid4

from devices.fence import mark
from devices.opentrons_robot.client import RobotClient
from devices.opentrons_robot.faults import fault_of
from devices.opentrons_robot.records import CommandRecord
from lab.errors import BadInput, CommandTimeout, ConnectionLost, DeviceFault, FaultKind, InstrumentError
from lab.strict import did_you_mean
from lab.types import JsonValue, Mark
from lab.units import read_quantity

__all__ = ["ASSUME", "RESUME", "Recover", "Recoverer", "RecoveryRules", "decisions", "mended", "offers"]

POLL_S = 2.0
MOST_WAIT_S = 86_400.0
LIMIT_S = 300.0
"""Lab time within which a command that is done again must end."""

FALSE_POSITIVE_SINCE = (8, 2)
RESUME, ASSUME, STOP = "resume-from-recovery", "resume-from-recovery-assuming-false-positive", "stop"

log = logging.getLogger("drywet.devices")


_IN_THE_TIP = frozenset({FaultKind.FAILED_ASPIRATE, FaultKind.SHORT_VOLUME, FaultKind.CLOG})
"""Kinds after which nobody knows what a tip holds."""


class Recover(StrEnum):
    """What is done about a run that waits to be recovered."""

    RETRY = "retry"
    """The command that failed again, then on."""
    RESUME = "resume"
    """On with the next command, as what failed was mended by hand."""
    FALSE_POSITIVE = "false_positive"
    """On, as if the command had succeeded: the sensor was wrong."""
    ASK = "ask"
    """Wait until a person has decided, in the App or at the touchscreen, and take it as it is then."""
    STOP = "stop"
    """Give the run up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryRules:
    """Ladders by kind of fault; a kind without one is given up.

    Args:
        ladders: what is done at the first failure of a command, the second, and so on.
        wait_s: lab time that a person has to decide.
    """

    ladders: Mapping[FaultKind, tuple[Recover, ...]] = field(default_factory=dict)
    wait_s: float = 600.0

    def __call__(self, kind: FaultKind, attempt: int) -> Recover:
        """What is done after a command failed for the ``attempt``-th time (from 1)."""
        ladder = self.ladders.get(kind, ())
        return ladder[attempt - 1] if attempt <= len(ladder) else Recover.STOP

    @property
    def longest_wait_s(self) -> float:
        """How long a run may wait for a person, once."""
        return self.wait_s if any(Recover.ASK in ladder for ladder in self.ladders.values()) else 0.0

    @classmethod
    def from_settings(cls, settings: Mapping[str, JsonValue]) -> RecoveryRules:
        """From ``recovery`` and ``recovery_wait_s`` of a device's settings.

        Raises:
            BadInput: a word or kind that there is not; names the field.
        """
        written = settings.get("recovery", {})
        if not isinstance(written, Mapping):
            raise BadInput(
                "recovery is no table.",
                way_out="Write recovery: {lost_tip: [retry, ask]}.",
                field="settings.recovery",
            )
        wait_s = _wait_s(settings.get("recovery_wait_s", 600.0))
        ladders = {}
        for name, steps in written.items():
            place = f"settings.recovery.{name}"
            if name not in set(FaultKind):
                hint = did_you_mean(
                    name, [str(kind) for kind in FaultKind], what="The kinds are", quoted=False
                )
                raise BadInput(f"There is no kind of fault {name!r}.", way_out=hint, field=place)
            listed = steps if isinstance(steps, list | tuple) else [steps]
            wrong = [step for step in listed if step not in set(Recover)]
            if wrong or not listed:
                raise BadInput(
                    f"{wrong[0]!r} is nothing that a robot offers."
                    if wrong
                    else "An empty ladder does nothing.",
                    way_out=f"It offers {', '.join(Recover)}.",
                    field=place,
                )
            if Recover.RETRY in listed and name in _IN_THE_TIP:
                raise BadInput(
                    f"A command that ended in {name} can't be done again: the tip may hold air, or part of the volume.",
                    way_out="Write false_positive, ask or stop.",
                    field=place,
                )
            ladders[FaultKind(name)] = tuple(Recover(str(step)) for step in listed)
        return cls(ladders=ladders, wait_s=wait_s)


def _wait_s(written: JsonValue) -> float:
    field = "settings.recovery_wait_s"
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        raise BadInput(f"{written!r} is no time.", way_out="Write recovery_wait_s: 10 min.", field=field)
    try:
        wait_s = read_quantity("recovery_wait_s", written)
    except BadInput as wrong:
        raise BadInput(wrong.reason, way_out=wrong.way_out, field=field) from wrong
    if not 0.0 < wait_s <= MOST_WAIT_S:
        raise BadInput(
            f"{wait_s:g} s is no time to wait for a person.", way_out="Write one of up to a day.", field=field
        )
    return wait_s


def offers(software: str) -> tuple[str, ...]:
    """The actions that a robot of this software offers to a run that waits to be recovered."""
    try:
        version = tuple(int(part) for part in software.split(".")[:2])
    except ValueError:
        version = (0, 0)
    return (RESUME, ASSUME, STOP) if version >= FALSE_POSITIVE_SINCE else (RESUME, STOP)


class Recoverer:
    """Answers one run that waits to be recovered, as often as it does.

    Args:
        client: of the robot.
        rules: what to do.
        run_id: of the run.

    Attributes:
        decided: command that failed -> what was done about it at last.
    """

    def __init__(self, client: RobotClient, rules: RecoveryRules, run_id: str) -> None:
        self._client = client
        self._rules = rules
        self._run_id = run_id
        self._tried: dict[str, int] = {}
        self.decided: dict[str, str] = {}

    async def answer(self) -> None:
        """Do what the rules say; the run goes on when this returns.

        Raises:
            DeviceFault: what failed, where the run is to be given up, or nobody decides in time.
        """
        failed = await self._failed()
        fault = fault_of(failed.error or {})
        while True:
            attempt = self._tried[failed.id] = self._tried.get(failed.id, 0) + 1
            decision = self._rules(fault.kind, attempt)
            offered = offers((await self._client.health()).software)
            if decision is Recover.STOP or (decision is Recover.FALSE_POSITIVE and ASSUME not in offered):
                raise type(fault)(
                    f"{fault} The run {self._run_id} waits to be recovered; the robot offers {', '.join(offered)}."
                )
            await mark(
                "recover", run=self._run_id, command=failed.id, error=str(fault), decision=str(decision)
            )
            self.decided[failed.id] = str(decision)
            log.warning("%s The run %s waits to be recovered: %s.", fault, self._run_id, decision)
            if decision is Recover.RETRY and not await self._done_again(failed):
                continue
            await self._go_on(decision, fault)
            return

    async def _failed(self) -> CommandRecord:
        """The command that the run waits for."""
        records = await self._client.every_command(self._run_id)
        failed = [one for one in records if one.error is not None and one.intent != "fixit"]
        if not failed:
            raise InstrumentError(
                f"the run {self._run_id} waits to be recovered, and no command of it has failed."
            )
        return failed[-1]

    async def _done_again(self, failed: CommandRecord) -> bool:
        """Whether the command succeeded when it was done again."""
        try:
            await self._client.do(
                self._run_id,
                failed.type,
                failed.params,
                key=f"drywet-{uuid4().hex}",
                limit_s=LIMIT_S,
                intent="fixit",
                failed=failed.id,
            )
        except (ConnectionLost, CommandTimeout):
            raise
        except DeviceFault as again:
            log.warning("It failed again: %s", again)
            return False
        return True

    async def _go_on(self, decision: Recover, fault: DeviceFault) -> None:
        if decision is Recover.ASK:
            await self._wait_for_a_person(fault)
            return
        action = ASSUME if decision is Recover.FALSE_POSITIVE else RESUME
        try:
            await self._client.act(self._run_id, action)
        except (ConnectionLost, CommandTimeout):
            # The run says whether it was told.
            await asyncio.sleep(POLL_S)
            if await self._waits():
                await self._client.act(self._run_id, action)

    async def _wait_for_a_person(self, fault: DeviceFault) -> None:
        deadline_s = asyncio.get_running_loop().time() + self._rules.wait_s
        while await self._waits():
            if asyncio.get_running_loop().time() >= deadline_s:
                raise type(fault)(
                    f"{fault} Nobody decided within {self._rules.wait_s:g} s what becomes of the run {self._run_id}."
                )
            await asyncio.sleep(POLL_S)

    async def _waits(self) -> bool:
        return (await self._client.run(self._run_id)).status.startswith("awaiting-recovery")


def decisions(marks: Sequence[Mark]) -> dict[str, str]:
    """Command that failed -> what was done about it at last, by the marks of the command that ran the file."""
    return {
        one.details["command"]: one.details["decision"]
        for one in marks
        if one.name == "recover" and isinstance(one.details, dict)
    }


def mended(records: Sequence[CommandRecord], decided: Mapping[str, str]) -> frozenset[str]:
    """Ids of failed commands that count as done: done again with success, mended by hand or taken for a false alarm."""
    again = {record.failed for record in records if record.intent == "fixit" and record.status == "succeeded"}
    by_decision = {one for one, what in decided.items() if what in (Recover.RESUME, Recover.FALSE_POSITIVE)}
    return frozenset(again | by_decision)
