"""The run through which a device drives its robot: opened when it is first needed, with the deck as the bench believes it.

Commands go in with the intent ``setup``, which a run carries out at once and one after the other for as long as nobody plays
it, and whose failure leaves the run as it was. The ids of pipettes and labware in it are ours: mount and labware.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import uuid4

from devices.opentrons_robot.client import RobotClient
from devices.opentrons_robot.faults import Refused
from devices.opentrons_robot.kit import RobotKit, robot_labware
from devices.opentrons_robot.moves import ABOVE_MM, IN_LIQUID_MM, Draw, Drop, Give, Move, PickUp
from devices.opentrons_robot.offsets import taken
from devices.opentrons_robot.records import ACTIVE
from lab.bench import Bench
from lab.errors import DeviceFault, InstrumentBusy, InstrumentError
from lab.types import JsonValue

__all__ = ["Request", "Session", "new_key", "requests_of"]

Request = tuple[str, dict[str, JsonValue]]
"""``commandType`` and ``params``."""

AT_ONCE_S = 60.0
"""Lab time that a command may take which moves no liquid; homing and a walk across the deck are in it."""

OFF_DECK = "offDeck"


def new_key() -> str:
    """A key that no other command has."""
    return f"drywet-{uuid4().hex}"


def requests_of(move: Move, kit: RobotKit) -> tuple[Request, ...]:
    """The robot's commands for a move."""
    match move:
        case PickUp():
            return (
                ("pickUpTip", {"pipetteId": move.mount, "labwareId": move.labware, "wellName": move.well}),
            )
        case Draw():
            return (("aspirate", _at_well(move, above=False)),)
        case Give():
            params = _at_well(move, above=move.above)
            return (("dispense", params | {"pushOut": 0.0} if move.stroke else params),)
        case Drop():
            return (over_trash(move.mount, kit), ("dropTipInPlace", {"pipetteId": move.mount}))


def over_trash(mount: str, kit: RobotKit) -> Request:
    """Go to where tips are thrown away."""
    return (
        "moveToAddressableAreaForDropTip",
        {
            "pipetteId": mount,
            "addressableAreaName": kit.trash,
            "offset": {"x": 0.0, "y": 0.0, "z": 0.0},
            "alternateDropLocation": True,
        },
    )


def _at_well(move: Draw | Give, *, above: bool) -> dict[str, JsonValue]:
    origin, z_mm = ("top", ABOVE_MM) if above else ("bottom", IN_LIQUID_MM)
    return {
        "pipetteId": move.mount,
        "labwareId": move.labware,
        "wellName": move.well,
        "volume": move.volume_ul,
        "flowRate": move.flow_ul_per_s,
        "wellLocation": {"origin": origin, "offset": {"x": 0.0, "y": 0.0, "z": z_mm}},
    }


