"""Kernels over a pool of candidates: which columns are compared, how, and what follows before anything is measured.

Inputs come as blocks: groups of columns that share one lengthscale (a number of its own, all 20 letters of every site
together, the five z-scales of the new residue). What the kernel sees of a block is its squared distances, scaled so that
their mean over the pool is 1/6, which is what two uniform draws from one axis of the unit cube have. Lengthscales, and the
priors on them, therefore mean the same for every block. Outputs have mean 0 and variance 1, so the kernel has no scale of
its own (FINDINGS: Matern-5/2, no output scale, Gamma prior on lengthscales with its mode at 0.205 sqrt(d)).

The kernel is a weighted sum of Matern-5/2 or squared-exponential terms, each over some of the blocks::

    k(x, x') = sum_t w_t m( sqrt( sum_b D_b(x, x') / l_tb^2 ) ),   w_t >= 0,   sum_t w_t = 1
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy import sparse

from lab.interfaces import ModelCard
from planners.features import Dense, Features
from planners.priors import GammaPrior, Prior

__all__ = [
    "UNIT_AXIS",
    "Blocks",
    "KernelSpec",
    "Layout",
    "covariance_at",
    "prior_covariance",
    "shape_and_slope",
    "shape_of",
]

UNIT_AXIS = 1.0 / 6.0
"""Mean squared distance of two uniform draws from [0, 1]."""

_SQRT5 = float(np.sqrt(5.0))

_KEPT = 2
"""Pairs of row sets whose distances are kept: the measured with themselves, and with one part of the pool."""

_MANY = 3000
"""Rows from which distances are taken in single precision: where a pool is screened, not where a model is fitted."""

_IN_WORDS = {
    "*": "every value",
    "@*": "the residue at each site",
    "one_hot": "letters",
    "z_scales": "z-scales",
    "site": "which site",
    "place": "place along the chain",
    "new": "new residue",
    "old": "replaced residue",
    "near": "neighbouring residues",
    "score *": "scores known beforehand and their means over the site",
}
"""Blocks of the kernels as cards name them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSpec:
    """One kernel among those a planner chooses from.

    Args:
        name: for reasons and reports.
        terms: names of the blocks of each term of the sum.
        lengthscale: prior on each lengthscale.
        noise: prior on the residual variance, in units of the outputs' variance.
        shape: of every term.
    """

    name: str
    terms: tuple[tuple[str, ...], ...]
    lengthscale: Prior = field(default_factory=lambda: GammaPrior(shape=3.0, mode=0.205))
    noise: Prior = field(default_factory=lambda: GammaPrior(shape=2.0, mode=1.0 / 148.0, grows=False))
    shape: Literal["matern52", "rbf"] = "matern52"

    @property
    def label(self) -> str:
        """``name@version``, as reasons cite the model that was used."""
        return self.card.label

    @property
    def card(self) -> ModelCard:
        """What a Gaussian process with this kernel is."""
        form = "Matern-5/2" if self.shape == "matern52" else "squared-exponential"
        seen = " + ".join(" and ".join(_IN_WORDS.get(block, block) for block in term) for term in self.terms)
        return ModelCard(
            name=f"gaussian_process_{self.name}",
            version="1",
            licence="BSD-3-Clause",
            source="drywet, fitted anew to each campaign's own results; Rasmussen and Williams, Gaussian Processes for "
            "Machine Learning (MIT Press 2006)",
            inputs=f"encoded candidates and their results; kernel: {form} over {seen}",
            outputs="mean and standard deviation of the target, in its unit",
            tested_on="as part of the planner, on its development sets: benchmarks/results/planning_dev.md and "
            "planner_single_substitutions.txt",
        )


