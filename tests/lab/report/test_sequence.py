from __future__ import annotations

from lab.report.sequence import single_substitutions
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
