import numpy as np
import pytest

import models
from lab.errors import BadInput
from lab.types import AMINO_ACIDS, Candidate
from models.residues import RESIDUE_CLASSES, Z_SCALES

PARENT = "MTYK"
POOL = (Candidate(id="T2I", sequence="MIYK"), Candidate(id="K4A", sequence="MTYA"))


def encode(name: str, *candidates: Candidate, parent: str = PARENT) -> np.ndarray:
    return models.encoder(name, parent=parent, pool=POOL).encode(candidates)


def test_one_hot_has_one_column_a_letter_at_varied_sites_only() -> None:
    row = encode("one_hot", POOL[0])[0].reshape(2, 20)
    assert [AMINO_ACIDS[i] for i in row.argmax(axis=1)] == ["I", "K"]
    assert row.sum() == 2


def test_one_hot_of_substitutions_is_zero_for_the_parent_and_counts_changes() -> None:
    parent = Candidate(id="WT", sequence=PARENT)
    both = Candidate(id="both", sequence="MIYA")
    assert encode("one_hot_substitutions", parent, POOL[0], both).sum(axis=1).tolist() == [0, 1, 2]


def test_z_scales_are_those_of_the_residues_at_the_varied_sites() -> None:
    np.testing.assert_array_equal(encode("z_scales", POOL[1])[0], [*Z_SCALES["T"], *Z_SCALES["A"]])


def test_a_single_substitution_is_told_by_place_new_and_replaced_residue_and_neighbours() -> None:
    row = encode("substitutions", POOL[0])[0]
    around = np.mean([Z_SCALES["M"], Z_SCALES["Y"], Z_SCALES["K"]], axis=0)
    np.testing.assert_allclose(row, [1, 1 / 3, *Z_SCALES["I"], *Z_SCALES["T"], *around])


def test_the_parent_has_no_substitutions() -> None:
    assert not encode("substitutions", Candidate(id="WT", sequence=PARENT)).any()
    assert not encode("positions", Candidate(id="WT", sequence=PARENT)).any()


def test_without_a_pool_every_site_is_encoded() -> None:
    assert models.encoder("one_hot").encode(POOL).shape == (2, 80)


def test_z_scales_cover_the_twenty_residues_and_order_them_by_lipophilicity() -> None:
    assert sorted(Z_SCALES) == list(AMINO_ACIDS)
    by_z1 = sorted(AMINO_ACIDS, key=lambda letter: Z_SCALES[letter][0])
    assert set(by_z1[:6]) == set("WLFIMV")
    assert set(by_z1[-4:]) == set("DRENH") - {"H"}
    by_bulk = sorted(AMINO_ACIDS, key=lambda letter: Z_SCALES[letter][1])
    assert (by_bulk[0], by_bulk[-1]) == ("G", "W")


def test_each_residue_is_in_exactly_one_class() -> None:
    assert sorted("".join(RESIDUE_CLASSES.values())) == list(AMINO_ACIDS)


def test_named_numbers_span_zero_to_one_and_levels_get_a_column_each() -> None:
    pool = [
        Candidate(id="a", values={"t": 20, "s": "x", "same": 1}),
        Candidate(id="b", values={"t": 40, "s": "y", "same": 1}),
        Candidate(id="c", values={"t": 30, "s": "z", "same": 1}),
    ]
    encoded = models.encoder("named_values", pool=pool).encode(pool)
    np.testing.assert_array_equal(encoded, [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0.5]])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"t": 1.0}, "has the values t, where s, t are expected"),
        ({"t": float("nan"), "s": "x"}, "not a finite number"),
        ({"t": "warm", "s": "x"}, "a number is expected"),
        ({"t": 1.0, "s": "w"}, "the pool has x, y"),
    ],
)
def test_values_that_do_not_fit_the_pool_are_refused(values: dict[str, object], said: str) -> None:
    pool = [Candidate(id="a", values={"t": 0, "s": "x"}), Candidate(id="b", values={"t": 1, "s": "y"})]
    with pytest.raises(BadInput, match=said):
        models.encoder("named_values", pool=pool).encode([Candidate(id="odd", values=values)])


def test_a_candidate_without_sequence_or_values_is_refused() -> None:
    with pytest.raises(BadInput, match="neither a sequence nor named values"):
        models.encoder("named_values", pool=[Candidate(id="bare")])
