"""A pipettor refuses tips that are made for another one, at the dry run and before anything is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devices.liquid_handler import Distribute
from lab.app.benches import belief_of, sketch_over
from lab.clock import LabClock
from lab.errors import OutOfRange
from lab.files import load_workcell
from tests.project.source_tree import REPOSITORY

COMMAND = Distribute(
    source_labware="buffer", source_well="A1", targets=(("assay_1", "A1", 5.0),), tip_volume_ul=50.0
)


@pytest.mark.parametrize(
    ("driver", "objections"),
    [
        ("liquid_handler/star", ()),
        (
            "liquid_handler/evo",
            tuple(f"handler: its channels don't take the tips of tips_{n}." for n in (1, 2, 3)),
        ),
    ],
)
def test_tips_of_another_make_are_refused(driver: str, objections: tuple[str, ...]) -> None:
    spec = load_workcell(REPOSITORY / "workcells" / "protein_bench_twin.yaml")
    spec = replace(spec, devices={**spec.devices, "handler": replace(spec.devices["handler"], driver=driver)})
    bench = belief_of(spec, ())
    bench.move("assay_1", "deck_plate_1")
    with LabClock(virtual=True) as clock:
        handler = sketch_over(spec, bench, clock).devices["handler"]
        assert handler.distribute.problems(COMMAND, bench) == objections

        async def carry_out() -> None:
            await handler.connect()
            await handler.distribute.set(COMMAND)

        if objections:
            with pytest.raises(OutOfRange, match="don't take the tips of tips_1"):
                clock.run(carry_out())
        else:
            clock.run(carry_out())
