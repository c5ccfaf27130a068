"""Are the files of a SQLite store still where they were when it was opened?

SQLite keeps its files open. Where somebody deletes, moves or replaces them, it goes on writing to files without a name, and
all of that is gone when the program ends. So each transaction that writes compares, before and after (some microseconds):
what is on the disk when a call returns is to be found there afterwards, too.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from lab.errors import StoreUnusable

__all__ = ["Whereabouts"]

_SUFFIXES = ("", "-wal", ".lock")
"""The database, its write-ahead log, and the side file that keeps a second program away (:mod:`lab.store.locks`)."""

_MOST_COPIES = 100


class Whereabouts:
    """Device and inode of a store's files, as they were first seen.

    Args:
        store: path of the database.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._files: dict[str, tuple[int, int]] = {}
        self._saved = ""
        self._held = True

    def connected_anew(self) -> None:
        """The connection was made anew: whoever closes a database takes its write-ahead log away and makes another."""
        self._files.pop("-wal", None)
        # SQLite makes a new file where there is none.
        self._held = self._held and self._files.get("") == _identity(self._store)

    def check(self, connection: sqlite3.Connection) -> None:
        """See that all is in its place.

        Args:
            connection: outside any transaction; where something is gone, it still holds what was written, and that is saved.

        Raises:
            StoreUnusable: a file was moved, deleted or replaced.
        """
        for suffix in _SUFFIXES:
            path = Path(f"{self._store}{suffix}")
            found = _identity(path)
            if found is None and suffix not in self._files:
                continue  # The log is made by the first transaction.
            if found is None or self._files.setdefault(suffix, found) != found:
                raise self._lost(path, connection)

    def _lost(self, path: Path, connection: sqlite3.Connection) -> StoreUnusable:
        what = f"{path}: this file was deleted, moved or replaced while the store was open."
        if path.suffix == ".lock":
            return StoreUnusable(
                f"{what} Another program may write to the store.",
                way_out="See that none does, then go on with: drywet resume",
            )
        failure = self._save(connection)
        if failure:
            return StoreUnusable(
                f"{what} What was written could not be saved beside it ({failure}).",
                way_out="Put the file back where it was (with the one that ends in -wal), then: drywet resume",
            )
        return StoreUnusable(
            f"{what} All that was written is saved in {self._saved}.",
            way_out=f"Delete {self._store.name}, {self._store.name}-wal and {self._store.name}-shm where they are left, "
            f"give the saved file the name {self._store.name}, then go on with: drywet resume",
        )

    def _save(self, connection: sqlite3.Connection) -> str:
        """Copy what the connection holds to beside where the file was; gives why that failed, empty where it did not."""
        if self._saved:
            return ""
        if not self._held:
            return "the program had opened it anew meanwhile"
        for number in range(1, _MOST_COPIES + 1):
            copy = self._store.with_name(f"{self._store.name}.saved-{number}")
            if copy.exists():
                continue
            try:
                connection.execute("VACUUM INTO ?", (str(copy),))
            except sqlite3.Error as error:
                return str(error)
            self._saved = str(copy)
            return ""
        return "there are too many copies"


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
