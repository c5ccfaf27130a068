"""What a protocol asks its bench for, and how branches of it take turns."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, TypeVar

from bluesky.utils import Msg

from lab.errors import ActionOutsideStep

__all__ = ["TURN", "Action", "ImaginedResult", "Plan", "in_turns"]

T = TypeVar("T")
Plan = Generator[Msg, Any, T]

TURN = Msg("null", None, "turn")
"""Stands between two actions: where branches take turns. Nobody but :mod:`protocols.scripts` sees it."""


class Action:
    """Something that the bench is asked to do. It is done where the protocol says ``yield from``.

    Args:
        what: name of the method, for messages.
        make: gives the plan when it is asked for.
        line: of the protocol's file that asks for it.
    """

    __slots__ = ("_make", "line", "taken", "what")

    def __init__(self, what: str, make: Callable[[], Plan[Any]], line: int) -> None:
        self.what = what
        self._make = make
        self.line = line
        self.taken = False

    def __iter__(self) -> Iterator[Any]:
        self.taken = True
        return self._make()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self.refusal()

    def __getitem__(self, key: Any) -> Any:
        raise self.refusal()

    def refusal(self) -> ActionOutsideStep:
        """Why it is refused when nobody says ``yield from``."""
        return ActionOutsideStep(
            f"bench.{self.what}(...) in line {self.line} is no step yet. Write: yield from bench.{self.what}(...)"
        )


class ImaginedResult(dict[str, Any]):
    """In place of what an instrument gives back, in a dry run: the same number whatever is asked for."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self._value = value

    def __missing__(self, key: str) -> float:
        return self._value


def in_turns(branches: Sequence[Generator[Msg, Any, Any]]) -> Plan[tuple[Any, ...]]:
    """One action of each branch in turn."""
    results: list[Any] = [None] * len(branches)
    waiting = [(number, iter(branch)) for number, branch in enumerate(branches)]
    while waiting:
        still = []
        for number, branch in waiting:
            try:
                yield from _one_action(branch)
            except _Ended as end:
                results[number] = end.value
            else:
                still.append((number, branch))
        waiting = still
    return tuple(results)


class _Ended(Exception):
    """A branch has ended; not an error."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def _one_action(branch: Any) -> Plan[None]:
    """A branch up to where its next action would begin.

    Raises:
        _Ended: with what it gives back.
    """
    answer: Any = None
    thrown: BaseException | None = None
    while True:
        try:
            msg = branch.send(answer) if thrown is None else branch.throw(thrown)
        except StopIteration as end:
            raise _Ended(end.value) from None
        answer, thrown = None, None
        if msg is TURN:
            yield TURN
            return
        try:
            answer = yield msg
        except GeneratorExit:
            branch.close()
            raise
        except Exception as error:  # noqa: BLE001  whatever is thrown belongs to the branch
            thrown = error
