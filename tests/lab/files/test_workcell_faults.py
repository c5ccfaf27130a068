"""The section `faults` of a workcell file: what a right one gives, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.app.benches import sketch
from lab.errors import FaultKind
from lab.files import FaultSpec, FaultsSpec, load_workcell
from tests.project.source_tree import REPOSITORY

FAULTS = """
faults:
  seed: 11
  rules:
    - {device: handler, fault: clog, verb: distribute, probability: 0.02}
    - {device: arm, fault: connection_lost, verb: place, at: [3, 17], moment: after, count: 2}
    - {device: handler, fault: short_volume, verb: aspirate, at: [1], silent: true}
"""
FIRST = "device: handler, fault: clog, verb: distribute, probability: 0.02"
SECOND = "device: arm, fault: connection_lost, verb: place, at: [3, 17], moment: after, count: 2"


@pytest.fixture
def faulty(desk):
    """A desk whose bench has faults; the section begins in line 18 of the file."""
    text = desk.workcell.read_text(encoding="utf-8")
    desk.workcell.write_text(text + FAULTS, encoding="utf-8")
    return desk


def test_a_bench_has_no_faults_by_default(desk):
    assert desk.load_workcell().faults == FaultsSpec(seed=0, rules=())


def test_the_section_gives_its_seed_and_its_rules_in_order(faulty):
    assert faulty.load_workcell().faults == FaultsSpec(
        seed=11,
        rules=(
            FaultSpec(number=1, device="handler", fault=FaultKind.CLOG, verb="distribute", probability=0.02),
            FaultSpec(
                number=2,
                device="arm",
                fault=FaultKind.CONNECTION_LOST,
                verb="place",
                at=(3, 17),
                moment="after",
                count=2,
            ),
            FaultSpec(
                number=3,
                device="handler",
                fault=FaultKind.SHORT_VOLUME,
                verb="aspirate",
                at=(1,),
                silent=True,
            ),
        ),
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "reason", "way_out"),
    [
        (
            "twin: true",
            "twin: false",
            21,
            "faults.rules[1].device",
            "Faults are made on a twin; handler is real and has its own.",
            "Take the rule out, or set twin: true.",
        ),
        (
            FIRST,
            FIRST.replace("handler", "handle"),
            21,
            "faults.rules[1].device",
            "There is no device 'handle'.",
            "Did you mean 'handler'?",
        ),
        (
            FIRST,
            FIRST.replace("clog", "clogg"),
            21,
            "faults.rules[1].fault",
            "There is no fault 'clogg'.",
            "Did you mean 'clog'?",
        ),
        (
            FIRST,
            FIRST.replace(", probability: 0.02", ""),
            21,
            "faults.rules[1]",
            "A fault happens either with a probability or at given occasions.",
            "Write probability: 0.02, or at: [3, 17].",
        ),
        (
            FIRST,
            FIRST + ", at: [1]",
            21,
            "faults.rules[1]",
            "A fault happens either with a probability or at given occasions.",
            "Write probability: 0.02, or at: [3, 17].",
        ),
        (
            FIRST,
            FIRST.replace("0.02", "2"),
            21,
            "faults.rules[1].probability",
            "probability is 2, but at most 1.0 is possible.",
            "Give 1.0 or less.",
        ),
        (
            SECOND,
            SECOND.replace("[3, 17]", "[0]"),
            22,
            "faults.rules[2].at",
            "Occasions are counted from 1.",
            "Write whole numbers from 1.",
        ),
        (
            SECOND,
            SECOND.replace("after", "during"),
            22,
            "faults.rules[2].moment",
            "moment can't be 'during'.",
            "It is one of: 'before' or 'after'.",
        ),
        (
            SECOND,
            SECOND.replace("verb", "verbs"),
            22,
            "faults.rules[2].verbs",
            "There is no field 'verbs' here.",
            "Did you mean 'verb'?",
        ),
        ("  seed: 11", "  seed: eleven", 19, "faults.seed", "seed is a whole number, not 'eleven'.", None),
    ],
)
def test_what_is_wrong_with_faults_is_named(faulty, old, new, line, field, reason, way_out):
    faulty.change(faulty.workcell, old, new)
    bad = faulty.problems(faulty.load_workcell)[0]
    assert (bad.file, bad.line, bad.field) == ("bench.yaml", line, field)
    assert bad.reason == reason
    if way_out is not None:
        assert bad.way_out == way_out


# ------------------------------------------------------------------------- what only the twins of the bench can say


def bench_with(tmp_path: Path, *rules: str) -> Path:
    """The bench of the repository with faults."""
    text = (REPOSITORY / "workcells" / "protein_bench_twin.yaml").read_text(encoding="utf-8")
    file = tmp_path / "bench.yaml"
    lines = "".join(f"    - {{{rule}}}\n" for rule in rules)
    file.write_text(f"{text.rstrip()}\nfaults:\n  rules:\n{lines}", encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("rule", "field", "reason"),
    [
        (
            "device: thermocycler, fault: lid, verb: bake, at: [1]",
            "verb",
            "The thermocycler does nothing called 'bake'.",
        ),
        (
            "device: thermocycler, fault: grip, verb: heat, at: [1]",
            "fault",
            "The fault grip does not happen to heat of thermocycler.",
        ),
        (
            "device: reader, fault: lid, verb: absorbance, at: [1], moment: after",
            "moment",
            "A fault of the kind lid has a moment of its own.",
        ),
        (
            "device: arm, fault: grip, verb: move, at: [1], silent: true",
            "silent",
            "A fault of the kind grip is never silent.",
        ),
    ],
)
def test_a_rule_that_its_twin_can_not_follow_is_named_with_its_line(desk, tmp_path, rule, field, reason):
    file = bench_with(tmp_path, "device: arm, fault: busy, verb: move, at: [1]", rule)
    (bad,) = desk.problems(lambda: sketch(load_workcell(file), ()))
    lines = file.read_text(encoding="utf-8").splitlines()
    assert (bad.file, bad.line, bad.field) == ("bench.yaml", len(lines), f"faults.rules[2].{field}")
    assert bad.reason == reason


def test_the_same_rule_twice_is_named(desk, tmp_path):
    rule = "device: arm, fault: busy, verb: move, at: [1]"
    (bad,) = desk.problems(lambda: sketch(load_workcell(bench_with(tmp_path, rule, rule)), ()))
    assert (bad.field, bad.way_out) == ("faults.rules[2]", "Make them one.")
