"""What a planner sees of a pool: features in blocks, the kernels that suit them, and where history stands in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

import models
from lab.types import AMINO_ACIDS, Campaign, Candidate, Experiment, ExperimentStatus, History
from models.encodings import NamedValues
from models.residues import RESIDUE_CLASS_OF, RESIDUE_CLASSES
from planners.kernels import Blocks, KernelSpec
from planners.priors import GammaPrior, LogNormalPrior

__all__ = ["KERNELS", "Seen", "Space", "encode_space", "free_rows", "look_back"]

_SAMPLE = 2000
"""Rows over which distances are averaged; the mean over a regular sample of a larger pool differs by a few percent."""

_FEW_SITES = 8
"""Up to so many varied sites, each gets lengthscales of its own; more could not be told apart by 100 results."""

_PROTEIN_NOISE = LogNormalPrior(loc=-2.0, scale=1.0, grows=False)
"""Sequence features leave much unexplained at this budget, unlike the settings of an instrument: wide, around 0.14."""

KERNELS: Mapping[str, KernelSpec] = {
    spec.name: spec
    for spec in (
        KernelSpec(name="residues", terms=(("one_hot", "z_scales"),), noise=_PROTEIN_NOISE),
        KernelSpec(
            name="sites",
            terms=(("@*",),),
            lengthscale=GammaPrior(shape=3.0, mode=1 / 3),
            noise=_PROTEIN_NOISE,
        ),
        KernelSpec(
            name="residues_wide",
            terms=(("one_hot", "z_scales"),),
            lengthscale=LogNormalPrior(),
            noise=_PROTEIN_NOISE,
        ),
        KernelSpec(name="site_and_change", terms=(("site", "place", "new", "old"),), noise=_PROTEIN_NOISE),
        KernelSpec(
            name="additive",
            terms=(("site",), ("place",), ("new", "old"), ("near", "new"), ("site", "new")),
            noise=_PROTEIN_NOISE,
        ),
        KernelSpec(name="matern", terms=(("*",),)),
        KernelSpec(name="matern_wide", terms=(("*",),), lengthscale=LogNormalPrior(), shape="rbf"),
    )
}
"""Kernels by name. ``*`` stands for every block of the space, ``@*`` for the blocks of single sites."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A pool, encoded.

    Args:
        candidates: N of them, in the campaign's order; rows count from 0 in that order.
        row_of: candidate id -> row.
        blocks: features.
        kernels: names of those that suit the space.
        cards: ``name@version`` of the encoders.
        changes: for each candidate the sites (counted from 0) that differ from the parent; empty without one.
        parent: sequence of the reference, empty without one.
        strata: N x 2, position and class of the new residue as integers, where candidates are single substitutions.
        scores: (N,), mean 0 and variance 1, what general knowledge of proteins promises of single substitutions,
            larger is more stable; None for other candidates, or where it tells nothing apart.
        new_residues: (N,), the new residue of single substitutions as an integer.
    """

    candidates: tuple[Candidate, ...]
    row_of: Mapping[str, int]
    blocks: Blocks
    kernels: tuple[KernelSpec, ...]
    cards: tuple[str, ...]
    changes: tuple[tuple[int, ...], ...]
    parent: str
    strata: np.ndarray | None = None
    scores: np.ndarray | None = None
    new_residues: np.ndarray | None = None

    @property
    def size(self) -> int:
        """N."""
        return len(self.candidates)

    def without_scores(self) -> Space:
        """The same pool, as if nothing were known of it beforehand."""
        if self.scores is None:
            return self
        return replace(self, scores=None, cards=self.cards[:-1])


def encode_space(campaign: Campaign) -> Space:
    """Encode the pool of a campaign, which has candidates and each id once.

    Raises:
        BadInput: something an encoder refuses.
    """
    pool = campaign.candidates
    row_of = {candidate.id: row for row, candidate in enumerate(pool)}
    if not any(candidate.sequence for candidate in pool):
        columns, names = _named_values(pool)
        kernels, parent, single = ["matern", "matern_wide"], "", False
        changes: tuple[tuple[int, ...], ...] = tuple(() for _ in pool)
    else:
        parent = campaign.reference.sequence
        columns, names, changes = _sequences(pool, parent)
        single = bool(parent) and max(len(sites) for sites in changes) <= 1
        kernels = ["residues", "site_and_change", "additive"] if single else ["residues", "residues_wide"]
        if not single and any("@" in name for name in columns):
            kernels.append("sites")
    scores = None
    if single:
        scorer = models.scorer("substitution_effects", parent=parent, pool=pool)
        scores = _standardised(scorer.score(pool))
        names = names if scores is None else (*names, scorer.card.label)
    sample = None if len(pool) <= _SAMPLE else np.linspace(0, len(pool) - 1, _SAMPLE).astype(np.intp)
    return Space(
        candidates=pool,
        row_of=row_of,
        blocks=Blocks(columns, sample),
        kernels=tuple(_every_block(KERNELS[name], tuple(columns)) for name in kernels),
        cards=names,
        changes=changes,
        parent=parent,
        strata=_strata(pool, changes) if single else None,
        scores=scores,
        new_residues=_new_residues(pool, changes) if single else None,
    )


def _standardised(scores: np.ndarray) -> np.ndarray | None:
    """Mean 0, variance 1, and nothing past three standard deviations, so that no single row sets the slope."""
    spread = float(scores.std())
    return np.clip((scores - scores.mean()) / spread, -3.0, 3.0) if spread > 1e-9 else None


def _new_residues(pool: Sequence[Candidate], changes: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Which residue each single substitution brings, from 1; 0 for the parent."""
    letters = [c.sequence[sites[0]] if sites else "" for c, sites in zip(pool, changes, strict=True)]
    return np.array([AMINO_ACIDS.find(letter) + 1 if letter else 0 for letter in letters], dtype=np.intp)


