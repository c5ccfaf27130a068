"""Opentrons' Heater-Shaker, Temperature and Magnetic Modules over the world: the far end of
:mod:`devices.opentrons_robot.modules`.

They answer as a robot shows them and as it answers commands to them; a simulated robot has them plugged in by
:class:`digital_twin.instruments.opentrons_modules.PluggedModule`. Heater, shaker, latch and magnets are those of the world,
so they outlive this object: a module does not notice that its controller died. What they refuse, and in which words:
Opentrons' protocol engine (package ``opentrons`` 9.0.0, ``state/module_substates`` and ``protocol_engine.errors``).
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from devices.incubator.opentrons import ACCELERATION_S, HOMING_S, LATCH_S, HeaterShaker
from devices.magnet.opentrons import HOME_MM, MOVES_S, MagneticModule
from devices.opentrons_robot.modules import GET
from devices.temperature_module.opentrons import TemperatureModule
from digital_twin.instruments.opentrons_hardware import CommandError
from digital_twin.instruments.opentrons_stamp import stamp
from digital_twin.state import Shaking
from digital_twin.world import World

__all__ = ["MODULE_TWINS", "HeaterShakerTwin", "MagneticModuleTwin", "ModuleTwin", "TemperatureModuleTwin"]

ANSWER_S = 0.05
"""Over USB and through the robot; a choice."""

HOLDING_C = 0.5
"""Closeness at which a module says that it holds its target."""


class ModuleTwin(ABC):
    """A module at one position of a world. Implements :class:`devices.transport.LineInstrument`.

    Args:
        world: it stands in.
        name: of the device; keys its actions on the ledger.
        position: of the plate on it.
        serial: its number; begins with TWIN.
    """

    kind: str
    model: str
    firmware: str

    def __init__(self, world: World, *, name: str, position: str, serial: str = "") -> None:
        self._world = world
        self._name = name
        self._position = position
        self._serial = serial or f"TWIN-{self.model}-0001"
        self._told = 0

    async def reply(self, line: str) -> str:
        """The answer to one line."""
        await asyncio.sleep(ANSWER_S)
        if line == GET:
            return json.dumps(self._shown())
        kind, _, values = line.partition(" ")
        try:
            result = await self._do(kind, json.loads(values))
        except CommandError as error:
            self._told += 1
            occurrence = error.shown(f"{self._serial}-{self._told}", stamp(self._world.clock.now()))
            return json.dumps({"status": "failed", "error": occurrence})
        return json.dumps({"status": "succeeded", "result": result})

    def _shown(self) -> dict[str, Any]:
        return {
            "serialNumber": self._serial,
            "firmwareVersion": self.firmware,
            "hardwareRevision": "simulated",
            "hasAvailableUpdate": False,
            "moduleType": self.kind,
            "moduleModel": self.model,
            "compatibleWithRobot": True,
            "data": self._data(),
            "usbPort": {"port": 1, "portGroup": "main", "hub": False, "hubPort": None, "path": ""},
        }

    def _act(self, action: str, **arguments: float | bool | None) -> None:
        self._world.act(self._name, action, position=self._position, **arguments)

    def _target_c(self) -> float | None:
        return self._world.state.climates[self._position].set_c

    def _now_c(self) -> float:
        return round(self._world.temperature_c(self._position), 2)

    def _heat_status(self) -> str:
        target_c = self._target_c()
        if target_c is None:
            return "idle"
        if abs(self._now_c() - target_c) <= HOLDING_C:
            return "holding at target"
        return "heating" if self._now_c() < target_c else "cooling"

    def _set_c(self, celsius: float, limits: tuple[float, float]) -> None:
        if not limits[0] <= celsius <= limits[1]:
            raise CommandError(
                "InvalidTargetTemperatureError",
                f"Module got an invalid temperature {celsius} °C. Valid range is {limits[0]:g} to {limits[1]:g}.",
            )
        self._act("set_temperature", temperature_c=celsius)

    def _heat_off(self) -> None:
        # Telling what is idle again that it is off is no event.
        if self._target_c() is not None:
            self._act("set_temperature", temperature_c=None)

    @abstractmethod
    def _data(self) -> dict[str, Any]:
        """Its live values."""

    @abstractmethod
    async def _do(self, kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Carry a command out; gives its result.

        Raises:
            CommandError: it is refused.
        """

    def _unknown(self, kind: str) -> CommandError:
        return CommandError("CommandNotImplementedError", f"This twin does not carry out {kind}.")


