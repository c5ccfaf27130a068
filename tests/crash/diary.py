"""What the harness saw with its own eyes: a line of JSON for each thing, in a file that outlives whoever is killed."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

__all__ = ["Diary", "read_diary"]


class Diary:
    """Append-only. One ``write`` a line, so that a line is there or not, and never half.

    Args:
        path: of the file.
        stage: which process of the case this is, counted from 1.
    """

    def __init__(self, path: Path, stage: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._stage = stage
        self._lock = threading.Lock()

    def note(self, what: str, **details: Any) -> None:
        """Write one line."""
        line = json.dumps({"stage": self._stage, "what": what, **details}) + "\n"
        with self._lock:
            os.write(self._file, line.encode())


def read_diary(path: Path) -> list[dict[str, Any]]:
    """All lines, in order; none where nothing was written yet."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]
