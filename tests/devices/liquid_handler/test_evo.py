"""What the EVO's driver sends to the arm, byte for byte, and what it makes of its answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from pylabrobot.liquid_handling.backends.tecan.EVO_backend import EVOArm
from pylabrobot.liquid_handling.standard import Pickup
from pylabrobot.resources import Coordinate, DiTi_100ul_Te_MO, EVO150Deck
from pylabrobot.resources.tecan.tip_carriers import DiTi_SBS_3_Pos_MCA96

from devices.identity import Identity
from devices.liquid_handler import AddReagent, Mix
from devices.liquid_handler.evo import evo, real_evo
from devices.liquid_handler.evo_arm import EvoArm
from devices.liquid_handler.handler import Handler
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    CloggedTip,
    CommandTimeout,
    ConnectionLost,
    DeviceFault,
    FailedAspirate,
    InstrumentBusy,
    InstrumentError,
    LostTip,
)
from lab.types import Origin
from tests.devices.handler_fault_benches import DISTRIBUTE, tecan_bench
from tests.devices.liquid_handler.evo_firmware import EvoFirmware, Stroke


class Bed:
    """A real driver over firmware."""

    def __init__(self) -> None:
        EVOArm._pos_cache.clear()
        self.firmware = EvoFirmware()
        self.bench = tecan_bench()

        async def introduce() -> Identity:
            return Identity(vendor="Tecan", model="EVO", serial="TWIN-0", firmware="0", origin=Origin.TWIN)

        # As on hardware, but that the port is the firmware and that no USB library has to be there.
        self.driver = replace(real_evo(), introduce=introduce, needs=())
        self.arm: EvoArm = self.driver.backend
        self.arm.io = self.firmware

    async def connected(self) -> Handler:
        device = evo("handler", self.driver, bench=self.bench)
        await device.connect()
        self.firmware.frames.clear()
        self.firmware.strokes.clear()
        return device


def run(body: Callable[[Bed, Handler], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        bed = Bed()
        await body(bed, await bed.connected())

    with LabClock(virtual=True) as clock:
        clock.run(whole())


def at(bed: Bed, labware: str, well: str) -> tuple[int, int]:
    """X of a well and Y of its row's channel, in the arm's tenths of a millimetre, from where PyLabRobot has it."""
    place = bed.arm.deck.get_resource(labware).get_item(well)
    centre = place.get_location_wrt(bed.arm.deck) + place.center()
    return round((centre.x - 100.0) * 10), round((346.5 - centre.y) * 10)


def channel_0(stroke: Stroke) -> tuple[int, int]:
    return stroke.x, stroke.y


def test_each_portion_is_drawn_and_given_where_it_belongs_as_steps_of_the_plunger() -> None:
    async def body(bed: Bed, device: Handler) -> None:
        await device.distribute.set(DISTRIBUTE)
        drawn, *others = bed.firmware.strokes
        assert channel_0(drawn) == at(bed, "library", "B1")
        # PyLabRobot's water class of these tips: 1.042 ul for each, and 1.1 ul more.
        assert drawn.steps == (round((DISTRIBUTE.drawn_ul * 1.042 + 1.1) * 3), *[0] * 7)
        first, *stirred, second = others[:6]
        assert channel_0(first) == at(bed, "assay_1", "A1")
        assert first.steps[0] == -round((5.0 * 1.042 + 1.1) * 3)
        assert [one.steps[0] > 0 for one in stirred] == [True, False, True, False]
        assert sum(one.steps[0] for one in stirred) == 0
        assert channel_0(second) == at(bed, "assay_2", "C3")
        assert second.steps[0] == -round((4.0 * 1.042 + 1.1) * 3)

    run(body)


def test_only_the_channels_at_work_go_down_and_all_are_up_when_it_is_done() -> None:
    async def body(bed: Bed, device: Handler) -> None:
        await device.distribute.set(DISTRIBUTE)
        for stroke in bed.firmware.strokes:
            assert stroke.z[0] < 1500
            assert set(stroke.z[1:]) == {2100}
        assert set(bed.firmware.z) == {2100}
        assert bed.firmware.mounted == 0

    run(body)


def test_a_reagent_is_drawn_about_the_middle_of_its_trough_and_given_down_a_column() -> None:
    command = AddReagent(
        source_labware="buffer",
        source_well="A1",
        labware="assay_1",
        wells=("A1", "B1", "D1", "C2"),
        volume_ul=20.0,
        tip_volume_ul=50.0,
    )

    async def body(bed: Bed, device: Handler) -> None:
        await device.add_reagent.set(command)
        drawn, *given = bed.firmware.strokes
        trough = bed.arm.deck.get_resource("buffer")
        middle = trough.get_location_wrt(bed.arm.deck) + trough.center()
        assert drawn.x == round((middle.x - 100.0) * 10)
        used = [channel for channel, steps in enumerate(drawn.steps) if steps]
        assert used == [0, 1, 2, 3]
        assert drawn.y + 90 * 1.5 == pytest.approx((346.5 - middle.y) * 10, abs=1)
        assert [channel_0(one) for one in given] == [at(bed, "assay_1", "A1"), at(bed, "assay_1", "A2")]
        assert [[c for c, steps in enumerate(one.steps) if steps] for one in given] == [[0, 1, 3], [2]]
        top = 10 * (bed.arm.deck.get_resource("assay_1").get_item("A1").get_absolute_size_z() + 28.0)
        assert all(one.z[channel] > top for one in given for channel, s in enumerate(one.steps) if s)

    run(body)


def test_mixing_moves_as_much_down_as_up() -> None:
    async def body(bed: Bed, device: Handler) -> None:
        bed.bench.fill("assay_2", "A1", {"assay_buffer": 50.0})
        await device.mix.set(
            Mix(labware="assay_2", wells=("A1",), volume_ul=20.0, cycles=3, tip_volume_ul=50.0)
        )
        assert [one.steps[0] for one in bed.firmware.strokes] == [60, -60] * 3
        assert {channel_0(one) for one in bed.firmware.strokes} == {at(bed, "assay_2", "A1")}

    run(body)


def test_a_tip_is_fetched_where_pylabrobot_s_own_backend_would_fetch_it() -> None:
    """Its test has the frame for a rack of Tecan's on rail 10: X 2380, Y 1991."""
    deck, carrier = EVO150Deck(), DiTi_SBS_3_Pos_MCA96(name="carrier")
    carrier[0] = rack = DiTi_100ul_Te_MO(name="rack")
    deck.assign_child_resource(carrier, rails=10)
    arm = EvoArm()
    arm.set_deck(deck)
    op = Pickup(resource=rack.get_item("A1"), offset=Coordinate.zero(), tip=rack.get_tip("A1"))
    assert arm._above([op], [0]) == (2380, 1991)


