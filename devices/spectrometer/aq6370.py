"""Yokogawa AQ6370 series optical spectrum analyzers (AQ6373B: 350 to 1200 nm, AQ6374: 350 to 1750 nm), in SCPI.

Command set of the remote control manual (IM AQ6370C-17EN, chapter 7), as the open drivers of PyMeasure and LabExT speak it:
over TCP (port 10001, with a login), over VISA (VXI-11 or GPIB, without one) and over a serial line. A lamp's light is led
through a well and to the analyzer in fibres; see :mod:`devices.spectrometer.light_path` for which well.

The analyzer has no integration time: how long it looks at each wavelength follows from its sensitivity.
"""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
import math
from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from ophyd_async.core import Array1D, SignalR, soft_signal_r_and_setter
from ophyd_async.core import StandardReadableFormat as Format

from devices.declarative import LineDevice, Query
from devices.fence import mark
from devices.identity import Identity
from devices.scpi import ScpiDialect, identity_of, numbers, telling
from devices.spectrometer.commands import SENSITIVITIES, ZERO_S, TakeSpectrum, Zero
from devices.spectrometer.light_path import FixedPath, LightPath
from devices.transport import Framing, Transport
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import CommandTimeout, DeviceFault, NonsenseReply, ReaderSaturated
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["AQ6370", "CEILING_W", "FRAMING", "LOGIN", "sweep_s"]

LOGIN = (('open "anonymous"', "AUTHENTICATE CRAM-MD5."), (" ", "ready"))
"""Over TCP, where the instrument's user is the one that it comes with."""

FRAMING = Framing(request_end="\n", reply_end="\r\n", baud=115200, greeting=LOGIN)

CEILING_W = 0.1
"""+20 dBm, the most that the analyzer shows."""

RESOLUTION_NM = 2.0
ZERO_TIMEOUT_S = 120.0
TRACE_TIMEOUT_S = 30.0

_PER_100_NM_S = dict(zip(SENSITIVITIES, (0.5, 1.0, 5.0, 20.0, 75.0), strict=True))
"""Time of one sweep over 100 nm; rounded from the data sheet, for estimates and as a measure of what is late."""

SENSITIVITY_CODES = {
    "0": "NHLD",
    "1": "NAUT",
    "2": "MID",
    "3": "HIGH1",
    "4": "HIGH2",
    "5": "HIGH3",
    "6": "NORM",
}

SWEPT = 1
"""Bit of the operation event register: a sweep has ended."""


def sweep_s(command: TakeSpectrum) -> float:
    """Expected time of all sweeps of one well."""
    return command.averages * (
        1.0 + _PER_100_NM_S[command.sensitivity] * (command.to_nm - command.from_nm) / 100.0
    )


