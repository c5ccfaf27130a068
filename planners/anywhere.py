"""Every planner on every space: a pool is drawn for it, and one batch shares what it must.

A planner chooses from a pool. Around it, this draws one where the campaign has a space, asks again with candidates near
those that an acquisition chose, and sees to it that all experiments of a batch have the values in common that the campaign
says they share. Planners themselves know nothing of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lab.interfaces import Beliefs, Believing, Planner
from lab.spaces import Candidate
from lab.types import Campaign, Experiment, History, Proposal
from planners.asking import check_size
from planners.drawing import neighbours, on_pool
from planners.shared import choose_together, with_setting

__all__ = ["Anywhere", "anywhere"]


_SEARCHING = frozenset({"botorch", "multi_task", "turbo", "directed_evolution"})
"""Planners that look around their choice themselves."""


class Anywhere:
    """A planner, whatever the space.

    Args:
        inner: chooses from pools.
    """

    def __init__(self, inner: Planner) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """As a campaign file names it."""
        return self.inner.name

    def ask(
        self,
        n: int,
        campaign: Campaign,
        history: History,
        pending: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> Proposal:
        """Up to n experiments, as the planner chooses them.

        With values that a batch shares, those of the first repeat that is due are the batch's, and repeats at others wait
        for a batch of theirs; without one, the values are those at which the planner's choice is worth most. Experiments
        that are pending stand on plates of their own and bind nothing.

        Raises:
            BadInput: n below 1, a space in which nothing may be chosen, and whatever the planner refuses.
        """
        check_size(n)
        if campaign.shared and not campaign.fixed:
            fixed, proposal = choose_together(self._once, n, campaign, history, pending, rng)
            drawn = on_pool(replace(campaign, fixed=fixed), history, pending, rng)
            again = self._nearer(proposal, n, drawn, history, pending, rng)
            return with_setting(again, campaign.shared)
        drawn = on_pool(campaign, history, pending, rng)
        proposal = self.inner.ask(n, drawn, history, pending, rng)
        return self._nearer(proposal, n, drawn, history, pending, rng)

    def _once(
        self,
        n: int,
        campaign: Campaign,
        history: History,
        pending: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> Proposal:
        """The planner's choice from a pool."""
        return self.inner.ask(n, on_pool(campaign, history, pending, rng), history, pending, rng)

    def _nearer(
        self,
        proposal: Proposal,
        n: int,
        drawn: Campaign,
        history: History,
        pending: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> Proposal:
        """The planner's choice once more, from a pool that has what it chose before and what lies near that.

        Only in a space, and only where an acquisition chose: what is drawn evenly or at random should stay so.
        """
        found = [e.candidate for e in proposal.experiments if e.reason.acquisition and e.repeat_of is None]
        if drawn.space is None or not found or self.inner.name in _SEARCHING:
            return proposal
        near = neighbours(found, drawn, rng)
        if not near:
            return proposal
        pool = {candidate.id: candidate for candidate in (*drawn.candidates, *found, *near)}
        return self.inner.ask(n, replace(drawn, candidates=tuple(pool.values())), history, pending, rng)


class _BelievingAnywhere(Anywhere):
    """The same of a planner that predicts.

    Args:
        believing: the planner, as one that predicts.
    """

    def __init__(self, inner: Planner, believing: Believing) -> None:
        super().__init__(inner)
        self._believing = believing

    def predict(
        self, campaign: Campaign, history: History, candidates: Sequence[Candidate], rng: np.random.Generator
    ) -> Beliefs | None:
        """What the planner expects of candidates; None while too little was measured for a model.

        Raises:
            BadInput: a candidate that the campaign's space can't describe.
        """
        return self._believing.predict(on_pool(campaign, history, (), rng), history, candidates, rng)

    def believe(
        self,
        campaign: Campaign,
        history: History,
        candidates: Sequence[Candidate],
        rng: np.random.Generator,
        *,
        draws: int = 0,
    ) -> Mapping[str, Beliefs] | None:
        """What the planner expects of every target; see :meth:`lab.interfaces.Believing.believe`.

        Raises:
            BadInput: a candidate that the campaign's space can't describe.
        """
        drawn = on_pool(campaign, history, (), rng)
        return self._believing.believe(drawn, history, candidates, rng, draws=draws)


def anywhere(inner: Planner) -> Planner:
    """A planner for pools, made one for every space; it predicts if the planner does."""
    return _BelievingAnywhere(inner, inner) if isinstance(inner, Believing) else Anywhere(inner)
