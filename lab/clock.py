"""Lab time: one asyncio loop that every device, twin and run engine of a process shares.

On a twin the loop is virtual: its selector, asked to block until the next timer, moves the loop's time there instead.
Work outside the loop (a planner's fit, a database write) holds the clock, so results do not depend on the machine's speed.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from lab.errors import ClockStalled

__all__ = ["HOLD_LIMIT_S", "LabClock"]

T = TypeVar("T")

HOLD_LIMIT_S = 600.0
"""Wall-clock seconds that one hold may last before waiting work is told that the clock is stalled."""


class _Selector(selectors.BaseSelector):
    """The platform's selector, whose blocking waits are handed to the clock."""

    def __init__(self, clock: LabClock) -> None:
        self._real = selectors.DefaultSelector()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        return self._clock._idle(timeout, self._real.select)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Any:
        return self._real.get_map()


class _Loop(asyncio.SelectorEventLoop):
    """A selector loop that tells the clock's time."""

    def __init__(self, clock: LabClock) -> None:
        self._lab_clock = clock
        super().__init__(_Selector(clock))

    def time(self) -> float:
        return self._lab_clock.now()


class LabClock:
    """The loop, its time, and who may move it. Implements :class:`lab.interfaces.Clock`.

    Args:
        virtual: jump to the next timer when nothing is ready; only for workcells whose every device is in process.
        pace: virtual seconds per wall second; None is as fast as the machine goes. Ignored on wall time.
        start_s: lab time to begin at (a resumed twin goes on where its ledger ends).
        hold_limit_s: wall seconds one hold may last.
    """

    def __init__(
        self,
        *,
        virtual: bool,
        pace: float | None = None,
        start_s: float = 0.0,
        hold_limit_s: float = HOLD_LIMIT_S,
    ) -> None:
        self.virtual = virtual
        self._pace = pace
        self._now = start_s
        self._wall_zero = time.monotonic() - start_s
        self._hold_limit_s = hold_limit_s
        self._lock = threading.Lock()
        self._holds: dict[int, tuple[str, float]] = {}
        self._next_hold = 0
        self._urgent = 0
        self._quiet: list[Callable[[], None]] = []
        self.stalled: ClockStalled | None = None
        self.loop: asyncio.AbstractEventLoop = _Loop(self)
        self.thread = threading.Thread(target=self._run, name="lab-clock", daemon=True)

    def start(self) -> LabClock:
        """Run the loop in a thread of its own."""
        self.thread.start()
        return self

    def close(self) -> None:
        """Stop the loop, cancel what still waits on it, and end its thread."""
        if self.thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._cancel_all(), self.loop).result()
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()
        self.loop.close()

    def __enter__(self) -> LabClock:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.close()

    def now(self) -> float:
        """Lab time in seconds."""
        return self._now if self.virtual else time.monotonic() - self._wall_zero

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop from another thread and wait for it.

        Raises:
            ClockStalled: lab time was held for too long by something else.
        """
        try:
            return asyncio.run_coroutine_threadsafe(work, self.loop).result()
        except CancelledError as cancelled:
            if self.stalled is not None:
                raise self.stalled from cancelled
            raise

    @contextmanager
    def hold(self, what: str) -> Iterator[None]:
        """Keep virtual time from moving while work runs outside the loop."""
        token = self.take_hold(what)
        try:
            yield
        finally:
            self.release_hold(token)

    def take_hold(self, what: str) -> int:
        """A hold that another thread may release; :meth:`hold` is the same as a block."""
        with self._lock:
            self._next_hold += 1
            self._holds[self._next_hold] = (what, time.monotonic())
            return self._next_hold

    def release_hold(self, token: int) -> None:
        """Give a hold back, and let the loop look again."""
        with self._lock:
            self._holds.pop(token, None)
        self._wake()

    @contextmanager
    def urgently(self) -> Iterator[None]:
        """Let time go on whatever holds it: a safe state does not wait for a planner, nor for a database that hangs."""
        with self._lock:
            self._urgent += 1
        self._wake()
        try:
            yield
        finally:
            with self._lock:
                self._urgent -= 1

    def when_quiet(self, callback: Callable[[], None]) -> None:
        """Call back on the loop before time next moves; on wall time, at the next turn of the loop. Loop thread only."""
        if self.virtual:
            self._quiet.append(callback)
        else:
            self.loop.call_soon(callback)

    async def outside(self, what: str, work: Callable[[], T], pool: Any = None) -> T:
        """Run blocking work in a thread while the clock is held; the loop itself goes on."""
        with self.hold(what):
            return await self.loop.run_in_executor(pool, work)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def soon(self, callback: Callable[..., object], *args: object) -> None:
        """Call back on the loop, from any thread; nothing happens once the clock is closed."""
        with suppress(RuntimeError):  # closed, now or while we ask
            self.loop.call_soon_threadsafe(callback, *args)

    def _wake(self) -> None:
        self.soon(lambda: None)

    def _overdue(self) -> tuple[str, float] | None:
        with self._lock:
            oldest = min(self._holds.values(), key=lambda hold: hold[1], default=None)
            urgent = self._urgent > 0
        if oldest is None or urgent:
            return None
        return oldest[0], time.monotonic() - oldest[1]

    def _idle(self, timeout: float | None, block: Callable[[float | None], Any]) -> Any:
        """Nothing is ready: wait for real, or move time to the next timer. Loop thread only."""
        if not self.virtual:
            return block(timeout)
        hold = self._overdue()
        if hold is not None:
            what, lasted_s = hold
            if lasted_s > self._hold_limit_s and self.stalled is None:
                self._stall(what, lasted_s)
                return []
            return block(min(1.0, self._hold_limit_s))
        if self._quiet:
            callbacks, self._quiet = self._quiet, []
            for callback in callbacks:
                self.loop.call_soon(callback)
            return block(0)
        if timeout is None:
            return block(None)
        if self._pace is not None:
            begun = time.monotonic()
            ready = block(timeout / self._pace)
            self._advance(min(timeout, (time.monotonic() - begun) * self._pace))
            return ready
        self._advance(timeout)
        return block(0)

    def _advance(self, by_s: float) -> None:
        """Rounded, so that the sum does not depend on the stops on the way."""
        self._now = round(self._now + by_s, 9)

    def _stall(self, what: str, lasted_s: float) -> None:
        self.stalled = ClockStalled(
            f"{what} has held lab time for {lasted_s:.0f} s of wall time (limit {self._hold_limit_s:.0f} s)."
        )
        for task in asyncio.all_tasks(self.loop):
            task.cancel(str(self.stalled))

    async def _cancel_all(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
