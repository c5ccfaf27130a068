"""What a planner sees of a pool: features in blocks, the kernels that suit them, and where history stands in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

import models
from lab.interfaces import Encoder, Scorer
from lab.types import AMINO_ACIDS, Campaign, Candidate
from models.residues import RESIDUE_CLASS_OF, RESIDUE_CLASSES
from planners.features import Dense, Features, sample_of
from planners.forest import narrow
from planners.kernels import Blocks, KernelSpec
from planners.priors import GammaPrior, LogNormalPrior
from planners.sequence_features import Letters, letters_of, sequence_blocks
from planners.value_features import SPREAD_OF_DESCRIPTORS, even_columns, value_blocks

__all__ = ["KERNELS", "Score", "Space", "encode_space"]

_SAMPLE = 2000
"""Rows over which distances are averaged; the mean over a regular sample of a larger pool differs by a few percent."""

_PROTEIN_NOISE = LogNormalPrior(loc=-2.0, scale=1.0, grows=False)
"""Sequence features leave much unexplained at this budget, unlike the settings of an instrument: wide, around 0.14."""

_NOISE = LogNormalPrior(loc=-4.0, scale=1.0, grows=False)
"""BoTorch's: a residual around 0.02. A prior that held it near 0.007 found 0.57 instead of 0.68 of the top 5 % of P3HT."""

_PAIRED = 10
"""Blocks of single sites, two a site, up to which a kernel may have a term for each two sites."""

_SITE_BY_SITE = GammaPrior(shape=3.0, mode=1 / 3)

