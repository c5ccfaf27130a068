"""Heater-Shaker, Temperature and Magnetic Module on a robot: over its HTTP API, in this process and over a socket.

What the devices do is the contract of all line devices (tests/contracts); here it is that a robot stands between.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import pytest

from devices.climate_chamber import Keep
from devices.incubator import Incubate
from devices.magnet import Disengage, Engage
from devices.opentrons_robot.kit import OT2, RobotKit
from devices.opentrons_robot.modules import ModuleTransport
from devices.opentrons_robot.wire import Wire
from devices.temperature_module import Deactivate, SetTemperature
from digital_twin.http_server import serve_http
from digital_twin.instruments.opentrons_module_twins import MODULE_TWINS, ModuleTwin
from digital_twin.instruments.opentrons_modules import PluggedModule
from digital_twin.instruments.opentrons_robot import OpentronsTwin
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import ConnectionLost, InstrumentBusy, InstrumentError, NonsenseReply, OutOfRange
from lab.interfaces import Command
from tests.devices.line_bench import SEATS, Case, Water, make_bench
from tests.devices.module_bench import BLOCK, HEATER_SHAKER, MAGNET, MODULE_CASES
from tests.devices.opentrons.api_document import document, hold_exchange
from tests.devices.opentrons.robot_bench import Tap

NO_PIPETTES = RobotKit(model=OT2, pipettes={}, slots={}, trash="fixedTrash")

COMMANDS: dict[str, tuple[Command, ...]] = {
    HEATER_SHAKER.name: (
        Incubate(plate="assay_1", temperature_c=37.0, hold_s=5.0, shaking_rpm=600.0),
        Incubate(plate="assay_1", temperature_c=40.0, hold_s=5.0, shaking_rpm=None),
    ),
    BLOCK.name: (
        Keep(plate="assay_1", temperature_c=30.0, hold_s=5.0),
        SetTemperature(temperature_c=20.0),
        Deactivate(),
    ),
    MAGNET.name: (Engage(plate="assay_1", height_mm=6.5), Disengage()),
}

KINDS = {
    HEATER_SHAKER.name: "heaterShakerModuleType",
    BLOCK.name: "temperatureModuleType",
    MAGNET.name: "magneticModuleType",
}

cases = pytest.mark.parametrize("case", MODULE_CASES, ids=lambda case: KINDS[case.name])


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


class Plugged:
    """A module over a world, its robot, and the device at the other end of HTTP."""

    def __init__(self, case: Case, clock: LabClock) -> None:
        bench = make_bench(plate_at=case.plate_at)
        self.world = World(clock=clock, seed=3, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        self.kind = KINDS[case.name]
        twin = MODULE_TWINS[self.kind]
        self.model: ModuleTwin = twin(self.world, name=case.name, position=case.plate_at)
        self.robot = OpentronsTwin(
            self.world, name="robot", kit=NO_PIPETTES, modules=[PluggedModule(id="m1", line=self.model)]
        )
        self.tap = Tap(self.robot)
        self.device: Any = None

    def acts(self) -> list[tuple[str, Any]]:
        return [(a.action, a.arguments) for a in self.world.ledger.actions]


@asynccontextmanager
async def plugged(case: Case, clock: LabClock, *, socket: bool = False) -> AsyncIterator[Plugged]:
    made = Plugged(case, clock)
    async with AsyncExitStack() as stack:
        wire = Wire("http://twin", app=made.tap)
        if socket:
            wire = Wire(f"http://127.0.0.1:{await stack.enter_async_context(serve_http(made.tap))}")
        transport = ModuleTransport(wire, kind=made.kind)
        made.device = case.device(transport, make_bench(plate_at=case.plate_at))
        await made.device.connect()
        try:
            yield made
        finally:
            await made.device.disconnect()
            made.world.close()


def told_c(made: Plugged) -> float | None:
    return made.world.state.climates["block"].set_c


async def do(made: Plugged, command: Command) -> Any:
    verb = getattr(made.device, command.verb)
    await verb.set(command)
    return verb.result()


@cases
def test_through_a_robot_it_does_to_the_world_what_it_does_on_a_line_of_its_own(case: Case) -> None:
    from devices.transport import InProcess

    ledgers = []
    for seam in ("line", "robot", "socket"):
        with LabClock(virtual=True, pace=200.0 if seam == "socket" else None) as clock:

            async def body(clock: LabClock = clock, seam: str = seam) -> None:
                async with plugged(case, clock, socket=seam == "socket") as made:
                    if seam == "line":
                        await made.device.disconnect()
                        made.device = case.device(InProcess(made.model), make_bench(plate_at=case.plate_at))
                        await made.device.connect()
                    for command in COMMANDS[case.name]:
                        await do(made, command)
                    ledgers.append(made.acts())

            clock.run(body())
    assert ledgers[0]
    assert ledgers[1] == ledgers[0]
    assert ledgers[2] == ledgers[0]


@cases
def test_its_requests_and_the_twins_answers_are_as_the_robots_own_document_has_them(
    case: Case, clock: LabClock
) -> None:
    document()

    async def body() -> list[Any]:
        async with plugged(case, clock) as made:
            for command in COMMANDS[case.name]:
                await do(made, command)
            await made.device.safe()
            return made.tap.seen

    seen = clock.run(body())
    assert {exchange.path for exchange in seen} == {"/modules", "/commands"}
    for exchange in seen:
        answer = json.loads(exchange.answer)
        for module in answer["data"] if isinstance(answer["data"], list) else ():
            # What is off is null on a robot; the document, made by an older tool, knows only the other kind of value.
            off = {"errorDetails": ""}
            for part in ("data", "usbPort"):
                module[part] = {k: off.get(k, 0) if v is None else v for k, v in module[part].items()}
        hold_exchange(
            exchange.method,
            exchange.path,
            dict(parse_qsl(exchange.query)),
            json.loads(exchange.body) if exchange.body else None,
            exchange.status,
            answer,
        )


@cases
def test_what_the_module_refuses_is_a_fault_with_its_words(case: Case, clock: LabClock) -> None:
    wrong = {
        HEATER_SHAKER.name: 'heaterShaker/setAndWaitForShakeSpeed {"rpm": 500}',  # its latch is open
        BLOCK.name: 'temperatureModule/setTargetTemperature {"celsius": 150}',
        MAGNET.name: 'magneticModule/engage {"height": 40}',
    }

    async def body() -> None:
        async with plugged(case, clock) as made:
            with pytest.raises(InstrumentError, match=r"latch is open|150|40"):
                await made.device._link.ask(wrong[case.name])
            assert not made.acts()

    clock.run(body())


@cases
def test_while_a_run_is_under_way_on_its_robot_it_is_busy(case: Case, clock: LabClock) -> None:
    async def body() -> None:
        async with plugged(case, clock) as made:
            client = made.device._link._transport._client
            run = await client.create_run()
            await client.act(run.id, "play")
            with pytest.raises(InstrumentBusy):
                await do(made, COMMANDS[case.name][0])
            assert not made.acts()

    clock.run(body())


@cases
def test_an_answer_of_the_module_that_can_not_be_read_is_nonsense(case: Case, clock: LabClock) -> None:
    async def body() -> None:
        async with plugged(case, clock) as made:

            async def garbled(line: str) -> str:
                return "#~ 12;;"

            made.model.reply = garbled  # type: ignore[method-assign]
            with pytest.raises(NonsenseReply):
                await do(made, COMMANDS[case.name][0])

    clock.run(body())


def test_of_two_of_a_kind_the_one_of_the_serial_number_is_meant(clock: LabClock) -> None:
    async def body() -> None:
        made = Plugged(MAGNET, clock)
        twins = [
            PluggedModule(id=name, line=type(made.model)(made.world, name=name, position=name, serial=serial))
            for name, serial in (("magnet", "TWIN-1"), ("block", "TWIN-2"))
        ]
        robot = OpentronsTwin(made.world, name="robot", kit=NO_PIPETTES, modules=twins)
        wire = Wire("http://twin", app=robot)
        with pytest.raises(InstrumentError, match="TWIN-1, TWIN-2 are plugged in"):
            await ModuleTransport(wire, kind=made.kind).open()
        with pytest.raises(ConnectionLost, match="TWIN-3"):
            await ModuleTransport(wire, kind=made.kind, serial="TWIN-3").open()
        device = MAGNET.device(ModuleTransport(wire, kind=made.kind, serial="TWIN-2"), make_bench())
        await device.connect()
        await device.engage.set(Engage(plate="assay_1", height_mm=5.0))
        await device.disconnect()
        assert made.world.state.magnets_mm == {"block": 5.0}

    clock.run(body())


def test_a_heater_shaker_shakes_at_room_temperature_with_its_heater_off_and_holds_nothing_in_between(
    clock: LabClock,
) -> None:
    async def body() -> None:
        async with plugged(HEATER_SHAKER, clock) as made:
            between = Incubate(plate="assay_1", temperature_c=30.0, hold_s=5.0, shaking_rpm=300.0)
            with pytest.raises(OutOfRange, match="can't hold 30 C"):
                await do(made, between)
            assert not made.acts()
            await do(made, Incubate(plate="assay_1", temperature_c=22.0, hold_s=60.0, shaking_rpm=300.0))
            shaken = [(kind, told.get("rpm")) for kind, told in made.acts()]
            assert shaken == [("shut", None), ("shake", 300.0), ("shake", 0.0), ("shut", None)]

    clock.run(body())


def test_a_shaker_that_stopped_by_itself_is_told(clock: LabClock) -> None:
    async def body() -> None:
        async with plugged(HEATER_SHAKER, clock) as made:
            command = Incubate(plate="assay_1", temperature_c=22.0, hold_s=60.0, shaking_rpm=300.0)
            status = made.device.incubate.set(command)
            await asyncio.sleep(30.0)
            made.world.act("shaker", "shake", position="shaker", rpm=0.0)
            with pytest.raises(InstrumentError, match="stopped before its time"):
                await status

    clock.run(body())


def test_the_safe_state_turns_heat_off_and_leaves_cold_and_magnets(clock: LabClock) -> None:
    async def body() -> None:
        async with plugged(BLOCK, clock) as made:
            await do(made, SetTemperature(temperature_c=6.0))
            await made.device.safe()
            assert told_c(made) == 6.0
            await do(made, SetTemperature(temperature_c=40.0))
            await made.device.safe()
            assert told_c(made) is None
        async with plugged(MAGNET, clock) as made:
            await do(made, Engage(plate="assay_1", height_mm=5.0))
            await made.device.safe()
            assert made.world.state.magnets_mm == {"magnet": 5.0}

    clock.run(body())


def test_what_a_block_keeps_is_what_the_wells_come_to(clock: LabClock) -> None:
    async def body() -> None:
        async with plugged(BLOCK, clock) as made:
            result = await do(made, Keep(plate="assay_1", temperature_c=8.0, hold_s=1200.0))
            piece = made.world.state.pieces["assay_1"]
            made.world.state.evolve(piece, made.world.clock.now())
            assert result["temperature_c"] == pytest.approx(8.0, abs=0.5)
            assert piece.wells_c.mean() == pytest.approx(8.0, abs=1.0)

    clock.run(body())
