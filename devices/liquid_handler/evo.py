"""Tecan Freedom EVO 150 with a liquid handling arm of eight channels for disposable tips, over PyLabRobot's backend (USB).

The deck is laid out with three kinds of carriers, from left to right: tips beside the waste (DiTi 3Pos + Waste, 10762023),
troughs, plates (MP 3Pos, 10612604). Positions of the bench take their sites in the order of the workcell file, from the
front to the back. Whoever stacks the carriers differently passes their own sites to
:class:`devices.liquid_handler.handler.Handler`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pylabrobot.liquid_handling.backends.tecan.errors import TecanError
from pylabrobot.resources import Coordinate, Deck, EVO150Deck, ResourceHolder, Trash
from pylabrobot.resources.tecan.plate_carriers import MP_3Pos
from pylabrobot.resources.tecan.tecan_resource import TecanResource
from pylabrobot.resources.tecan.tip_carriers import DiTi_3Pos___Waste

from devices.identity import Identity, origin_of
from devices.liquid_handler.evo_arm import EvoArm
from devices.liquid_handler.handler import Handler, PipettingDriver
from devices.machine import USB_MODULE
from devices.verb import Limits, narrowed
from lab.bench import Bench
from lab.errors import BadInput

__all__ = ["EVO_LIMITS", "evo", "evo_deck", "real_evo"]

EVO_LIMITS: Limits = {"volume_ul": (3.0, 1000.0)}
"""Volumes of which PyLabRobot has a liquid class for disposable tips: with a syringe of 1 ml no less than 3 ul."""

FIRST_RAIL = 3
"""Right of the washing station."""

LAST_RAIL = 45
RAIL_MM = 25.0
TROUGHS = 4
TROUGH_PITCH_MM = 95.0
TROUGH_RAILS = 2
"""Of the carrier of troughs: four troughs of 60 ml in a row. Estimates; to be measured on the carrier in use."""


def real_evo(*, z_offset_mm: float = 0.0) -> PipettingDriver:
    """The machine on the USB port.

    Args:
        z_offset_mm: by how much its heights are off, from teaching.
    """

    async def introduce() -> Identity:
        serial = "not asked"
        return Identity(
            vendor="Tecan",
            model="Freedom EVO",
            serial=serial,
            firmware="not asked",
            origin=origin_of(serial),
        )

    return PipettingDriver(
        backend=EvoArm(z_offset_mm=z_offset_mm),
        introduce=introduce,
        faults=(TecanError, ValueError),
        needs=(USB_MODULE,),
    )


def evo(name: str, driver: PipettingDriver, *, bench: Bench, limits: Limits | None = None) -> Handler:
    """The device, with a deck laid out for the positions that belong to it.

    Args:
        name: of the device in the workcell, to which its positions belong.
        driver: :func:`real_evo`, or the twin's.
        bench: the live one.
        limits: of the workcell file: ``volume_ul``.

    Raises:
        BadInput: more positions than a deck has room for, or a limit that this device does not have.
    """
    deck, sites = evo_deck(name, bench)
    allowed = narrowed(EVO_LIMITS, limits)
    return Handler(name, driver, deck=deck, sites=sites, bench=bench, limits=allowed)


def evo_deck(device: str, bench: Bench) -> tuple[Deck, dict[str, ResourceHolder]]:
    """A deck with carriers, and the site of each position of the device.

    What stands at a position when the bench begins says which carrier it is on; an empty one is for plates.

    Raises:
        BadInput: more positions than a deck has room for.
    """
    deck = EVO150Deck()
    wanted: dict[str, list[str]] = {"tip_rack": [], "trough": [], "plate": []}
    for position in bench.positions.values():
        if position.device == device:
            item = bench.at(position.name)
            wanted["plate" if item is None or item.type.kind == "lid" else item.type.kind].append(
                position.name
            )
    sites: dict[str, ResourceHolder] = {}
    rail = FIRST_RAIL
    for kind, positions in wanted.items():
        left = list(positions)
        # The first carrier of tips has the waste, which is needed in any case.
        while left or (kind == "tip_rack" and rail == FIRST_RAIL):
            carrier, rails, free = _carrier(kind, rail)
            if rail + rails - 1 > LAST_RAIL:
                raise BadInput(f"The deck of {device} has no room for position {left[0]}.")
            if rail == FIRST_RAIL:
                _put_waste(carrier)
            deck.assign_child_resource(carrier, rails=rail)
            for site in free:
                if left:
                    sites[left.pop(0)] = site
            rail += rails
    return deck, sites


def _carrier(kind: str, rail: int) -> tuple[TecanResource, int, list[ResourceHolder]]:
    """A carrier, its width in rails, and its sites for labware, from the front to the back."""
    if kind == "trough":
        troughs = _TroughCarrier(f"trough_carrier_{rail}")
        return troughs, TROUGH_RAILS, troughs.places
    made = (DiTi_3Pos___Waste if kind == "tip_rack" else MP_3Pos)(f"{kind}_carrier_{rail}")
    places: Mapping[int, ResourceHolder] = made.sites
    free = [site for number, site in sorted(places.items()) if kind != "tip_rack" or number > 0]
    return made, round(made.get_absolute_size_x() / RAIL_MM), free


def _put_waste(carrier: TecanResource) -> None:
    """The chute of used tips is the first place of the carrier of tips."""
    chute: ResourceHolder = carrier.sites[0]
    chute.assign_child_resource(
        Trash(name="trash", size_x=chute.get_size_x(), size_y=chute.get_size_y(), size_z=0.0),
        location=Coordinate.zero(),
    )


class _TroughCarrier(TecanResource):
    """A row of troughs."""

    def __init__(self, name: str) -> None:
        super().__init__(
            name,
            size_x=2 * RAIL_MM - 1.0,
            size_y=400.0,
            size_z=62.5,
            off_x=12.0,
            off_y=24.7,
            category="carrier",
        )
        self.places: list[ResourceHolder] = []
        for number in range(TROUGHS):
            place = ResourceHolder(name=f"{name}-{number}", size_x=19.0, size_y=90.0, size_z=0.0)
            self.assign_child_resource(place, location=Coordinate(15.0, 10.0 + number * TROUGH_PITCH_MM, 5.0))
            self.places.append(place)
