"""Temperature of places and of the plates that stand in them.

A place follows its set temperature by a closed formula, so that it can be asked at any time. A plate's wells follow the
place they stand in; their history between two moments is worked out when something asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from digital_twin.physics import heat
from digital_twin.physics.plate import edge_exposure

__all__ = [
    "ROOM_C",
    "SEATS",
    "Climate",
    "History",
    "Seat",
    "Surroundings",
    "cumulative",
    "follow",
    "seat_pattern",
]

FloatArray = npt.NDArray[np.float64]

ROOM_C = 22.0
_SETTLED_C = 0.01
"""Closer than this to where it is going, a temperature counts as having arrived."""
_FIRST_STEP_S, _STEP_GROWTH, _RAMP_STEP_S = 0.25, 1.25, 1.0
"""Mesh of a history: fine after each disturbance, then coarser; a ramp of 4 C/s is cut into steps of one second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What a place is for the temperature of a plate.

    Args:
        contact: ``block``: wells sit in a metal block; ``adapter``: the plate stands on a heated adapter; ``air``.
        heating_c_per_s, cooling_c_per_s: fastest change under control.
        settling_s: time constant of the approach to the set temperature.
        off_s: time constant of the return to room temperature when it is off.
        uniformity_c: highest less lowest well at 95 C (block), or at 37 C in a 22 C room (adapter, air).
        humidity: relative, of the air above the plate, 0 to 1.
        light_suns: irradiance on the plate by lamps that always burn; 1 is AM 1.5G, 1,000 W/m2.
    """

    contact: Literal["block", "adapter", "air"] = "air"
    heating_c_per_s: float = 0.05
    cooling_c_per_s: float = 0.05
    settling_s: float = 60.0
    off_s: float = 900.0
    uniformity_c: float = 0.0
    humidity: float = 0.4
    light_suns: float = 0.0


SEATS: dict[str, Seat] = {
    "bench": Seat(),
    # Closed automated plate storage is humidified so that open plates do not dry (Liconic and Cytomat: up to 95 %).
    "storage": Seat(humidity=0.95),
    "cycler": Seat(
        contact="block",
        heating_c_per_s=heat.HEATING_C_PER_S,
        cooling_c_per_s=heat.COOLING_C_PER_S,
        settling_s=heat.SETTLING_S,
        off_s=400.0,
        uniformity_c=0.5,
    ),
    # QInstruments BioShake 3000-T elm: about 7 C/min up, 3 C/min down with active cooling; uniformity 0.5 C (data sheet,
    # quoted from memory).
    "shaker": Seat(
        contact="adapter",
        heating_c_per_s=0.117,
        cooling_c_per_s=0.05,
        settling_s=30.0,
        off_s=900.0,
        uniformity_c=0.5,
    ),
    # Opentrons Heater-Shaker GEN1: a heated adapter that cools by itself, and Temperature Module GEN2: room to 95 C in about
    # six minutes, to 4 C in about twelve. Choices, near what such modules do.
    "heater_shaker": Seat(
        contact="adapter",
        heating_c_per_s=0.117,
        cooling_c_per_s=0.02,
        settling_s=30.0,
        off_s=900.0,
        uniformity_c=0.5,
    ),
    "temperature_module": Seat(
        contact="adapter",
        heating_c_per_s=0.2,
        cooling_c_per_s=0.025,
        settling_s=30.0,
        off_s=900.0,
        uniformity_c=0.5,
    ),
    "reader": Seat(uniformity_c=0.5, humidity=0.6),
    # A small incubator or climate chamber with a fan: 1.5 C/min up, slower down since it only loses heat. Choices.
    "chamber": Seat(
        heating_c_per_s=0.025, cooling_c_per_s=0.01, settling_s=60.0, off_s=1800.0, uniformity_c=0.5
    ),
    # The same with lamps in it, for tests of photostability and light soaking (ISOS-L at one sun: Reese et al. 2011).
    "light_chamber": Seat(
        heating_c_per_s=0.025,
        cooling_c_per_s=0.01,
        settling_s=60.0,
        off_s=1800.0,
        uniformity_c=0.5,
        light_suns=1.0,
    ),
    # A small anneal furnace with a metal floor, or a hot plate under a hood: 30 C/min at full power, no cooling but what it
    # loses, and air that is dry because it is warm. Choices.
    "furnace": Seat(
        contact="adapter",
        heating_c_per_s=0.5,
        cooling_c_per_s=0.02,
        settling_s=20.0,
        off_s=1200.0,
        uniformity_c=0.5,
        humidity=0.1,
    ),
}
"""By name, as a ledger's head and the composition root call them. Where no source is given the figure is a choice."""

