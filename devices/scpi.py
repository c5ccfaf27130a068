"""What instruments that speak SCPI have in common: IEEE 488.2 messages, and the queue of errors.

A setting has no answer of its own, so each is sent together with the question for the oldest error
(``:SENSe:AVERage:COUNt 3;:SYSTem:ERRor?``), and what is taken is known before the next one is sent. (SCPI-1999, volume 1,
section 7.2.1 on compound messages, and volume 2, section 21.8 on ``SYSTem:ERRor?``; IEEE 488.2-1992, section 10.)
"""

from __future__ import annotations

import re

from devices.identity import Identity, origin_of
from devices.transport import Framing
from lab.errors import InstrumentBusy, InstrumentError, NonsenseReply

__all__ = ["ASK_ERROR", "ScpiDialect", "identity_of", "numbers", "telling"]

ASK_ERROR = ";:SYSTem:ERRor?"

_ERROR = re.compile(r'([+-]?\d{1,6}),\s*"([^"]*)"', re.ASCII)
_BUSY = -213
"""Init ignored: a measurement is under way."""


def telling(setting: str) -> str:
    """A setting, and the question whether it was taken."""
    return setting + ASK_ERROR


class ScpiDialect:
    """Answers of any SCPI instrument.

    Args:
        framing: of its lines.
        fine: numbers of the queue that are no error on this make.
    """

    def __init__(self, framing: Framing, *, fine: frozenset[int] = frozenset({0})) -> None:
        self.framing = framing
        self._fine = fine

    def payload(self, request: str, reply: str) -> str:
        """The answer; empty where a setting was taken.

        Raises:
            InstrumentBusy: -213; nothing was begun.
            InstrumentError: the instrument has an error in its queue.
            NonsenseReply: no answer of a SCPI instrument, or control characters in it.
        """
        text = reply.strip()
        if not text or not text.isprintable():
            raise NonsenseReply(f"{reply[:40]!r} is no answer to {request!r}.")
        if not request.endswith(ASK_ERROR):
            return text
        error = _ERROR.fullmatch(text)
        if error is None:
            raise NonsenseReply(f"{reply[:40]!r} is no answer to {request!r}.")
        if int(error[1]) in self._fine:
            return ""
        asked = request.removesuffix(ASK_ERROR)
        kind = InstrumentBusy if int(error[1]) == _BUSY else InstrumentError
        raise kind(f"error {error[1]} to {asked}: {error[2]}.")

    def pick(self, payload: str, name: str) -> str:
        """Answers hold one value."""
        raise NonsenseReply(f"{payload!r} has no {name}.")


def identity_of(answer: str) -> Identity:
    """Who answers ``*IDN?``: maker, model, serial number and firmware.

    Raises:
        NonsenseReply: not these four fields.
    """
    fields = [field.strip() for field in answer.split(",")]
    if len(fields) != 4 or not all(fields):
        raise NonsenseReply(f"{answer[:60]!r} does not say who it is.")
    vendor, model, serial, firmware = fields
    return Identity(vendor=vendor, model=model, serial=serial, firmware=firmware, origin=origin_of(serial))


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


def numbers(answer: str, count: int) -> list[float]:
    """The numbers of an answer in ASCII format.

    Args:
        count: of those that must be there: an answer that was cut off is no shorter spectrum.

    Raises:
        NonsenseReply: others, or no numbers. 9.91E+37 and 9.9E+37, which stand for "not a number" and "infinity" in SCPI,
            are none.
    """
    texts = [text.strip() for text in answer.split(",")]
    if len(texts) != count:
        raise NonsenseReply(f"{len(texts)} numbers came, not {count}.")
    for text in texts:
        if _NUMBER.fullmatch(text) is None or abs(float(text)) > 9.8e37:
            raise NonsenseReply(f"{text[:40]!r} is no measured number.")
    return [float(text) for text in texts]