class Session:
    """One robot's run.

    Args:
        client: of the robot.
        bench: the live one.

    Attributes:
        run_id: of the run under way; None before the first.
    """

    def __init__(self, client: RobotClient, kit: RobotKit, bench: Bench) -> None:
        self._client = client
        self._kit = kit
        self._bench = bench
        self.run_id: str | None = None
        self._loaded: dict[str, str] = {}
        self._pipettes: set[str] = set()
        self._offsets: dict[tuple[str, str], str] = {}

    def forget(self) -> None:
        """Open a new run the next time."""
        self.run_id = None

    async def ready(self, mounts: Sequence[str], labware: Sequence[str]) -> str:
        """A run that takes commands, with some pipettes and labware in it; gives its id.

        Raises:
            InstrumentBusy: the robot is at a run of somebody else's.
            InstrumentError: it can't load what it should.
        """
        run_id = await self._open()
        try:
            for mount in mounts:
                if mount not in self._pipettes:
                    name = self._kit.pipettes[mount].name
                    params = {"pipetteName": name, "mount": mount, "pipetteId": mount}
                    await self.do("loadPipette", params)
                    self._pipettes.add(mount)
            await self._agree(labware)
        except DeviceFault:
            # What the robot has loaded by now is not known, and it loads nothing twice.
            self.forget()
            raise
        return run_id

    async def do(
        self, kind: str, params: Mapping[str, JsonValue], *, key: str = "", limit_s: float = AT_ONCE_S
    ) -> Mapping[str, JsonValue]:
        """One command of the run; gives its result.

        Raises:
            DeviceFault: see :meth:`RobotClient.do`.
        """
        assert self.run_id is not None, "ready comes first"
        try:
            record = await self._client.do(self.run_id, kind, params, key=key or new_key(), limit_s=limit_s)
        except Refused:
            # Stopped or taken over by somebody else: what comes next needs a new run.
            self.forget()
            raise
        return record.result

    async def _open(self) -> str:
        if self.run_id is not None:
            try:
                run = await self._client.run(self.run_id)
            except Refused:
                self.forget()
            else:
                if run.status == "idle" and run.current:
                    return self.run_id
        await self.must_be_free()
        offsets = self._kit.offsets_on(self._bench)
        run_id = (await self._client.create_run(offsets=offsets)).id
        self._offsets = taken(offsets, await self._client.offsets(run_id)) if offsets else {}
        self._loaded.clear()
        self._pipettes.clear()
        self.run_id = run_id
        return run_id

    async def must_be_free(self) -> None:
        """See that nobody else is at work with the robot.

        Raises:
            InstrumentBusy: a run that was started has not ended.
        """
        current = await self._client.current_run()
        if current is not None and current.status in ACTIVE:
            raise InstrumentBusy(
                f"the run {current.id} is {current.status} on the robot; it is not one of drywet's."
            )

    async def _agree(self, labware: Sequence[str]) -> None:
        """Make the run's deck that of the bench, as far as some labware needs it."""
        wanted = {name: self._slot(name) for name in labware}
        for name, slot in list(self._loaded.items()):
            stands = self._kit.slots.get(self._bench.labware[name].position or "")
            in_the_way = slot in wanted.values() and wanted.get(name) != slot
            if slot != OFF_DECK and slot != stands and (in_the_way or name in wanted):
                await self._move(name, OFF_DECK)
        for name, slot in wanted.items():
            if name not in self._loaded:
                await self._load(name, slot)
            elif self._loaded[name] != slot:
                await self._move(name, slot)

    def _slot(self, labware: str) -> str:
        slot = self._kit.slots.get(self._bench.labware[labware].position or "")
        if slot is None:
            raise InstrumentError(f"{labware} does not stand on the deck.", nothing_done=True)
        return slot

    async def _load(self, name: str, slot: str) -> None:
        known = robot_labware(self._bench.labware[name].type)
        if known is None:
            raise InstrumentError(f"the robot has no definition of {name}.", nothing_done=True)
        params = {
            "location": {"slotName": slot},
            "loadName": known[0],
            "namespace": "opentrons",
            "version": known[1],
            "labwareId": name,
            "displayName": name,
        }
        await self._tell_offset(name)
        self._must_be_offset(name, await self.do("loadLabware", params))
        self._loaded[name] = slot

    async def _move(self, name: str, slot: str) -> None:
        """Say that labware was moved by hand or by the bench's arm."""
        location: JsonValue = slot if slot == OFF_DECK else {"slotName": slot}
        params = {"labwareId": name, "newLocation": location, "strategy": "manualMoveWithoutPause"}
        if slot != OFF_DECK:
            await self._tell_offset(name)
        result = await self.do("moveLabware", params)
        if slot != OFF_DECK:
            self._must_be_offset(name, result)
        self._loaded[name] = slot

    async def _tell_offset(self, name: str) -> None:
        """Tell the run how labware stands that came to its position after the run was made."""
        offset = self._offset(name)
        if offset is not None and _key(offset) not in self._offsets:
            assert self.run_id is not None, "ready comes first"
            self._offsets |= taken([offset], [await self._client.add_offset(self.run_id, offset)])

    def _must_be_offset(self, name: str, result: Mapping[str, JsonValue]) -> None:
        """Hold what the robot says it uses against what it was told.

        Raises:
            InstrumentError: it is another offset, or one where none was told.
        """
        offset = self._offset(name)
        wanted = None if offset is None else self._offsets[_key(offset)]
        if result.get("offsetId") != wanted:
            raise InstrumentError(
                f"the robot does not use the labware offset that it was told for {name}.", nothing_done=True
            )

    def _offset(self, name: str) -> dict[str, JsonValue] | None:
        item = self._bench.labware[name]
        return self._kit.offset_of(item.type, item.position)


def _key(offset: Mapping[str, JsonValue]) -> tuple[str, str]:
    return str(offset["definitionUri"]), str(offset["location"]["slotName"])
