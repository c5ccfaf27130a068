import numpy as np
import pytest

import models
from lab.errors import BadInput
from lab.types import AMINO_ACIDS, Candidate
from models.substitution_effects import SubstitutionEffects, surroundings

PARENT = "MTYKLILNGKTLKG"


def score(*sequences: str) -> np.ndarray:
    candidates = [Candidate(id=f"c{i}", sequence=s) for i, s in enumerate(sequences)]
    return models.scorer("substitution_effects", parent=PARENT).score(candidates)


def changed(site: int, new: str) -> str:
    return PARENT[:site] + new + PARENT[site + 1 :]


def test_the_parent_scores_zero_and_substitutions_add_up() -> None:
    both = changed(4, "D")[:9] + "E" + PARENT[10:]
    parent, one, other, two = score(PARENT, changed(4, "D"), changed(9, "E"), both)
    assert parent == 0.0
    assert two == pytest.approx(one + other)


def test_a_charge_in_place_of_leucine_costs_more_than_methionine() -> None:
    charge, methionine = score(changed(4, "D"), changed(4, "M"))
    assert charge < methionine


def test_what_a_replaced_residue_costs_depends_on_its_neighbours() -> None:
    lonely = SubstitutionEffects(parent="KKKKLKKKK").effect(4, "D")
    buried = SubstitutionEffects(parent="KKLKLKLKK").effect(4, "D")
    assert lonely != buried


def test_surroundings_are_hydropathies_and_whether_it_is_an_end() -> None:
    strand, helix, beside, end = surroundings("KKLKLKLKK", 4)
    assert strand == pytest.approx(1.27)
    assert helix == pytest.approx(-1.30)
    assert beside == pytest.approx(-1.30)
    assert (end, surroundings("KKLKLKLKK", 0)[3]) == (0.0, 1.0)


def test_every_pair_of_residues_has_a_finite_effect() -> None:
    for old in AMINO_ACIDS:
        scorer = SubstitutionEffects(parent=f"AAAA{old}AAAA")
        assert all(np.isfinite(scorer.effect(4, new)) for new in AMINO_ACIDS)


def test_a_sequence_of_another_length_is_refused() -> None:
    with pytest.raises(BadInput, match="residues where 14 are expected"):
        score(PARENT + "A")


def test_an_unknown_scorer_is_answered_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="substitution_effects"):
        models.scorer("oracle", parent=PARENT)
