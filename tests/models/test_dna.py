import numpy as np
import pytest

import models
from lab.errors import BadInput
from lab.types import Candidate, ModelChoice
from models.dna import DnaKMers, KMerSettings


def made(*sequences: str) -> list[Candidate]:
    return [Candidate(id=f"c{i}", sequence=s) for i, s in enumerate(sequences)]


def test_one_hot_has_a_column_a_base_at_varied_sites() -> None:
    pool = made("ACGT", "ACTT", "ACGA")
    encoded = models.encoder("dna_one_hot", parent="ACGT", pool=pool).encode(pool)
    np.testing.assert_array_equal(
        encoded, [[0, 0, 1, 0, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 1, 0, 1, 0, 0, 0]]
    )


def test_with_a_column_a_word_words_are_counted_where_their_letters_say() -> None:
    counts = DnaKMers(KMerSettings(shortest=1, longest=2, columns=0)).encode(made("AACAA"))[0]
    assert counts[:4].tolist() == [4, 1, 0, 0]
    by_pair = dict(zip([a + b for a in "ACGT" for b in "ACGT"], counts[4:], strict=True))
    assert {pair: n for pair, n in by_pair.items() if n} == {"AA": 2, "AC": 1, "CA": 1}


def test_sequences_may_differ_in_length() -> None:
    encoded = models.encoder("dna_k_mers").encode(made("TTGACA", "TTGACAGCTAGC" * 5))
    assert encoded.shape == (2, 512)
    assert np.abs(encoded).sum(axis=1).max() > 50


def test_shared_columns_keep_what_sequences_have_in_common() -> None:
    rng = np.random.default_rng(1)
    parent = rng.choice(list("ACGT"), 75)
    pool = []
    for changes in (0, 2, 4, 8, 16, 32, 64):
        letters = parent.copy()
        sites = rng.choice(75, changes, replace=False)
        letters[sites] = rng.choice(list("ACGT"), changes)
        pool += made("".join(letters))
    own, shared = (DnaKMers(KMerSettings(columns=n)).encode(pool) for n in (0, 512))
    alike = [x @ x.T / np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(x, axis=1)) for x in (own, shared)]
    assert np.abs(alike[0] - alike[1]).max() < 0.15
    assert (np.diff(alike[1][0]) < 0).all()


def test_a_sequence_shorter_than_the_shortest_word_is_refused() -> None:
    with pytest.raises(BadInput, match="c0 has 2 bases, fewer than the words of 3"):
        models.encoder("dna_k_mers").encode(made("AC"))


def test_a_campaign_says_which_words_are_counted() -> None:
    choice = ModelChoice(name="dna_k_mers", settings={"shortest": 2, "longest": 2, "columns": 0})
    assert models.model(choice).encode(made("ACGT")).shape == (1, 16)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"shortest": 4, "longest": 3}, "at least 4 and at most 3"),
        ({"longest": 12}, "at most 8"),
        ({"k": 3}, "no setting 'k'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        models.model(ModelChoice(name="dna_k_mers", settings=settings))
