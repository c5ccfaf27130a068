"""Who answers on the other end: read at connection, kept with every run, and the origin of all its readings."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass

from lab.errors import NonsenseReply
from lab.types import JsonValue, Origin

__all__ = ["TWIN_SERIAL", "Identity", "origin_of", "say_if_untried"]

log = logging.getLogger("drywet.devices")

TWIN_SERIAL = "TWIN"
"""What the serial number of every simulated instrument begins with."""


def origin_of(serial: str) -> Origin:
    """Origin of what an instrument with this serial number reads.

    Raises:
        NonsenseReply: no instrument has such a serial number.
    """
    if not serial.isascii() or not serial.isprintable():
        raise NonsenseReply(f"{serial[:40]!r} is no serial number.")
    return Origin.TWIN if serial.startswith(TWIN_SERIAL) else Origin.REAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An instrument, as it introduces itself.

    Args:
        vendor: who made it.
        model: as the instrument writes it.
        serial: its serial number; those of twins begin with :data:`TWIN_SERIAL`.
        firmware: its software version.
        origin: of its readings; never assumed, always what the instrument's answer says.
    """

    vendor: str
    model: str
    serial: str
    firmware: str
    origin: Origin

    def to_json(self) -> dict[str, JsonValue]:
        """Its fields, as the store keeps them."""
        return {**asdict(self), "origin": str(self.origin)}


def say_if_untried(device: str, identity: Identity, *, met_hardware: bool) -> None:
    """Warn when a driver that never ran on hardware has connected to a real instrument."""
    if identity.origin is Origin.REAL and not met_hardware:
        log.warning(
            "%s (%s %s): this driver was written from the maker's description and tried on a twin only; nobody has run it "
            "on the instrument yet. Stay beside it the first times.",
            device,
            identity.vendor,
            identity.model,
        )
