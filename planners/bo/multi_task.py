"""The BoTorch planner with a memory: earlier campaigns are tasks beside this one.

Each target has a MultiTaskGP over the results of this campaign and of every earlier one that measured it. How much an
earlier campaign has to say is learned from what both measured; each is taken about its own mean and in units of its own
spread, so that another scale or baseline does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lab.types import Campaign, Candidate
from planners.bo.features import Encoding, PoolFeatures, each_once
from planners.bo.planner import BotorchPlanner, BotorchSettings
from planners.bo.results import LARGEST, Column, Results, filled

__all__ = ["MultiTaskPlanner", "MultiTaskSettings"]

_ENOUGH = 4
"""Results of an earlier campaign below which it says nothing about how this one varies."""


class MultiTaskSettings(BotorchSettings):
    """As those of ``botorch``; ``designed`` holds where no earlier campaign measured the target."""


class MultiTaskPlanner(BotorchPlanner):
    """Learns from earlier campaigns' results (``Campaign.past``), from the first batch on."""

    name = "multi_task"

    def __init__(self, settings: MultiTaskSettings) -> None:
        super().__init__(settings)

    def ready(self, results: Results, campaign: Campaign) -> bool:
        """Whether enough is known, here or from before."""
        if any(target == campaign.goal.target for target, _ in self.tasks(campaign)):
            return True
        return super().ready(results, campaign)

    def with_past(self, results: Results, campaign: Campaign) -> Results:
        """With an empty column for targets that only earlier campaigns measured."""
        empty = Column(candidates=(), values=np.empty(0), errors=None)
        columns = {
            target: results.columns.get(target, empty)
            for target in campaign.goal.targets
            if target in results.columns or any(name == target for name, _ in self.tasks(campaign))
        }
        return replace(results, columns=columns)

    def encoding(self, campaign: Campaign, candidates: Sequence[Candidate]) -> Encoding:
        """One column a level, since tasks leave no room for codes of levels."""
        return PoolFeatures(campaign, each_once(candidates))

    def tasks(self, campaign: Campaign) -> tuple[tuple[str, Column], ...]:
        """Target and results of each earlier campaign that has enough of them."""
        grouped: dict[tuple[str, str], list[tuple[Candidate, float, float]]] = {}
        for past in campaign.past:
            if past.target in campaign.goal.targets and abs(past.value) < LARGEST:
                row = (past.candidate, past.value, past.standard_error)
                grouped.setdefault((past.target, past.campaign), []).append(row)
        found = []
        for (target, _), rows in grouped.items():
            if len(rows) >= _ENOUGH:
                candidates, values, errors = zip(*rows, strict=True)
                column = Column(
                    candidates=candidates, values=np.array(values), errors=filled(np.array(errors))
                )
                found.append((target, column))
        return tuple(found)
