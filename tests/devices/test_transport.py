from __future__ import annotations

import asyncio
import os
import pty
from collections.abc import Iterator

import pytest

from devices.addresses import open_transport
from devices.streams import Serial, Tcp
from devices.transport import Framing, InProcess
from digital_twin.serve import serve
from lab.clock import LabClock
from lab.errors import BadInput, CommandTimeout, ConnectionLost, NonsenseReply
from tests.devices.taps import MemoryLine, Spoil, Tap
from tests.devices.wire_kinds import Bad

FRAMING = Framing(request_end="\r", reply_end="\r\n")


class Parrot:
    """Repeats what it is told, after a while if told to ``wait``."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.finished: list[str] = []

    async def reply(self, line: str) -> str:
        self.heard.append(line)
        if line.startswith("wait"):
            await asyncio.sleep(float(line.split()[1]))
        self.finished.append(line)
        return f"you said {line}"


@pytest.fixture
def wall() -> Iterator[LabClock]:
    with LabClock(virtual=False) as made:
        yield made


@pytest.fixture
def virtual() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


def test_in_process_a_model_goes_on_when_nobody_waits_any_longer(virtual: LabClock) -> None:
    parrot = Parrot()

    async def body() -> None:
        transport = InProcess(parrot)
        await transport.open()
        with pytest.raises(CommandTimeout):
            await transport.exchange("wait 60", timeout_s=5.0)
        assert virtual.now() == 5.0
        assert not parrot.finished
        await asyncio.sleep(60.0)
        assert parrot.finished == ["wait 60"]
        await transport.close()

    virtual.run(body())


def test_in_process_closing_ends_what_the_model_still_does(virtual: LabClock) -> None:
    parrot = Parrot()

    async def body() -> None:
        transport = InProcess(parrot)
        await transport.open()
        waiting = asyncio.create_task(transport.exchange("wait 60", timeout_s=100.0))
        await asyncio.sleep(1.0)
        await transport.close()
        with pytest.raises(ConnectionLost):
            await waiting
        assert len(asyncio.all_tasks()) == 1

    virtual.run(body())


def test_a_closed_transport_refuses(virtual: LabClock) -> None:
    async def body() -> None:
        for transport in (InProcess(Parrot()), Tcp("127.0.0.1", 9, framing=FRAMING)):
            with pytest.raises(ConnectionLost, match="not connected"):
                await transport.exchange("hello", timeout_s=1.0)
            await transport.close()

    virtual.run(body())


def test_nobody_at_the_port_is_a_lost_connection(wall: LabClock) -> None:
    async def body() -> None:
        async with serve(Parrot(), framing=FRAMING) as port:
            pass
        with pytest.raises(ConnectionLost, match="cannot connect"):
            await Tcp("127.0.0.1", port, framing=FRAMING).open()

    wall.run(body())


def test_a_late_answer_is_never_taken_for_the_next_one(wall: LabClock) -> None:
    async def body() -> None:
        async with serve(Parrot(), framing=FRAMING) as port:
            transport = Tcp("127.0.0.1", port, framing=FRAMING)
            await transport.open()
            with pytest.raises(CommandTimeout):
                await transport.exchange("wait 0.3", timeout_s=0.05)
            assert await transport.exchange("hello", timeout_s=5.0) == "you said hello"
            await transport.close()

    wall.run(body())


def test_in_process_the_next_exchange_reaches_an_instrument_that_is_there_again(virtual: LabClock) -> None:
    class Flickering(Parrot):
        there = False

        async def reply(self, line: str) -> str:
            if not self.there:
                raise ConnectionResetError("reset by peer")
            return await super().reply(line)

    async def body() -> None:
        parrot = Flickering()
        transport = InProcess(parrot)
        await transport.open()
        for _ in range(2):
            with pytest.raises(ConnectionLost, match="reset by peer"):
                await transport.exchange("hello", timeout_s=1.0)
        parrot.there = True
        assert await transport.exchange("hello", timeout_s=1.0) == "you said hello"
        await transport.close()

    virtual.run(body())


def test_over_tcp_the_next_exchange_reaches_an_instrument_that_is_there_again(wall: LabClock) -> None:
    async def body() -> None:
        async with serve(Parrot(), framing=FRAMING) as port:
            transport = Tcp("127.0.0.1", port, framing=FRAMING)
            await transport.open()
            assert await transport.exchange("one", timeout_s=5.0) == "you said one"
        for _ in range(2):
            with pytest.raises(ConnectionLost):
                await transport.exchange("two", timeout_s=5.0)
        async with serve(Parrot(), framing=FRAMING, port=port):
            assert await transport.exchange("three", timeout_s=5.0) == "you said three"
            await transport.close()

    wall.run(body())


def test_requests_of_several_callers_are_not_mixed_up(wall: LabClock) -> None:
    async def body() -> None:
        async with serve(Parrot(), framing=FRAMING) as port:
            transport = Tcp("127.0.0.1", port, framing=FRAMING)
            await transport.open()
            asked = [f"wait {0.01 * (3 - n)}" for n in range(3)]
            told = await asyncio.gather(*(transport.exchange(line, timeout_s=5.0) for line in asked))
            assert told == [f"you said {line}" for line in asked]
            await transport.close()

    wall.run(body())


def test_an_answer_without_end_is_nonsense(wall: LabClock) -> None:
    class Babbler:
        async def reply(self, line: str) -> str:
            return "la " * 50_000

    async def body() -> None:
        async with serve(Babbler(), framing=FRAMING) as port:
            transport = Tcp("127.0.0.1", port, framing=FRAMING)
            await transport.open()
            with pytest.raises(NonsenseReply, match="has no end"):
                await transport.exchange("hello", timeout_s=5.0)
            await transport.close()

    wall.run(body())


def test_a_serial_line_carries_both_ways(wall: LabClock) -> None:
    ours, theirs = pty.openpty()

    def instrument() -> None:
        heard = b""
        while not heard.endswith(b"\r"):
            heard += os.read(ours, 100)
        os.write(ours, b"you said ")
        os.write(ours, heard.strip() + b"\r\n")

    async def body() -> None:
        transport = Serial(os.ttyname(theirs), framing=FRAMING)
        await transport.open()
        answered = asyncio.get_running_loop().run_in_executor(None, instrument)
        assert await transport.exchange("hello", timeout_s=5.0) == "you said hello"
        await answered
        with pytest.raises(CommandTimeout):
            await transport.exchange("anybody there", timeout_s=0.05)
        await transport.close()
        await transport.close()

    try:
        wall.run(body())
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_serial_line_that_is_pulled_is_a_lost_connection(wall: LabClock) -> None:
    ours, theirs = pty.openpty()

    async def body() -> None:
        transport = Serial(os.ttyname(theirs), framing=FRAMING)
        await transport.open()
        os.close(theirs)
        asking = asyncio.create_task(transport.exchange("hello", timeout_s=5.0))
        await asyncio.sleep(0.05)
        os.close(ours)
        with pytest.raises(ConnectionLost):
            await asking
        await transport.close()

    wall.run(body())


def test_a_port_that_is_not_there_is_a_lost_connection(wall: LabClock) -> None:
    async def body() -> None:
        with pytest.raises(ConnectionLost, match="cannot connect"):
            await Serial("/dev/no-such-port", framing=FRAMING).open()

    wall.run(body())


@pytest.mark.parametrize(
    ("address", "where"),
    [("serial:/dev/ttyUSB0", "serial /dev/ttyUSB0"), ("tcp:192.168.0.1:10100", "tcp 192.168.0.1:10100")],
)
def test_an_address_of_a_workcell_file_names_a_transport(address: str, where: str) -> None:
    assert open_transport(address, framing=FRAMING).where == where


@pytest.mark.parametrize(
    "address", ["", "serial:", "tcp:host", "tcp:host:0", "tcp:host:http", "usb:1", "/dev/ttyUSB0"]
)
def test_what_is_no_address_is_refused_with_the_way_out(address: str) -> None:
    with pytest.raises(BadInput, match="Write serial:"):
        open_transport(address, framing=FRAMING)


class Echo:
    """Answers with the request itself."""

    async def reply(self, line: str) -> str:
        return line


def test_a_second_answer_that_is_another_is_nonsense_and_the_same_again_is_not() -> None:
    framing = Framing(settle_s=0.03)

    async def body() -> None:
        tap = Tap()
        line = MemoryLine(Echo(), framing=framing, tap=tap, serial=True)
        await line.open()
        tap.arm(Spoil(Bad.DUPLICATE, 0, 0))
        assert await line.exchange("one", timeout_s=5.0) == "one"
        assert await line.exchange("two", timeout_s=5.0) == "two"
        assert line._reader is not None
        # As the end of an answer that was given up long ago.
        asyncio.get_running_loop().call_later(0.01, line._reader.feed_data, b"three\n")
        with pytest.raises(NonsenseReply, match=r"'four' came .*, and then b'three"):
            await line.exchange("four", timeout_s=5.0)
        assert await line.exchange("five", timeout_s=5.0) == "five"
        await line.close()
        await line.end()

    with LabClock(virtual=True) as clock:
        clock.run(body())


def test_a_serial_line_in_doubt_is_listened_to_until_it_is_quiet() -> None:
    async def body() -> None:
        line = MemoryLine(Echo(), framing=Framing(), tap=Tap(), serial=True)
        await line.open()
        await line.exchange("one", timeout_s=5.0)
        await line.renew()
        asking = asyncio.ensure_future(line.exchange("two", timeout_s=5.0))
        for _ in range(5):
            # Each answer of before comes within the time that the line has to be quiet for.
            await asyncio.sleep(0.2)
            assert line._reader is not None
            line._reader.feed_data(b"late\n")
        assert not asking.done()
        assert await asking == "two"
        await line.close()
        await line.end()

    with LabClock(virtual=True) as clock:
        clock.run(body())
