"""Thermo Cytomat automated incubators (2 C, 6000 series) over their serial line, through PyLabRobot's backend.

A line each way: ``ch:bs`` asks for a register, ``mv:st 004`` moves; the answer is ``ok`` and the overview register,
``er`` and a code, or the name of the register that was asked for and its value. A move is acknowledged when it is
accepted; the overview register tells when it has ended: transfer station occupied, device door open, gate open, handler
occupied, error, warning, ready, busy, from the highest bit to the lowest. (PyLabRobot 0.2.2, ``storage/cytomat``.)

PyLabRobot puts the commands together and knows the codes; waiting is done here, in lab time, and so that an answer which
comes late is never taken for the next. Its temperature is set at its own panel: PyLabRobot can't set it.
"""

from __future__ import annotations

import asyncio
import re
from typing import Protocol

from pylabrobot.resources import PlateCarrier
from pylabrobot.storage import IncubatorBackend
from pylabrobot.storage.cytomat import CytomatBackend
from pylabrobot.storage.cytomat.constants import CytomatType
from pylabrobot.storage.cytomat.errors import CytomatBusyError, error_map
from pylabrobot.storage.cytomat.schemas import OverviewRegisterState

from devices.identity import Identity, origin_of
from devices.plate_hotel.store import PlateStore, Seen, StoreDriver
from devices.verb import Limits
from lab.bench import Bench
from lab.errors import GripFault, InstrumentBusy, InstrumentError, LidFault, NonsenseReply

__all__ = ["MODELS", "Cytomat", "SerialPort", "cytomat", "cytomat_driver", "real_cytomat"]

MODELS = ("C6000", "C6002", "C2C_450_SHAKE", "C5C")
"""Those whose places are numbered through."""

ANSWER_S = 5.0
MOVE_S = 120.0
INITIALISING_S = 300.0
POLL_S = 1.0
IDLE_S = 0.02
LONGEST = 4096

_ERRORS = {
    0x01: InstrumentError,  # no motor controllers
    0x02: GripFault,
    0x03: GripFault,
    0x04: InstrumentError,
    0x05: InstrumentError,
    0x06: LidFault,
    0x07: LidFault,
    0x08: GripFault,
}
"""Of the error register: what a plate that was not loaded or unloaded, a gate, or a shovel is; others are the
instrument's."""

_HEX = re.compile(r"[0-9A-Fa-f]{2}", re.ASCII)
_TEMPERATURES = re.compile(r"([+-]?\d+(?:\.\d+)?) ([+-]?\d+(?:\.\d+)?)", re.ASCII)


class SerialPort(Protocol):
    """What the backend asks of its port: PyLabRobot's ``io.serial.Serial``, or a twin's."""

    async def setup(self) -> None: ...
    async def stop(self) -> None: ...
    async def write(self, data: bytes) -> None: ...
    async def read(self, num_bytes: int = 1) -> bytes: ...
    async def reset_input_buffer(self) -> None: ...


