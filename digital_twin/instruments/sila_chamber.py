"""What a chamber shows and takes over SiLA 2's feature ``TemperatureController``: the far end of
:mod:`devices.climate_chamber.sila`. :mod:`digital_twin.instruments.sila_server` serves it on loopback.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from devices.climate_chamber.sila import CONTROL, CURRENT
from devices.services import ServiceRequest, bad, given
from devices.sila import ZERO_C
from digital_twin.instruments.climate_chamber import ChamberModel
from digital_twin.instruments.service_twin import Offer, Refused, ServiceTwin
from digital_twin.world import World
from lab.types import JsonValue

__all__ = ["NAME", "SilaChamberTwin"]

ABOVE_K, UP_TO_K = 277.0, 363.0
CLOSE_K = 0.5
"""How close to its target it counts itself as there."""

NAME = "TWIN-TC-0002"


class SilaChamberTwin(ServiceTwin):
    """A temperature, and a command that changes it.

    Args:
        world: it stands in.
        name: of the device.
        position: where its plate stands.
    """

    def __init__(self, world: World, *, name: str, position: str) -> None:
        self._chamber = ChamberModel(world, name=name, position=position)
        self._runs: dict[str, str] = {}
        self._last = ""
        said: dict[str, JsonValue] = {
            "ServerName": NAME,
            "ServerUUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:drywet:{name}")),
            "ServerVendorURL": "https://example.org",
            "ServerType": "SimulatedChamber",
            "ServerVersion": "1.0",
        }
        values: dict[str, tuple[str, Callable[[], JsonValue]]] = {
            f"SiLAService/{key}": ("String", _constant(value)) for key, value in said.items()
        }
        values[CURRENT] = ("Real", self.current_k)
        super().__init__(Offer(values=values), unknown="UnknownName", mistyped="ValidationError")

    def current_k(self) -> float:
        """Temperature now, K."""
        return self._chamber.air_c() + ZERO_C

    def begin(self, target_k: float) -> str:
        """Begin to control the temperature; gives the identifier of the execution.

        Raises:
            Refused: the target is past the feature's limits.
        """
        if not ABOVE_K < target_k <= UP_TO_K:
            raise Refused(
                "ValidationError", f"{target_k:g} K is not above {ABOVE_K:g} and up to {UP_TO_K:g} K"
            )
        if self._last and self.status(self._last) == "running":
            self._runs[self._last] = "ControlInterrupted"
        self._chamber.heat(target_k - ZERO_C)
        self._last = str(uuid.uuid4())
        self._runs[self._last] = ""
        return self._last

    def status(self, execution: str) -> str:
        """How far an execution is, by SiLA's words; or the identifier of its error."""
        if execution not in self._runs:
            raise Refused("UnknownName", f"no execution {execution}")
        if self._runs[execution]:
            return self._runs[execution]
        target_c = self._chamber.set_c()
        there = target_c is not None and abs(target_c - self._chamber.air_c()) <= CLOSE_K
        if there:
            self._runs[execution] = "finishedSuccessfully"
        return "finishedSuccessfully" if there else "running"

    def _answer(self, request: ServiceRequest) -> str:
        if request.kind == "call" and request.name == CONTROL:
            [target_k] = request.values
            if isinstance(target_k, bool) or not isinstance(target_k, float | int):
                raise Refused("MistypedArgument", f"{target_k!r} is no number")
            return given("Execution", self.begin(float(target_k)))
        if request.kind == "get" and request.name.startswith(f"{CONTROL}/"):
            status = self.status(request.name.rpartition("/")[2])
            return bad(status) if status == "ControlInterrupted" else given("String", status)
        return super()._answer(request)


def _constant(value: JsonValue) -> Callable[[], JsonValue]:
    return lambda: value
