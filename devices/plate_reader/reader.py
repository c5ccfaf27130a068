"""The plate reader of any vendor that PyLabRobot can drive: its verbs, and what it shows after a reading.

The drawer rests outside, where an arm can load it; a reading draws it in and puts it out again.
"""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
import math
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from ophyd_async.core import Array1D, soft_signal_r_and_setter
from ophyd_async.core import StandardReadableFormat as Format
from pylabrobot.plate_reading import PlateReader
from pylabrobot.plate_reading.backend import PlateReaderBackend
from pylabrobot.resources import Plate

from devices.fence import check_lease
from devices.labware import make_resource
from devices.machine import MachineDevice, MachineDriver, Progress
from devices.plate_reader.commands import ReadAbsorbance, ReadFluorescence
from devices.plate_reader.held import AGAIN, HeldReading, Verdict, saturation, settings_of, what_was_read
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import DeviceFault, LidFault, NonsenseReply, StaleLease
from lab.interfaces import Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["UNREAD", "Reader", "ReaderDriver", "ReaderModel"]

PLATE_MM = (127.76, 85.48, 20.0)
"""Footprint of a plate (ANSI SLAS 1-2004), which is all that PyLabRobot asks a reader's size for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderModel:
    """What one make of reader can do.

    Args:
        limits: the maker's: ``excitation_nm``, ``emission_nm``, ``wavelength_nm``, ``gain``.
        fluorescence_pass_s: time for one pass over 96 wells.
        absorbance_pass_s: the same.
        door_s: drawing the plate in, or putting it out.
        fluorescence_ceiling: from here on a number says no more than that there was too much light.
        absorbance_ceiling: the same, of too little light.
        fluorescence_settings: a command's arguments of the backend beside the two wavelengths.
    """

    limits: Limits
    fluorescence_pass_s: float
    absorbance_pass_s: float
    door_s: float
    fluorescence_ceiling: float
    absorbance_ceiling: float
    fluorescence_settings: Callable[[ReadFluorescence], Mapping[str, Any]]


UNREAD: tuple[type[Exception], ...] = (ValueError, ArithmeticError, LookupError, struct.error)
"""What those of PyLabRobot's backends raise that take an answer apart and find it is none."""

