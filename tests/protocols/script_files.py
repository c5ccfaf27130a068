"""Protocols as users write them, to be tried out: each the text of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lab.bench import Bench
from lab.dry_run import DryRun, dry_run
from lab.types import Batch, Campaign, Layout
from protocols.scripts import Script, script_from_text
from tests.protocols.bench import make_batch, make_bench, make_campaign, paper_workcell

HEAD = "from protocols.scripts import Measured, Plate, PlateMap, Reagent, Samples, Wells, protocol\n"


def script(body: str, *, name: str = "mine.py", function: str = "") -> Script:
    """A protocol from the text of its file, below the usual import; its first line is line 2."""
    return script_from_text(HEAD + body.strip("\n") + "\n", Path(name), function)


class Tried:
    """A protocol laid out on a bench of paper, to be walked as often as one likes.

    Args:
        settings: parameters, as a file has them.
    """

    def __init__(
        self,
        made: Script,
        *,
        bench: Bench | None = None,
        batch: Batch | None = None,
        campaign: Campaign | None = None,
        **settings: Any,
    ) -> None:
        self.script = made
        self.bench = bench or make_bench()
        self.batch = batch or make_batch(1)
        self.campaign = campaign or make_campaign()
        self.parameters = made.Parameters(**settings)
        self.workcell = paper_workcell(self.bench)
        self.layout: Layout = made.layout(
            self.batch, self.campaign, self.bench.copy(), self.parameters, np.random.default_rng(1)
        )

    def plan(self, **also: Any) -> Any:
        """Its plan, once more."""
        return self.script.plan(
            self.batch, self.campaign, self.workcell, self.layout, self.parameters, **also
        )

    def dry(self, *, imagined: float = 0.0) -> DryRun:
        """Its dry run, with readings of so much."""
        return dry_run(self.plan(imagined=imagined), self.workcell)


def actions(walked: DryRun) -> list[str]:
    """What was done on which device, in order."""
    return [f"{step.device} {step.action}" for step in walked.steps]


def targets(walked: DryRun) -> list[tuple[str, str, float]]:
    """Wells that were distributed to, with the volumes."""
    return [
        tuple(target)  # type: ignore[misc]  # three entries, as the command has them
        for step in walked.steps
        if step.action == "distribute" and isinstance(step.arguments, dict)
        for target in step.arguments["targets"]
    ]
