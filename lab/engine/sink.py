"""Bluesky documents to the store, without ever blocking or failing the run engine."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from lab.interfaces import Document
from lab.store import Store

__all__ = ["DocumentSink"]


class DocumentSink:
    """Takes documents from the run engine and writes them in a thread of its own.

    The run engine's callback only queues. When a write fails, :attr:`failure` holds the error and the next
    ``step_begin`` holds the run; nothing queued is thrown away.

    Args:
        store: where documents go.
        run_id: whose documents these are.
        stretch: of the run.
    """

    def __init__(self, store: Store, run_id: str, stretch: int) -> None:
        self._store = store
        self._run_id = run_id
        self._stretch = stretch
        self._queue: queue.SimpleQueue[Document | None] = queue.SimpleQueue()
        self.failure: Exception | None = None
        self.unwritten: list[Document] = []
        self._thread = threading.Thread(target=self._write_all, name=f"documents-{run_id}", daemon=True)
        self._thread.start()

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """The run engine's subscriber."""
        self._queue.put((name, document))

    def close(self) -> None:
        """Write what is queued and end the thread.

        Raises:
            Exception: what the writer failed with, if it failed.
        """
        self._queue.put(None)
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _write_all(self) -> None:
        open_ = True
        while open_:
            waiting = [self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get())
            open_ = None not in waiting
            self._write([document for document in waiting if document is not None])

    def _write(self, documents: Sequence[Document]) -> None:
        self.unwritten.extend(documents)
        if self.failure is not None or not self.unwritten:
            return
        try:
            self._store.append_documents(self._run_id, self._stretch, self.unwritten)
        except Exception as error:  # noqa: BLE001  Whatever it is, the run engine must not see it; the next step_begin does.
            self.failure = error
        else:
            self.unwritten = []