def test_tips_left_on_the_arm_go_to_the_waste_when_it_is_set_up() -> None:
    async def whole() -> None:
        bed = Bed()
        bed.firmware.mounted = 0b101
        await bed.connected()
        assert bed.firmware.mounted == 0

    with LabClock(virtual=True) as clock:
        clock.run(whole())


@pytest.mark.parametrize(
    ("command", "code", "fault"),
    [
        ("AGT", 25, LostTip),
        ("AGT", 8, InstrumentBusy),
        ("PPR", 9, FailedAspirate),
        ("PPR", 18, CloggedTip),
        ("MAZ", 10, DeviceFault),
        ("MAZ", 99, DeviceFault),
    ],
)
def test_an_answer_of_the_arm_is_the_fault_that_it_stands_for_and_no_tip_stays_on(
    command: str, code: int, fault: type[DeviceFault]
) -> None:
    async def body(bed: Bed, device: Handler) -> None:
        bed.firmware.refuses[command] = code
        with pytest.raises(fault, match=rf"\({code}\)"):
            await device.distribute.set(DISTRIBUTE)
        await device.safe()
        assert bed.firmware.mounted == 0

    run(body)


def test_a_lost_cable_leaves_a_tip_that_the_safe_state_throws_away() -> None:
    async def body(bed: Bed, device: Handler) -> None:
        def gone(frame: str) -> None:
            if frame.startswith("C5AGT"):
                raise ConnectionResetError("gone")

        bed.firmware.instead = gone
        with pytest.raises(ConnectionLost):
            await device.distribute.set(DISTRIBUTE)
        # Opened anew, and once more when it is in step again.
        assert bed.firmware.openings == 3
        assert bed.firmware.mounted == 0

    run(body)