class AQ6370(LineDevice):
    """An analyzer, a lamp, and the light's path through a well.

    Args:
        name: of the device in the workcell.
        transport: the wire to the analyzer.
        path: of the light.
        limits: of the workcell file: ``from_nm``, ``to_nm``, ``points``, ``averages``.

    Raises:
        BadInput: a limit that this device does not have.
    """

    # 2 is a warning of this make: the setting was rounded to what it has.
    dialect = ScpiDialect(FRAMING, fine=frozenset({0, 2}))
    framing: ClassVar[Framing] = FRAMING
    maker_limits: ClassVar[Limits] = {
        "from_nm": (350.0, 1750.0),
        "to_nm": (350.0, 1750.0),
        "points": (101.0, 2001.0),
        "averages": (1.0, 999.0),
    }

    sensitivity: Annotated[
        SignalR[str], Format.CONFIG_SIGNAL, Query(":SENSe:SENSe?", words=SENSITIVITY_CODES)
    ]

    def __init__(
        self,
        name: str,
        transport: Transport,
        *,
        path: LightPath | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(name, transport)
        self._path = path or FixedPath()
        with self.add_children_as_readables(Format.HINTED_SIGNAL):
            self.absorbance, self._set_absorbance = soft_signal_r_and_setter(Array1D[np.float64])
        with self.add_children_as_readables():
            self.power_w, self._set_power_w = soft_signal_r_and_setter(Array1D[np.float64], units="W")
            self.wavelength_nm, self._set_wavelength_nm = soft_signal_r_and_setter(
                Array1D[np.float64], units="nm"
            )
            # ophyd-async asks for the abstract type.
            self.wells, self._set_wells = soft_signal_r_and_setter(Sequence[str])  # type: ignore[type-abstract]
            self.plate, self._set_plate = soft_signal_r_and_setter(str)
            self.lab_time_s, self._set_lab_time_s = soft_signal_r_and_setter(float, units="s")
        self.spectrum = Verb(
            self._carry_out,
            command=TakeSpectrum,
            limits=narrowed(self.maker_limits, limits),
            estimate=self._spectrum_s,
            objections=self._objections,
            restore=self._show,
            reconcile=self._reconcile,
            remark=_remark,
        )
        self.zero = Verb(
            self._take_dark,
            command=Zero,
            estimate=lambda command, bench: ZERO_S,
            reconcile=self._reconcile_zero,
        )
        self.set_name(name)

    async def disconnect(self) -> None:
        """Give both connections up; harmless when there are none."""
        await self._path.close()
        await super().disconnect()

    async def safe(self) -> None:
        """No sweep, and the plate where an arm can take it. The light stays on: it needs half an hour to settle."""
        await self._link.ask(telling(":ABORt"))
        await self._path.safe()

    async def _introduce(self) -> Identity:
        identity = identity_of(await self._link.ask("*IDN?"))
        if not identity.model.startswith("AQ63"):
            raise NonsenseReply(f"{identity.vendor} {identity.model} is no analyzer of this series.")
        await self._path.open()
        return identity

    def _objections(self, command: TakeSpectrum, bench: Bench | None) -> tuple[str, ...]:
        return tuple(filter(None, (self._path.objection(well) for well in dict.fromkeys(command.path))))

    def _spectrum_s(self, command: TakeSpectrum, bench: Bench | None) -> float:
        return 5.0 + self._path.move_s + len(command.path) * (self._path.move_s + sweep_s(command) + 1.0)

    async def _carry_out(self, command: TakeSpectrum) -> JsonValue:
        """Set the analyzer, then a sweep for each well. Whatever goes wrong, nothing sweeps or moves."""
        begun_s = asyncio.get_running_loop().time()
        try:
            await mark("sweep", begun_s=begun_s)
            await self._set_up(command)
            powers = []
            for well in command.path:
                await self._path.select(well)
                powers.append(await self._sweep(command))
            await self._path.rest()
            metres = numbers(
                await self._link.ask(":TRACe:DATA:X? TRA", timeout_s=TRACE_TIMEOUT_S), command.points
            )
        except (Exception, asyncio.CancelledError) as failure:
            await self._safe_after(failure)
            raise
        nm = [one * 1e9 for one in metres]
        if abs(nm[0] - command.from_nm) > 0.5 or abs(nm[-1] - command.to_nm) > 0.5:
            raise NonsenseReply(f"the spectrum is from {nm[0]:g} to {nm[-1]:g} nm.")
        result = _result(command, nm, powers, begun_s)
        await self._show(result)
        return result

    async def _set_up(self, command: TakeSpectrum) -> None:
        for setting in (
            ":ABORt",
            "*CLS",
            ":FORMat:DATA ASCii",
            ":DISPlay:TRACe:Y1:SPACing LINear",
            ":TRACe:ATTRibute:TRA WRITe",
            ":TRACe:ACTive TRA",
            f":SENSe:WAVelength:STARt {command.from_nm:.3f}NM",
            f":SENSe:WAVelength:STOP {command.to_nm:.3f}NM",
            f":SENSe:BANDwidth:RESolution {RESOLUTION_NM:g}NM",
            f":SENSe:SWEep:POINts {command.points}",
            f":SENSe:AVERage:COUNt {command.averages}",
            f":SENSe:SENSe {command.sensitivity}",
            ":INITiate:SMODe SINGle",
        ):
            await self._link.ask(telling(setting))

    async def _sweep(self, command: TakeSpectrum) -> list[float]:
        """One spectrum of what is in the light: power in W at each point.

        Raises:
            CommandTimeout: the sweep does not end.
        """
        # What the register says of an earlier sweep is forgotten when it is read.
        await self._swept()
        await self._link.ask(telling(":INITiate:IMMediate"))
        expected_s = sweep_s(command)
        try:
            async with asyncio.timeout(3.0 * expected_s + 30.0):
                await asyncio.sleep(0.9 * expected_s)
                while not await self._swept():  # noqa: ASYNC110  (no events on this wire)
                    await asyncio.sleep(max(0.1, 0.05 * expected_s))
        except TimeoutError as late:
            raise CommandTimeout(f"a sweep did not end in {3.0 * expected_s + 30.0:.0f} s.") from late
        answer = await self._link.ask(":TRACe:DATA:Y? TRA", timeout_s=TRACE_TIMEOUT_S)
        return numbers(answer, command.points)

    async def _swept(self) -> bool:
        text = await self._link.ask(":STATus:OPERation:EVENt?")
        if not (text.isascii() and text.removeprefix("+").isdecimal()):
            raise NonsenseReply(f"{text!r} is no state of a sweep.")
        return bool(int(text) & SWEPT)

    async def _take_dark(self, command: Zero) -> JsonValue:
        await mark("zero")
        done = await self._link.ask(":CALibration:ZERO ONCE;*OPC?", timeout_s=ZERO_TIMEOUT_S)
        if done != "1":
            raise NonsenseReply(f"{done!r} is no end of a zeroing.")
        await self._link.ask(telling("*WAI"))
        return {}

    async def _reconcile(self, command: TakeSpectrum, marks: Sequence[Mark]) -> Reconciliation:
        """A spectrum that nobody received: light leaves nothing in a well, so it can be taken again."""
        said = "The light was not on the wells yet" if not marks else "The spectra did not arrive"
        return Reconciliation(
            answer=Answer.NOT_DONE,
            sentence=f"{said}; taking them leaves nothing in the plate and can be repeated.",
        )

    async def _reconcile_zero(self, command: Zero, marks: Sequence[Mark]) -> Reconciliation:
        """The dark signal can be taken as often as anybody likes."""
        return Reconciliation(answer=Answer.NOT_DONE, sentence="The dark signal can be taken again.")

    async def _show(self, result: JsonValue) -> None:
        """Put spectra into the signals, now or when a resumed run reads them again from the journal."""
        absorbance = [[math.nan if one is None else one for one in row] for row in result["absorbance"] or []]
        self._set_absorbance(np.array(absorbance, dtype=np.float64).ravel())
        self._set_power_w(np.array(result["power_w"], dtype=np.float64).ravel())
        self._set_wavelength_nm(np.array(result["wavelength_nm"], dtype=np.float64))
        self._set_wells(list(result["wells"]))
        self._set_plate(result["plate"])
        self._set_lab_time_s(result["lab_time_s"])


def _result(
    command: TakeSpectrum, nm: list[float], powers: list[list[float]], begun_s: float
) -> dict[str, JsonValue]:
    """What the journal keeps: n wells x m wavelengths of power, and of absorbance where there was a blank."""
    wells = powers if command.blank is None else powers[1:]
    absorbance = None if command.blank is None else [_absorbance(powers[0], row) for row in wells]
    return {
        "plate": command.plate,
        "wells": list(command.wells),
        "blank": command.blank,
        "wavelength_nm": nm,
        "power_w": wells,
        "blank_w": None if command.blank is None else powers[0],
        "absorbance": absorbance,
        "saturated": [any(one >= CEILING_W * 0.999 for one in row) for row in wells],
        "lab_time_s": begun_s,
        "averages": command.averages,
        "sensitivity": command.sensitivity,
    }


def _absorbance(blank_w: list[float], power_w: list[float]) -> list[float | None]:
    """Decadic, against the blank; None where one of the two gave no light to speak of."""
    return [
        math.log10(before / after) if before > 0.0 and after > 0.0 else None
        for before, after in zip(blank_w, power_w, strict=True)
    ]


def _remark(result: JsonValue) -> DeviceFault | None:
    """Which wells gave more light than the analyzer shows, or none."""
    over = [well for well, yes in zip(result["wells"], result["saturated"], strict=True) if yes]
    rows = result["absorbance"] or []
    dark = [well for well, row in zip(result["wells"], rows, strict=False) if all(one is None for one in row)]
    if not over and not dark:
        return None
    said = [f"{', '.join(over)} gave more light than can be told"] if over else []
    said += [f"{', '.join(dark)} gave none"] if dark else []
    return ReaderSaturated(f"{'; '.join(said)}, in spectra of {result['plate']}.")
