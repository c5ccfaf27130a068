"""A thermocycler that is plugged into a robot: the same device, and the same world, as on a line of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import pytest

from devices.opentrons_robot.kit import OT2, RobotKit
from devices.opentrons_robot.module_line import ModuleLine
from devices.opentrons_robot.wire import Wire
from devices.thermocycler import CloseLid, Heat, OpenLid
from devices.thermocycler.opentrons import OpentronsThermocycler
from devices.transport import InProcess, Transport
from digital_twin.instruments.opentrons_modules import PluggedThermocycler
from digital_twin.instruments.opentrons_robot import OpentronsTwin
from digital_twin.instruments.thermocycler import ThermocyclerTwin
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import ConnectionLost, DeviceFault, InstrumentBusy, InstrumentError, LidFault
from lab.types import Origin
from tests.devices.line_bench import SEATS, Water, make_bench
from tests.devices.opentrons.api_document import document, hold_exchange
from tests.devices.opentrons.robot_bench import Tap

HEAT = Heat(plate="assay_1", temperature_c=80.0, hold_s=120.0)

NO_PIPETTES = RobotKit(model=OT2, pipettes={}, slots={}, trash="fixedTrash")


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


class Plugged:
    """A thermocycler over a world, and the device at the other end of some wire."""

    def __init__(self, clock: LabClock, *, through_robot: bool) -> None:
        bench = make_bench(plate_at="thermocycler")
        self.world = World(clock=clock, seed=3, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        model = ThermocyclerTwin(self.world, name="cycler", position="thermocycler")
        self.model = model
        self.robot = OpentronsTwin(
            self.world,
            name="robot",
            kit=NO_PIPETTES,
            modules=[PluggedThermocycler(id="tc", line=model)],
        )
        self.tap = Tap(self.robot)
        line = ModuleLine(Wire("http://twin", app=self.tap)) if through_robot else InProcess(model)
        wire: Transport = line
        self.device = OpentronsThermocycler("cycler", wire)


@asynccontextmanager
async def plugged(clock: LabClock, *, through_robot: bool = True) -> AsyncIterator[Plugged]:
    made = Plugged(clock, through_robot=through_robot)
    await made.device.connect()
    try:
        yield made
    finally:
        await made.device.disconnect()
        made.world.close()


def test_it_says_who_it_is(clock: LabClock) -> None:
    async def body() -> None:
        async with plugged(clock) as made:
            identity = await made.device.identify()
            assert identity.serial.startswith("TWIN")
            assert identity.origin is Origin.TWIN
            assert not made.world.ledger.actions

    clock.run(body())


def test_it_does_to_the_world_what_it_does_on_a_line_of_its_own() -> None:
    ledgers, held = [], []
    for through_robot in (False, True):
        with LabClock(virtual=True) as clock:

            async def body(clock: LabClock = clock, through_robot: bool = through_robot) -> None:
                async with plugged(clock, through_robot=through_robot) as made:
                    await made.device.close_lid.set(CloseLid())
                    await made.device.heat.set(HEAT)
                    held.append(made.device.heat.result()["held_c"])
                    await made.device.open_lid.set(OpenLid())
                    ledgers.append(
                        [
                            (a.action, {k: v for k, v in a.arguments.items() if k != "start_c"})
                            for a in made.world.ledger.actions
                        ]
                    )

            clock.run(body())
    assert [action for action, _ in ledgers[0]][:3] == ["shut", "heat_lid", "set_temperature"]
    assert [one for one in ledgers[1] if one[0] != "heat_lid"] == [
        one for one in ledgers[0] if one[0] != "heat_lid"
    ]
    assert held[1] == pytest.approx(held[0], abs=0.5)


def test_its_safe_state_turns_block_and_lid_off(clock: LabClock) -> None:
    async def body() -> None:
        async with plugged(clock) as made:
            made.device.heat.set(HEAT)
            await asyncio.sleep(made.device.heat.duration_s(HEAT, make_bench()) - HEAT.hold_s)
            assert made.world.temperature_c("thermocycler") > 60.0
            made.device.heat.break_off("a person said so")
            await made.device.safe()
            await made.device.safe()
            assert made.world.state.climates["thermocycler"].set_c is None
            assert made.world.state.lid_heats["thermocycler"].target_c is None

    clock.run(body())


def test_what_the_module_refuses_and_what_the_robot_refuses_are_faults_of_their_kind(clock: LabClock) -> None:
    async def body() -> None:
        async with plugged(clock) as made:

            async def stuck(line: str) -> str:
                return "ERR502:lid:Lid motor fault OK" if line == "M126" else await reply(line)

            reply, made.model.reply = made.model.reply, stuck  # type: ignore[method-assign]
            with pytest.raises(LidFault):
                await made.device.open_lid.set(OpenLid())
            run = await made.device._link._transport._client.create_run()  # type: ignore[attr-defined]
            await made.device._link._transport._client.act(run.id, "play")  # type: ignore[attr-defined]
            with pytest.raises(InstrumentBusy):
                await made.device.close_lid.set(CloseLid())

    clock.run(body())


def test_a_robot_without_a_thermocycler_is_no_connection(clock: LabClock) -> None:
    async def body() -> None:
        made = Plugged(clock, through_robot=True)
        made.tap.app = OpentronsTwin(made.world, name="robot", kit=NO_PIPETTES)
        with pytest.raises(ConnectionLost, match="none is plugged in"):
            await ModuleLine(Wire("http://twin", app=made.tap)).open()

    clock.run(body())


def test_a_lost_connection_is_told_and_it_works_again_afterwards(clock: LabClock) -> None:
    async def body() -> None:
        async with plugged(clock) as made:

            async def gone(number: int, scope: Any, send: Any, go_on: Any) -> None:
                raise ConnectionResetError("gone")

            made.tap.spoil = gone
            with pytest.raises(DeviceFault) as caught:
                await made.device.close_lid.set(CloseLid())
            assert isinstance(caught.value, ConnectionLost)
            made.tap.spoil = None
            await made.device.close_lid.set(CloseLid())
            assert made.world.is_shut("thermocycler")

    clock.run(body())


def test_a_line_that_robots_have_no_command_for_is_not_made_up(clock: LabClock) -> None:
    async def body() -> None:
        async with plugged(clock) as made:
            with pytest.raises(DeviceFault, match="can't be said"):
                await made.device._link.ask("M301 P1")

    clock.run(body())


def test_its_requests_and_the_twins_answers_are_as_the_robots_own_document_has_them(clock: LabClock) -> None:
    document()

    async def body() -> list[Any]:
        async with plugged(clock) as made:
            await made.device.heat.set(HEAT)
            await made.device.open_lid.set(OpenLid())
            with pytest.raises(InstrumentError):
                await made.device._link.ask("M104 S150.00")
            return made.tap.seen

    seen = clock.run(body())
    assert {exchange.path for exchange in seen} == {"/modules", "/commands"}
    for exchange in seen:
        hold_exchange(
            exchange.method,
            exchange.path,
            dict(parse_qsl(exchange.query)),
            json.loads(exchange.body) if exchange.body else None,
            exchange.status,
            _without_nulls(json.loads(exchange.answer)),
        )


def _without_nulls(answer: Any) -> Any:
    """What is off is null on a robot, where the document, made by an older tool, has no word for null but a number."""
    for module in answer["data"] if isinstance(answer["data"], list) else ():
        for part in ("data", "usbPort"):
            module[part] = {name: 0 if value is None else value for name, value in module[part].items()}
    return answer