class Cytomat(CytomatBackend):
    """PyLabRobot's backend with answers that are waited for in lab time and checked.

    Args:
        model: one of :data:`MODELS`.
        port: path of the serial port, or what stands for it.
    """

    def __init__(self, model: str, port: str | SerialPort) -> None:
        if isinstance(port, str):
            super().__init__(model, port)
        else:
            # As PyLabRobot's, but that it opens no serial port.
            IncubatorBackend.__init__(self)
            self.model = CytomatType(model)
            self.io = port
        self._racks: list[PlateCarrier] = []
        self._lost = False
        self._turn = asyncio.Lock()

    async def setup(self) -> None:
        """Open the port, and initialise where it is not ready, which moves it.

        Raises:
            ConnectionError: there is no such port.
            InstrumentError: it does not get ready.
        """
        try:
            await self.io.setup()
        except RuntimeError as absent:
            raise ConnectionError(str(absent)) from absent
        self._lost = False
        overview = await self.get_overview_register()
        if not overview.ready_bit_set and not overview.busy_bit_set:
            await self.initialize()

    async def set_racks(self, racks: list[PlateCarrier]) -> None:
        """Places are numbered through, from the first rack to the last."""
        self._racks = racks

    async def send_command(self, command_type: str, command: str, params: str) -> str:
        """Send a command and give what its answer says.

        Raises:
            InstrumentBusy: it is at something else; nothing was done.
            InstrumentError: it refuses, by a code of its own.
            NonsenseReply: what came is no answer.
            TimeoutError: nothing came.
            ConnectionError: the port is gone; it is opened again before the next command.
        """
        request = self._assemble_command(command_type, command, params)
        async with self._turn:
            if self._lost:
                await self.io.stop()
                await self.io.setup()
            # Until the answer is here, it may come when the next one is waited for: then the port is opened anew.
            self._lost = True
            await self.io.reset_input_buffer()
            await self.io.write(request.encode("ascii"))
            async with asyncio.timeout(ANSWER_S):
                answer = await self._line()
            self._lost = False
        key, _, value = answer.partition(" ")
        value = value.strip()
        if key == "er" and _HEX.fullmatch(value):
            known = error_map.get(int(value, 16))
            if isinstance(known, CytomatBusyError):
                raise InstrumentBusy(f"{known}")
            raise InstrumentError(f"{known or 'error ' + value} in answer to {request.strip()!r}.")
        if (key == "ok" and command_type != "ch") or (key == command and command_type == "ch" and value):
            return value
        raise NonsenseReply(f"{answer!r} is no answer to {request.strip()!r}.")

    async def get_overview_register(self) -> OverviewRegisterState:
        """The overview register.

        Raises:
            NonsenseReply: it is none.
        """
        value = await self.send_command("ch", "bs", "")
        if not _HEX.fullmatch(value):
            raise NonsenseReply(f"{value!r} is no register.")
        return OverviewRegisterState.from_resp(value)

    async def wait_for_task_completion(self, timeout: float = MOVE_S) -> OverviewRegisterState:  # noqa: ASYNC109  (PyLabRobot calls it so)
        """Wait for the end of a move.

        Raises:
            GripFault, LidFault, InstrumentError: it ended with an error, which is cleared.
            TimeoutError: it does not end.
        """
        async with asyncio.timeout(timeout):
            while (overview := await self.get_overview_register()).busy_bit_set:  # noqa: ASYNC110  (no events on a line)
                await asyncio.sleep(POLL_S)
        if overview.error_register_set:
            code = await self.send_command("ch", "be", "")
            await self.reset_error_register()
            number = int(code, 16) if _HEX.fullmatch(code) else 0
            raise _ERRORS.get(number, InstrumentError)(f"it ended with the error {code}.")
        return overview

    async def temperatures_c(self) -> tuple[float, float]:
        """What it is set to, and what it is.

        Raises:
            NonsenseReply: they are no numbers.
        """
        value = await self.send_command("ch", "it", "")
        found = _TEMPERATURES.fullmatch(value)
        if found is None:
            raise NonsenseReply(f"{value!r} are no temperatures.")
        return float(found[1]), float(found[2])

    async def get_temperature(self) -> float:
        """What it is."""
        return (await self.temperatures_c())[1]

    async def see(self) -> Seen:
        """Its sensors."""
        overview = await self.get_overview_register()
        return Seen(
            busy=overview.busy_bit_set,
            at_station=overview.transfer_station_occupied,
            in_hand=overview.handler_occupied,
        )

    async def _line(self) -> str:
        raw = b""
        while not raw.endswith((b"\r", b"\n")):
            part = await self.io.read(128)
            raw += part
            if len(raw) > LONGEST:
                raise NonsenseReply(f"an answer has no end ({len(raw)} bytes so far).")
            if not part:
                await asyncio.sleep(IDLE_S)
        try:
            return raw.decode("ascii").strip()
        except UnicodeDecodeError as bad:
            raise NonsenseReply(f"{raw[:40]!r} is no text.") from bad


def cytomat_driver(backend: Cytomat, *, serial: str = "not asked") -> StoreDriver:
    """What lies under the device; a twin differs in the backend's port, and in its serial number."""

    async def introduce() -> Identity:
        await backend.get_overview_register()
        return Identity(
            vendor="Thermo Fisher",
            model=f"Cytomat {backend.model.value}",
            serial=serial,
            firmware="not asked",
            origin=origin_of(serial),
        )

    async def nominal_c() -> float:
        return (await backend.temperatures_c())[0]

    return StoreDriver(
        backend=backend,
        introduce=introduce,
        fetch=backend.action_storage_to_transfer,
        store=backend.action_transfer_to_storage,
        look=backend.see,
        nominal_c=nominal_c,
    )


def real_cytomat(model: str, port: str) -> StoreDriver:
    """The incubator on a serial port, by its path."""
    return cytomat_driver(Cytomat(model, port))


def cytomat(
    name: str,
    driver: StoreDriver,
    *,
    bench: Bench,
    station: str,
    expected_c: float | None = None,
    limits: Limits | None = None,
) -> PlateStore:
    """The device; arguments as of :class:`PlateStore`.

    Raises:
        BadInput: no such station, or a limit that this device does not have.
    """
    return PlateStore(name, driver, bench=bench, station=station, expected_c=expected_c, limits=limits)
