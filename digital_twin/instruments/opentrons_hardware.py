"""Gantry, pipettes and sensors of a simulated Opentrons robot: what its commands do in the world, and how long they take.

An OT-2 has no sense for tips or liquid: it takes a tip that is not there, and draws from a well that is empty, and reports
success, as the real one does. A Flex feels tips when it fetches them. What a pipette believes of its tip and its volume is
the robot's own, apart from what is true, and lasts as long as the run.

Errors: types, codes and texts of Opentrons' protocol engine (package ``opentrons`` 9.0.0, ``protocol_engine.errors``).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from devices.opentrons_robot.kit import FLEX, PipetteKind, RobotKit
from digital_twin.instruments.opentrons_labware import TRASH_MM, slot_mm, well_mm
from digital_twin.world import Impossible, World
from lab.bench import LabwareType

__all__ = ["CommandError", "Hardware", "LoadedItem", "Pipette"]

GANTRY_MM_PER_S = 400.0
GANTRY_BEGIN_S = 0.4
"""The OT-2's default gantry speed in its Python API; speeding up and slowing down."""

Z_S = 0.9
"""Down or up: about 100 mm."""

PRESS_S = 4.0
"""Pressing a nozzle into a tip, three times, and preparing the plunger."""

EJECT_S = 2.0
PROBE_S = 8.0
HOME_S = 6.0
MOST_TIP_EXTRA_UL = 1e-9

WORK_MM = 10.0
"""Height that results say; the twin does not follow it but for the offsets of labware."""

WELL_RADIUS_MM = 3.0
FLOOR_MM = 1.0
"""Of the wells in the twin's definitions; and how far above the bottom a tip works unless told otherwise."""


class CommandError(Exception):
    """Why a command fails, in the robot's words.

    Args:
        kind: ``errorType``.
        detail: what it says.
        code: ``errorCode``.
        defined: whether it is one of those that can be recovered from (``isDefined``).
    """

    def __init__(self, kind: str, detail: str, *, code: str = "4000", defined: bool = False) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.code = code
        self.defined = defined

    def shown(self, error_id: str, at: str) -> dict[str, Any]:
        """As the API has it (``ErrorOccurrence``)."""
        return {
            "id": error_id,
            "createdAt": at,
            "isDefined": self.defined,
            "errorType": self.kind,
            "errorCode": self.code,
            "detail": self.detail,
            "errorInfo": {},
            "wrappedErrors": [],
        }


@dataclass(slots=True)
class LoadedItem:
    """Labware as a run believes it.

    Args:
        location: as the API has it: ``{"slotName": "3"}`` or ``offDeck``.
        offset_mm: by which it is believed to stand off its nominal place. In the world it stands there.
    """

    id: str
    kind: LabwareType
    load_name: str
    version: int
    location: Any
    display_name: str | None = None
    offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def slot(self) -> str | None:
        """The slot it is believed to stand in."""
        return str(self.location["slotName"]) if isinstance(self.location, Mapping) else None

    @property
    def uri(self) -> str:
        """As robots name definitions."""
        return f"opentrons/{self.load_name}/{self.version}"


@dataclass(slots=True)
class Pipette:
    """A pipette as a run believes it.

    Args:
        tip_ul: capacity of the tips on it; 0 without.
        held_ul: in each tip.
        last_drawn: labware and well that it drew from last, until it gives or moves on.
    """

    id: str
    mount: str
    kind: PipetteKind
    tip_ul: float = 0.0
    held_ul: float = 0.0
    last_drawn: tuple[str, str] | None = None