class HeaterShakerTwin(ModuleTwin):
    """A Heater-Shaker Module GEN1. Its latch shuts the place: no arm can lift a latched plate."""

    kind = "heaterShakerModuleType"
    model = "heaterShakerModuleV1"
    firmware = "v1.0.4"

    def __init__(self, world: World, *, name: str, position: str, serial: str = "") -> None:
        super().__init__(world, name=name, position=position, serial=serial)
        self._latch_moving = ""

    def _data(self) -> dict[str, Any]:
        speed_rpm, status = self._turning()
        target = self._target_c()
        return {
            "status": "running" if status != "idle" or target is not None else "idle",
            "labwareLatchStatus": self._latch_moving
            or ("idle_closed" if self._world.is_shut(self._position) else "idle_open"),
            "speedStatus": status,
            "currentSpeed": round(speed_rpm),
            "targetSpeed": round(self._world.state.shaking_rpm.get(self._position, 0.0)) or None,
            "temperatureStatus": self._heat_status(),
            "currentTemperature": self._now_c(),
            "targetTemperature": target,
            "errorDetails": None,
        }

    async def _do(self, kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
        match kind.removeprefix("heaterShaker/"):
            case "openLabwareLatch":
                if self._turning()[1] != "idle":
                    raise CommandError(
                        "CannotPerformModuleAction",
                        "Heater-Shaker cannot open its labware latch while it is shaking.",
                    )
                await self._move_latch(shut=False)
                return {"pipetteRetracted": False}
            case "closeLabwareLatch":
                await self._move_latch(shut=True)
            case "setTargetTemperature":
                self._set_c(float(params["celsius"]), (37.0, HeaterShaker.maker_limits["temperature_c"][1]))
                return {"pipetteRetracted": False}
            case "deactivateHeater":
                self._heat_off()
            case "setAndWaitForShakeSpeed":
                await self._shake(float(params["rpm"]))
                return {"pipetteRetracted": False}
            case "deactivateShaker":
                await self._stop()
            case _:
                raise self._unknown(kind)
        return {}

    async def _move_latch(self, *, shut: bool) -> None:
        if self._world.is_shut(self._position) is shut:
            return
        self._latch_moving = "closing" if shut else "opening"
        try:
            await asyncio.sleep(LATCH_S)
            self._act("shut", shut=shut)
        finally:
            self._latch_moving = ""

    async def _shake(self, rpm: float) -> None:
        lowest, highest = HeaterShaker.maker_limits["shaking_rpm"]
        if not lowest <= rpm <= highest:
            raise CommandError("InvalidTargetSpeedError", f"Heater-Shaker got an invalid speed {rpm} rpm.")
        if self._latch_moving or not self._world.is_shut(self._position):
            raise CommandError(
                "CannotPerformModuleAction", "Heater-Shaker cannot shake while the labware latch is open."
            )
        self._act("shake", rpm=rpm, acceleration_s=ACCELERATION_S)
        await asyncio.sleep(ACCELERATION_S)

    async def _stop(self) -> None:
        if self._world.state.shaking_rpm.get(self._position, 0.0) > 0.0:
            self._act("shake", rpm=0.0)
        run = self._world.state.shaking.get(self._position)
        if run is not None and run.stopped_s is not None:
            await asyncio.sleep(max(0.0, _home_s(run) - self._world.clock.now()))

    def _turning(self) -> tuple[float, str]:
        """Speed in rpm, and what the shaker is at."""
        run, now_s = self._world.state.shaking.get(self._position), self._world.clock.now()
        if run is None:
            return 0.0, "idle"
        if run.stopped_s is not None:
            if now_s >= _home_s(run):
                return 0.0, "idle"
            share = 1.0 - (now_s - run.stopped_s) / ACCELERATION_S
            return run.speed_rpm * max(0.0, share), "slowing down"
        share = min(1.0, (now_s - run.begun_s) / ACCELERATION_S)
        return run.speed_rpm * share, "holding at target" if share >= 1.0 else "speeding up"


def _home_s(run: Shaking) -> float:
    """Lab time at which a shaker that was stopped stands still at home."""
    assert run.stopped_s is not None, "of one that was stopped"
    return run.stopped_s + ACCELERATION_S + HOMING_S


class TemperatureModuleTwin(ModuleTwin):
    """A Temperature Module GEN2."""

    kind = "temperatureModuleType"
    model = "temperatureModuleV2"
    firmware = "v2.1.0"

    def _data(self) -> dict[str, Any]:
        return {
            "status": self._heat_status(),
            "currentTemperature": self._now_c(),
            "targetTemperature": self._target_c(),
        }

    async def _do(self, kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
        match kind.removeprefix("temperatureModule/"):
            case "setTargetTemperature":
                celsius = float(params["celsius"])
                self._set_c(celsius, TemperatureModule.maker_limits["temperature_c"])
                return {"targetTemperature": celsius}
            case "deactivate":
                self._heat_off()
            case _:
                raise self._unknown(kind)
        return {}


class MagneticModuleTwin(ModuleTwin):
    """A Magnetic Module GEN2. No chemistry of the twin has beads: its magnets rise, and draw nothing."""

    kind = "magneticModuleType"
    model = "magneticModuleV2"
    firmware = "v2.1.0"

    def _height_mm(self) -> float:
        return self._world.state.magnets_mm.get(self._position, HOME_MM)

    def _data(self) -> dict[str, Any]:
        up = self._height_mm() > HOME_MM
        return {
            "status": "engaged" if up else "disengaged",
            "engaged": up,
            "height": self._height_mm(),
        }

    async def _do(self, kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
        match kind.removeprefix("magneticModule/"):
            case "engage":
                height_mm = float(params["height"])
                lowest, highest = MagneticModule.maker_limits["height_mm"]
                if not lowest <= height_mm <= highest:
                    raise CommandError(
                        "EngageHeightOutOfRangeError", f"Invalid engage height {height_mm} mm from base."
                    )
            case "disengage":
                height_mm = HOME_MM
            case _:
                raise self._unknown(kind)
        if height_mm != self._height_mm():
            await asyncio.sleep(MOVES_S)
            self._act("raise_magnets", height_mm=height_mm)
        return {}


MODULE_TWINS: Mapping[str, type[ModuleTwin]] = MappingProxyType(
    {twin.kind: twin for twin in (HeaterShakerTwin, TemperatureModuleTwin, MagneticModuleTwin)}
)
"""By ``moduleType``."""
