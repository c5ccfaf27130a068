"""From the address in a workcell file to a transport: ``serial:/dev/ttyUSB0``, ``tcp:192.168.0.1:10100``,
``visa:TCPIP0::192.168.0.1::10001::SOCKET``, ``modbus:192.168.0.1:502/1``.
"""

from __future__ import annotations

from collections.abc import Collection

from devices.streams import Serial, Tcp
from devices.transport import Framing, Transport
from lab.errors import BadInput

__all__ = ["open_transport"]

EXAMPLES = {
    "serial": "serial:/dev/ttyUSB0",
    "tcp": "tcp:192.168.0.1:10100",
    "visa": "visa:TCPIP0::192.168.0.1::10001::SOCKET",
    "modbus": "modbus:192.168.0.1:502/1 or modbus:/dev/ttyUSB0/1",
}
LINES = ("serial", "tcp")
"""Schemes of what speaks in plain lines."""


def open_transport(address: str, *, framing: Framing, schemes: Collection[str] = LINES) -> Transport:
    """The transport an address names; nothing is connected yet.

    Args:
        framing: of the instrument's protocol (``OpentronsThermocycler.framing``).
        schemes: that the driver speaks.

    Raises:
        BadInput: the text is no address, or one that the driver does not speak.
        MissingData: what speaks it is not installed.
    """
    scheme, _, rest = address.partition(":")
    made = _made(scheme, rest, framing) if scheme in schemes else None
    if made is None:
        known = " or ".join(EXAMPLES[name] for name in schemes)
        raise BadInput(
            f"{address!r} is no address of an instrument.", way_out=f"Write {known}.", field="address"
        )
    return made


def _made(scheme: str, rest: str, framing: Framing) -> Transport | None:
    match scheme:
        case "serial" if rest:
            return Serial(rest, framing=framing)
        case "tcp" if socket := _host_and_port(rest):
            return Tcp(*socket, framing=framing)
        case "visa" if rest:
            from devices.visa import Visa

            return Visa(rest, framing=framing)
        case "modbus":
            return _modbus(rest, framing)
    return None


def _modbus(rest: str, framing: Framing) -> Transport | None:
    from devices.modbus import ModbusRtu, ModbusTcp

    line, _, unit = rest.rpartition("/")
    if not line or not (unit.isascii() and unit.isdecimal()) or not 1 <= int(unit) <= 247:
        return None
    if line.startswith("/"):
        return ModbusRtu(line, baud=framing.baud, unit=int(unit))
    socket = _host_and_port(line)
    return ModbusTcp(*socket, unit=int(unit)) if socket else None


def _host_and_port(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    # Of the digits that Unicode has, only ours make a port.
    if host and port.isascii() and port.isdecimal() and 0 < int(port) < 65536:
        return host, int(port)
    return None
