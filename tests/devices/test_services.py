"""Lines that stand for service calls: what is written is read again, and what is no answer is never one."""

from __future__ import annotations

import pytest

from devices.opcua import DIALECT, LOST
from devices.services import OK, ServiceDialect, ServiceRequest, bad, call, get, given, put
from lab.errors import CommandTimeout, ConnectionLost, InstrumentBusy, InstrumentError, NonsenseReply
from lab.types import JsonValue


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (get("Door/State"), ServiceRequest(kind="get", name="Door/State")),
        (
            put("Timer/TargetValue", "Double", 60_000.0),
            ServiceRequest(kind="set", name="Timer/TargetValue", type="Double", values=(60_000.0,)),
        ),
        (call("Door/Open"), ServiceRequest(kind="call", name="Door/Open", values=())),
        (
            call("Echo", "Grüße, \n and a space", [1, 2], True),
            ServiceRequest(kind="call", name="Echo", values=("Grüße, \n and a space", [1, 2], True)),
        ),
    ],
)
def test_a_request_is_read_as_it_was_written(line: str, read: ServiceRequest) -> None:
    assert ServiceRequest.parse(line) == read
    assert "\n" not in line


@pytest.mark.parametrize(
    "line", ["", "get", "get ", "get a b", "set a Double", "set a Double x", "call a", "put a 1"]
)
def test_what_is_no_request_is_not_read_as_one(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ServiceRequest.parse(line)


@pytest.mark.parametrize(
    ("value", "type_", "text"),
    [(37.05, "Double", "37.05"), (7, "Int32", "7"), (True, "Boolean", "1"), ("an oven", "String", "an oven")],
)
def test_a_value_is_had_by_its_type(value: JsonValue, type_: str, text: str) -> None:
    dialect = ServiceDialect()
    payload = dialect.payload("get x", given(type_, value))
    assert dialect.pick(payload, type_) == text
    with pytest.raises(NonsenseReply, match="is no Float"):
        dialect.pick(payload, "Float")


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ("get x", OK),
        ("get x", ""),
        ("get x", "Double"),
        ("get x", "12.5"),
        ("get x", "#~ 12;;"),
        ("get x", "Double " + "9" * 5000),
        ("get x", "bad"),
        ("set x Double 1", "Double 1.0"),
        ("call x []", "okay"),
    ],
)
def test_what_is_no_answer_is_nonsense(request_: str, reply: str) -> None:
    with pytest.raises(NonsenseReply):
        ServiceDialect().payload(request_, reply)


@pytest.mark.parametrize("payload", ["Double", "Double {", "Double 1.0 2.0", "Double NaN?"])
def test_a_value_that_is_cut_off_or_doubled_is_nonsense(payload: str) -> None:
    with pytest.raises(NonsenseReply):
        ServiceDialect().pick(payload, "Double")


@pytest.mark.parametrize(
    ("code", "fault", "nothing_done"),
    [
        ("BadInvalidState", InstrumentBusy, True),
        ("BadOutOfRange", InstrumentError, True),
        ("BadDeviceFailure", InstrumentError, False),
        ("BadTimeout", CommandTimeout, False),
        *((code, ConnectionLost, False) for code in sorted(LOST)),
    ],
)
def test_a_status_code_of_opc_ua_is_the_fault_that_it_stands_for(
    code: str, fault: type[Exception], nothing_done: bool
) -> None:
    with pytest.raises(fault, match=code) as caught:
        DIALECT.payload("call Door/Open []", bad(code, "says\nthe server"))
    assert caught.value.nothing_done is nothing_done  # type: ignore[attr-defined]
