"""The greedy random forest: what most people who choose proteins with a model do today, and hard to beat at small budgets.

A forest of scikit-learn on the candidates' encodings; the batch is what it predicts to be best, with or without a share of
the trees' disagreement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from lab.strict import StrictModel
from lab.types import Campaign, Experiment, Goal, History, Proposal, Reason, new_id
from planners.asking import begin, seed_of
from planners.bo import words
from planners.bo.features import PoolFeatures, each_once
from planners.bo.results import Column, Results, read_history, violations
from planners.bo.start import spread_rows

__all__ = ["GreedyForestPlanner", "GreedyForestSettings"]


class GreedyForestSettings(StrictModel):
    """What a campaign file may set under ``planner: settings:``.

    Attributes:
        rank_by: ``mean`` of the trees, or ``ucb``, mean + ``beta`` standard deviations between trees.
        beta: of ``ucb``.
        trees: in each forest.
        designed: experiments that cover the space before the forest chooses.
    """

    rank_by: Literal["mean", "ucb"] = "mean"
    beta: float = Field(default=1.0, ge=0.0, le=100.0)
    trees: int = Field(default=100, ge=10, le=1000)
    designed: int = Field(default=10, ge=2, le=100)


class GreedyForestPlanner:
    """Takes what a random forest predicts to be best.

    To map, where trees disagree most; to exceed a level, where most of them do. Several objectives are weighed
    anew for each experiment (random weights on merits in units of their spread). What is predicted to break a limit comes
    after all that is not.

    Args:
        settings: checked.
    """

    name = "greedy_forest"

    def __init__(self, settings: GreedyForestSettings) -> None:
        self.settings = settings

    def ask(
        self,
        n: int,
        campaign: Campaign,
        history: History,
        pending: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> Proposal:
        """Up to n experiments; repeats of failed results first.

        Raises:
            BadInput: n below 1, or candidates that cannot be encoded.
        """
        turn = begin(self.name, n, campaign, history, pending, seed_of(rng))
        if not turn.wanted:
            return turn.proposal()
        results = read_history(campaign, history, pending, turn.again)
        free = [campaign.candidates[int(row)] for row in turn.free]
        known = (*results.measured, *results.pending)
        features = PoolFeatures(campaign, each_once((*campaign.candidates, *known)))
        X = features.encode(free)
        counted = len(results.measured) + len(results.pending)
        if campaign.goal.target not in results.columns or counted < self.settings.designed:
            rows = spread_rows(turn.wanted, X, features.encode(known), rng)
            said = [words.spread(len(results.measured))] * turn.wanted
            means, sds = np.full(len(free), np.nan), np.full(len(free), np.nan)
        else:
            forest = int(rng.integers(2**31))
            trees = {
                target: self._trees(column, features, X, forest) for target, column in results.columns.items()
            }
            means, sds = (f(trees[campaign.goal.target], axis=0) for f in (np.mean, np.std))
            rows = self._best(turn.wanted, trees, campaign.goal, rng)
            said = [self._why(trees, int(row), results, campaign.goal) for row in rows]
        made = []
        for row, sentence in zip(rows, said, strict=True):
            modelled = bool(np.isfinite(means[row]))
            reason = Reason(
                planner=self.name,
                sentence=sentence,
                acquisition=self.settings.rank_by if modelled else "",
                acquisition_value=self._worth(float(means[row]), float(sds[row]), campaign.goal)
                if modelled
                else None,
                predicted_mean=float(means[row]) if modelled else None,
                predicted_sd=float(sds[row]) if modelled else None,
                model_cards=features.cards,
                seed=turn.seed,
            )
            made.append(Experiment(id=new_id("exp"), candidate=free[int(row)], reason=reason))
        return turn.proposal(made)

    def _trees(self, column: Column, features: PoolFeatures, X: np.ndarray, seed: int) -> np.ndarray:
        """What each tree predicts of the free candidates: trees x N, in the target's unit."""
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(n_estimators=self.settings.trees, random_state=seed, n_jobs=1)
        # values of any size are brought near 1, where squares of them stay numbers
        centre, scale = (
            float(column.values.mean()),
            float(np.abs(column.values - column.values.mean()).max()) or 1.0,
        )
        forest.fit(features.encode(column.candidates), (column.values - centre) / scale)
        return np.array([centre + scale * tree.predict(X) for tree in forest.estimators_])

    def _worth(self, mean: float, sd: float, goal: Goal) -> float:
        """Merit of the mean, with a share of the trees' disagreement where the settings say so."""
        if goal.direction == "map":
            return sd
        return goal.merit(mean) + (self.settings.beta * sd if self.settings.rank_by == "ucb" else 0.0)

    def _best(self, n: int, trees: dict[str, np.ndarray], goal: Goal, rng: np.random.Generator) -> np.ndarray:
        """Rows of the n best, shuffled among equals."""
        merits = []
        for objective in goal.objectives:
            if objective.target not in trees:
                continue
            mean, sd = trees[objective.target].mean(axis=0), trees[objective.target].std(axis=0)
            if objective.direction == "map":
                merit = sd
            elif objective.direction == "exceed":
                merit = (trees[objective.target] >= objective.level).mean(axis=0) + 1e-6 * _ranks(mean)
            else:
                merit = np.array([objective.merit(float(value)) for value in mean])
                merit = merit + (self.settings.beta * sd if self.settings.rank_by == "ucb" else 0.0)
            merits.append((merit - merit.mean()) / (float(merit.std()) or 1.0))
        broken = np.zeros(len(merits[0]))
        for limit in goal.limits:
            if limit.target in trees:
                broken += [not limit.holds(float(value)) for value in trees[limit.target].mean(axis=0)]
        order = rng.permutation(len(broken))
        table = np.array(merits)[:, order]
        chosen: list[int] = []
        for _ in range(n):
            weights = rng.dirichlet(np.ones(len(table))) if len(table) > 1 else np.ones(1)
            worth = weights @ table - 1e6 * broken[order]
            worth[chosen] = -np.inf
            chosen.append(int(np.argmax(worth)))
        return order[chosen]

    def _why(self, trees: dict[str, np.ndarray], row: int, results: Results, goal: Goal) -> str:
        """The sentence."""
        told = [
            (t, float(trees[t][:, row].mean()), float(trees[t][:, row].std()))
            for t in goal.targets
            if t in trees
        ]
        text = ", ".join(
            f"{f'{t} '.replace('_', ' ') if len(told) > 1 else ''}{words.quantity(mean)} +- {words.quantity(sd)}"
            for t, mean, sd in told
        )
        column = results.columns[goal.target]
        kept = column.values[violations(goal, results, column.candidates) == 0.0]
        best = max(map(float, kept), key=goal.merit, default=None)
        ending = ""
        if goal.direction != "map" and not goal.also:
            ending = "; nothing measured keeps to the limits yet"
            if best is not None:
                ending = f"; the best measured so far is {words.quantity(best)}"
        return f"Predicted {text} by {self.settings.trees} trees{ending}."


def _ranks(values: np.ndarray) -> np.ndarray:
    """0 for the least to 1 for the largest."""
    ranks: np.ndarray = np.argsort(np.argsort(values)) / max(len(values) - 1, 1)
    return ranks
