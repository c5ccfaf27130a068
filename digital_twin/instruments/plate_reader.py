"""Plate readers over the world, behind PyLabRobot's backend class.

A reading takes its time first and looks at the wells at its end; a kinetic reading is one call for each cycle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from pylabrobot.plate_reading.backend import PlateReaderBackend
from pylabrobot.resources import Plate, Well

from devices.identity import TWIN_SERIAL, Identity
from devices.plate_reader.clariostar import CLARIOSTAR
from devices.plate_reader.infinite import INFINITE
from devices.plate_reader.reader import ReaderDriver, ReaderModel
from digital_twin.world import Impossible, World
from lab.types import Origin

__all__ = ["ReaderRefuses", "ReaderTwin", "clariostar_twin", "infinite_twin"]

SETUP_S = 20.0
"""Self test after switching on."""


class ReaderRefuses(Exception):
    """What the instrument answers when it can't do what it was told."""


def clariostar_twin(world: World, *, name: str, position: str) -> ReaderDriver:
    """The driver of a simulated BMG Labtech CLARIOstar.

    Args:
        name: of the device in the workcell; keys its noise.
        position: where its plates stand.
    """
    return _driver(world, name, position, "clariostar", CLARIOSTAR, ("BMG Labtech", "CLARIOstar"))


def infinite_twin(world: World, *, name: str, position: str) -> ReaderDriver:
    """The driver of a simulated Tecan Infinite 200 PRO; arguments as in :func:`clariostar_twin`."""
    return _driver(world, name, position, "infinite", INFINITE, ("Tecan", "Infinite 200 PRO"))


def _driver(
    world: World, name: str, position: str, detector: str, model: ReaderModel, made: tuple[str, str]
) -> ReaderDriver:
    async def introduce() -> Identity:
        return Identity(
            vendor=made[0],
            model=made[1],
            serial=f"{TWIN_SERIAL}-{detector.upper()}-{world.seed}",
            firmware="simulated",
            origin=Origin.TWIN,
        )

    backend = ReaderTwin(world, instrument=name, position=position, detector=detector, model=model)
    return ReaderDriver(backend=backend, introduce=introduce, faults=(ReaderRefuses,))


class ReaderTwin(PlateReaderBackend):
    """A reader over a world.

    Args:
        instrument: name of the device.
        position: where its plates stand.
        detector: one of :data:`digital_twin.detectors.DETECTORS`.
        model: of which it takes the times.
    """

    def __init__(
        self, world: World, *, instrument: str, position: str, detector: str, model: ReaderModel
    ) -> None:
        super().__init__()
        self._world = world
        self._instrument = instrument
        self._position = position
        self._detector = detector
        self._model = model

    async def setup(self) -> None:
        """Switch on."""
        await asyncio.sleep(SETUP_S)

    async def stop(self) -> None:
        """Give the instrument up."""

    async def open(self) -> None:
        """Put the drawer out; harmless when it is out."""
        if self._world.is_shut(self._position):
            await asyncio.sleep(self._model.door_s)
            self._act("shut", shut=False)

    async def close(self, plate: Plate | None) -> None:
        """Draw the plate in; harmless when it is in."""
        if not self._world.is_shut(self._position):
            await asyncio.sleep(self._model.door_s)
            self._act("shut", shut=True)

    async def read_absorbance(self, plate: Plate, wells: list[Well], wavelength: int) -> list[dict[str, Any]]:
        """Absorbance of the wells asked for."""
        await asyncio.sleep(self._model.absorbance_pass_s)
        values = self._act("read_absorbance", wavelength_nm=float(wavelength))
        return self._answer(values, plate, wells, {"wavelength": wavelength})

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
        await asyncio.sleep(self._model.fluorescence_pass_s)
        values = self._act(
            "read_fluorescence",
            excitation_nm=float(excitation_wavelength),
            emission_nm=float(emission_wavelength),
            gain=float(gain),
            detector=self._detector,
        )
        settings = {"ex_wavelength": excitation_wavelength, "em_wavelength": emission_wavelength}
        return self._answer(values, plate, wells, settings)

    async def read_luminescence(
        self, plate: Plate, wells: list[Well], focal_height: float
    ) -> list[dict[str, Any]]:
        """Nothing in this world glows by itself."""
        raise ReaderRefuses("nothing on this bench is luminescent")

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
        columns = plate.num_items_x
        data = [
            [
                values[row * columns + column] if f"{chr(ord('A') + row)}{column + 1}" in asked else None
                for column in range(columns)
            ]
            for row in range(plate.num_items_y)
        ]
        return [
            {
                **settings,
                "time": asyncio.get_running_loop().time(),
                "temperature": self._world.temperature_c(self._position),
                "data": data,
            }
        ]
