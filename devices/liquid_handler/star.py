"""Hamilton Microlab STAR, over PyLabRobot's STAR backend (USB).

The deck is laid out with three kinds of carriers, from left to right: tips (TIP_CAR_480_A00), troughs
(Trough_CAR_5R60_A00), plates (PLT_CAR_L5AC_A00). Positions of the bench take their sites in the order of the workcell
file, from the front to the back. Whoever stacks the carriers differently passes their own sites to
:class:`devices.liquid_handler.handler.Handler`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pylabrobot.liquid_handling.backends.hamilton.STAR_backend import STARBackend, STARFirmwareError
from pylabrobot.resources import Deck, ResourceHolder
from pylabrobot.resources.carrier import Carrier
from pylabrobot.resources.hamilton import PLT_CAR_L5AC_A00, TIP_CAR_480_A00, STARDeck, Trough_CAR_5R60_A00

from devices.identity import Identity, origin_of
from devices.liquid_handler.handler import Handler, PipettingDriver
from devices.machine import USB_MODULE
from devices.verb import Limits
from lab.bench import Bench
from lab.errors import BadInput

__all__ = ["real_star", "star", "star_deck", "star_keywords"]

FIRST_RAIL = 3
"""Left of it lies the teaching rack's approach."""

LAST_RAIL = 46
"""Right of it stand the waste and the 96-head's parking place."""

_RAIL_MM = 22.5


def star_keywords(channels: int) -> Mapping[str, Any]:
    """Arguments of the STAR's dispense for jets from above the wells."""
    return {"jet": [True] * channels}


def real_star(*, serial_number: str | None = None) -> PipettingDriver:
    """The machine on the USB port.

    Args:
        serial_number: which one, where there are several.
    """
    backend = STARBackend(serial_number=serial_number)

    async def introduce() -> Identity:
        serial = str(await backend.request_device_serial_number())
        firmware = str(await backend.request_firmware_version())
        return Identity(
            vendor="Hamilton",
            model="Microlab STAR",
            serial=serial,
            firmware=firmware,
            origin=origin_of(serial),
        )

    return PipettingDriver(
        backend=backend,
        introduce=introduce,
        faults=(STARFirmwareError,),
        needs=(USB_MODULE,),
        from_above=star_keywords,
    )


def star(name: str, driver: PipettingDriver, *, bench: Bench, limits: Limits | None = None) -> Handler:
    """The device, with a deck laid out for the positions that belong to it.

    Args:
        name: of the device in the workcell, to which its positions belong.
        driver: :func:`real_star`, or the twin's.
        bench: the live one.
        limits: of the workcell file: ``volume_ul``.

    Raises:
        BadInput: more positions than a deck has room for.
    """
    deck, sites = star_deck(name, bench)
    return Handler(name, driver, deck=deck, sites=sites, bench=bench, limits=limits)


def star_deck(device: str, bench: Bench) -> tuple[Deck, dict[str, ResourceHolder]]:
    """A deck with carriers, and the site of each position of the device.

    What stands at a position when the bench begins says which carrier it is on; an empty one is for plates.

    Raises:
        BadInput: more positions than a deck has room for.
    """
    deck = STARDeck()
    wanted: dict[str, list[str]] = {"tip_rack": [], "trough": [], "plate": []}
    for position in bench.positions.values():
        if position.device == device:
            item = bench.at(position.name)
            wanted["plate" if item is None or item.type.kind == "lid" else item.type.kind].append(
                position.name
            )
    makers = {"tip_rack": TIP_CAR_480_A00, "trough": Trough_CAR_5R60_A00, "plate": PLT_CAR_L5AC_A00}
    sites: dict[str, ResourceHolder] = {}
    rail = FIRST_RAIL
    for kind, positions in wanted.items():
        left = list(positions)
        while left:
            carrier: Carrier[Any] = makers[kind](f"{kind}_carrier_{rail}")
            rails = round(carrier.get_absolute_size_x() / _RAIL_MM)
            if rail + rails - 1 > LAST_RAIL:
                raise BadInput(f"The deck of {device} has no room for position {left[0]}.")
            deck.assign_child_resource(carrier, rails=rail)
            for site in carrier.sites.values():
                if left:
                    sites[left.pop(0)] = site
            rail += rails
    return deck, sites
