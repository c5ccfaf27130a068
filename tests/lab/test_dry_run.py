"""What the dry run says of plans that work, and of those that do not."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky.utils import Msg

from devices.liquid_handler import Distribute
from devices.plate_hotel import Move
from devices.thermocycler import Heat
from lab.dry_run import dry_run, refuse_outside_step
from lab.errors import ActionOutsideStep
from lab.interfaces import Ticket, Workcell
from protocols import steps
from tests.protocols.bench import make_bench, paper_workcell

Plan = Generator[Msg, Any, Any]


@pytest.fixture
def workcell() -> Workcell:
    return paper_workcell(make_bench())


def there_and_back(workcell: Workcell, plate: str = "assay_1") -> Plan:
    def section() -> Plan:
        yield from steps.move(workcell, plate, "reader")
        yield from bps.sleep(30.0)
        yield from steps.move(workcell, plate, workcell.bench.labware[plate].home)

    return steps.claimed(("reader",), section())


def test_it_tells_steps_in_order_with_when_they_begin_and_how_long_they_take(workcell: Workcell) -> None:
    found = dry_run(there_and_back(workcell), workcell)
    assert [(s.ordinal, s.device, s.action) for s in found.steps] == [(1, "arm", "move"), (2, "arm", "move")]
    first, second = found.steps
    assert first.arguments == {"labware": "assay_1", "destination": "reader"}
    assert first.duration_s > 0.0
    assert second.begin_s == pytest.approx(first.duration_s + 30.0)
    assert found.duration_s == pytest.approx(second.begin_s + second.duration_s)
    assert found.problems == ()


def test_it_leaves_the_bench_as_it_was(workcell: Workcell) -> None:
    before = workcell.bench.to_json()
    dry_run(
        steps.distribute(
            workcell, source=("library_1", "A1"), targets=[("assay_1", "A1", 5.0)], tip_volume_ul=50
        ),
        workcell,
    )
    assert workcell.bench.to_json() == before


def test_it_counts_tips_plates_and_what_is_drawn_from_which_well(workcell: Workcell) -> None:
    targets = [("assay_1", "A1", 5.0), ("assay_2", "A1", 5.0)]
    found = dry_run(
        steps.distribute(workcell, source=("library_1", "A1"), targets=targets, tip_volume_ul=50), workcell
    )
    (tips,) = found.tips
    assert (tips.tip_volume_ul, tips.used, tips.left) == (50.0, 1, 191)
    (volume,) = found.volumes
    assert (volume.labware, volume.well, volume.content) == ("library_1", "A1", "V1")
    assert volume.drawn_ul == pytest.approx(12.0)
    assert volume.left_ul == pytest.approx(100.0 - 3.0 - 12.0)
    assert found.plates == ("assay_1", "assay_2")


def test_a_position_that_is_taken_is_one_problem(workcell: Workcell) -> None:
    workcell.bench.move("assay_2", "reader")
    found = dry_run(there_and_back(workcell), workcell)
    assert found.problems == ("reader is occupied by assay_2.",)


def test_a_limit_of_the_device_is_a_problem(workcell: Workcell) -> None:
    workcell.devices["thermocycler"].heat.limits["temperature_c"] = (4.0, 70.0)
    found = dry_run(steps.heat(workcell, "assay_1", temperature_c=75.0, hold_s=60.0), workcell)
    assert found.problems == ("thermocycler: temperature_c 75 is outside 4 to 70.",)
    assert found.duration_s == 0.0


def test_the_same_problem_many_times_is_told_once_and_alike_ones_are_counted(workcell: Workcell) -> None:
    def greedy() -> Plan:
        for well in workcell.bench.labware["library_1"].type.wells[:20]:
            targets = [("assay_1", "A1", 200.0)]
            yield from steps.distribute(
                workcell, source=("library_1", well), targets=targets, tip_volume_ul=300
            )

    problems = dry_run(greedy(), workcell).problems
    short = [p for p in problems if "can give 97 ul" in p]
    assert len(short) == 3
    assert short[-1].endswith("(And 17 more like these.)")
    assert len(problems) < 10


def test_labware_that_is_left_standing_is_a_problem(workcell: Workcell) -> None:
    plan = steps.claimed(("reader",), steps.move(workcell, "assay_1", "reader"))
    assert dry_run(plan, workcell).problems == ("The plan leaves assay_1 at reader; it belongs at hotel_3.",)


def test_a_lid_that_is_left_on_a_plate_is_a_problem(workcell: Workcell) -> None:
    assert dry_run(steps.seal(workcell, "assay_1", "lid_1"), workcell).problems == (
        "The plan leaves lid_1 on a plate; it belongs at lids_1.",
    )


def test_a_place_that_is_not_claimed_is_a_problem(workcell: Workcell) -> None:
    def plan() -> Plan:
        yield from steps.move(workcell, "assay_1", "reader")
        yield from steps.move(workcell, "assay_1", "hotel_3")

    assert dry_run(plan(), workcell).problems == (
        "The plan moves assay_1 to reader without claiming that position.",
    )


def test_a_lid_put_down_at_a_place_that_is_not_claimed_is_a_problem(workcell: Workcell) -> None:
    def plan() -> Plan:
        yield from steps.seal(workcell, "assay_1", "lid_1")
        yield from steps.unseal(workcell, "assay_1", "shaker")
        yield from steps.move(workcell, "lid_1", "lids_1")

    assert dry_run(plan(), workcell).problems == (
        "The plan moves lid_1 to shaker without claiming that position.",
    )


def test_claims_within_claims_and_of_unknown_places_are_problems(workcell: Workcell) -> None:
    inner = steps.claimed(("shaker", "moon"), bps.null())
    problems = dry_run(steps.claimed(("reader",), inner), workcell).problems
    assert problems == (
        "The plan claims shaker, moon while it still claims reader.",
        "The plan claims moon, which is no position of this bench.",
    )


def test_a_step_that_cannot_even_be_imagined_ends_the_walk_with_a_sentence(workcell: Workcell) -> None:
    def plan() -> Plan:
        yield from steps.move(workcell, "nothing", "reader")
        yield from steps.move(workcell, "assay_1", "reader")

    found = dry_run(plan(), workcell)
    assert found.problems == (
        "There is no nothing on this bench.",
        "What follows step 1 could not be tried out.",
    )
    assert len(found.steps) == 1


def test_missing_devices_are_problems_and_no_errors() -> None:
    workcell = paper_workcell(make_bench(), without=("thermocycler", "reader"))

    def plan() -> Plan:
        steps.require(
            workcell, [("thermocycler", "heat"), ("thermocycler", "open_lid"), ("reader", "fluorescence")]
        )
        yield from bps.null()

    assert dry_run(plan(), workcell).problems == (
        "This needs a thermocycler, and the workcell paper has none.",
        "This needs a reader, and the workcell paper has none.",
    )


def test_an_action_outside_a_step_is_refused(workcell: Workcell) -> None:
    heat = workcell.devices["thermocycler"].heat
    command = Heat(plate="assay_1", temperature_c=75.0, hold_s=60.0)
    with pytest.raises(ActionOutsideStep, match="moves thermocycler-heat outside a step"):
        dry_run(bps.abs_set(heat, command, wait=True), workcell)
    assert heat.sent == []


def test_a_step_may_send_its_own_command_only(workcell: Workcell) -> None:
    verb = workcell.devices["arm"].move
    asked, sent = (Move(labware="assay_1", destination=place) for place in ("reader", "shaker"))

    def plan() -> Plan:
        yield Msg("step_begin", verb, asked)
        yield from bps.abs_set(verb, sent, wait=True)

    with pytest.raises(ActionOutsideStep, match="within a step of arm-move"):
        dry_run(plan(), workcell)


def test_steps_do_not_nest_and_do_not_end_before_they_begin(workcell: Workcell) -> None:
    verb = workcell.devices["arm"].move
    command = Move(labware="assay_1", destination="reader")

    def nested() -> Plan:
        yield Msg("step_begin", verb, command)
        yield Msg("step_begin", verb, command)

    def backwards() -> Plan:
        yield Msg("step_end", verb, Ticket(key="", done=False), error=None)

    with pytest.raises(ActionOutsideStep, match="before the one of arm-move has ended"):
        dry_run(nested(), workcell)
    with pytest.raises(ActionOutsideStep, match="has not begun"):
        dry_run(backwards(), workcell)


@pytest.mark.parametrize("command", ["open_run", "trigger", "stage", "checkpoint", "kickoff", "frobnicate"])
def test_messages_that_plans_may_not_send_are_refused(workcell: Workcell, command: str) -> None:
    def plan() -> Plan:
        yield Msg(command, workcell.devices["reader"])

    with pytest.raises(ActionOutsideStep, match=f"'{command}' to reader"):
        dry_run(plan(), workcell)


def test_a_done_step_may_not_send_its_command_again(workcell: Workcell) -> None:
    verb = workcell.devices["arm"].move
    command = Move(labware="assay_1", destination="reader")

    def stubborn() -> Plan:
        yield Msg("step_begin", verb, command)
        yield from bps.abs_set(verb, command, wait=True)

    guarded = refuse_outside_step(stubborn())
    assert guarded.send(None).command == "step_begin"
    with pytest.raises(ActionOutsideStep):
        guarded.send(Ticket(key="", done=True))


def test_a_refusal_lets_the_plan_give_its_claims_back(workcell: Workcell) -> None:
    verb = workcell.devices["arm"].move
    section = bps.abs_set(verb, Move(labware="assay_1", destination="reader"), wait=True)
    guarded = refuse_outside_step(steps.claimed(("reader",), section))
    assert guarded.send(None).command == "claim"
    assert guarded.send(None).command == "release"
    with pytest.raises(ActionOutsideStep):
        guarded.send(None)


def test_the_plans_own_result_comes_through(workcell: Workcell) -> None:
    def plan() -> Plan:
        yield from bps.null()
        return "done"

    guarded = refuse_outside_step(plan())
    guarded.send(None)
    with pytest.raises(StopIteration) as end:
        guarded.send(None)
    assert end.value.value == "done"


def test_a_command_in_a_journal_comes_back_equal(workcell: Workcell) -> None:
    targets = (("assay_1", "A1", 5.0),)
    command = Distribute(source_labware="library_1", source_well="A1", targets=targets, tip_volume_ul=50.0)
    found = dry_run(steps.carry_out(workcell, "handler", command), workcell)
    assert Distribute.from_json(found.steps[0].arguments) == command
