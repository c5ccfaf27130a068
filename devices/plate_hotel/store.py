"""The automated store of any vendor that PyLabRobot can drive: plates inside, one at a time at its transfer station."""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.core import soft_signal_r_and_setter
from pylabrobot.resources import Coordinate, PlateCarrier, PlateHolder
from pylabrobot.storage import Incubator, IncubatorBackend

from devices.machine import MachineDevice, MachineDriver, Progress
from devices.plate_hotel.store_commands import Fetch, Store
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import BadInput, CommandTimeout, GripFault, InstrumentError
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["PlateStore", "Seen", "StoreDriver"]

Carry = Fetch | Store
C = TypeVar("C", Fetch, Store)

SIZE_MM = (600.0, 600.0, 1000.0)
"""All that PyLabRobot asks a store's size for."""

SITE_MM = (127.76, 85.48, 50.0)

CARRYING_S = 40.0
"""Between a place inside and the transfer station."""

COMING_TO_REST_S = 120.0
"""Longest wait for a move that is under way."""

POLL_S = 1.0

TOLERANCE_C = 1.0
"""By which the temperature that a store is set to may differ from what the workcell file says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a store shows of itself.

    Args:
        busy: whether it moves.
        at_station: whether its transfer station is occupied.
        in_hand: whether its handler holds a plate.
    """

    busy: bool
    at_station: bool
    in_hand: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreDriver(MachineDriver):
    """What lies under a :class:`PlateStore`.

    Args:
        backend: of PyLabRobot.
        fetch: from a place to the transfer station, and back when it stands there.
        store: from the transfer station to a place.
        look: what it shows; moves nothing.
        nominal_c: temperature that it is set to.
    """

    backend: IncubatorBackend
    fetch: Callable[[PlateHolder], Awaitable[object]]
    store: Callable[[PlateHolder], Awaitable[object]]
    look: Callable[[], Awaitable[Seen]]
    nominal_c: Callable[[], Awaitable[float]]


