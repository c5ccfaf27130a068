"""What every encoder of the registry promises, pretrained ones included once there are any."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import models
from lab.errors import BadInput
from lab.interfaces import Encoder
from lab.types import AMINO_ACIDS, DNA, Candidate

PARENT = "MTYKLILNGK"
ELEMENT = "TTGACAGCTA"
SEQUENCE_ENCODERS = [name for name in models.encoder_names() if name != "named_values"]
ALIGNED_ENCODERS = [name for name in SEQUENCE_ENCODERS if name != "dna_k_mers"]


def parent_for(name: str) -> str:
    return "" if name == "named_values" else ELEMENT if name.startswith("dna") else PARENT


def single_substitutions(parent: str, letters: str) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(id=f"{parent[site]}{site + 1}{new}", sequence=parent[:site] + new + parent[site + 1 :])
        for site in (1, 4, 7)
        for new in letters
        if new != parent[site]
    )


def value_pool() -> tuple[Candidate, ...]:
    return tuple(
        Candidate(id=f"{t}-{s}", values={"temperature_c": t, "solvent": s, "volume_ul": 50})
        for t in (20.0, 35.0, 80)
        for s in ("DMAc", "BuCN")
    )


def pool_for(name: str) -> tuple[Candidate, ...]:
    if name == "named_values":
        return value_pool()
    return single_substitutions(parent_for(name), DNA if name.startswith("dna") else "ADFKW")


def make(name: str) -> Encoder:
    return models.encoder(name, parent=parent_for(name), pool=pool_for(name))


@pytest.mark.parametrize("name", models.encoder_names())
def test_an_encoding_is_one_finite_row_of_floats_a_candidate(name: str) -> None:
    pool = pool_for(name)
    encoded = make(name).encode(pool)
    assert encoded.dtype == np.float64
    assert encoded.shape[0] == len(pool)
    assert encoded.shape[1] >= 1
    assert np.isfinite(encoded).all()


@pytest.mark.parametrize("name", models.encoder_names())
def test_a_candidate_is_encoded_the_same_alone_and_among_others(name: str) -> None:
    pool, encoder = pool_for(name), make(name)
    together = encoder.encode(pool)
    for row, candidate in enumerate(pool):
        np.testing.assert_array_equal(encoder.encode([candidate])[0], together[row])


@pytest.mark.parametrize("name", models.encoder_names())
def test_no_candidates_give_no_rows_and_the_same_columns(name: str) -> None:
    encoder = make(name)
    assert encoder.encode([]).shape == (0, encoder.encode(pool_for(name)).shape[1])


@pytest.mark.parametrize("name", models.encoder_names())
def test_the_card_says_what_the_encoder_is(name: str) -> None:
    card = make(name).card
    assert card.label == f"{name}@{card.version}"
    assert all((card.licence, card.source, card.inputs, card.outputs))


@pytest.mark.parametrize("name", [n for n in models.encoder_names() if n != "positions"])
def test_different_candidates_have_different_rows(name: str) -> None:
    encoded = make(name).encode(pool_for(name))
    assert len(np.unique(encoded, axis=0)) == len(encoded)


@pytest.mark.parametrize("name", SEQUENCE_ENCODERS)
@given(site=st.integers(0, len(PARENT) - 1), letter=st.sampled_from("BJOUXZacm*- 1é中"))
def test_a_letter_of_no_residue_or_base_is_refused_with_its_place(name: str, site: int, letter: str) -> None:
    parent = parent_for(name)
    wrong = Candidate(id="wrong", sequence=parent[:site] + letter + parent[site + 1 :])
    with pytest.raises(BadInput, match=rf"wrong .*position {site + 1}\b") as refusal:
        make(name).encode([*pool_for(name), wrong])
    assert (DNA if name.startswith("dna") else AMINO_ACIDS) in refusal.value.way_out


@pytest.mark.parametrize("name", ["dna_one_hot", "dna_k_mers"])
def test_residues_are_no_bases(name: str) -> None:
    with pytest.raises(BadInput, match="no base of DNA"):
        make(name).encode([Candidate(id="protein", sequence=PARENT)])


@pytest.mark.parametrize("name", SEQUENCE_ENCODERS)
def test_a_candidate_without_a_sequence_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadInput, match="odd has no"):
        make(name).encode([pool_for(name)[0], Candidate(id="odd", values={"t": 1.0})])


@pytest.mark.parametrize("name", ALIGNED_ENCODERS)
@pytest.mark.parametrize("length", [len(PARENT) - 1, len(PARENT) + 1])
def test_a_sequence_of_another_length_is_refused_by_name(name: str, length: int) -> None:
    odd = Candidate(id="odd", sequence=(parent_for(name) + "A")[:length])
    with pytest.raises(BadInput, match="odd"):
        make(name).encode([pool_for(name)[0], odd])


@pytest.mark.parametrize("name", ALIGNED_ENCODERS)
def test_a_change_where_the_pool_has_none_is_refused_rather_than_dropped(name: str) -> None:
    stray = Candidate(id="stray", sequence="A" + parent_for(name)[1:])
    with pytest.raises(BadInput, match="stray differs at position 1"):
        make(name).encode([stray])


@pytest.mark.parametrize("name", ["positions", "substitutions", "one_hot_substitutions"])
def test_an_encoding_of_substitutions_needs_the_parent(name: str) -> None:
    with pytest.raises(BadInput, match="needs the parent"):
        models.encoder(name, pool=pool_for(name))


def test_a_misspelt_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(BadInput, match="Did you mean z_scales"):
        models.encoder("zscales")
