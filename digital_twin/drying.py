"""Evaporation from all wells of a piece of labware at once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from digital_twin.physics.evaporation import Cover, evaporation_rate_ul_per_h
from digital_twin.physics.plate import edge_exposure
from digital_twin.thermal import ROOM_C, History
from digital_twin.wells import Wells

__all__ = ["dry"]

FloatArray = npt.NDArray[np.float64]

_TABLE_C = np.arange(0.0, 121.0)
_LAST_UL = 0.05
"""What a well keeps: a film of salt and protein that no longer counts as liquid."""


def dry(wells: Wells, history: History, *, covered: bool, humidity: float) -> None:
    """Take out the water that left the wells over a temperature history; solutes stay.

    Args:
        covered: by an auto-sealing lid.
        humidity: relative, of the air outside, 0 to 1.
    """
    kind = wells.kind
    exposure = _exposure(kind.rows, kind.columns)
    steps_h = np.diff(history.times_s) / 3600.0
    lost = np.zeros_like(wells.volume_ul)
    for edges in range(3):
        here = exposure == edges
        if not np.any(here):
            continue
        table = _rates(edges, "seal" if covered else "open", wells.shape.diameter_mm, humidity)
        rates = np.interp(history.temperatures_c[:, here], _TABLE_C, table)
        lost[here] = steps_h @ (0.5 * (rates[1:] + rates[:-1]))
    left = np.maximum(wells.volume_ul - lost, np.minimum(wells.volume_ul, _LAST_UL))
    wells.volume_ul = np.where(wells.volume_ul > 0.0, left, 0.0)


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
