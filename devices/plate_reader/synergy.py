"""Agilent BioTek Synergy H1, over PyLabRobot's backend (USB, an FTDI chip inside). Reads fluorescence and absorbance.

PyLabRobot puts the commands together; waiting for answers and taking them apart is done here: in lab time, with the status
and the sum of each answer checked, and so that an answer which comes late is never taken for the next.

PyLabRobot 0.2.2 asks for one gain, whatever it is told, and can't ask for a reading that is over: one that was cut off is
made again. A reading that is cut off is given up by the instrument too, before anything else is asked of it.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from pylabrobot.plate_reading.agilent.biotek_synergyh1_backend import (
    HAS_PYLIBFTDI,
    FtdiError,
    SynergyH1Backend,
)
from pylabrobot.plate_reading.backend import PlateReaderBackend
from pylabrobot.resources import Plate

from devices.identity import Identity, origin_of
from devices.machine import require_module
from devices.plate_reader.biotek_wire import ACK, BioTekRefuses, answered, plate_of, reading
from devices.plate_reader.reader import Reader, ReaderDriver, ReaderModel
from devices.verb import Limits
from lab.bench import Bench
from lab.errors import NonsenseReply

__all__ = ["SYNERGY", "FtdiPort", "Synergy", "real_synergy", "synergy", "synergy_driver"]

GAIN = 100.0
"""The one gain that PyLabRobot's commands ask for."""

SYNERGY = ReaderModel(
    limits={
        "excitation_nm": (250.0, 700.0),
        "emission_nm": (250.0, 700.0),
        "wavelength_nm": (230.0, 999.0),
        "gain": (GAIN, GAIN),
    },
    fluorescence_pass_s=45.0,
    absorbance_pass_s=30.0,
    door_s=6.0,
    fluorescence_ceiling=99_999.0,
    absorbance_ceiling=4.0,
    fluorescence_settings=lambda command: {"focal_height": 7.0},
)
"""Wavelengths as PyLabRobot's backend accepts them. The instrument shows up to 99 999 units and absorbances to 4 (BioTek's
specification, from memory). Times are of a 96-well plate at the usual ten flashes a well, rounded."""

ANSWER_S = 20.0
"""Longest time for what is answered at once, the carrier's way included."""

QUESTION_S = 2.0
"""Longest time for an answer that moves nothing."""

READING_S = 180.0
"""Longest time for a pass over the wells."""

POLL_S = 0.02
"""Between two looks at a port that had nothing."""

LONGEST = 256 * 1024
"""Bytes of an answer without its end after which it is none."""

GIVING_UP_S = 0.5
"""After which a reading that was given up sends nothing more."""

_GONE: tuple[type[Exception], ...] = (OSError, FtdiError) if HAS_PYLIBFTDI else (OSError,)
_ABSENT: tuple[type[Exception], ...] = (RuntimeError, *_GONE)
"""By which a port says that the wire is gone, or that there was none."""


class FtdiPort(Protocol):
    """What the backend asks of its port: PyLabRobot's ``io.ftdi.FTDI``, or a twin's."""

    async def setup(self) -> None: ...
    async def stop(self) -> None: ...
    async def usb_reset(self) -> None: ...
    async def set_latency_timer(self, latency: int) -> None: ...
    async def set_baudrate(self, baudrate: int) -> None: ...
    async def set_line_property(self, bits: int, stopbits: int, parity: int) -> None: ...
    async def set_flowctrl(self, flowctrl: int) -> None: ...
    async def set_rts(self, level: bool) -> None: ...
    async def usb_purge_rx_buffer(self) -> None: ...
    async def usb_purge_tx_buffer(self) -> None: ...
    async def write(self, data: bytes) -> int: ...
    async def read(self, num_bytes: int = 1) -> bytes: ...


