"""Features that are made row by row are those of the encoders."""

import numpy as np
import pytest

import models
from lab.types import Candidate
from planners.features import Coded, stacked
from planners.kernels import Blocks
from planners.space import encode_space
from planners.value_features import even_columns
from tests.planners.campaigns import PARENT, campaign, variants

DOUBLES = tuple(
    Candidate(id=f"{a.id}+{b}", sequence=f"{a.sequence[:-1]}{b}")
    for a in variants(letters="AEF")
    for b in "CDG"
)


@pytest.mark.parametrize("pool", [variants(), DOUBLES], ids=["single", "double"])
@pytest.mark.parametrize("name", ["one_hot", "z_scales"])
def test_distances_from_codes_are_those_of_the_encoded_sequences(
    name: str, pool: tuple[Candidate, ...]
) -> None:
    encoded = models.encoder(name, parent=PARENT, pool=pool).encode(pool)
    every = np.arange(len(pool))
    ours = encode_space(campaign(pool)).blocks.squared_distances(name, every[:40], every)
    theirs = Blocks({name: encoded}).squared_distances(name, every[:40], every)
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_what_is_replaced_by_what_and_where_is_as_the_encoders_have_it() -> None:
    encoded = models.encoder("substitutions", parent=PARENT, pool=DOUBLES).encode(DOUBLES)
    blocks, every = encode_space(campaign(DOUBLES)).blocks, np.arange(len(DOUBLES))
    for name, columns in {
        "place": slice(1, 2),
        "new": slice(2, 7),
        "old": slice(7, 12),
        "near": slice(12, 17),
    }.items():
        np.testing.assert_allclose(blocks.features(name).rows(every), encoded[:, columns], atol=1e-12)


def test_a_long_chain_is_kept_sparse_and_says_the_same() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 20, 60).astype(np.int8)
    codes = np.tile(base, (30, 1))
    codes[np.arange(30), rng.integers(0, 60, 30)] = rng.integers(0, 20, 30)
    long = Coded(codes, base, np.eye(20))
    whole = np.eye(20)[codes].reshape(30, -1)
    rows = long.rows(np.arange(30))
    assert not isinstance(rows, np.ndarray)
    apart = np.square(stacked([rows])[:, None] - stacked([rows])).sum(axis=2)
    np.testing.assert_allclose(apart, np.square(whole[:, None] - whole).sum(axis=2))


def test_descriptors_of_one_thing_are_one_block_with_its_levels_beside_it() -> None:
    solvents = {"a": (1.0, 5.0, 0.1), "b": (2.0, 3.0, 0.7), "c": (7.0, 4.0, 0.2)}
    pool = tuple(
        Candidate(
            id=f"{s}{t}",
            values={
                "polarity": solvents[s][0],
                "bulk": solvents[s][1],
                "density": solvents[s][2],
                "temperature_c": t,
            },
        )
        for s in solvents
        for t in (20.0, 40.0, 60.0, 80.0, 100.0)
    )
    space = encode_space(campaign(pool, parent=""))
    assert set(space.blocks.names) == {"temperature_c", "bulk and 2 more", "which bulk and 2 more"}
    same = space.blocks.squared_distances("which bulk and 2 more", np.arange(5), np.arange(15))
    assert (same[:, :5] == 0).all()
    assert (same[:, 5:] > 0).all()


def test_many_columns_of_few_things_keep_their_distances_when_turned() -> None:
    rng = np.random.default_rng(0)
    things = rng.normal(size=(9, 120))
    which = rng.integers(0, 9, 200)
    turned = even_columns(things[which])
    even = (things[which] / things[which].std(axis=0))[:30]
    expected = np.square(even[:, None] - even).sum(axis=2)
    np.testing.assert_allclose(np.square(turned[:30, None] - turned[:30]).sum(axis=2), expected, atol=1e-8)
    assert turned.shape[1] <= 64
