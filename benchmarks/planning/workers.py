"""The other end of ``peers/wire.py``: one process that chooses, asked over its standard input and output."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from benchmarks.planning.methods import ROOT, Method
from benchmarks.planning.sets import PlanningSet, encode

__all__ = ["Worker", "WorkerFailed", "write_pool"]

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)
"""Matrices of a hundred rows lose time to more, and one core is what every method can count on."""


class WorkerFailed(Exception):
    """A worker answered with an error, or ended."""


def write_pool(chosen: PlanningSet, folder: Path) -> Path:
    """Write what peers need to know of a set; returns the set's folder."""
    own = folder / chosen.name
    own.mkdir(parents=True, exist_ok=True)
    columns = [
        {
            "name": c.name,
            "values": list(c.values),
            "table": {k: list(v) for k, v in c.table.items()},
            "derived": c.derived,
        }
        for c in chosen.columns
    ]
    # both are renamed into place, so that nobody beside this reads half of one
    with tempfile.TemporaryDirectory(dir=own) as draft:
        np.save(Path(draft) / "points.npy", encode(chosen.columns))
        (Path(draft) / "columns.json").write_text(json.dumps(columns))
        for name in ("points.npy", "columns.json"):
            (Path(draft) / name).replace(own / name)
    return own


class Worker:
    """A running worker; a context manager.

    Args:
        method: started at once.
        log: takes what it prints.
    """

    def __init__(self, method: Method, log: Path) -> None:
        self.method = method
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as stream:
            self._process = subprocess.Popen(
                method.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                cwd=ROOT,
                env=os.environ | ONE_THREAD,
            )
        self._log = log

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; harmless when it has ended."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            # where it ended first, that is what is wanted
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def open(self, chosen: PlanningSet, pool: Path, seed: int) -> None:
        """Begin a campaign; what was told before is forgotten."""
        self._say(
            {
                "do": "open",
                "set": chosen.name,
                "folder": str(pool),
                "seed": seed,
                "budget": chosen.protocol.budget,
                "batch": chosen.protocol.batch,
                "outcomes": len(chosen.outcomes),
            }
        )

    def tell(self, rows: Sequence[int], merits: np.ndarray) -> None:
        """Say what was measured."""
        self._say({"do": "tell", "rows": [int(r) for r in rows], "merits": merits.tolist()})

    def ask(self, n: int) -> dict[str, Any]:
        """The reply to an ask: rows, seconds, peak_mb, intervals."""
        return self._say({"do": "ask", "n": n})

    def predict(self, rows: Sequence[int]) -> list[list[float] | None] | None:
        """Intervals; None from a method that gives none."""
        found: list[list[float] | None] | None = self._say({"do": "predict", "rows": [int(r) for r in rows]})[
            "intervals"
        ]
        return found

    def _say(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # one that has ended is told by the answer that does not come
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise WorkerFailed(f"the worker of {self.method.name} ended; see {self._log}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise WorkerFailed(reply["error"])
        return reply
