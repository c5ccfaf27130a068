"""What a robot is fitted with, as its lines of the workcell file say: make, pipettes, which slot each position is.

Names of pipettes, tips they take and flow rates: Opentrons' shared data (pipette definitions, version 9.0.0) and its labware
library; names of slots and trash: its deck definitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from devices.opentrons_robot.offsets import Vector, offset_json, read_offsets
from devices.opentrons_robot.recovery import RecoveryRules
from lab.bench import Bench, LabwareType
from lab.errors import BadInput
from lab.strict import did_you_mean
from lab.types import JsonValue

__all__ = ["FLEX", "OT2", "PIPETTES", "PipetteKind", "RobotKit", "robot_labware"]

OT2 = "OT-2 Standard"
FLEX = "OT-3 Standard"
"""The two robots, as they call themselves."""

_MODELS = {"ot2": OT2, "flex": FLEX}

_SLOTS = {
    OT2: tuple(str(n) for n in range(1, 12)),
    FLEX: tuple(f"{row}{column}" for row in "ABCD" for column in "123"),
}

_SETTINGS = ("robot", "pipettes", "slots", "trash", "labware_offsets", "recovery", "recovery_wait_s")

_TRASH = {OT2: "fixedTrash", FLEX: "movableTrashA3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PipetteKind:
    """A pipette that Opentrons makes.

    Args:
        model: of robot that it fits.
        tips_ul: capacities of the tips that it takes.
        flow_ul_per_s: at which it draws and gives here.
    """

    name: str
    model: str
    channels: int
    min_ul: float
    max_ul: float
    tips_ul: tuple[float, ...]
    flow_ul_per_s: float


def _pipettes() -> Iterable[PipetteKind]:
    for n, word in ((1, "single"), (8, "multi")):
        yield PipetteKind(
            name=f"p20_{word}_gen2",
            model=OT2,
            channels=n,
            min_ul=1,
            max_ul=20,
            tips_ul=(10, 20),
            flow_ul_per_s=7.56,
        )
        yield PipetteKind(
            name=f"p300_{word}_gen2",
            model=OT2,
            channels=n,
            min_ul=20,
            max_ul=300,
            tips_ul=(200, 300),
            flow_ul_per_s=94.0,
        )
        yield PipetteKind(
            name=f"p50_{word}_flex",
            model=FLEX,
            channels=n,
            min_ul=1,
            max_ul=50,
            tips_ul=(50,),
            flow_ul_per_s=35.0,
        )
        yield PipetteKind(
            name=f"p1000_{word}_flex", model=FLEX, channels=n, min_ul=5, max_ul=1000, tips_ul=(50, 200, 1000),
            flow_ul_per_s=160.0,
        )  # fmt: skip
    yield PipetteKind(
        name="p1000_single_gen2",
        model=OT2,
        channels=1,
        min_ul=100,
        max_ul=1000,
        tips_ul=(1000,),
        flow_ul_per_s=274.7,
    )


PIPETTES: Mapping[str, PipetteKind] = MappingProxyType({pipette.name: pipette for pipette in _pipettes()})
"""By the name that robots and protocols call them."""

_ROBOT_LABWARE: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "cor_96_wellplate_360uL_Fb": ("corning_96_wellplate_360ul_flat", 2),
        "opentrons_96_wellplate_200ul_pcr_full_skirt": ("opentrons_96_wellplate_200ul_pcr_full_skirt", 2),
        "nest_1_reservoir_195ml": ("nest_1_reservoir_195ml", 2),
        "opentrons_96_filtertiprack_20ul": ("opentrons_96_filtertiprack_20ul", 1),
        "opentrons_96_filtertiprack_200ul": ("opentrons_96_filtertiprack_200ul", 1),
        "opentrons_96_tiprack_300ul": ("opentrons_96_tiprack_300ul", 1),
        "opentrons_flex_96_filtertiprack_50ul": ("opentrons_flex_96_filtertiprack_50ul", 1),
        "opentrons_flex_96_filtertiprack_200ul": ("opentrons_flex_96_filtertiprack_200ul", 1),
        "opentrons_flex_96_filtertiprack_1000ul": ("opentrons_flex_96_filtertiprack_1000ul", 1),
    }
)
"""Name of a kind of labware here -> load name and version of Opentrons' definition."""


