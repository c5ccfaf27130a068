"""Incubators and climate chambers that speak OPC UA in the shape of LADS (OPC 30500-1, version 1.0).

Of that specification it uses: the device's ``Manufacturer``, ``Model``, ``SerialNumber`` and ``SoftwareRevision``; analog
control functions (7.6.5) with ``CurrentValue``, ``TargetValue`` and a state machine that is started with a target value and
stopped; the cover function (7.7), here the door; and the timer control function (7.6.14), which counts up from zero to its
target in milliseconds and then stops, and stops the control functions with it. So a time that was begun ends by itself,
whatever becomes of this program, and whether it ended can be asked afterwards.

What the functions are called is the maker's choice: :class:`devices.opcua.OpcUa` is told it. Methods return at once; what
they begin is followed in the states.
"""

import asyncio
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR, StrictEnum
from ophyd_async.core import StandardReadableFormat as Format

from devices.climate_chamber.chamber import DooredChamber, Shown
from devices.climate_chamber.commands import ROOM_C, CloseDoor, Keep, OpenDoor
from devices.declarative import Query, measured
from devices.identity import Identity, origin_of
from devices.opcua import DIALECT
from devices.services import call, get, put
from devices.verb import Limits
from lab.bench import Bench
from lab.errors import (
    DeviceFault,
    InstrumentBusy,
    InstrumentError,
    LidFault,
    NonsenseReply,
    TemperatureNotReached,
)
from lab.types import JsonValue

__all__ = ["CELSIUS", "FUNCTIONS", "PERCENT", "DoorState", "LadsChamber", "State"]

FUNCTIONS = ("Temperature", "CO2", "Humidity", "Door", "Timer")
"""Functions that a chamber must have, by the names this driver has for them."""

CELSIUS, PERCENT = 4408652, 20529
"""Identifiers of units in ``EngineeringUnits``: the UNECE codes CEL and P1, as OPC 10000-8 turns them into numbers."""

UNITS = {"Temperature": CELSIUS, "CO2": PERCENT, "Humidity": PERCENT}

WARMING_C_PER_S = 0.025
COOLING_C_PER_S = 0.01
GASSING_S = 300.0
"""Rates of a small incubator: 1.5 C/min up, less down, and minutes to its gas and humidity. For estimates only."""

DOOR_S = 10.0
ARRIVED = {"Temperature": 0.3, "CO2": 0.2, "Humidity": 3.0}
"""Closeness at which each part of the climate counts as there; what makers of incubators state as their accuracy."""

TICK_S = 0.5
"""A timer that stopped so close to its end has run out; servers count in steps."""

POLL_S = 10.0
SAFE_DOOR_S = 20.0
"""Longest wait for the door on the way to the safe state."""


class State(StrictEnum):
    """Of a control function: the states of its ``FunctionalStateMachineType`` (7.1.5)."""

    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ABORTING = "aborting"
    ABORTED = "aborted"
    CLEARING = "clearing"


class DoorState(StrictEnum):
    """Of the door: the states of its ``CoverStateMachineType`` (7.7.2)."""

    OPENED = "opened"
    CLOSED = "closed"
    OPENING = "opening"
    CLOSING = "closing"
    LOCKED = "locked"
    LOCKING = "locking"
    UNLOCKING = "unlocking"
    ERROR = "error"


SHOWN = {
    "Temperature": (-100.0, 300.0),
    "CO2": (-1.0, 101.0),
    "Humidity": (-1.0, 105.0),
    "Timer": (0.0, 1e11),
}
"""What each function can show: temperatures that no chamber has left, shares a little past their ends, a timer in ms."""

STATES = {state.value.capitalize(): state.value for state in State}
DOOR_STATES = {state.value.capitalize(): state.value for state in DoorState}


def _value(function: str, name: str = "CurrentValue", units: str = "") -> Query:
    return Query(get(f"{function}/{name}"), field="Double", units=units, within=SHOWN[function])


def _state(function: str) -> Query:
    return Query(get(f"{function}/ControlFunctionState/CurrentState"), field="LocalizedText", words=STATES)


DOOR = Query(get("Door/CoverState/CurrentState"), field="LocalizedText", words=DOOR_STATES)