class Blocks:
    """Named groups of columns of the pool, scaled alike; gives squared distances between rows.

    Args:
        columns: name -> N x d_b, as an array or as :class:`planners.features.Features`, rows in the order of the pool.
        sample: rows that the mean squared distance is taken over.
        spreads: mean squared distance of a block over the pool, where it is not to be :data:`UNIT_AXIS`.
    """

    def __init__(
        self,
        columns: Mapping[str, np.ndarray | Features],
        sample: np.ndarray | None = None,
        spreads: Mapping[str, float] | None = None,
    ) -> None:
        spreads = spreads or {}
        self._columns: dict[str, tuple[Features, float]] = {}
        self._kept: dict[tuple[bytes, bytes], dict[str, np.ndarray]] = {}
        for name, values in columns.items():
            features = _centred(values) if isinstance(values, np.ndarray) else values
            part = features.rows(np.arange(len(features)) if sample is None else sample)
            mean_squared = 2.0 * float(_variance(part))
            if mean_squared > 1e-12:
                self._columns[name] = (features, spreads.get(name, UNIT_AXIS) / mean_squared)

    @property
    def names(self) -> tuple[str, ...]:
        """Blocks that vary over the pool; the others are dropped, since they tell nothing apart."""
        return tuple(self._columns)

    def features(self, name: str) -> Features:
        """Of one block, as they were given."""
        return self._columns[name][0]

    def squared_distances(self, name: str, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Rows ``left`` against rows ``right`` of one block: len(left) x len(right), not to be written to.

        What was asked for last is kept: the members of a committee look at the same rows one after the other.
        """
        rows = (left.tobytes(), right.tobytes())
        if rows not in self._kept:
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[rows] = {}
        kept = self._kept[rows]
        if name not in kept:
            kept[name] = self._squared(name, left, right)
        return kept[name]

    def _squared(self, name: str, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        features, scale = self._columns[name]
        a, b = features.rows(left), features.rows(right)
        if len(right) > _MANY:
            a, b = a.astype(np.float32), b.astype(np.float32)
        across = (b @ a.T).T if isinstance(a, np.ndarray) else (a @ b.T)
        across = across if isinstance(across, np.ndarray) else across.toarray()
        squared: np.ndarray = _norms(a)[:, None] + _norms(b) - 2.0 * across
        squared *= scale
        # rounding leaves 1e-17 where rows are equal, and below zero has no square root
        squared[squared < (1e-12 if squared.dtype == np.float64 else 1e-5)] = 0.0
        return squared


def _centred(values: np.ndarray) -> Dense:
    """About their mean, so that no digits are lost to an offset that all rows share."""
    return Dense(values - values.mean(axis=0))


def _variance(part: np.ndarray | sparse.csr_array) -> float:
    """Summed over columns."""
    mean = np.asarray(part.mean(axis=0))
    return float(_norms(part).mean() - np.square(mean).sum())


def _norms(part: np.ndarray | sparse.csr_array) -> np.ndarray:
    """Squared length of each row: (m,)."""
    if isinstance(part, np.ndarray):
        squares: np.ndarray = np.square(part).sum(axis=1)
        return squares
    return np.asarray(part.multiply(part) @ np.ones(part.shape[1], dtype=part.dtype))


def shape_of(squared: np.ndarray, shape: str) -> np.ndarray:
    """Kernel value at squared scaled distance; in the precision of the distances."""
    if shape == "rbf":
        value: np.ndarray = np.exp(-0.5 * squared)
        return value
    r = np.sqrt(squared)
    r *= _SQRT5
    value = np.exp(-r)
    value *= 1.0 + r + r * r / 3.0
    return value


def shape_and_slope(squared: np.ndarray, shape: str) -> tuple[np.ndarray, np.ndarray]:
    """Kernel value at squared scaled distance, and minus twice its derivative by that squared distance."""
    if shape == "rbf":
        value = np.exp(-0.5 * squared)
        return value, value
    r = _SQRT5 * np.sqrt(squared)
    decay = np.exp(-r)
    return (1.0 + r + r**2 / 3.0) * decay, (5.0 / 3.0) * (1.0 + r) * decay


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each parameter stands in the vector that the optimiser moves: log lengthscales, weight logits, log noise."""

    terms: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, spec: KernelSpec, blocks: Blocks) -> "Layout":
        """The parameters of a kernel over those of its blocks that vary.

        Raises:
            ValueError: none of them does.
        """
        names = blocks.names
        terms = tuple(
            t for t in (tuple(names.index(b) for b in term if b in names) for term in spec.terms) if t
        )
        if not terms:
            raise ValueError(f"no block of the kernel {spec.name} varies over the pool")
        return cls(terms)

    def start(self, spec: KernelSpec) -> np.ndarray:
        """Every parameter at the mode of its prior."""
        return np.concatenate(
            [
                *(np.full(len(term), np.log(spec.lengthscale.start(len(term)))) for term in self.terms),
                np.zeros(self.n_logits),
                [np.log(spec.noise.start(1))],
            ]
        )

    @property
    def n_lengthscales(self) -> int:
        """Over all terms."""
        return sum(len(term) for term in self.terms)

    @property
    def n_logits(self) -> int:
        """One a term; none where there is one term, whose weight is 1."""
        return len(self.terms) if len(self.terms) > 1 else 0

    def split(self, theta: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, float]:
        """Vector -> log lengthscales of each term, weights, log residual variance."""
        scales, at = [], 0
        for term in self.terms:
            scales.append(theta[at : at + len(term)])
            at += len(term)
        if not self.n_logits:
            return scales, np.ones(1), float(theta[-1])
        logits = theta[at : at + self.n_logits]
        weights = np.exp(logits - logits.max())
        return scales, weights / weights.sum(), float(theta[-1])


def covariance_at(
    spec: KernelSpec, blocks: Blocks, layout: Layout, theta: np.ndarray, left: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Prior covariance between rows of the pool at given parameters: len(left) x len(right)."""
    scales, weights, _ = layout.split(theta)
    distances = {
        block: blocks.squared_distances(blocks.names[block], left, right)
        for block in sorted({block for term in layout.terms for block in term})
    }
    total = np.zeros((len(left), len(right)), dtype=np.result_type(*distances.values()))
    for term, term_scales, weight in zip(layout.terms, scales, weights, strict=True):
        squared = np.zeros_like(total)
        for block, scale in zip(term, term_scales, strict=True):
            squared += distances[block] * total.dtype.type(np.exp(-2.0 * scale))
        total += total.dtype.type(weight) * shape_of(squared, spec.shape)
    return total


def prior_covariance(spec: KernelSpec, blocks: Blocks, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Covariance between rows of the pool before anything is measured, lengthscales at the modes of their priors.

    Raises:
        ValueError: the kernel has no block that varies over the pool.
    """
    layout = Layout.of(spec, blocks)
    return covariance_at(spec, blocks, layout, layout.start(spec), left, right)
