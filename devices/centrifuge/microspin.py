"""HighRes Biosolutions MicroSpin, over PyLabRobot's backend (TCP). Holds two plates, up to 3000 g.

A line each way (MicroSpin User Manual, document 1058675, section 6.6, as PyLabRobot quotes it): a command; ``ACK!`` with
its number; data; ``OK!``, ``ERROR!`` or ``ABORTED!``. While the rotor turns, a connection hears nothing but its own
command's end: to stop the rotor in the midst of a spin another connection is opened, on which ``abort`` is answered at
once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

from pylabrobot.centrifuge.backend import CentrifugeBackend
from pylabrobot.centrifuge.highres.microspin_backend import (
    MicroSpinBackend,
    MicroSpinError,
    MicroSpinProtocolError,
)
from pylabrobot.io.socket import Socket

from devices.centrifuge.centrifuge import CentrifugeDriver, CentrifugeModel, PlateCentrifuge
from devices.identity import Identity, origin_of
from devices.verb import Limits
from lab.bench import Bench
from lab.errors import NonsenseReply

__all__ = ["MICROSPIN", "LinePort", "MicroSpin", "microspin", "microspin_driver", "ramp_s", "real_microspin"]

RADIUS_M = 0.120
"""From its limit: 3000 g at 4729 rpm (manual, section 11)."""

RPM_PER_S = 200.0
"""Of each ramp at the half of full power that PyLabRobot asks for; an estimate."""

ANSWER_S = 30.0
"""Longest time for what is answered at once, and for the door."""

STOPPING_S = 300.0
"""Longest time until the rotor stands, from full speed on the slow curve (PyLabRobot saw minutes)."""


def ramp_s(rcf_g: float) -> float:
    """Time up to a force, or down from it."""
    rpm = math.sqrt(rcf_g * 9.80665 / RADIUS_M) * 60.0 / (2.0 * math.pi)
    return rpm / RPM_PER_S


MICROSPIN = CentrifugeModel(
    # Below 30 g its sensor of standstill may fail to notice, and it never ends (PyLabRobot, seen on an instrument).
    limits={"rcf_g": (30.0, 3000.0), "hold_s": (1.0, 3600.0)},
    presenting_s=10.0,
    ramps_s=lambda rcf_g: 2.0 * ramp_s(rcf_g) + 5.0,
)


class LinePort(Protocol):
    """What the backend asks of a connection: PyLabRobot's ``io.socket.Socket``, or a twin's."""

    async def setup(self) -> None: ...
    async def stop(self) -> None: ...
    async def write(self, data: bytes, timeout: float | None = None) -> None: ...  # noqa: ASYNC109  (PyLabRobot's)
    async def readline(self, timeout: float | None = None) -> bytes: ...  # noqa: ASYNC109  (PyLabRobot's)


class MicroSpin(MicroSpinBackend):
    """PyLabRobot's backend, which opens its connection anew when it was lost, and halts over one of its own.

    Args:
        connect: makes a connection that is not open yet.
    """

    def __init__(self, connect: Callable[[], LinePort]) -> None:
        CentrifugeBackend.__init__(self)
        self._connect = connect
        self._fresh()

    def _fresh(self) -> None:
        """As PyLabRobot's, but for where the connection comes from."""
        self.timeout = ANSWER_S
        self.io = self._connect()
        self._lock = asyncio.Lock()
        self._pending_terminator_count = 0
        self._lost = False

    async def setup(self) -> None:
        """Connect.

        Raises:
            OSError: nobody is there.
        """
        await self.io.setup()

    # The timeout is the caller's to say; PyLabRobot calls it so.
    async def send_command(self, command: str, *, timeout: float | None = None) -> list[str]:  # noqa: ASYNC109
        """Send a command and give its data.

        Raises:
            MicroSpinError: it says that it failed, or was aborted.
            NonsenseReply: what came is no answer.
            TimeoutError: no whole answer in time.
            OSError: the connection is gone; it is opened anew before the next command.
        """
        if self._lost or self._pending_terminator_count:
            # PyLabRobot would wait for the end of what was asked before; a new connection has nothing to wait for.
            await self.io.stop()
            self._fresh()
            await self.io.setup()
        try:
            return await super().send_command(command, timeout=timeout)
        except MicroSpinProtocolError as bad:
            self._lost = True
            raise NonsenseReply(str(bad)) from bad
        except TimeoutError:
            raise
        except OSError:
            self._lost = True
            raise

    async def halt(self) -> None:
        """Abort whatever it does, release the latch that this sets, and wait until the rotor stands."""
        other = MicroSpin(self._connect)
        await other.setup()
        try:
            await other.abort(timeout=ANSWER_S)
            await other.clear_button_abort()
            await other.request_status(timeout=STOPPING_S)
        finally:
            await other.stop()

    async def _readline(self, *, timeout: float | None = None) -> str:  # noqa: ASYNC109  (PyLabRobot's)
        try:
            line = await super()._readline(timeout=timeout)
        except ValueError as endless:
            self._lost = True
            raise NonsenseReply("an answer has no end.") from endless
        if not line.isascii():
            # PyLabRobot puts a sign of its own in place of what is no text.
            self._lost = True
            raise NonsenseReply(f"{line[:40]!r} is no text.")
        return line


def microspin_driver(connect: Callable[[], LinePort]) -> CentrifugeDriver:
    """What lies under the device; a twin differs in where its connections go."""
    backend = MicroSpin(connect)

    async def introduce() -> Identity:
        said = await backend.request_version()
        serial = said.get("Serial Number", "")
        if not serial:
            raise NonsenseReply("its version report has no serial number.")
        return Identity(
            vendor="HighRes Biosolutions",
            model="MicroSpin",
            serial=serial,
            firmware=said.get("Version", "not told"),
            origin=origin_of(serial),
        )

    return CentrifugeDriver(
        backend=backend,
        introduce=introduce,
        faults=(MicroSpinError,),
        is_homed=backend.is_homed,
        home=backend.home,
        halt=backend.halt,
    )


def real_microspin(host: str, port: int) -> CentrifugeDriver:
    """The instrument at a TCP address; its port is 1000 as it leaves the factory."""
    return microspin_driver(
        lambda: Socket(
            human_readable_device_name="HighRes MicroSpin",
            host=host,
            port=port,
            read_timeout=ANSWER_S,
            write_timeout=ANSWER_S,
        )
    )


def microspin(
    name: str, driver: CentrifugeDriver, *, bench: Bench, limits: Limits | None = None
) -> PlateCentrifuge:
    """The device; arguments as of :class:`PlateCentrifuge`.

    Raises:
        BadInput: a limit that this device does not have.
    """
    return PlateCentrifuge(name, driver, model=MICROSPIN, bench=bench, limits=limits)
