"""The server's own patience: who begins to speak and does not come to the point must not keep a place for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Patient"]

HEAD_S = 20.0
"""Wall time in which the head of a request must be here, from the connection or from its first byte on."""


class Patient(H11Protocol):
    """Speaks HTTP with one client, and ends the connection where the head of a request takes longer than :data:`HEAD_S`.

    The body has a limit of its own (:class:`lab.service.arriving.SizeLimit`); so has a connection that is kept and silent.
    """

    _until: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Somebody is there."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Somebody says something."""
        super().data_received(data)
        if self._at_work:
            self._done()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Somebody went."""
        self._done()
        super().connection_lost(exc)

    @property
    def _at_work(self) -> bool:
        cycle: Any = self.cycle  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _wait(self) -> None:
        if self._until is None:
            self._until = self.loop.call_later(HEAD_S, self._give_up)

    def _done(self) -> None:
        if self._until is not None:
            self._until.cancel()
            self._until = None

    def _give_up(self) -> None:
        self._until = None
        if not self._at_work and not self.transport.is_closing():
            self.transport.close()
