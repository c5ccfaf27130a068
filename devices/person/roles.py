"""Persons in place of a liquid handler, an arm, a shaker, a thermocycler and a plate reader."""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
import math
from typing import ClassVar, TypeVar

import numpy as np
from ophyd_async.core import Array1D, soft_signal_r_and_setter
from ophyd_async.core import StandardReadableFormat as Format

from devices.incubator import Incubate
from devices.liquid_handler import AddReagent, Distribute, Mix
from devices.person.commands import MeasureByHand, WorkByHand
from devices.person.person import Desk, Person
from devices.person.sheet import HandIn
from devices.plate_hotel import Move, PutLid, TakeLid
from devices.plate_reader import ReadAbsorbance, ReadFluorescence
from devices.plate_reader.held import saturation, settings_of
from devices.thermocycler import CloseLid, Heat, OpenLid
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.types import JsonValue

__all__ = ["PersonArm", "PersonHandler", "PersonReader", "PersonShaker", "PersonThermocycler"]

Reading = ReadAbsorbance | ReadFluorescence | MeasureByHand
R = TypeVar("R", ReadAbsorbance, ReadFluorescence, MeasureByHand)


class PersonHandler(Person):
    """A person with pipettes: whole worklists, and the single commands of a liquid handler.

    Args:
        name: of the device in the workcell.
        desk: where worklists go.
        bench: the live one.
        limits: of the workcell file: ``volume_ul``.

    Raises:
        BadInput: a limit that this device does not have.
    """

    maker_limits: ClassVar[Limits] = {"volume_ul": (0.1, 5000.0)}
    """What hand pipettes give: the smallest hold 0.1 to 2.5 ul, the largest 5 ml (ISO 8655-2 covers them)."""

    def __init__(self, name: str, desk: Desk, *, bench: Bench, limits: Limits | None = None) -> None:
        super().__init__(name, desk, bench=bench)
        allowed = narrowed(self.maker_limits, limits)
        self.work = self.verb(WorkByHand, limits=allowed)
        self.distribute = self.verb(Distribute, limits=allowed)
        self.add_reagent = self.verb(AddReagent, limits=allowed)
        self.mix = self.verb(Mix, limits=allowed)
        self.set_name(name)


class PersonArm(Person):
    """A person who carries plates and puts lids on them; arguments as of :class:`Person`."""

    def __init__(self, name: str, desk: Desk, *, bench: Bench, limits: Limits | None = None) -> None:
        super().__init__(name, desk, bench=bench)
        narrowed({}, limits)
        self.move = self.verb(Move)
        self.put_lid = self.verb(PutLid)
        self.take_lid = self.verb(TakeLid)
        self.set_name(name)


class PersonShaker(Person):
    """A person with a shaking incubator that speaks to nobody; arguments as of :class:`PersonHandler`.

    Its limits are ``temperature_c``, ``shaking_rpm`` and ``hold_s``.
    """

    maker_limits: ClassVar[Limits] = {
        "temperature_c": (4.0, 99.0),
        "shaking_rpm": (10.0, 3000.0),
        "hold_s": (0.0, 30 * 86_400.0),
    }
    """What such instruments can do; the workcell file says what yours can."""

    def __init__(self, name: str, desk: Desk, *, bench: Bench, limits: Limits | None = None) -> None:
        super().__init__(name, desk, bench=bench)
        self.incubate = self.verb(Incubate, limits=narrowed(self.maker_limits, limits))
        self.set_name(name)


class PersonThermocycler(Person):
    """A person with a thermocycler that speaks to nobody; arguments as of :class:`PersonHandler`.

    Its limits are ``temperature_c`` and ``hold_s``.
    """

    maker_limits: ClassVar[Limits] = {
        "temperature_c": (4.0, 99.0),
        "cool_to_c": (4.0, 99.0),
        "hold_s": (0.0, 7 * 86_400.0),
    }
    """What such instruments can do; the workcell file says what yours can."""

    def __init__(self, name: str, desk: Desk, *, bench: Bench, limits: Limits | None = None) -> None:
        super().__init__(name, desk, bench=bench)
        allowed = narrowed(self.maker_limits, limits, also={"temperature_c": ("cool_to_c",)})
        self.heat = self.verb(Heat, limits=allowed)
        self.open_lid = self.verb(OpenLid)
        self.close_lid = self.verb(CloseLid)
        self.set_name(name)