KERNELS: Mapping[str, KernelSpec] = {
    spec.name: spec
    for spec in (
        KernelSpec(name="residues", terms=(("one_hot", "z_scales"),), noise=_PROTEIN_NOISE),
        KernelSpec(name="sites", terms=(("@*",),), lengthscale=_SITE_BY_SITE, noise=_PROTEIN_NOISE),
        KernelSpec(
            name="residues_wide",
            terms=(("one_hot", "z_scales"),),
            lengthscale=LogNormalPrior(),
            noise=_PROTEIN_NOISE,
        ),
        KernelSpec(
            name="site_sum",
            terms=(("@",), ("z_scales",)),
            lengthscale=LogNormalPrior(),
            noise=_PROTEIN_NOISE,
        ),
        KernelSpec(
            name="site_pairs",
            terms=(("@ each",), ("@ pairs",), ("z_scales",)),
            lengthscale=LogNormalPrior(),
            noise=_PROTEIN_NOISE,
        ),
        KernelSpec(name="site_and_change", terms=(("site", "place", "new", "old"),), noise=_PROTEIN_NOISE),
        KernelSpec(
            name="additive",
            terms=(("site",), ("place",), ("new", "old"), ("near", "new"), ("site", "new")),
            noise=_PROTEIN_NOISE,
        ),
        KernelSpec(
            name="score_and_residues",
            terms=(("score *",), ("one_hot", "z_scales")),
            noise=_PROTEIN_NOISE,
        ),
        KernelSpec(
            name="score_and_site",
            terms=(("score *", "new"), ("site",), ("one_hot", "z_scales")),
            noise=_PROTEIN_NOISE,
        ),
        KernelSpec(name="letters", terms=(("one_hot",),), noise=_PROTEIN_NOISE),
        KernelSpec(
            name="letters_wide", terms=(("one_hot",),), lengthscale=LogNormalPrior(), noise=_PROTEIN_NOISE
        ),
        KernelSpec(name="matern", terms=(("*",),), noise=_NOISE),
        KernelSpec(
            name="squared_exponential",
            terms=(("*",),),
            lengthscale=LogNormalPrior(),
            noise=_NOISE,
            shape="rbf",
        ),
        KernelSpec(name="sum", terms=(("+",), ("*",)), lengthscale=LogNormalPrior(), noise=_NOISE),
        KernelSpec(name="sum_short", terms=(("+",), ("*",)), noise=_NOISE),
        KernelSpec(
            name="sum_with_given",
            terms=(("+ given",), ("* given",)),
            lengthscale=LogNormalPrior(),
            noise=_NOISE,
        ),
        KernelSpec(name="given", terms=(("given *",),), lengthscale=LogNormalPrior(), noise=_PROTEIN_NOISE),
    )
}
"""Kernels by name.

``*`` stands for every block of the space, ``+`` for a term each of them; ``@*`` for the blocks of single sites together,
``@`` for a term each of them, ``@ each`` and ``@ pairs`` for a term of each site and of each two. What the campaign's models
give is ``given *``; the others leave it out unless they say ``given``. ``score *`` are scores that were asked for, and
their means over each site: what promises little is often as bad as what promises less, which no straight line says.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A number a candidate that was known before anything was measured.

    Args:
        name: what gave it, in a reason's words.
        label: ``name@version``.
        values: (N,), mean 0 and variance 1 over the pool, larger promises better.
        slope, sd: prior of its slope, in standard deviations of outputs a standard deviation of it.
        named: whether the campaign asked for it; it then ranks the first round whatever the direction of the goal.
    """

    name: str
    label: str
    values: np.ndarray
    slope: float
    sd: float
    named: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A pool, encoded.

    Args:
        candidates: N of them, in the campaign's order; rows count from 0 in that order.
        row_of: candidate id -> row.
        blocks: features.
        kernels: those that suit the space, the one that is kept unless another is clearly better first.
        cards: ``name@version`` of the encoders.
        others: kernels that suit the space and are used where settings name them.
        letters: codes of sequences; None where candidates have none.
        for_trees: features that a random forest takes; empty where there are none, or too many.
        strata: N x 2, position and class of the new residue as integers, where candidates are single substitutions.
        scores: what is known of candidates beforehand.
        new_residues: (N,), the new residue of single substitutions as an integer.
        averaged: kernels that are mixed, each with several settings of its parameters, when no scores are known; none where
            the likeliest parameters of ``kernels`` are better.
    """

    candidates: tuple[Candidate, ...]
    row_of: Mapping[str, int]
    blocks: Blocks
    kernels: tuple[KernelSpec, ...]
    cards: tuple[str, ...]
    others: tuple[KernelSpec, ...] = ()
    letters: Letters | None = None
    for_trees: tuple[Features, ...] = ()
    strata: np.ndarray | None = None
    scores: tuple[Score, ...] = ()
    new_residues: np.ndarray | None = None
    averaged: tuple[KernelSpec, ...] = ()

    @property
    def size(self) -> int:
        """N."""
        return len(self.candidates)

    @property
    def parent(self) -> str:
        """Sequence of the reference, empty without one."""
        return self.letters.parent if self.letters else ""

    def changes(self, row: int) -> tuple[int, ...]:
        """Sites (counted from 0) where a candidate differs from the parent; none without one."""
        return self.letters.changes(row) if self.letters else ()


def encode_space(campaign: Campaign, scaled_by: int | None = None) -> Space:
    """Encode the pool of a campaign, which has candidates and each id once.

    Args:
        scaled_by: how many candidates, the pool's first, say how far apart two are on average; all where not given.

    Raises:
        BadInput: something an encoder refuses.
        MissingData: a model that the campaign names lacks its package, weights or file.
    """
    pool = campaign.candidates
    columns: dict[str, Features] = {}
    spreads: dict[str, float] = {}
    letters, single = None, False
    cards: tuple[str, ...] = ()
    kernels: list[str] = []
    others: list[str] = []
    averaged: list[str] = []
    if any(candidate.sequence for candidate in pool):
        letters = letters_of(pool, campaign.reference.sequence, campaign.alphabet)
        columns, cards = sequence_blocks(letters)
        single = bool(letters.parent) and int(letters.counts.max()) <= 1
        kernels = _sequence_kernels(columns, single)
        if any(candidate.values for candidate in pool):
            values = value_blocks(pool)
            columns = {name: columns[name] for name in ("one_hot", "z_scales") if name in columns}
            columns, spreads, cards = columns | values.columns, values.spreads, (*cards, values.label)
            kernels, single = ["sum", "sum_short"], False
    elif any(candidate.values for candidate in pool) or not campaign.models:
        logs = [p.name for p in campaign.space.parameters if p.log] if campaign.space else []
        values = value_blocks(pool, logs)
        columns, spreads, cards = dict(values.columns), values.spreads, (values.label,)
        kernels = ["sum", "sum_short"] if values.factors else ["matern"]
        others = [] if values.factors else ["sum", "squared_exponential"]
        averaged = [] if values.factors or not values.columns else ["matern", "squared_exponential"]
    given, scores, of_models = _from_models(campaign)
    if given:
        columns |= given
        spreads = spreads | dict.fromkeys(given, SPREAD_OF_DESCRIPTORS)
        averaged = []
        kernels.insert(0, "given" if letters or not columns.keys() - given.keys() else "sum_with_given")
    strata: np.ndarray | None = None
    as_features: dict[str, Features] = {}
    if letters and single and campaign.alphabet == "protein":
        strata = _strata(pool, letters)
        as_features = _as_features(scores, strata)
        if scores:
            kernels[1:1] = ["score_and_residues", "score_and_site"]
        else:
            scores = _general_knowledge(pool, campaign.reference.sequence)
    columns |= as_features
    blocks = Blocks(columns, sample_of(scaled_by or len(pool), _SAMPLE), spreads)
    return Space(
        candidates=pool,
        row_of={candidate.id: row for row, candidate in enumerate(pool)},
        blocks=blocks,
        kernels=tuple(_every_block(KERNELS[name], blocks.names) for name in kernels),
        others=tuple(_every_block(KERNELS[name], blocks.names) for name in others),
        cards=tuple(dict.fromkeys((*cards, *of_models))),
        letters=letters,
        for_trees=_for_trees(blocks, scores, as_features),
        strata=strata,
        scores=scores,
        new_residues=_new_residues(letters) if letters and single else None,
        averaged=tuple(_every_block(KERNELS[name], blocks.names) for name in averaged),
    )


def _sequence_kernels(columns: Mapping[str, Features], single: bool) -> list[str]:
    if "z_scales" not in columns:
        return ["letters_wide", "letters"]
    if single:
        return ["residues", "site_and_change", "additive"]
    at_sites = {name for name in columns if "@" in name}
    if 0 < len(at_sites) <= _PAIRED:
        return ["site_sum", "site_pairs", "residues_wide"]
    if at_sites:
        return ["site_sum", "residues_wide", "sites"]
    return ["residues", "residues_wide"]


def _from_models(
    campaign: Campaign,
) -> tuple[dict[str, Features], tuple[Score, ...], tuple[str, ...]]:
    """What the models that a campaign names say of its pool: features, scores, labels."""
    given: dict[str, Features] = {}
    scores: list[Score] = []
    labels: list[str] = []
    for number, choice in enumerate(campaign.models, start=1):
        made = models.guide(choice, parent=campaign.reference.sequence)
        labels.append(made.card.label)
        if isinstance(made, Scorer):
            values = _standardised(np.asarray(made.score(campaign.candidates), dtype=np.float64))
            if values is not None:
                scores.append(
                    Score(
                        name=made.card.name.replace("_", " "),
                        label=made.card.label,
                        values=values,
                        slope=0.7,
                        sd=0.3,
                        named=True,
                    )
                )
        if isinstance(made, Encoder):
            given[f"given {number}: {choice.name}"] = Dense(even_columns(made.encode(campaign.candidates)))
    return given, tuple(scores), tuple(labels)


def _general_knowledge(pool: Sequence[Candidate], parent: str) -> tuple[Score, ...]:
    """What substitutions cost other proteins."""
    scorer = models.scorer("substitution_effects", parent=parent, pool=pool)
    values = _standardised(scorer.score(pool))
    if values is None:
        return ()
    label = scorer.card.label
    return (Score(name="other proteins", label=label, values=values, slope=0.4, sd=0.2, named=False),)


def _as_features(scores: Sequence[Score], strata: np.ndarray) -> dict[str, Features]:
    """Each score of single substitutions, and its mean over the candidates of each position."""
    made: dict[str, Features] = {}
    at = strata[:, 0]
    for number, score in enumerate(scores, start=1):
        means = np.bincount(at, score.values) / np.maximum(np.bincount(at), 1)
        made[f"score {number}"] = Dense(score.values[:, None])
        made[f"score {number} of the site"] = Dense(means[at][:, None])
    return made


def _for_trees(blocks: Blocks, scores: Sequence[Score], besides: Collection[str]) -> tuple[Features, ...]:
    """Numbers and levels, what replaces what, or z-scales; and the scores, which need no blocks ``besides``."""
    left_out = {"one_hot", "site", *besides}
    names = [name for name in blocks.names if "@" not in name and name not in left_out]
    kept = [blocks.features(name) for name in names if narrow(blocks.features(name))]
    return (*kept, *(Dense(score.values[:, None]) for score in scores)) if kept else ()


def _standardised(scores: np.ndarray) -> np.ndarray | None:
    """Mean 0, variance 1, and nothing past three standard deviations, so that no single row sets the slope."""
    known = np.isfinite(scores)
    if not known.any():
        return None
    filled = np.where(known, scores, scores[known].mean())
    spread = float(filled.std())
    return np.clip((filled - filled.mean()) / spread, -3.0, 3.0) if spread > 1e-9 else None


def _new_residues(letters: Letters) -> np.ndarray:
    """Which letter each single substitution brings, from 1; 0 for the parent."""
    changed = letters.codes != letters.base
    brought: np.ndarray = np.where(changed, letters.codes + 1, 0).max(axis=1, initial=0)
    return brought.astype(np.intp)


def _strata(pool: Sequence[Candidate], letters: Letters) -> np.ndarray:
    """Position and class of residue of each single substitution, N x 2; the parent itself has a position of its own."""
    classes = list(RESIDUE_CLASSES)
    of_letter = np.array([0, *(classes.index(RESIDUE_CLASS_OF[letter]) for letter in AMINO_ACIDS)])
    changed = letters.codes != letters.base
    at = np.where(changed.any(axis=1), changed.argmax(axis=1), -1)
    sites = np.array([*letters.sites, -1])
    return np.column_stack([sites[at] + 1, of_letter[_new_residues(letters)]]).astype(np.intp)


def _every_block(spec: KernelSpec, names: tuple[str, ...]) -> KernelSpec:
    """The kernel with the names that its signs stand for; a sum over one block only is that block once."""
    own = tuple(name for name in names if not name.startswith("given "))
    at_sites = tuple(name for name in own if "@" in name)
    sites = dict.fromkeys(name.partition("@")[2] for name in at_sites)
    by_site = tuple(tuple(name for name in at_sites if name.endswith(f"@{site}")) for site in sites)
    meant: dict[tuple[str, ...], tuple[tuple[str, ...], ...]] = {
        ("*",): (own,),
        ("@*",): (at_sites,),
        ("@",): tuple((name,) for name in at_sites),
        ("@ each",): by_site,
        ("@ pairs",): tuple(a + b for i, a in enumerate(by_site) for b in by_site[i + 1 :]),
        ("+",): tuple((name,) for name in own),
        ("+ given",): tuple((name,) for name in names if "@" not in name),
        ("* given",): (tuple(name for name in names if "@" not in name),),
        ("given *",): tuple((name,) for name in names if name.startswith("given ")),
    }
    known = tuple(name for name in names if name.startswith("score "))
    parts = [part for term in spec.terms for part in meant.get(term, (term,))]
    terms = [tuple(n for name in part for n in (known if name == "score *" else (name,))) for part in parts]
    return replace(spec, terms=tuple(dict.fromkeys(terms)))
