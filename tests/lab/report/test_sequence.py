from __future__ import annotations

from lab.report.sequence import single_substitutions, substitution_means
from lab.types import Candidate

POOL = tuple(
    Candidate(id=name, sequence=sequence)
    for name, sequence in (
        ("K2R", "MRT"),
        ("T3S", "MKS"),
        ("both", "MRS"),
        ("short", "MK"),
        ("same", "MKT"),
        ("M1A", "AKT"),
    )
)


def test_each_single_substitution_is_placed_and_says_what_became_of_it():
    found, others = single_substitutions(
        POOL, "MKT", {"K2R": 0.5}, frozenset({"T3S", "M1A"}), frozenset({"M1A"})
    )
    assert [(s.position, s.letter, s.value, s.state) for s in found] == [
        (2, "R", 0.5, "measured"),
        (3, "S", None, "failed"),
        (1, "A", None, "pending"),
    ]
    assert others == 3


def test_candidates_that_are_no_proteins_give_nothing_to_draw():
    assert single_substitutions(POOL, "", {}, frozenset(), frozenset()) == ((), 0)


def test_means_are_over_all_measured_candidates_that_carry_a_substitution():
    found = substitution_means(POOL, "MKT", {"K2R": 0.5, "both": 0.1, "same": 9.0})
    assert [(s.position, s.letter, s.value, s.state) for s in found] == [
        (1, "A", None, "untested"),
        (2, "R", 0.3, "measured"),
        (3, "S", 0.1, "measured"),
    ]
