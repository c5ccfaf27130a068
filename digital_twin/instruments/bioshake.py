"""What a QInstruments BioShake with heater and clamp answers, over the world: the far end of
:mod:`devices.incubator.bioshake`.

Its words, states and refusals are those listed there. The clamp shuts the place: no arm can lift a clamped
plate. It moves only at home, and the shaker starts only when it is locked. What the instrument does by itself
in time (stopping when its runtime is over) happens at its moment, not when somebody asks. Shaking, heater and clamp are
those of the world, so they outlive this object; made again over a world that shakes, it shakes on until its runtime is
over. What was set and not used yet (a speed, a set point of a heater that is off) is as after switching on.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from devices.incubator.bioshake import ACCELERATION_S, CLAMP_S
from digital_twin.state import Shaking
from digital_twin.world import World

__all__ = ["BioShakeTwin"]

MODEL = "BioShake 3000-T elm"
FIRMWARE = "1.8.00"
LOWEST_C, HIGHEST_C = 4.0, 99.0
"""Set points it takes. The upper one is the maker's; the lower one is that of its actively cooled sisters."""

LOWEST_RPM, HIGHEST_RPM = 200, 3000
SLOWEST_ACCELERATION_S = 30
WAY_HOME_S = 2.0
"""From standstill to home; the manual allows 4 s."""

ANSWER_S = 0.05
"""A short line each way at 9600 baud and the firmware between them; a choice."""

_NUMBERED = re.compile(r"([A-Za-z]+?)(-?\d+)$")


