"""Opentrons robots and the modules that are plugged into them, for cases of bad answers: bodies of HTTP answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from devices.opentrons_robot.kit import FLEX, OT2, RobotKit
from devices.opentrons_robot.module_line import ModuleLine
from devices.opentrons_robot.modules import ModuleTransport
from devices.opentrons_robot.robot import OpentronsRobot
from devices.opentrons_robot.wire import Wire
from digital_twin.faults import FaultScript, Repertoire
from digital_twin.instruments.faulty_line import FaultyLine
from digital_twin.instruments.opentrons_faults import OPENTRONS_FAULTS
from digital_twin.instruments.opentrons_module_faults import MODULE_FAULTS
from digital_twin.instruments.opentrons_module_twins import MODULE_TWINS
from digital_twin.instruments.opentrons_modules import PluggedModule, PluggedThermocycler
from digital_twin.instruments.opentrons_robot import OpentronsTwin
from digital_twin.instruments.thermocycler import ThermocyclerTwin
from digital_twin.ledger import Action
from digital_twin.world import World
from lab.clock import LabClock
from tests.devices.fault_cases import CONNECT, DriverBench, Job, Setup
from tests.devices.line_bench import SEATS, Case, Water, make_bench
from tests.devices.line_fault_benches import NO_SUM, jobs_of
from tests.devices.line_trials import TRIALS
from tests.devices.module_bench import BLOCK, HEATER_SHAKER, MAGNET, MODULE_TRIALS
from tests.devices.opentrons.robot_bench import NAME, commands_for, make_world, robot_kit
from tests.devices.opentrons.robot_truth import RobotTruth
from tests.devices.taps import Tap
from tests.devices.wire_kinds import HANG_UP, Bad, Shape

__all__ = ["HTTP_BENCHES"]


class _TappedApp:
    """A robot's server whose answers pass a tap."""

    def __init__(self, app: Any, tap: Tap) -> None:
        self._app = app
        self._tap = tap

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        head: list[Any] = []
        body = bytearray()

        async def say(message: Any) -> None:
            if message["type"] == "http.response.start":
                head.append(message)
            else:
                body.extend(message.get("body", b""))

        await self._app(scope, receive, say)
        started = False
        for step in self._tap.instead_of(bytes(body)):
            if step is HANG_UP:
                raise ConnectionResetError("the robot hung up")
            if isinstance(step, float):
                await asyncio.sleep(step)
                continue
            if not started:
                started = True
                await send(head[0])
            await send({"type": "http.response.body", "body": step, "more_body": True})
        if not started:
            await asyncio.get_running_loop().create_future()
        await send({"type": "http.response.body", "body": b""})


JSON = Shape(unwrap=lambda raw: raw, wrap=lambda text, raw: text)


def _gave(command: Any) -> Callable[[World, Sequence[Action]], bool]:
    portions: dict[Any, int] = {}
    for _, place, _ in command.transfers:
        portions[place] = portions.get(place, 0) + 1

    def check(world: World, actions: Sequence[Action]) -> bool:
        began = len(world.ledger.actions) - len(actions)
        return dict(RobotTruth.of(world, began).gives) == portions

    return check


def _given(world: World, actions: Sequence[Action]) -> bool:
    return bool(RobotTruth.of(world, len(world.ledger.actions) - len(actions)).gives)


ROBOT_JOBS = (
    CONNECT,
    *(
        Job(
            name=f"{command.verb} {number}",
            command=command,
            happened=_gave(command),
            begun=_given,
            values=False,
        )
        for number, command in enumerate(commands_for(FLEX))
    ),
)


@asynccontextmanager
async def _robot(clock: LabClock, script: FaultScript, job: Job) -> AsyncIterator[Setup]:
    bench, world = make_world(clock, FLEX)
    kit = robot_kit(FLEX)
    tap = Tap(JSON)
    app = _TappedApp(OpentronsTwin(world, name=NAME, kit=kit, script=script), tap)
    device = OpentronsRobot(NAME, Wire("http://twin", app=app), kit=kit, bench=bench)
    try:
        yield Setup(device, bench, world, tap)
    finally:
        await device.disconnect()
        world.close()


NO_PIPETTES = RobotKit(model=OT2, pipettes={}, slots={}, trash="fixedTrash")

CYCLER = next(trial.case for trial in TRIALS if trial.case.name == "thermocycler")

KINDS = {
    HEATER_SHAKER.name: "heaterShakerModuleType",
    BLOCK.name: "temperatureModuleType",
    MAGNET.name: "magneticModuleType",
}


def _plugged(case: Case) -> Callable[[LabClock, FaultScript, Job], AbstractAsyncContextManager[Setup]]:
    """A module and the robot that it is plugged into."""

    @asynccontextmanager
    async def made(clock: LabClock, script: FaultScript, job: Job) -> AsyncIterator[Setup]:
        bench = make_bench(plate_at=case.plate_at)
        world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        tap = Tap(JSON)
        kind = KINDS.get(case.name)
        module: Any
        if kind is None:
            cycler = ThermocyclerTwin(world, name=case.name, position=case.plate_at)
            module = PluggedThermocycler(id="m1", line=cycler)
        else:
            line: Any = MODULE_TWINS[kind](world, name=case.name, position=case.plate_at)
            if script.rules:
                line = FaultyLine(line, MODULE_FAULTS[kind], world=world, name=case.name, script=script)
            module = PluggedModule(id="m1", line=line)
        robot = OpentronsTwin(world, name="robot", kit=NO_PIPETTES, modules=[module])
        wire = Wire("http://twin", app=_TappedApp(robot, tap))
        device = case.device(ModuleLine(wire) if kind is None else ModuleTransport(wire, kind=kind), bench)
        try:
            yield Setup(device, bench, world, tap)
        finally:
            await device.disconnect()
            world.close()

    return made


_HTTP: Mapping[Bad, str] = {
    Bad.CHECKSUM: NO_SUM,
    Bad.DUPLICATE: "HTTP has one answer to a request",
}


def _module_bench(driver: str, case: Case) -> DriverBench:
    kind = KINDS.get(case.name)
    return DriverBench(
        driver=driver,
        name=case.name,
        jobs=jobs_of((*TRIALS, *MODULE_TRIALS), case),
        setup=_plugged(case),
        repertoire=Repertoire(parts={}, verbs={}) if kind is None else MODULE_FAULTS[kind].repertoire,
        seam="bodies of the robot's HTTP answers",
        shape=JSON,
        names_in_unicode=True,
        without=_HTTP,
    )


HTTP_BENCHES = (
    DriverBench(
        driver="liquid_handler/opentrons",
        name=NAME,
        jobs=ROBOT_JOBS,
        setup=_robot,
        repertoire=OPENTRONS_FAULTS,
        seam="bodies of its HTTP answers",
        shape=JSON,
        names_in_unicode=True,
        without=_HTTP,
    ),
    _module_bench("thermocycler/opentrons_robot", CYCLER),
    _module_bench("incubator/opentrons_robot", HEATER_SHAKER),
    _module_bench("temperature_module/opentrons_robot", BLOCK),
    _module_bench("magnet/opentrons_robot", MAGNET),
)
