"""A hit-pick on each liquid handler: 96 wells of a library plate, each with a fresh tip, into wells of another order.

The handler of workcells/protein_bench_twin.yaml is exchanged for each that there is, and its twin is driven directly
through its verb ``distribute``, one command a well, without a run engine and a journal. Told are the lab time that the twin
takes and the wall time of drivers, front ends and world together.

Run: python -m benchmarks.hit_picking [--keep]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import RESULTS, machine
from devices.liquid_handler import Distribute
from lab.app.benches import belief_of, sketch_over
from lab.app.drivers import DRIVERS
from lab.clock import LabClock
from lab.files import Material, load_workcell

BENCH = Path(__file__).parent.parent / "workcells" / "protein_bench_twin.yaml"
VOLUME_UL = 5.0
TIP_UL = 50.0
SOURCE, TARGET = "library_1", "assay_1"


def bench_with(driver: str, folder: Path) -> Path:
    """The workcell file with another handler."""
    text = BENCH.read_text(encoding="utf-8")
    assert "driver: liquid_handler/star" in text
    path = folder / "bench.yaml"
    path.write_text(text.replace("driver: liquid_handler/star", f"driver: {driver}"), encoding="utf-8")
    return path


def hit_pick(driver: str) -> tuple[float, float]:
    """Lab time and wall time of 96 picks on a handler's twin, s; connecting is left out."""
    with tempfile.TemporaryDirectory() as folder:
        spec = load_workcell(bench_with(driver, Path(folder)))
    wells = spec.library_wells
    material = [Material(labware=SOURCE, well=well, content="WT") for well in wells]
    bench = belief_of(spec, material)
    bench.move(SOURCE, "deck_source")
    bench.move(TARGET, "deck_plate_1")
    commands = [
        Distribute(
            source_labware=SOURCE,
            source_well=source,
            targets=((TARGET, target, VOLUME_UL),),
            tip_volume_ul=TIP_UL,
        )
        for source, target in zip(wells, reversed(wells), strict=True)
    ]
    with LabClock(virtual=True) as clock:
        handler = sketch_over(spec, bench, clock).devices["handler"]

        async def carry_out() -> tuple[float, float]:
            await handler.connect()
            lab_s, wall_s = clock.now(), time.perf_counter()
            for command in commands:
                await handler.distribute.set(command)
                command.believe(bench)
            return clock.now() - lab_s, time.perf_counter() - wall_s

        return clock.run(carry_out())


def main() -> int:
    """Every handler that there is, and the table."""
    lines = [
        "# A hit-pick of 96 wells on each liquid handler's twin",
        "",
        machine(),
        "",
        "Made with `python -m benchmarks.hit_picking`. 5 ul each, a fresh tip for every well, one command a well.",
        "",
        "| handler | lab time (min) | lab time a well (s) | wall time (s) | wall time a well (ms) |",
        "|---|---:|---:|---:|---:|",
    ]
    for driver in (name for name in DRIVERS if name.startswith("liquid_handler/")):
        try:
            lab_s, wall_s = hit_pick(driver)
        except Exception as error:  # noqa: BLE001  Told in its row; the others are still timed.
            lines.append(f"| `{driver}` | {type(error).__name__}: {error} | | | |")
            continue
        cells = (f"{lab_s / 60:.1f}", f"{lab_s / 96:.1f}", f"{wall_s:.2f}", f"{wall_s / 96 * 1000:.1f}")
        lines.append(f"| `{driver}` | {' | '.join(cells)} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if "--keep" in sys.argv:
        (RESULTS / "hit_picking.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
