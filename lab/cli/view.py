"""What a person sees while campaigns run: one line that stays for every finished batch, and below them one live block."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lab.cli import text
from lab.engine.progress import (
    BatchProposed,
    CampaignEnded,
    CampaignOpened,
    FaultMet,
    Progress,
    ResultsRecorded,
    RunOpened,
    StepEnded,
)
from lab.report.goal_words import goal_words, searched_words
from lab.types import Campaign, Experiment, Observation

__all__ = ["LiveView"]


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
    spent_before: int | None = None
    plates: set[str] = field(default_factory=set)
    best: tuple[Experiment, Observation] | None = None
    ended: str = ""

    @property
    def share(self) -> float:
        """Of the budget that is done, counting the steps of the batch under way."""
        under_way = self.campaign.batch_size * self.step / self.steps if self.steps else 0.0
        return min(1.0, (self.spent + under_way) / self.campaign.budget)

    def left_s(self, elapsed_s: float) -> float | None:
        """Time still needed, if what is left goes as fast as what is done; None while too little is done to tell."""
        done = self.share - (self.spent_before or 0) / self.campaign.budget
        return None if self.ended or done <= 0.02 else elapsed_s * (1 - self.share) / done


class LiveView:
    """Turns what the loop tells into lines that stay and a block that changes.

    A campaign that is another's baseline has a line in the block only.

    Args:
        console: to print on.
        campaigns: by id, in the order to show them.
    """

    def __init__(self, console: Console, campaigns: Mapping[str, Campaign]) -> None:
        self._console = console
        self._rows = {key: _Row(campaign) for key, campaign in campaigns.items()}
        self._own = [row for row in self._rows.values() if not row.campaign.baseline_of]
        self._block_width = max((len(_label(row.campaign)) for row in self._rows.values()), default=0)
        self._name_width = max((len(row.campaign.name) for row in self._own), default=0)

    def begin(self) -> None:
        """What is about to run, and the heading of the lines to come."""
        for row in self._own:
            self._introduce(row.campaign)
        columns = "batch    lab time  experiments  best of this batch  best so far"
        self._stay(Text(f"{self._name('')}{columns}", style="dim"))

    def _introduce(self, campaign: Campaign) -> None:
        beside = [row.campaign for row in self._rows.values() if row.campaign.baseline_of == campaign.id]
        baseline = "".join(f" (baseline: {other.planner.name})" for other in beside)
        experiments = text.count(campaign.budget, "experiment")
        self._stay(Text.assemble((campaign.name, "bold"), f" on {campaign.workcell}"))
        self._stay(Text(f"{goal_words(campaign.goal)} among {searched_words(campaign)}"))
        self._stay(
            Text(
                f"{experiments} in batches of {campaign.batch_size}, chosen by {campaign.planner.name}{baseline}"
            )
        )

    def tell(self, event: Progress) -> None:
        """Take one event."""
        row = self._rows[event.campaign_id]
        row.lab_time_s = event.lab_time_s
        if row.began_lab_s is None:
            row.began_lab_s = event.lab_time_s
        match event:
            case CampaignOpened(measured=measured):
                row.spent = measured
                row.doing = "choosing the next batch"
            case BatchProposed(batch=batch):
                row.batch = batch.number
                row.doing = "trying the run out dry"
            case RunOpened(batch=batch, run=run, steps=steps):
                row.batch, row.step, row.steps = batch.number, 0, steps
                row.plates |= {use.labware for use in run.layout.wells}
                row.doing = "starting"
            case StepEnded(number=number, action=action, device=device):
                row.step = number
                row.doing = f"{action.replace('_', ' ')} ({device})"
            case FaultMet(sentence=sentence):
                self._stay(Text(f"{self._name(row.campaign.name)}{sentence}", style="yellow"))
            case ResultsRecorded():
                self._batch_done(row, event)
            case CampaignEnded(status=status):
                row.ended, row.doing = status, status
        if row.spent_before is None:
            row.spent_before = row.spent

    def _batch_done(self, row: _Row, event: ResultsRecorded) -> None:
        row.spent, row.best, row.step, row.steps = event.spent, event.best, 0, 0
        row.doing = "choosing the next batch"
        if row.campaign.baseline_of:
            return
        told = [o for o in event.observations if o.target == row.campaign.goal.target]
        usable = [o for o in told if o.usable]
        top = max(usable, key=lambda o: row.campaign.goal.merit(o.value), default=None)
        experiments = {e.id: e for e in event.batch.experiments}
        here = "nothing usable" if top is None else text.result(experiments[top.experiment_id], top)
        failed = len(told) - len(usable)
        self._stay(
            Text.assemble(
                (self._name(row.campaign.name), "dim"),
                f"{event.batch.number:>5}  ",
                (f"{text.duration(event.lab_time_s):>10}  ", "cyan"),
                f"{f'{row.spent} of {row.campaign.budget}':>11}  ",
                f"{here:<18}  ",
                ("-" if row.best is None else text.result(*row.best), "bold green"),
                (f"  {failed} failed", "yellow") if failed else "",
            )
        )

    def _name(self, name: str) -> str:
        return f"{name:<{self._name_width}}  " if len(self._own) > 1 else ""

    def _stay(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True, highlight=False)

    def __rich__(self) -> RenderableType:
        return Group(*[self._block(row) for row in self._rows.values()])

    def _block(self, row: _Row) -> RenderableType:
        bar = Table.grid(padding=(0, 1))
        bar.add_column(no_wrap=True, min_width=self._block_width)
        bar.add_column(width=24)
        bar.add_column(no_wrap=True)
        bar.add_column(no_wrap=True)
        best = "" if row.best is None else f"best {text.result(*row.best)}"
        if row.campaign.baseline_of:
            bar.add_row(
                Text(_label(row.campaign), style="dim"),
                ProgressBar(total=1.0, completed=row.share),
                f"{row.share:4.0%}",
                Text(row.ended or best, style="dim"),
            )
            return bar
        bar.add_row(
            Text(_label(row.campaign), style="bold"),
            ProgressBar(total=1.0, completed=row.share),
            f"{row.share:4.0%}",
            "" if row.ended else f"batch {row.batch}",
        )
        step = f"step {row.step} of {row.steps}, last: {row.doing}" if row.steps and row.step else row.doing
        plates = f" · {text.count(len(row.plates), 'plate')} used" if row.plates else ""
        return Group(bar, Text(f"  {step}{plates}"), Text(f"  {_times(row)}", style="dim"))


def _label(campaign: Campaign) -> str:
    return f"  baseline: {campaign.planner.name}" if campaign.baseline_of else campaign.name


def _times(row: _Row) -> str:
    wall_s = time.monotonic() - row.began_wall_s
    virtual_s = row.lab_time_s - (row.began_lab_s or 0.0)
    return (
        f"lab time {_elapsed(virtual_s, row.left_s(virtual_s))} · here {_elapsed(wall_s, row.left_s(wall_s))}"
    )


def _elapsed(elapsed_s: float, left_s: float | None) -> str:
    left = "" if left_s is None else f" (about {text.duration(left_s)} left)"
    return f"{text.duration(elapsed_s)}{left}"
