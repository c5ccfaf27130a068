"""Labware by the names that a workcell file uses: what the bench believes of it, and its definition in PyLabRobot.

To add a kind, add a line to :data:`LABWARE_TYPES`, with the name of a function of ``pylabrobot.resources`` that makes it,
or one of ours in :data:`_OWN`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lab.bench import Labware, LabwareType, WellContents
from lab.errors import BadInput
from lab.strict import did_you_mean

if TYPE_CHECKING:
    from pylabrobot.resources import Resource

__all__ = ["LABWARE_TYPES", "labware_type", "make_labware", "make_resource", "tip_of", "tips_in_order"]


def _opentrons_tips(name: str, volume_ul: float) -> LabwareType:
    return LabwareType(name=name, kind="tip_rack", rows=8, columns=12, tip_volume_ul=volume_ul)


LABWARE_TYPES: Mapping[str, LabwareType] = MappingProxyType(
    {
        # 4titude FrameStar, catalogue 4ti-0960. The dead volume is what a tip leaves in its conical bottom.
        "pcr_plate_96": LabwareType(
            name="azenta_96_wellplate_200uL_Vb_4titudeframestar",
            kind="plate",
            rows=8,
            columns=12,
            max_volume_ul=200.0,
            dead_volume_ul=3.0,
        ),
        # Corning 3603: flat and clear below, for reading absorbance through. The dead volume is an estimate.
        "flat_plate_96": LabwareType(
            name="cor_96_wellplate_360uL_Fb",
            kind="plate",
            rows=8,
            columns=12,
            max_volume_ul=360.0,
            dead_volume_ul=10.0,
        ),
        # Of quartz glass, such as Hellma's: films can be annealed in it. The dead volume is an estimate.
        "quartz_plate_96": LabwareType(
            name="quartz_96_wellplate_300ul",
            kind="plate",
            rows=8,
            columns=12,
            max_volume_ul=300.0,
            dead_volume_ul=10.0,
        ),
        "auto_sealing_lid": LabwareType(name="auto_sealing_pcr_lid", kind="lid"),
        "tips_50ul": LabwareType(
            name="hamilton_96_tiprack_50uL_filter", kind="tip_rack", rows=8, columns=12, tip_volume_ul=50.0
        ),
        "tips_300ul": LabwareType(
            name="hamilton_96_tiprack_300uL_filter", kind="tip_rack", rows=8, columns=12, tip_volume_ul=300.0
        ),
        # Tecan, for the arm of an EVO; 50 ul without filter, and 200 ul.
        "tecan_tips_50ul": LabwareType(
            name="DiTi_50ul_Te_MO", kind="tip_rack", rows=8, columns=12, tip_volume_ul=50.0
        ),
        "tecan_tips_200ul": LabwareType(
            name="DiTi_200ul_Te_MO", kind="tip_rack", rows=8, columns=12, tip_volume_ul=200.0
        ),
        # Hamilton 56694-01. Eight channels stand over 72 mm of its V-shaped bottom, which leaves more than one would.
        "trough_60ml": LabwareType(
            name="hamilton_1_trough_60mL_Vb", kind="trough", max_volume_ul=60_000.0, dead_volume_ul=3_000.0
        ),
        # Of any maker, in a syringe pump; what its tube holds is not in it.
        "syringe_10ml": LabwareType(name="syringe_10ml", kind="trough", max_volume_ul=10_000.0),
        # What Opentrons' robots know, by the load names of Opentrons' labware library. Dead volumes are estimates.
        "opentrons_pcr_plate_96": LabwareType(
            name="opentrons_96_wellplate_200ul_pcr_full_skirt",
            kind="plate",
            rows=8,
            columns=12,
            max_volume_ul=200.0,
            dead_volume_ul=3.0,
        ),
        "reservoir_195ml": LabwareType(
            name="nest_1_reservoir_195ml", kind="trough", max_volume_ul=195_000.0, dead_volume_ul=8_000.0
        ),
        "opentrons_tips_20ul": _opentrons_tips("opentrons_96_filtertiprack_20ul", 20.0),
        "opentrons_tips_200ul": _opentrons_tips("opentrons_96_filtertiprack_200ul", 200.0),
        "opentrons_tips_300ul": _opentrons_tips("opentrons_96_tiprack_300ul", 300.0),
        "flex_tips_50ul": _opentrons_tips("opentrons_flex_96_filtertiprack_50ul", 50.0),
        "flex_tips_200ul": _opentrons_tips("opentrons_flex_96_filtertiprack_200ul", 200.0),
        "flex_tips_1000ul": _opentrons_tips("opentrons_flex_96_filtertiprack_1000ul", 1000.0),
    }
)
"""Name in a workcell file -> kind of labware."""


def labware_type(name: str) -> LabwareType:
    """The kind of labware that a workcell file calls so.

    Raises:
        BadInput: there is none; names the nearest, or all.
    """
    known = LABWARE_TYPES.get(name)
    if known is None:
        hint = did_you_mean(name, LABWARE_TYPES, what="The types are", quoted=False)
        raise BadInput(f"There is no labware type {name!r}.", way_out=hint)
    return known


def tips_in_order(kind: LabwareType) -> list[str]:
    """Spots of a full rack in the order in which tips are used: down the columns, as eight channels stand."""
    rows = [kind.wells[row * kind.columns : (row + 1) * kind.columns] for row in range(kind.rows)]
    return [rows[row][column] for column in range(kind.columns) for row in range(kind.rows)]


def make_labware(
    id: str,  # noqa: A002  (the field of Labware)
    kind: LabwareType,
    position: str,
    *,
    contents: Mapping[str, tuple[str, float]] | None = None,
) -> Labware:
    """One piece of labware as it comes out of its box, or filled.

    Args:
        position: where it stands and where it is at home.
        contents: well -> (content id, volume_ul).

    Raises:
        BadInput: a well that it does not have, or more than the well holds.
    """
    wells = {name: WellContents() for name in kind.wells} if kind.kind in ("plate", "trough") else {}
    for well, (content, volume_ul) in (contents or {}).items():
        if well not in wells:
            raise BadInput(
                f"{id} has no well {well}.", way_out=f"Its wells are {kind.wells[0]} to {kind.wells[-1]}."
            )
        if not 0.0 < volume_ul <= kind.max_volume_ul:
            raise BadInput(
                f"{volume_ul:g} ul do not fit into a well of {id}.",
                way_out=f"Give more than 0 and at most {kind.max_volume_ul:g} ul.",
            )
        wells[well] = WellContents(volume_ul=volume_ul, parts={content: volume_ul})
    return Labware(
        id=id,
        type=kind,
        position=position,
        home=position,
        wells=wells,
        tips=tips_in_order(kind) if kind.kind == "tip_rack" else [],
        clean=not contents,
    )


def make_resource(kind: LabwareType, name: str) -> Resource:
    """A PyLabRobot resource of a kind, named as the labware is; full of tips if it is a rack.

    Raises:
        BadInput: neither PyLabRobot nor this module defines it.
    """
    from pylabrobot import resources

    if kind.name in _BY_THE_STANDARD:
        from devices.sbs import sbs_resource

        return sbs_resource(kind, name)
    make: Callable[[str], Resource] | None = _OWN.get(kind.name) or getattr(resources, kind.name, None)
    if make is None:
        raise BadInput(
            f"PyLabRobot has no labware {kind.name}.", way_out="Name another one in devices/labware.py."
        )
    return make(name)


@cache
def tip_of(kind: LabwareType) -> Any:
    """One of the tips of a kind of rack, as PyLabRobot knows it."""
    rack: Any = make_resource(kind, "a rack to look at")
    return rack.get_item(0).get_tip()


def _auto_sealing_pcr_lid(name: str) -> Resource:
    """A rigid lid with a rubber seal that a robot puts on a PCR plate.

    Outer size of the Opentrons Tough PCR Auto-Sealing Lid (127.7 x 86 x 12.8 mm; from memory of its definition); how far
    it overlaps the plate is an estimate, to be measured on the labware in use.
    """
    from pylabrobot.resources import Lid

    return Lid(
        name=name, size_x=127.7, size_y=86.0, size_z=12.8, nesting_z_height=6.0, model="auto_sealing_pcr_lid"
    )


def _quartz_plate(name: str) -> Resource:
    """A plate of quartz glass by the standard of such plates: for lack of a definition, Corning's 3603 stands in for it."""
    from pylabrobot.resources import cor_96_wellplate_360uL_Fb

    plate = cor_96_wellplate_360uL_Fb(name)
    plate.model = "quartz_96_wellplate_300ul"
    return plate


_BY_THE_STANDARD = frozenset(
    {
        "opentrons_96_wellplate_200ul_pcr_full_skirt",
        "nest_1_reservoir_195ml",
        "opentrons_96_filtertiprack_20ul",
        "opentrons_96_filtertiprack_200ul",
        "opentrons_96_tiprack_300ul",
        "opentrons_flex_96_filtertiprack_50ul",
        "opentrons_flex_96_filtertiprack_200ul",
        "opentrons_flex_96_filtertiprack_1000ul",
    }
)
"""What PyLabRobot has no definition of, or downloads when it is asked; :mod:`devices.sbs` makes it."""

_OWN: Mapping[str, Callable[[str], Resource]] = MappingProxyType(
    {"auto_sealing_pcr_lid": _auto_sealing_pcr_lid, "quartz_96_wellplate_300ul": _quartz_plate}
)