class PersonReader(Person):
    """A person with a reader, or anything else that gives a number a well; arguments as of :class:`PersonHandler`.

    After a reading its signals show it as those of :class:`devices.plate_reader.reader.Reader` do, and ``by``, who read it,
    and ``unit``. Wells that nobody asked for are not numbers (NaN); those that the reader could not tell are that too, and
    count as saturated. A person reads a plate once: a kinetic measurement is refused.

    Its limits are ``excitation_nm``, ``emission_nm``, ``wavelength_nm`` and ``gain``.
    """

    maker_limits: ClassVar[Limits] = {
        "excitation_nm": (200.0, 1000.0),
        "emission_nm": (200.0, 1000.0),
        "wavelength_nm": (200.0, 1000.0),
        "gain": (0.0, 1e6),
        "cycles": (1, 1),
    }
    """Light that plates let through; every make has a scale of its own for its gain."""

    def __init__(self, name: str, desk: Desk, *, bench: Bench, limits: Limits | None = None) -> None:
        super().__init__(name, desk, bench=bench)
        allowed = narrowed(self.maker_limits, limits)
        self.absorbance = self._reading(ReadAbsorbance, allowed)
        self.fluorescence = self._reading(ReadFluorescence, allowed)
        self.measure = self._reading(MeasureByHand, None)
        self.value, self._set_value = soft_signal_r_and_setter(Array1D[np.float64])
        self.cycles, self._set_cycles = soft_signal_r_and_setter(Array1D[np.float64])
        self.saturated, self._set_saturated = soft_signal_r_and_setter(Array1D[np.bool_])
        self.lab_time_s, self._set_lab_time_s = soft_signal_r_and_setter(float, units="s")
        texts = {key: soft_signal_r_and_setter(str) for key in ("plate", "mode", "unit", "by")}
        numbers = {
            key: soft_signal_r_and_setter(float)
            for key in ("excitation_nm", "emission_nm", "wavelength_nm", "gain")
        }
        (self.plate, self.mode, self.unit, self.by) = (signal for signal, _ in texts.values())
        (self.excitation_nm, self.emission_nm, self.wavelength_nm, self.gain) = (
            signal for signal, _ in numbers.values()
        )
        self._settings = {key: setter for key, (_, setter) in (texts | numbers).items()}
        self.rows, self._set_rows = soft_signal_r_and_setter(int, 8)
        self.columns, self._set_columns = soft_signal_r_and_setter(int, 12)
        self.add_readables([self.value], Format.HINTED_UNCACHED_SIGNAL)
        # Settings stand in each event: Bluesky reads a configuration once a run, and they differ from reading to reading.
        self.add_readables(
            [
                self.cycles,
                self.saturated,
                self.lab_time_s,
                self.plate,
                self.mode,
                self.unit,
                self.by,
                self.excitation_nm,
                self.emission_nm,
                self.wavelength_nm,
                self.gain,
            ],
            Format.UNCACHED_SIGNAL,
        )
        self.add_readables([self.rows, self.columns], Format.CONFIG_SIGNAL)
        self.set_name(name)

    def _reading(self, command: type[R], limits: Limits | None) -> Verb[R]:
        return self.verb(command, self._result, limits=limits, show=self._show, remark=saturation)

    async def _result(self, command: Reading, answer: HandIn) -> JsonValue:
        """What the journal keeps of a reading, and the signals show."""
        kind = self._bench.labware[command.plate].type
        given = [answer.values.get(well) for well in kind.wells]
        result: dict[str, JsonValue] = {
            "plate": command.plate,
            "mode": command.verb,
            "unit": "OD" if isinstance(command, ReadAbsorbance) else self._desk.unit,
            "rows": kind.rows,
            "columns": kind.columns,
            "lab_time_s": asyncio.get_running_loop().time(),
            "cycles": [[value if isinstance(value, float) else None for value in given]],
            "saturated": [isinstance(value, str) for value in given],
            "excitation_nm": 0.0,
            "emission_nm": 0.0,
            "wavelength_nm": 0.0,
            "gain": 0.0,
            "by": answer.by,
            "sheet": answer.sheet,
            "source": answer.source,
            "source_sha256": answer.source_sha256,
        }
        if isinstance(command, MeasureByHand):
            result |= {"mode": command.quantity, "unit": command.unit}
        else:
            result |= settings_of(command)
        await self._show(result)
        return result

    async def _show(self, result: JsonValue) -> None:
        """Put a reading into the signals, now or when a resumed run reads it again from the journal."""
        (cycle,) = result["cycles"]
        numbers = np.array([math.nan if value is None else value for value in cycle], dtype=np.float64)
        self._set_value(numbers)
        self._set_cycles(numbers)
        self._set_saturated(np.array(result["saturated"], dtype=np.bool_))
        self._set_lab_time_s(result["lab_time_s"])
        self._set_rows(result["rows"])
        self._set_columns(result["columns"])
        for key, setter in self._settings.items():
            setter(result[key])
