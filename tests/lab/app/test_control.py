"""Stops in the midst of a step on a bench in this process, safe states within their bound, and the control files."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.app import Laboratory, Settings, prepare
from lab.app.control import (
    Action,
    Answer,
    Presence,
    ask,
    control_folder,
    newest_answer,
    present,
    store_name,
    sweep,
    take_requests,
    write_answer,
)
from lab.app.stopping import StopReport, kept, reach_safe_states
from lab.app.watching import Controller
from lab.clock import LabClock
from lab.engine.progress import Progress, StepEnded
from lab.engine.standstill import Breaking
from lab.errors import BadInput, InstrumentError
from lab.types import CampaignStatus, StepStatus
from tests.campaign_files import write_campaign


@dataclass
class Heater:
    """A device whose safe state takes some lab time, fails, or never comes."""

    name: str
    takes_s: float = 2.0
    fails: bool = False
    hangs: bool = False
    stubborn: bool = False
    blocks_s: float = 0.0
    off: bool = False
    acts: list[str] = field(default_factory=list)

    async def look(self) -> None:
        self.acts.append("look")

    async def safe(self) -> None:
        time.sleep(self.blocks_s)  # noqa: ASYNC251  a driver that does what none should
        while self.stubborn:
            try:
                await asyncio.sleep(1e9)
            except asyncio.CancelledError:
                self.acts.append("refused to be cancelled")
                await asyncio.sleep(5)
                raise
        if self.hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(self.takes_s)
        if self.fails:
            raise InstrumentError("the fan is dead.", device=self.name)
        self.off = True
        self.acts.append("safe")


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


def test_a_device_that_raises_and_one_that_hangs_keep_no_other_from_its_safe_state(clock: LabClock) -> None:
    devices = {
        "good": Heater("good"),
        "broken": Heater("broken", fails=True),
        "stuck": Heater("stuck", hangs=True),
        "stubborn": Heater("stubborn", stubborn=True),
        "slow": Heater("slow", takes_s=29.0),
    }
    outcome = {one.device: one.error for one in reach_safe_states(clock, devices)}
    assert outcome == {
        "good": "",
        "broken": "broken: the fan is dead.",
        "stuck": "it did not say within 30 s that it is in its safe state.",
        "stubborn": "it did not say within 30 s that it is in its safe state.",
        "slow": "",
    }
    assert clock.now() == pytest.approx(30.0, abs=6.0)
    assert devices["good"].off
    assert devices["slow"].off


def test_safe_states_are_reached_while_something_holds_lab_time(clock: LabClock) -> None:
    heater = Heater("heater", takes_s=20.0)
    with clock.hold("a planner that thinks for ever"):
        (one,) = reach_safe_states(clock, {"heater": heater})
    assert one.safe
    assert heater.off


def test_a_driver_that_blocks_the_loop_is_told_of_within_the_bound(clock: LabClock) -> None:
    devices = {"blocking": Heater("blocking", blocks_s=3.0), "other": Heater("other")}
    began = time.monotonic()
    outcome = {one.device: one.error for one in reach_safe_states(clock, devices, bound_s=0.5)}
    assert time.monotonic() - began < 2.5
    assert "did not answer within" in outcome["blocking"]


def test_a_broken_off_command_ends_and_is_looked_at_before_its_device_is_changed(clock: LabClock) -> None:
    heater = Heater("heater")

    class Status:
        def __init__(self) -> None:
            self.task = asyncio.ensure_future(self.command())

        async def command(self) -> None:
            try:
                await asyncio.sleep(1e9)
            except asyncio.CancelledError:
                await asyncio.sleep(3.0)
                heater.acts.append("cleaned up")

    breakings: list[Breaking] = []

    def break_off() -> dict[str, Breaking]:
        breaking = Breaking(device="heater", action="heat", status=Status())
        breakings.append(breaking)
        asyncio.get_running_loop().call_soon(breaking.status.task.cancel)

        async def lane() -> None:
            await asyncio.wait([breaking.status.task])
            await heater.look()
            await breaking.wait_until_safe()
            heater.acts.append("asked what came of it")

        lanes.append(asyncio.ensure_future(lane()))
        return {"heater": breaking}

    lanes: list[Any] = []
    (one,) = reach_safe_states(clock, {"heater": heater}, break_off=break_off)
    assert one.safe

    async def lane_ends() -> None:
        await lanes[0]

    clock.run(lane_ends())
    assert heater.acts == ["cleaned up", "look", "safe", "asked what came of it"]


def test_a_shared_device_is_left_alone_unless_a_command_was_broken_off_on_it(clock: LabClock) -> None:
    mine, others = Heater("mine"), Heater("others")
    outcome = reach_safe_states(clock, {}, shared={"mine": mine, "others": others})
    assert outcome == ()
    assert not others.off


def test_a_store_that_hangs_is_waited_for_no_longer_than_its_bound() -> None:
    go_on = threading.Event()
    began = time.monotonic()
    assert "did not answer within 0 s" in kept(go_on.wait, 0.2)
    assert time.monotonic() - began < 5.0
    go_on.set()


def test_what_the_store_says_of_its_failure_is_told() -> None:
    def fail() -> None:
        raise OSError("the disk is full")

    assert kept(fail, 5.0) == "the disk is full"
    assert kept(lambda: None, 5.0) == ""


@dataclass
class Reached:
    """What a stop from within a running laboratory found."""

    report: StopReport | None = None
    statuses: dict[str, CampaignStatus] = field(default_factory=dict)


def stopped_amid(tmp_path: Path, names: list[str], chosen: str, action: str) -> tuple[Laboratory, Reached]:
    """Run campaigns on one bench; when the chosen one has ended its second step, break its next ``action`` off."""
    files = [write_campaign(tmp_path, name, budget=3, batch_size=3) for name in names]
    laboratory = Laboratory.open(Settings(store=str(tmp_path / "lab.db")), pace=300.0)
    ended: set[str] = set()
    found = Reached()

    def watch(event: Progress) -> None:
        if isinstance(event, StepEnded):
            ended.add(event.campaign_id)

    def is_under_way() -> bool:
        campaign = next((c for c in laboratory.campaigns.values() if c.name == chosen), None)
        if campaign is None or campaign.id not in ended:
            return False
        steps = [s for one in laboratory.store.runs(campaign.id) for s in laboratory.store.steps(one.run.id)]
        if not steps or steps[-1].action != action or steps[-1].status is not StepStatus.DISPATCHED:
            return False
        return bool(laboratory.store.marks(steps[-1].id))  # a part of it has been sent

    def break_off() -> None:
        deadline = time.monotonic() + 60
        while not is_under_way() and time.monotonic() < deadline:
            time.sleep(0.005)
        found.report = laboratory.stop_now("Enough.", chosen)
        laboratory.request_stop("The test has seen enough.")

    laboratory.watch = watch
    thread = threading.Thread(target=break_off)
    thread.start()
    outcomes = laboratory.run([prepare(file) for file in files], baseline=False)
    thread.join()
    found.statuses = {outcome.campaign.name: outcome.status for outcome in outcomes}
    return laboratory, found


def test_stopping_one_campaign_at_once_leaves_the_devices_of_the_other_alone(tmp_path: Path) -> None:
    laboratory, found = stopped_amid(tmp_path, ["one", "two"], "one", "distribute")
    with laboratory:
        assert found.report is not None
        assert found.report.campaigns == ("one",)
        assert [(one.device, one.action) for one in found.report.broken_off] == [("handler", "distribute")]
        assert [one.device for one in found.report.devices] == ["handler"]
        assert found.report.safe
        assert found.statuses["one"] is CampaignStatus.STOPPED
        two = next(c for c in laboratory.campaigns.values() if c.name == "two")
        kinds = {event.kind for event in laboratory.store.events(two.id)}
        assert "stop" not in kinds
        steps = [s for one in laboratory.store.runs(two.id) for s in laboratory.store.steps(one.run.id)]
        assert {s.status for s in steps} <= {StepStatus.DONE, StepStatus.INTENT}
        assert not any(s.error for s in steps)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "control"


class Nobody:
    """A laboratory in which nothing runs yet."""

    real_workcells: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.stopped: list[str] = []

    def standings(self, campaign: str | None = None) -> tuple[Any, ...]:
        return ()

    def request_stop(self, reason: str, campaign: str | None = None) -> None:
        self.stopped.append(reason)


def wait_for(seen: Any) -> Any:
    deadline = time.monotonic() + 20
    while not (found := seen()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_a_process_can_be_found_for_as_long_as_it_is_there(folder: Path) -> None:
    with Controller(folder, "here.db"):
        (one,) = present(folder)
        assert one.store == "here.db"
        assert one.alive
    assert present(folder) == ()
    assert not one.alive


def test_a_stop_is_taken_up_while_the_process_gets_ready_and_answered_when_it_ends(folder: Path) -> None:
    laboratory: Any = Nobody()
    with Controller(folder, "here.db") as controller:
        (one,) = present(folder)
        request = ask(one, Action.STOP, "Enough.", None)
        waiting = wait_for(lambda: newest_answer(folder, request))
        assert (waiting.state, "getting ready" in waiting.sentence) == ("accepted", True)
        controller.steer(laboratory)
        wait_for(lambda: laboratory.stopped)
        assert laboratory.stopped == ["Enough."]
    answer = newest_answer(folder, request)
    assert answer is not None
    assert answer.final
    assert "The process has ended." in answer.sentence


def test_what_a_dead_process_left_is_swept_away_and_fresh_answers_stay(folder: Path) -> None:
    folder.mkdir()
    dead = Presence(pid=1, host="gone.example", store="here.db", since="2026-01-01", folder=folder)
    dead.path.write_text(json.dumps(dead.to_json()))
    request = ask(dead, Action.STOP, "Enough.", None)
    write_answer(folder, request, Answer(state="done", sentence="Stopped."))
    assert present(folder) == ()
    with Controller(folder, "here.db") as controller:
        assert [one.pid for one in present(folder)] == [controller._presence.pid]
        assert not dead.path.exists()
        assert newest_answer(folder, request) == Answer(state="done", sentence="Stopped.")
        assert not list(take_requests(folder, dead.id))


def test_the_file_of_a_living_process_is_not_swept_away(folder: Path) -> None:
    with Controller(folder, "here.db"):
        sweep(folder)
        assert len(present(folder)) == 1


def test_a_request_that_nobody_can_read_is_taken_away_and_the_next_one_is_heard(folder: Path) -> None:
    laboratory: Any = Nobody()
    with Controller(folder, "here.db") as controller:
        controller.steer(laboratory)
        (one,) = present(folder)
        (folder / f"{one.id}.0.request.json").write_text("{")
        (folder / f"{one.id}.1.request.json").write_text('{"action": "dance"}')
        ask(one, Action.STOP, "Enough.", None)
        wait_for(lambda: laboratory.stopped)
    assert not list(folder.glob("*.request.json"))


def test_a_request_that_cannot_be_written_says_what_else_stops_the_process(folder: Path) -> None:
    gone = Presence(pid=4711, host="lab-pc", store="here.db", since="2026-01-01", folder=folder)
    with pytest.raises(BadInput) as refused:
        ask(gone, Action.STOP, "Enough.", None)
    assert "kill 4711" in refused.value.way_out


def test_no_password_of_a_store_is_written_down() -> None:
    name = store_name("postgresql+psycopg://ada:secret@db.example:5433/lab?password=other")
    assert name == "postgresql://ada@db.example:5433/lab"


def test_control_files_are_beside_the_store(tmp_path: Path) -> None:
    assert control_folder(Settings(store=str(tmp_path / "lab.db"))) == tmp_path / "control"
    assert control_folder(Settings(store="postgresql://db/lab")) == Path(".drywet/control")
