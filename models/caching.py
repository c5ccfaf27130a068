"""What a pretrained model has computed, kept in a file, so that the next ask does not compute it again.

One SQLite file under ``$XDG_CACHE_HOME/drywet`` (``~/.cache/drywet``), or in the folder that ``DRYWET_CACHE`` names;
``DRYWET_CACHE=off`` keeps nothing. A key is a hash of all that the numbers depend on: the weights, the input, the settings.
Each entry carries a checksum; one that is damaged counts as absent, and a damaged file is put aside and begun anew. When
entries together pass the limit, those that were written first go. Whoever deletes the file loses time, nothing else.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

__all__ = ["LIMIT_BYTES", "Cache", "cache_folder", "key_of"]

LIMIT_BYTES = 2_000_000_000
"""Of the numbers kept; the file is somewhat larger."""

_LOG = logging.getLogger(__name__)

_AT_A_TIME = 500


def cache_folder(environment: Mapping[str, str] | None = None) -> Path | None:
    """Where entries are kept; None where nothing is.

    Args:
        environment: that of the process when not given.
    """
    found = os.environ if environment is None else environment
    own = found.get("DRYWET_CACHE", "")
    if own.lower() == "off":
        return None
    if own:
        return Path(own)
    home = found.get("XDG_CACHE_HOME", "")
    return (Path(home) if home else Path.home() / ".cache") / "drywet"


def key_of(*parts: str | bytes) -> bytes:
    """Hash of all that a result depends on."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.digest()


class Cache:
    """Arrays of float32 by key.

    Args:
        folder: made when the first entry is written; None keeps nothing.
        limit_bytes: of all entries together.
    """

    def __init__(self, folder: Path | None, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder, self._limit = folder, limit_bytes

    @property
    def path(self) -> Path | None:
        """The file; None where nothing is kept."""
        return None if self._folder is None else self._folder / "models.sqlite"

    def filled(self, keys: Sequence[bytes], compute: Callable[[int], np.ndarray]) -> np.ndarray:
        """One row a key, from the cache where it is there, else computed and kept.

        Args:
            compute: index into ``keys`` -> the row, float32, all of one length.
        """
        found = self.read(keys)
        fresh: dict[bytes, np.ndarray] = {}
        try:
            for index, key in enumerate(keys):
                if key not in found:
                    found[key] = fresh[key] = np.asarray(compute(index), dtype=np.float32)
                if len(fresh) >= _AT_A_TIME:  # an hour of computing is not lost with the process
                    self.write(fresh)
                    fresh = {}
        finally:  # what was computed before somebody broke it off is not lost
            self.write(fresh)
        return np.stack([found[key] for key in keys])

    def read(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """What is there and whole of what was asked for."""
        path = self.path
        if path is None or not path.is_file() or not keys:
            return {}
        rows: list[tuple[bytes, int, bytes]] = []
        try:
            with closing(sqlite3.connect(path, timeout=10.0)) as file:
                for start in range(0, len(keys), _AT_A_TIME):
                    part = list(keys[start : start + _AT_A_TIME])
                    marks = ",".join("?" * len(part))
                    rows += file.execute(
                        f"SELECT key, checksum, content FROM entries WHERE key IN ({marks})", part
                    )
        except sqlite3.OperationalError as error:  # busy, or not to be opened: not damaged
            _LOG.warning("The cache %s can't be read: %s", path, error)
            return {}
        except sqlite3.DatabaseError as error:
            self._put_aside(path, error)
            return {}
        return {
            key: np.frombuffer(content, np.float32)
            for key, checksum, content in rows
            if zlib.crc32(content) == checksum
        }

    def write(self, rows: Mapping[bytes, np.ndarray]) -> None:
        """Keep rows, all or none of them."""
        path = self.path
        if path is None or not rows:
            return
        contents = {key: row.astype(np.float32).tobytes() for key, row in rows.items()}
        entries = [(key, zlib.crc32(content), content) for key, content in contents.items()]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(path, timeout=10.0)) as file, file:
                file.execute(
                    "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, checksum INTEGER, content BLOB)"
                )
                file.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", entries)
                self._shrink(file)
        except (OSError, sqlite3.OperationalError) as error:
            _LOG.warning("Nothing is kept in the cache %s: %s", path, error)
        except sqlite3.DatabaseError as error:
            self._put_aside(path, error)

    def _shrink(self, file: sqlite3.Connection) -> None:
        """Delete what was written first, until a tenth of the limit is free."""
        (size,) = file.execute("SELECT COALESCE(SUM(LENGTH(content)), 0) FROM entries").fetchone()
        if size <= self._limit:
            return
        for rowid, length in file.execute(
            "SELECT rowid, LENGTH(content) FROM entries ORDER BY rowid"
        ).fetchall():
            if size <= 0.9 * self._limit:
                return
            file.execute("DELETE FROM entries WHERE rowid = ?", (rowid,))
            size -= length

    def _put_aside(self, path: Path, error: sqlite3.DatabaseError) -> None:
        _LOG.warning("The cache %s is damaged (%s); it is begun anew.", path, error)
        path.replace(path.with_suffix(".damaged"))
