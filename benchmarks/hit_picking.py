"""A hit-pick on each liquid handler: 96 wells of a library plate, each with a fresh tip, into wells of another order.

STAR and EVO on the bench of workcells/protein_bench_twin.yaml, an Opentrons OT-2 on its own. Each twin is driven directly
through its verb ``distribute``, one command a well, without a run engine and a journal. Told are the lab time that the twin
takes and the wall time of drivers, front ends and world together.

Run: python -m benchmarks.hit_picking [--keep]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import RESULTS, machine
from devices.liquid_handler import Distribute
from lab.app.benches import belief_of, sketch_over
from lab.clock import LabClock
from lab.files import Material, WorkcellSpec, load_workcell

WORKCELLS = Path(__file__).parent.parent / "workcells"
VOLUME_UL = 5.0


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A bench for one handler.

    Args:
        bench: workcell file that it stands in, or is put into.
        changes: of its text.
        tip_ul: tips that it takes small volumes with.
        moves: labware that is brought to the handler first, and where to.
    """

    bench: str
    changes: Mapping[str, str] = field(default_factory=dict)
    tip_ul: float
    moves: Mapping[str, str] = field(default_factory=dict)


ON_DECK = {"library_1": "deck_source", "assay_1": "deck_plate_1"}
SETTINGS = {
    "liquid_handler/star": Setting(bench="protein_bench_twin.yaml", tip_ul=50.0, moves=ON_DECK),
    "liquid_handler/evo": Setting(
        bench="protein_bench_twin.yaml",
        changes={
            "driver: liquid_handler/star": "driver: liquid_handler/evo",
            "type: tips_50ul": "type: tecan_tips_50ul",
            "type: tips_300ul": "type: tecan_tips_200ul",
        },
        tip_ul=50.0,
        moves=ON_DECK,
    ),
    "liquid_handler/opentrons": Setting(bench="opentrons_bench_twin.yaml", tip_ul=20.0),
}


def load(setting: Setting) -> WorkcellSpec:
    """The workcell of a setting."""
    text = (WORKCELLS / setting.bench).read_text(encoding="utf-8")
    for old, new in setting.changes.items():
        assert old in text, old
        text = text.replace(old, new)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.yaml"
        path.write_text(text, encoding="utf-8")
        return load_workcell(path)


def hit_pick(setting: Setting) -> tuple[float, float]:
    """Lab time and wall time of 96 picks on a handler's twin, s; connecting is left out."""
    spec = load(setting)
    wells = spec.library_wells
    source, target = spec.library[0], "assay_1"
    bench = belief_of(spec, [Material(labware=source, well=well, content="WT") for well in wells])
    for labware, position in setting.moves.items():
        bench.move(labware, position)
    commands = [
        Distribute(
            source_labware=source,
            source_well=drawn,
            targets=((target, given, VOLUME_UL),),
            tip_volume_ul=setting.tip_ul,
        )
        for drawn, given in zip(wells, reversed(wells), strict=True)
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
    for driver, setting in SETTINGS.items():
        lab_s, wall_s = hit_pick(setting)
        cells = (f"{lab_s / 60:.1f}", f"{lab_s / 96:.1f}", f"{wall_s:.2f}", f"{wall_s / 96 * 1000:.1f}")
        lines.append(f"| `{driver}` | {' | '.join(cells)} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if "--keep" in sys.argv:
        (RESULTS / "hit_picking.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