_ADAPTER_LAG_S = 90.0
"""Lag of wells behind an adapter under a skirted plate. A choice, between a block (8 s) and air (900 s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """Temperature of a place since it was last told a new one.

    Args:
        set_c: where it goes; None when it is off and drifts to the room's temperature.
    """

    seat: Seat
    since_s: float
    start_c: float = ROOM_C
    set_c: float | None = None
    heating_c_per_s: float = 0.0
    cooling_c_per_s: float = 0.0

    def at(self, time_s: float) -> float:
        """Degrees Celsius at a time not before ``since_s``."""
        elapsed = max(0.0, time_s - self.since_s)
        if self.set_c is None:
            return float(ROOM_C + (self.start_c - ROOM_C) * np.exp(-elapsed / self.seat.off_s))
        return heat.block_temperature_c(
            elapsed_s=elapsed,
            start_c=self.start_c,
            set_c=self.set_c,
            heating_c_per_s=self.heating_c_per_s,
            cooling_c_per_s=self.cooling_c_per_s,
            settling_s=self.seat.settling_s,
        )

    @property
    def target_c(self) -> float:
        """Where it ends if it is left alone."""
        return ROOM_C if self.set_c is None else self.set_c

    @property
    def ramp_end_s(self) -> float:
        """When the straight part of the ramp ends."""
        if self.set_c is None:
            return self.since_s
        rate = self.heating_c_per_s if self.set_c > self.start_c else self.cooling_c_per_s
        return self.since_s + max(0.0, abs(self.set_c - self.start_c) / rate - self.seat.settling_s)

    def told(self, time_s: float, set_c: float | None, ramp_c_per_s: float | None) -> Climate:
        """The climate after a new set temperature; a ramp rate slower than the seat's own holds it back."""

        def rate(own: float) -> float:
            return own if ramp_c_per_s is None else min(own, ramp_c_per_s)

        return Climate(
            seat=self.seat,
            since_s=time_s,
            start_c=self.at(time_s),
            set_c=set_c,
            heating_c_per_s=rate(self.seat.heating_c_per_s),
            cooling_c_per_s=rate(self.seat.cooling_c_per_s),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is around the wells of a plate besides warmth, the same all the while.

    Args:
        covered: by an auto-sealing lid, through which no light comes.
        humidity: relative, of the air outside, 0 to 1.
        light_suns: irradiance on open wells, as of :class:`Seat`.
    """

    covered: bool = False
    humidity: float = 0.4
    light_suns: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Temperatures of n wells at m times, linear between them.

    Args:
        times_s: m, increasing.
        temperatures_c: m x n.
        around: what else they were exposed to.
    """

    times_s: FloatArray
    temperatures_c: FloatArray
    around: Surroundings = Surroundings()


def cumulative(rates_per_s: FloatArray, times_s: FloatArray) -> FloatArray:
    """Integral of m x n rates from the first time to each (trapezoid): m x n, zeros first."""
    steps = np.diff(times_s)[:, None] * 0.5 * (rates_per_s[1:] + rates_per_s[:-1])
    return np.concatenate([np.zeros((1, rates_per_s.shape[1])), np.cumsum(steps, axis=0)])


def seat_pattern(seat: Seat, *, rows: int, columns: int, rng: np.random.Generator) -> FloatArray:
    """How far each of rows x columns wells settles from the seat's temperature, per degree away from the room's.

    A block's own unevenness is drawn once for the seat. Labware of another format than 8 x 12 feels none.
    """
    if seat.uniformity_c == 0.0 or (rows, columns) != (8, 12):
        return np.zeros(rows * columns)
    if seat.contact == "block":
        return heat.block_pattern_c(rng=rng, uniformity_c=seat.uniformity_c).ravel()
    return heat.plate_pattern_c(air_c=ROOM_C + 1.0, room_c=ROOM_C, uniformity_c=seat.uniformity_c).ravel()


def lag_s(seat: Seat, *, rows: int, columns: int, volume_ul: FloatArray) -> FloatArray:
    """Time constant of each well behind its seat."""
    if seat.contact == "adapter":
        return np.full(rows * columns, _ADAPTER_LAG_S)
    if seat.contact == "block":
        # The same as heat.well_time_constant_s at the mean volume of the filled wells: they differ by its cube root.
        filled = volume_ul[volume_ul > 0.0]
        return np.full(
            rows * columns, heat.well_time_constant_s(volume_ul=float(filled.mean()) if filled.size else 1.0)
        )
    by_exposure = [heat.air_time_constant_s(edge_exposure=exposure) for exposure in range(3)]
    return np.array(
        [
            by_exposure[edge_exposure(row=row, column=column, rows=rows, columns=columns)]
            for row in range(rows)
            for column in range(columns)
        ]
    )


def follow(
    climate: Climate,
    *,
    begin_s: float,
    end_s: float,
    wells_c: FloatArray,
    lag_s: FloatArray,
    pattern: FloatArray,
    around: Surroundings = Surroundings(),
) -> History:
    """How n wells that stand in a place from one time to another warm or cool.

    Args:
        wells_c: n, at the beginning.
        lag_s: n time constants.
        pattern: n offsets per degree away from the room's temperature (:func:`seat_pattern`).
        around: what else they are exposed to; kept in the history.
    """

    def seat_c(time_s: FloatArray) -> FloatArray:
        block = np.array([climate.at(float(t)) for t in time_s])[:, None]
        settled: FloatArray = block + pattern[None, :] * (block - ROOM_C)
        return settled

    steady = abs(climate.at(begin_s) - climate.target_c) < _SETTLED_C
    if steady:
        here = seat_c(np.array([begin_s]))[0]
        if float(np.max(np.abs(wells_c - here))) < _SETTLED_C:
            return History(
                times_s=np.array([begin_s, end_s]), temperatures_c=np.stack([wells_c, here]), around=around
            )
    times = _mesh(climate, begin_s, end_s)
    seats = seat_c(times)
    temperatures = np.empty_like(seats)
    temperatures[0] = wells_c
    # The exact solution of heat.well_temperature_c, written for all wells at once.
    for k in range(1, times.size):
        elapsed = (times[k] - times[k - 1]) / lag_s
        left = (temperatures[k - 1] - seats[k - 1]) * np.exp(-elapsed)
        temperatures[k] = seats[k] + left + (seats[k] - seats[k - 1]) * np.expm1(-elapsed) / elapsed
    return History(times_s=times, temperatures_c=temperatures, around=around)


def _mesh(climate: Climate, begin_s: float, end_s: float) -> FloatArray:
    """Times from begin to end, dense where temperatures change fast."""
    points = [begin_s, end_s]
    ramp_begin, ramp_end = max(begin_s, climate.since_s), min(end_s, climate.ramp_end_s)
    if ramp_end > ramp_begin:
        points += [*np.arange(ramp_begin, ramp_end, _RAMP_STEP_S), ramp_end]
    for kink in (begin_s, climate.ramp_end_s):
        step, time_s = _FIRST_STEP_S, max(kink, begin_s)
        while time_s < end_s:
            points.append(time_s)
            time_s += step
            step *= _STEP_GROWTH
    return np.unique(np.array(points))
