"""What comes over the wire from a robot that is not as it should be: a typed fault, never a wrong value, never a hang."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from devices.opentrons_robot import wire as wire_module
from devices.opentrons_robot.client import RobotClient
from devices.opentrons_robot.faults import Refused, fault_of
from devices.opentrons_robot.wire import Wire, robot_url
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
    LidFault,
    LostTip,
    NonsenseReply,
)


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


@pytest.fixture
def wall() -> Iterator[LabClock]:
    with LabClock(virtual=False) as made:
        yield made


def answering(
    raw: bytes, status: int = 200, *, kind: bytes = b"application/json"
) -> Callable[..., Awaitable[None]]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": raw})

    return app


async def asked(app: Callable[..., Awaitable[None]], what: str = "health") -> Any:
    wire = Wire("http://twin", app=app)
    await wire.open()
    try:
        client = RobotClient(wire)
        return await {
            "health": client.health,
            "pipettes": client.pipettes,
            "modules": client.modules,
            "current": client.current_run,
            "run": lambda: client.run("r"),
            "command": lambda: client.command("r", "c"),
            "commands": lambda: client.commands("r"),
            "find": lambda: client.find("r", ["k"]),
            "enqueue": lambda: client.enqueue("r", "home", {}, key="k"),
            "analysis": lambda: client.analysis("p"),
        }[what]()
    finally:
        await wire.close()


COMMAND = {"id": "c", "key": "k", "commandType": "home", "status": "succeeded", "params": {}}
RUN = {"id": "r", "status": "idle", "current": True, "errors": []}
PIPETTE = {
    "mount": "left",
    "instrumentType": "pipette",
    "ok": True,
    "instrumentName": "p20_single_gen2",
    "serialNumber": "1",
    "data": {"channels": 1, "min_volume": 1, "max_volume": 20},
}

NONSENSE: list[tuple[str, Any]] = [
    ("health", b""),
    ("health", b"<html>robot</html>"),
    ("health", b'{"name": "x", "robot_model": "OT-2 Stan'),
    ("health", b'{"name": "\xff\xfe"}'),
    ("health", b"[" * 100_000),
    ("health", [1, 2]),
    ("health", {"name": "x", "robot_model": "Hamilton", "api_version": "8"}),
    ("health", {"name": "x", "robot_model": "OT-2 Standard"}),
    ("pipettes", {"data": {}}),
    ("pipettes", {"data": [PIPETTE | {"mount": "middle"}]}),
    ("pipettes", {"data": [PIPETTE | {"data": {"channels": "eight", "min_volume": 1, "max_volume": 2}}]}),
    (
        "pipettes",
        b'{"data": [{"instrumentType": "pipette", "ok": true, "mount": "left", "data": {"channels": NaN}}]}',
    ),
    ("modules", {"data": [{"serialNumber": 3}]}),
    ("current", {"data": [{"id": "r", "status": "dancing"}]}),
    ("current", {"data": [RUN | {"errors": {}}]}),
    ("run", {"data": None}),
    ("command", {"data": COMMAND | {"status": "perhaps"}}),
    ("command", {"data": COMMAND | {"error": "no"}}),
    ("command", {"data": COMMAND | {"key": None}}),
    ("commands", {"data": [COMMAND]}),
    ("commands", {"data": [COMMAND], "meta": {"cursor": "0", "totalLength": 1}}),
    ("find", {"data": [], "meta": {"cursor": 0, "totalLength": 10**12}}),
    ("enqueue", {"data": COMMAND | {"key": "somebody else's"}}),
    ("analysis", {"data": ["done"]}),
]


@pytest.mark.parametrize(("what", "said"), NONSENSE, ids=range(len(NONSENSE)))
def test_an_answer_that_is_not_as_the_api_has_it_is_nonsense(clock: LabClock, what: str, said: Any) -> None:
    raw = said if isinstance(said, bytes) else json.dumps(said).encode()
    with pytest.raises(NonsenseReply):
        clock.run(asked(answering(raw), what))


def test_an_answer_without_end_is_nonsense(clock: LabClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "LARGEST_ANSWER", 10_000)
    with pytest.raises(NonsenseReply, match="no end"):
        clock.run(asked(answering(b" " * 20_000)))


def test_an_answer_that_does_not_come_is_a_timeout_in_lab_time(clock: LabClock) -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(3600.0)

    before_s = clock.now()
    with pytest.raises(CommandTimeout):
        clock.run(asked(silent))
    assert clock.now() - before_s < 60.0


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, {"errors": [{"id": "RunNotFound", "title": "x", "detail": "no such run"}]}, Refused),
        (409, {"errors": [{"id": "RunAlreadyActive", "title": "x", "detail": "y"}]}, InstrumentBusy),
        (409, {"errors": [{"id": "SetupCommandNotAllowed", "title": "x", "detail": "y"}]}, Refused),
        (422, {"message": "bad header", "errorCode": "4000"}, Refused),
        (422, {"detail": [{"loc": ["body"]}]}, Refused),
        (500, {"errors": "all"}, InstrumentError),
        (502, "<html>", InstrumentError),
        (503, {"message": "starting"}, InstrumentBusy),
        (302, None, Refused),
    ],
)
def test_a_refusal_is_told_by_its_kind_and_only_a_servers_failure_leaves_open_what_was_done(
    clock: LabClock, status: int, body: Any, kind: type[DeviceFault]
) -> None:
    with pytest.raises(DeviceFault) as caught:
        clock.run(asked(answering(json.dumps(body).encode(), status)))
    assert type(caught.value) is kind
    assert caught.value.nothing_done == (status not in (500, 502))


@pytest.mark.parametrize(
    ("kind", "code", "fault"),
    [
        ("tipPhysicallyMissing", "3003", LostTip),
        ("TipNotAttachedError", "3005", LostTip),
        ("overpressure", "3006", CloggedTip),
        ("liquidNotFound", "2017", FailedAspirate),
        ("RobotDoorOpenError", "4000", LidFault),
        ("stallOrCollision", "2003", InstrumentError),
        ("NobodyKnows", "9999", InstrumentError),
    ],
)
def test_a_failed_command_is_told_by_what_the_robot_says_of_it_even_when_it_is_wrapped(
    kind: str, code: str, fault: type[DeviceFault]
) -> None:
    error = {"errorType": kind, "errorCode": code, "detail": "so it is", "wrappedErrors": []}
    wrapped = {
        "errorType": "UnexpectedProtocolError",
        "errorCode": "4000",
        "detail": "?",
        "wrappedErrors": [error],
    }
    assert type(fault_of(error)) is fault
    assert type(fault_of(wrapped)) is fault
    assert "so it is" in str(fault_of(wrapped))


def test_wrapped_errors_that_wrap_each_other_for_ever_are_told_all_the_same() -> None:
    error: dict[str, Any] = {"errorType": "x", "errorCode": "4000", "detail": "round", "wrappedErrors": []}
    error["wrappedErrors"].append(error)
    assert "round" in str(fault_of(error))


@asynccontextmanager
async def _listening(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


RAW: list[tuple[bytes, type[DeviceFault]]] = [
    (b"", ConnectionLost),
    (b"220 mail.example ready\r\n\r\n", NonsenseReply),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", ConnectionLost),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}", NonsenseReply),
    (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", NonsenseReply),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", NonsenseReply),
    (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000, NonsenseReply),
    (b"\x00\xff" * 500, NonsenseReply),
]


@pytest.mark.parametrize(("raw", "kind"), RAW, ids=range(len(RAW)))
def test_bytes_on_a_socket_that_are_no_answer_are_a_fault_of_their_kind(
    wall: LabClock, raw: bytes, kind: type[DeviceFault]
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    async def body() -> None:
        async with _listening(talk) as url:
            wire = Wire(url)
            await wire.open()
            try:
                await RobotClient(wire).health()
            finally:
                await wire.close()

    with pytest.raises(DeviceFault) as caught:
        wall.run(body())
    assert type(caught.value) is kind


def test_where_nobody_listens_nothing_was_sent(wall: LabClock) -> None:
    async def body() -> None:
        async with _listening(lambda reader, writer: asyncio.sleep(0)) as url:
            wire = Wire(url)
        await wire.open()
        try:
            await RobotClient(wire).health()
        finally:
            await wire.close()

    with pytest.raises(ConnectionLost) as caught:
        wall.run(body())
    assert caught.value.nothing_done


def test_a_wire_that_is_closed_sends_nothing(clock: LabClock) -> None:
    with pytest.raises(ConnectionLost, match="not connected") as caught:
        clock.run(Wire("http://twin", app=answering(b"{}")).ask("GET", "/health"))
    assert caught.value.nothing_done


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://192.168.0.20:31950", "http://192.168.0.20:31950"),
        ("http://ot2.local", "http://ot2.local:31950"),
        ("http://[fd00::2]:31950/", "http://[fd00::2]:31950"),
    ],
)
def test_an_address_names_a_robot(address: str, url: str) -> None:
    assert robot_url(address) == url


@pytest.mark.parametrize(
    "address",
    [
        "",
        "192.168.0.20",
        "https://robot",
        "tcp:1.2.3.4:5",
        "http://",
        "http://a:b@c",
        "http://x:99999",
        "http://x/y",
    ],
)
def test_what_is_no_address_of_a_robot_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="no address") as refused:
        robot_url(address)
    assert refused.value.field == "address"


def test_what_a_held_up_network_has_not_delivered_of_a_request_given_up_never_arrives(wall: LabClock) -> None:
    """The robot reads nothing while the request is made, and all there is once it was given up."""
    body = "x" * 300_000

    async def ask(port: int) -> None:
        wire = Wire(f"http://127.0.0.1:{port}")
        await wire.open()
        try:
            with pytest.raises(CommandTimeout):
                await wire.ask("POST", "/commands", body=body, timeout_s=0.5)
        finally:
            await wire.close()

    with socket.socket() as listener:
        # So small that most of the request waits with the sender, as it does where the network is held up.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        wall.run(ask(listener.getsockname()[1]))
        robot, _ = listener.accept()
        with robot:
            robot.settimeout(20.0)
            arrived, was_reset = 0, False
            try:
                while chunk := robot.recv(65536):
                    arrived += len(chunk)
            except ConnectionResetError:
                was_reset = True
    assert was_reset
    assert arrived < len(body)
