"""Where replicates and controls go."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import Infeasible
from protocols.plate_layout import column_major, scatter, wells_from_the_middle


def ring(well: str) -> int:
    row, column = ord(well[0]) - ord("A"), int(well[1:]) - 1
    return min(row, 7 - row, column, 11 - column)


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 12), min_size=1, max_size=8), seed=st.integers(0, 2**32 - 1))
def test_every_group_gets_its_wells_and_no_well_serves_twice(sizes: list[int], seed: int) -> None:
    groups = scatter(sizes, rows=8, columns=12, rng=np.random.default_rng(seed))
    assert [len(group) for group in groups] == sizes
    wells = [well for group in groups for well in group]
    assert len(set(wells)) == len(wells)


@settings(max_examples=60, deadline=None)
@given(groups=st.integers(1, 30), replicates=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_groups_of_one_size_have_one_well_in_each_zone(groups: int, replicates: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = scatter([replicates] * groups, rows=8, columns=12, rng=rng)
    order = wells_from_the_middle(8, 12, np.random.default_rng(seed))[: groups * replicates]
    zone = {well: rank // groups for rank, well in enumerate(order)}
    for group in found:
        assert sorted(zone[well] for well in group) == list(range(replicates))


def test_the_rim_stays_empty_while_there_is_room_within() -> None:
    groups = scatter([3] * 12 + [4, 4], rows=8, columns=12, rng=np.random.default_rng(0))
    assert min(ring(well) for group in groups for well in group) == 1


def test_a_full_plate_uses_every_well() -> None:
    groups = scatter([3] * 28 + [6, 6], rows=8, columns=12, rng=np.random.default_rng(0))
    assert len({well for group in groups for well in group}) == 96


def test_on_a_full_plate_no_group_is_alone_with_the_rim() -> None:
    rng = np.random.default_rng(3)
    on_rim = Counter[int]()
    for _ in range(50):
        for group in scatter([3] * 32, rows=8, columns=12, rng=rng):
            on_rim[sum(ring(well) == 0 for well in group)] += 1
    # 36 of 96 wells are on the rim; by chance alone one group in twenty would have all three of its wells there.
    assert on_rim[3] == 0
    assert on_rim[0] == 0


def test_a_seed_gives_one_layout_and_another_seed_another() -> None:
    def draw(seed: int) -> tuple[tuple[str, ...], ...]:
        return scatter([3] * 12, rows=8, columns=12, rng=np.random.default_rng(seed))

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_more_wells_than_the_plate_has_are_refused_with_both_numbers() -> None:
    with pytest.raises(Infeasible, match="97 wells, and has 96"):
        scatter([90, 7], rows=8, columns=12, rng=np.random.default_rng(0))


def test_column_major_is_how_eight_channels_go() -> None:
    assert column_major(["A10", "B2", "H1", "A2", "A1"]) == ("A1", "H1", "A2", "B2", "A10")
