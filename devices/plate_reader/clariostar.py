"""BMG Labtech CLARIOstar, over PyLabRobot's backend (USB).

PyLabRobot 0.2.2 reads absorbance and luminescence on this instrument, but not yet fluorescence: on hardware the device has
no verb ``fluorescence``, and a plan that needs it is refused before anything moves. Its twin has the verb, since the
instrument itself reads fluorescence. A driver that does is :mod:`devices.plate_reader.infinite`.

The instrument holds its last measurement, but PyLabRobot fetches it only as part of a reading: on hardware, one that was cut
off is made again.
"""

from __future__ import annotations

from pylabrobot.plate_reading import CLARIOstarBackend

from devices.identity import Identity, origin_of
from devices.machine import require_module
from devices.plate_reader.reader import UNREAD, Reader, ReaderDriver, ReaderModel
from devices.verb import Limits
from lab.bench import Bench

__all__ = ["CLARIOSTAR", "clariostar", "real_clariostar"]

CLARIOSTAR = ReaderModel(
    limits={
        "excitation_nm": (320.0, 840.0),
        "emission_nm": (360.0, 900.0),
        "wavelength_nm": (220.0, 1000.0),
        "gain": (1.0, 4095.0),
    },
    fluorescence_pass_s=41.0,
    absorbance_pass_s=30.0,
    door_s=6.0,
    fluorescence_ceiling=260_000.0,
    absorbance_ceiling=4.0,
    fluorescence_settings=lambda command: {"focal_height": 11.0, "gain": round(command.gain)},
)
"""Ranges of the monochromators and of absorbance (OD 0 to 4), the ceiling of 260 000 and gains to 4095: BMG Labtech's
brochure and software, from memory. Times are of a 96-well plate with about 20 flashes a well, rounded."""


def real_clariostar(*, device_id: str | None = None) -> ReaderDriver:
    """The instrument on the USB port.

    Args:
        device_id: of its FTDI chip, where there are several.

    Raises:
        MissingData: the module to talk to FTDI chips is not installed.
    """
    require_module("pylibftdi")
    backend = CLARIOstarBackend(device_id=device_id)

    async def introduce() -> Identity:
        serial = device_id or "not asked"
        return Identity(
            vendor="BMG Labtech",
            model="CLARIOstar",
            serial=serial,
            firmware="not asked",
            origin=origin_of(serial),
        )

    return ReaderDriver(
        backend=backend, introduce=introduce, reads_fluorescence=False, faults=(RuntimeError, *UNREAD)
    )


def clariostar(name: str, driver: ReaderDriver, *, bench: Bench, limits: Limits | None = None) -> Reader:
    """The device.

    Args:
        name: of the device in the workcell.
        driver: :func:`real_clariostar`, or the twin's.
        bench: the live one.
        limits: of the workcell file.

    Raises:
        BadInput: a limit that this device does not have.
    """
    return Reader(name, driver, model=CLARIOSTAR, bench=bench, limits=limits)
