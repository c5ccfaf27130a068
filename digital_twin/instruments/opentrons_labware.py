"""The deck of a simulated Opentrons robot: where slots are, and labware definitions in Opentrons' schema.

Slot positions: Opentrons' deck definitions ``ot2_standard`` and ``ot3_standard`` (schema 5). Definitions are written from
what this bench knows of a kind of labware, with the outside of an SBS plate (ANSI SLAS 1 to 4: 127.76 x 85.48 mm, wells 9 mm
apart, A1 at 14.38 mm from the left and 11.24 mm from the back); depths and diameters are round figures.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from devices.labware import LABWARE_TYPES
from devices.opentrons_robot.kit import FLEX, robot_labware
from lab.bench import LabwareType

__all__ = ["definition_of", "kind_named", "slot_mm", "well_mm"]

LENGTH_MM, WIDTH_MM, HEIGHT_MM = 127.76, 85.48, 20.0
PITCH_MM = 9.0
FIRST_X_MM, FIRST_Y_MM = 14.38, 74.24
DEPTH_MM = 12.0
TRASH_MM = {False: (265.0, 330.0), True: (404.0, 400.0)}


def slot_mm(model: str, slot: str) -> tuple[float, float]:
    """The left front corner of a slot."""
    if model == FLEX:
        return 164.0 * (int(slot[1]) - 1), 107.0 * ("DCBA".index(slot[0]))
    row, column = divmod(int(slot) - 1, 3)
    return 132.5 * column, 90.5 * row


def well_mm(kind: LabwareType, well: str) -> tuple[float, float]:
    """The middle of a well from the left front corner of its labware."""
    if (kind.rows, kind.columns) == (1, 1):
        return LENGTH_MM / 2.0, WIDTH_MM / 2.0
    return FIRST_X_MM + PITCH_MM * (int(well[1:]) - 1), FIRST_Y_MM - PITCH_MM * (ord(well[0]) - ord("A"))


@cache
def kind_named(load_name: str, version: int) -> LabwareType | None:
    """The kind of labware that the robot calls so; None where this bench has none."""
    found = (kind for kind in LABWARE_TYPES.values() if robot_labware(kind) == (load_name, version))
    return next(found, None)


def definition_of(kind: LabwareType) -> dict[str, Any]:
    """A definition in Opentrons' labware schema 2."""
    known = robot_labware(kind)
    assert known is not None, "only labware that robots know is loaded"
    load_name, version = known
    rack = kind.kind == "tip_rack"
    volume_ul = kind.tip_volume_ul if rack else kind.max_volume_ul
    wells = {}
    for name in kind.wells:
        x, y = well_mm(kind, name)
        shape: dict[str, Any] = (
            {"shape": "rectangular", "xDimension": 106.8, "yDimension": 71.2}
            if kind.kind == "trough"
            else {"shape": "circular", "diameter": 6.0}
        )
        wells[name] = {"depth": DEPTH_MM, "x": x, "y": y, "z": 3.0, "totalLiquidVolume": volume_ul, **shape}
    columns = [[kind.wells[row * kind.columns + c] for row in range(kind.rows)] for c in range(kind.columns)]
    parameters: dict[str, Any] = {
        "format": "trough" if kind.kind == "trough" else "96Standard",
        "isTiprack": rack,
        "isMagneticModuleCompatible": False,
        "loadName": load_name,
    }
    if rack:
        parameters |= {"tipLength": 50.0, "tipOverlap": 8.0}
    return {
        "schemaVersion": 2,
        "version": version,
        "namespace": "opentrons",
        "metadata": {
            "displayName": load_name.replace("_", " "),
            "displayCategory": {"tip_rack": "tipRack", "trough": "reservoir"}.get(kind.kind, "wellPlate"),
            "displayVolumeUnits": "µL",
            "tags": [],
        },
        "brand": {"brand": "twin"},
        "parameters": parameters,
        "ordering": columns,
        "cornerOffsetFromSlot": {"x": 0, "y": 0, "z": 0},
        "dimensions": {"xDimension": LENGTH_MM, "yDimension": WIDTH_MM, "zDimension": HEIGHT_MM},
        "wells": wells,
        "groups": [{"wells": list(kind.wells), "metadata": {}}],
    }
