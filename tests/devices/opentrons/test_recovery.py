"""A protocol file's run that waits to be recovered: told, answered by the rules of the workcell file, and accounted for.

The faults come from the script of the twin. The file and its analysis are written here by hand, so that no other software is
needed; that Opentrons' own analyses are read is tried elsewhere.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from devices.opentrons_robot.files import RunFile, file_command
from devices.opentrons_robot.kit import FLEX, RobotKit
from devices.opentrons_robot.records import CommandRecord
from devices.opentrons_robot.recovery import Recover, RecoveryRules, mended, offers
from devices.opentrons_robot.robot import OpentronsRobot
from devices.opentrons_robot.wire import Wire
from digital_twin.faults import NO_FAULTS, FaultRule, FaultScript, Moment
from digital_twin.instruments.opentrons_robot import OpentronsTwin
from lab.clock import LabClock
from lab.errors import BadInput, CloggedTip, DeviceFault, FailedAspirate, FaultKind, LostTip, ShortVolume
from lab.interfaces import Answer
from tests.devices.broken_off import Breaker, Tried, try_once
from tests.devices.opentrons.api_document import document, hold_exchange
from tests.devices.opentrons.robot_bench import NAME, ON_DECK, SETTINGS, Rig, Tap, make_world, robot_kit

POSITIONS = [f"deck_{name}" for name in ON_DECK]

SLOTS = {position.removeprefix("deck_"): slot for position, slot in robot_kit(FLEX).slots.items()}
LOADED = {
    "tips_small": "opentrons_flex_96_filtertiprack_50ul",
    "library": "opentrons_96_wellplate_200ul_pcr_full_skirt",
    "assay_1": "opentrons_96_wellplate_200ul_pcr_full_skirt",
}


def _at(labware: str, well: str, **more: Any) -> dict[str, Any]:
    return {"pipetteId": "p", "labwareId": labware, "wellName": well, **more}


def _commands() -> list[dict[str, Any]]:
    """Two transfers of 10 ul, each with a tip of its own."""
    made: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    for name, load_name in LOADED.items():
        version = 1 if "tip" in load_name else 2
        params = {
            "location": {"slotName": SLOTS[name]},
            "loadName": load_name,
            "namespace": "opentrons",
            "version": version,
        }
        definition = {"ordering": [list("ABCDEFGH")] * 12}
        made.append(("loadLabware", params, {"labwareId": name, "definition": definition}))
    made.append(("loadPipette", {"pipetteName": "p50_single_flex", "mount": "left"}, {"pipetteId": "p"}))
    bottom = {"origin": "bottom", "offset": {"x": 0.0, "y": 0.0, "z": 1.0}}
    for spot, source, target in (("A1", "A1", "A1"), ("B1", "B1", "B1")):
        made.append(("pickUpTip", _at("tips_small", spot), {}))
        for kind, labware, well in (("aspirate", "library", source), ("dispense", "assay_1", target)):
            made.append((kind, _at(labware, well, volume=10.0, flowRate=35.0, wellLocation=bottom), {}))
        over = {"pipetteId": "p", "addressableAreaName": "movableTrashA3"}
        made.append(("moveToAddressableAreaForDropTip", over, {}))
        made.append(("dropTipInPlace", {"pipetteId": "p"}, {}))
    return [
        {"commandType": kind, "params": params, "result": result, "key": f"k{n}"}
        for n, (kind, params, result) in enumerate(made)
    ]


ANALYSIS: Mapping[str, Any] = {
    "commands": _commands(),
    "errors": [],
    "robotType": FLEX,
    "pipettes": [{"mount": "left", "pipetteName": "p50_single_flex", "id": "p"}],
    "labware": [
        {
            "definitionUri": f"opentrons/{load_name}/{1 if 'tip' in load_name else 2}",
            "location": {"slotName": SLOTS[name]},
        }
        for name, load_name in LOADED.items()
    ],
}

COMMAND: RunFile = file_command("two.py", "# two transfers\n", ANALYSIS, {SLOTS[n]: n for n in LOADED})


async def analyser(name: str, text: bytes) -> Mapping[str, Any]:
    return ANALYSIS


def goes_wrong(kind: FaultKind, *at: int, where: str = "run_file", moment: Moment = Moment.BEFORE) -> Any:
    rule = FaultRule(instrument=NAME, kind=kind, where=where, at=at, moment=moment)
    return FaultScript(5, (rule,))


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


@asynccontextmanager
async def rig(
    clock: LabClock,
    script: FaultScript,
    recovery: Any = None,
    *,
    software: str = "8.2.0",
    wait_s: float = 600.0,
) -> AsyncIterator[Rig]:
    settings = {**SETTINGS[FLEX], "recovery": recovery or {}, "recovery_wait_s": wait_s}
    kit = RobotKit.from_settings(settings, positions=POSITIONS)
    bench, world = make_world(clock, FLEX)
    twin = OpentronsTwin(world, name=NAME, kit=kit, script=script, analyser=analyser, software=software)
    tap = Tap(twin)
    wire = Wire("http://twin", app=tap)
    device = OpentronsRobot(NAME, wire, kit=kit, bench=bench)
    await device.connect()
    try:
        yield Rig(clock, FLEX, bench, world, twin, tap, device, wire)
    finally:
        await device.disconnect()
        world.close()


def actions(made: Rig) -> list[str]:
    told = [one for one in made.tap.seen if one.path.endswith("/actions")]
    return [json.loads(one.body)["data"]["actionType"] for one in told]


async def run(made: Rig) -> Tried:
    return await try_once(made.clock, made.device.run_file, COMMAND, Breaker(at=None))


def given_ul(made: Rig) -> tuple[float, float]:
    return tuple(made.world.volume_ul("assay_1", well) for well in ("A1", "B1"))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (FaultKind.LOST_TIP, LostTip),
        (FaultKind.CLOG, CloggedTip),
        (FaultKind.FAILED_ASPIRATE, FailedAspirate),
    ],
)
@pytest.mark.parametrize("software", ["8.1.0", "8.2.0"])
def test_without_a_rule_the_fault_says_what_the_robot_offers_and_the_run_is_stopped(
    clock: LabClock, kind: FaultKind, fault: type[DeviceFault], software: str
) -> None:
    async def body() -> None:
        async with rig(clock, goes_wrong(kind, 2), software=software) as made:
            tried = await run(made)
            assert type(tried.fault) is fault
            assert "waits to be recovered; the robot offers resume-from-recovery," in str(tried.fault)
            assert ("assuming-false-positive" in str(tried.fault)) is (software == "8.2.0")
            assert actions(made) == ["play", "stop"]
            said = await made.device.run_file.reconcile(COMMAND, tried.marks)
            assert said.answer is Answer.UNKNOWN
            assert said.doubtful is not None
            assert ("assay_1", "B1") in said.doubtful
            assert ("assay_1", "A1") not in said.doubtful
            assert not any(made.world.tips_on(f"{NAME}/left"))

    clock.run(body())


def test_a_tip_that_was_missed_is_fetched_again_and_the_run_goes_on(clock: LabClock) -> None:
    async def body() -> None:
        async with rig(clock, goes_wrong(FaultKind.LOST_TIP, 2), {"lost_tip": ["retry"]}) as made:
            tried = await run(made)
            assert tried.fault is None
            assert actions(made) == ["play", "resume-from-recovery"]
            assert [one.details["decision"] for one in tried.marks if one.name == "recover"] == ["retry"]
            assert given_ul(made) == pytest.approx((10.0, 10.0), rel=0.3)
            result = made.device.run_file.result()
            assert "tipPhysicallyMissing" in result["recovered"][0]
            assert "passed_over" not in result
            assert made.device.run_file.remark() is None
            said = await made.device.run_file.reconcile(COMMAND, tried.marks)
            assert (said.answer, said.result) == (Answer.DONE, result)

    clock.run(body())


def test_what_fails_again_is_followed_by_the_next_rung_of_its_ladder(clock: LabClock) -> None:
    async def body() -> None:
        script = goes_wrong(FaultKind.LOST_TIP, 1, 2, 3)
        async with rig(clock, script, {"lost_tip": ["retry", "retry", "stop"]}) as made:
            tried = await run(made)
            assert isinstance(tried.fault, LostTip)
            assert [one.details["decision"] for one in tried.marks if one.name == "recover"] == ["retry"] * 2
            assert actions(made) == ["play", "stop"]
            assert given_ul(made) == (0.0, 0.0)

    clock.run(body())


def test_a_false_alarm_is_passed_by_as_if_nothing_had_failed(clock: LabClock) -> None:
    async def body() -> None:
        recovery = {"failed_aspirate": "false_positive"}
        async with rig(clock, goes_wrong(FaultKind.FAILED_ASPIRATE, 1), recovery) as made:
            tried = await run(made)
            assert tried.fault is None
            assert actions(made) == ["play", "resume-from-recovery-assuming-false-positive"]
            assert "liquidNotFound" in made.device.run_file.result()["recovered"][0]
            assert given_ul(made)[1] == pytest.approx(10.0, rel=0.3)

    clock.run(body())


def test_software_that_knows_no_false_alarms_is_not_told_of_one(clock: LabClock) -> None:
    async def body() -> None:
        recovery = {"failed_aspirate": "false_positive"}
        script = goes_wrong(FaultKind.FAILED_ASPIRATE, 1)
        async with rig(clock, script, recovery, software="8.1.0") as made:
            tried = await run(made)
            assert isinstance(tried.fault, FailedAspirate)
            assert "the robot offers resume-from-recovery, stop." in str(tried.fault)
            assert actions(made) == ["play", "stop"]

    clock.run(body())


@pytest.mark.parametrize("decides", ["goes on", "does it again", "stops", "nothing"])
def test_a_person_at_the_robot_is_waited_for_and_what_they_passed_over_is_told(
    clock: LabClock, decides: str
) -> None:
    async def person(made: Rig) -> None:
        client = made.device.client
        while True:
            await asyncio.sleep(1.0)
            current = await client.current_run()
            if current is not None and current.status == "awaiting-recovery":
                break
        await asyncio.sleep(100.0)
        if decides == "does it again":
            failed = next(one for one in await client.every_command(current.id) if one.error is not None)
            await client.do(
                current.id,
                failed.type,
                failed.params,
                key="by-hand",
                limit_s=60.0,
                intent="fixit",
                failed=failed.id,
            )
        if decides != "nothing":
            action = "stop" if decides == "stops" else "resume-from-recovery-assuming-false-positive"
            action = "resume-from-recovery" if decides == "does it again" else action
            await client.act(current.id, action)

    kind = FaultKind.LOST_TIP if decides == "does it again" else FaultKind.FAILED_ASPIRATE

    async def body() -> None:
        async with rig(clock, goes_wrong(kind, 1), {str(kind): "ask"}) as made:
            beside = asyncio.ensure_future(person(made))
            tried = await run(made)
            await beside
            remark = made.device.run_file.remark() if tried.fault is None else None
            match decides:
                case "goes on":
                    assert isinstance(remark, ShortVolume)
                    assert "liquidNotFound" in str(remark)
                case "does it again":
                    assert tried.fault is None
                    assert remark is None
                    assert given_ul(made)[0] == pytest.approx(10.0, rel=0.3)
                case "stops":
                    assert tried.fault is not None
                case _:
                    assert isinstance(tried.fault, FailedAspirate)
                    assert "Nobody decided within 600 s" in str(tried.fault)
            if tried.fault is not None:
                said = await made.device.run_file.reconcile(COMMAND, tried.marks)
                assert said.answer is Answer.UNKNOWN

    clock.run(body())


def test_the_watchdog_of_a_file_leaves_a_person_the_time_that_they_have(clock: LabClock) -> None:
    async def body() -> None:
        limits = []
        for recovery in ({}, {"lost_tip": "ask"}):
            async with rig(clock, NO_FAULTS, recovery, wait_s=3000.0) as made:
                limits.append(made.device.run_file.limit_s(COMMAND, made.bench))
        assert limits[1] - limits[0] == pytest.approx(3000.0)

    clock.run(body())


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.AFTER])
@pytest.mark.parametrize("kind", [FaultKind.CONNECTION_LOST, FaultKind.TIMEOUT, FaultKind.NONSENSE_REPLY])
def test_a_lost_answer_to_play_does_not_play_twice(clock: LabClock, kind: FaultKind, moment: Moment) -> None:
    async def body() -> None:
        async with rig(clock, goes_wrong(kind, 1, moment=moment)) as made:
            tried = await run(made)
            assert tried.fault is None
            assert given_ul(made) == pytest.approx((10.0, 10.0), rel=0.3)
            current = await made.device.client.run(made.device.run_file.result()["run"])
            assert current.status == "succeeded"
            assert len(made.twin._runs[current.id].actions) == 1

    clock.run(body())


def test_recovery_is_as_the_robots_own_document_has_it(clock: LabClock) -> None:
    document()

    async def body() -> list[Any]:
        async with rig(
            clock, goes_wrong(FaultKind.LOST_TIP, 2), {"lost_tip": "retry"}, software="8.1.0"
        ) as made:
            assert (await run(made)).fault is None
            return made.tap.seen

    held = 0
    for one in clock.run(body()):
        sent = json.loads(one.body)["data"] if one.body and one.path.startswith("/runs") else {}
        if sent.get("intent") == "fixit" or one.path.endswith("/actions"):
            query = dict(part.split("=") for part in one.query.split("&") if part)
            hold_exchange(
                one.method, one.path, query, json.loads(one.body), one.status, json.loads(one.answer)
            )
            held += 1
    assert held == 3


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"recovery": ["retry"]}, "settings.recovery"),
        ({"recovery": {"lost_tips": "retry"}}, "settings.recovery.lost_tips"),
        ({"recovery": {"lost_tip": "retry_new_tip"}}, "settings.recovery.lost_tip"),
        ({"recovery": {"clog": ["retry"]}}, "settings.recovery.clog"),
        ({"recovery": {"lost_tip": []}}, "settings.recovery.lost_tip"),
        ({"recovery_wait_s": "10 ul"}, "settings.recovery_wait_s"),
        ({"recovery_wait_s": [10]}, "settings.recovery_wait_s"),
        ({"recovery_wait_s": 0}, "settings.recovery_wait_s"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_its_place(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        RobotKit.from_settings({**SETTINGS[FLEX], **settings}, positions=POSITIONS)
    assert refused.value.field == field
    assert refused.value.way_out


def test_rules_are_pure_and_what_no_ladder_has_is_stopped() -> None:
    rules = RecoveryRules.from_settings({"recovery": {"lost_tip": ["retry", "ask"]}})
    asked = [rules(FaultKind.LOST_TIP, attempt) for attempt in (1, 2, 3)]
    assert asked == [Recover.RETRY, Recover.ASK, Recover.STOP]
    assert rules(FaultKind.CLOG, 1) is Recover.STOP
    assert rules.longest_wait_s == 600.0
    assert RecoveryRules.from_settings({"recovery_wait_s": "10 min"}).longest_wait_s == 0.0


@pytest.mark.parametrize(
    ("software", "count"), [("8.1.0", 2), ("8.2.0", 3), ("10.0", 3), ("7.9.9", 2), ("no version", 2)]
)
def test_what_is_offered_goes_by_the_software(software: str, count: int) -> None:
    assert len(offers(software)) == count


def test_only_what_was_done_again_or_decided_counts_as_mended() -> None:
    def record(id_: str, intent: str, status: str, failed: str = "") -> CommandRecord:
        return CommandRecord(
            id=id_, key=id_, type="aspirate", status=status, intent=intent, failed=failed, error=None
        )

    records = [
        record("a", "protocol", "failed"),
        record("b", "protocol", "failed"),
        record("x", "fixit", "failed", "a"),
        record("y", "fixit", "succeeded", "b"),
    ]
    assert mended(records, {}) == {"b"}
    assert mended(records, {"a": "ask"}) == {"b"}
    assert mended(records, {"a": "resume"}) == {"a", "b"}
