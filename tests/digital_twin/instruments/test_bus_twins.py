"""Twins of furnace, syringe pump, analyzer and stage, asked without a driver: what they take, and what they refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from devices.furnace.eurotherm import TWIN_TYPE, Register, long_at
from devices.modbus import read_registers, write_register, write_registers
from digital_twin.instruments.aq6370 import AQ6370Twin, MS2000Twin
from digital_twin.instruments.eurotherm import HIGHEST_C, EurothermTwin
from digital_twin.instruments.ne1000 import NE1000Twin
from digital_twin.serve_modbus import serve_modbus
from digital_twin.world import World
from lab.clock import LabClock
from tests.devices.line_bench import SEATS, Water, make_bench


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


def world_at(clock: LabClock, position: str) -> World:
    bench = make_bench(plate_at=position)
    return World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        ("04", "8401"),
        ("", "8001"),
        ("zz", "8001"),
        (read_registers(9999), "8302"),
        (read_registers(long_at(Register.PROCESS_VALUE) + 1, 2), "8302"),
        (read_registers(long_at(Register.PROCESS_VALUE), 1), "8302"),
        (read_registers(1, 126), "8303"),
        (read_registers(1, 0), "8303"),
        (read_registers(1)[:-2], "8303"),
        (write_register(Register.TYPE, 1), "8602"),
        (write_register(Register.PROGRAM_STATUS, 7), "8603"),
        (write_registers(long_at(Register.SETPOINT_1), [0x7F80, 0]), "9003"),
        (write_registers(long_at(Register.SETPOINT_1), [0x7FC0, 0]), "9003"),
        (write_registers(long_at(Register.SETPOINT_1), [0, 0])[:-4], "9003"),
    ],
)
def test_the_controller_refuses_what_it_can_not_do_by_the_protocols_own_exceptions(
    request_: str, refusal: str, clock: LabClock
) -> None:
    async def body() -> None:
        world = world_at(clock, "furnace")
        assert await EurothermTwin(world, name="furnace", position="furnace").reply(request_) == refusal
        assert not world.ledger.actions

    clock.run(body())


def test_the_controller_clips_a_set_point_to_its_limit(clock: LabClock) -> None:
    async def body() -> None:
        twin = EurothermTwin(world_at(clock, "furnace"), name="furnace", position="furnace")
        await twin.reply(write_registers(long_at(Register.SETPOINT_1), [0x4479, 0xC000]))
        assert await twin.reply(read_registers(Register.SETPOINT_1)) == f"0302{round(HIGHEST_C):04x}"

    clock.run(body())


def test_the_controller_regulates_to_its_set_point_and_stops_by_hand(clock: LabClock) -> None:
    async def body() -> None:
        world = world_at(clock, "furnace")
        twin = EurothermTwin(world, name="furnace", position="furnace")
        await twin.reply(write_register(Register.SETPOINT_1, 60))
        await asyncio.sleep(600.0)
        assert world.temperature_c("furnace") == pytest.approx(60.0, abs=0.5)
        output = await twin.reply(read_registers(Register.WORKING_OUTPUT))
        assert 0 < int(output[4:], 16) < 20
        await twin.reply(write_register(Register.MODE, 1))
        await asyncio.sleep(1200.0)
        assert world.temperature_c("furnace") == pytest.approx(22.0 + 38.0 / 2.718, abs=1.0)

    clock.run(body())


def test_pymodbuss_own_client_reads_the_twin(clock: LabClock) -> None:
    client_of = pytest.importorskip("pymodbus.client").AsyncModbusTcpClient

    with LabClock(virtual=True, pace=10.0) as paced:

        async def body() -> None:
            twin = EurothermTwin(world_at(paced, "furnace"), name="furnace", position="furnace")
            async with serve_modbus(twin) as port:
                client = client_of("127.0.0.1", port=port, timeout=100.0)
                assert await client.connect()
                kind = await client.read_holding_registers(Register.TYPE, device_id=1)
                assert kind.registers == [TWIN_TYPE]
                here = await client.read_holding_registers(long_at(Register.PROCESS_VALUE), count=2)
                floats = client.convert_from_registers(here.registers, client.DATATYPE.FLOAT32)
                assert floats == pytest.approx(22.0)
                refused = await client.read_holding_registers(9999)
                assert (refused.isError(), refused.exception_code) == (True, 2)
                client.close()

        paced.run(body())


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("VER", "00SNE1000V0.1"),
        ("ver", "00SNE1000V0.1"),
        ("DIA 14.43", "00S"),
        ("DIA 0", "00S?OOR"),
        ("DIA x", "00S?"),
        ("VOL 12345", "00S?"),
        ("RAT 9999 MM", "00S?OOR"),
        ("RAT 0", "00S?OOR"),
        ("SAF 256", "00S?OOR"),
        ("STP", "00S?NA"),
        ("JUMP", "00S?"),
        ("DIS", "00SI0.000W0.000UL"),
    ],
)
def test_the_pump_answers_as_its_manual_says(line: str, reply: str, clock: LabClock) -> None:
    async def body() -> None:
        world = world_at(clock, "pump_outlet")
        twin = NE1000Twin(world, name="pump", syringe_at="pump_syringe", outlet_at="pump_outlet")
        assert await twin.reply(line) == reply

    clock.run(body())


def test_the_pump_counts_as_it_goes_and_takes_no_other_volume_meanwhile(clock: LabClock) -> None:
    async def body() -> None:
        world = world_at(clock, "pump_outlet")
        twin = NE1000Twin(world, name="pump", syringe_at="pump_syringe", outlet_at="pump_outlet")
        for line in ("VOL 60.00", "RAT 60.00 UM", "RUN"):
            assert "?" not in await twin.reply(line)
        await asyncio.sleep(30.0)
        assert (await twin.reply("DIS")).startswith("00II30.0")
        assert await twin.reply("VOL 5.000") == "00I?NA"
        assert await twin.reply("STP") == "00P"
        await asyncio.sleep(100.0)
        assert (await twin.reply("DIS")).startswith("00PI30.0")
        assert await twin.reply("RUN") == "00I"
        await asyncio.sleep(100.0)
        assert await twin.reply("DIS") == "00SI60.00W0.000UL"

    clock.run(body())


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (":SENS:AVER:COUN 3;:SYST:ERR?", '0,"No error"'),
        (":sense:average:count 3;:system:error:next?", '0,"No error"'),
        (":SENSE:AVER:COUN 0;:SYST:ERR?", '-222,"Data out of range"'),
        (":SENS:AVER:COUN many;:SYST:ERR?", '-120,"Numeric data error"'),
        (":SENS:AVERA:COUN 3;:SYST:ERR?", '-113,"Undefined header"'),
        (":SENS:WAV:STAR 100NM;:SYST:ERR?", '-222,"Data out of range"'),
        (":SENS:WAV:STAR 0.5UM;:SYST:ERR?", '0,"No error"'),
        (":SENS:SENS BEST;:SYST:ERR?", '-224,"Illegal parameter value"'),
        (":TRAC:Y? TRA;:SYST:ERR?", '-230,"Data corrupt or stale"'),
        (":INIT;:INIT;:SYST:ERR?", '-213,"Init ignored"'),
        ("*OPC?;*ESR?", "1;0"),
    ],
)
def test_the_analyzer_answers_in_scpi(line: str, reply: str, clock: LabClock) -> None:
    async def body() -> None:
        world = world_at(clock, "spectrometer")
        twin = AQ6370Twin(world, name="spectrometer", position="spectrometer", well=lambda: "A1")
        assert await twin.reply(line) == reply

    clock.run(body())


def test_the_queue_of_errors_says_when_it_ran_over(clock: LabClock) -> None:
    async def body() -> None:
        world = world_at(clock, "spectrometer")
        twin = AQ6370Twin(world, name="spectrometer", position="spectrometer", well=lambda: "A1")
        for _ in range(30):
            assert await twin.reply(":NONSense") == ""
        said = [await twin.reply(":SYST:ERR?") for _ in range(21)]
        assert said[-2:] == ['-350,"Queue overflow"', '0,"No error"']

    clock.run(body())


def test_the_stage_moves_at_its_own_pace_and_lights_one_well_at_a_time(clock: LabClock) -> None:
    async def body() -> None:
        stage = MS2000Twin(world_at(clock, "spectrometer"), name="stage", a1_mm=(1.0, 2.0))
        assert stage.well_in_light() == ""
        assert await stage.reply("M X=10000 Y=20000") == ":A"
        assert await stage.reply("/") == "B"
        assert stage.well_in_light() == ""
        await asyncio.sleep(10.0)
        assert await stage.reply("/") == "N"
        assert await stage.reply("W X Y") == ":A 10000.0 20000.0 "
        assert stage.well_in_light() == "A1"
        for line, reply in (("M X=9999999 Y=0", ":N-4"), ("M X=1", ":N-1"), ("HOP", ":N-1"), ("\\", ":A")):
            assert await stage.reply(line) == reply

    clock.run(body())
