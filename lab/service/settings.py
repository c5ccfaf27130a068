"""What the service is told about where it stands; values only, read by the program around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lab.notices import Channel
from lab.service.login_rules import LoginRules

__all__ = ["Standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a service stands.

    Args:
        names: host names that it answers to.
        console: address of the console, the one other origin that may ask for a stop, and what links point to.
        beside: folder beside the store, for settings and traces.
        version: of drywet.
        channels: over which people are told.
        login: how people log in.
    """

    names: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
    console: str = "http://localhost:8501"
    beside: Path = Path(".drywet")
    version: str = ""
    channels: tuple[Channel, ...] = ()
    login: LoginRules = field(default_factory=LoginRules)
