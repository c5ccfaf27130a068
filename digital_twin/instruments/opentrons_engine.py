"""The commands of a simulated Opentrons robot, and what a run believes of pipettes and labware while it does them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from devices.opentrons_robot.kit import PIPETTES
from digital_twin.faults import Strike
from digital_twin.instruments.opentrons_hardware import CommandError, Hardware, LoadedItem, Pipette
from digital_twin.instruments.opentrons_labware import definition_of, kind_named
from lab.errors import FaultKind

__all__ = ["Engine", "Params"]

Params = Mapping[str, Any]


@dataclass(slots=True)
class Engine:
    """Carries commands out.

    Args:
        offsets: of the run, the newest last; labware that is loaded or moved later takes them.
        strike: what goes wrong with the part of the work that is under way, if anything.
    """

    hardware: Hardware
    new_id: Callable[[], str]
    strike: Callable[[str], Strike | None]
    offsets: list[dict[str, Any]] = field(default_factory=list)
    labware: dict[str, LoadedItem] = field(default_factory=dict)
    pipettes: dict[str, Pipette] = field(default_factory=dict)

    async def do(self, kind: str, params: Params) -> dict[str, Any]:
        """Carry one command out; gives its result.

        Raises:
            CommandError: it fails.
        """
        handler: Callable[[Params], Awaitable[dict[str, Any]]] | None = getattr(
            self, _METHODS.get(kind, ""), None
        )
        if handler is None:
            raise CommandError("CommandNotImplementedError", f"This twin does not carry out {kind}.")
        return await handler(params)

    def assume(self, kind: str, params: Params) -> None:
        """Believe of a command that failed what it would have brought about."""
        if kind not in ("pickUpTip", "aspirate", "dispense"):
            return
        pipette, item = self._pipette(params), self._item(params)
        match kind:
            case "pickUpTip":
                pipette.tip_ul, pipette.held_ul, pipette.last_drawn = item.kind.tip_volume_ul, 0.0, None
            case "aspirate":
                pipette.held_ul += float(params["volume"])
                pipette.last_drawn = (item.id, str(params["wellName"]))
            case "dispense":
                pipette.held_ul = max(0.0, pipette.held_ul - float(params["volume"]))
                pipette.last_drawn = None

    # the commands

    async def _load_pipette(self, params: Params) -> dict[str, Any]:
        mount, name = str(params["mount"]), str(params["pipetteName"])
        fitted = self.hardware.kit.pipettes.get(mount)
        if fitted is None or fitted.name != name:
            raise CommandError(
                "FailedToLoadPipetteError",
                f"Found {fitted.name if fitted else 'no pipette'} on {mount} mount, but {name} is required.",
                code="3010",
            )
        made = Pipette(id=str(params.get("pipetteId") or self.new_id()), mount=mount, kind=PIPETTES[name])
        self.pipettes[made.id] = made
        return {"pipetteId": made.id}

    async def _load_labware(self, params: Params) -> dict[str, Any]:
        load_name, version = str(params["loadName"]), int(params["version"])
        kind = kind_named(load_name, version) if params.get("namespace") == "opentrons" else None
        if kind is None:
            raise CommandError(
                "LabwareDefinitionDoesNotExistError",
                f"Labware definition for {params.get('namespace')}/{load_name}/{version} not found.",
            )
        self._must_be_free(params["location"])
        item = LoadedItem(
            id=str(params.get("labwareId") or self.new_id()),
            kind=kind,
            load_name=load_name,
            version=version,
            location=params["location"],
            display_name=params.get("displayName"),
        )
        self.labware[item.id] = item
        return {"labwareId": item.id, "definition": definition_of(kind), **self._take_offset(item)}

    async def _move_labware(self, params: Params) -> dict[str, Any]:
        item = self._item(params)
        self._must_be_free(params["newLocation"], but=item.id)
        if params["strategy"] == "usingGripper":
            raise CommandError(
                "GripperNotAttachedError", "No gripper attached to perform labware movement.", code="3011"
            )
        item.location = params["newLocation"]
        return self._take_offset(item)

    async def _pick_up_tip(self, params: Params) -> dict[str, Any]:
        pipette, item = self._pipette(params), self._item(params)
        well = self._well(item, params)
        if item.kind.kind != "tip_rack":
            raise CommandError("LabwareIsNotTipRackError", f"Labware {item.load_name} is not a tip rack.")
        if pipette.tip_ul:
            raise CommandError(
                "UnexpectedTipAttachError", "Cannot pick up a tip with a tip already attached.", code="3012"
            )
        if item.kind.tip_volume_ul not in pipette.kind.tips_ul:
            raise CommandError(
                "InvalidTipForPipetteError", f"{item.load_name} does not fit {pipette.kind.name}."
            )
        strike = self._struck("pick_up")
        await self.hardware.pick_up(pipette, item, well, misses=_is(strike, FaultKind.LOST_TIP))
        return {
            "position": self.hardware.position(),
            "tipVolume": pipette.tip_ul,
            "tipLength": 50.0,
            "tipDiameter": 5.0,
        }

    async def _aspirate(self, params: Params) -> dict[str, Any]:
        pipette, item = self._pipette(params), self._item(params)
        well, volume_ul = self._well(item, params), float(params["volume"])
        strike = self._struck("aspirate")
        if _is(strike, FaultKind.CLOG):
            self.hardware.clog(pipette)
        share = 1.0
        if strike is not None and strike.kind in (FaultKind.SHORT_VOLUME, FaultKind.FAILED_ASPIRATE):
            share = 0.0 if strike.kind is FaultKind.FAILED_ASPIRATE else 0.3 + 0.5 * strike.draw
        await self.hardware.aspirate(pipette, item, well, volume_ul, float(params["flowRate"]), share=share)
        if _is(strike, FaultKind.CLOG) or _is(strike, FaultKind.FAILED_ASPIRATE):
            # What failed is not believed.
            pipette.held_ul, pipette.last_drawn = pipette.held_ul - volume_ul, None
        if _is(strike, FaultKind.CLOG):
            raise CommandError(
                "overpressure", "The pipette sensed too much pressure.", code="3006", defined=True
            )
        if _is(strike, FaultKind.FAILED_ASPIRATE):
            raise CommandError("liquidNotFound", "No liquid was found.", code="2017", defined=True)
        return {"position": self.hardware.position(), "volume": volume_ul}

    async def _dispense(self, params: Params) -> dict[str, Any]:
        pipette, item = self._pipette(params), self._item(params)
        well, volume_ul = self._well(item, params), float(params["volume"])
        strike = self._struck("dispense")
        if _is(strike, FaultKind.CLOG):
            self.hardware.clog(pipette)
        above = _is_above(params.get("wellLocation"))
        await self.hardware.dispense(pipette, item, well, volume_ul, float(params["flowRate"]), above=above)
        if _is(strike, FaultKind.CLOG):
            pipette.held_ul += volume_ul
            raise CommandError(
                "overpressure", "The pipette sensed too much pressure.", code="3006", defined=True
            )
        return {"position": self.hardware.position(), "volume": volume_ul}

    async def _blow_out(self, params: Params) -> dict[str, Any]:
        pipette, item = self._pipette(params), self._item(params)
        well = self._well(item, params)
        if pipette.held_ul > 0.0:
            await self.hardware.dispense(
                pipette, item, well, pipette.held_ul, float(params["flowRate"]), above=True
            )
        return {"position": self.hardware.position()}

    async def _move_to_well(self, params: Params) -> dict[str, Any]:
        item = self._item(params)
        self._pipette(params)
        await self.hardware.to_well(item, self._well(item, params))
        return {"position": self.hardware.position()}

    async def _to_trash(self, params: Params) -> dict[str, Any]:
        self._pipette(params)
        if params["addressableAreaName"] != self.hardware.kit.trash:
            raise CommandError(
                "AreaNotInDeckConfigurationError",
                f"{params['addressableAreaName']} not provided by deck configuration.",
            )
        await self.hardware.to_trash()
        return {"position": self.hardware.position()}

    async def _drop_in_place(self, params: Params) -> dict[str, Any]:
        pipette = self._pipette(params)
        if not pipette.tip_ul:
            raise CommandError(
                "TipNotAttachedError", "Pipette should have a tip attached, but does not.", code="3005"
            )
        self._struck("drop")
        await self.hardware.drop(pipette)
        return {}

    async def _drop_unasked(self, params: Params) -> dict[str, Any]:
        await self.hardware.drop(self._pipette(params))
        return {}

    async def _drop_tip(self, params: Params) -> dict[str, Any]:
        """Into the trash where that is loaded as labware, as older protocols do; the twin puts no tips back."""
        pipette = self._pipette(params)
        if not pipette.tip_ul:
            raise CommandError(
                "TipNotAttachedError", "Pipette should have a tip attached, but does not.", code="3005"
            )
        await self.hardware.to_trash()
        await self.hardware.drop(pipette)
        return {"position": self.hardware.position()}

    async def _home(self, params: Params) -> dict[str, Any]:
        await self.hardware.home()
        return {}

    async def _prepare(self, params: Params) -> dict[str, Any]:
        self._pipette(params)
        return {}

    async def _wait(self, params: Params) -> dict[str, Any]:
        await asyncio.sleep(float(params["seconds"]))
        return {}

    async def _tip_presence(self, params: Params) -> dict[str, Any]:
        pipette = self._pipette(params)
        if not self.hardware.feels_tips:
            return {"status": "unknown"}
        return {"status": "present" if self.hardware.tips_on(pipette.mount) else "absent"}

    async def _probe(self, params: Params) -> dict[str, Any]:
        """Find the surface of a liquid by pressure; a Flex can."""
        pipette, item = self._pipette(params), self._item(params)
        well = self._well(item, params)
        if not self.hardware.feels_tips:
            raise CommandError(
                "NotSupportedOnRobotType", "Liquid probing is not supported on OT-2.", code="4003"
            )
        if not pipette.tip_ul:
            raise CommandError(
                "TipNotAttachedError", "Pipette should have a tip attached, but does not.", code="3005"
            )
        if pipette.held_ul:
            raise CommandError("TipNotEmptyError", "The tip must be empty to probe for liquid.")
        if not await self.hardware.finds_liquid(pipette, item, well):
            raise CommandError("liquidNotFound", "Liquid Not Found", code="2017", defined=True)
        return {"position": self.hardware.position(), "z_position": 5.0}

    async def _nothing(self, params: Params) -> dict[str, Any]:
        return {}

    # looking things up

    def _take_offset(self, item: LoadedItem) -> dict[str, Any]:
        """Let labware have the newest offset for its definition and slot; a result names it, if there is one."""
        fitting = (
            o
            for o in reversed(self.offsets)
            if (o["definitionUri"], o["location"]) == (item.uri, item.location)
        )
        offset = next(fitting, None)
        vector = {} if offset is None else offset["vector"]
        item.offset_mm = (vector.get("x", 0.0), vector.get("y", 0.0), vector.get("z", 0.0))
        return {} if offset is None else {"offsetId": offset["id"]}

    def _pipette(self, params: Params) -> Pipette:
        pipette = self.pipettes.get(str(params["pipetteId"]))
        if pipette is None:
            raise CommandError(
                "PipetteNotLoadedError", f"Pipette {params['pipetteId']} not found; has it been loaded?"
            )
        return pipette

    def _item(self, params: Params) -> LoadedItem:
        item = self.labware.get(str(params["labwareId"]))
        if item is None:
            raise CommandError("LabwareNotLoadedError", f"Labware {params['labwareId']} not found.")
        return item

    def _well(self, item: LoadedItem, params: Params) -> str:
        well = str(params["wellName"])
        if well not in item.kind.wells:
            raise CommandError("WellDoesNotExistError", f"{well} does not exist in {item.id}.")
        return well

    def _must_be_free(self, location: Any, *, but: str = "") -> None:
        if isinstance(location, Mapping) and "moduleId" in location:
            raise CommandError("ModuleNotLoadedError", f"Module {location['moduleId']} not found.")
        if isinstance(location, Mapping) and "slotName" not in location:
            words = ", ".join(location)
            raise CommandError(
                "CommandNotImplementedError", f"On this twin labware stands in slots, not by {words}."
            )
        taken = next(
            (i for i in self.labware.values() if i.id != but and i.slot and i.location == location), None
        )
        if taken is not None:
            raise CommandError(
                "LocationIsOccupiedError",
                f"Labware {taken.load_name} is already present at {location['slotName']}.",
            )

    def _struck(self, part: str) -> Strike | None:
        strike = self.strike(part)
        if _is(strike, FaultKind.INSTRUMENT_ERROR):
            raise CommandError("stallOrCollision", "Stall or Collision Detected", code="2003", defined=True)
        return strike


def _is(strike: Strike | None, kind: FaultKind) -> bool:
    return strike is not None and strike.kind is kind


def _is_above(location: Any) -> bool:
    """Whether a tip stays clear of what is in the well."""
    if not isinstance(location, Mapping) or location.get("origin", "top") != "top":
        return False
    offset = location.get("offset") or {}
    return float(offset.get("z", 0.0)) >= 0.0


_METHODS = {
    "loadPipette": "_load_pipette",
    "loadLabware": "_load_labware",
    "moveLabware": "_move_labware",
    "pickUpTip": "_pick_up_tip",
    "aspirate": "_aspirate",
    "dispense": "_dispense",
    "blowout": "_blow_out",
    "moveToWell": "_move_to_well",
    "moveToAddressableAreaForDropTip": "_to_trash",
    "moveToAddressableArea": "_to_trash",
    "dropTipInPlace": "_drop_in_place",
    "unsafe/dropTipInPlace": "_drop_unasked",
    "dropTip": "_drop_tip",
    "home": "_home",
    "prepareToAspirate": "_prepare",
    "configureForVolume": "_prepare",
    "touchTip": "_move_to_well",
    "waitForDuration": "_wait",
    "getTipPresence": "_tip_presence",
    "liquidProbe": "_probe",
    "comment": "_nothing",
    "loadLiquid": "_nothing",
    "waitForResume": "_nothing",
}
"""``commandType`` -> what carries it out."""
