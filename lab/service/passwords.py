"""Passwords: what may be one, and the hash that is kept of it (argon2id)."""

from __future__ import annotations

import threading
import unicodedata
from dataclasses import dataclass

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from lab.errors import BadInput

__all__ = ["LONGEST", "SHORTEST", "Passwords", "Verdict", "refuse_weak"]

SHORTEST = 12
"""Characters. Length is what makes guessing hopeless; nobody is asked for a digit and a sign."""
LONGEST = 512
_FEWEST_DIFFERENT = 5
_FEWEST_BESIDE = 8
"""Characters beside one's own name."""
_AT_ONCE = 4
"""Hashes computed at a time; each takes 64 MiB."""


def refuse_weak(password: str, *names: str) -> None:
    """Refuse a password that could be guessed.

    Args:
        names: what whoever it is for is called; none of it may be the most of the password.

    Raises:
        BadInput: too short, too long, too few different characters, or a name.
    """
    text = _normal(password)
    problem = ""
    if len(text) < SHORTEST:
        problem = f"A password has {SHORTEST} characters or more."
    elif len(text) > LONGEST:
        problem = f"A password has {LONGEST} characters at most."
    elif len(set(text)) < _FEWEST_DIFFERENT:
        problem = f"A password has {_FEWEST_DIFFERENT} different characters or more."
    elif any(_left_without(text, name) < _FEWEST_BESIDE for name in names if len(name) > 2):
        problem = "A password isn't one's own name with a little added."
    if problem:
        raise BadInput(problem, way_out="Four words that don't belong together do.", field="password")


def _left_without(password: str, name: str) -> int:
    text, part = password.casefold(), _normal(name).casefold()
    return len(text.replace(part, "")) if part in text else len(text)


def _normal(text: str) -> str:
    """One way to write what keyboards and systems write in several."""
    return unicodedata.normalize("NFC", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a password is right.

    Args:
        renewed: a stronger hash to keep of it; empty where that which is kept will do.
    """

    right: bool
    renewed: str = ""


class Passwords:
    """Makes and checks hashes. Any thread.

    Args:
        hasher: argon2id with its parameters; by default those of RFC 9106 for machines with little memory.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(type=Type.ID)
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._nobodys = self._hasher.hash("nobody's")

    def hash(self, password: str) -> str:
        """What is kept of a password."""
        with self._room:
            return self._hasher.hash(_bytes(password))

    def check(self, kept: str, password: str) -> Verdict:
        """Whether a password is the one of which this hash was kept.

        Args:
            kept: empty for nobody, or for somebody who has none: that takes as long, and is never right.
        """
        with self._room:
            try:
                self._hasher.verify(kept or self._nobodys, _bytes(password)[: 4 * LONGEST])
            except (VerificationError, InvalidHashError):
                return Verdict(right=False)
            if not kept:
                return Verdict(right=False)
            weak = self._hasher.check_needs_rehash(kept)
            return Verdict(right=True, renewed=self._hasher.hash(_bytes(password)) if weak else "")


def _bytes(password: str) -> bytes:
    return _normal(password).encode("utf-8", "surrogatepass")