class LadsChamber(DooredChamber):
    """A chamber with temperature, carbon dioxide, humidity, a door and a timer; arguments as of
    :class:`devices.climate_chamber.chamber.ClimateChamber`.
    """

    dialect = DIALECT
    maker_limits: ClassVar[Limits] = {
        "temperature_c": (4.0, 70.0),
        "hold_s": (0.0, 2_592_000.0),
        "co2_percent": (0.0, 20.0),
        "humidity_percent": (20.0, 95.0),
    }

    temperature_c: Annotated[SignalR[float], Format.HINTED_UNCACHED_SIGNAL, _value("Temperature", units="C")]
    co2_percent: Annotated[SignalR[float], Format.UNCACHED_SIGNAL, _value("CO2", units="%")]
    humidity_percent: Annotated[SignalR[float], Format.UNCACHED_SIGNAL, _value("Humidity", units="%")]
    control: Annotated[SignalR[State], Format.UNCACHED_SIGNAL, _state("Temperature")]
    door: Annotated[SignalR[DoorState], Format.UNCACHED_SIGNAL, DOOR]

    async def _introduce(self) -> Identity:
        """Who it is, and whether it has all that this driver needs, in units that it takes them for."""
        for function, unit in UNITS.items():
            request = get(f"{function}/CurrentValue/EngineeringUnits")
            shown = self.dialect.pick(await self._link.ask(request), "EUInformation")
            if shown != str(unit):
                raise NonsenseReply(
                    f"its {function} is not in {'C' if unit == CELSIUS else '%'} but in unit {shown}."
                )
        await self._link.read(DOOR)
        await self._link.read(_state("Timer"))
        serial = await self._text("SerialNumber", "String")
        return Identity(
            vendor=await self._text("Manufacturer", "LocalizedText"),
            model=await self._text("Model", "LocalizedText"),
            serial=serial,
            firmware=await self._text("SoftwareRevision", "String"),
            origin=origin_of(serial),
        )

    async def _text(self, name: str, type_: str) -> str:
        return self.dialect.pick(await self._link.ask(get(name)), type_)

    async def _number(self, query: Query) -> float:
        return measured(await self._link.read(query), query.request)

    async def _show(self) -> Shown:
        keeping = await self._link.read(_state("Temperature")) != State.STOPPED
        timer_s, target_s = await self._timer_s()
        stopped = await self._link.read(_state("Timer")) == State.STOPPED
        return Shown(
            told_c=await self._number(_value("Temperature", "TargetValue")) if keeping else None,
            air_c=await self.temperature_c.get_value(cached=False),
            open=await self._door_is_open() is True,
            ran_out=stopped and 0.0 < target_s <= timer_s + TICK_S,
        )

    async def _timer_s(self) -> tuple[float, float]:
        """Where the timer stands and where it ends; LADS counts in milliseconds."""
        timer = await self._number(_value("Timer"))
        return timer / 1000.0, await self._number(_value("Timer", "TargetValue")) / 1000.0

    def _keep_s(self, command: Keep, bench: Bench | None) -> float:
        gassing_s = 0.0 if command.co2_percent is None and command.humidity_percent is None else GASSING_S
        return 2 * DOOR_S + max(_way_s(ROOM_C, command.temperature_c), gassing_s) + 60.0 + command.hold_s

    def _door_s(self, command: OpenDoor | CloseDoor, bench: Bench | None) -> float:
        return DOOR_S

    async def _reach(self, command: Keep) -> None:
        wanted = {
            "Temperature": command.temperature_c,
            "CO2": command.co2_percent,
            "Humidity": command.humidity_percent,
        }
        told = {function: value for function, value in wanted.items() if value is not None}
        for function, value in told.items():
            await self._link.ask(call(f"{function}/ControlFunctionState/StartWithTargetValue", value))
            self._told = True

        async def left_s() -> float:
            return max([await self._way_left_s(function, value) for function, value in told.items()])

        def stuck() -> DeviceFault:
            climate = ", ".join(f"{function} {value:g}" for function, value in told.items())
            return TemperatureNotReached(f"the chamber does not come to {climate}.")

        await self._wait_out(left_s, poll_s=POLL_S, stuck=stuck)

    async def _way_left_s(self, function: str, target: float) -> float:
        """How long a part of the climate still takes, s; 0 once it is there."""
        if (state := await self._link.read(_state(function))) != State.RUNNING:
            raise InstrumentError(f"its control of {function} is {state} on the way.")
        now = await self._number(_value(function))
        gap = abs(target - now)
        if gap <= ARRIVED[function]:
            return 0.0
        return _way_s(now, target) if function == "Temperature" else GASSING_S * gap / (gap + 10.0)

    async def _before_holding(self, command: Keep) -> dict[str, JsonValue]:
        await self._link.ask(put("Timer/TargetValue", "Double", command.hold_s * 1000.0))
        stands_s, target_s = await self._timer_s()
        if abs(target_s - command.hold_s) > 0.001:
            raise InstrumentError(
                f"its timer is set to {target_s:g} s where it should be {command.hold_s:g} s."
            )
        return {"timer_at_s": stands_s}

    async def _hold(self, command: Keep) -> None:
        """Start the chamber's timer and wait until it has run out."""
        if command.hold_s == 0.0:
            return
        await self._link.ask(call("Timer/ControlFunctionState/Start"))

        async def left_s() -> float:
            # In this order, for it may run out between the two questions.
            running = await self._link.read(_state("Timer")) != State.STOPPED
            stands_s, target_s = await self._timer_s()
            if running:
                return max(target_s - stands_s, TICK_S)
            if stands_s >= target_s - TICK_S:
                return 0.0
            raise InstrumentError(f"its timer was stopped at {stands_s:g} s of {target_s:g} s.")

        await self._wait_out(left_s, poll_s=1.0, stuck=lambda: InstrumentError("its timer does not run."))

    async def _measured(self) -> dict[str, JsonValue]:
        return {
            "temperature_c": await self.temperature_c.get_value(cached=False),
            "co2_percent": await self.co2_percent.get_value(cached=False),
            "humidity_percent": await self.humidity_percent.get_value(cached=False),
        }

    async def _off(self) -> None:
        """The timer first: it would act on the others. One that is not stopped does not keep the others from it."""
        failures: list[InstrumentError] = []
        for function in ("Timer", "Temperature", "CO2", "Humidity"):
            try:
                await self._stop(function)
            except InstrumentError as failure:
                failures.append(failure)
        if failures:
            for more in failures[1:]:
                failures[0].add_note(f"{more}")
            raise failures[0]

    async def _stop(self, function: str) -> None:
        """Tell a function to stop, whatever it shows; refused, it must have been off."""
        try:
            await self._link.ask(call(f"{function}/ControlFunctionState/Stop"))
        except InstrumentBusy:
            if await self._link.read(_state(function)) == State.STOPPED:
                return
        await self._until_stopped(function)

    async def _until_stopped(self, function: str) -> None:
        async def left_s() -> float:
            state = await self._link.read(_state(function))
            return 1.0 if state in (State.RUNNING, State.STOPPING, State.ABORTING, State.CLEARING) else 0.0

        try:
            async with asyncio.timeout(5.0):
                await self._wait_out(
                    left_s,
                    poll_s=1.0,
                    stuck=lambda: InstrumentError(f"its control of {function} does not stop."),
                )
        except TimeoutError as late:
            raise InstrumentError(f"its control of {function} does not stop.") from late

    async def _door_is_open(self) -> bool | None:
        state = await self._link.read(DOOR)
        return {DoorState.OPENED: True, DoorState.CLOSED: False, DoorState.LOCKED: False}.get(
            DoorState(state)
        )

    async def _move_door(self, *, open_: bool) -> None:
        wanted = DoorState.OPENED if open_ else DoorState.CLOSED
        before = await self._link.read(DOOR)
        if before == wanted:
            return
        if before == DoorState.LOCKED:
            await self._link.ask(call("Door/CoverState/Unlock"))
        try:
            await self._link.ask(call(f"Door/CoverState/{'Open' if open_ else 'Close'}"))
        except InstrumentError as refusal:
            if "BadDeviceFailure" in str(refusal):
                raise LidFault(f"the door does not move: {refusal}") from refusal
            raise

        async def left_s() -> float:
            if (state := await self._link.read(DOOR)) == DoorState.ERROR:
                raise LidFault("the door is in error; it is blocked or does not know where it is.")
            return 0.0 if state == wanted else 2.0

        def stuck() -> DeviceFault:
            return LidFault(f"the door does not come to {wanted}.")

        try:
            async with asyncio.timeout(SAFE_DOOR_S):
                await self._wait_out(left_s, poll_s=1.0, stuck=stuck)
        except TimeoutError as late:
            raise stuck() from late


def _way_s(start_c: float, end_c: float) -> float:
    return (end_c - start_c) / WARMING_C_PER_S if end_c > start_c else (start_c - end_c) / COOLING_C_PER_S
