"""What a temperature controller shows and takes over EPICS: the far end of :mod:`devices.climate_chamber.ioc`.

In process only: caproto's ``thermo_sim``, which others wrote, is what that driver meets on a socket. The controller is never
off; when it starts it rests.
"""

from __future__ import annotations

from devices.climate_chamber.commands import ROOM_C
from devices.climate_chamber.ioc import READBACK, SERIAL, SETPOINT
from digital_twin.instruments.climate_chamber import ChamberModel
from digital_twin.instruments.service_twin import Offer, ServiceTwin
from digital_twin.world import World

__all__ = ["IocChamberTwin"]


class IocChamberTwin(ServiceTwin):
    """A set point and a readback.

    Args:
        world: it stands in.
        name: of the device.
        position: where its plate stands.
        serial: its number; begins with TWIN.
    """

    def __init__(self, world: World, *, name: str, position: str, serial: str = "TWIN-TC-0001") -> None:
        chamber = ChamberModel(world, name=name, position=position)

        def setpoint_c() -> float:
            told = chamber.set_c()
            return ROOM_C if told is None else told

        offer = Offer(
            values={
                READBACK: ("double", chamber.air_c),
                SETPOINT: ("double", setpoint_c),
                SERIAL: ("string", lambda: serial),
            },
            settable={SETPOINT: ("double", chamber.heat)},
        )
        super().__init__(offer, unknown="ECA_UNKNOWN", mistyped="ECA_BADTYPE")
