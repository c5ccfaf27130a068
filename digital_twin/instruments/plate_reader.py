"""Plate readers over the world, behind PyLabRobot's backend class.

A reading takes its time first and looks at the wells at its end; a kinetic reading is one call for each cycle. The last
reading stays in the instrument, that is in the world, until the next one begins, and can be asked for.

Faults come from a script (:mod:`digital_twin.faults`): a drawer that is stuck and an error of the instrument are its
refusal, a lost cable an ``OSError``, no answer a ``TimeoutError`` after a while, or silence; a garbled answer lacks its last
row. Busy is not among them: PyLabRobot's backends wait for an instrument that is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pylabrobot.plate_reading.backend import PlateReaderBackend
from pylabrobot.resources import Plate, Well

from devices.identity import TWIN_SERIAL, Identity
from devices.plate_reader.clariostar import CLARIOSTAR
from devices.plate_reader.held import HeldReading
from devices.plate_reader.infinite import INFINITE
from devices.plate_reader.reader import ReaderDriver, ReaderModel
from digital_twin.faults import NO_FAULTS, Faults, FaultScript, Repertoire, Request, Strike
from digital_twin.world import Impossible, World
from lab.errors import FaultKind
from lab.types import Origin

__all__ = ["READER_FAULTS", "ReaderRefuses", "ReaderTwin", "clariostar_twin", "infinite_twin"]

SETUP_S = 20.0
"""Self test after switching on."""


ANSWER_TIMEOUT_S = 150.0
"""How long PyLabRobot's backend of the CLARIOstar waits for an instrument that does not become ready."""

_WIRE = frozenset({FaultKind.CONNECTION_LOST, FaultKind.TIMEOUT})
_READING = _WIRE | {FaultKind.NONSENSE_REPLY, FaultKind.SATURATED, FaultKind.INSTRUMENT_ERROR}
_OF_A_READING = dict.fromkeys(_READING, "read") | {FaultKind.LID: "close_door"}
_BOTH = frozenset({"fluorescence", "absorbance"})

READER_FAULTS = Repertoire(
    parts={
        "close_door": _WIRE | {FaultKind.LID},
        "read": _READING,
        "open_door": _WIRE | {FaultKind.LID},
    },
    verbs=dict.fromkeys(("fluorescence", "absorbance"), _OF_A_READING),
)
"""A drawer that is drawn in may be so for either verb: the instrument can't tell."""


class ReaderRefuses(Exception):
    """What the instrument answers when it can't do what it was told."""


def clariostar_twin(
    world: World, *, name: str, position: str, script: FaultScript = NO_FAULTS
) -> ReaderDriver:
    """The driver of a simulated BMG Labtech CLARIOstar.

    Args:
        name: of the device in the workcell; keys its noise.
        position: where its plates stand.
        script: faults of the bench.

    Raises:
        BadInput: a rule of the script that could never strike.
    """
    backend = ReaderTwin(
        world, instrument=name, position=position, detector="clariostar", model=CLARIOSTAR, script=script
    )
    return _driver(world, backend, ("BMG Labtech", "CLARIOstar"))


def infinite_twin(world: World, *, name: str, position: str, script: FaultScript = NO_FAULTS) -> ReaderDriver:
    """The driver of a simulated Tecan Infinite 200 PRO; arguments as in :func:`clariostar_twin`."""
    backend = ReaderTwin(
        world, instrument=name, position=position, detector="infinite", model=INFINITE, script=script
    )
    return _driver(world, backend, ("Tecan", "Infinite 200 PRO"))


def _driver(world: World, backend: ReaderTwin, made: tuple[str, str]) -> ReaderDriver:
    async def introduce() -> Identity:
        return Identity(
            vendor=made[0],
            model=made[1],
            serial=f"{TWIN_SERIAL}-{backend.detector.upper()}-{world.seed}",
            firmware="simulated",
            origin=Origin.TWIN,
        )

    return ReaderDriver(
        backend=backend, introduce=introduce, faults=(ReaderRefuses,), last_reading=backend.last_reading
    )


