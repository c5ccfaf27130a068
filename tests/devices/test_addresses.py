"""Addresses of workcell files: each scheme gives its wire, and what is none is refused with a way out."""

from __future__ import annotations

import sys

import pytest

from devices.addresses import open_transport
from devices.modbus import ModbusRtu, ModbusTcp
from devices.streams import Serial, Tcp
from devices.transport import Framing
from devices.visa import Visa
from lab.errors import BadInput, MissingData

ALL = ("serial", "tcp", "visa", "modbus")
FRAMING = Framing()


@pytest.mark.parametrize(
    ("address", "kind", "where"),
    [
        ("serial:/dev/ttyUSB0", Serial, "serial /dev/ttyUSB0"),
        ("tcp:192.168.0.1:10100", Tcp, "tcp 192.168.0.1:10100"),
        ("modbus:192.168.0.1:502/1", ModbusTcp, "modbus 192.168.0.1:502/1"),
        ("modbus:gateway.local:1502/247", ModbusTcp, "modbus gateway.local:1502/247"),
        ("modbus:/dev/ttyUSB0/3", ModbusRtu, "modbus /dev/ttyUSB0/3"),
        ("modbus:/dev/serial/by-id/usb-FTDI/3", ModbusRtu, "modbus /dev/serial/by-id/usb-FTDI/3"),
    ],
)
def test_an_address_gives_the_wire_that_it_names(address: str, kind: type, where: str) -> None:
    wire = open_transport(address, framing=FRAMING, schemes=ALL)
    assert isinstance(wire, kind)
    assert wire.where == where


@pytest.mark.parametrize(
    "resource", ["TCPIP0::192.168.0.1::10001::SOCKET", "GPIB0::12::INSTR", "ASRL1::INSTR"]
)
def test_a_visa_address_gives_the_resource(resource: str) -> None:
    pytest.importorskip("pyvisa")
    wire = open_transport(f"visa:{resource}", framing=FRAMING, schemes=ALL)
    assert isinstance(wire, Visa)
    assert wire.where == f"visa {resource}"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "serial:",
        "tcp:host",
        "tcp:host:0",
        "tcp:host:65536",
        "tcp:host:１０１",
        "visa:",
        "modbus:192.168.0.1:502",
        "modbus:192.168.0.1:502/0",
        "modbus:192.168.0.1:502/248",
        "modbus:192.168.0.1:502/x",
        "modbus:192.168.0.1/1",
        "modbus:/1",
        "http://host",
    ],
)
def test_what_is_no_address_is_refused_with_examples(address: str) -> None:
    with pytest.raises(BadInput, match="no address of an instrument") as refused:
        open_transport(address, framing=FRAMING, schemes=ALL)
    assert refused.value.field == "address"
    assert "modbus:192.168.0.1:502/1" in refused.value.way_out


def test_a_scheme_that_the_driver_does_not_speak_is_refused_and_the_ones_it_does_are_named() -> None:
    with pytest.raises(BadInput) as refused:
        open_transport("serial:/dev/ttyUSB0", framing=FRAMING, schemes=("modbus",))
    assert "modbus:" in refused.value.way_out
    assert "serial:" not in refused.value.way_out


@pytest.mark.parametrize(
    ("address", "package"), [("modbus:192.168.0.1:502/1", "pymodbus"), ("visa:ASRL1::INSTR", "pyvisa")]
)
def test_a_package_that_is_not_installed_is_named_with_the_extra_that_brings_it(
    address: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingData, match=f"{package} is not installed") as refused:
        open_transport(address, framing=FRAMING, schemes=ALL)
    assert "drywet[buses]" in refused.value.way_out