def _strata(pool: Sequence[Candidate], changes: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Position and class of residue of each single substitution, N x 2; the parent itself has a position of its own."""
    classes = list(RESIDUE_CLASSES)
    rows = [
        (sites[0] + 1, classes.index(RESIDUE_CLASS_OF[c.sequence[sites[0]]])) if sites else (0, 0)
        for c, sites in zip(pool, changes, strict=True)
    ]
    return np.array(rows, dtype=np.intp)


def _every_block(spec: KernelSpec, names: tuple[str, ...]) -> KernelSpec:
    """The kernel with the names that its star stands for."""
    if spec.terms == (("*",),):
        return replace(spec, terms=(names,))
    if spec.terms == (("@*",),):
        return replace(spec, terms=(tuple(name for name in names if "@" in name),))
    return spec


def _named_values(pool: Sequence[Candidate]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """One block a value that varies, so that each has a lengthscale of its own."""
    encoder = NamedValues(pool=pool)
    encoded = encoder.encode(pool)
    columns, at = {}, 0
    for name, width in encoder.groups:
        columns[name] = encoded[:, at : at + width]
        at += width
    return columns, (encoder.card.label,)


def _sequences(
    pool: Sequence[Candidate], parent: str
) -> tuple[dict[str, np.ndarray], tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Blocks of letters and residues; with a parent also what was replaced by what, and where."""
    wanted = ("one_hot", "z_scales", "positions", "substitutions") if parent else ("one_hot", "z_scales")
    encoders = {name: models.encoder(name, parent=parent, pool=pool) for name in wanted}
    encoded = {name: encoder.encode(pool) for name, encoder in encoders.items()}
    columns = {"one_hot": encoded["one_hot"], "z_scales": encoded["z_scales"]}
    sites = encoded["one_hot"].shape[1] // 20
    if sites <= _FEW_SITES:
        for i in range(sites):
            columns[f"one_hot@{i}"] = encoded["one_hot"][:, 20 * i : 20 * (i + 1)]
            columns[f"z_scales@{i}"] = encoded["z_scales"][:, 5 * i : 5 * (i + 1)]
    changes: tuple[tuple[int, ...], ...] = tuple(() for _ in pool)
    if parent:
        summary = encoded["substitutions"]
        columns |= {
            "site": encoded["positions"],
            "place": summary[:, 1:2],
            "new": summary[:, 2:7],
            "old": summary[:, 7:12],
            "near": summary[:, 12:17],
        }
        changes = tuple(
            tuple(i for i, (a, b) in enumerate(zip(c.sequence, parent, strict=True)) if a != b) for c in pool
        )
    return columns, tuple(encoder.card.label for encoder in encoders.values()), changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """History by rows of the pool.

    Args:
        rows: of usable results, n of them, a row as often as it was measured.
        values: (n,), in the target's unit, all finite.
        standard_errors: (n,), in the target's unit, pooled; 0 where nothing is known.
        pending: rows chosen and not measured yet.
        free: rows that may be chosen.
        reference: mean of what analyses report for the reference (``details["reference_value"]``); None when they do not.
    """

    rows: np.ndarray
    values: np.ndarray
    standard_errors: np.ndarray
    pending: np.ndarray
    free: np.ndarray
    reference: float | None


def free_rows(campaign: Campaign, history: History, pending: Sequence[Experiment]) -> np.ndarray:
    """Rows of the pool that may be chosen, in order.

    A candidate is never free again once chosen, whether it was measured, failed or was abandoned; a retracted result
    frees it.
    """
    asked = (*history.experiments, *pending)
    chosen = {e.candidate.id for e in asked if e.status is not ExperimentStatus.RETRACTED}
    return np.array([i for i, c in enumerate(campaign.candidates) if c.id not in chosen], dtype=np.intp)


_UNDER_WAY = {ExperimentStatus.PROPOSED, ExperimentStatus.APPROVED, ExperimentStatus.RUNNING}


def look_back(
    space: Space,
    campaign: Campaign,
    history: History,
    pending: Sequence[Experiment],
    repeating: Sequence[Experiment],
) -> Seen:
    """Sort history by what it means for the next choice. Results that are not finite count as none.

    Args:
        repeating: experiments that the same batch repeats; on their way like the pending ones.
    """
    busy = {e.candidate.id for e in (*pending, *repeating)}
    busy |= {e.candidate.id for e in history.experiments if e.status in _UNDER_WAY}
    usable = [
        (space.row_of[e.candidate.id], o)
        for e, o in history.usable(campaign.goal.target)
        if e.candidate.id in space.row_of and np.isfinite(o.value)
    ]
    references = [o.details.get("reference_value") for _, o in usable]
    known = [float(r) for r in references if isinstance(r, int | float) and np.isfinite(r)]
    return Seen(
        rows=np.array([row for row, _ in usable], dtype=np.intp),
        values=np.array([o.value for _, o in usable], dtype=np.float64),
        standard_errors=_pooled(
            np.array([o.standard_error for _, o in usable], dtype=np.float64),
            np.array([o.replicates for _, o in usable], dtype=np.float64),
        ),
        pending=np.array(sorted(space.row_of[i] for i in busy if i in space.row_of), dtype=np.intp),
        free=free_rows(campaign, history, (*pending, *repeating)),
        reference=float(np.mean(known)) if known else None,
    )


_PRIOR_FREEDOM = 4.0
"""Degrees of freedom that the typical error counts for; Smyth estimates them from thousands of genes, we have 96 results."""


def _pooled(standard_errors: np.ndarray, replicates: np.ndarray) -> np.ndarray:
    """Standard errors drawn towards their typical size, since three replicates can agree by luck.

    The moderated variance of G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 3 (2004) article 3: a weighted mean of an
    observation's own squared error and the median of all, weights their degrees of freedom. Unknown errors get the median.
    """
    known = np.isfinite(standard_errors) & (standard_errors > 0.0)
    if not known.any():
        return np.zeros_like(standard_errors)
    typical = float(np.median(standard_errors[known] ** 2))
    freedom = np.where(known, np.maximum(replicates - 1.0, 0.0), 0.0)
    own = np.where(known, np.nan_to_num(standard_errors, posinf=0.0, neginf=0.0), 0.0) ** 2
    pooled: np.ndarray = np.sqrt((_PRIOR_FREEDOM * typical + freedom * own) / (_PRIOR_FREEDOM + freedom))
    return pooled
