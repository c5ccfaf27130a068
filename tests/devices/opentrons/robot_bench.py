"""An OT-2 or a Flex on its twin: in this process, or on a loopback port, with a wire on which things go wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from devices.labware import labware_type, make_labware
from devices.liquid_handler import AddReagent, Distribute, Mix
from devices.opentrons_robot.kit import FLEX, OT2, RobotKit
from devices.opentrons_robot.robot import OpentronsRobot
from devices.opentrons_robot.wire import Wire
from digital_twin.chemistry import chemistry
from digital_twin.faults import NO_FAULTS, FaultScript
from digital_twin.http_server import serve_http
from digital_twin.instruments.opentrons_protocols import Analyser
from digital_twin.instruments.opentrons_robot import OpentronsTwin
from digital_twin.world import World
from lab.bench import Bench, Position
from lab.clock import LabClock

NAME = "robot"

ON_DECK = ("tips_small", "tips_large", "buffer", "library", "assay_1", "assay_2")

SETTINGS: dict[str, dict[str, Any]] = {
    OT2: {
        "robot": "ot2",
        "pipettes": {"left": "p20_single_gen2", "right": "p300_multi_gen2"},
        "slots": {f"deck_{name}": slot for slot, name in enumerate(ON_DECK, start=1)},
    },
    FLEX: {
        "robot": "flex",
        "pipettes": {"left": "p50_single_flex", "right": "p1000_multi_flex"},
        "slots": {f"deck_{name}": f"{'ABCD'[k // 3]}{k % 3 + 1}" for k, name in enumerate(ON_DECK, start=3)},
    },
}

TIPS = {OT2: ("opentrons_tips_20ul", "opentrons_tips_300ul"), FLEX: ("flex_tips_50ul", "flex_tips_1000ul")}


def robot_kit(model: str) -> RobotKit:
    return RobotKit.from_settings(SETTINGS[model], positions=[f"deck_{name}" for name in ON_DECK])


def robot_world_bench(model: str) -> Bench:
    """Tips of two sizes, a reservoir, a library and two plates on the deck."""
    small, large = (labware_type(name) for name in TIPS[model])
    plate = labware_type("opentrons_pcr_plate_96")
    rows = "ABCDEFGH"
    items = [
        make_labware("tips_small", small, "deck_tips_small"),
        make_labware("tips_large", large, "deck_tips_large"),
        make_labware(
            "buffer",
            labware_type("reservoir_195ml"),
            "deck_buffer",
            contents={"A1": ("assay_buffer", 100_000.0)},
        ),
        make_labware("library", plate, "deck_library", contents={f"{row}1": ("WT", 100.0) for row in rows}),
        make_labware("assay_1", plate, "deck_assay_1"),
        make_labware(
            "assay_2", plate, "deck_assay_2", contents={f"{row}1": ("assay_buffer", 100.0) for row in rows}
        ),
    ]
    positions = [Position(name=f"deck_{name}", device=NAME) for name in ON_DECK]
    positions.append(Position(name="shelf", device="arm", home=True))
    return Bench(positions, items)


def commands_for(model: str) -> tuple[Any, ...]:
    """One command of each verb and way: one channel and eight."""
    small_ul, large_ul = (labware_type(name).tip_volume_ul for name in TIPS[model])
    return (
        Distribute(
            source_labware="library",
            source_well="A1",
            targets=(("assay_1", "A1", 5.0), ("assay_2", "B1", 4.0), ("assay_1", "A1", 3.0)),
            tip_volume_ul=small_ul,
            mix_cycles=0,
        ),
        Distribute(
            source_labware="library",
            source_well="B1",
            targets=(("assay_2", "C1", 5.0),),
            tip_volume_ul=small_ul,
            mix_cycles=2,
        ),
        AddReagent(
            source_labware="buffer",
            source_well="A1",
            labware="assay_1",
            wells=tuple(f"{row}{column}" for column in (1, 2, 3) for row in "ABCDEFGH"),
            volume_ul=50.0,
            tip_volume_ul=large_ul,
        ),
        AddReagent(
            source_labware="buffer",
            source_well="A1",
            labware="assay_1",
            wells=("A4", "B4", "A5"),
            volume_ul=6.0,
            tip_volume_ul=small_ul,
        ),
        Mix(
            labware="assay_2",
            wells=tuple(f"{row}1" for row in "ABCDEFGH"),
            volume_ul=40.0,
            cycles=2,
            tip_volume_ul=large_ul,
        ),
        Mix(labware="assay_2", wells=("A1", "D1"), volume_ul=10.0, cycles=1, tip_volume_ul=small_ul),
    )


@dataclass
class Exchange:
    """One request and its answer, as they went over the wire."""

    method: str
    path: str
    query: str
    body: bytes = b""
    status: int = 0
    answer: bytes = b""


@dataclass
class Tap:
    """Stands before a twin's application and sees, or spoils, each request.

    Args:
        spoil: is given (number of the request, method, path, what goes on with it) and answers in its place; None lets
            all through.
    """

    app: Any
    spoil: Callable[..., Awaitable[None]] | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    seen: list[Exchange] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append((scope["method"], scope["path"]))
        exchange = Exchange(method=scope["method"], path=scope["path"], query=scope["query_string"].decode())
        self.seen.append(exchange)

        async def hear() -> Any:
            message = await receive()
            exchange.body += message.get("body", b"")
            return message

        async def say(message: Any) -> None:
            exchange.status = message.get("status", exchange.status)
            exchange.answer += message.get("body", b"")
            await send(message)

        async def go_on() -> None:
            await self.app(scope, hear, say)

        if self.spoil is None:
            await go_on()
        else:
            await self.spoil(len(self.asked) - 1, scope, send, go_on)

    @property
    def commands(self) -> int:
        """How many commands were handed in."""
        return sum(method == "POST" and path.endswith("/commands") for method, path in self.asked)


@dataclass
class Rig:
    """A world, its robot, and the device of the process that drives it."""

    clock: LabClock
    model: str
    bench: Bench
    world: World
    twin: OpentronsTwin
    tap: Tap
    device: OpentronsRobot
    wire: Wire

    async def do(self, command: Any) -> Any:
        verb = getattr(self.device, command.verb)
        await verb.set(command)
        result = verb.result()
        command.believe(self.bench)
        return result


def make_world(clock: LabClock, model: str) -> tuple[Bench, World]:
    bench = robot_world_bench(model)
    world = World(clock=clock, seed=7, ledger=None, bench=bench, chemistry=chemistry("protein_g"), seats={})
    return bench, world


@asynccontextmanager
async def rig(
    clock: LabClock,
    model: str,
    *,
    socket: bool = False,
    script: FaultScript = NO_FAULTS,
    connect: bool = True,
    analyser: Analyser | None = None,
) -> AsyncIterator[Rig]:
    bench, world = make_world(clock, model)
    kit = robot_kit(model)
    twin = OpentronsTwin(world, name=NAME, kit=kit, script=script, analyser=analyser)
    tap = Tap(twin)
    async with AsyncExitStack() as stack:
        if socket:
            port = await stack.enter_async_context(serve_http(tap))
            wire = Wire(f"http://127.0.0.1:{port}")
        else:
            wire = Wire("http://twin", app=tap)
        device = OpentronsRobot(NAME, wire, kit=kit, bench=bench)
        try:
            if connect:
                await device.connect()
            yield Rig(clock, model, bench, world, twin, tap, device, wire)
        finally:
            await device.disconnect()
            world.close()
