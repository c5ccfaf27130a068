"""What a climate chamber shows and takes over OPC UA in the shape of LADS: the far end of
:mod:`devices.climate_chamber.lads`.

Names are those of that driver; :mod:`digital_twin.instruments.opcua_server` gives them their places among a server's nodes.
Values come without noise: a controller shows what it regulates. It refuses what is out of range, and what its state does not
allow, with the status codes of OPC UA. A control that is told a new target while it runs takes it up at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from devices.climate_chamber.lads import CELSIUS, PERCENT
from digital_twin.instruments.climate_chamber import ChamberModel
from digital_twin.instruments.service_twin import Offer, Refused, ServiceTwin
from digital_twin.world import World
from lab.types import JsonValue

__all__ = ["LadsChamberTwin"]

RANGES = {"Temperature": (4.0, 70.0), "CO2": (0.0, 20.0), "Humidity": (20.0, 95.0)}
LONGEST_MS = 2_592_000_000.0
REST = {"Temperature": 37.0, "CO2": 5.0, "Humidity": 90.0}
"""Targets that it shows before it was told any; what an incubator is used for."""


class LadsChamberTwin(ServiceTwin):
    """A chamber with temperature, carbon dioxide, humidity, door and timer.

    Args:
        world: it stands in.
        name: of the device.
        position: where its plate stands.
        serial: its number; begins with TWIN.
    """

    def __init__(self, world: World, *, name: str, position: str, serial: str = "TWIN-CC-0001") -> None:
        self.chamber = ChamberModel(world, name=name, position=position)
        self._targets = dict(REST)
        chamber = self.chamber
        self._controls: dict[
            str, tuple[Callable[[], float], Callable[[], float | None], Callable[..., None]]
        ] = {
            "Temperature": (chamber.air_c, chamber.set_c, chamber.heat),
            "CO2": (chamber.co2_percent, chamber.set_co2_percent, chamber.gas),
            "Humidity": (chamber.humidity_percent, chamber.set_humidity_percent, chamber.humidify),
        }
        super().__init__(self._offer(serial), unknown="BadNoMatch", mistyped="BadTypeMismatch")

    def wake(self) -> None:
        """Wait for the end of a timer that runs."""
        self.chamber.wake()

    def _offer(self, serial: str) -> Offer:
        chamber = self.chamber
        values: dict[str, tuple[str, Callable[[], JsonValue]]] = {
            "Manufacturer": ("LocalizedText", lambda: "drywet"),
            "Model": ("LocalizedText", lambda: "Climate chamber, simulated"),
            "SerialNumber": ("String", lambda: serial),
            "SoftwareRevision": ("String", lambda: "1.0"),
            "Door/CoverState/CurrentState": ("LocalizedText", lambda: chamber.door().capitalize()),
            "Timer/CurrentValue": ("Double", lambda: chamber.elapsed_s() * 1000.0),
            "Timer/TargetValue": ("Double", lambda: chamber.timer_s() * 1000.0),
            "Timer/ControlFunctionState/CurrentState": (
                "LocalizedText",
                lambda: _state(chamber.timer_runs()),
            ),
        }
        calls: dict[str, tuple[tuple[str, ...], Callable[..., None]]] = {
            "Door/CoverState/Open": ((), partial(chamber.move_door, open_=True)),
            "Door/CoverState/Close": ((), partial(chamber.move_door, open_=False)),
            "Timer/ControlFunctionState/Start": ((), self._start_timer),
            "Timer/ControlFunctionState/Stop": ((), self._stop_timer),
        }
        for function, (now, told, _) in self._controls.items():
            unit = CELSIUS if function == "Temperature" else PERCENT
            state = f"{function}/ControlFunctionState"
            values[f"{function}/CurrentValue"] = ("Double", now)
            values[f"{function}/CurrentValue/EngineeringUnits"] = ("EUInformation", _constant(unit))
            values[f"{function}/TargetValue"] = ("Double", partial(self._target, function))
            values[f"{state}/CurrentState"] = ("LocalizedText", partial(_running, told))
            calls[f"{state}/StartWithTargetValue"] = (("Double",), partial(self._start, function))
            calls[f"{state}/Stop"] = ((), partial(self._stop, function))
        return Offer(values=values, settable={"Timer/TargetValue": ("Double", self._set_timer)}, calls=calls)

    def _target(self, function: str) -> float:
        told = self._controls[function][1]()
        return self._targets[function] if told is None else told

    def _start(self, function: str, target: JsonValue) -> None:
        lowest, highest = RANGES[function]
        if isinstance(target, bool) or not isinstance(target, float | int):
            raise Refused("BadTypeMismatch", f"{function} takes a number")
        if not lowest <= target <= highest:
            raise Refused("BadOutOfRange", f"{function} goes from {lowest:g} to {highest:g}")
        self._targets[function] = float(target)
        self._controls[function][2](float(target))

    def _stop(self, function: str) -> None:
        if self._controls[function][1]() is None:
            raise Refused("BadInvalidState", f"{function} is stopped")
        self._controls[function][2](None)

    def _set_timer(self, milliseconds: float) -> None:
        if self.chamber.timer_runs():
            raise Refused("BadInvalidState", "the timer runs")
        if not 0.0 <= milliseconds <= LONGEST_MS:
            raise Refused("BadOutOfRange", "the timer takes up to 30 days")
        self.chamber.set_timer(milliseconds / 1000.0)

    def _start_timer(self) -> None:
        if self.chamber.timer_runs() or self.chamber.timer_s() == 0.0:
            raise Refused("BadInvalidState", "the timer runs, or is not set")
        self.chamber.start_timer()

    def _stop_timer(self) -> None:
        if not self.chamber.timer_runs():
            raise Refused("BadInvalidState", "the timer is stopped")
        self.chamber.stop_timer()


def _state(running: bool) -> str:
    return "Running" if running else "Stopped"


def _running(told: Callable[[], float | None]) -> str:
    return _state(told() is not None)


def _constant(value: int) -> Callable[[], JsonValue]:
    return lambda: value