class BioShakeTwin:
    """A heater shaker at one position of a world. Implements :class:`devices.transport.LineInstrument`.

    Args:
        world: it stands in.
        name: of the device; keys its actions on the ledger.
        position: of its adapter.
        serial: its number; begins with TWIN.
    """

    def __init__(self, world: World, *, name: str, position: str, serial: str = "TWIN-BS-0001") -> None:
        self._world = world
        self._name = name
        self._position = position
        self._serial = serial
        told, shaken = world.state.climates[position].set_c, world.state.shaking.get(position)
        self._target_c = 25.0 if told is None else told
        self._speed_rpm = 500 if shaken is None else round(shaken.speed_rpm)
        self._acceleration_s = ACCELERATION_S if shaken is None else round(shaken.acceleration_s)
        self._stopping: asyncio.TimerHandle | None = None
        self._clamp_moving = False
        self._errors: list[str] = []

    async def reply(self, line: str) -> str:
        """The firmware's answer to one line."""
        self._time_the_stop()
        await asyncio.sleep(ANSWER_S)
        request = line.strip()
        if (ask := self._questions().get(request)) is not None:
            return ask()
        match request:
            case "setElmLockPos":
                return await self._move_clamp(shut=True)
            case "setElmUnlockPos":
                return await self._move_clamp(shut=False)
            case "tempOn":
                self._act("set_temperature", temperature_c=self._target_c)
                return "ok"
            case "tempOff":
                if self._heating():
                    self._act("set_temperature", temperature_c=None)
                return "ok"
            case "shakeOn":
                return self._shake(None)
            case "shakeOff":
                self._stop()
                return "ok"
            case "shakeGoHome":
                return "ok" if self._motion() == 3 else "e"
        if numbered := _NUMBERED.match(request):
            return self._set(request, numbered[1], int(numbered[2]))
        return f"u -> {request}"

    def _questions(self) -> dict[str, Callable[[], str]]:
        return {
            "getSerial": lambda: self._serial,
            "getDescription": lambda: MODEL,
            "getVersion": lambda: FIRMWARE,
            "getErrorList": lambda: "{" + "; ".join(self._errors) + "}",
            "getTempActual": lambda: f"{self._world.temperature_c(self._position):.1f}",
            "getTempTarget": lambda: f"{self._target_c:.1f}",
            "getTempState": lambda: str(int(self._heating())),
            "getTempMin": lambda: f"{LOWEST_C:.1f}",
            "getTempMax": lambda: f"{HIGHEST_C:.1f}",
            "getShakeState": lambda: str(self._motion()),
            "getShakeActualSpeed": lambda: f"{self._actual_rpm():.0f}",
            "getShakeTargetSpeed": lambda: str(self._speed_rpm),
            "getShakeRemainingTime": lambda: f"{self._runtime_left_s():.0f}",
            "getShakeMinRpm": lambda: str(LOWEST_RPM),
            "getShakeMaxRpm": lambda: str(HIGHEST_RPM),
            "getShakeAcceleration": lambda: str(self._acceleration_s),
            "getShakeAccelerationMin": lambda: "0",
            "getShakeAccelerationMax": lambda: str(SLOWEST_ACCELERATION_S),
            "getElmState": lambda: str(self._clamp()),
        }

    def _set(self, request: str, word: str, number: int) -> str:
        match word:
            case "setTempTarget":
                if not LOWEST_C <= number / 10.0 <= HIGHEST_C:
                    return "e"
                self._target_c = number / 10.0
            case "setShakeTargetSpeed":
                if not LOWEST_RPM <= number <= HIGHEST_RPM:
                    return "e"
                self._speed_rpm = number
            case "setShakeAcceleration":
                if not 0 <= number <= SLOWEST_ACCELERATION_S:
                    return "e"
                self._acceleration_s = number
            case "shakeOnWithRuntime":
                return self._shake(float(number))
            case _:
                return f"u -> {request}"
        return "ok"

    def _act(self, action: str, **arguments: float | bool | None) -> None:
        self._world.act(self._name, action, position=self._position, **arguments)

    def _now(self) -> float:
        return self._world.clock.now()

    def _heating(self) -> bool:
        return self._world.state.climates[self._position].set_c is not None

    def _clamp(self) -> int:
        if self._clamp_moving:
            return 0
        return 1 if self._world.is_shut(self._position) else 3

    async def _move_clamp(self, *, shut: bool) -> str:
        if self._clamp_moving or self._motion() != 3:
            self._errors.append("e303")
            return "e"
        if self._world.is_shut(self._position) is not shut:
            self._clamp_moving = True
            try:
                await asyncio.sleep(CLAMP_S)
                self._act("shut", shut=shut)
            finally:
                self._clamp_moving = False
        return "ok"

    def _shake(self, runtime_s: float | None) -> str:
        if self._clamp() != 1 or self._motion() != 3:
            self._errors.append("e103")
            return "e"
        self._act(
            "shake",
            rpm=float(self._speed_rpm),
            acceleration_s=float(self._acceleration_s),
            runtime_s=runtime_s,
        )
        self._time_the_stop()
        return "ok"

    def _run(self) -> Shaking | None:
        """The stretch of shaking that is going on or was the last."""
        return self._world.state.shaking.get(self._position)

    def _stop_s(self) -> float | None:
        """Lab time at which it begins or began to stop; None runs on."""
        run = self._run()
        if run is None or run.stopped_s is not None:
            return None if run is None else run.stopped_s
        return None if run.runtime_s is None else run.begun_s + run.runtime_s

    def _time_the_stop(self) -> None:
        """Stop when the runtime is over; also one that began before this object was made."""
        run, stop_s = self._run(), self._stop_s()
        if self._stopping is None and run is not None and run.stopped_s is None and stop_s is not None:
            loop = asyncio.get_running_loop()
            self._stopping = loop.call_later(max(0.0, stop_s - self._now()), self._stop)

    def _stop(self) -> None:
        """Begin to stop. The plate is carried on for the seconds of deceleration; they are left out of its
        mixing.
        """
        if self._stopping is not None:
            self._stopping.cancel()
            self._stopping = None
        if self._world.state.shaking_rpm.get(self._position, 0.0) > 0.0:
            self._act("shake", rpm=0.0)

    def _motion(self) -> int:
        """The shaker's state, as its code."""
        run, stop_s, now_s = self._run(), self._stop_s(), self._now()
        if run is None:
            return 3
        if stop_s is not None and now_s >= stop_s:
            return 3 if now_s >= stop_s + run.acceleration_s + WAY_HOME_S else 8
        return 5 if now_s < run.begun_s + run.acceleration_s else 0

    def _actual_rpm(self) -> float:
        motion, run, stop_s, now_s = self._motion(), self._run(), self._stop_s(), self._now()
        if run is None:
            return 0.0
        if motion == 5:
            return run.speed_rpm * (now_s - run.begun_s) / run.acceleration_s
        if motion == 8 and stop_s is not None and run.acceleration_s:
            return max(0.0, run.speed_rpm * (1.0 - (now_s - stop_s) / run.acceleration_s))
        return run.speed_rpm if motion == 0 else 0.0

    def _runtime_left_s(self) -> float:
        stop_s = self._stop_s()
        return 0.0 if stop_s is None else max(0.0, stop_s - self._now())
