"""The default planner: an exact Gaussian process over the pool, a new one at every ask.

The first experiments cover the pool. From then on every kernel that suits the space is fitted to what was measured, warped
so that a few dead or outstanding results do not rule the fit. The one that predicts each result best from the others
(leave-one-out log density), or for single substitutions the mixture of all by that density, chooses the batch, one
candidate after the other, each as if the ones before had been measured at their predicted value (kriging believer;
Ginsbourger, Le Riche, Carraro 2010).

BLAS runs on one thread here: matrices of a hundred rows lose time to more, and sums come out in one order whatever the
machine is doing. Candidates are then the same on one machine for the same inputs; another BLAS may round differently
and, where two candidates are as good as equal, choose the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.special import ndtr
from threadpoolctl import threadpool_limits

from lab.errors import BadInput
from lab.strict import StrictModel
from lab.types import AMINO_ACIDS, Advice, Campaign, Experiment, History, Proposal, Reason, new_id
from planners import words
from planners.acquisition import log_expected_improvement, upper_confidence_bound
from planners.asking import check_ask, exhausted, seed_of
from planners.design import spread_design
from planners.ensemble import Ensemble
from planners.gp import fit
from planners.priors import Trend
from planners.repeats import repeats
from planners.space import Seen, Space, encode_space, look_back
from planners.warp import Warp, WarpName, back_transform, make_warp

__all__ = ["AdaptivePlanner", "AdaptiveSettings"]

_DRAWS = 512
"""Joint draws behind the advice; their error is a few percent of the spread, and the advice compares orders of magnitude."""

_MAX_NOISE = 25.0
"""Largest known noise variance beside an output variance of 1: an error five times the whole spread already says nothing."""


class AdaptiveSettings(StrictModel):
    """What a campaign file may set under ``planner: settings:``.

    Attributes:
        acquisition: what makes a candidate worth measuring; ``ucb`` is predicted mean plus a share of its uncertainty.
        beta: of ``ucb``: mean + sqrt(beta) sd; larger explores more.
        warp: of measured values before the fit; ``logit`` is for fractions between 0 and 1, ``log`` for amounts above 0.
        kernels: names to choose from or to mix each round; empty for all that suit the space.
        designed: experiments that cover the pool before the model chooses.
        same_residue: how many single substitutions to one residue may be on their way at a time, while others are free.
        general_knowledge: whether what substitutions cost other proteins is the prior mean for single substitutions
            and ranks the first round; the fit weighs it against doing without. Only when maximising: what is minimised
            need not fall with stability.
    """

    acquisition: Literal["ucb", "log_ei"] = "ucb"
    beta: float = Field(default=2.0, ge=0.0, le=100.0)
    warp: WarpName = "half_rank"
    kernels: tuple[str, ...] = ()
    designed: int = Field(default=10, ge=1, le=100)
    same_residue: int = Field(default=4, ge=1, le=100)
    general_knowledge: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """A fit and the way between its scale and the target's unit: ``warped = centre + scale * output``."""

    gp: Ensemble
    warp: Warp
    centre: float
    scale: float
    sign: float

    def in_unit(self, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of outputs, in the target's unit."""
        return back_transform(self.warp, self.centre + self.scale * mean, self.scale * sd)

    def values(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs as values in the target's unit."""
        return self.warp.inverse(self.centre + self.scale * outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """What the model chose, in order, with the beliefs it chose by.

    Args:
        rows: k of them.
        acquisition: (k,) values.
        incumbent: output of the best measured so far, as the model believes it.
        mean: (N,) predicted outputs.
        sd: (N,) of a candidate's true output, before anything pending or chosen was taken as measured.
        joint: k x k posterior covariance of the chosen.
    """

    rows: np.ndarray
    acquisition: np.ndarray
    incumbent: float
    mean: np.ndarray
    sd: np.ndarray
    joint: np.ndarray


class AdaptivePlanner:
    """Chooses what is predicted to be good, or might be.

    Args:
        settings: checked.
    """

    name = "adaptive"

    def __init__(self, settings: AdaptiveSettings) -> None:
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
            BadInput: n below 1, a pool that cannot be encoded, or a kernel that does not suit it.
        """
        check_ask(n, campaign)
        seed = seed_of(rng)
        again = repeats(n, campaign, history, pending, planner=self.name, seed=seed)
        with threadpool_limits(limits=1, user_api="blas"):
            space = self._narrowed(encode_space(campaign))
            if not self.settings.general_knowledge or campaign.goal.sign < 0:
                space = space.without_scores()
            seen = look_back(space, campaign, history, pending, again)
            wanted = min(n - len(again), len(seen.free))
            model = self._fitted(space, seen, campaign.goal.sign)
            designing = model is None or len(seen.rows) + len(seen.pending) < self.settings.designed
            if designing or model is None:
                chosen = self._designed(wanted, space, seen, campaign.goal.sign, rng, seed)
                advice = None if again or chosen else exhausted()
                return Proposal(experiments=(*again, *chosen), advice=advice)
            choice = self._choose(wanted, model, space, seen, rng)
            chosen = self._explained(choice, model, space, seen, seed)
            again = tuple(_with_prediction(e, choice, model, space) for e in again)
            advice = _advise(choice, model, seen, rng) if len(chosen) else None if again else exhausted()
        return Proposal(experiments=(*again, *chosen), advice=advice)

    def _narrowed(self, space: Space) -> Space:
        """The space with only the kernels that the settings name, and only such as have something to look at."""
        if not self.settings.kernels:
            return space
        known = {spec.name: spec for spec in space.kernels}
        for name in self.settings.kernels:
            if name not in known:
                raise BadInput(
                    f"The kernel {name!r} does not suit these candidates.",
                    way_out=f"Choose among {', '.join(known)}, or leave the setting out.",
                    field="planner.settings.kernels",
                )
        return replace(space, kernels=tuple(known[name] for name in self.settings.kernels))

    def _fitted(self, space: Space, seen: Seen, sign: float) -> _Model | None:
        """The kernels with and without the general trend, mixed, or the best; None where nothing is to be learnt yet."""
        if len(seen.rows) < 3 or not space.blocks.names:
            return None
        warp = make_warp(self.settings.warp, seen.values, sign)
        warped = warp.forward(seen.values)
        centre, scale = float(warped.mean()), float(warped.std())
        if scale <= 1e-9 * float(np.abs(warped).max()) or scale < 1e-200:
            return None
        outputs = (warped - centre) / scale
        noise = np.minimum((seen.standard_errors * warp.slope(seen.values) / scale) ** 2, _MAX_NOISE)
        own = bool((seen.standard_errors > 0.0).any())
        trends: list[Trend | None] = [None]
        if space.scores is not None:
            trends.append(Trend(scores=space.scores))
        fits = [
            fit(spec, space.blocks, seen.rows, outputs, noise, own=own, trend=trend)
            for spec in space.kernels
            for trend in trends
        ]
        if space.strata is None:
            # mixing was found to help with single substitutions only (docs/decisions/0006)
            fits = [max(fits, key=lambda gp: gp.loo_log_density)]
        return _Model(gp=Ensemble(fits, space.size), warp=warp, centre=centre, scale=scale, sign=sign)

    def _designed(
        self, n: int, space: Space, seen: Seen, sign: float, rng: np.random.Generator, seed: tuple[int, ...]
    ) -> tuple[Experiment, ...]:
        taken = np.unique(np.concatenate([seen.rows, seen.pending]))
        if n < 1:
            rows = np.empty(0, dtype=np.intp)
        elif space.blocks.names:
            rows = spread_design(
                n,
                space.kernels[-1],
                space.blocks,
                seen.free,
                taken,
                space.size,
                rng,
                space.strata,
                space.scores,
            )
        else:
            rows = rng.permutation(seen.free)[:n]
        return tuple(
            Experiment(
                id=new_id("exp"),
                candidate=space.candidates[int(row)],
                reason=Reason(
                    planner=self.name,
                    sentence=words.chosen_to_spread(int(row), space, seen, sign),
                    model_cards=space.cards,
                    seed=seed,
                ),
            )
            for row in rows
        )

    def _choose(self, n: int, model: _Model, space: Space, seen: Seen, rng: np.random.Generator) -> _Choice:
        """One candidate after the other, each taken as measured at its predicted value before the next is chosen."""
        gp = model.gp
        mean, remaining = gp.mean, gp.variance.copy()
        believed: list[np.ndarray] = []
        noise = gp.typical_noise + gp.residual_variance - gp.lasting_variance

        def believe(row: int) -> None:
            covariance = gp.covariance(np.array([row]))[:, 0]
            for direction in believed:
                covariance -= direction * direction[row]
            direction = covariance / np.sqrt(max(covariance[row], 0.0) + noise)
            believed.append(direction)
            np.maximum(remaining - direction**2, 1e-10, out=remaining)

        for row in seen.pending:
            believe(int(row))
        best_measured = float(mean[seen.rows].max())
        incumbent = float(mean[np.concatenate([seen.rows, seen.pending])].max())
        free = seen.free
        rows: list[int] = []
        acquisition: list[float] = []
        for _ in range(n):
            value = self._acquire(mean[free], np.sqrt(remaining[free]), incumbent)
            allowed = self._varied(space, free, np.concatenate([seen.pending, rows]).astype(np.intp))
            value = np.where(allowed, value, -np.inf)
            at = _one_of_the_best(value, rng)
            row = int(free[at])
            rows.append(row)
            acquisition.append(float(value[at]))
            free = np.delete(free, at)
            incumbent = max(incumbent, float(mean[row]))
            believe(row)
        picked = np.array(rows, dtype=np.intp)
        joint = gp.covariance(picked)[picked]
        return _Choice(
            rows=picked,
            acquisition=np.array(acquisition),
            incumbent=best_measured,
            mean=mean,
            sd=np.sqrt(gp.variance + gp.residual_variance - gp.lasting_variance),
            joint=joint,
        )

    def _varied(self, space: Space, free: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Which free rows bring a residue that not too many of those chosen bring; all, where no such row is left."""
        if space.new_residues is None:
            return np.ones(len(free), dtype=bool)
        counts = np.bincount(space.new_residues[chosen], minlength=len(AMINO_ACIDS) + 1)
        allowed: np.ndarray = counts[space.new_residues[free]] < self.settings.same_residue
        return allowed if allowed.any() else np.ones(len(free), dtype=bool)

    def _acquire(self, mean: np.ndarray, sd: np.ndarray, incumbent: float) -> np.ndarray:
        if self.settings.acquisition == "log_ei":
            return log_expected_improvement(mean, sd, incumbent)
        return upper_confidence_bound(mean, sd, self.settings.beta)

    def _explained(
        self, choice: _Choice, model: _Model, space: Space, seen: Seen, seed: tuple[int, ...]
    ) -> tuple[Experiment, ...]:
        means, sds = model.in_unit(choice.mean[choice.rows], choice.sd[choice.rows])
        chances = ndtr((choice.mean[choice.rows] - choice.incumbent) / choice.sd[choice.rows])
        best = float(model.values(np.array([choice.incumbent]))[0])
        made = []
        for i, row in enumerate(choice.rows):
            mean, sd = float(means[i]), float(sds[i])
            sentence = words.predicted(int(row), mean, sd, float(chances[i]), best, space, seen, model.sign)
            reason = Reason(
                planner=self.name,
                sentence=sentence,
                acquisition=self.settings.acquisition,
                acquisition_value=float(choice.acquisition[i]),
                predicted_mean=mean,
                predicted_sd=sd,
                model_cards=(*space.cards, *model.gp.labels),
                seed=seed,
            )
            made.append(Experiment(id=new_id("exp"), candidate=space.candidates[int(row)], reason=reason))
        return tuple(made)


def _one_of_the_best(value: np.ndarray, rng: np.random.Generator) -> int:
    """Index of the largest value; by chance among those that rounding alone tells apart, not by their place in the file."""
    ties = np.flatnonzero(value >= value.max() - 1e-9)
    return int(ties[0] if len(ties) == 1 else rng.choice(ties))


def _with_prediction(experiment: Experiment, choice: _Choice, model: _Model, space: Space) -> Experiment:
    """A repeat, with what the model expects of it, so that its result can be held against that too."""
    row = space.row_of[experiment.candidate.id]
    mean, sd = model.in_unit(choice.mean[[row]], choice.sd[[row]])
    reason = replace(
        experiment.reason,
        predicted_mean=float(mean[0]),
        predicted_sd=float(sd[0]),
        model_cards=(*space.cards, *model.gp.labels),
    )
    return replace(experiment, reason=reason)


def _advise(choice: _Choice, model: _Model, seen: Seen, rng: np.random.Generator) -> Advice:
    """Stop when the whole batch is expected to better the best by less than the error of one measurement.

    The expectation is of the best of the batch under the joint posterior, in the target's unit. Where analyses report
    no error, the residual that the model learned stands for it.
    """
    root = np.linalg.cholesky(choice.joint + 1e-9 * np.eye(len(choice.rows)))
    outputs = choice.mean[choice.rows] + rng.standard_normal((_DRAWS, len(choice.rows))) @ root.T
    best_of_batch = outputs.max(axis=1)
    best = float(model.values(np.array([choice.incumbent]))[0])
    gains = np.maximum(model.sign * (model.values(best_of_batch) - best), 0.0)
    gain = float(gains.mean())
    near = np.array([choice.incumbent, choice.incumbent - np.sqrt(model.gp.residual_variance)])
    learned = float(np.ptp(model.values(near)))
    reported = seen.standard_errors[seen.standard_errors > 0.0]
    error = float(np.median(reported)) if len(reported) else learned
    text = (
        f"The next {len(choice.rows)} experiments are expected to better the best so far ({words.quantity(best)}) by "
        f"{words.quantity(gain)}; the error of one measurement is {words.quantity(error)}."
    )
    if gain < error:
        return Advice(stop=True, sentence=f"{text} Going on is unlikely to show a better candidate.")
    return Advice(stop=False, sentence=text)