class Synergy(SynergyH1Backend):
    """PyLabRobot's backend with answers that are waited for in lab time and checked.

    Args:
        port: where the instrument is; None: on USB.
        device_id: of its FTDI chip, where there are several.
    """

    def __init__(self, port: FtdiPort | None = None, *, device_id: str | None = None) -> None:
        if port is None:
            super().__init__(timeout=ANSWER_S, device_id=device_id)
        else:
            # As PyLabRobot's, but that it opens no FTDI chip.
            PlateReaderBackend.__init__(self)
            self.timeout = ANSWER_S
            self.io = port
            self._version: str | None = None
            self._plate: Plate | None = None
            self._slow_mode: bool | None = None
            self._shaking, self._shaking_task = False, None
        self._pending = bytearray()
        self._answer_due = False
        self._lost = False

    async def setup(self) -> None:
        """Open the port and ask for the firmware's version.

        Raises:
            ConnectionError: there is no such instrument, or it is in use.
        """
        self._lost, self._answer_due = False, False
        self._plate, self._slow_mode = None, None
        try:
            await super().setup()
        except _ABSENT as absent:
            raise ConnectionError(str(absent)) from absent

    async def send_command(
        self,
        command: str,
        parameter: str | None = None,
        wait_for_response: bool = True,
        timeout: float | None = None,  # noqa: ASYNC109  (PyLabRobot calls it so)
    ) -> bytes | None:
        """Send a command, with its parameter once it is acknowledged, and wait for the answer.

        Raises:
            BioTekRefuses: its status is an error.
            NonsenseReply: what came is no answer.
            TimeoutError: nothing came; the instrument gives up what it is at, and the port is opened anew, before the next
                command.
            ConnectionError: the wire is gone; it is looked for again before the next command.
        """
        try:
            if self._answer_due and not self._lost:
                # It may be in the midst of an answer, or wait for the rest of a command.
                await self.io.write(b"x")
                await asyncio.sleep(GIVING_UP_S)
                self._lost = True
            if self._lost:
                await self.io.stop()
                await self.setup()
            self._pending.clear()
            reply: bytes | None = await super().send_command(
                command, parameter, wait_for_response, timeout or ANSWER_S
            )
        except TimeoutError:
            raise
        except _GONE as gone:
            self._lost = True
            raise ConnectionError(str(gone)) from gone
        if reply is not None:
            try:
                said = answered(command, reply)
                if command == "O" and (said or not reply.startswith(ACK)):
                    raise NonsenseReply(f"{reply[:40]!r} does not say that a reading begins.")
            except NonsenseReply:
                # It may be the answer to something else, and that to this may come yet.
                self._answer_due = True
                raise
        return reply

    async def get_serial_number(self) -> str:
        """As the instrument writes it.

        Raises:
            NonsenseReply: it is empty.
        """
        serial = answered("C", await self._asked("C")).split(" ")[0]
        if not serial:
            raise NonsenseReply("the serial number is empty.")
        return serial

    async def get_firmware_version(self) -> str:
        """As the instrument writes it."""
        words = answered("e", await self._asked("e")).split()
        if len(words) < 3:
            raise NonsenseReply(f"{' '.join(words)!r} is no version.")
        return words[2]

    async def get_current_temperature(self) -> float:
        """Of the chamber, C.

        Raises:
            NonsenseReply: it is no number.
        """
        tenths = answered("h", await self._asked("h"))
        if not tenths.removeprefix("-").isdigit():
            raise NonsenseReply(f"{tenths!r} is no temperature.")
        return int(tenths) / 10.0

    async def _asked(self, command: str) -> bytes:
        reply = await self.send_command(command, timeout=QUESTION_S)
        assert reply is not None, "it waits for the answer"
        return reply

    async def _read_until(
        self,
        terminator: bytes,
        timeout: float | None = None,  # noqa: ASYNC109  (PyLabRobot calls it so)
        chunk_size: int = 512,
    ) -> bytes:
        """What comes, up to and including an end; what follows it is kept for the next time."""
        self._answer_due = True
        async with asyncio.timeout(timeout or READING_S):
            while terminator not in self._pending:
                try:
                    data = await self.io.read(chunk_size)
                except _GONE as gone:
                    self._lost = True
                    raise ConnectionError(str(gone)) from gone
                if not data:
                    await asyncio.sleep(POLL_S)
                self._pending += data
                if len(self._pending) > LONGEST:
                    raise NonsenseReply(f"an answer has no end ({len(self._pending)} bytes so far).")
        self._answer_due = False
        end = self._pending.index(terminator) + len(terminator)
        whole = bytes(self._pending[:end])
        del self._pending[:end]
        return whole

    def _parse_body(self, body: bytes) -> list[list[float | None]]:
        assert self._plate is not None, "PyLabRobot sends the plate before it reads"
        return plate_of(reading(body), self._plate.num_items_y, self._plate.num_items_x)


def synergy_driver(backend: Synergy, *, needs: tuple[str, ...] = ()) -> ReaderDriver:
    """What lies under the device; a twin differs in the backend's port."""

    async def introduce() -> Identity:
        serial = await backend.get_serial_number()
        return Identity(
            vendor="Agilent BioTek",
            model="Synergy H1",
            serial=serial,
            firmware=await backend.get_firmware_version(),
            origin=origin_of(serial),
        )

    return ReaderDriver(backend=backend, introduce=introduce, faults=(BioTekRefuses,), needs=needs)


def real_synergy(*, device_id: str | None = None) -> ReaderDriver:
    """The instrument on the USB port.

    Args:
        device_id: of its FTDI chip, where there are several.

    Raises:
        MissingData: a module to talk to FTDI chips is not installed.
    """
    require_module("pylibftdi")
    return synergy_driver(Synergy(device_id=device_id))


def synergy(name: str, driver: ReaderDriver, *, bench: Bench, limits: Limits | None = None) -> Reader:
    """The device.

    Args:
        name: of the device in the workcell.
        driver: :func:`real_synergy`, or the twin's.
        bench: the live one.
        limits: of the workcell file.

    Raises:
        BadInput: a limit that this device does not have.
    """
    return Reader(name, driver, model=SYNERGY, bench=bench, limits=limits)
