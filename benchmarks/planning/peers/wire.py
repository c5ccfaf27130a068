"""What every worker speaks: JSON lines, one request in and one reply out.

| request | reply |
|---|---|
| ``{"do": "open", "set": name, "folder": where the pool lies, "seed": 3, "budget": 100, "batch": 5}`` | ``{}`` |
| ``{"do": "tell", "rows": [7, 19], "merits": [[0.3], [1.2]]}`` | ``{}`` |
| ``{"do": "ask", "n": 5}`` | ``{"rows": [...], "intervals": [[0.1, 0.9], null], "seconds": 0.02, ...}`` |
| ``{"do": "predict", "rows": [...]}`` | ``{"intervals": [[0.1, 0.9], ...]}``, or null where nothing can be said |

Merits are turned so that larger is better, one for each outcome. An ask is timed on the clock (``seconds``) and on the
processor (``cpu_s``), and says the process's peak memory (``peak_mb``). A request that fails is answered with
``{"error": sentence}``. The folder holds ``points.npy`` (N x d, unit cube) and ``columns.json`` (name, values, table and
derived of each, as ``sets.Column``). Only numpy is imported here: the file runs in every peer's environment. What libraries
print to standard output goes to standard error.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

__all__ = ["Chooser", "Interval", "Opened", "serve"]

Interval = tuple[float, float] | None
"""Holds the true merit with a probability of 95 %; None where none is given."""


@dataclass(frozen=True)
class Opened:
    """One campaign, as a worker is told of it.

    Args:
        set: its name.
        folder: holds points and columns.
        outcomes: 1, or 2 where the goal is a Pareto set.
    """

    set: str
    folder: Path
    seed: int
    budget: int
    batch: int
    outcomes: int

    @property
    def points(self) -> np.ndarray:
        """N x d, unit cube."""
        found: np.ndarray = np.load(self.folder / "points.npy")
        return found

    @property
    def columns(self) -> list[dict[str, Any]]:
        """Name, values and table of each parameter."""
        found: list[dict[str, Any]] = json.loads((self.folder / "columns.json").read_text())
        return found


class Chooser(Protocol):
    """One method in one campaign."""

    def tell(self, rows: Sequence[int], merits: np.ndarray) -> None:
        """Rows that were measured, and n x outcomes."""
        ...

    def ask(self, n: int) -> tuple[list[int], list[Interval]]:
        """n rows that were not measured yet, and an interval for each; none at all from methods that give none."""
        ...

    def predict(self, rows: Sequence[int]) -> list[Interval] | None:
        """Intervals of rows; None from methods that give none."""
        ...


def serve(make: Callable[[Opened], Chooser]) -> None:
    """Answer requests until there are no more."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    chooser: Chooser | None = None
    for line in sys.stdin:
        request = json.loads(line)
        reply: dict[str, Any]
        try:
            if request["do"] == "open":
                chooser = make(_opened(request))
                reply = {}
            elif chooser is None:
                reply = {"error": "nothing was opened"}
            else:
                reply = _answer(chooser, request)
        except Exception as error:  # noqa: BLE001 - whatever a peer raises is this run's result, and goes on record
            traceback.print_exc()
            reply = {"error": f"{type(error).__name__}: {error}"[:500]}
        out.write(json.dumps(reply) + "\n")
        out.flush()


def _opened(request: dict[str, Any]) -> Opened:
    return Opened(
        set=request["set"],
        folder=Path(request["folder"]),
        seed=request["seed"],
        budget=request["budget"],
        batch=request["batch"],
        outcomes=request["outcomes"],
    )


def _answer(chooser: Chooser, request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == "tell":
        chooser.tell(request["rows"], np.array(request["merits"], dtype=np.float64))
        return {}
    if request["do"] == "ask":
        begun, worked = time.perf_counter(), time.process_time()
        rows, intervals = chooser.ask(request["n"])
        return {
            "rows": [int(row) for row in rows],
            "intervals": intervals,
            "seconds": time.perf_counter() - begun,
            "cpu_s": time.process_time() - worked,
            "peak_mb": _peak_mb(),
        }
    if request["do"] == "predict":
        return {"intervals": chooser.predict(request["rows"])}
    return {"error": f"no such request: {request['do']}"}


def _peak_mb() -> float:
    """Peak resident set of this process, as Linux counts it since the program began; elsewhere since the fork."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
