"""Tokens: secrets made here, shown once, and kept as a hash only."""

from __future__ import annotations

import hashlib
import secrets

from lab.people import TokenKind

__all__ = ["hashed", "make_calendar_secret", "make_secret"]

_BYTES = 32


def make_secret(kind: TokenKind) -> str:
    """A fresh token: ``drywet_session_...`` or ``drywet_api_...`` and 256 bits of chance."""
    return f"drywet_{kind}_{secrets.token_urlsafe(_BYTES)}"


def make_calendar_secret() -> str:
    """What stands in somebody's own address of the calendar."""
    return secrets.token_urlsafe(_BYTES)


def hashed(secret: str) -> str:
    """What is kept of a token. A plain SHA-256 is enough, as nobody could go through 2^256 guesses."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
