"""An Opentrons OT-2 or Flex as a liquid handler: the verbs of :mod:`devices.liquid_handler` over the robot's HTTP API.

The robot keeps each command that it was given, under a key of ours, with what came of it. So after a crash it is asked, and
where a pipettor without such a memory leaves a well in doubt, the robot mostly knows: a part is done if all its commands
succeeded, and was not begun if the run has none of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import ClassVar, TypeVar

from ophyd_async.core import (
    Device,
    DeviceConnector,
    StandardReadable,
    StandardReadableFormat,
    soft_signal_r_and_setter,
)

from devices.fence import Fence, check_lease, mark
from devices.identity import Identity, origin_of, say_if_untried
from devices.liquid_handler.commands import AddReagent, Distribute, Mix
from devices.liquid_handler.outcome import Pipetting, Trail, outcome_of
from devices.opentrons_robot.client import RobotClient
from devices.opentrons_robot.faults import Refused
from devices.opentrons_robot.file_runs import FileRunner
from devices.opentrons_robot.files import RunFile
from devices.opentrons_robot.kit import RobotKit
from devices.opentrons_robot.memory import part_state
from devices.opentrons_robot.moves import Drop, PickUp, Unplannable, parts_of
from devices.opentrons_robot.records import ENDED, RunRecord
from devices.opentrons_robot.session import AT_ONCE_S, Session, new_key, over_trash, requests_of
from devices.opentrons_robot.wire import Wire
from devices.verb import Limits, Verb, faults_of, narrowed
from lab.bench import Bench
from lab.errors import CommandTimeout, DeviceFault, InstrumentError, LostTip, OutOfRange, StaleLease
from lab.interfaces import Reconciliation
from lab.recovery import WATCHDOG_FLOOR_S
from lab.types import JsonValue, Mark

__all__ = ["OpentronsRobot"]

C = TypeVar("C", Distribute, AddReagent, Mix)

SETTLE_S = 8.0
"""How long a command under way may still take on the way to the safe state before the run is stopped."""

STOP_S = 6.0
"""How long the robot may take to stop."""

EJECT_S = 14.0
"""How long it may take to throw tips away. All three together are less than the 30 s that a device has to be safe."""

log = logging.getLogger("drywet.devices")


class _Connector(DeviceConnector):
    """Opens the way to the robot and learns who answers."""

    async def connect_real(
        self,
        device: Device,
        timeout: float,  # noqa: ASYNC109  (ophyd-async calls it so)
        force_reconnect: bool,
    ) -> None:
        assert isinstance(device, OpentronsRobot)
        await device.set_up(again=force_reconnect)
        await super().connect_real(device, timeout, force_reconnect)


class OpentronsRobot(StandardReadable):
    """A robot with one- and eight-channel pipettes. Connecting moves nothing.

    Args:
        name: of the device in the workcell.
        wire: the way to the robot, or to its twin.
        kit: what it is fitted with, by the workcell file; held against what the robot says when it is connected.
        bench: the live one, from which tips and volumes are taken.
        limits: of the workcell file: ``volume_ul``.

    Raises:
        BadInput: a limit that this device does not have.
    """

    maker_limits: ClassVar[Limits] = {"volume_ul": (1.0, 1000.0)}

    forgets_when_safe: ClassVar[bool] = False
    """The robot keeps what came of each command, whatever it does next."""

    met_hardware: ClassVar[bool] = False
    """Whether this driver was ever run on the instrument itself."""

    def __init__(
        self, name: str, wire: Wire, *, kit: RobotKit, bench: Bench, limits: Limits | None = None
    ) -> None:
        self._wire = wire
        self._client = RobotClient(wire)
        self._kit = kit
        self._bench = bench
        self._session = Session(self._client, kit, bench)
        self._may_hold: set[str] = set(kit.pipettes)
        self.fence = Fence()
        super().__init__(name=name, connector=_Connector())
        self.origin, self._set_origin = soft_signal_r_and_setter(str)
        self.serial_number, self._set_serial_number = soft_signal_r_and_setter(str)
        self.add_readables([self.origin, self.serial_number], StandardReadableFormat.CONFIG_SIGNAL)
        allowed = narrowed(self.maker_limits, limits)
        self.distribute = self._verb(Distribute, allowed)
        self.add_reagent = self._verb(AddReagent, allowed)
        self.mix = self._verb(Mix, allowed)
        self._files = FileRunner(self._client, kit)
        self.run_file = Verb(
            self._run_file,
            command=RunFile,
            limits=allowed,
            estimate=lambda command, bench: command.seconds,
            objections=lambda command, bench: self._files.objections(command, bench or self._bench),
            reconcile=self._files.reconcile,
            remark=self._files.remark,
            watchdog_floor_s=WATCHDOG_FLOOR_S + kit.recovery.longest_wait_s,
        )
        self.set_name(name)

    @property
    def client(self) -> RobotClient:
        """The robot's API, for what has no verb here."""
        return self._client

    def _verb(self, command: type[C], limits: Limits) -> Verb[C]:
        run: Callable[[C], Awaitable[JsonValue]] = self._carry_out
        return Verb(
            run,
            command=command,
            limits=limits,
            estimate=self._duration_s,
            objections=self._objections,
            reconcile=self._reconcile,
        )

    # connecting

    async def set_up(self, *, again: bool = False) -> None:
        """Open the way to the robot and check who and what it is; harmless when that is done, unless ``again``.

        Raises:
            DeviceFault: it does not answer, is another robot than the workcell file says, or has other pipettes.
            MissingData: httpx is not installed.
        """
        if again:
            await self._wire.close()
        await self._wire.open()
        await self.identify()
        with faults_of(self.name):
            await self._check_kit()

    async def identify(self) -> Identity:
        """Ask the robot who it is; its readings carry the origin that follows from the answer.

        Raises:
            DeviceFault: it does not say, or is another model than the workcell file says.
        """
        with faults_of(self.name):
            health = await self._client.health()
            if health.model != self._kit.model:
                raise InstrumentError(
                    f"the robot is an {health.model}, and the workcell file says {self._kit.model}."
                )
        identity = Identity(
            vendor="Opentrons",
            model=health.model,
            serial=health.serial,
            firmware=health.software,
            origin=origin_of(health.serial),
        )
        self._set_origin(str(identity.origin))
        self._set_serial_number(identity.serial)
        say_if_untried(self.name, identity, met_hardware=self.met_hardware)
        return identity

    async def disconnect(self) -> None:
        """Give the connection up; harmless when there is none."""
        await self._wire.close()

    async def _check_kit(self) -> None:
        attached = {pipette.mount: pipette for pipette in await self._client.pipettes()}
        for mount, wanted in self._kit.pipettes.items():
            found = attached.get(mount)
            if found is None or found.name != wanted.name:
                has = "no pipette that works" if found is None else found.name
                raise InstrumentError(
                    f"the {mount} mount has {has}, and the workcell file says {wanted.name}."
                )

    # safe state

    async def look(self) -> None:
        """Keep which pipettes have a tip on, where the robot has sensors for it: the Flex has.

        Raises:
            DeviceFault: it does not answer.
        """
        with faults_of(self.name):
            await self._see_tips()

    async def safe(self) -> None:
        """Let the command under way end, or stop it, and throw away whatever tips may be on. Safe to repeat.

        Temperatures of modules are left as they are: a module is a device of its own, and its plate may be another run's.

        Raises:
            DeviceFault: the robot does not do it; a person must look.
        """
        with faults_of(self.name):
            stopped = await self._come_to_rest()
            await self._see_tips()
            if self._may_hold:
                await self._eject(home=stopped)

    async def _see_tips(self) -> None:
        """Believe the sensors of those pipettes that have one."""
        for pipette in await self._client.pipettes():
            if pipette.mount in self._kit.pipettes and pipette.tip_detected is not None:
                (self._may_hold.add if pipette.tip_detected else self._may_hold.discard)(pipette.mount)

    async def _come_to_rest(self) -> bool:
        """Nothing moves any more; gives whether that took stopping a run."""
        run = await self._client.current_run()
        if run is None or run.status in ENDED:
            return False
        if run.status == "idle" and await self._settled(run):
            return False
        try:
            await self._client.act(run.id, "stop")
        except Refused as refused:
            log.info("%s: %s", self.name, refused)  # it ended in the meantime; asked below
        await self._until(lambda now: now.status in ENDED, run.id, STOP_S, "did not stop")
        self._session.forget()
        return True

    async def _settled(self, run: RunRecord) -> bool:
        """Whether an idle run's commands end by themselves, within :data:`SETTLE_S`."""
        deadline_s = asyncio.get_running_loop().time() + SETTLE_S
        while True:
            page = await self._client.commands(run.id)
            if all(command.ended for command in page.commands):
                return True
            if asyncio.get_running_loop().time() >= deadline_s:
                return False
            await asyncio.sleep(0.5)

    async def _until(
        self, reached: Callable[[RunRecord], bool], run_id: str, limit_s: float, otherwise: str
    ) -> None:
        deadline_s = asyncio.get_running_loop().time() + limit_s
        while not reached(await self._client.run(run_id)):
            if asyncio.get_running_loop().time() >= deadline_s:
                raise CommandTimeout(f"the run {run_id} {otherwise} in {limit_s:g} s.")
            await asyncio.sleep(0.5)

    async def _eject(self, *, home: bool) -> None:
        """Let go over the trash of whatever may be on, in a run that knows of no tips; harmless without one."""
        self._session.forget()
        try:
            async with asyncio.timeout(EJECT_S) as limit:
                await self._session.ready(sorted(self._may_hold), ())
                if home:
                    await self._session.do("home", {})
                for mount in sorted(self._may_hold):
                    await self._session.do(*over_trash(mount, self._kit))
                    await self._session.do("unsafe/dropTipInPlace", {"pipetteId": mount})
        except TimeoutError as late:
            if not limit.expired():
                raise
            raise CommandTimeout(f"tips were not thrown away in {EJECT_S:g} s.") from late
        self._may_hold.clear()
        await self._see_tips()
        if self._may_hold:
            raise LostTip(f"a tip is still on the {' and the '.join(sorted(self._may_hold))} mount.")

    # verbs

    def _duration_s(self, command: Pipetting, bench: Bench | None) -> float:
        bench = self._bench if bench is None else bench
        try:
            parts = parts_of(command, bench, self._kit)
        except (Unplannable, KeyError):
            return command.duration_s(bench)  # it is refused anyway
        return sum(move.seconds for part in parts for move in part.moves)

    def _objections(self, command: Pipetting, bench: Bench | None) -> Sequence[str]:
        bench = self._bench if bench is None else bench
        if bench is not self._bench and command.problems(bench):
            return ()  # told as such
        try:
            parts_of(command, bench, self._kit)
        except Unplannable as reason:
            return reason.problems
        except KeyError as missing:
            return (f"There is no {missing.args[0]} on this bench.",)
        return ()

    async def _carry_out(self, command: Pipetting) -> JsonValue:
        try:
            parts = parts_of(command, self._bench, self._kit)
        except Unplannable as reason:
            raise OutOfRange(str(reason)) from reason
        tips: list[JsonValue] = []
        async with self._at_work() as began:
            moves = [move for part in parts for move in part.moves]
            labware = dict.fromkeys(move.labware for move in moves if not isinstance(move, Drop))
            run_id = await self._session.ready(sorted({move.mount for move in moves}), tuple(labware))
            for part in parts:
                asked = [
                    (move, kind, params, new_key())
                    for move in part.moves
                    for kind, params in requests_of(move, self._kit)
                ]
                keys = [key for *_, key in asked]
                await mark(part.name, **part.details, run=run_id, keys=keys)
                began.append(part.name)
                tips += part.details.get("tips", [])
                for move, kind, params, key in asked:
                    if isinstance(move, PickUp):
                        self._may_hold.add(move.mount)
                    await self._session.do(kind, params, key=key, limit_s=AT_ONCE_S + 3.0 * move.seconds)
                    if kind == "dropTipInPlace":
                        self._may_hold.discard(move.mount)
        return {"tips": tips}

    async def _run_file(self, command: RunFile) -> JsonValue:
        async with self._at_work() as began:
            left_on = {event[1]: event[0] for event in command.events if event[0] in ("tips", "drop")}
            self._may_hold.update(left_on)
            self._session.forget()
            result = await self._files.run(command, began.append)
            self._may_hold -= {mount for mount, last in left_on.items() if last == "drop"}
        return result

    @asynccontextmanager
    async def _at_work(self) -> AsyncIterator[list[str]]:
        """One command: nothing is on the pipettes before, and nothing after it, also when it fails.

        Gives a list to note in which parts were begun.
        """
        began: list[str] = []
        try:
            if self._may_hold:
                await self._session.must_be_free()
                await self.safe()
            yield began
        except DeviceFault as failure:
            failure.nothing_done = not began
            if began:
                await self._clear_after(failure)
            raise

    async def _clear_after(self, failure: DeviceFault) -> None:
        """Throw tips away because a command failed in its midst, and keep both errors if that fails too.

        Not where the robot is another's by now, who may be at work with it.
        """
        try:
            check_lease()
            await self.safe()
        except StaleLease:
            return
        except DeviceFault as second:
            failure.add_note(f"The safe state was not reached either: {second}")

    # afterwards

    async def _reconcile(self, command: Pipetting, marks: Sequence[Mark]) -> Reconciliation:
        """What came of a command, from its marks and from what the robot's run has of the last of them."""
        if not marks:
            return outcome_of(command, Trail(done=(), in_air=None))
        last = marks[-1]
        assert isinstance(last.details, dict), "marks of pipetting name their run and keys"
        drops = next((mark.details["drops"] for mark in marks if mark.name == "tips"), None)
        written = tuple((mark.name, mark.details) for mark in marks)
        state, sentence = await part_state(self._client, last.details["run"], last.details["keys"])
        trail = {
            "done": Trail(done=written, in_air=None),
            "not begun": Trail(done=written[:-1], in_air=None),
        }.get(state, Trail(done=written[:-1], in_air=written[-1]))
        outcome = outcome_of(command, trail, drops=drops)
        return replace(outcome, sentence=f"{outcome.sentence} {sentence}")
