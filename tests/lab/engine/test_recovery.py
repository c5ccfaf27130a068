"""A step that does not simply end is settled by asking the instrument, then followed up as the campaign's policy says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from lab.clock import LabClock
from lab.engine import BenchSession, Lane
from lab.engine.journal import step_key
from lab.engine.progress import FaultMet, Progress
from lab.errors import (
    BatchRedone,
    CampaignAborted,
    CommandTimeout,
    DeviceFault,
    FaultKind,
    InstrumentBusy,
    InstrumentError,
    ReaderSaturated,
    RunHeld,
)
from lab.interfaces import Answer, Reconciliation
from lab.recovery import Ladder, Recovery, RecoveryPolicy
from lab.types import Policies, Step, StepStatus
from tests.lab.engine.bench import SmallLab, stamp_plan

WELLS = ["A1", "A2", "A3"]

NOT_DONE = Reconciliation(answer=Answer.NOT_DONE, sentence="The press did not move.")
DONE = Reconciliation(answer=Answer.DONE, sentence="The ink is there.", result={"count": 2})
UNKNOWN = Reconciliation(answer=Answer.UNKNOWN, sentence="The press can't tell.")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[SmallLab]:
    with LabClock(virtual=True) as clock:
        small = SmallLab(tmp_path, clock)
        yield small
        small.store.close()


def carry_out(
    lab: SmallLab, ladders: Mapping[FaultKind, Ladder] | None = None, *, session: BenchSession | None = None
) -> list[FaultMet]:
    seen: list[Progress] = []
    campaign = replace(lab.campaign, policies=Policies(recovery=RecoveryPolicy(ladders or {})))
    with Lane(session or lab.session(), campaign, seen.append) as lane:
        lane.carry_out(lab.run, stamp_plan(lab.press, WELLS), {})
    return [event for event in seen if isinstance(event, FaultMet)]


def tries(lab: SmallLab) -> list[tuple[int, int, StepStatus, str]]:
    return [(s.ordinal, s.attempt_number, s.status, s.fault) for s in lab.store.steps(lab.run.id)]


def cut_off(lab: SmallLab, *, mark: str = "") -> Step:
    """The first step, sent by a process that is gone."""
    key = step_key(lab.batch.id, 1, "main", 1, "stamp", {"well": "A1"})
    step = lab.store.begin_step(lab.run.id, key, "main", 1, "stamp", "press", {"well": "A1"}, 0.0)
    lab.store.dispatch_step(step.id, 7)
    if mark:
        lab.store.mark_step(step.id, mark, {}, 1.0)
    lab.run = lab.store.next_stretch(lab.run.id)
    return step


# --------------------------------------------------------------------------------------------------- faults in mid-run


def test_what_was_refused_is_sent_again_without_asking_the_instrument(lab: SmallLab) -> None:
    lab.press.faults = {2: InstrumentBusy("at something else", device="press")}
    (met,) = carry_out(lab)
    assert lab.press.sent == WELLS
    assert lab.press.looked == 0
    assert met.recovery == Recovery.RETRY
    assert tries(lab) == [
        (1, 1, StepStatus.DONE, ""),
        (2, 1, StepStatus.FAILED, "busy"),
        (2, 2, StepStatus.DONE, ""),
        (3, 1, StepStatus.DONE, ""),
    ]


def test_a_busy_instrument_is_given_time_before_the_next_try(lab: SmallLab) -> None:
    lab.press.faults = {1: InstrumentBusy("busy"), 2: InstrumentBusy("busy")}
    carry_out(lab)
    begun = [s.begun_lab_s for s in lab.store.steps(lab.run.id)]
    assert begun[:3] == [0.0, 50.0, 120.0]  # 30 s of trying each, then 20 and 40 s of patience


def test_what_the_instrument_says_was_not_done_is_sent_again(lab: SmallLab) -> None:
    lab.press.faults = {2: CommandTimeout("no answer", device="press")}
    lab.press.answers = [NOT_DONE]
    carry_out(lab)
    assert lab.press.sent == WELLS
    assert lab.press.looked == 1
    assert "did not move" in lab.store.steps(lab.run.id)[1].error


def test_what_the_instrument_says_was_done_is_not_sent_again(lab: SmallLab) -> None:
    lab.press.faults = {2: CommandTimeout("no answer", device="press")}
    lab.press.answers = [DONE]
    (met,) = carry_out(lab)
    assert lab.press.sent == ["A1", "A3"]
    assert met.recovery == ""
    assert lab.press.restored == [{"count": 2}]
    assert lab.session().bench.well("plate_1", "A2").volume_ul == 1.0


def test_a_ladder_ends_in_a_hold_when_trying_does_not_help(lab: SmallLab) -> None:
    lab.press.faults = {n: InstrumentBusy("busy", device="press") for n in (1, 2, 3)}
    with pytest.raises(RunHeld, match="press: busy"):
        carry_out(lab, {FaultKind.BUSY: (Recovery.RETRY, Recovery.RETRY)})
    assert [status for _, _, status, _ in tries(lab)] == [StepStatus.FAILED] * 3
    lab.run = lab.store.next_stretch(lab.run.id)
    carry_out(lab)
    assert lab.press.sent == WELLS


def test_what_nobody_knows_of_is_barred_and_holds_the_run(lab: SmallLab) -> None:
    lab.press.faults = {2: InstrumentError("the ink is dry", device="press")}
    with pytest.raises(RunHeld, match="drywet resolve stp_"):
        carry_out(lab)
    step = lab.store.steps(lab.run.id)[1]
    assert step.status is StepStatus.UNKNOWN
    assert step.error == "press: the ink is dry. The press can't tell."
    assert set(lab.store.barred(lab.bench_id)) == {("plate_1", "A2")}
    well = lab.session().bench.well("plate_1", "A2")
    assert (well.volume_ul, well.unknown_ul) == (0.0, 1.0)
    kinds = [event.kind for event in lab.store.events(lab.campaign.id)]
    assert "fault" in kinds


def test_a_held_unknown_holds_again_until_somebody_settles_it(lab: SmallLab) -> None:
    lab.press.faults = {2: InstrumentError("the ink is dry", device="press")}
    with pytest.raises(RunHeld):
        carry_out(lab)
    lab.run = lab.store.next_stretch(lab.run.id)
    with pytest.raises(RunHeld, match="drywet resolve stp_"):
        carry_out(lab)
    assert lab.press.sent == ["A1"]


def test_samples_that_are_skipped_are_barred_and_the_run_goes_on(lab: SmallLab) -> None:
    lab.press.faults = {2: InstrumentError("the ink is dry", device="press")}
    carry_out(lab, {FaultKind.UNKNOWN_OUTCOME: (Recovery.SKIP_SAMPLE,)})
    assert lab.press.sent == ["A1", "A3"]
    assert list(lab.store.barred(lab.bench_id)) == [("plate_1", "A2")]


def test_a_skipped_step_stays_skipped_when_the_run_is_resumed(lab: SmallLab) -> None:
    lab.press.faults = {1: InstrumentBusy("busy"), 3: InstrumentError("the ink is dry", device="press")}
    with pytest.raises(RunHeld):
        carry_out(lab, {FaultKind.BUSY: (Recovery.SKIP_SAMPLE,)})
    assert lab.press.sent == ["A2"]
    lab.run = lab.store.next_stretch(lab.run.id)
    carry_out(lab, {FaultKind.UNKNOWN_OUTCOME: (Recovery.SKIP_SAMPLE,)})
    assert lab.press.sent == ["A2"]
    assert lab.press.restored == [{"count": 1}]


def test_what_was_used_up_by_a_try_that_failed_is_believed(lab: SmallLab) -> None:
    lab.press.faults = {1: CommandTimeout("no answer")}
    lab.press.answers = [replace(NOT_DONE, part={"ink_ul": 0.25})]
    carry_out(lab)
    assert lab.session().bench.well("plate_1", "A1").volume_ul == 1.25


@pytest.mark.parametrize(
    ("recovery", "raised"),
    [(Recovery.REDO_BATCH, BatchRedone), (Recovery.ABORT, CampaignAborted)],
)
def test_a_run_is_given_up_where_the_policy_says_so_and_the_journal_knows(
    lab: SmallLab, recovery: Recovery, raised: type[Exception]
) -> None:
    lab.press.faults = {2: InstrumentError("the ink is dry", device="press")}
    with pytest.raises(raised, match="the ink is dry"):
        carry_out(lab, {FaultKind.UNKNOWN_OUTCOME: (recovery,)})
    assert lab.store.steps(lab.run.id)[-1].recovery == recovery


def test_the_device_of_a_step_that_ends_its_run_is_left_safe_and_that_of_a_retry_is_not_touched(
    lab: SmallLab,
) -> None:
    lab.press.faults = {1: InstrumentBusy("busy"), 3: InstrumentError("the ink is dry", device="press")}
    with pytest.raises(RunHeld):
        carry_out(lab)
    assert lab.press.made_safe == 1


def test_who_walks_past_an_unknown_step_leaves_its_device_alone(lab: SmallLab) -> None:
    lab.press.faults = {2: InstrumentError("the ink is dry", device="press")}
    with pytest.raises(RunHeld):
        carry_out(lab)
    lab.run = lab.store.next_stretch(lab.run.id)
    lab.press.made_safe = 0
    with pytest.raises(RunHeld):
        carry_out(lab)
    assert lab.press.made_safe == 0


def test_a_remark_on_what_is_done_lets_the_run_go_on_or_holds_it(lab: SmallLab) -> None:
    lab.press.soft = ReaderSaturated("3 wells are saturated", device="press")
    met = carry_out(lab)
    assert [one.fault for one in met] == ["saturated"] * 3
    assert met[0].sentence.endswith("3 wells are saturated. The wells concerned do not count.")
    assert lab.press.sent == WELLS
    assert lab.store.barred(lab.bench_id) == {}


def test_a_remark_can_hold_the_run_after_the_step_is_done(lab: SmallLab) -> None:
    lab.press.soft = ReaderSaturated("3 wells are saturated", device="press")
    with pytest.raises(RunHeld, match="3 wells are saturated"):
        carry_out(lab, {FaultKind.SATURATED: (Recovery.HOLD,)})
    assert [status for _, _, status, _ in tries(lab)] == [StepStatus.DONE]


def test_a_mistake_in_a_driver_is_no_fault_and_leaves_the_step_unknown(lab: SmallLab) -> None:
    lab.press.faults = {2: KeyError("gain")}
    with pytest.raises(Exception, match="gain"):
        carry_out(lab)
    assert lab.store.steps(lab.run.id)[-1].status is StepStatus.UNKNOWN


def test_what_was_done_all_the_same_is_remarked_on_too(lab: SmallLab) -> None:
    lab.press.faults = {1: CommandTimeout("no answer", device="press")}
    lab.press.answers = [DONE]
    lab.press.soft = ReaderSaturated("3 wells are saturated", device="press")
    with pytest.raises(RunHeld, match="3 wells are saturated"):
        carry_out(lab, {FaultKind.SATURATED: (Recovery.HOLD,)})
    (step,) = lab.store.steps(lab.run.id)
    assert (step.status, step.fault) == (StepStatus.DONE, "saturated")


# -------------------------------------------------------------------------------------------------------- after a crash


def test_after_a_crash_the_instrument_is_seen_made_safe_and_asked_in_this_order(lab: SmallLab) -> None:
    step = cut_off(lab, mark="press")
    order: list[str] = []
    press = lab.press

    async def look() -> None:
        order.append("look")

    async def safe() -> None:
        assert [mark.name for mark in lab.store.marks(step.id)] == ["press", "made_safe"]
        order.append("safe")

    async def reconcile(command: object, marks: tuple[object, ...]) -> Reconciliation:
        assert [mark.name for mark in marks] == ["press"]  # type: ignore[attr-defined]
        order.append("ask")
        return NOT_DONE

    press.look, press.safe, press.reconcile = look, safe, reconcile  # type: ignore[assignment,method-assign]
    session = lab.session()
    lab.clock.run(session.come_back())
    assert order == ["look", "safe", "ask"]
    assert lab.store.step(step.id).status is StepStatus.FAILED
    carry_out(lab, session=session)
    assert press.sent == WELLS


def test_a_step_that_a_crash_cut_off_and_that_was_done_is_not_sent_again(lab: SmallLab) -> None:
    step = cut_off(lab)
    lab.press.answers = [DONE]
    lab.press.soft = ReaderSaturated("3 wells are saturated", device="press")
    session = lab.session()
    lab.clock.run(session.come_back())
    carry_out(lab, session=session)
    assert lab.press.sent == ["A2", "A3"]
    assert (lab.store.step(step.id).result, lab.store.step(step.id).fault) == ({"count": 2}, "saturated")
    assert session.bench.well("plate_1", "A1").volume_ul == 1.0


@pytest.mark.parametrize(
    ("forgets", "status"),
    [(True, StepStatus.UNKNOWN), (False, StepStatus.FAILED)],
    ids=["forgets", "remembers"],
)
def test_a_program_cut_off_twice_trusts_what_an_instrument_says_only_if_its_safe_state_wipes_nothing(
    lab: SmallLab, forgets: bool, status: StepStatus
) -> None:
    step = cut_off(lab)
    lab.store.mark_step(step.id, "made_safe", None, 5.0)
    lab.press.forgets_when_safe = forgets
    lab.press.answers = [NOT_DONE]
    lab.clock.run(lab.session().come_back())
    assert lab.store.step(step.id).status is status


def test_what_nobody_knows_after_a_crash_is_followed_up_as_the_policy_says(lab: SmallLab) -> None:
    cut_off(lab)
    lab.press.answers = [UNKNOWN]
    session = lab.session()
    lab.clock.run(session.come_back())
    assert set(session.bench.barred) == {("plate_1", "A1")}
    carry_out(lab, {FaultKind.UNKNOWN_OUTCOME: (Recovery.SKIP_SAMPLE,)}, session=session)
    assert lab.press.sent == ["A2", "A3"]
    assert "reconcile" in [event.kind for event in lab.store.events(lab.campaign.id)]


def test_nothing_goes_on_while_an_instrument_is_not_safe(lab: SmallLab) -> None:
    async def stuck() -> None:
        raise InstrumentError("the heater does not turn off", device="press")

    lab.press.safe = stuck  # type: ignore[method-assign]
    with pytest.raises(DeviceFault, match="Not in a safe state: press: the heater does not turn off"):
        lab.clock.run(lab.session().come_back())


def test_an_instrument_amid_a_step_goes_to_nobody_else_before_the_run_has_tried_the_step_again(
    lab: SmallLab,
) -> None:
    cut_off(lab, mark="press")
    lab.press.answers = [replace(NOT_DONE, amid=True)]
    session = lab.session()
    session.enter(lab.run.id, lab.campaign.name)
    lab.clock.run(session.come_back())
    served_after: list[list[str]] = []

    async def neighbour() -> None:
        await session.arbiter.lease("neighbour", ["press"])
        served_after.append(list(lab.press.sent))
        session.arbiter.release("neighbour")

    async def asks_first() -> asyncio.Task[None]:
        return asyncio.create_task(neighbour())

    lab.clock.run(asks_first())
    carry_out(lab, session=session)
    assert served_after == [["A1"]]


def test_an_instrument_amid_a_step_of_a_run_that_nobody_goes_on_with_is_kept_for_nobody(
    lab: SmallLab,
) -> None:
    cut_off(lab, mark="press")
    lab.press.answers = [replace(NOT_DONE, amid=True)]
    session = lab.session()
    lab.clock.run(session.come_back())
    assert lab.clock.run(session.arbiter.lease("neighbour", ["press"])).owner == "neighbour"


def test_an_instrument_that_was_kept_for_a_run_is_free_when_the_run_leaves(lab: SmallLab) -> None:
    cut_off(lab, mark="press")
    lab.press.answers = [replace(NOT_DONE, amid=True)]
    session = lab.session()
    session.enter(lab.run.id, lab.campaign.name)
    lab.clock.run(session.come_back())
    lab.clock.soon(session.leave, lab.run.id)
    assert lab.clock.run(session.arbiter.lease("neighbour", ["press"])).owner == "neighbour"
