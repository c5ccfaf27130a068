"""Labware with the outside of a microplate that PyLabRobot has no definition of, by the standard's measures.

ANSI SLAS 1 to 4: 127.76 x 85.48 mm outside, wells 9 mm apart, A1 at 14.38 mm from the left and 11.24 mm from the back.
Heights are round figures: whoever sends a machine there by PyLabRobot measures the labware first.
"""

from __future__ import annotations

from pylabrobot.resources import Plate, Resource, Tip, TipRack, TipSpot, Trough, Well, create_ordered_items_2d

from lab.bench import LabwareType

__all__ = ["sbs_resource"]

LENGTH_MM, WIDTH_MM = 127.76, 85.48
PITCH_MM = 9.0
WELL_MM = 6.0


def sbs_resource(kind: LabwareType, name: str) -> Resource:
    """A plate, rack or trough of a kind."""
    if kind.kind == "trough":
        return Trough(
            name=name,
            size_x=LENGTH_MM,
            size_y=WIDTH_MM,
            size_z=31.4,
            max_volume=kind.max_volume_ul,
            material_z_thickness=4.5,
            model=kind.name,
        )
    grid = {
        "num_items_x": kind.columns,
        "num_items_y": kind.rows,
        "dx": 14.38 - WELL_MM / 2.0,
        "dy": 11.24 - WELL_MM / 2.0,
        "dz": 1.0,
        "item_dx": PITCH_MM,
        "item_dy": PITCH_MM,
        "size_x": WELL_MM,
        "size_y": WELL_MM,
    }
    if kind.kind == "tip_rack":
        spots = create_ordered_items_2d(TipSpot, **grid, make_tip=lambda name: _tip(kind, name))
        return TipRack(name, LENGTH_MM, WIDTH_MM, 99.0, ordered_items=spots, model=kind.name)
    wells = create_ordered_items_2d(Well, **grid, size_z=15.0, max_volume=kind.max_volume_ul)
    return Plate(name, LENGTH_MM, WIDTH_MM, 16.0, ordered_items=wells, model=kind.name)


def _tip(kind: LabwareType, name: str) -> Tip:
    return Tip(
        name=name,
        has_filter=True,
        total_tip_length=58.0,
        maximal_volume=kind.tip_volume_ul,
        fitting_depth=10.5,
    )
