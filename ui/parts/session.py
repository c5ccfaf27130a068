"""Who is logged in: the token of a browser's session, kept in this process and found again after a reload.

The browser holds a random identifier in a cookie that scripts can't read and other sites can't send. What it stands for is
kept here, in memory: the token of the lab service never reaches the browser.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from dataclasses import dataclass, field

import streamlit as st

from lab.client import Client

__all__ = ["COOKIE", "KEPT", "Kept", "Sessions", "lab_of", "service_url"]

COOKIE = "drywet_console"

KEPT_S = 16 * 3600.0
"""Wall time for which a browser is known without anything being done; the service ends sessions by its own rules."""

ONCE_S = 60.0
"""Wall time in which a fresh login must be fetched by its browser."""


def service_url() -> str:
    """Address of the lab service, as ``drywet console`` was told."""
    return os.environ.get("DRYWET_CONSOLE_SERVICE", "http://127.0.0.1:8517")


@st.cache_resource(scope="session", max_entries=1, on_release=Client.close, show_spinner=False)
def lab_of(url: str, token: str) -> Client:
    """The lab service in somebody's name: one client, with its connection, for as long as a window is open."""
    return Client(url, token)


@dataclass(slots=True)
class Kept:
    """A browser that is logged in."""

    token: str
    used: float = field(default_factory=time.monotonic)


class Sessions:
    """Browsers that are logged in, and logins that wait to be fetched by theirs. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}
        self._once: dict[str, Kept] = {}

    def offer(self, token: str) -> str:
        """A word, good once and for a minute, for which a browser gets its cookie."""
        word = secrets.token_urlsafe(24)
        with self._lock:
            self._forget_old()
            self._once[word] = Kept(token)
        return word

    def fetch(self, word: str) -> str | None:
        """The identifier for the cookie; None for a word that is no longer good."""
        with self._lock:
            self._forget_old()
            offered = self._once.pop(word, None)
            if offered is None:
                return None
            identifier = secrets.token_urlsafe(32)
            self._kept[identifier] = Kept(offered.token)
            return identifier

    def token_of(self, identifier: str) -> str:
        """The token of a browser; empty where it is not logged in."""
        with self._lock:
            self._forget_old()
            kept = self._kept.get(identifier)
            if kept is None:
                return ""
            kept.used = time.monotonic()
            return kept.token

    def forget(self, identifier: str) -> None:
        """Log a browser out."""
        with self._lock:
            self._kept.pop(identifier, None)

    def _forget_old(self) -> None:
        now = time.monotonic()
        self._kept = {name: one for name, one in self._kept.items() if now - one.used < KEPT_S}
        self._once = {name: one for name, one in self._once.items() if now - one.used < ONCE_S}


KEPT = Sessions()
"""Of this process."""
