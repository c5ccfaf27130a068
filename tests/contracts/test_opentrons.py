"""What the driver of Opentrons robots must say of a command that was broken off, and how both keep to the robot's API.

Each command is cut at each request that hands one in: the controller dies, before the robot got it or after the robot did
it; or the robot loses its memory with it; or an answer is lost. The ledger of the world knows what truly happened.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import pytest

from devices.opentrons_robot.client import RobotClient
from devices.opentrons_robot.kit import FLEX, OT2
from devices.opentrons_robot.robot import OpentronsRobot
from devices.opentrons_robot.wire import Wire
from digital_twin.instruments.opentrons_robot import OpentronsTwin
from lab.clock import LabClock
from lab.errors import DeviceFault
from lab.interfaces import Answer, Reconciliation
from tests.devices.broken_off import Tried, try_once
from tests.devices.opentrons.api_document import document, hold_exchange
from tests.devices.opentrons.robot_bench import NAME, Rig, commands_for, rig, robot_kit, robot_world_bench
from tests.devices.opentrons.robot_truth import RobotTruth, hold_against

CASES = [
    (model, n) for model in (OT2, FLEX) for n in range(len(commands_for(OT2))) if model == OT2 or n in (0, 2)
]
"""Every command on an OT-2; on a Flex, one with one channel and one with eight."""

cases = pytest.mark.parametrize(
    ("model", "n"), CASES, ids=[f"{model[:4]}-{commands_for(model)[n].verb}-{n}" for model, n in CASES]
)


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


@cache
def whole(model: str, n: int) -> tuple[int, Any]:
    """How many commands a robot is handed for one of ours, and its result."""
    with LabClock(virtual=True) as clock:

        async def body() -> tuple[int, Any]:
            async with rig(clock, model) as made:
                await made.device.safe()
                before = made.tap.commands
                result = await made.do(commands_for(model)[n])
                return made.tap.commands - before, result

        return clock.run(body())


class Cut:
    """Cuts the wire at the n-th command that is handed in.

    Args:
        at: number of the command, from 0.
        acted: whether the robot carries it out before.
    """

    def __init__(self, at: int, *, acted: bool) -> None:
        self._at = at
        self._acted = acted
        self._seen = -1
        self.reached = asyncio.Event()
        self.error = None

    async def __call__(self, number: int, scope: Any, send: Any, go_on: Any) -> None:
        handed_in = scope["method"] == "POST" and scope["path"].endswith("/commands")
        self._seen += handed_in
        if not handed_in or self._seen < self._at:
            await go_on()
            return
        if self._acted:
            await go_on()
        self.reached.set()
        await asyncio.get_running_loop().create_future()


async def _after_death(made: Rig, command: Any, tried: Tried, *, forgotten: bool) -> Reconciliation:
    """What a new process says, of a robot that was on all the time, or was switched off and on."""
    made.tap.spoil = None
    if forgotten:
        made.tap.app = OpentronsTwin(made.world, name=NAME, kit=robot_kit(made.model))
    device = OpentronsRobot(
        NAME, Wire("http://twin", app=made.tap), kit=robot_kit(made.model), bench=made.bench
    )
    await device.connect()
    await device.look()
    await device.safe()
    for mount in ("left", "right"):
        assert not any(made.world.tips_on(f"{NAME}/{mount}"))
    return await getattr(device, command.verb).reconcile(command, tried.marks)


CUTS = [(*case, acted, False) for case in CASES for acted in (False, True)]
CUTS += [(OT2, n, True, True) for n in (0, 2, 5)]
"""Model, command, whether the robot does what it is handed before the cut, and whether it is switched off then."""


@pytest.mark.parametrize(("model", "n", "acted", "forgotten"), CUTS)
def test_what_is_said_of_a_command_cut_off_anywhere_is_never_better_than_the_truth(
    model: str, n: int, acted: bool, forgotten: bool
) -> None:
    command = commands_for(model)[n]
    length, result = whole(model, n)
    answers = []
    for at in range(length):
        with LabClock(virtual=True) as clock:

            async def body(clock: LabClock = clock, at: int = at) -> Reconciliation:
                async with rig(clock, model) as made:
                    await made.device.safe()
                    before, since = made.bench.copy(), len(made.world.ledger.actions)
                    cut = Cut(at, acted=acted)
                    made.tap.spoil = cut
                    tried = await try_once(clock, getattr(made.device, command.verb), command, cut)  # type: ignore[arg-type]
                    assert cut.reached.is_set()
                    assert tried.fault is None
                    truth = RobotTruth.of(made.world, since)
                    said = await _after_death(made, command, tried, forgotten=forgotten)
                    hold_against(before, command, said, truth, result)
                    return said

            answers.append(clock.run(body()).answer)
    assert answers[0] is Answer.NOT_DONE
    assert answers[-1] is Answer.DONE


@pytest.mark.parametrize("acted", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("model", [OT2, FLEX])
def test_a_robot_that_remembers_knows_how_many_portions_were_given(model: str, acted: bool) -> None:
    command = commands_for(model)[0]
    length, _ = whole(model, 0)
    given, told = [], []
    for at in range(length):
        with LabClock(virtual=True) as clock:

            async def body(clock: LabClock = clock, at: int = at) -> tuple[int, Reconciliation]:
                async with rig(clock, model) as made:
                    await made.device.safe()
                    cut = Cut(at, acted=acted)
                    made.tap.spoil = cut
                    tried = await try_once(clock, made.device.distribute, command, cut)  # type: ignore[arg-type]
                    said = await _after_death(made, command, tried, forgotten=False)
                    return sum(RobotTruth.of(made.world, 0).gives.values()), said

            truly, said = clock.run(body())
            given.append(truly)
            told.append(3 if said.answer is Answer.DONE else (said.part or {"given": 0})["given"])
    assert told == given
    assert set(given) == {0, 1, 2, 3}


@pytest.mark.parametrize("acted", [False, True], ids=["requests", "answers"])
@cases
def test_with_the_first_of_each_request_or_answer_lost_everything_is_done_exactly_once(
    clock: LabClock, model: str, n: int, acted: bool
) -> None:
    command = commands_for(model)[n]

    async def body() -> None:
        async with rig(clock, model) as made:
            await made.device.safe()
            since, handed_in, lost = len(made.world.ledger.actions), 0, 0

            async def lose(number: int, scope: Any, send: Any, go_on: Any) -> None:
                nonlocal handed_in, lost
                if scope["method"] == "POST" and scope["path"].endswith("/commands"):
                    handed_in += 1
                    if acted or handed_in % 2:
                        lost += 1
                        if acted:
                            await go_on()
                        raise ConnectionResetError("gone")
                await go_on()

            made.tap.spoil = lose
            result = await made.do(command)
            assert lost == whole(model, n)[0]
            said = Reconciliation(answer=Answer.DONE, sentence="", result=result)
            hold_against(robot_world_bench(model), command, said, RobotTruth.of(made.world, since), result)

    clock.run(body())


async def _all_that_the_driver_asks(made: Rig) -> None:
    """Every verb, the safe state, and each of the client's requests, those that are refused too."""
    device, client = made.device, made.device.client
    for command in commands_for(made.model):
        await made.do(command)
    await device.look()
    await device.safe()
    run = await client.current_run()
    assert run is not None
    await client.add_offset(run.id, OFFSET)
    await client.home()
    await client.let_go(run.id)
    run = await client.create_run(offsets=[OFFSET])
    await client.recover_by(run.id, [("aspirate", "overpressure", "waitForRecovery")])
    await client.do(
        run.id, "loadPipette", {"pipetteName": "p20_single_gen2", "mount": "right"}, key="a", limit_s=60.0
    )


