"""A Tecan Freedom EVO over the world: channels as of :mod:`digital_twin.instruments.liquid_handler`, failing as it does."""

from __future__ import annotations

from pylabrobot.liquid_handling.backends.tecan.errors import TecanError

from devices.identity import TWIN_SERIAL, Identity
from devices.liquid_handler.handler import PipettingDriver
from digital_twin.faults import NO_FAULTS, FaultScript
from digital_twin.instruments.handler_makes import EVO
from digital_twin.instruments.liquid_handler import HandlerTwin
from digital_twin.world import World
from lab.types import Origin

__all__ = ["evo_twin"]


def evo_twin(world: World, *, name: str, script: FaultScript = NO_FAULTS) -> PipettingDriver:
    """The driver of a simulated EVO.

    Args:
        name: of the device in the workcell, to which its deck positions belong; also keys its noise.
        script: faults of the bench.

    Raises:
        BadInput: a rule of the script that could never strike.
    """

    async def introduce() -> Identity:
        return Identity(
            vendor="Tecan",
            model="Freedom EVO",
            serial=f"{TWIN_SERIAL}-EVO-{world.seed}",
            firmware="simulated",
            origin=Origin.TWIN,
        )

    return PipettingDriver(
        backend=HandlerTwin(world, name, script, make=EVO), introduce=introduce, faults=(TecanError,)
    )
