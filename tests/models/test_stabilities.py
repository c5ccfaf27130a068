"""The protein that the closed loop is judged on stays out of what the general score is fitted to."""

import csv
from pathlib import Path

import pytest

from benchmarks import stabilities
from benchmarks.development_sets import residual_activities
from digital_twin.biology.protein_g import GB1_WILD_TYPE

BARNASE = "AQVINTFDGVADYLQTYHKLPDNYITKSEAQALGWVASKGNLADVAPGKSIGGDIFSNREG"
COLUMNS = (
    *("uniprot_id", "pdb_id", "pdb_id_corrected", "protein_name", "sequence", "pdb_sequence"),
    *("pdb_position", "wild_type", "mutation", "ddG"),
)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty collection in the published format."""
    monkeypatch.setattr(stabilities, "DATA", tmp_path)
    folder = tmp_path / "stability_ddg"
    folder.mkdir()
    for part in ("train", "val", "test", "HF"):
        with (folder / f"fireprot_{part}.csv").open("w", newline="") as file:
            csv.writer(file).writerow(COLUMNS)
    return folder


def add(folder: Path, accession: str, chain: str, new: str = "A", ddg: float = 1.0, name: str = "") -> None:
    row = (accession, "", "", name, chain, chain, 3, chain[3], new, ddg)
    with (folder / "fireprot_val.csv").open("a", newline="") as file:
        csv.writer(file).writerow(row)


def test_protein_g_and_l_are_dropped_by_name_and_accession(published: Path) -> None:
    add(published, "P00648", BARNASE)
    add(published, "P06654", GB1_WILD_TYPE)
    add(published, "X1", GB1_WILD_TYPE[:40], name="Immunoglobulin G-binding protein G")
    add(published, "Q51912", stabilities.SEQUENCES["protein L"])
    assert {s.protein for s in stabilities.substitutions()} == {"P00648"}


@pytest.mark.parametrize("chain", [GB1_WILD_TYPE[:40], stabilities.SEQUENCES["protein L"][5:50]])
def test_under_another_name_they_are_found_by_their_sequence(published: Path, chain: str) -> None:
    add(published, "P00648", BARNASE)
    add(published, "X1", chain)
    with pytest.raises(ValueError, match="still among the stabilities"):
        stabilities.substitutions()


def test_a_substitution_measured_often_counts_once_with_its_median(published: Path) -> None:
    for ddg in (0.5, 4.0, 1.0):
        add(published, "P00648", BARNASE, ddg=ddg)
    (only,) = stabilities.substitutions()
    assert only.ddg_kcal_per_mol == 1.0


def test_a_costly_substitution_leaves_less_of_a_pool_of_residual_activities(published: Path) -> None:
    add(published, "P00648", BARNASE, new="A", ddg=3.0)
    add(published, "P00648", BARNASE, new="V", ddg=-1.0)
    pool = residual_activities(stabilities.substitutions(), "P00648")
    assert [c.id for c in pool.candidates] == ["I4A", "I4V"]
    assert pool.values[0] < 0.01 < 0.5 < pool.values[1] < 1.0
    assert [c.sequence[3] for c in pool.candidates] == ["A", "V"]
