"""What a person sees while campaigns run: one live block, and one line that stays for every finished batch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lab.engine.progress import (
    BatchProposed,
    CampaignEnded,
    CampaignOpened,
    Progress,
    ResultsRecorded,
    RunOpened,
    StepEnded,
)
from lab.types import Campaign, Experiment, Observation

__all__ = ["LiveView", "duration_text", "result_text"]


def duration_text(seconds: float) -> str:
    """``3 d 04:05 h``, ``2:07 h``, ``41 min``, ``12 s``: the two figures that matter."""
    whole = round(seconds)
    days, rest = divmod(whole, 86400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    if days:
        return f"{days} d {hours:02d}:{minutes:02d} h"
    if hours:
        return f"{hours}:{minutes:02d} h"
    return f"{minutes} min" if whole >= 60 else f"{whole} s"


def result_text(experiment: Experiment, observation: Observation) -> str:
    """``T16I 0.87 ± 0.03``: candidate, value and standard error."""
    return f"{experiment.candidate.id} {observation.value:.2f} ± {observation.standard_error:.2f}"


@dataclass(slots=True)
class _Row:
    """What is known of one campaign while it runs."""

    campaign: Campaign
    batch: int = 0
    step: int = 0
    steps: int = 0
    doing: str = "starting"
    lab_time_s: float = 0.0
    began_lab_s: float | None = None
    began_wall_s: float = field(default_factory=time.monotonic)
    spent: int = 0
    spent_before: int = 0
    failed: int = 0
    plates: int = 0
    best: tuple[Experiment, Observation] | None = None
    ended: str = ""

    @property
    def share(self) -> float:
        """Of the budget that is done, counting the steps of the batch under way."""
        under_way = self.campaign.batch_size * self.step / self.steps if self.steps else 0.0
        return min(1.0, (self.spent + under_way) / self.campaign.budget)

    def left_s(self, elapsed_s: float) -> float | None:
        """Time still needed, if what is left goes as fast as what is done."""
        done = self.share - self.spent_before / self.campaign.budget
        return None if done <= 0.02 else elapsed_s * (1 - self.share) / done


class LiveView:
    """Turns what the loop tells into a live block and lines that stay.

    Args:
        console: to print on.
        campaigns: by id, in the order to show them.
    """

    def __init__(self, console: Console, campaigns: Mapping[str, Campaign]) -> None:
        self._console = console
        self._rows = {key: _Row(campaign) for key, campaign in campaigns.items()}

    def tell(self, event: Progress) -> None:
        """Take one event."""
        row = self._rows[event.campaign_id]
        row.lab_time_s = event.lab_time_s
        if row.began_lab_s is None:
            row.began_lab_s = event.lab_time_s
        match event:
            case CampaignOpened(measured=measured):
                row.spent = row.spent_before = measured
                row.doing = "choosing the next batch"
            case BatchProposed(batch=batch):
                row.batch = batch.number
                row.doing = "checking the run dry"
            case RunOpened(batch=batch, run=run, steps=steps):
                row.batch, row.step, row.steps = batch.number, 0, steps
                row.plates += len(set(run.layout.labware.values())) if run.stretch == 1 else 0
                row.doing = "starting the run"
            case StepEnded(number=number, action=action, device=device):
                row.step = number
                row.doing = f"{action.replace('_', ' ')} on {device}"
            case ResultsRecorded():
                self._batch_done(row, event)
            case CampaignEnded(status=status):
                row.ended, row.doing = status, status

    def _batch_done(self, row: _Row, event: ResultsRecorded) -> None:
        row.spent, row.best, row.step, row.steps = event.spent, event.best, 0, 0
        failed = sum(not o.quality.ok for o in event.observations)
        row.failed += failed
        row.doing = "choosing the next batch"
        names = {e.id: e for e in event.batch.experiments}
        sign = row.campaign.goal.sign
        usable = [o for o in event.observations if o.quality.ok]
        top = max(usable, key=lambda o: sign * o.value, default=None)
        text = Text.assemble(
            (f"{row.campaign.name} ", "dim") if len(self._rows) > 1 else "",
            f"batch {event.batch.number:>2}  ",
            (f"{duration_text(event.lab_time_s):>12}  ", "cyan"),
            f"{row.spent:>3} of {row.campaign.budget} measured   ",
            f"best here {result_text(names[top.experiment_id], top):<18}" if top else f"{'nothing usable':<28}",
            ("   best so far ", "dim"),
            (result_text(*row.best) if row.best else "-", "bold green"),
            (f"   {failed} to repeat", "yellow") if failed else "",
        )
        self._console.print(text)

    def __rich__(self) -> RenderableType:
        return Group(*[self._block(row) for row in self._rows.values()])

    def _block(self, row: _Row) -> RenderableType:
        wall_s = time.monotonic() - row.began_wall_s
        virtual_s = row.lab_time_s - (row.began_lab_s or 0.0)
        left_wall, left_lab = row.left_s(wall_s), row.left_s(virtual_s)
        grid = Table.grid(padding=(0, 1))
        grid.add_row(
            Text(row.campaign.name, style="bold"),
            ProgressBar(total=1.0, completed=row.share, width=30),
            Text(f"{row.share:4.0%}"),
            Text(f"batch {row.batch}, step {row.step}{f' of {row.steps}' if row.steps else ''}: {row.doing}"),
        )
        facts = [
            f"lab time {duration_text(virtual_s)}",
            f"about {duration_text(left_lab)} left" if left_lab and not row.ended else "",
            f"wall {duration_text(wall_s)}",
            f"about {duration_text(left_wall)} left" if left_wall and not row.ended else "",
            f"{row.plates} plates",
            f"best {result_text(*row.best)}" if row.best else "",
        ]
        return Group(grid, Text("  " + " · ".join(fact for fact in facts if fact), style="dim"))
