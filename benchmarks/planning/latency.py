"""How long one ask takes on pools of 5,000 and 150,000 candidates, and what memory the process that asks needs.

Each method and pool has a process of its own: 95 experiments drawn at random are told, five are asked for, and again with
other experiments, :data:`ASKS` times. The first ask of a process, which also imports and encodes, is given apart.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from benchmarks.planning.harness import file_name
from benchmarks.planning.methods import Method
from benchmarks.planning.sets import TIMING, load
from benchmarks.planning.workers import Worker, WorkerFailed, write_pool

__all__ = ["ASKS", "measure", "table"]

ASKS = 20
FILE = "latency.json"


def measure(method: Method, name: str, folder: Path, asks: int = ASKS) -> dict[str, Any]:
    """Seconds of every ask and the peak memory of one method on one pool."""
    chosen = load(name)
    pool = write_pool(chosen, folder / "pools")
    found: dict[str, Any] = {"method": method.name, "pool": name, "n": len(chosen.candidates)}
    cpu_s, clock_s, peak_mb = [], [], 0.0
    with Worker(method, folder / "logs" / f"{file_name(method)}.log") as worker:
        try:
            for seed in range(asks):
                worker.open(chosen, pool, seed)
                rows = chosen.first_rows(seed).tolist()
                worker.tell(rows, chosen.merits[rows])
                reply = worker.ask(chosen.protocol.batch)
                cpu_s.append(reply["cpu_s"])
                clock_s.append(reply["seconds"])
                peak_mb = reply["peak_mb"]
        except WorkerFailed as failed:
            found["error"] = str(failed)
    return found | {
        "cpu_s": cpu_s,
        "clock_s": clock_s,
        "peak_mb": peak_mb,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": os.getloadavg()[0],
    }


def keep(found: dict[str, Any], folder: Path) -> None:
    """Put a measurement in the place of an older one of the same method and pool."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE
    old = json.loads(file.read_text()) if file.is_file() else []
    rest = [x for x in old if (x["method"], x["pool"]) != (found["method"], found["pool"])]
    file.write_text(json.dumps([*rest, found], indent=1))


def table(folder: Path) -> str:
    """Markdown of everything that was measured."""
    file = folder / FILE
    if not file.is_file():
        return "Nothing was timed yet."
    every = json.loads(file.read_text())
    lines = [
        "# One ask of 5 with 95 measured",
        "",
        machine(),
        "",
        "Processor seconds, threads limited to one; on a quiet machine they are the seconds on the clock.",
    ]
    for name in TIMING:
        own = [x for x in every if x["pool"] == name]
        if own:
            lines += ["", f"## {name}, {own[0]['n']:,} candidates", "", *_rows(own)]
    return "\n".join(lines)


def _rows(own: Sequence[dict[str, Any]]) -> list[str]:
    lines = ["| method | asks | first, s | median, s | p95, s | peak MB |", "|---|---|---|---|---|---|"]
    for x in sorted(own, key=lambda x: np.median(x["cpu_s"]) if x["cpu_s"] else np.inf):
        if not x["cpu_s"]:
            lines.append(f"| {x['method']} | 0 | {x['error']} | | | |")
            continue
        # the first ask stands apart, unless it is the only one
        rest = x["cpu_s"][1:] or x["cpu_s"]
        lines.append(
            f"| {x['method']} | {len(x['cpu_s'])} | {x['cpu_s'][0]:.2f} | {np.median(rest):.3f} | "
            f"{np.quantile(rest, 0.95):.3f} | {x['peak_mb']:.0f} |"
        )
    return lines
