"""Evaporation from all wells of a piece of labware at once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from digital_twin.physics.evaporation import Cover, evaporation_rate_ul_per_h
from digital_twin.physics.plate import edge_exposure
from digital_twin.thermal import ROOM_C, History, cumulative
from digital_twin.wells import Wells

__all__ = ["dry", "volumes_ul"]

FloatArray = npt.NDArray[np.float64]

_TABLE_C = np.arange(0.0, 121.0)
_LAST_UL = 0.05
"""What a well keeps: a film of salt and protein that no longer counts as liquid."""


def dry(wells: Wells, history: History) -> None:
    """Take out the water that left the wells over a history of temperature, air and cover; solutes stay."""
    steps_h = np.diff(history.times_s) / 3600.0
    rates = _rates_ul_per_h(wells, history)
    lost = steps_h @ (0.5 * (rates[1:] + rates[:-1]))
    left = np.maximum(wells.volume_ul - lost, np.minimum(wells.volume_ul, _LAST_UL))
    wells.volume_ul = np.where(wells.volume_ul > 0.0, left, 0.0)


def volumes_ul(wells: Wells, history: History) -> FloatArray:
    """Volumes of n wells at the m times of a history that :func:`dry` has not seen yet: m x n, never below 0."""
    lost = cumulative(_rates_ul_per_h(wells, history) / 3600.0, history.times_s)
    left: FloatArray = np.maximum(wells.volume_ul[None, :] - lost, 0.0)
    return left


def _rates_ul_per_h(wells: Wells, history: History) -> FloatArray:
    """m x n, of wells that are not dry."""
    kind, around = wells.kind, history.around
    exposure = _exposure(kind.rows, kind.columns)
    rates = np.zeros_like(history.temperatures_c)
    for edges in range(3):
        here = exposure == edges
        if not np.any(here):
            continue
        cover: Cover = "seal" if around.covered else "open"
        table = _rates(edges, cover, wells.shape.diameter_mm, around.humidity)
        rates[:, here] = np.interp(history.temperatures_c[:, here], _TABLE_C, table)
    return rates


@lru_cache(maxsize=64)
def _rates(edges: int, cover: Cover, diameter_mm: float, humidity: float) -> FloatArray:
    """Loss in uL/h at each whole degree: straight lines between them are within 0.1 % of the curve."""
    return np.array(
        [
            evaporation_rate_ul_per_h(
                temperature_c=float(t),
                edge_exposure=edges,
                cover=cover,
                well_diameter_mm=diameter_mm,
                room_temperature_c=ROOM_C,
                room_humidity=humidity,
            )
            for t in _TABLE_C
        ]
    )


@lru_cache(maxsize=16)
def _exposure(rows: int, columns: int) -> npt.NDArray[np.int64]:
    return np.array(
        [
            edge_exposure(row=r, column=c, rows=rows, columns=columns)
            for r in range(rows)
            for c in range(columns)
        ]
    )