OFFSET: dict[str, Any] = {
    "definitionUri": "opentrons/opentrons_96_wellplate_200ul_pcr_full_skirt/2",
    "location": {"slotName": "5"},
    "vector": {"x": 0.1, "y": -0.2, "z": 0.0},
}


async def _all_that_is_refused(client: RobotClient) -> None:
    """Each way in which the client's requests can be turned down."""
    run = await client.create_run()
    for ask in (
        client.run("nobody"),
        client.command(run.id, "nothing"),
        client.create_run(protocol_id="nothing"),
        client.act(run.id, "pause"),
        client.upload("notes.txt", b"no protocol"),
        client.delete_protocol("nothing"),
        client.enqueue(run.id, "home", {}, key="fixit", intent="fixit"),
    ):
        with pytest.raises(DeviceFault):
            await ask
    await client.act(run.id, "play")
    with pytest.raises(DeviceFault):
        await client.enqueue(run.id, "home", {}, key="late")
    await client.enqueue(run.id, "waitForDuration", {"seconds": 3.0}, key="queued", intent="protocol")
    with pytest.raises(DeviceFault):
        await client.create_run()
    await client.act(run.id, "pause")
    await client.act(run.id, "stop")
    with pytest.raises(DeviceFault):
        await client.act(run.id, "play")
    await client.commands(run.id, cursor=0, length=1)
    await client.delete_run(run.id)
    protocol = await client.upload("protocol.py", b"metadata = {}")
    await client.analysis(protocol)
    await client.delete_protocol(protocol)


@pytest.mark.parametrize("model", [OT2, FLEX])
def test_requests_of_the_driver_and_answers_of_the_twin_are_as_the_robots_own_document_has_them(
    clock: LabClock, model: str
) -> None:
    document()

    async def body() -> list[Any]:
        async with rig(clock, model) as made:
            with pytest.raises(DeviceFault):
                await _all_that_the_driver_asks(made)  # the last of it names a pipette that is not there
            await _all_that_is_refused(made.device.client)
            return made.tap.seen

    seen = clock.run(body())
    assert len(seen) > 100
    assert {exchange.status for exchange in seen} == {200, 201, 400, 404, 409, 422}
    for exchange in {(e.method, e.path, e.query, e.body, e.status, e.answer): e for e in seen}.values():
        form = exchange.body.startswith(b"--")
        hold_exchange(
            exchange.method,
            exchange.path,
            dict(parse_qsl(exchange.query)),
            json.loads(exchange.body) if exchange.body and not form else None,
            exchange.status,
            json.loads(exchange.answer),
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "/runs/r/command"},
        {"query": {"waitUntilDone": "true"}},
        {"query": {"timeout": "-1"}},
        {"body": {"data": {"commandType": "home", "params": {"axes": 3}}}},
        {"body": {"data": {"commandType": "dance", "params": {}}}},
        {"status": 202},
        {"answer": {"data": {"id": "c", "commandType": "home", "key": "k", "status": "done", "params": {}}}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_not_as_the_document_has_it_is_found(wrong: dict[str, Any]) -> None:
    right = {
        "method": "POST",
        "path": "/runs/r/commands",
        "query": {"timeout": "10"},
        "body": {"data": {"commandType": "home", "params": {}}},
        "status": 201,
        "answer": {
            "data": {
                "id": "c",
                "createdAt": "2026-11-22T00:00:00Z",
                "commandType": "home",
                "key": "k",
                "status": "queued",
                "params": {},
            }
        },
    }
    hold_exchange(**right)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        hold_exchange(**(right | wrong))  # type: ignore[arg-type]
