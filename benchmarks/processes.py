"""What programs take of the processor, by kind: read from /proc once a second, for as long as a block lasts."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["KINDS", "Cores"]

KINDS = ("service and campaign", "console", "browsers' pages", "browsers' drawing and the rest", "who clicks")

EVERY_S = 1.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Cores:
    """Processor cores in use while the block lasts, by kind of program.

    Args:
        roots: processes beside this one, which is the service: the console's, and the one that has opened browsers.

    Attributes:
        used: after the block; 1.0 is one core for all of it.
    """

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = dict(roots)
        self._first: dict[int, float] = {}
        self._last: dict[int, tuple[str, float]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self.used: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for pid, (_, used_s) in self._now().items():
            self._first[pid] = used_s
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._last.update(self._now())
        took = time.monotonic() - self._began
        for pid, (name, used_s) in self._last.items():
            # What began meanwhile has used all that it has used meanwhile.
            self.used[name] = self.used.get(name, 0.0) + (used_s - self._first.get(pid, 0.0)) / took

    def _look_on(self) -> None:
        while not self._over.wait(EVERY_S):
            self._last.update(self._now())

    def _now(self) -> dict[int, tuple[str, float]]:
        """Kind and processor seconds of each process."""
        parents, used = _processes()
        found = {os.getpid(): (KINDS[0], used[os.getpid()])}
        for kind, root in self._roots.items():
            for pid in _family(root, parents):
                if kind == "console":
                    found[pid] = (KINDS[1], used[pid])
                else:
                    found[pid] = (_browser_kind(pid), used[pid])
        return found


def _processes() -> tuple[dict[int, int], dict[int, float]]:
    """Parent and processor seconds of every process."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        parents[int(folder.name)] = int(words[1])
        used[int(folder.name)] = (int(words[11]) + int(words[12])) / TICKS_PER_S
    return parents, used


def _family(root: int, parents: Mapping[int, int]) -> set[int]:
    found = {root} & set(parents)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _browser_kind(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return KINDS[3]
    if "--type=renderer" in command:
        return KINDS[2]
    return KINDS[3] if "chrom" in command.split("\0")[0] else KINDS[4]
