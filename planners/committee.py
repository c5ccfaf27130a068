"""What the default planner believes: every model that suits the pool, fitted anew, each with a say by how well it predicts.

Results are warped first, so that a few dead or outstanding ones do not rule the fit. The warp is the one under which the
first kernel predicts each result best from the others, on the scale of the results themselves (the density under a warp
times its slope). Then every kernel is fitted, with and without each score that is known beforehand as the mean, and a
random forest beside them. For candidates described by numbers, kernels are averaged over their parameters instead
(``planners/averaging.py``).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from planners.averaging import likely_fits
from planners.ensemble import Ensemble, Member
from planners.forest import fit_forest
from planners.gp import Posterior, fit
from planners.priors import Trend
from planners.seen import Seen
from planners.space import Space
from planners.warp import Warp, WarpName, back_transform, make_warp

__all__ = ["Model", "fit_model"]

_MAX_NOISE = 25.0
"""Largest known noise variance beside an output variance of 1: an error five times the whole spread already says nothing."""

_LEAST_FOR_TREES = 12
"""Results below which a forest is not worth its seconds."""

_FOREST_SINGLE, _FOREST_SEVERAL = 0.5, 0.2
"""What a forest is worth beside 1 for all Gaussian processes, before densities are looked at; on GB1 a larger share
found less.
"""

_HEAD_START = 6.0
"""Nats by which another kernel's leave-one-out density has to better that of a space's first."""

_SETTINGS = 4
"""Of each kernel's parameters that are averaged over, where they are."""

_KNOWN_FROM = 200
"""Results from which the likeliest parameters stand for all: they are known well by then, and a draw takes long."""

_FURTHER = 20
"""Iterations of a fit that starts from another's parameters."""

