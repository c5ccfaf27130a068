"""Tecan Infinite 200 PRO, series M (monochromators), over PyLabRobot's backend (USB). Reads fluorescence and absorbance.

PyLabRobot 0.2.2 can't ask it for a reading that is over: one that was cut off is made again.
"""

from __future__ import annotations

from pylabrobot.plate_reading.tecan import ExperimentalTecanInfinite200ProBackend

from devices.identity import Identity, origin_of
from devices.machine import USB_MODULE
from devices.plate_reader.reader import UNREAD, Reader, ReaderDriver, ReaderModel
from devices.verb import Limits
from lab.bench import Bench

__all__ = ["INFINITE", "infinite", "real_infinite"]

INFINITE = ReaderModel(
    limits={
        "excitation_nm": (230.0, 850.0),
        "emission_nm": (280.0, 850.0),
        "wavelength_nm": (230.0, 1000.0),
        "gain": (1.0, 255.0),
    },
    fluorescence_pass_s=45.0,
    absorbance_pass_s=35.0,
    door_s=5.0,
    fluorescence_ceiling=60_000.0,
    absorbance_ceiling=4.0,
    fluorescence_settings=lambda command: {"focal_height": 20.0, "gain": round(command.gain)},
)
"""Wavelengths and gains as PyLabRobot's backend accepts them. The converter has 16 bits; a number near its end is taken
as an overflow. Times are of a 96-well plate with 25 flashes a well, rounded."""


def real_infinite() -> ReaderDriver:
    """The instrument on the USB port."""
    backend = ExperimentalTecanInfinite200ProBackend()

    async def introduce() -> Identity:
        serial = "not asked"
        return Identity(
            vendor="Tecan",
            model="Infinite 200 PRO",
            serial=serial,
            firmware="not asked",
            origin=origin_of(serial),
        )

    return ReaderDriver(
        backend=backend, introduce=introduce, needs=(USB_MODULE,), faults=(RuntimeError, *UNREAD)
    )


def infinite(name: str, driver: ReaderDriver, *, bench: Bench, limits: Limits | None = None) -> Reader:
    """The device.

    Args:
        name: of the device in the workcell.
        driver: :func:`real_infinite`, or the twin's.
        bench: the live one.
        limits: of the workcell file.

    Raises:
        BadInput: a limit that this device does not have.
    """
    return Reader(name, driver, model=INFINITE, bench=bench, limits=limits)