BELOW_ZERO = 0.01
LOWEST_ABSORBANCE = -1.0
"""How far below nothing a reading may be: a share of the ceiling of fluorescence, and an absorbance; choices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderDriver(MachineDriver):
    """What lies under a :class:`Reader`.

    Args:
        backend: of PyLabRobot.
        reads_fluorescence: False where PyLabRobot does not know how; the device then has no such verb.
        last_reading: asks the instrument for the reading that it still holds, None when it holds none; changes nothing.
            None where PyLabRobot's backend has no such question, as those of the Infinite and the CLARIOstar have not:
            a reading that nobody received is then lost and is made again.
    """

    backend: PlateReaderBackend
    reads_fluorescence: bool = True
    last_reading: Callable[[], Awaitable[HeldReading | None]] | None = None


class Reader(MachineDevice):
    """A plate reader with a motorised drawer.

    After a reading its signals show it: ``value`` (n wells, row-major; of a kinetic reading the last cycle), ``cycles``
    (all cycles x n, flat), ``saturated`` (n), ``plate``, ``mode``, ``lab_time_s`` of the reading's beginning,
    ``origin``, and the settings. A number the instrument did not give is not a number (NaN), and counts as saturated.

    Args:
        name: of the device in the workcell.
        driver: the instrument, or its twin.
        model: what this make can do.
        bench: the live one; says which labware the plate is.
        limits: of the workcell file: ``excitation_nm``, ``emission_nm``, ``wavelength_nm``, ``gain``.

    Raises:
        BadInput: a limit that this device does not have.
    """

    fluorescence: Verb[ReadFluorescence]
    """Only on a driver that knows how."""

    def __init__(
        self,
        name: str,
        driver: ReaderDriver,
        *,
        model: ReaderModel,
        bench: Bench,
        limits: Limits | None = None,
    ) -> None:
        self._driver = driver
        self._model = model
        self._bench = bench
        self._front = PlateReader(name, *PLATE_MM, backend=driver.backend)
        self._seen: HeldReading | None = None
        super().__init__(name, self._front, driver)
        allowed = narrowed(model.limits, limits)
        if driver.reads_fluorescence:
            self.fluorescence = Verb(
                self._read_fluorescence,
                command=ReadFluorescence,
                limits=allowed,
                estimate=lambda command, bench: self._expected_s(command, model.fluorescence_pass_s),
                restore=self._show,
                reconcile=self._reconcile,
                remark=saturation,
            )
        self.absorbance = Verb(
            self._read_absorbance,
            command=ReadAbsorbance,
            limits=allowed,
            estimate=lambda command, bench: self._expected_s(command, model.absorbance_pass_s),
            restore=self._show,
            reconcile=self._reconcile,
            remark=saturation,
        )
        self.value, self._set_value = soft_signal_r_and_setter(Array1D[np.float64])
        self.cycles, self._set_cycles = soft_signal_r_and_setter(Array1D[np.float64])
        self.saturated, self._set_saturated = soft_signal_r_and_setter(Array1D[np.bool_])
        self.plate, self._set_plate = soft_signal_r_and_setter(str)
        self.mode, self._set_mode = soft_signal_r_and_setter(str)
        self.lab_time_s, self._set_lab_time_s = soft_signal_r_and_setter(float, units="s")
        self.excitation_nm, self._set_excitation_nm = soft_signal_r_and_setter(float, units="nm")
        self.emission_nm, self._set_emission_nm = soft_signal_r_and_setter(float, units="nm")
        self.wavelength_nm, self._set_wavelength_nm = soft_signal_r_and_setter(float, units="nm")
        self.gain, self._set_gain = soft_signal_r_and_setter(float)
        self.rows, self._set_rows = soft_signal_r_and_setter(int, 8)
        self.columns, self._set_columns = soft_signal_r_and_setter(int, 12)
        self.add_readables([self.value], Format.HINTED_UNCACHED_SIGNAL)
        # Settings stand in each event: Bluesky reads a configuration once a run, and they differ from reading to reading.
        self.add_readables(
            [
                self.cycles,
                self.saturated,
                self.plate,
                self.mode,
                self.lab_time_s,
                self.excitation_nm,
                self.emission_nm,
                self.wavelength_nm,
                self.gain,
                self.origin,
            ],
            Format.UNCACHED_SIGNAL,
        )
        self.add_readables([self.rows, self.columns], Format.CONFIG_SIGNAL)
        self.set_name(name)

    async def look(self) -> None:
        """Keep the reading that the instrument still holds, if it can be asked for one.

        Raises:
            DeviceFault: it does not answer.
        """
        self._seen = await self._still_held()

    async def safe(self) -> None:
        """Put the drawer out, so that the plate can be reached. Safe to repeat.

        Raises:
            LidFault: the drawer does not move; a person must look.
            DeviceFault: the instrument does not answer.
        """
        with self.as_faults(LidFault):
            if self._front.setup_finished:
                await self._front.open()

    async def _after_setup(self) -> None:
        await self._front.open()

    def fault_for(self, error: Exception, refused: type[DeviceFault]) -> DeviceFault:
        """The fault that an error of the backend stands for."""
        if isinstance(error, UNREAD):
            return NonsenseReply(f"what the reader says can't be read ({type(error).__name__}: {error}).")
        return super().fault_for(error, refused)

    def _expected_s(self, command: ReadFluorescence | ReadAbsorbance, pass_s: float) -> float:
        return command.reading_s(pass_s) + 2.0 * self._model.door_s

    async def _read_fluorescence(self, command: ReadFluorescence) -> JsonValue:
        async def one() -> Any:
            return await self._front.read_fluorescence(
                excitation_wavelength=round(command.excitation_nm),
                emission_wavelength=round(command.emission_nm),
                use_new_return_type=True,
                **self._model.fluorescence_settings(command),
            )

        return await self._read(command, one)

    async def _read_absorbance(self, command: ReadAbsorbance) -> JsonValue:
        async def one() -> Any:
            return await self._front.read_absorbance(
                wavelength=round(command.wavelength_nm), use_new_return_type=True
            )

        return await self._read(command, one)

    async def _read(
        self, command: ReadFluorescence | ReadAbsorbance, one: Callable[[], Awaitable[Any]]
    ) -> JsonValue:
        """Drawer in, every cycle at its time, drawer out; what was read goes to the signals and to the journal.

        Each part is marked before it is sent: ``close``; ``read`` with the cycle (from 0) and the lab time at which the
        first one began; ``open``.
        """
        loop = asyncio.get_running_loop()
        passes: list[list[float | None]] = []
        lowest = self._lowest(command)
        progress = Progress()
        with self.as_faults(progress=progress):
            self._load(command.plate)
            try:
                async with progress.part("close"):
                    with self.as_faults(LidFault):
                        await self._front.close()
                begun_s = loop.time()
                for cycle in range(command.cycles):
                    await asyncio.sleep(max(0.0, begun_s + cycle * command.interval_s - loop.time()))
                    async with progress.part("read", cycle=cycle, begun_lab_s=begun_s):
                        passes.append(_flat((await one())[0]["data"], self._wells(command), lowest))
                async with progress.part("open"):
                    with self.as_faults(LidFault):
                        await self._front.open()
            except Exception as failure:
                await self._open_after(failure)
                raise
        result = self._result(command, begun_s, passes)
        await self._show(result)
        return result

    async def _reconcile(
        self, command: ReadFluorescence | ReadAbsorbance, marks: Sequence[Mark]
    ) -> Reconciliation:
        """What came of a reading: it is there if the instrument still holds it, and can be made again if not.

        That is so even where the instrument is silent or holds nonsense; whoever sends the reading again will meet it.
        """
        try:
            held = await self._still_held() or self._seen
            found = what_was_read(command, marks, held, can_tell=self._driver.last_reading is not None)
            if held is None or found.begun_lab_s is None:
                return found.without_result()
            lowest = self._lowest(command)
            passes = [_flat(rows, self._wells(command), lowest) for rows in held["cycles"]]
        except DeviceFault as fault:
            return Verdict(sentence=f"Its last reading can't be had ({fault}); {AGAIN}").without_result()
        return found.with_result(self._result(command, found.begun_lab_s, passes))

    async def _still_held(self) -> HeldReading | None:
        if self._driver.last_reading is None:
            return None
        with self.as_faults():
            return await self._driver.last_reading()

    def _lowest(self, command: ReadFluorescence | ReadAbsorbance) -> float:
        """Below this there is nothing, the zero of an instrument included."""
        if isinstance(command, ReadAbsorbance):
            return LOWEST_ABSORBANCE
        return -BELOW_ZERO * self._model.fluorescence_ceiling

    def _wells(self, command: ReadFluorescence | ReadAbsorbance) -> int:
        kind = self._bench.labware[command.plate].type
        return kind.rows * kind.columns

    def _result(
        self,
        command: ReadFluorescence | ReadAbsorbance,
        begun_s: float,
        passes: Sequence[list[float | None]],
    ) -> dict[str, JsonValue]:
        """What the journal keeps of a reading."""
        kind = self._bench.labware[command.plate].type
        fluorescence = isinstance(command, ReadFluorescence)
        ceiling = self._model.fluorescence_ceiling if fluorescence else self._model.absorbance_ceiling
        return {
            "plate": command.plate,
            "mode": command.verb,
            "rows": kind.rows,
            "columns": kind.columns,
            "lab_time_s": begun_s,
            "cycles": list(passes),
            "saturated": [
                any(_over(one_pass[well], ceiling) for one_pass in passes)
                for well in range(self._wells(command))
            ],
            "excitation_nm": 0.0,
            "emission_nm": 0.0,
            "wavelength_nm": 0.0,
            "gain": 0.0,
            **settings_of(command),
        }

    def _load(self, plate: str) -> None:
        """Tell PyLabRobot which plate stands in the reader."""
        for resource in list(self._front.children):
            if resource.name == plate:
                return
            resource.unassign()
        self._front.assign_child_resource(cast(Plate, make_resource(self._bench.labware[plate].type, plate)))

    async def _open_after(self, failure: Exception) -> None:
        """Put the drawer out because a reading failed, and keep both errors if that fails too.

        Not where the reader is another's by now: it may hold their plate.
        """
        try:
            check_lease()
            await self.safe()
        except StaleLease:
            return
        except DeviceFault as second:
            failure.add_note(f"The drawer could not be put out either: {second}")

    async def _show(self, result: JsonValue) -> None:
        """Put a reading into the signals, now or when a resumed run reads it again from the journal."""
        passes = np.array(result["cycles"], dtype=np.float64)
        self._set_value(passes[-1])
        self._set_cycles(passes.ravel())
        self._set_saturated(np.array(result["saturated"], dtype=np.bool_))
        self._set_plate(result["plate"])
        self._set_mode(result["mode"])
        self._set_lab_time_s(result["lab_time_s"])
        self._set_excitation_nm(result["excitation_nm"])
        self._set_emission_nm(result["emission_nm"])
        self._set_wavelength_nm(result["wavelength_nm"])
        self._set_gain(result["gain"])
        self._set_rows(result["rows"])
        self._set_columns(result["columns"])


def _flat(rows: Sequence[Sequence[Any]], wells: int, lowest: float) -> list[float | None]:
    """Wells of one pass, row-major; None where the instrument gave no number.

    Raises:
        NonsenseReply: not as many numbers as there are wells, or one that is below all that there is.
    """
    numbers: Iterable[Any] = (value for row in rows for value in row)
    values = [None if v is None or not math.isfinite(v) else float(v) for v in numbers]
    if len(values) != wells:
        raise NonsenseReply(f"the reading has {len(values)} numbers for {wells} wells.")
    least = min((value for value in values if value is not None), default=0.0)
    if least < lowest:
        raise NonsenseReply(f"{least:g} is no light that was seen.")
    return values


def _over(value: float | None, ceiling: float) -> bool:
    return value is None or value >= ceiling
