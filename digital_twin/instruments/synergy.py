"""An Agilent BioTek Synergy H1 over the world, behind the FTDI chip: it answers bytes.

Commands and answers as :mod:`devices.plate_reader.biotek_wire` has them. The instrument does one thing after the other,
and goes on with it when nobody listens; ``x`` ends what it is at. What it says while nobody reads stays in the chip until
that is emptied. A reading takes its time first and looks at the wells at its end.

Faults come from a script: a carrier that is stuck and a lamp that does not flash are an error in the status of an answer, a
lost cable an ``OSError`` of the port, silence is silence; a garbled answer lacks its last row.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence

from devices.identity import TWIN_SERIAL
from devices.plate_reader.biotek_wire import ACK, END
from devices.plate_reader.reader import ReaderDriver
from devices.plate_reader.synergy import GAIN, SYNERGY, Synergy, synergy_driver
from digital_twin.faults import NO_FAULTS, Faults, FaultScript, Request
from digital_twin.instruments.plate_reader import READER_FAULTS
from digital_twin.world import Impossible, World
from lab.errors import FaultKind

__all__ = ["SynergyPort", "synergy_twin"]

BOOT_S = 2.0

GOOD = "0000"
CARRIER_STUCK = "0400"
NO_LAMP = "0900"
UNKNOWN = "0101"
NOT_NOW = "0109"
"""Statuses other than good; the driver tells none of them from another."""

ABSORBANCE = re.compile(r"004701(\d{2})(\d{2})(\d{2})(\d{2})000120010000110010000010600008(\d{4})1(\d{2})")
FLUORESCENCE = re.compile(
    r"008401(\d{2})(\d{2})(\d{2})(\d{2})0001200100001100100000135000100200200(\d{4})000(\d{4})000000000000000000210011"
    r"(\d{2})"
)
FLUORESCENCE_SUM = 7
"""Added to the sum over a fluorescence protocol."""

_PARAMETER = {"&": 2, "i": 1, "g": 5}
"""Bytes of a parameter that has no end of its own."""

_BOTH = frozenset({"fluorescence", "absorbance"})


def synergy_twin(world: World, *, name: str, position: str, script: FaultScript = NO_FAULTS) -> ReaderDriver:
    """The driver of a simulated Synergy H1: the real one's, over a port that is the twin.

    Args:
        name: of the device in the workcell; keys its noise.
        position: where its plates stand.
        script: faults of the bench.

    Raises:
        BadInput: a rule of the script that could never strike.
    """
    return synergy_driver(Synergy(SynergyPort(world, name=name, position=position, script=script)))


class SynergyPort:
    """The instrument, as its FTDI chip shows it. Implements :class:`devices.plate_reader.synergy.FtdiPort`.

    Args:
        name: of the device.
        position: where its plates stand.
        script: faults of the bench.
    """

    def __init__(self, world: World, *, name: str, position: str, script: FaultScript = NO_FAULTS) -> None:
        self._world = world
        self._name = name
        self._position = position
        self._faults = Faults(world, name, READER_FAULTS, script)
        self._out = bytearray()
        self._said = asyncio.Event()
        self._in = ""
        self._command = ""
        self._protocol: re.Match[str] | None = None
        self._work: asyncio.Task[None] | None = None
        self._gone = False

    async def setup(self) -> None:
        """Open the port."""
        await asyncio.sleep(BOOT_S)
        self._gone = False

    async def stop(self) -> None:
        """Close the port; the instrument gives up what it is at."""
        await self._give_up()

    async def usb_reset(self) -> None:
        """Nothing that shows."""

    async def set_latency_timer(self, latency: int) -> None:
        """Nothing that shows."""

    async def set_baudrate(self, baudrate: int) -> None:
        """Any will do."""

    async def set_line_property(self, bits: int, stopbits: int, parity: int) -> None:
        """Any will do."""

    async def set_flowctrl(self, flowctrl: int) -> None:
        """Any will do."""

    async def set_rts(self, level: bool) -> None:
        """Any will do."""

    async def usb_purge_rx_buffer(self) -> None:
        """Forget what was said and not read."""
        self._out.clear()

    async def usb_purge_tx_buffer(self) -> None:
        """What was written has been taken already."""

    async def write(self, data: bytes) -> int:
        """Take bytes, which may be a command, its parameter, or part of either.

        Raises:
            ConnectionError: the cable is out.
        """
        if self._gone:
            raise ConnectionError("the USB device is gone")
        for byte in data.decode("latin-1"):
            await self._take(byte)
        return len(data)

    async def read(self, num_bytes: int = 1) -> bytes:
        """Bytes that were said, as soon as there are any.

        Raises:
            ConnectionError: the cable is out.
        """
        while not self._out and not self._gone:
            self._said.clear()
            await self._said.wait()
        if self._gone:
            raise ConnectionError("the USB device is gone")
        data = bytes(self._out[:num_bytes])
        del self._out[:num_bytes]
        return data

    async def _take(self, byte: str) -> None:
        if byte == "x" and not self._command:
            await self._give_up()
            return
        if not self._command:
            if byte in "yDtgi&":
                self._command, self._in = byte, ""
                self._say(ACK)
            else:
                self._begin(byte, "")
            return
        self._in += byte
        command, wanted = self._command, _PARAMETER.get(self._command)
        if byte == END.decode() if wanted is None else len(self._in) == wanted:
            self._command = ""
            self._begin(command, self._in.removesuffix(END.decode()), acknowledged=True)

    def _begin(self, command: str, parameter: str, *, acknowledged: bool = False) -> None:
        """One thing after the other: what is asked meanwhile waits."""
        before = self._work

        async def work() -> None:
            if before is not None:
                await asyncio.gather(before, return_exceptions=True)
            said = await self._do(command, parameter)
            if said is not None:
                self._say((b"" if acknowledged else ACK) + said.encode("latin-1") + END)
                if command == "O" and said.endswith(GOOD):
                    await self._read()

        self._work = asyncio.get_running_loop().create_task(work())

    async def _give_up(self) -> None:
        work, self._work, self._command = self._work, None, ""
        if work is not None:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    def _say(self, data: bytes) -> None:
        self._out += data
        self._said.set()

    async def _do(self, command: str, parameter: str) -> str | None:
        match command:
            case "C":
                return f"{TWIN_SERIAL}-SYNERGY-{self._world.seed}        {GOOD}"
            case "e":
                return f"1650200  Version 1.04   {GOOD}"
            case "h":
                return f"{round(10 * self._world.temperature_c(self._position))}{GOOD}"
            case "J":
                return await self._move_carrier("open_door", shut=False)
            case "A":
                return await self._move_carrier("close_door", shut=True)
            case "y" | "t" | "&" | "i" | "g":
                return GOOD
            case "D":
                return self._take_protocol(parameter)
            case "O":
                return GOOD if self._protocol is not None else NOT_NOW
        return UNKNOWN

    def _take_protocol(self, text: str) -> str:
        """A protocol whose sum is wrong, or that nobody here knows, is refused."""
        self._protocol = ABSORBANCE.fullmatch(text) or FLUORESCENCE.fullmatch(text)
        if self._protocol is None:
            return UNKNOWN
        plus = FLUORESCENCE_SUM if self._protocol.re is FLUORESCENCE else 0
        if (sum(text[:-2].encode()) + plus) % 100 != int(text[-2:]):
            self._protocol = None
            return UNKNOWN
        return f"035000000000000001000000000049030{GOOD}"

    async def _move_carrier(self, part: str, *, shut: bool) -> str | None:
        strike = self._faults.strike(Request(part, _BOTH if shut else frozenset()))
        if strike is not None and strike.kind is FaultKind.LID:
            await asyncio.sleep(SYNERGY.door_s)
            return CARRIER_STUCK
        if (strike is None or strike.after) and self._world.is_shut(self._position) is not shut:
            await asyncio.sleep(SYNERGY.door_s)
            self._world.act(self._name, "shut", position=self._position, shut=shut)
        if strike is not None:
            self._fall_silent(strike.kind)
            return None
        return GOOD

    async def _read(self) -> None:
        """One pass over the wells, if nothing is in its way."""
        assert self._protocol is not None
        mode = "fluorescence" if self._protocol.re is FLUORESCENCE else "absorbance"
        strike = self._faults.strike(Request("read", frozenset({mode})))
        kind = None if strike is None else strike.kind
        if kind is FaultKind.INSTRUMENT_ERROR:
            self._say(ACK + NO_LAMP.encode() + END)
            return
        seen: list[float] = []
        if strike is None or strike.after or kind is FaultKind.SATURATED:
            begun_s = self._world.clock.now()
            await asyncio.sleep(
                SYNERGY.fluorescence_pass_s if mode == "fluorescence" else SYNERGY.absorbance_pass_s
            )
            try:
                seen = self._look(mode, begun_s, overflow=kind is FaultKind.SATURATED)
            except Impossible:
                self._say(ACK + NOT_NOW.encode() + END)
                return
        if kind in (FaultKind.CONNECTION_LOST, FaultKind.TIMEOUT):
            self._fall_silent(kind)
            return
        rows = self._rows(seen, mode)
        self._say(self._body(rows[:-1] if kind is FaultKind.NONSENSE_REPLY else rows))

    def _look(self, mode: str, begun_s: float, *, overflow: bool) -> list[float]:
        assert self._protocol is not None
        more: dict[str, bool] = {"overflow": True} if overflow else {}
        settings: dict[str, float | str] = (
            {"wavelength_nm": float(self._protocol[5])}
            if mode == "absorbance"
            else {
                "excitation_nm": float(self._protocol[5]),
                "emission_nm": float(self._protocol[6]),
                "gain": GAIN,
                "detector": "synergy",
            }
        )
        seen: list[float] = self._world.act(
            self._name, f"read_{mode}", position=self._position, begun_s=begun_s, **settings, **more
        )
        return seen

    def _rows(self, seen: Sequence[float], mode: str) -> list[str]:
        """The wells asked for as the instrument goes over them: there and back."""
        assert self._protocol is not None
        top, left, bottom, right = (int(self._protocol[n]) for n in (1, 2, 3, 4))
        columns = self._columns()
        shown = _shown_absorbance if mode == "absorbance" else _shown_units
        rows = []
        for row in range(top, bottom + 1):
            across = range(left, right + 1)
            order = across if (row - top) % 2 == 0 else reversed(across)
            wells = [
                f"{row:02},{column:02},{_at(seen, (row - 1) * columns + column - 1, shown)}"
                for column in order
            ]
            rows.append(",".join(wells))
        return rows

    def _columns(self) -> int:
        piece = self._world.state.at(self._position)
        return 12 if piece is None else piece.kind.columns

    def _body(self, rows: Sequence[str]) -> bytes:
        tenths = f"{round(10 * self._world.temperature_c(self._position)):03}"
        summed = f"000:00:00.0,{tenths}," + "\r\n,".join(rows) + f"\r\n{tenths}\x1a"
        return f"01,1,\r{summed}{sum(summed.encode()) % 256:03}\x1a{GOOD}".encode("latin-1") + END

    def _fall_silent(self, kind: FaultKind) -> None:
        if kind is FaultKind.CONNECTION_LOST:
            self._gone = True
            self._said.set()


def _at(seen: Sequence[float], well: int, shown: Callable[[float], str]) -> str:
    """A well that was not looked at is shown as one that gave nothing."""
    return shown(seen[well]) if well < len(seen) else shown(0.0)


def _shown_absorbance(value: float) -> str:
    return "*******" if value >= SYNERGY.absorbance_ceiling else f"{value:+.4f}"


def _shown_units(value: float) -> str:
    return "*******" if value >= SYNERGY.fluorescence_ceiling else f"{round(value):07}"
