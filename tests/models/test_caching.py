import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from models.caching import Cache, cache_folder, key_of


def counted(calls: list[int]):
    def compute(index: int) -> np.ndarray:
        calls.append(index)
        return np.arange(4, dtype=np.float32) + index

    return compute


KEYS = [key_of("a"), key_of("b"), key_of("c")]


def test_what_is_there_is_not_computed_again(tmp_path: Path) -> None:
    calls: list[int] = []
    first = Cache(tmp_path / "made").filled(KEYS[:2], counted(calls))
    again = Cache(tmp_path / "made").filled(KEYS, counted(calls))
    assert calls == [0, 1, 2]
    np.testing.assert_array_equal(again[:2], first)


def test_keys_differ_where_parts_do_however_they_are_cut() -> None:
    assert len({key_of("ab", "c"), key_of("a", "bc"), key_of("abc"), key_of("ab", b"c", ""), key_of()}) == 5
    assert key_of("ab", "c") == key_of(b"ab", b"c")


def test_a_damaged_entry_is_computed_again(tmp_path: Path) -> None:
    cache, calls = Cache(tmp_path), list[int]()
    whole = cache.filled(KEYS, counted(calls))
    assert cache.path is not None
    with closing(sqlite3.connect(cache.path)) as file, file:
        file.execute("UPDATE entries SET content = zeroblob(16) WHERE key = ?", (KEYS[1],))
    np.testing.assert_array_equal(cache.filled(KEYS, counted(calls)), whole)
    assert calls == [0, 1, 2, 1]
    cache.filled(KEYS, counted(calls))
    assert len(calls) == 4


@pytest.mark.parametrize("content", [b"", b"not a database at all, " * 100])
def test_a_damaged_file_is_begun_anew(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    cache, calls = Cache(tmp_path), list[int]()
    assert cache.path is not None
    cache.path.write_bytes(content)
    cache.filled(KEYS, counted(calls))
    cache.filled(KEYS, counted(calls))
    assert calls == [0, 1, 2]
    assert bool(content) == ("is damaged" in caplog.text)
    assert bool(content) == cache.path.with_suffix(".damaged").exists()


def test_a_folder_that_cannot_be_written_to_costs_time_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    calls: list[int] = []
    found = Cache(tmp_path / "file" / "folder").filled(KEYS, counted(calls))
    assert found.shape == (3, 4)
    assert "Nothing is kept in the cache" in caplog.text


def test_past_its_limit_the_oldest_entries_go(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit_bytes=100)
    keys = [key_of(str(i)) for i in range(20)]
    for key in keys:
        cache.write({key: np.zeros(4)})
    kept = cache.read(keys)
    assert 3 <= len(kept) <= 6
    assert list(keys[-len(kept) :]) == [key for key in keys if key in kept]


def test_what_was_computed_before_an_error_is_kept(tmp_path: Path) -> None:
    def broken(index: int) -> np.ndarray:
        if index == 2:
            raise KeyboardInterrupt
        return np.zeros(4)

    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path).filled(KEYS, broken)
    assert set(Cache(tmp_path).read(KEYS)) == set(KEYS[:2])


def test_a_long_computation_is_kept_as_it_goes(tmp_path: Path) -> None:
    keys = [key_of(str(i)) for i in range(1200)]
    seen: list[int] = []

    def watched(index: int) -> np.ndarray:
        seen.append(len(Cache(tmp_path).read(keys)) if index % 400 == 0 else -1)
        return np.zeros(4)

    Cache(tmp_path).filled(keys, watched)
    assert [n for n in seen if n >= 0] == [0, 0, 500]
    assert len(Cache(tmp_path).read(keys)) == 1200


def test_more_keys_than_one_question_holds_are_found(tmp_path: Path) -> None:
    keys = [key_of(str(i)) for i in range(1700)]
    Cache(tmp_path).write({key: np.array([i]) for i, key in enumerate(keys)})
    found = Cache(tmp_path).read(keys)
    assert [int(found[key][0]) for key in keys] == list(range(1700))


def test_writers_that_share_a_file_lose_nothing(tmp_path: Path) -> None:
    keys = [[key_of(str(worker), str(i)) for i in range(20)] for worker in range(4)]
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(write_one_by_one, tmp_path, own) for own in keys]
        for future in futures:
            future.result()
    assert len(Cache(tmp_path).read([key for own in keys for key in own])) == 80


def write_one_by_one(folder: Path, keys: list[bytes]) -> None:
    for key in keys:
        Cache(folder).write({key: np.zeros(4)})


def test_without_a_folder_nothing_is_kept() -> None:
    calls: list[int] = []
    for _ in range(2):
        Cache(None).filled(KEYS, counted(calls))
    assert calls == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"DRYWET_CACHE": "/own"}, Path("/own")),
        ({"DRYWET_CACHE": "OFF"}, None),
        ({"XDG_CACHE_HOME": "/caches"}, Path("/caches/drywet")),
        ({}, Path.home() / ".cache" / "drywet"),
    ],
)
def test_the_folder_is_the_users_choice(environment: dict[str, str], folder: Path | None) -> None:
    assert cache_folder(environment) == folder
