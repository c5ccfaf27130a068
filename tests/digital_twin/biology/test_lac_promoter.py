"""The measured expression of lac promoters: which way the bins go, what becomes of them, and what if they are not there."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest

from digital_twin.biology.lac_promoter import (
    FOLD_OF_A_BIN,
    LAC_WILD_TYPE,
    check_bins,
    load_lac_promoters,
)
from lab.errors import MissingData

needs_data = pytest.mark.skipif(
    importlib.util.find_spec("mavenn") is None,
    reason="the package mavenn, which carries the data, is not installed",
)

LETTERS = {letter: n for n, letter in enumerate("ACGT")}
PER_BIN = 8000


@pytest.fixture
def fresh_cache() -> Iterator[None]:
    load_lac_promoters.cache_clear()
    yield
    load_lac_promoters.cache_clear()


@needs_data
def test_candidates_were_seen_in_two_bins_or_more_and_differ() -> None:
    promoters = load_lac_promoters()
    assert len(promoters) == 976
    assert min(p.bins for p in promoters.values()) == 2
    assert len({p.sequence for p in promoters.values()}) == 976
    assert {len(p.sequence) for p in promoters.values()} == {75}
    assert next(iter(promoters)) == "WT"
    assert promoters["WT"].sequence == LAC_WILD_TYPE


@needs_data
def test_expression_is_relative_to_the_wild_type_and_as_the_module_says() -> None:
    promoters = load_lac_promoters()
    assert promoters["WT"].expression == 1.0
    some = promoters["lac31766"]
    assert some.expression == pytest.approx(FOLD_OF_A_BIN ** (some.level - promoters["WT"].level))
    found = np.array([p.expression for p in promoters.values()])
    assert np.percentile(found, [50, 90, 99, 100]) == pytest.approx([0.15, 0.82, 1.44, 1.55], abs=0.01)


@needs_data
def test_promoters_without_the_boxes_that_the_polymerase_binds_are_weaker() -> None:
    promoters = load_lac_promoters()

    def mean(changed: range) -> float:
        return float(
            np.mean(
                [
                    p.expression
                    for p in promoters.values()
                    if sum(p.sequence[n] != LAC_WILD_TYPE[n] for n in changed) >= 2
                ]
            )
        )

    boxes = [mean(range(39, 45)), mean(range(63, 69))]
    assert max(boxes) < 0.7 * mean(range(45, 60))


def library(shares: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sequences and bins: of those in bin b, a share of the boxes' bases is changed."""
    wild_type = np.array([LETTERS[letter] for letter in LAC_WILD_TYPE])
    bases = np.tile(wild_type, (PER_BIN * len(shares), 1))
    seen = np.zeros((len(bases), len(shares)), dtype=int)
    for bin_, share in enumerate(shares):
        rows = slice(PER_BIN * bin_, PER_BIN * (bin_ + 1))
        seen[rows, bin_] = 1
        changed = rng.random((PER_BIN, 75)) < share
        bases[rows][changed] = (bases[rows][changed] + 1) % 4
    return bases, seen


def test_bins_that_go_from_dark_to_bright_pass_and_others_are_noticed() -> None:
    rng = np.random.default_rng(0)
    falling = np.linspace(0.4, 0.08, 9)
    check_bins(*library(np.concatenate([[falling.mean()], falling]), rng))
    with pytest.raises(ValueError, match="do not fall"):
        check_bins(*library(np.concatenate([[falling.mean()], falling[::-1]]), rng))
    with pytest.raises(ValueError, match="unlike the library"):
        check_bins(*library(np.concatenate([[0.45], falling]), rng))


def test_without_the_package_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, fresh_cache: None
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingData, match=r"mavenn, which is not installed.*pip install --no-deps mavenn"):
        load_lac_promoters()


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"x,ct_0\n", mtime=0)[:-4], gzip.compress(b"x,y\n1,2\n", mtime=0)],
)
def test_a_damaged_table_says_how_to_get_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_cache: None, content: bytes
) -> None:
    file = tmp_path / "examples" / "datasets" / "sortseq_data.csv.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    spec = ModuleSpec("mavenn", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(MissingData, match=r"is not as it was.*pip install --no-deps mavenn") as refused:
        load_lac_promoters()
    assert refused.value.file == file
