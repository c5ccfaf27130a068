"""How long ``drywet --help`` takes: wall time of fresh processes.

Run: python -m benchmarks.help_latency
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.machine import keep, machine

RUNS = 20
LIMIT_S = 0.5


def seconds(command: list[str]) -> list[float]:
    """Wall time of each run; one more before them, which may read from a cold disk, is not counted."""
    taken = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - began)
    return taken[1:]


def main() -> None:
    """Print the table; the exit code is 1 when a median is over the limit."""
    drywet = str(Path(sys.executable).parent / "drywet")
    commands = {
        "drywet --help": [drywet, "--help"],
        "drywet run --help": [drywet, "run", "--help"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    taken = {name: seconds(command) for name, command in commands.items()}
    lines = [
        f"Time to answer, wall seconds, {RUNS} fresh processes each; at most {LIMIT_S} is asked for",
        machine(),
        "",
        f"{'':<20} {'median':>8} {'min':>8} {'max':>8}",
    ]
    lines += [
        f"{name:<20} {statistics.median(times):>8.3f} {min(times):>8.3f} {max(times):>8.3f}"
        for name, times in taken.items()
    ]
    keep("help_latency", "\n".join(lines))
    if max(map(statistics.median, taken.values())) > LIMIT_S:
        sys.exit(1)


if __name__ == "__main__":
    main()