def robot_labware(kind: LabwareType) -> tuple[str, int] | None:
    """Load name and version under which Opentrons' robots know a kind of labware; None for what they don't know."""
    return _ROBOT_LABWARE.get(kind.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotKit:
    """What one robot is fitted with.

    Args:
        model: :data:`OT2` or :data:`FLEX`.
        pipettes: by mount, ``left`` and ``right``.
        slots: position of the bench -> slot of the deck.
        trash: addressable area into which tips are thrown.
        offsets: position of the bench -> by how much labware there stands off its nominal place.
        recovery: what is done about a run that waits to be recovered.
    """

    model: str
    pipettes: Mapping[str, PipetteKind]
    slots: Mapping[str, str]
    trash: str
    offsets: Mapping[str, Vector] = field(default_factory=dict)
    recovery: RecoveryRules = field(default_factory=RecoveryRules)

    @classmethod
    def from_settings(cls, settings: Mapping[str, JsonValue], *, positions: Iterable[str]) -> RobotKit:
        """From ``settings`` of a device in a workcell file.

        Args:
            positions: that belong to the device; each needs a slot.

        Raises:
            BadInput: a setting is missing, unknown or makes no sense; names the field.
        """
        unknown = set(settings) - set(_SETTINGS)
        if unknown:
            name = min(unknown)
            raise BadInput(
                f"There is no setting {name!r} of an Opentrons robot.",
                way_out=f"The settings are {', '.join(_SETTINGS)}.",
                field=f"settings.{name}",
            )
        model = _MODELS.get(str(settings.get("robot", "")).lower())
        if model is None:
            raise BadInput(
                f"{settings.get('robot')!r} is no robot of Opentrons.",
                way_out="Write ot2 or flex.",
                field="settings.robot",
            )
        pipettes = _read_pipettes(_mapping(settings, "pipettes"), model)
        places = tuple(positions)
        slots = _read_slots(_mapping(settings, "slots"), model, places)
        offsets = read_offsets(settings.get("labware_offsets", {}), places)
        trash = str(settings.get("trash", _TRASH[model]))
        if trash != _TRASH[OT2] if model == OT2 else not trash.startswith("movableTrash"):
            raise BadInput(
                f"{trash!r} is no trash of this robot.",
                way_out=f"Write {_TRASH[model]}.",
                field="settings.trash",
            )
        return cls(
            model=model,
            pipettes=pipettes,
            slots=slots,
            trash=trash,
            offsets=offsets,
            recovery=RecoveryRules.from_settings(settings),
        )

    def mount_for(self, channels: int, tip_volume_ul: float) -> str | None:
        """The mount with a pipette of so many channels that takes such tips; None where there is none."""
        for mount, pipette in self.pipettes.items():
            if pipette.channels == channels and tip_volume_ul in pipette.tips_ul:
                return mount
        return None

    def offset_of(self, kind: LabwareType, position: str | None) -> dict[str, JsonValue] | None:
        """What a run is to be told of a kind of labware at a position; None where it stands in its nominal place."""
        known, vector = robot_labware(kind), self.offsets.get(position or "")
        if known is None or vector is None or position is None:
            return None
        return offset_json(*known, self.slots[position], vector)

    def offsets_on(self, bench: Bench) -> list[dict[str, JsonValue]]:
        """What a run is to be told of all that stands on the robot."""
        told = (self.offset_of(item.type, item.position) for item in bench.labware.values())
        return [one for one in told if one is not None]


def _mapping(settings: Mapping[str, JsonValue], name: str) -> Mapping[str, JsonValue]:
    value = settings.get(name)
    if not isinstance(value, Mapping) or not value:
        raise BadInput(
            f"An Opentrons robot needs {name}.",
            way_out="Write pipettes: {left: p20_single_gen2}, and slots: {POSITION: SLOT}.",
            field=f"settings.{name}",
        )
    return value


def _read_pipettes(written: Mapping[str, JsonValue], model: str) -> dict[str, PipetteKind]:
    fitted = {name: kind for name, kind in PIPETTES.items() if kind.model == model}
    found: dict[str, PipetteKind] = {}
    for mount, name in written.items():
        if mount not in ("left", "right"):
            raise BadInput(
                f"There is no mount {mount!r}.",
                way_out="The mounts are left and right.",
                field="settings.pipettes",
            )
        if name not in fitted:
            hint = did_you_mean(str(name), fitted, what="The pipettes are", quoted=False)
            raise BadInput(
                f"There is no pipette {name!r} for this robot.",
                way_out=hint,
                field=f"settings.pipettes.{mount}",
            )
        found[mount] = fitted[str(name)]
    return found


def _read_slots(written: Mapping[str, JsonValue], model: str, positions: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for position, slot in written.items():
        name = str(slot).upper()
        if position not in positions:
            hint = did_you_mean(position, positions, what="Its positions are", quoted=False)
            raise BadInput(
                f"No position {position!r} belongs to this robot.",
                way_out=hint,
                field=f"settings.slots.{position}",
            )
        if name not in _SLOTS[model]:
            raise BadInput(
                f"This robot has no slot {slot!r}.",
                way_out=f"Its slots are {', '.join(_SLOTS[model])}.",
                field=f"settings.slots.{position}",
            )
        if name in found.values():
            raise BadInput(f"The slot {name} is given to two positions.", field=f"settings.slots.{position}")
        found[position] = name
    missing = [position for position in positions if position not in found]
    if missing:
        raise BadInput(
            f"Nothing says which slot the position {missing[0]} is.",
            way_out=f"Add {missing[0]}: SLOT.",
            field="settings.slots",
        )
    return found