_LEVEL_QUANTILE = 1.959964
_PSEUDO, _PSEUDO_SD, _PSEUDO_SD_SINGLE = 30.0, 1.3, 1.5
"""Normal errors that the leave-one-out errors are mixed with before their quantile sets the width of intervals, and their
spread: what is measured was chosen, and is easier to predict from its neighbours than a candidate at random; most so among
single substitutions, where a residue that nobody looked at may do anything.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Results as the models see them: ``warped = centre + scale * output``.

    Args:
        values: (n,) mean 0, variance 1, larger is better.
        noise: (n,) known variance of each.
        density: mean log slope of the map from results to outputs: what a log density gains on the way back.
    """

    warp: Warp
    centre: float
    scale: float
    values: np.ndarray
    noise: np.ndarray
    density: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A mixture of fits and the way between its scale and the target's unit.

    Args:
        width: factor on standard deviations that makes intervals cover what leave-one-out predictions missed.
    """

    gp: Ensemble
    outputs: Outputs
    sign: float
    width: float
    score_labels: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """``name@version`` of the members, and of the scores that are means of theirs."""
        return tuple(dict.fromkeys((*self.gp.labels, *self.score_labels)))

    def of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of outputs that would be measured without error, both (m,)."""
        own = self.gp.residual_variance - self.gp.lasting_variance
        return self.gp.mean[rows], np.sqrt(self.gp.variance[rows] + own)

    def in_unit(self, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of outputs, in the target's unit."""
        o = self.outputs
        return back_transform(o.warp, o.centre + o.scale * mean, o.scale * sd)

    def to_outputs(self, values: np.ndarray) -> np.ndarray:
        """Values in the target's unit as outputs."""
        return (self.outputs.warp.forward(values) - self.outputs.centre) / self.outputs.scale

    def values(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs as values in the target's unit."""
        return self.outputs.warp.inverse(self.outputs.centre + self.outputs.scale * outputs)

    def interval(self, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end of what holds the true value with a probability of 95 %, in the target's unit."""
        reach = _LEVEL_QUANTILE * self.width * sd
        ends = np.sort([self.values(mean - reach), self.values(mean + reach)], axis=0)
        return ends[0], ends[1]


def fit_model(space: Space, seen: Seen, sign: float, warp: WarpName | None, seed: int) -> Model | None:
    """The committee for what was measured; None where nothing is to be learnt yet.

    Args:
        warp: of measured values; None to choose.
        seed: of the forest.
    """
    if len(seen.rows) < 3 or not space.blocks.names or not space.kernels:
        return None
    own = bool((seen.standard_errors > 0.0).any())
    choices = [o for name in ([warp] if warp else _warps(seen.values)) if (o := _outputs(name, seen, sign))]
    if not choices:
        return None
    outputs = choices[0]
    if len(choices) > 1:
        tried = [fit(space.kernels[0], space.blocks, seen.rows, o.values, o.noise, own=own) for o in choices]
        scores = [gp.loo_log_density + o.density for gp, o in zip(tried, choices, strict=True)]
        outputs = choices[int(np.argmax(scores))]
    if warp is None and space.strata is not None and outputs is choices[0]:
        outputs = _outputs("soft_rank", seen, sign) or outputs
    fits, shares = _fits(space, seen, outputs, own, seed)
    mixture = Ensemble(fits, space.size, shares=shares)
    return Model(
        gp=mixture,
        outputs=outputs,
        sign=sign,
        width=_width(mixture, outputs.values, _PSEUDO_SD if space.strata is None else _PSEUDO_SD_SINGLE),
        score_labels=tuple(score.label for score in space.scores),
    )


def _warps(values: np.ndarray) -> tuple[WarpName, ...]:
    """Which warps to try: a logarithm only where results are amounts that differ by much."""
    if values.min() >= 0.0 and values.max() > 10.0 * max(float(np.median(values)), 1e-300):
        return ("half_rank", "log")
    return ("half_rank",)


def _outputs(name: WarpName, seen: Seen, sign: float) -> Outputs | None:
    """Results under a warp; None where all are alike."""
    warp = make_warp(name, seen.values, sign)
    warped = warp.forward(seen.values)
    centre, scale = float(warped.mean()), float(warped.std())
    if scale <= 1e-9 * float(np.abs(warped).max()) or scale < 1e-200:
        return None
    slope = warp.slope(seen.values)
    return Outputs(
        warp=warp,
        centre=centre,
        scale=scale,
        values=(warped - centre) / scale,
        noise=np.minimum((seen.standard_errors * slope / scale) ** 2, _MAX_NOISE),
        density=float(np.log(np.maximum(slope, 1e-300)).mean() - np.log(scale)),
    )


def _fits(
    space: Space, seen: Seen, outputs: Outputs, own: bool, seed: int
) -> tuple[list[Member], np.ndarray]:
    """Members with what each is worth before its density is looked at."""
    fits: list[Member] = []
    if space.averaged and not space.scores and len(seen.rows) < _KNOWN_FROM:
        for spec in space.averaged:
            posterior = Posterior(spec, space.blocks, seen.rows, outputs.values, outputs.noise, own)
            fits += likely_fits(posterior, _SETTINGS, seed)
        return fits, np.full(len(fits), 1.0 / len(fits))
    for spec in space.kernels:
        plain = fit(spec, space.blocks, seen.rows, outputs.values, outputs.noise, own=own)
        fits.append(plain)
        for score in space.scores:
            trend = Trend(scores=score.values, slope=score.slope, sd=score.sd)
            fits.append(
                fit(
                    spec,
                    space.blocks,
                    seen.rows,
                    outputs.values,
                    outputs.noise,
                    own=own,
                    trend=trend,
                    start=plain.theta,
                    max_iterations=_FURTHER,
                )
            )
    shares = [1.0 / len(fits)] * len(fits)
    if space.letters is None and not space.scores:
        # the space's first kernel won on average; another has to be clearly better, not luckier
        best = max(
            range(len(fits)), key=lambda i: fits[i].loo_log_density * fits[i].count + _HEAD_START * (i == 0)
        )
        fits, shares = [fits[best]], [1.0]
    if space.for_trees and len(seen.rows) >= _LEAST_FOR_TREES and space.letters is not None:
        fits.append(fit_forest(space.for_trees, seen.rows, outputs.values, outputs.noise, seed))
        shares.append(_FOREST_SINGLE if space.strata is not None else _FOREST_SEVERAL)
    return fits, np.array(shares)


def _width(mixture: Ensemble, outputs: np.ndarray, pseudo_sd: float) -> float:
    """How much wider than normal the errors are that leave-one-out predictions make, drawn towards 1 by pseudo-errors."""
    errors = np.abs(outputs - mixture.loo_mean) / np.sqrt(mixture.loo_variance)
    expected = pseudo_sd * np.abs(_normal_quantiles())
    sizes = np.concatenate([errors, expected])
    weights = np.concatenate([np.ones(len(errors)), np.full(len(expected), _PSEUDO / len(expected))])
    order = np.argsort(sizes)
    share = np.cumsum(weights[order]) / weights.sum()
    at = sizes[order][min(int(np.searchsorted(share, 0.95)), len(sizes) - 1)]
    return float(np.clip(at / _LEVEL_QUANTILE, 1.0, 2.5))


def _normal_quantiles() -> np.ndarray:
    quantiles: np.ndarray = ndtri((np.arange(200) + 0.5) / 200.0)
    return quantiles
