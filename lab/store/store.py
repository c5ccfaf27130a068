"""The store as the rest of drywet sees it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from lab.store import faults, health, schema
from lab.store.amendments import Amendments
from lab.store.approvals import Approvals
from lab.store.audit import Audit
from lab.store.campaigns import Campaigns
from lab.store.database import Database
from lab.store.engines import read_url
from lab.store.journal import Journal
from lab.store.material import Material
from lab.store.notices import Notices
from lab.store.orders import Orders
from lab.store.people import People
from lab.store.quarantine import Quarantine
from lab.store.records import Fact
from lab.store.runs import Runs
from lab.store.schedules import Schedules
from lab.store.submissions import Submissions
from lab.store.tallies import Tallies
from lab.store.tokens import Tokens

__all__ = ["Store"]


class Store(
    Campaigns,
    Tallies,
    Amendments,
    Runs,
    Material,
    Orders,
    Quarantine,
    Journal,
    Submissions,
    Schedules,
    Notices,
    Approvals,
    People,
    Tokens,
    Audit,
):
    """Campaigns, batches, runs, samples, the step journal, results and documents, in SQLite or PostgreSQL.

    What a call has written is on the disk when it returns, all of it or nothing. Calls may come from any thread. One
    program writes at a time; any number may read beside it. A method that cannot reach its disk or server raises
    :class:`lab.errors.StoreUnusable`; the store can be used again once the cause is gone, except after a lost connection to
    a server, which wants a fresh start.

    Example:
        >>> import tempfile, pathlib
        >>> with Store.open(pathlib.Path(tempfile.mkdtemp()) / "lab.db") as store:
        ...     store.campaigns()
        ()
    """

    @classmethod
    def open(cls, where: str | Path, *, read_only: bool = False) -> Store:
        """Open a store, and create it or bring it up to date where that is needed.

        Args:
            where: path of a SQLite file (its folder is made), ``sqlite:///path``, or ``postgresql://user:password@host/name``.
            read_only: for looking: changes nothing, and works while another program writes.

        Raises:
            StoreUnusable: unwritable, full, locked, newer, no store at all, unreachable, or in another program's hands.
        """
        return cls(Database(read_url(where), read_only=read_only))

    @property
    def url(self) -> str:
        """Where it is, for messages: the path of the file, or the URL without its password."""
        return faults.name_of(self._database.url)

    @property
    def read_only(self) -> bool:
        """Whether it was opened for looking."""
        return self._database.read_only

    def check(self) -> tuple[Fact, ...]:
        """What ``drywet doctor`` says of it.

        Raises:
            StoreUnusable: it can no longer be read.
        """
        return health.look(self._database)

    @property
    def revision(self) -> str:
        """Of its tables, as migrations count them."""
        return schema.HEAD

    @property
    def kind(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return str(self._database.url.get_backend_name())

    def copy_to(self, path: Path) -> None:
        """Put one moment of it into a file that is not there yet; others read and write meanwhile.

        Raises:
            StoreUnusable: it can't be read, or the file can't be written.
        """
        self._database.copy_to(path)

    def see_writable(self) -> None:
        """Write a line and take it back, to see whether what comes next could be kept.

        Raises:
            StoreUnusable: it could not.
        """
        health.try_out(self._database)

    def close(self) -> None:
        """Let go of file or server, and of the right to write. Safe to repeat."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
