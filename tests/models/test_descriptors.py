from pathlib import Path

import numpy as np
import pytest

import models
from lab.errors import BadInput, MissingData
from lab.interfaces import Encoder
from lab.types import Candidate, ModelChoice

TABLE = """ligand,smiles,bite_angle,cone_angle,charge,date
# measured at 298 K
PPh3,c1ccccc1P,90.0,145,0,2020-01-01

XPhos,CC(C),100,170,0,2020-01-02
PCy3,C1CCCCC1P,110.0,170,0,2020-01-03
"""


def made(folder: Path, table: str = TABLE, **settings: object) -> Encoder:
    (folder / "ligands.csv").write_text(table, encoding="utf-8")
    choice = ModelChoice(
        name="descriptors",
        settings={"file": "ligands.csv", "value": "ligand", **settings},
        folder=str(folder),
    )
    found = models.model(choice)
    assert isinstance(found, Encoder)
    return found


def ligands(*levels: object) -> list[Candidate]:
    return [Candidate(id=f"c{i}", values={"ligand": level}) for i, level in enumerate(levels)]


def test_columns_that_are_numbers_and_vary_are_kept_at_one_variance_together(tmp_path: Path) -> None:
    encoded = made(tmp_path).encode(ligands("PPh3", "XPhos", "PCy3", "XPhos"))
    angles = np.array([[90, 145], [100, 170], [110, 170], [100, 170]])
    expected = (angles - angles[:3].mean(axis=0)) / angles[:3].std(axis=0) / np.sqrt(2)
    np.testing.assert_allclose(encoded, expected)
    assert encoded[:3].var(axis=0).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("written", ["1,90\n2,100\n", "1.0,90\n2.00,100\n"])
def test_levels_that_are_numbers_are_found_however_they_are_written(tmp_path: Path, written: str) -> None:
    encoded = made(tmp_path, f"name,angle\n{written}").encode(ligands(1.0, 2, 1))
    assert encoded[:, 0].tolist() == [-1.0, 1.0, -1.0]


def test_a_quote_that_is_never_closed_is_told_and_swallows_no_rows(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="can't be read: unexpected end of data") as refused:
        made(tmp_path, 'name,angle,bite\nu,90,1\nv,100,"2\nw,110,3\n')
    assert refused.value.line == 4


def wide_table(levels: int = 5, columns: int = 40) -> str:
    numbers = np.random.default_rng(3).normal(size=(levels, columns)).round(6)
    heading = ",".join(["name", *(f"d{i}" for i in range(columns))])
    rows = [",".join([f"L{row}", *map(str, cells)]) for row, cells in enumerate(numbers)]
    return "\n".join([heading, *rows])


def test_principal_axes_keep_every_distance_if_there_are_enough_of_them(tmp_path: Path) -> None:
    table = wide_table()
    levels = ligands(*(f"L{i}" for i in range(5)))
    columns, axes = (made(tmp_path, table, **n).encode(levels) for n in ({}, {"components": 7}))
    assert (columns.shape, axes.shape) == ((5, 40), (5, 4))
    far = [np.linalg.norm(x[:, None] - x[None], axis=2) for x in (columns, axes)]
    np.testing.assert_allclose(*far, atol=1e-9)


def test_fewer_axes_are_those_that_explain_most(tmp_path: Path) -> None:
    table = wide_table()
    levels = ligands(*(f"L{i}" for i in range(5)))
    every, first = (made(tmp_path, table, components=n).encode(levels) for n in (4, 2))
    np.testing.assert_array_equal(first, every[:, :2])
    assert (np.diff(every.var(axis=0)) < 0).all()


def test_the_card_names_the_table_by_its_content(tmp_path: Path) -> None:
    one = made(tmp_path).card
    other = made(tmp_path, TABLE.replace("90.0", "91.0")).card
    assert one.source == other.source == "ligands.csv"
    assert one.version != other.version
    assert one.weights_sha256.startswith(one.version)


def test_the_key_may_be_any_column_and_levels_may_be_numbers(tmp_path: Path) -> None:
    encoder = made(tmp_path, "length,id,bulk\n1.5,7,2\n2.5,8,2\n", key="id")
    np.testing.assert_allclose(encoder.encode(ligands(7, "8"))[:, 0], [-1.0, 1.0])


def test_a_level_that_the_table_does_not_describe_is_named_with_the_likely_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no row for 'Xphos', the ligand of candidate c1") as refusal:
        made(tmp_path).encode(ligands("PPh3", "Xphos"))
    assert refusal.value.way_out == "Did you mean 'XPhos'?"


def test_a_candidate_without_the_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="bare has no value 'ligand'"):
        made(tmp_path).encode([Candidate(id="bare", values={"base": "KOAc"})])


@pytest.mark.parametrize(
    ("table", "settings", "said"),
    [
        ("", {}, "is empty"),
        ("ligand,a\nPPh3,1\n", {}, "No column tells the 1 rows of descriptors apart"),
        ("ligand,a,b\nPPh3,1,x\nPCy3,1,y\n", {}, "No column tells the 2 rows"),
        ("ligand,a\nPPh3,1\nPPh3,2\n", {}, "line 3: PPh3 has two rows"),
        ("ligand,a\nPPh3,1,2\n", {}, "line 2: This row has 3 cells, the heading has 2"),
        (TABLE, {"key": "ligands"}, "no column 'ligands'. Did you mean 'ligand'"),
        (TABLE, {"components": 0}, "at least 1"),
        (TABLE, {"file": 3}, "file"),
    ],
)
def test_a_table_or_settings_that_make_no_sense_are_refused(
    tmp_path: Path, table: str, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        made(tmp_path, table, **settings)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ligands.xlsx").write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(BadInput, match="is no text"):
        made(tmp_path, file="ligands.xlsx")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"no file of descriptors .*solvents\.csv"):
        made(tmp_path, file="solvents.csv")
