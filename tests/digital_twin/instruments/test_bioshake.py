from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from digital_twin.instruments.bioshake import BioShakeTwin
from digital_twin.world import Impossible
from tests.digital_twin.instruments.lines import Talk, before_and_after, talking


@pytest.fixture
def talk() -> Iterator[Talk]:
    with talking(
        lambda world: BioShakeTwin(world, name="shaker", position="shaker"), plate_at="shaker"
    ) as made:
        yield made


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("makeCoffee", "u -> makeCoffee"),
        ("setCoffee3", "u -> setCoffee3"),
        ("getElmState", "3"),
        ("getShakeState", "3"),
        ("getShakeActualSpeed", "0"),
        ("getTempActual", "22.0"),
        ("getErrorList", "{}"),
        ("setTempTarget370", "ok"),
        ("setTempTarget1200", "e"),
        ("setShakeTargetSpeed500", "ok"),
        ("setShakeTargetSpeed9000", "e"),
        ("setShakeAcceleration99", "e"),
        ("shakeOff", "ok"),
        ("tempOff", "ok"),
        ("shakeGoHome", "ok"),
    ],
)
def test_answers_as_the_firmware_does(talk: Talk, line: str, answer: str) -> None:
    assert talk.clock.run(talk(line)) == answer


def test_the_serial_number_begins_with_twin(talk: Talk) -> None:
    assert talk.clock.run(talk("getSerial")).startswith("TWIN")


def test_it_shakes_only_what_is_clamped_and_says_why_not(talk: Talk) -> None:
    async def body() -> None:
        assert await talk("shakeOn") == "e"
        assert await talk("getErrorList") == "{e103}"
        assert await talk("setElmLockPos", "shakeOn") == "ok"
        assert talk.world.state.shaking_rpm["shaker"] == 500.0

    talk.clock.run(body())


def test_it_unclamps_only_at_home_and_clamped_plates_stay(talk: Talk) -> None:
    async def body() -> None:
        await talk("setElmLockPos", "shakeOn")
        assert await talk("setElmUnlockPos") == "e"
        await talk("shakeOff")
        assert await talk("getShakeState") == "8"
        assert await talk("setElmUnlockPos") == "e"
        with pytest.raises(Impossible):
            talk.world.act("arm", "pick", position="shaker", lid=False)
        await asyncio.sleep(10.0)
        assert await talk("getShakeState") == "3"
        assert await talk("setElmUnlockPos") == "ok"
        assert talk.world.act("arm", "pick", position="shaker", lid=False) == "assay_1"

    talk.clock.run(body())


def test_a_runtime_ends_at_its_moment_though_nobody_asks(talk: Talk) -> None:
    async def body() -> None:
        await talk("setElmLockPos", "setShakeTargetSpeed800", "shakeOnWithRuntime30")
        began_s = talk.clock.now()
        assert await talk("getShakeState") == "5"
        await asyncio.sleep(10.0)
        assert await talk("getShakeState") == "0"
        assert await talk("getShakeActualSpeed") == "800"
        assert 15 <= int(await talk("getShakeRemainingTime")) <= 25
        await asyncio.sleep(100.0)
        stop = talk.world.ledger.actions[-1]
        assert stop.action == "shake"
        assert stop.arguments["rpm"] == 0.0
        assert stop.lab_time_s - began_s == pytest.approx(30.0, abs=0.1)

    talk.clock.run(body())


def test_stopping_early_stops_once(talk: Talk) -> None:
    async def body() -> None:
        await talk("setElmLockPos", "shakeOnWithRuntime30", "shakeOff", "shakeOff")
        await asyncio.sleep(100.0)
        assert [a.arguments["rpm"] for a in talk.world.ledger.actions if a.action == "shake"] == [500.0, 0.0]

    talk.clock.run(body())


def test_the_adapter_warms_at_its_own_pace(talk: Talk) -> None:
    async def body() -> None:
        await talk("setTempTarget370", "tempOn")
        await asyncio.sleep(60.0)
        assert 26.0 < float(await talk("getTempActual")) < 32.0
        await asyncio.sleep(300.0)
        assert float(await talk("getTempActual")) == pytest.approx(37.0, abs=0.1)

    talk.clock.run(body())


def test_made_again_over_a_world_that_shakes_it_shakes_on_until_its_runtime_is_over(talk: Talk) -> None:
    async def body() -> None:
        await talk("setElmLockPos", "setShakeTargetSpeed800", "shakeOnWithRuntime30")
        began_s = talk.clock.now()
        await asyncio.sleep(10.0)
        again = BioShakeTwin(talk.world, name="shaker", position="shaker")
        assert await again.reply("getShakeState") == "0"
        assert await again.reply("getShakeActualSpeed") == "800"
        assert await again.reply("getElmState") == "1"
        await asyncio.sleep(60.0)
        assert await again.reply("getShakeState") == "3"
        stops = [a for a in talk.world.ledger.actions if a.action == "shake" and a.arguments["rpm"] == 0.0]
        assert [round(stop.lab_time_s - began_s) for stop in stops] == [30]

    talk.clock.run(body())


def test_made_again_it_still_heats_and_still_stops_when_told(talk: Talk) -> None:
    async def body() -> None:
        await talk("setElmLockPos", "setTempTarget370", "tempOn", "shakeOn")
        again = BioShakeTwin(talk.world, name="shaker", position="shaker")
        assert await again.reply("getTempState") == "1"
        assert await again.reply("getTempTarget") == "37.0"
        await asyncio.sleep(600.0)
        assert talk.world.state.shaking_rpm["shaker"] == 500.0
        assert await again.reply("shakeOff") == "ok"
        assert talk.world.state.shaking_rpm["shaker"] == 0.0

    talk.clock.run(body())


def test_a_shaker_in_a_world_rebuilt_from_its_ledger_shakes_until_its_runtime_is_over(tmp_path: Path) -> None:
    begun: list[float] = []

    async def before(talk: Talk) -> None:
        await talk("setElmLockPos", "setShakeTargetSpeed800", "shakeOnWithRuntime30")
        begun.append(talk.clock.now())

    async def after(talk: Talk) -> None:
        assert await talk("getElmState") == "1"
        assert await talk("getShakeTargetSpeed") == "800"
        assert await talk("getShakeState") == "5"
        await asyncio.sleep(100.0)
        stop = talk.world.ledger.actions[-1]
        assert (stop.action, stop.arguments["rpm"]) == ("shake", 0.0)
        assert stop.lab_time_s - begun[0] == pytest.approx(30.0, abs=0.1)

    before_and_after(
        lambda world: BioShakeTwin(world, name="shaker", position="shaker"),
        tmp_path / "ledger.jsonl",
        plate_at="shaker",
        before=before,
        after=after,
    )
