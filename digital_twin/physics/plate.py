"""Where a well stands on its plate, as far as physics cares: how much of it faces the outside.

Rows and columns count from 0 (``A1`` is row 0, column 0), on the 8 x 12 grid of ANSI SLAS 4-2004 by default.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["COLUMNS", "ROWS", "edge_exposure", "rim_profile"]

FloatArray = npt.NDArray[np.float64]

ROWS = 8
COLUMNS = 12


def edge_exposure(*, row: int, column: int, rows: int = ROWS, columns: int = COLUMNS) -> int:
    """How many edges of the plate the well touches: 0 in the interior, 1 on a side, 2 in a corner.

    Raises:
        ValueError: the well is not on the plate.
    """
    if not (0 <= row < rows and 0 <= column < columns):
        raise ValueError(f"row {row}, column {column} is not on a plate of {rows} x {columns} wells")
    return int(row in (0, rows - 1)) + int(column in (0, columns - 1))


def rim_profile(*, rows: int = ROWS, columns: int = COLUMNS) -> FloatArray:
    """How far towards the rim each well stands: rows x columns, about 0 in the centre, 1 in the corners.

    The paraboloid ``(x^2 + y^2) / 2`` with x and y scaled to 1 at the outermost well: the lowest-order shape of a
    plate that is heated evenly and loses heat at its rim: steady conduction with a uniform source (Carslaw & Jaeger,
    Conduction of Heat in Solids, 2nd ed. 1959), to second order.
    """
    y = np.linspace(-1.0, 1.0, rows)[:, None] if rows > 1 else np.zeros((1, 1))
    x = np.linspace(-1.0, 1.0, columns)[None, :] if columns > 1 else np.zeros((1, 1))
    profile: FloatArray = (x**2 + y**2) / 2.0
    return profile