@pytest.mark.parametrize("said", [b"", b"\x02", b"\x02C5", b"C5garbage", b"\xff\xfe\xfd\xfc"])
def test_an_answer_that_is_none_is_a_typed_fault(said: bytes) -> None:
    async def body(bed: Bed, device: Handler) -> None:
        bed.firmware.instead = lambda frame: said
        with pytest.raises(DeviceFault):
            await device.distribute.set(DISTRIBUTE)

    run(body)


def test_an_answer_that_comes_late_is_not_taken_for_the_next_one() -> None:
    async def body(bed: Bed, device: Handler) -> None:
        def late(frame: str) -> None:
            if frame.startswith("C5MAZ") and bed.firmware.openings == 1:
                raise TimeoutError("no answer")

        bed.firmware.instead = late
        with pytest.raises(CommandTimeout):
            await device.distribute.set(DISTRIBUTE)
        # Opened anew, and once more when it is in step again.
        assert bed.firmware.openings == 3
        assert bed.firmware.mounted == 0

    run(body)


def test_less_than_a_liquid_class_has_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(BadInput, match="No volume_ul"):
        evo("handler", real_evo(), bench=tecan_bench(), limits={"volume_ul": (0.5, 2.0)})


def test_a_machine_that_is_not_on_usb_is_a_lost_connection() -> None:
    async def whole() -> None:
        bed = Bed()

        async def absent() -> None:
            raise RuntimeError("USB device Tecan EVO not found.")

        bed.firmware.setup = absent  # type: ignore[method-assign]
        with pytest.raises(ConnectionLost, match="not found"):
            await bed.connected()

    with LabClock(virtual=True) as clock:
        clock.run(whole())


def test_a_cable_that_was_pulled_is_a_lost_connection_until_it_is_plugged_in_again() -> None:
    async def body(bed: Bed, device: Handler) -> None:
        plugged_in, is_open = False, True
        setup = bed.firmware.setup

        # As PyLabRobot's port: what is not there is a RuntimeError, and what is shut can't be shut.
        async def open_port() -> None:
            nonlocal is_open
            if not plugged_in:
                raise RuntimeError("USB device not found.")
            await setup()
            is_open = True

        async def shut_port() -> None:
            nonlocal is_open
            if not is_open:
                raise ValueError("USB device was not connected.")
            is_open = False

        def gone(frame: str) -> None:
            if not plugged_in:
                raise OSError("no such device")

        bed.firmware.instead = gone
        bed.firmware.setup, bed.firmware.stop = open_port, shut_port  # type: ignore[method-assign]
        for _ in range(3):
            with pytest.raises(ConnectionLost):
                await device.distribute.set(DISTRIBUTE)
        plugged_in = True
        await device.distribute.set(DISTRIBUTE)
        assert bed.firmware.mounted == 0

    run(body)


def test_a_machine_whose_cable_is_out_can_be_disconnected_and_connected_again() -> None:
    async def body(bed: Bed, device: Handler) -> None:
        async def shut_already() -> None:
            # As PyLabRobot's port says it.
            raise ValueError("USB device was not connected.")

        shut = bed.firmware.stop
        bed.firmware.stop = shut_already  # type: ignore[method-assign]
        await device.disconnect()
        await device.disconnect()
        bed.firmware.stop = shut  # type: ignore[method-assign]
        await device.connect(force_reconnect=True)
        await device.distribute.set(DISTRIBUTE)
        assert bed.firmware.mounted == 0

    run(body)


def test_a_machine_with_another_number_of_channels_is_refused() -> None:
    async def whole() -> None:
        bed = Bed()
        bed.firmware._rnt = lambda which: (0, "4")  # type: ignore[method-assign]
        with pytest.raises(InstrumentError, match="4 channels"):
            await bed.connected()

    with LabClock(virtual=True) as clock:
        clock.run(whole())
