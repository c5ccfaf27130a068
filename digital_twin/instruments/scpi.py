"""What twins that speak SCPI share: headers in long and short form, compound messages, the queue of errors."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Awaitable, Callable

__all__ = ["Handler", "ScpiError", "ScpiModel"]

QUEUE = 20
"""Errors that are kept; the last of a full queue says that there were more."""

Handler = Callable[[str], Awaitable[str | None]]
"""Takes what stands behind a header; gives the answer of a question, None of a setting."""


class ScpiError(Exception):
    """An error for the queue.

    Args:
        number, text: as SCPI has them.
    """

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f'{number},"{text}"')


class ScpiModel:
    """A parser of messages over handlers. Implements :class:`devices.transport.LineInstrument` for a twin.

    Args:
        handlers: by header as manuals write it, ``:SENSe:AVERage:COUNt`` or ``*IDN?``; brackets stand for what may be left
            out.
    """

    def __init__(self, handlers: dict[str, Handler]) -> None:
        self._handlers = [(_pattern(header), handler) for header, handler in handlers.items()]
        self._handlers.append((_pattern(":SYSTem:ERRor[:NEXT]?"), self._next_error))
        self._errors: deque[str] = deque()

    async def reply(self, line: str) -> str:
        """Answers of one message, joined as the standard says; nothing but settings give an empty line.

        A real instrument sends nothing there; the driver always asks something with a setting, so it can't tell.
        """
        answers: list[str] = []
        for unit in filter(None, (part.strip() for part in line.split(";"))):
            try:
                answer = await self._carry_out(unit)
            except ScpiError as error:
                self.fail(str(error))
                continue
            if answer is not None:
                answers.append(answer)
        return ";".join(answers)

    def fail(self, error: str) -> None:
        """Put an error into the queue."""
        if len(self._errors) == QUEUE:
            self._errors[-1] = '-350,"Queue overflow"'
        else:
            self._errors.append(error)

    def clear(self) -> None:
        """Forget all errors."""
        self._errors.clear()

    async def _carry_out(self, unit: str) -> str | None:
        header, _, arguments = unit.partition(" ")
        for pattern, handler in self._handlers:
            if pattern.fullmatch(header):
                return await handler(arguments.strip())
        raise ScpiError(-113, "Undefined header")

    async def _next_error(self, arguments: str) -> str:
        return self._errors.popleft() if self._errors else '0,"No error"'


def _pattern(header: str) -> re.Pattern[str]:
    """A header as manuals write it, in its short and its long form and nothing between."""
    query = header.endswith("?")
    parts = re.findall(r"\[:(\w+)\]|:?(\*?\w+)", header.removesuffix("?"))
    pattern = ""
    for optional, needed in parts:
        word = optional or needed
        short = re.escape("".join(c for c in word if not c.islower()))
        node = f":?(?:{short}|{re.escape(word.upper())})"
        pattern += f"(?:{node})?" if optional else node
    return re.compile(pattern + (r"\?" if query else ""), re.IGNORECASE)
