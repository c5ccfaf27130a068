"""Ways in which an answer on a wire can be bad, and how an answer of each protocol is made so."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["HANG_UP", "LINE", "Bad", "Shape", "Step", "number_in", "spoilt"]

HANG_UP = None

Step = bytes | float | None
"""Bytes to send, seconds of lab time to wait, or hanging up."""

FLOOD_BYTES = 300_000
LATE_S = (1.0, 400.0)
"""Between what most answers have and what hardly any has."""


class Bad(StrEnum):
    """Kinds of bad answers."""

    TRUNCATED = "truncated"
    LATE = "late"
    DUPLICATE = "duplicate"
    CHECKSUM = "wrong checksum"
    OUT_OF_RANGE = "out of range"
    UNICODE = "unicode"
    FLOOD = "flood"
    NOISE = "noise"
    SILENCE = "silence"
    HUNG_UP = "hung up"
    OTHER_DIGIT = "other digit"
    """Of a protocol without a checksum, on which nothing shows it."""


IMPOSSIBLE = (b"999999.9", b"-999999.9", b"nan", b"inf", b"1e30", b"1e999", b"9" * 25)
"""In place of a number: what no instrument of a lab measures."""

_DECIMAL = re.compile(rb"[-+]?\d+\.\d+")
_WHOLE = re.compile(rb"(?<![\w.])[-+]?\d+(?![\w.])")


def number_in(text: bytes, rng: random.Random) -> tuple[int, int] | None:
    """Where one of the numbers of a text stands; those with a point before all others."""
    found = list(_DECIMAL.finditer(text)) or list(_WHOLE.finditer(text))
    return rng.choice(found).span() if found else None


def _impossible(text: bytes, rng: random.Random) -> bytes | None:
    place = number_in(text, rng)
    return None if place is None else text[: place[0]] + rng.choice(IMPOSSIBLE) + text[place[1] :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a protocol wraps what it says.

    Args:
        unwrap: a whole answer, as it was written -> what it says.
        wrap: what it should say, and the answer that this is made from -> a whole answer whose length and sum are right.
        guarded: whether a sum over the answer is sent with it; bytes (from, to) of an answer that it is over.
        impossible: another text in which a number is past all that there is; None where there is none.
    """

    unwrap: Callable[[bytes], bytes]
    wrap: Callable[[bytes, bytes], bytes]
    guarded: Callable[[bytes], tuple[int, int] | None] = lambda raw: None
    impossible: Callable[[bytes, random.Random], bytes | None] = _impossible


def _ended(raw: bytes) -> bytes:
    return raw[len(raw.rstrip(b"\r\n\x03 ")) :] or b"\r\n"


LINE = Shape(
    unwrap=lambda raw: raw.removesuffix(_ended(raw)),
    wrap=lambda text, raw: text + _ended(raw),
)
"""A text and the end of its line."""


def spoilt(
    kind: Bad, raw: bytes, shape: Shape, rng: random.Random, *, before: Sequence[bytes] = ()
) -> Sequence[Step] | None:
    """What comes in place of a good answer; None where this one can't be bad in that way.

    Args:
        raw: the good answer.
        before: answers that were given before it.
    """
    match kind:
        case Bad.TRUNCATED:
            cut = rng.randrange(1, len(raw)) if len(raw) > 1 else 0
            return [raw[:cut]] if cut else None
        case Bad.LATE:
            low, high = LATE_S
            return [low * (high / low) ** rng.random(), raw]
        case Bad.DUPLICATE:
            return [raw, rng.choice((0.0, 0.001, 0.02)), raw]
        case Bad.FLOOD:
            unit = rng.choice((b"9", b"\x00", b"?\r\n", raw))
            return [unit * (FLOOD_BYTES // len(unit) + 1)]
        case Bad.NOISE:
            return [bytes(rng.randrange(256) for _ in range(rng.randrange(1, 40))) + _ended(raw)]
        case Bad.SILENCE:
            return []
        case Bad.HUNG_UP:
            return [raw[: rng.randrange(len(raw))], HANG_UP]
    return _rewritten(kind, raw, shape, rng)


def _rewritten(kind: Bad, raw: bytes, shape: Shape, rng: random.Random) -> Sequence[Step] | None:
    text = shape.unwrap(raw)
    guard = shape.guarded(raw)
    match kind:
        case Bad.CHECKSUM:
            if guard is None:
                return None
            at = rng.randrange(*guard)
            return [raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(7)]) + raw[at + 1 :]]
        case Bad.OUT_OF_RANGE:
            other = shape.impossible(text, rng)
            return None if other is None else [shape.wrap(other, raw)]
        case Bad.UNICODE:
            return [shape.wrap(_in_unicode(text, rng), raw)]
        case Bad.OTHER_DIGIT:
            place = number_in(text, rng) if guard is None else None
            if place is None:
                return None
            digits = [at for at in range(*place) if text[at : at + 1].isdigit()]
            at = rng.choice(digits)
            other_digit = rng.choice([d for d in b"0123456789" if d != text[at]])
            return [shape.wrap(text[:at] + bytes([other_digit]) + text[at + 1 :], raw)]
    raise AssertionError(kind)


def _in_unicode(text: bytes, rng: random.Random) -> bytes:
    """A letter, digit or blank as it looks in another script, or a sign that has no place there."""
    said = text.decode("latin-1")
    digits = [at for at, sign in enumerate(said) if sign.isascii() and sign.isdigit()]
    if digits and rng.random() < 0.7:
        at = rng.choice(digits)
        wide = chr(ord("０") + int(said[at]))
        return (said[:at] + wide + said[at + 1 :]).encode()
    at = rng.randrange(len(said) + 1)
    return (said[:at] + rng.choice("°µ\u00a0\ufeff−") + said[at:]).encode()
