"""What is plugged into the slots of an Inheco box: the wrong device, a shared box, return codes, and each twin's faults."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from devices.climate_chamber import Keep
from devices.incubator import Incubate
from devices.incubator.inheco import CODES, ThermoShake
from devices.incubator.tec_box import TecBox, TecSlot, real_tec_box
from devices.temperature_module import Deactivate, SetTemperature
from devices.temperature_module.inheco_cpac import CPAC
from digital_twin.faults import BEFORE_OR_AFTER, FaultRule, Moment
from digital_twin.instruments.tec_faults import CPAC_FAULTS, THERMOSHAKE_FAULTS
from digital_twin.instruments.tec_reports import TecRack, TwinReports
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    ConnectionLost,
    DeviceFault,
    InstrumentBusy,
    InstrumentError,
    MissingData,
    OutOfRange,
)
from lab.types import Origin
from tests.devices.tec_rig import STILL, WARM, TappedReports, on_box


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


# ------------------------------------------------------------------------------------------------------- slots and box


def test_two_devices_share_a_box_and_each_hears_its_own_slot(clock: LabClock) -> None:
    async def body() -> None:
        async with on_box(clock) as rig:
            assert rig.port.opened == 1
            one, other = await rig.shaker.identify(), await rig.heater.identify()
            assert (one.model, other.model) == ("ThermoShake", "CPAC")
            assert one.origin is other.origin is Origin.TWIN
            await asyncio.gather(
                rig.shaker.incubate.set(WARM), rig.heater.incubate.set(STILL), return_exceptions=True
            )
            told = {
                (a.instrument, a.arguments["temperature_c"])
                for a in rig.world.ledger.actions
                if a.action == "set_temperature"
            }
            assert told == {("thermoshake", 37.0), ("thermoshake", None), ("cpac", 30.0), ("cpac", None)}
            await rig.heater.disconnect()
            assert (await rig.shaker.identify()).model == "ThermoShake"

    clock.run(body())


def test_a_device_of_another_kind_in_the_slot_is_refused_when_it_connects(clock: LabClock) -> None:
    async def body() -> None:
        async with on_box(clock) as rig:
            wrong = CPAC("cpac", TecSlot(rig.box, 3))
            with pytest.raises(InstrumentError, match="a ThermoShake is plugged into the slot, not a CPAC"):
                await wrong.connect()
            await wrong.disconnect()
            nobody = CPAC("cpac", TecSlot(rig.box, 5))
            with pytest.raises(InstrumentError, match="nothing is plugged into this slot"):
                await nobody.connect()
            await nobody.disconnect()

    clock.run(body())


def test_a_box_that_was_reset_says_so_once_and_is_then_asked_again(clock: LabClock) -> None:
    async def body() -> None:
        async with on_box(clock) as rig:
            told = 0

            async def reset(line: str) -> str:
                nonlocal told
                told += 1
                return f"{line[:3].lower()}6" if told == 1 else await rig.shaker_wire.model.reply(line)

            rig.shaker_wire.instead = reset
            assert (await rig.shaker.identify()).model == "ThermoShake"
            told = 0
            await rig.shaker.safe()
            told = 0
            with pytest.raises(InstrumentError, match="it was reset"):
                await rig.shaker.incubate.set(WARM)

    clock.run(body())


def test_a_shaker_that_stops_by_itself_is_noticed_while_it_should_shake(clock: LabClock) -> None:
    async def body() -> None:
        async with on_box(clock) as rig:
            status = rig.shaker.incubate.set(WARM)
            while not rig.world.state.shaking_rpm.get("thermoshake") and not status.done:  # noqa: ASYNC110  (a world has no events)
                await asyncio.sleep(1.0)
            await asyncio.sleep(15.0)
            rig.world.act("thermoshake", "shake", position="thermoshake", rpm=0.0)
            with pytest.raises(InstrumentError, match="stopped shaking by itself"):
                await status
            assert rig.world.state.climates["thermoshake"].set_c is None

    clock.run(body())


def test_a_heater_without_a_shaker_refuses_to_shake_and_a_temperature_is_rounded_to_tenths(
    clock: LabClock,
) -> None:
    async def body() -> None:
        async with on_box(clock) as rig:
            with pytest.raises(OutOfRange, match="no shaker"):
                await rig.heater.incubate.set(WARM)
            # 64.1 times ten is a little less than 641 in binary.
            odd = Incubate(plate="assay_1", temperature_c=64.1, hold_s=1.0, shaking_rpm=None)
            await rig.heater.incubate.set(odd)
            told = [a.arguments["temperature_c"] for a in rig.world.ledger.actions]
            assert told == [64.1, None]

    clock.run(body())


def test_a_block_that_was_told_a_temperature_stays_there_and_is_left_cold_but_not_warm_when_it_is_made_safe(
    clock: LabClock,
) -> None:
    async def body() -> None:
        async with on_box(clock) as rig:
            regulated = rig.world.state.climates
            await rig.heater.set_temperature.set(SetTemperature(temperature_c=8.0))
            assert rig.heater.set_temperature.result()["temperature_c"] == pytest.approx(8.0, abs=0.5)
            await asyncio.sleep(3600.0)
            assert rig.world.temperature_c("cpac") == pytest.approx(8.0, abs=0.2)
            await rig.heater.safe()
            assert regulated["cpac"].set_c == 8.0
            await rig.heater.deactivate.set(Deactivate())
            assert regulated["cpac"].set_c is None
            await rig.heater.set_temperature.set(SetTemperature(temperature_c=40.0))
            await rig.heater.safe()
            assert regulated["cpac"].set_c is None

    clock.run(body())


def test_a_plate_is_kept_for_its_time_and_air_is_not_what_a_block_controls(clock: LabClock) -> None:
    async def body() -> None:
        async with on_box(clock) as rig:
            await rig.heater.keep.set(Keep(plate="assay_1", temperature_c=30.0, hold_s=120.0))
            told = [a for a in rig.world.ledger.actions if a.action == "set_temperature"]
            assert [a.arguments["temperature_c"] for a in told] == [30.0, None]
            assert told[1].lab_time_s - told[0].lab_time_s > 120.0
            wet = Keep(plate="assay_1", temperature_c=30.0, hold_s=1.0, humidity_percent=80.0)
            with pytest.raises(OutOfRange, match="no control of humidity"):
                await rig.heater.keep.set(wet)

    clock.run(body())


@pytest.mark.parametrize("code", CODES)
def test_each_return_code_is_told_in_words(code: str, clock: LabClock) -> None:
    async def body() -> None:
        async with on_box(clock) as rig:

            async def refuse(line: str) -> str:
                return f"{line[:3].lower()}{code}"

            rig.shaker_wire.instead = refuse
            with pytest.raises(InstrumentBusy if code == "A" else InstrumentError, match=CODES[code]):
                await rig.shaker.temperature_c.get_value(cached=False)

    clock.run(body())


def test_without_the_usb_library_it_says_what_to_install(clock: LabClock, monkeypatch: Any) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    async def body() -> None:
        device = ThermoShake("thermoshake", TecSlot(real_tec_box(), 1))
        with pytest.raises(MissingData) as told:
            await device.connect()
        assert "pylabrobot[hid]" in told.value.way_out

    clock.run(body())


def test_a_box_that_is_not_there_is_a_lost_connection(clock: LabClock) -> None:
    class Nowhere(TappedReports):
        async def setup(self) -> None:
            raise RuntimeError("No HID devices found for VID=0x03EB, PID=0x2023.")

    async def body() -> None:
        device = ThermoShake("thermoshake", TecSlot(TecBox(Nowhere(TecRack({}))), 1))
        with pytest.raises(ConnectionLost, match="No HID devices found"):
            await device.connect()
        with pytest.raises(ConnectionLost, match="not connected"):
            await device.identify()

    clock.run(body())


def test_there_is_no_seventh_slot() -> None:
    with pytest.raises(BadInput, match="no slot 7"):
        TecSlot(TecBox(TwinReports(TecRack({}))), 7)


# -------------------------------------------------------------------------------------------------------------- faults

DEVICES = {"thermoshake": (THERMOSHAKE_FAULTS, WARM), "cpac": (CPAC_FAULTS, STILL)}
COMMANDS = {
    "keep": Keep(plate="assay_1", temperature_c=30.0, hold_s=60.0),
    "set_temperature": SetTemperature(temperature_c=30.0),
    "deactivate": Deactivate(),
}
SCRIPTED = [
    FaultRule(instrument=name, kind=kind, where=where, at=(1,), moment=moment)
    for name, (faults, _) in DEVICES.items()
    for where, kinds in (*faults.repertoire.verbs.items(), *faults.repertoire.parts.items())
    for kind in sorted(kinds)
    for moment in ((Moment.BEFORE, Moment.AFTER) if kind in BEFORE_OR_AFTER else (Moment.BEFORE,))
]


@pytest.mark.parametrize("rule", SCRIPTED, ids=lambda rule: f"{rule.instrument}-{rule.key}")
def test_each_fault_of_a_twin_is_told_by_its_kind_and_leaves_nothing_going(
    rule: FaultRule, clock: LabClock
) -> None:
    async def body() -> None:
        async with on_box(clock, rule) as rig:
            device = rig.shaker if rule.instrument == "thermoshake" else rig.heater
            command = COMMANDS.get(rule.where, DEVICES[rule.instrument][1])
            with pytest.raises(DeviceFault) as met:
                await getattr(device, command.verb).set(command)
            assert met.value.kind is rule.kind
            struck = [a for a in rig.world.ledger.actions if a.action == "fault"]
            assert [a.arguments["rule"] for a in struck] == [rule.key]
            # A silent wire may have kept the first safe state from being reached.
            await device.safe()
            assert rig.world.state.climates[rule.instrument].set_c is None
            assert not rig.world.state.shaking_rpm.get(rule.instrument)

    clock.run(body())
