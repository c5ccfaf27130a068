"""From the address in a workcell file to a transport: ``serial:/dev/ttyUSB0``, ``tcp:192.168.0.1:10100``."""

from __future__ import annotations

from devices.transport import Framing, Serial, Tcp, Transport
from lab.errors import BadInput

__all__ = ["open_transport"]

WAY_OUT = "Write serial:/dev/ttyUSB0 or tcp:192.168.0.1:10100."


def open_transport(address: str, *, framing: Framing) -> Transport:
    """The transport an address names; nothing is connected yet.

    Args:
        framing: of the instrument's protocol (``OpentronsThermocycler.framing``).

    Raises:
        BadInput: the text is no address.
    """
    scheme, _, rest = address.partition(":")
    if scheme == "serial" and rest:
        return Serial(rest, framing=framing)
    if scheme == "tcp":
        host, _, port = rest.rpartition(":")
        if host and port.isdigit() and 0 < int(port) < 65536:
            return Tcp(host, int(port), framing=framing)
    raise BadInput(f"{address!r} is no address of an instrument.", way_out=WAY_OUT, field="address")
