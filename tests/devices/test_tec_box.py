"""Inheco's control box: its reports, bad ones, and its USB port through PyLabRobot's own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from queue import Empty, Queue
from types import ModuleType
from typing import Any

import pytest
from pylabrobot.temperature_controlling.inheco.control_box import InhecoTECControlBox

from devices.incubator.tec_box import TecBox, TecSlot, real_tec_box
from devices.temperature_module.inheco_cpac import CPAC
from digital_twin.instruments.inheco import CPACTwin
from digital_twin.instruments.tec_reports import TecRack, pack, unpack
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import (
    CommandTimeout,
    ConnectionLost,
    DeviceFault,
    NonsenseReply,
)
from tests.devices.line_bench import SEATS, Water, make_bench
from tests.devices.tec_rig import WARM, TappedReports, on_box


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


# ---------------------------------------------------------------------------------------------------------------- bytes


@pytest.mark.parametrize("command", ["1RAT0", "3ASE1", "1STT370", "6RFV2"])
def test_what_fits_into_one_report_is_as_pylabrobot_makes_it(command: str) -> None:
    theirs = InhecoTECControlBox()._generate_packets(command)
    assert TecBox().reports(command) == [bytes(report[1:]) for report in theirs]


@pytest.mark.parametrize("command", ["3SSR1000", "1STT1050", "2SSR1999"])
def test_of_a_longer_command_the_first_report_goes_out_too_and_the_last_is_as_pylabrobot_makes_it(
    command: str,
) -> None:
    first, last = TecBox().reports(command)
    theirs = [bytes(report[1:]) for report in InhecoTECControlBox()._generate_packets(command)]
    # All of theirs are one and the same, so what the first was can't be told from it.
    assert theirs == [last, last]
    assert first == command[:7].encode() + b"#"


@pytest.mark.parametrize(
    "message", ["1RAT0", "3SSR1000", "3rfv0TWIN-TEC-3", "1rat00220", "1234567", "x" * 21]
)
def test_the_far_end_understands_what_was_packed_and_sees_one_wrong_bit(message: str) -> None:
    assert unpack(pack(message)) == message
    first, *rest = pack(message)
    assert unpack([bytes([first[0] ^ 1]) + first[1:], *rest]) is None
    if message == message.upper():
        assert unpack(TecBox().reports(message)) == message


def test_a_speed_that_takes_two_reports_is_what_the_plate_is_shaken_at(clock: LabClock) -> None:
    async def body() -> None:
        async with on_box(clock) as rig:
            await rig.shaker.incubate.set(WARM)
            shaken = [a for a in rig.world.ledger.actions if a.action == "shake"]
            assert [a.arguments["rpm"] for a in shaken] == [1200.0, 0.0]
            assert shaken[1].lab_time_s - shaken[0].lab_time_s == pytest.approx(60.0, abs=1.0)
            assert [a.arguments["position"] for a in shaken] == ["thermoshake"] * 2
            assert all(len(report) == 8 for report in rig.port.written)

    clock.run(body())


BAD: dict[str, tuple[list[bytes], type[DeviceFault]]] = {
    "nothing": ([], CommandTimeout),
    "cut off": ([b"3rat003#"], NonsenseReply),
    "no report": ([b"3rat0037"], NonsenseReply),
    "wrong checksum": ([b"3rat003#", b"70\xff\x00\x00\x00\x00\x00"], NonsenseReply),
    "another slot": (pack("1rat00370"), NonsenseReply),
    "another question": (pack("3rse01"), NonsenseReply),
    "no number": (pack("3rat0three"), NonsenseReply),
    "past any number": (pack("3rat099999999"), NonsenseReply),
    "hotter than any adapter": (pack("3rat09999"), NonsenseReply),
    "unicode": (pack("3rat0\u00b3\u00b7"), NonsenseReply),
    "no value": (pack("3rat0"), NonsenseReply),
    "no return code": (pack("3rat"), NonsenseReply),
    "unknown return code": (pack("3rat?"), NonsenseReply),
    "zeros": ([bytes(8)] * 9000, NonsenseReply),
    "flood": ([b"3rat000#"] * 9000, NonsenseReply),
    "flood of answers": (pack("3rse01") * 9000, NonsenseReply),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bytes_are_a_typed_fault_and_the_next_answer_is_right(name: str, clock: LabClock) -> None:
    async def body() -> None:
        async with on_box(clock) as rig:
            rig.port.instead, expected = BAD[name]
            with pytest.raises(expected):
                await rig.shaker.temperature_c.get_value(cached=False)
            rig.port.instead = None
            assert await rig.shaker.temperature_c.get_value(cached=False) == pytest.approx(22.0, abs=0.1)

    clock.run(body())


def test_an_answer_that_comes_twice_or_unasked_is_not_taken_for_the_next(clock: LabClock) -> None:
    async def body() -> None:
        async with on_box(clock) as rig:
            rig.port._out += pack("3rat00990") + pack("3rse01")
            assert await rig.shaker.temperature_c.get_value(cached=False) == pytest.approx(22.0, abs=0.1)
            rig.port.instead = [*pack("1rse01"), *pack("3rat00370"), *pack("3rat00370")]
            assert await rig.shaker.temperature_c.get_value(cached=False) == 37.0
            rig.port.instead = None
            assert await rig.shaker.temperature_c.get_value(cached=False) == pytest.approx(22.0, abs=0.1)

    clock.run(body())


def test_checksums_of_answers_are_held_to_once_one_was_right_and_not_before(clock: LabClock) -> None:
    async def body() -> None:
        port = TappedReports(TecRack({}))
        box = TecBox(port)
        await box.join()
        port.instead = [b"3rat003#", b"70\xff\x00\x00\x00\x00\x00"]
        assert await box.exchange("3RAT0", timeout_s=5.0) == "3rat00370"
        port.instead = pack("3rat00371")
        assert await box.exchange("3RAT0", timeout_s=5.0) == "3rat00371"
        port.instead = [b"3rat003#", b"70\xff\x00\x00\x00\x00\x00"]
        with pytest.raises(NonsenseReply, match="checksum"):
            await box.exchange("3RAT0", timeout_s=5.0)
        await box.leave()

    clock.run(body())


class UsbLibrary(ModuleType):
    """Stands for the module ``hid``: one box on USB, whose slots answer as those of a twin."""

    def __init__(self, world: World) -> None:
        super().__init__("hid")
        self.__spec__ = ModuleSpec("hid", None)
        self.HIDException = type("HIDException", (Exception,), {})
        self.rack = TecRack({3: CPACTwin(world, name="cpac", position="cpac")})
        self.out: Queue[bytes] = Queue()
        self.unplugged = False

    def enumerate(self) -> list[dict[str, object]]:
        return [{"vendor_id": 0x03EB, "product_id": 0x2023, "serial_number": "0815", "path": b"usb"}]

    def Device(self, path: bytes) -> UsbLibrary:  # noqa: N802  (the library's)
        assert path == b"usb"
        return self

    def close(self) -> None:
        """Nothing to give back."""

    def write(self, data: bytes) -> int:
        if self.unplugged:
            raise self.HIDException("No such device")
        assert len(data) == 8
        for report in pack(asyncio.run(self.rack.reply(unpack([data]) or ""))):
            self.out.put(report)
        return len(data)

    def read(self, size: int, timeout: int) -> bytes:
        try:
            return self.out.get(timeout=timeout / 1000.0)
        except Empty:
            return b""


def test_it_works_through_pylabrobots_own_usb_port_and_says_when_the_cable_is_out(monkeypatch: Any) -> None:
    with LabClock(virtual=False) as clock:
        bench = make_bench()
        world = World(clock=clock, seed=3, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        library = UsbLibrary(world)
        monkeypatch.setitem(sys.modules, "hid", library)
        for name, value in (("hid", library), ("USE_HID", True)):
            monkeypatch.setattr(f"pylabrobot.io.hid.{name}", value, raising=False)
        monkeypatch.setattr("pylabrobot.io.hid.HIDException", library.HIDException, raising=False)
        monkeypatch.setattr("devices.incubator.tec_box._GONE", (OSError, RuntimeError, library.HIDException))

        async def body() -> None:
            heater = CPAC("cpac", TecSlot(real_tec_box("0815"), 3))
            await heater.connect()
            assert (await heater.identify()).serial == "TWIN-TEC-3"
            assert await heater.temperature_c.get_value(cached=False) == pytest.approx(22.0, abs=0.1)
            library.unplugged = True
            with pytest.raises(ConnectionLost, match="No such device"):
                await heater.temperature_c.get_value(cached=False)
            library.unplugged = False
            assert await heater.temperature_c.get_value(cached=False) == pytest.approx(22.0, abs=0.1)
            await heater.disconnect()
            other = CPAC("cpac", TecSlot(real_tec_box("0816"), 3))
            with pytest.raises(ConnectionLost, match="No HID devices found"):
                await other.connect()

        clock.run(body())