@dataclass(slots=True)
class Hardware:
    """One robot in the world.

    Args:
        name: of the device; what its mounts do stands in the ledger as ``name/left`` and ``name/right``.
    """

    world: World
    name: str
    kit: RobotKit
    _at_mm: tuple[float, float] = field(default=(0.0, 0.0))
    _height_mm: float = WORK_MM

    @property
    def feels_tips(self) -> bool:
        """Whether it has sensors for tips."""
        return self.kit.model == FLEX

    def tips_on(self, mount: str) -> bool:
        """Whether a tip truly is on a mount."""
        return any(self.world.tips_on(self._mount(mount)))

    async def home(self) -> None:
        """Gantry and plungers to their ends."""
        await asyncio.sleep(HOME_S)
        self._at_mm = (400.0, 350.0)

    async def to_trash(self) -> None:
        """Over the trash."""
        await self._go(TRASH_MM[self.kit.model == FLEX])

    async def to_well(self, item: LoadedItem, well: str) -> None:
        """Over a well."""
        slot = item.slot
        if slot is None:
            raise CommandError("LabwareNotOnDeckError", f"Labware {item.id} is not on the deck.")
        (x, y), (dx, dy) = slot_mm(self.kit.model, slot), well_mm(item.kind, well)
        off_x, off_y, off_z = item.offset_mm
        await self._go((x + dx + off_x, y + dy + off_y))
        self._height_mm = WORK_MM + off_z
        # Labware of this world stands where it should: so far off, the tip meets the rim of the well, or its floor.
        if math.hypot(off_x, off_y) > WELL_RADIUS_MM or off_z < -FLOOR_MM:
            raise CommandError("stallOrCollision", "Stall or Collision Detected", code="2003", defined=True)

    async def pick_up(self, pipette: Pipette, item: LoadedItem, well: str, *, misses: bool = False) -> None:
        """Fetch tips.

        Args:
            misses: nothing comes off the rack, though tips are there.
        """
        await self.to_well(item, well)
        await asyncio.sleep(Z_S + PRESS_S)
        rack = self._standing(item)
        if rack is not None and not misses:
            there = self.world.state.pieces[rack].tips
            spots = [spot for spot in self._column(pipette, item.kind, well) if spot in there]
            if spots:
                channels = [self._channel(pipette, spot) for spot in spots]
                self._act(
                    pipette.mount, "pick_up_tips", channels=channels, tips=[[rack, spot] for spot in spots]
                )
        await asyncio.sleep(Z_S)
        if self.feels_tips and not self.tips_on(pipette.mount):
            raise CommandError("tipPhysicallyMissing", "No Tip Detected", code="3003", defined=True)
        pipette.tip_ul, pipette.held_ul, pipette.last_drawn = item.kind.tip_volume_ul, 0.0, None

    async def aspirate(
        self,
        pipette: Pipette,
        item: LoadedItem,
        well: str,
        volume_ul: float,
        flow: float,
        *,
        share: float = 1.0,
    ) -> None:
        """Draw.

        Args:
            share: of the stroke that draws liquid; the rest draws air.
        """
        if not pipette.tip_ul:
            raise CommandError(
                "TipNotAttachedError", "Pipette should have a tip attached, but does not.", code="3005"
            )
        most_ul = min(pipette.tip_ul, pipette.kind.max_ul)
        if pipette.held_ul + volume_ul > most_ul + MOST_TIP_EXTRA_UL:
            raise CommandError(
                "InvalidAspirateVolumeError",
                f"Cannot aspirate {volume_ul} µL when only {most_ul - pipette.held_ul} is available in the tip.",
            )
        await self.to_well(item, well)
        await asyncio.sleep(Z_S + volume_ul / flow)
        labware = self._standing(item)
        if labware is not None:
            channels, wells = self._at_work(pipette, labware, item, well)
            if channels:
                shares = {} if share == 1.0 else {"liquid_shares": [share] * len(channels)}
                self._act(
                    pipette.mount,
                    "aspirate",
                    channels=channels,
                    labware=labware,
                    wells=wells,
                    volumes_ul=[volume_ul] * len(channels),
                    **shares,
                )
        pipette.held_ul += volume_ul
        pipette.last_drawn = (item.id, well)
        await asyncio.sleep(Z_S)

    async def dispense(
        self, pipette: Pipette, item: LoadedItem, well: str, volume_ul: float, flow: float, *, above: bool
    ) -> None:
        """Give; into the well that it drew from just before, it is a stroke of mixing."""
        if not pipette.tip_ul:
            raise CommandError(
                "TipNotAttachedError", "Pipette should have a tip attached, but does not.", code="3005"
            )
        if volume_ul > pipette.held_ul + MOST_TIP_EXTRA_UL:
            raise CommandError(
                "InvalidDispenseVolumeError",
                f"Cannot dispense {volume_ul} µL when only {pipette.held_ul} µL has been aspirated.",
            )
        await self.to_well(item, well)
        await asyncio.sleep(Z_S + volume_ul / flow)
        labware = self._standing(item)
        if labware is not None:
            channels, wells = self._at_work(pipette, labware, item, well)
            strokes = 1 if pipette.last_drawn == (item.id, well) and not above else 0
            if channels:
                self._act(
                    pipette.mount,
                    "dispense",
                    channels=channels,
                    labware=labware,
                    wells=wells,
                    volumes_ul=[volume_ul] * len(channels),
                    contact=not above,
                    mix_ul=volume_ul if strokes else 0.0,
                    mix_cycles=strokes,
                )
        pipette.held_ul = max(0.0, pipette.held_ul - volume_ul)
        pipette.last_drawn = None
        await asyncio.sleep(Z_S)

    async def finds_liquid(self, pipette: Pipette, item: LoadedItem, well: str) -> bool:
        """Go down until the pressure says that the tips touch something; whether they did before the bottom."""
        await self.to_well(item, well)
        await asyncio.sleep(PROBE_S)
        labware = self._standing(item)
        wells = [] if labware is None else self._at_work(pipette, labware, item, well)[1]
        return any(self.world.volume_ul(labware, one) > 0.0 for one in wells if labware is not None)

    async def drop(self, pipette: Pipette) -> None:
        """Let go of the tips where the pipette is."""
        await asyncio.sleep(EJECT_S)
        on = [channel for channel, tip in enumerate(self.world.tips_on(self._mount(pipette.mount))) if tip]
        if on:
            self._act(pipette.mount, "drop_tips", channels=on)
        pipette.tip_ul, pipette.held_ul, pipette.last_drawn = 0.0, 0.0, None

    def clog(self, pipette: Pipette) -> None:
        """Stop the tips up."""
        on = [channel for channel, tip in enumerate(self.world.tips_on(self._mount(pipette.mount))) if tip]
        if on:
            self._act(pipette.mount, "clog", channels=on)

    def position(self) -> dict[str, float]:
        """Where the gantry is, as results say."""
        return {"x": self._at_mm[0], "y": self._at_mm[1], "z": self._height_mm}

    async def _go(self, to: tuple[float, float]) -> None:
        far_mm = max(abs(to[0] - self._at_mm[0]), abs(to[1] - self._at_mm[1]))
        if far_mm > 0.0:
            await asyncio.sleep(GANTRY_BEGIN_S + far_mm / GANTRY_MM_PER_S)
        self._at_mm = to

    def _standing(self, item: LoadedItem) -> str | None:
        """What truly stands where a run believes labware to be."""
        position = next((p for p, slot in self.kit.slots.items() if slot == item.slot), None)
        return None if position is None else self.world.at(position)

    def _at_work(
        self, pipette: Pipette, labware: str, item: LoadedItem, well: str
    ) -> tuple[list[int], list[str]]:
        """Channels that have tips, and the wells of what truly stands there that they are over."""
        has = self.world.tips_on(self._mount(pipette.mount))
        real = self.world.state.pieces[labware].kind
        if (real.rows, real.columns) == (1, 1):
            over = dict.fromkeys(range(pipette.kind.channels), real.wells[0])
        else:
            wells = self._column(pipette, item.kind, well)
            over = {self._channel(pipette, one): one for one in wells if one in real.wells}
        pairs = [(channel, name) for channel, name in over.items() if has[channel]]
        return [channel for channel, _ in pairs], [name for _, name in pairs]

    def _column(self, pipette: Pipette, kind: LabwareType, well: str) -> Sequence[str]:
        """The wells that a pipette is over when its first channel is over one."""
        if pipette.kind.channels == 1 or kind.rows == 1:
            return (well,)
        first = ord(well[0]) - ord("A")
        return [f"{chr(ord('A') + row)}{well[1:]}" for row in range(first, kind.rows)]

    def _channel(self, pipette: Pipette, well: str) -> int:
        return 0 if pipette.kind.channels == 1 else ord(well[0]) - ord("A")

    def _mount(self, mount: str) -> str:
        return f"{self.name}/{mount}"

    def _act(self, mount: str, action: str, **arguments: Any) -> None:
        """What the world can't do at all (a well would run over) stops the pipette against something."""
        try:
            self.world.act(self._mount(mount), action, **arguments)
        except Impossible as impossible:
            raise CommandError(
                "stallOrCollision", f"Stall or Collision Detected: {impossible}.", code="2003", defined=True
            ) from impossible
