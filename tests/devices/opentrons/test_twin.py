"""The simulated robot: its own errors, what its sensors tell and what an OT-2 can't know, and runs that are played."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from devices.opentrons_robot.client import RobotClient
from devices.opentrons_robot.kit import FLEX, OT2
from devices.opentrons_robot.records import CommandRecord
from lab.clock import LabClock
from tests.devices.opentrons.robot_bench import NAME, Rig, rig, robot_kit

IN_WELL = {"wellLocation": {"origin": "bottom", "offset": {"x": 0.0, "y": 0.0, "z": 1.0}}, "flowRate": 7.5}


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


class Bench:
    """A run on a robot, told one command after the other."""

    def __init__(self, made: Rig, run: str) -> None:
        self.made = made
        self.run = run
        self._n = 0

    @property
    def client(self) -> RobotClient:
        return self.made.device.client

    async def tell(self, kind: str, **params: Any) -> CommandRecord:
        self._n += 1
        return await self.client.enqueue(self.run, kind, params, key=f"k{self._n}", wait_s=600.0)

    async def error(self, kind: str, **params: Any) -> Mapping[str, Any]:
        record = await self.tell(kind, **params)
        assert record.status == "failed"
        assert record.error is not None
        return record.error

    async def load(
        self, name: str, *, slot: str = "", location: Mapping[str, str] | None = None
    ) -> CommandRecord:
        item = self.made.bench.labware[name]
        from devices.opentrons_robot.kit import robot_labware

        known = robot_labware(item.type)
        assert known is not None
        return await self.tell(
            "loadLabware",
            location=location or {"slotName": slot or robot_kit(self.made.model).slots[item.position or ""]},
            loadName=known[0],
            namespace="opentrons",
            version=known[1],
            labwareId=name,
        )


@asynccontextmanager
async def told(clock: LabClock, model: str) -> AsyncIterator[Bench]:
    """A run with its left pipette and all labware loaded."""
    async with rig(clock, model) as made:
        bench = Bench(made, (await made.device.client.create_run()).id)
        name = robot_kit(model).pipettes["left"].name
        assert (
            await bench.tell("loadPipette", pipetteName=name, mount="left", pipetteId="p")
        ).status == "succeeded"
        for labware in ("tips_small", "tips_large", "library", "assay_1"):
            assert (await bench.load(labware)).status == "succeeded"
        yield bench


TIP = {"pipetteId": "p", "labwareId": "tips_small", "wellName": "A1"}


@pytest.mark.parametrize("model", [OT2, FLEX])
def test_what_makes_no_sense_is_refused_in_the_robots_own_words(clock: LabClock, model: str) -> None:
    async def body() -> None:
        async with told(clock, model) as run:
            well = {"pipetteId": "p", "labwareId": "library", "wellName": "A1", "volume": 5.0, **IN_WELL}
            refused = {
                "TipNotAttachedError": await run.error("aspirate", **well),
                "LocationIsOccupiedError": await run.load("assay_2", slot=_slot_of(model, "library")),
                "LabwareIsNotTipRackError": await run.error("pickUpTip", **TIP | {"labwareId": "library"}),
                "InvalidTipForPipetteError": await run.error(
                    "pickUpTip", **TIP | {"labwareId": "tips_large"}
                ),
                "LabwareNotLoadedError": await run.error("pickUpTip", **TIP | {"labwareId": "nothing"}),
                "WellDoesNotExistError": await run.error("pickUpTip", **TIP | {"wellName": "Z9"}),
                "PipetteNotLoadedError": await run.error("pickUpTip", **TIP | {"pipetteId": "q"}),
                "FailedToLoadPipetteError": await run.error(
                    "loadPipette", pipetteName="p10_single", mount="right"
                ),
                "LabwareDefinitionDoesNotExistError": await run.error(
                    "loadLabware", location="offDeck", loadName="no_such", namespace="opentrons", version=1
                ),
                "ModuleNotLoadedError": await run.load("assay_2", location={"moduleId": "cold"}),
                "CommandNotImplementedError": await run.load("assay_2", location={"labwareId": "library"}),
            }
            assert (await run.tell("pickUpTip", **TIP)).status == "succeeded"
            refused["UnexpectedTipAttachError"] = await run.error("pickUpTip", **TIP | {"wellName": "B1"})
            refused["InvalidAspirateVolumeError"] = await run.error("aspirate", **well | {"volume": 60.0})
            refused["InvalidDispenseVolumeError"] = await run.error("dispense", **well)
            for kind, error in refused.items():
                record = error.error if isinstance(error, CommandRecord) else error
                assert record is not None
                assert record["errorType"] == kind
                assert not record["isDefined"]
            assert refused["TipNotAttachedError"]["errorCode"] == "3005"
            assert refused["UnexpectedTipAttachError"]["errorCode"] == "3012"
            done = [action.action for action in run.made.world.ledger.actions]
            assert done == ["pick_up_tips"]
            assert (await run.client.run(run.run)).status == "idle"

    clock.run(body())


def _slot_of(model: str, labware: str) -> str:
    return robot_kit(model).slots[f"deck_{labware}"]


def test_a_flex_feels_a_missing_tip_and_an_empty_well(clock: LabClock) -> None:
    async def body() -> None:
        async with told(clock, FLEX) as run:
            run.made.world.state.pieces["tips_small"].tips.discard("A1")
            missing = await run.error("pickUpTip", **TIP)
            assert (missing["errorType"], missing["errorCode"], missing["isDefined"]) == (
                "tipPhysicallyMissing",
                "3003",
                True,
            )
            assert (await run.tell("pickUpTip", **TIP | {"wellName": "B1"})).status == "succeeded"
            assert (await run.client.pipettes())[0].tip_detected is True
            full = {"pipetteId": "p", "labwareId": "library", "wellName": "A1"}
            assert (await run.tell("liquidProbe", **full)).status == "succeeded"
            empty = await run.error("liquidProbe", **full | {"wellName": "H12"})
            assert (empty["errorType"], empty["isDefined"]) == ("liquidNotFound", True)

    clock.run(body())


def test_an_ot2_feels_neither_and_gives_nothing_from_a_tip_that_is_not_there(clock: LabClock) -> None:
    async def body() -> None:
        async with told(clock, OT2) as run:
            run.made.world.state.pieces["tips_small"].tips.discard("A1")
            well = {"pipetteId": "p", "labwareId": "library", "wellName": "A1", "volume": 5.0, **IN_WELL}
            for kind, params in (
                ("pickUpTip", TIP),
                ("aspirate", well),
                ("dispense", well | {"labwareId": "assay_1"}),
            ):
                assert (await run.tell(kind, **params)).status == "succeeded"
            assert run.made.world.volume_ul("assay_1", "A1") == 0.0
            assert run.made.world.ledger.actions == []
            assert (await run.client.pipettes())[0].tip_detected is None

    clock.run(body())


def test_a_wrong_plate_in_a_slot_is_what_the_tip_meets(clock: LabClock) -> None:
    async def body() -> None:
        async with told(clock, OT2) as run:
            pieces = run.made.world.state.pieces
            pieces["assay_1"].position, pieces["assay_2"].position = "deck_assay_2", "deck_assay_1"
            well = {"pipetteId": "p", "labwareId": "library", "wellName": "A1", "volume": 5.0, **IN_WELL}
            await run.tell("pickUpTip", **TIP)
            await run.tell("aspirate", **well)
            await run.tell("dispense", **well | {"labwareId": "assay_1", "wellName": "H12"})
            assert run.made.world.volume_ul("assay_1", "H12") == 0.0
            assert run.made.world.volume_ul("assay_2", "H12") == pytest.approx(5.0, rel=0.2)

    clock.run(body())


def test_a_run_that_is_played_may_be_paused_and_waits_to_be_recovered_where_it_was_told_to(
    clock: LabClock,
) -> None:
    async def body() -> None:
        async with told(clock, FLEX) as run:
            client = run.client
            await client.recover_by(run.run, [("pickUpTip", "tipPhysicallyMissing", "waitForRecovery")])
            run.made.world.state.pieces["tips_small"].tips.discard("A1")
            for n, params in enumerate((TIP, TIP | {"wellName": "C1"})):
                await client.enqueue(run.run, "pickUpTip", params, key=f"p{n}", intent="protocol")
            await client.act(run.run, "play")
            await _settle(client, run.run, "awaiting-recovery")
            fixed = await client.enqueue(run.run, "home", {}, key="f", intent="fixit", wait_s=60.0)
            assert fixed.status == "succeeded"
            await client.act(run.run, "resume-from-recovery")
            await _ended(client, run.run, "p1")
            found = await client.find(run.run, ["p0", "p1"])
            assert {key: record.status for key, record in found.items()} == {
                "p0": "failed",
                "p1": "succeeded",
            }
            await client.act(run.run, "pause")
            assert (await client.run(run.run)).status == "paused"
            await client.act(run.run, "stop")
            assert (await client.run(run.run)).status == "stopped"

    clock.run(body())


async def _settle(client: RobotClient, run_id: str, status: str) -> None:
    import asyncio

    for _ in range(100):
        if (await client.run(run_id)).status == status:
            return
        await asyncio.sleep(1.0)
    raise AssertionError(f"the run did not become {status}")


async def _ended(client: RobotClient, run_id: str, key: str) -> None:
    import asyncio

    for _ in range(100):
        found = await client.find(run_id, [key])
        if found and found[key].ended:
            return
        await asyncio.sleep(1.0)
    raise AssertionError(f"{key} did not end")


def test_commands_of_a_long_run_are_found_by_their_keys_wherever_they_are(clock: LabClock) -> None:
    async def body() -> None:
        async with told(clock, OT2) as run:
            for n in range(130):
                await run.client.enqueue(run.run, "comment", {"message": "x"}, key=f"c{n}")
            found = await run.client.find(run.run, ["c0", "c64", "c129", "never"])
            assert set(found) == {"c0", "c64", "c129"}

    clock.run(body())


def test_the_ledger_tells_the_mounts_apart(clock: LabClock) -> None:
    async def body() -> None:
        async with told(clock, OT2) as run:
            await run.tell("pickUpTip", **TIP)
            assert [action.instrument for action in run.made.world.ledger.actions] == [f"{NAME}/left"]

    clock.run(body())
