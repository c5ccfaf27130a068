"""Fault scripts: which faults strike, that all of them are on the ledger, and what a driver sees of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pylabrobot.liquid_handling.backends.hamilton import STAR_backend as hamilton
from pylabrobot.liquid_handling.errors import ChannelizedError
from pylabrobot.resources.errors import NoTipError, TooLittleLiquidError

from devices.verb import Verb
from digital_twin.chemistry import chemistry
from digital_twin.faults import (
    BEFORE_OR_AFTER,
    CAN_BE_SILENT,
    PLATE_BENCH,
    FaultRule,
    Faults,
    FaultScript,
    Moment,
    Request,
    applicable,
    repertoires,
)
from digital_twin.instruments.faulty_line import NONSENSE
from digital_twin.instruments.line_faults import PRECISEFLEX, THERMOCYCLER
from digital_twin.instruments.plate_reader import ReaderRefuses
from digital_twin.world import Impossible, World
from lab.app.benches import sketch
from lab.app.drivers import DRIVERS
from lab.clock import LabClock
from lab.errors import BadInput, FaultKind
from lab.files import load_workcell
from tests.digital_twin.seams import NAMES, Met, Silence, a_line, a_world, faults_of, provoke, script
from tests.project.source_tree import REPOSITORY
from tests.twin_bench import hands

CYCLER = "thermocycler/opentrons"
OFTEN = FaultRule(instrument="thermocycler", kind=FaultKind.NONSENSE_REPLY, where="ask", probability=0.3)


def strikes(rules: FaultScript, rule: FaultRule, n: int = 200) -> list[int]:
    return [k for k in range(1, n + 1) if rules.strike(rule, k) is not None]


# ------------------------------------------------------------------------------------------------------------- scripts


def test_the_same_seed_gives_the_same_faults_and_another_seed_others():
    first, again, other = (FaultScript(seed, (OFTEN,)) for seed in (1, 1, 2))
    assert strikes(first, OFTEN) == strikes(again, OFTEN)
    assert strikes(first, OFTEN) != strikes(other, OFTEN)


def test_a_rule_strikes_about_as_often_as_its_probability_says():
    assert 40 <= len(strikes(FaultScript(1, (OFTEN,)), OFTEN)) <= 80


def test_a_rule_strikes_the_same_whatever_other_rules_there_are():
    other = FaultRule(instrument="arm", kind=FaultKind.GRIP, where="pick", probability=0.5)
    assert strikes(FaultScript(1, (other, OFTEN)), OFTEN) == strikes(FaultScript(1, (OFTEN,)), OFTEN)


def test_a_rule_may_name_its_opportunities_and_last_for_several():
    rule = FaultRule(instrument="arm", kind=FaultKind.BUSY, where="pick", at=(3, 17), count=2)
    assert strikes(FaultScript(1, (rule,)), rule) == [3, 4, 17, 18]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({}, "probability"),
        ({"probability": 0.5, "at": (1,)}, "probability"),
        ({"probability": 1.5}, "probability"),
        ({"at": (0,)}, "at"),
        ({"at": (1,), "count": 0}, "count"),
        ({"at": (1,), "moment": Moment.AFTER}, "moment"),
        ({"at": (1,), "silent": True}, "silent"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(wrong, field):
    with pytest.raises(BadInput) as caught:
        FaultRule(instrument="arm", kind=FaultKind.BUSY, where="pick", **wrong)
    assert caught.value.field == field


def test_two_rules_that_the_ledger_could_not_tell_apart_are_refused():
    with pytest.raises(BadInput, match="Two rules are about nonsense_reply of thermocycler at ask"):
        script(OFTEN, OFTEN)


def test_a_rule_that_could_never_strike_is_refused_where_the_twin_is_built():
    with LabClock(virtual=True) as clock:
        world = a_world(clock)
        for where, kind in (("bake", FaultKind.LID), ("heat", FaultKind.GRIP)):
            rule = FaultRule(instrument="thermocycler", kind=kind, where=where, at=(1,))
            with pytest.raises(BadInput):
                a_line(world, CYCLER, script(rule))


# -------------------------------------------------------------------------------------------------------------- ledger


def ask(clock: LabClock, world: World, times: int, rules: FaultScript) -> list[bool]:
    """Whether each of some questions to a cycler was answered with nonsense."""
    model = a_line(world, CYCLER, rules)

    async def questions() -> list[bool]:
        return [await model.reply("M105") == NONSENSE for _ in range(times)]

    return clock.run(questions())


def test_a_rebuilt_world_goes_on_with_the_same_script(tmp_path: Path):
    rules = script(OFTEN)
    with LabClock(virtual=True) as clock:
        undisturbed = ask(clock, a_world(clock), 60, rules)
        world = a_world(clock, ledger=tmp_path / "world.jsonl")
        before = ask(clock, world, 25, rules)
        world.close()
        again = World.rebuild(tmp_path / "world.jsonl", clock=clock, chemistry=chemistry("protein_g"))
        after = ask(clock, again, 35, rules)
        again.close()
    assert before + after == undisturbed
    assert 0 < sum(before) < 25


def test_each_fault_and_each_opportunity_is_on_the_ledger():
    with LabClock(virtual=True) as clock:
        world = a_world(clock)
        struck = ask(clock, world, 30, script(OFTEN))
    assert [one.action == "fault" for one in world.ledger.actions] == struck
    assert [one.arguments["opportunities"] for one in world.ledger.actions] == [
        {OFTEN.key: n} for n in range(1, 31)
    ]
    assert faults_of(world) == [OFTEN.key] * sum(struck)


def test_a_rule_that_has_had_its_opportunities_is_written_down_no_more():
    rule = FaultRule(instrument="thermocycler", kind=FaultKind.NONSENSE_REPLY, where="ask", at=(2,))
    with LabClock(virtual=True) as clock:
        world = a_world(clock)
        assert ask(clock, world, 5, script(rule)) == [False, True, False, False, False]
    assert [one.action for one in world.ledger.actions] == ["chance", "fault"]


def test_no_noise_depends_on_what_the_script_writes_down():
    plain, noted = hands(), hands()
    noted.world.act("handler", "chance", opportunities={"x": 1})
    noted.world.act("reader", "fault", opportunities={"x": 2}, rule="x", kind="lid", lasting="x")
    noted.world.act("reader", "recovered")
    for lab in (plain, noted):
        lab.transfer(("reporter", "A1"), ("assay_1", "A1"), 50.0)
        lab.carry("deck_plate_1", "reader")
    assert plain.read() == noted.read()


@settings(max_examples=20, deadline=None)
@given(turns=st.lists(st.sampled_from(["thermocycler", "arm"]), min_size=1, max_size=40))
def test_faults_of_an_instrument_do_not_depend_on_what_others_do_in_between(turns: list[str]):
    grip = FaultRule(instrument="arm", kind=FaultKind.GRIP, where="pick", probability=0.4)
    rules = script(OFTEN, grip)
    world = hands().world
    faults = {
        "thermocycler": Faults(world, "thermocycler", THERMOCYCLER.repertoire, rules),
        "arm": Faults(world, "arm", PRECISEFLEX, rules),
    }
    requests = {"thermocycler": Request("ask", frozenset()), "arm": Request("pick", frozenset())}
    struck: dict[str, list[int]] = {"thermocycler": [], "arm": []}
    for name in turns:
        strike = faults[name].strike(requests[name])
        if strike is not None:
            struck[name].append(strike.n)
    assert struck["thermocycler"] == strikes(rules, OFTEN, turns.count("thermocycler"))
    assert struck["arm"] == strikes(rules, grip, turns.count("arm"))


def test_accidents_are_part_of_a_rebuilt_world(tmp_path: Path):
    lab = hands(ledger=tmp_path / "world.jsonl")
    lab.fetch(0, 1, 2)
    lab.world.act(
        "handler",
        "aspirate",
        channels=[0, 1, 2],
        labware="buffer",
        wells=["A1"] * 3,
        volumes_ul=[20.0] * 3,
        liquid_shares=[1.0, 0.0, 0.4],
    )
    lab.world.act("handler", "clog", channels=[0])
    lab.give("assay_1", "A1", 10.0)
    lab.world.act("handler", "lose_tips", channels=[1])
    lab.world.act("arm", "pick", position="deck_plate_2")
    lab.wait(60.0)
    lab.world.act("arm", "drop")
    lab.world.close()
    again = World.rebuild(tmp_path / "world.jsonl", clock=lab.clock, chemistry=chemistry("protein_g"))
    again.close()
    assert again.state.head("handler") == lab.world.state.head("handler")
    clogged, lost, short = again.state.head("handler")[:3]
    assert (clogged.clogged, clogged.liquid.volume_ul > 15.0) == (True, True)
    assert (lost.tip_volume_ul, lost.air_ul) == (0.0, 0.0)
    assert short.air_ul == pytest.approx(1.5 * short.liquid.volume_ul, rel=0.01)
    assert again.volume_ul("assay_1", "A1") == 0.0
    assert again.held("arm") is None
    assert again.state.pieces["assay_2"].position is None


def test_a_person_puts_back_what_fell_and_nothing_else(tmp_path: Path):
    lab = hands(ledger=tmp_path / "world.jsonl")
    lab.world.act("arm", "pick", position="deck_plate_2")
    with pytest.raises(Impossible, match="does not lie around"):
        lab.world.act("person", "put_back", labware="assay_2", position="deck_plate_2")
    lab.world.act("arm", "drop")
    with pytest.raises(Impossible, match="already stands at"):
        lab.world.act("person", "put_back", labware="assay_2", position="deck_plate_1")
    lab.world.act("person", "put_back", labware="assay_2", position="deck_plate_2")
    assert lab.world.at("deck_plate_2") == "assay_2"
    lab.world.close()
    again = World.rebuild(tmp_path / "world.jsonl", clock=lab.clock, chemistry=chemistry("protein_g"))
    again.close()
    assert again.at("deck_plate_2") == "assay_2"


# ---------------------------------------------------------------------------------------------- what the driver sees

LINE_REPLIES = {
    (CYCLER, FaultKind.BUSY): {"ERR501:lid:Lid motor busy OK"},
    (CYCLER, FaultKind.LID): {"ERR502:lid:Lid motor fault OK"},
    (CYCLER, FaultKind.INSTRUMENT_ERROR): {
        "ERR505:seal:Seal motor fault OK",
        "ERR402:thermal:Could not activate peltier OK",
    },
    (CYCLER, FaultKind.TEMPERATURE): {"M104 OK"},
    ("incubator/bioshake", FaultKind.BUSY): {"e"},
    ("incubator/bioshake", FaultKind.LID): {"e"},
    ("incubator/bioshake", FaultKind.INSTRUMENT_ERROR): {"e"},
    ("incubator/bioshake", FaultKind.TEMPERATURE): {"ok"},
    ("plate_hotel/preciseflex", FaultKind.BUSY): {"-2852 *Invalid robot state to execute command*"},
    ("plate_hotel/preciseflex", FaultKind.GRIP): {"0 0"},
    ("plate_hotel/preciseflex", FaultKind.INSTRUMENT_ERROR): {"-3122 *Soft envelope error*"},
}
CHANNEL_ERRORS = {
    FaultKind.FAILED_ASPIRATE: TooLittleLiquidError,
    FaultKind.SHORT_VOLUME: hamilton.TADMMeasurementError,
    FaultKind.CLOG: hamilton.ClotDetectedError,
    FaultKind.LOST_TIP: NoTipError,
    FaultKind.INSTRUMENT_ERROR: hamilton.HardwareError,
}


def check(driver: str, rule: FaultRule, met: Met) -> None:
    """What the request that was struck gave, for every kind of instrument and fault."""
    seen = met.last
    machine = driver.startswith(("liquid_handler", "plate_reader"))
    match rule.kind:
        case FaultKind.CONNECTION_LOST:
            assert isinstance(seen, ConnectionError)
        case FaultKind.TIMEOUT if machine and not rule.silent:
            assert isinstance(seen, TimeoutError)
        case FaultKind.TIMEOUT:
            assert isinstance(seen, Silence)
        case FaultKind.SHORT_VOLUME if rule.silent:
            assert seen is None
        case FaultKind.NONSENSE_REPLY if driver.startswith("plate_reader"):
            assert len(seen[0]["data"]) == (7 if rule.moment is Moment.AFTER else 0)
        case FaultKind.SATURATED:
            assert max(max(row) for row in seen[0]["data"]) in (260_000.0, 4.0)
        case FaultKind.LID | FaultKind.INSTRUMENT_ERROR if driver.startswith("plate_reader"):
            assert isinstance(seen, ReaderRefuses)
        case FaultKind.NONSENSE_REPLY:
            assert seen == NONSENSE
        case FaultKind.BUSY if driver == "liquid_handler/star":
            assert isinstance(seen, hamilton.STARFirmwareError)
            assert seen.errors["Master"].message == "PIP task busy"
        case _ if driver == "liquid_handler/star":
            assert isinstance(seen, ChannelizedError)
            (error,) = seen.errors.values()
            assert isinstance(error, CHANNEL_ERRORS[rule.kind])
        case _:
            assert seen in LINE_REPLIES[driver, rule.kind]


def every_rule() -> list[tuple[str, FaultRule]]:
    """Every applicable fault, in both moments and silent too, where it can be."""
    return [
        (
            driver,
            FaultRule(instrument=NAMES[driver], kind=kind, where=verb, at=(1,), moment=moment, silent=silent),
        )
        for driver, verb, kind in applicable()
        for moment in ([*Moment] if kind in BEFORE_OR_AFTER else [Moment.BEFORE])
        for silent in ((False, True) if kind in CAN_BE_SILENT else (False,))
    ]


@pytest.mark.parametrize(
    ("driver", "rule"), every_rule(), ids=lambda value: value if isinstance(value, str) else value.key
)
def test_a_driver_sees_each_fault_as_its_instrument_shows_it(driver: str, rule: FaultRule):
    with LabClock(virtual=True) as clock:
        met = clock.run(provoke(clock, driver, rule.where, rule))
    check(driver, rule, met)
    assert faults_of(met.world) == [rule.key]


def test_a_repertoire_is_one_of_a_driver_and_the_plate_bench_has_all_of_its_own():
    assert set(PLATE_BENCH) <= set(repertoires()) <= set(DRIVERS)


@pytest.mark.parametrize("reader", ["infinite", "clariostar"])
def test_the_verbs_of_a_repertoire_are_those_of_its_device(tmp_path: Path, reader: str):
    file = tmp_path / "bench.yaml"
    text = (REPOSITORY / "workcells" / "protein_bench_twin.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("plate_reader/infinite", f"plate_reader/{reader}"), encoding="utf-8")
    spec = load_workcell(file)
    devices = sketch(spec, ()).devices
    for role, device in devices.items():
        verbs = {child.command_type.verb for _, child in device.children() if isinstance(child, Verb)}
        assert set(repertoires()[spec.devices[role].driver].verbs) == verbs


def test_the_fault_of_a_verb_is_one_of_the_part_at_which_it_strikes():
    for repertoire in repertoires().values():
        for kinds in repertoire.verbs.values():
            assert all(kind in repertoire.parts[part] for kind, part in kinds.items())


def test_every_kind_that_an_instrument_can_have_is_applicable_somewhere():
    made = {kind for _, _, kind in applicable()}
    assert set(FaultKind) - made == {FaultKind.OUT_OF_RANGE, FaultKind.UNKNOWN_OUTCOME}
