"""Long computations for whoever looks on, in a program of their own: one at a time, at low priority, each done once.

A fit in this program would hold Python's one lock for seconds, and the loops that carry runs out would stall. The program
is started when somebody asks, ends when nobody has for a while, and ends with this one, however this one ends.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import signal
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from lab.errors import BadInput, DrywetError

__all__ = ["Thinker"]

log = logging.getLogger("drywet.service")

LIMIT_S = 600.0
"""Wall time that one computation may take."""

IDLE_S = 300.0
"""Wall time after the last question at which the program ends, and gives its memory back."""

MOST_OPEN = 8
"""Questions that may wait for their turn."""

MOST_KEPT = 64
"""Answers that are kept."""

MOST_WAITING = 6
"""Of those who ask, how many may wait for the answer at a time, each in a thread of the service."""

Work = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why a question has no answer, as it comes from the other program."""

    reason: str
    way_out: str = ""
    field: str = ""


class Thinker:
    """Answers questions, the same one once. Any thread.

    Args:
        work: question -> answer, both of which can be pickled, found by its name in a module.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()
        self._open: dict[Hashable, Future[Any]] = {}
        self._questions: queue.SimpleQueue[tuple[Hashable, Any, Future[Any]] | None] = queue.SimpleQueue()
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._program: _Program | None = None
        self._closed = False

    def ask(self, key: Hashable, question: Callable[[], Any], wait_s: float) -> Any:
        """The answer; None while it is being worked out, or waits for its turn. Ask again then.

        Args:
            key: the same for the same question.
            question: made only where the answer is not known.
            wait_s: wall time that the answer may take; not waited for where many others wait already.

        Raises:
            BadInput: there is no answer.
            DrywetError: it could not be worked out.
        """
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return _told(self._answers[key])
            future = self._open.get(key)
        if future is None:
            future = self._begin(key, question())
        if future is None:
            return None
        if wait_s > 0.0 and not future.done() and self._waiting.acquire(blocking=False):
            try:
                with suppress(TimeoutError, CancelledError):
                    future.exception(wait_s)
            finally:
                self._waiting.release()
        if future.cancelled():
            raise BadInput("The service is shutting down.")
        return _told(future.result()) if future.done() else None

    def _begin(self, key: Hashable, question: Any) -> Future[Any] | None:
        with self._lock:
            if self._closed:
                raise BadInput("The service is shutting down.")
            if key in self._answers:
                found: Future[Any] = Future()
                found.set_result(self._answers[key])
                return found
            if key in self._open:
                return self._open[key]
            if len(self._open) >= MOST_OPEN:
                return None
            future = self._open[key] = Future()
            self._questions.put((key, question, future))
        self.open()
        return future

    def open(self) -> None:
        """Wait for questions; the first question does so as well. Safe to repeat."""
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._keep_thinking, name="thinker", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Think no more; what waits is cancelled. Safe to repeat."""
        with self._lock:
            self._closed = True
            thread, program = self._thread, self._program
            self._questions.put(None)
        if program is not None:
            program.kill()
        if thread is not None:
            thread.join()

    def _keep_thinking(self) -> None:
        try:
            while (entry := self._next()) is not None:
                key, question, future = entry
                try:
                    answer = self._asked(question)
                except Exception as error:  # noqa: BLE001  whoever asked is told
                    self._done(key)
                    if self._closed:
                        future.cancel()
                        return
                    future.set_exception(error)
                else:
                    self._done(key, answer)
                    future.set_result(answer)
        finally:
            self._give_up()

    def _next(self) -> tuple[Hashable, Any, Future[Any]] | None:
        """The next question; None where nothing more is asked. When there is none for long, the other program ends."""
        while True:
            try:
                entry = self._questions.get(timeout=IDLE_S if self._program else None)
            except queue.Empty:
                self._end_program()
                continue
            return None if self._closed else entry

    def _asked(self, question: Any) -> Any:
        with self._lock:
            if self._closed:
                raise CancelledError
            if self._program is None:
                self._program = _Program(self._work)
            program = self._program
        try:
            return program.ask(question)
        except _Gone:
            self._end_program()
            raise

    def _done(self, key: Hashable, *answer: Any) -> None:
        with self._lock:
            self._open.pop(key, None)
            for one in answer:
                self._answers[key] = one
            while len(self._answers) > MOST_KEPT:
                self._answers.popitem(last=False)

    def _give_up(self) -> None:
        self._end_program()
        with self._lock:
            left = list(self._open.values())
        for future in left:
            future.cancel()

    def _end_program(self) -> None:
        with self._lock:
            program, self._program = self._program, None
        if program is not None:
            program.end()


def _told(answer: Any) -> Any:
    if isinstance(answer, _Refused):
        raise BadInput(answer.reason, way_out=answer.way_out, field=answer.field)
    return answer


class _Gone(DrywetError):
    """The other program ended, or was ended, before it answered."""


class _Program:
    """The other program. Ends when its pipe does, so also when this one is killed."""

    def __init__(self, work: Work) -> None:
        ours, theirs = multiprocessing.Pipe()
        self._pipe = ours
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_serve, args=(theirs, work), name="thinker", daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, question: Any) -> Any:
        """Its answer, or that it refused.

        Raises:
            DrywetError: it failed, took too long, or ended.
        """
        try:
            self._pipe.send(question)
            if not self._pipe.poll(LIMIT_S):
                raise _Gone(f"It was not worked out within {LIMIT_S:.0f} s, and was given up.")
            failed, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise _Gone("The program that was working it out ended.") from error
        if failed:
            log.error("What was asked could not be worked out.\n%s", answer)
            raise DrywetError("It could not be worked out; the log of the service says why.")
        return answer

    def kill(self) -> None:
        """End it, in the midst of whatever it does. From any thread; who waits for an answer is told."""
        self._process.kill()

    def end(self) -> None:
        """End it, and let go of it. From the thread that asks."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(pipe: Connection, work: Work) -> None:
    """What the other program does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who stops the service stops this one by ending its pipe
    os.nice(10)
    while True:
        try:
            question = pipe.recv()
        except (EOFError, OSError):
            return
        answer: tuple[bool, Any]
        try:
            answer = False, work(question)
        except BadInput as wrong:
            answer = False, _Refused(wrong.reason, wrong.way_out, wrong.field or "")
        except Exception:  # noqa: BLE001  told to who asked, and written to their log
            answer = True, traceback.format_exc()
        try:
            pipe.send(answer)
        except OSError:
            return