class PlateStore(MachineDevice):
    """A store of plates at a temperature, with a transfer station that an arm can reach.

    Its positions on the bench are its places, in the order of the workcell file, and its transfer station. ``temperature_c``
    is what was last read of it: at connection and after each command.

    Args:
        name: of the device in the workcell.
        driver: the instrument, or its twin.
        bench: the live one.
        station: the position that is its transfer station.
        expected_c: temperature that the workcell file says it is set to; None where it does not say.
        limits: of the workcell file; a store has none.

    Raises:
        BadInput: no such station, or a limit that this device does not have.
    """

    def __init__(
        self,
        name: str,
        driver: StoreDriver,
        *,
        bench: Bench,
        station: str,
        expected_c: float | None = None,
        limits: Limits | None = None,
    ) -> None:
        mine = [position.name for position in bench.positions.values() if position.device == name]
        if station not in mine:
            raise BadInput(
                f"{station!r} is no position of {name}.",
                way_out=f"Its positions are {', '.join(mine) or 'none'}.",
                field="settings.transfer",
            )
        self._driver = driver
        self._bench = bench
        self._station = station
        self._expected_c = expected_c
        sites = {
            position: PlateHolder(f"{name}-{position}", *SITE_MM, pedestal_size_z=0)
            for position in mine
            if position != station
        }
        self._sites = sites
        for site in sites.values():
            site.location = Coordinate.zero()
        rack = PlateCarrier(f"{name}-rack", *SIZE_MM, sites=dict(enumerate(sites.values())))
        self._front = Incubator(
            driver.backend, name, *SIZE_MM, racks=[rack], loading_tray_location=Coordinate.zero()
        )
        super().__init__(name, self._front, driver)
        narrowed({}, limits)
        self.fetch = self._verb(Fetch)
        self.store = self._verb(Store)
        self.temperature_c, self._set_temperature_c = soft_signal_r_and_setter(float, units="C")
        self.add_readables([self.temperature_c], Format.HINTED_UNCACHED_SIGNAL)
        self.add_readables([self.origin], Format.CONFIG_SIGNAL)
        self.set_name(name)

    def _verb(self, command: type[C]) -> Verb[C]:
        return Verb(
            self._carry,
            command=command,
            estimate=self._estimate_s,
            objections=self._out_of_place,
            reconcile=self._reconcile,
        )

    async def safe(self) -> None:
        """It stands still: it can't be stopped in the midst, so a move that is under way is waited for. Safe to repeat.

        Raises:
            CommandTimeout: it does not come to rest; a person must look.
        """
        with self.as_faults():
            if not self._front.setup_finished:
                return
            try:
                async with asyncio.timeout(COMING_TO_REST_S):
                    while (await self._driver.look()).busy:  # noqa: ASYNC110  (no events on a serial line)
                        await asyncio.sleep(POLL_S)
            except TimeoutError as late:
                raise CommandTimeout("it does not come to rest.") from late

    async def _after_setup(self) -> None:
        """What it is set to is set at its own panel; another temperature than the file says would spoil what is inside."""
        await self._look_at_temperature()
        nominal_c = await self._driver.nominal_c()
        if self._expected_c is not None and abs(nominal_c - self._expected_c) > TOLERANCE_C:
            raise InstrumentError(
                f"it is set to {nominal_c:g} C, and the workcell file says {self._expected_c:g} C.",
                device=self.name,
                nothing_done=True,
            )

    async def _look_at_temperature(self) -> None:
        self._set_temperature_c(await self._front.get_temperature())

    def _estimate_s(self, command: Carry, bench: Bench | None) -> float:
        believed = bench or self._bench
        item = believed.labware.get(command.labware)
        return 0.0 if item is not None and item.position == command.destination else CARRYING_S

    def _out_of_place(self, command: Carry, bench: Bench | None) -> Sequence[str]:
        """Why the store in particular can't do it, on the bench as believed."""
        believed = bench or self._bench
        fetching = isinstance(command, Fetch)
        found = []
        if fetching and command.destination != self._station:
            found.append(f"it brings plates to {self._station}, not to {command.destination}.")
        if not fetching and command.destination not in self._sites:
            found.append(f"{command.destination} is no place inside it.")
        item = believed.labware.get(command.labware)
        start = None if item is None else item.position
        if item is not None and start != command.destination:
            if fetching and start not in self._sites:
                found.append(f"{command.labware} is not inside it.")
            if not fetching and start != self._station:
                found.append(f"{command.labware} does not stand on {self._station}.")
        return found

    async def _carry(self, command: Carry) -> JsonValue:
        """One part, marked as ``carry``; what the sensors show before and after it has to agree with it."""
        start = self._bench.labware[command.labware].position
        if start == command.destination:
            return {}
        fetching = isinstance(command, Fetch)
        site = self._sites[str(start if fetching else command.destination)]
        progress = Progress()
        with self.as_faults(progress=progress):
            before = await self._driver.look()
            if before.in_hand:
                raise GripFault("its handler holds a plate that nobody knows of; a person must look.")
            if before.at_station is fetching:
                where = "is occupied" if fetching else "is empty"
                raise InstrumentError(f"{self._station} {where}, where it should not be; a person must look.")
            async with progress.part("carry", start=start, destination=command.destination):
                await (self._driver.fetch(site) if fetching else self._driver.store(site))
                after = await self._driver.look()
                if after.in_hand or after.at_station is not fetching:
                    raise GripFault(f"it has ended, but {_shown(after, self._station)}.")
            await self._look_at_temperature()
        return {}

    async def _reconcile(self, command: Carry, marks: Sequence[Mark]) -> Reconciliation:
        """Where the plate is, by the sensors of transfer station and handler. It must stand still, as after :meth:`safe`.

        ===========================  ==================================================================================
        no mark                      not done: it was not told to move
        handler holds a plate        nobody knows where it can be put down; no well is in doubt
        plate where it came from     not done, as the other end was seen to be free before it was told
        plate where it should go     done
        ===========================  ==================================================================================
        """
        if not marks:
            return Reconciliation(answer=Answer.NOT_DONE, sentence="It was not told to move.")
        with self.as_faults():
            seen = await self._driver.look()
        if seen.in_hand or seen.busy:
            return Reconciliation(
                answer=Answer.UNKNOWN,
                sentence="Its handler holds the plate between its place and the station; a person must look.",
                doubtful=(),
            )
        if seen.at_station is isinstance(command, Fetch):
            return Reconciliation(
                answer=Answer.DONE, sentence=f"{_shown(seen, self._station)}, as it should be.", result={}
            )
        return Reconciliation(
            answer=Answer.NOT_DONE, sentence=f"{_shown(seen, self._station)}, as before the step."
        )


def _shown(seen: Seen, station: str) -> str:
    held = "its handler holds a plate and " if seen.in_hand else ""
    return f"{held}{station} is {'occupied' if seen.at_station else 'empty'}"
