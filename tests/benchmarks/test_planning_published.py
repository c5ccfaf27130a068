"""What the loaders read, held against figures that others published or that were worked out apart; needs ../shared/data."""

import numpy as np
import pytest

from benchmarks.planning import published
from benchmarks.planning.sets import encode, load
from benchmarks.stabilities import DATA

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the published measurements are not beside the repository"
)


def test_edbo_s_runs_come_to_what_the_paper_says():
    runs = published.edbo()
    assert runs.shape == (50, 100)
    assert runs[:, 49].mean() == pytest.approx(99.8, abs=0.05)
    first = np.argmax(runs >= 99.0, axis=1) + 1
    assert first.mean() == pytest.approx(25.2, abs=0.05)


def test_people_keep_their_best_when_they_stop():
    runs = published.people()
    assert runs[:, 49].mean() == pytest.approx(94.2, abs=0.05)
    assert (np.diff(runs, axis=1) >= 0).all()


def test_the_published_share_of_crossed_barrels_is_of_thirty():
    runs = published.crossed_barrel()
    assert runs[:, 49].mean() == pytest.approx(0.322, abs=5e-4)
    assert runs[:, 99].mean() == pytest.approx(0.591, abs=5e-4)


def test_folde_counts_top_tenths_by_round():
    hits = published.folde(published.TEM1["FolDE (Firnberg set)"])
    assert list(hits) == [16, 32, 48]
    assert hits[48] == pytest.approx(19.6)


@pytest.mark.parametrize(
    ("name", "n", "best"),
    [
        ("crossed_barrel", 600, 46.71),
        ("p3ht", 178, None),
        ("direct_arylation", 1728, 100.0),
        ("tem1", 4996, None),
    ],
)
def test_a_set_has_a_value_and_a_point_for_every_candidate(name, n, best):
    found = load(name)
    assert len(found.candidates) == len(found.outcomes[0].values) == len(encode(found.columns)) == n
    assert len({c.id for c in found.candidates}) == n
    assert np.isfinite(found.merits).all()
    if best is not None:
        assert found.merits.max() == pytest.approx(best, abs=0.01)


def test_a_substitution_stands_in_its_candidate_where_its_name_says():
    found = load("tem1_window_2")
    parent = found.parent
    for candidate in found.candidates[:200]:
        changed = [i for i, (a, b) in enumerate(zip(parent, candidate.sequence, strict=True)) if a != b]
        assert len(changed) == 1
        assert candidate.id[0] == parent[changed[0]]
        assert candidate.id[-1] == candidate.sequence[changed[0]]


def test_descriptors_keep_the_distances_of_ligands():
    columns = {c.name: c for c in load("direct_arylation_dft").columns}
    table = np.array(list(columns["ligand"].table.values()))
    assert table.shape == (12, 11)
    # in the order of what they explain, about their mean
    assert (np.diff(table.std(axis=0)) <= 1e-12).all()
    assert np.abs(table.mean(axis=0)).max() < 1e-9
