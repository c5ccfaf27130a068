"""What ``make demo`` costs after installation: wall time, memory, and lab time per wall time. Nothing is padded.

Run: python -m benchmarks.demo
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import keep, machine

CAMPAIGN = Path(__file__).parent.parent / "campaigns" / "thermostable_protein_g.yaml"


def main() -> None:
    """Run the demo's command in a process of its own, with and without baseline, and keep the table."""
    lines = [
        "The demo: a campaign of 96 experiments on the twin and its report, as a process of its own",
        machine(),
        "",
        f"{'':28} {'wall s':>8} {'of that the loop':>18} {'lab time h':>11} {'lab : wall':>11}",
    ]
    for name, options in {"with baseline (make demo)": [], "without baseline": ["--no-baseline"]}.items():
        with tempfile.TemporaryDirectory(dir=".") as folder:
            store, report = Path(folder) / "lab.db", Path(folder) / "report.html"
            command = [sys.executable, "-m", "lab.cli", "run", str(CAMPAIGN), "--store", str(store)]
            command += ["--report", str(report), "--json", *options]
            begun = time.perf_counter()
            answer = subprocess.run(command, check=True, capture_output=True, text=True)
            wall_s = time.perf_counter() - begun
            assert report.stat().st_size > 100_000
        (outcome, *_) = json.loads(answer.stdout)["campaigns"]
        assert outcome["status"] == "finished", outcome
        lines.append(
            f"{name:28} {wall_s:8.1f} {outcome['wall_time_s']:18.1f} {outcome['lab_time_s'] / 3600:11.2f} "
            f"{outcome['lab_time_s'] / wall_s:11,.0f}"
        )
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    lines += ["", f"Largest process: {peak_mib:,.0f} MiB"]
    keep("demo", "\n".join(lines))


if __name__ == "__main__":
    main()