class ReaderTwin(PlateReaderBackend):
    """A reader over a world.

    Args:
        instrument: name of the device.
        position: where its plates stand.
        detector: one of :data:`digital_twin.detectors.DETECTORS`.
        model: of which it takes the times.
        script: faults of the bench.
    """

    def __init__(
        self,
        world: World,
        *,
        instrument: str,
        position: str,
        detector: str,
        model: ReaderModel,
        script: FaultScript = NO_FAULTS,
    ) -> None:
        super().__init__()
        self.detector = detector
        self._world = world
        self._instrument = instrument
        self._position = position
        self._model = model
        self._faults = Faults(world, instrument, READER_FAULTS, script)

    async def setup(self) -> None:
        """Switch on."""
        await asyncio.sleep(SETUP_S)

    async def stop(self) -> None:
        """Give the instrument up."""

    async def open(self) -> None:
        """Put the drawer out; harmless when it is out."""
        await self._move_drawer("open_door", shut=False)

    async def close(self, plate: Plate | None) -> None:
        """Draw the plate in; harmless when it is in."""
        await self._move_drawer("close_door", shut=True)

    async def last_reading(self) -> HeldReading | None:
        """The reading that the instrument still holds; None before the first. Changes nothing."""
        held = self._world.state.readings.get(self._instrument)
        if held is None:
            return None
        return HeldReading(
            mode=held.mode,
            settings=dict(held.settings),
            begun_lab_s=held.begun_s,
            cycles=[[list(row) for row in _rows(wells, held.columns)] for wells in held.cycles],
        )

    async def read_absorbance(self, plate: Plate, wells: list[Well], wavelength: int) -> list[dict[str, Any]]:
        """Absorbance of the wells asked for."""
        return await self._read(
            "absorbance",
            {"wavelength_nm": float(wavelength)},
            self._model.absorbance_pass_s,
            lambda values: self._answer(values, plate, wells, {"wavelength": wavelength}),
        )

    async def read_fluorescence(
        self,
        plate: Plate,
        wells: list[Well],
        excitation_wavelength: int,
        emission_wavelength: int,
        focal_height: float,
        gain: int = 1000,
    ) -> list[dict[str, Any]]:
        """Fluorescence of the wells asked for."""
        settings = {"ex_wavelength": excitation_wavelength, "em_wavelength": emission_wavelength}
        return await self._read(
            "fluorescence",
            {
                "excitation_nm": float(excitation_wavelength),
                "emission_nm": float(emission_wavelength),
                "gain": float(gain),
                "detector": self.detector,
            },
            self._model.fluorescence_pass_s,
            lambda values: self._answer(values, plate, wells, settings),
        )

    async def read_luminescence(
        self, plate: Plate, wells: list[Well], focal_height: float
    ) -> list[dict[str, Any]]:
        """Nothing in this world glows by itself."""
        raise ReaderRefuses("nothing on this bench is luminescent")

    async def _move_drawer(self, part: str, *, shut: bool) -> None:
        strike = self._faults.strike(Request(part, _BOTH if shut else frozenset()))
        if strike is not None and strike.kind is FaultKind.LID:
            await asyncio.sleep(self._model.door_s)
            raise ReaderRefuses("the plate carrier does not move")
        if (strike is None or strike.after) and self._world.is_shut(self._position) is not shut:
            await asyncio.sleep(self._model.door_s)
            self._act("shut", shut=shut)
        if strike is not None:
            await self._unanswered(strike)

    async def _read(
        self,
        mode: str,
        settings: Mapping[str, Any],
        pass_s: float,
        answer: Callable[[list[float]], list[dict[str, Any]]],
    ) -> list[dict[str, Any]]:
        """One pass over the wells, if nothing is in its way."""
        strike = self._faults.strike(Request("read", frozenset({mode})))
        kind = None if strike is None else strike.kind
        if kind is FaultKind.INSTRUMENT_ERROR:
            raise ReaderRefuses("the lamp does not flash")
        values: list[float] = []
        if strike is None or strike.after or kind is FaultKind.SATURATED:
            begun_s = self._world.clock.now()
            await asyncio.sleep(pass_s)
            overflow = {"overflow": True} if kind is FaultKind.SATURATED else {}
            values = self._act(f"read_{mode}", begun_s=begun_s, **settings, **overflow)
        if strike is not None and kind in _WIRE:
            await self._unanswered(strike)
        if kind is not FaultKind.NONSENSE_REPLY:
            return answer(values)
        garbled = answer(values) if values else [{"data": []}]
        garbled[0]["data"] = garbled[0]["data"][:-1]
        return garbled

    async def _unanswered(self, strike: Strike) -> None:
        if strike.kind is FaultKind.CONNECTION_LOST:
            raise ConnectionError("the USB device is gone")
        if strike.silent:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(ANSWER_TIMEOUT_S)
        raise TimeoutError("Timeout while waiting for the reader.")

    def _act(self, action: str, **arguments: Any) -> Any:
        try:
            return self._world.act(self._instrument, action, position=self._position, **arguments)
        except Impossible as error:
            raise ReaderRefuses(str(error)) from error

    def _answer(
        self, values: list[float], plate: Plate, wells: Iterable[Well], settings: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """In the form of PyLabRobot's readers: rows of columns, None for wells not asked for."""
        asked = {plate.get_child_identifier(well) for well in wells}
        data = [
            [
                value if f"{chr(ord('A') + row)}{column}" in asked else None
                for column, value in enumerate(values_of_row, start=1)
            ]
            for row, values_of_row in enumerate(_rows(values, plate.num_items_x))
        ]
        return [
            {
                **settings,
                "time": asyncio.get_running_loop().time(),
                "temperature": self._world.temperature_c(self._position),
                "data": data,
            }
        ]


def _rows(values: Sequence[float], columns: int) -> list[Sequence[float]]:
    return [values[first : first + columns] for first in range(0, len(values), columns)]
