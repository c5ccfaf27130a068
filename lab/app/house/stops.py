"""Who was asked to stop, in a file beside the store: a stop holds where the store could not be told of it, too."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.app.control import write_whole

__all__ = ["QUEUE", "Stops"]

log = logging.getLogger("drywet.stop")

QUEUE = "queue"
"""Stands among the campaigns for all that waits to begin, when everything was stopped."""


class Stops:
    """Campaigns that somebody asked to stop and nobody has resumed since. Any thread.

    Args:
        file: that keeps them over the end of the program; made when it is needed.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._turn = threading.Lock()
        self._stops = _kept_in(file)
        self._asked: list[str] = []

    @property
    def mark(self) -> int:
        """This moment, for :meth:`since`."""
        return len(self._asked)

    def since(self, mark: int) -> Mapping[str, str]:
        """Who was asked to stop after a moment, and why."""
        with self._turn:
            return {one: self._stops[one] for one in self._asked[mark:] if one in self._stops}

    def add(self, campaigns: Iterable[str], reason: str) -> None:
        """Keep that they were asked to stop. Where the file can't be written the stop goes on all the same."""
        chosen = list(campaigns)
        with self._turn:
            self._asked += chosen
            self._keep({**self._stops, **dict.fromkeys(chosen, reason)})

    def forget(self, campaigns: Iterable[str]) -> None:
        """They go on, or the store knows."""
        with self._turn:
            gone = set(campaigns)
            self._keep({one: why for one, why in self._stops.items() if one not in gone})

    def read(self) -> Mapping[str, str]:
        """Identifier of each campaign -> why it was asked to stop."""
        with self._turn:
            return dict(self._stops)

    def _keep(self, stops: dict[str, str]) -> None:
        self._stops = stops
        try:
            if stops:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self._file, dict(stops))
            else:
                self._file.unlink(missing_ok=True)
        except OSError as failed:
            log.error("Who was asked to stop can't be kept: %s", failed)


def _kept_in(file: Path) -> dict[str, str]:
    try:
        written = json.loads(file.read_text(encoding="utf-8"))
        return {str(one): str(why) for one, why in written.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as unreadable:
        log.error("Who was asked to stop can't be read: %s", unreadable)
        return {}
