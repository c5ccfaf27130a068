"""How often ribosomes are expected to start at a start codon, from the sequence around it. Needs packages under the GPL."""

import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from lab.errors import BadInput
from lab.interfaces import ModelCard
from lab.strict import refuse
from lab.types import Candidate
from models.caching import Cache, cache_folder, key_of
from models.dna import Flanks
from models.packages import needed

__all__ = ["Ostir", "OstirSettings"]

_STARTS = ("ATG", "GTG", "TTG")


class OstirSettings(Flanks):
    """Settings of ``ostir``.

    Args:
        start_codon: position of its first base in ``before``, sequence and ``after`` together, counted from 1. When not
            given, it is where ``after`` begins: the candidates are leaders, and ``after`` is the gene.
        anti_shine_dalgarno: last nine bases of the 16S RNA, 5' to 3'; those of E. coli when not given.
    """

    start_codon: int | None = Field(default=None, ge=1)
    anti_shine_dalgarno: str = Field(default="ACCTCCTTA", pattern="^[ACGT]{9}$")

    @model_validator(mode="after")
    def _has_start(self) -> "OstirSettings":
        if self.start_codon is None and self.after[:3] not in _STARTS:
            raise refuse(
                "nothing says where the start codon is",
                "Give `start_codon`, or the gene as `after`, beginning with ATG, GTG or TTG.",
            )
        return self


class Ostir:
    """Translation initiation that OSTIR predicts: the free energy that a ribosome gains at the start codon.

    Binding of the 16S RNA, its distance from the start codon, the start codon itself and the standby site, less what it
    costs to unfold the messenger within 35 bases of the start codon.

    Args:
        settings: where the start codon is, and what stands around the candidates' sequences.
        parent, pool: ignored; here so that every scorer is made in the same way.

    Raises:
        MissingData: a package is not installed.
    """

    card = ModelCard(
        name="ostir",
        version="1.1.3",
        licence="GPL-3.0-or-later",
        source="ostir 1.1.3 (C. N. Roots, A. Lukasiewicz and J. E. Barrick, J. Open Source Softw. 6 (2021) 3362) with "
        "ViennaRNA 2.8.0",
        inputs="DNA sequences of leaders of bacterial messengers, 5' to 3', with a start codon",
        outputs="free energy of initiation with its sign turned, kcal/mol; the logarithm of the rate grows by 0.4 for each",
        tested_on="six ribosome-binding sites (B0030 to B0035): rank correlation 0.89 with the relative strengths that the "
        "Registry of Standard Biological Parts lists",
    )

    def __init__(self, settings: OstirSettings, *, parent: str = "", pool: Sequence[Candidate] = ()) -> None:
        del parent, pool
        self._settings = settings
        self._run = _imported().run_ostir
        self._cache = Cache(cache_folder())

    def score(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> (n,), larger starts more often.

        Raises:
            BadInput: no sequence, a letter that is no base, no start codon where it should be, or no ribosome binds.
        """
        if not candidates:
            return np.empty(0)
        settings = self._settings
        texts = [settings.around(candidate) for candidate in candidates]
        places = f"{settings.start_codon} {len(settings.after)} {settings.anti_shine_dalgarno}"
        keys = [key_of(self.card.label, self.card.source, places, text) for text in texts]
        rows = self._cache.filled(keys, lambda row: self._energy(candidates[row], texts[row]))
        return rows[:, 0].astype(np.float64)

    def _energy(self, candidate: Any, text: str) -> np.ndarray:
        """Free energy with its sign turned, (1,)."""
        settings = self._settings
        start = settings.start_codon or len(text) - len(settings.after) + 1
        codon = text[start - 1 : start + 2]
        if codon not in _STARTS:
            raise BadInput(
                f"Candidate {candidate.id} has {codon or 'nothing'} at position {start}, where its start codon should be.",
                way_out=f"Start codons are {', '.join(_STARTS)}; check `start_codon`, `before` and `after`.",
            )
        found = self._run(text, start=start, end=start, aSD=settings.anti_shine_dalgarno, verbosity=0)
        if len(found) != 1:
            raise BadInput(
                f"OSTIR finds no way for a ribosome to bind before the start codon of candidate {candidate.id}.",
                way_out="Give more of the messenger before it as `before`, or leave the candidate out.",
            )
        return np.array([-float(found[0]["dG_total"])])


def _imported() -> ModuleType:
    command = "pip install --no-deps ostir==1.1.3 viennarna==2.8.0"
    needed("RNA", model="ostir", package="viennarna", command=command)
    with warnings.catch_warnings():
        # It looks for ViennaRNA's programs when imported; what it calls is ViennaRNA's library.
        warnings.filterwarnings("ignore", message="RBS Calculator Vienna is missing dependency ViennaRNA")
        return needed("ostir", model="ostir", package="ostir", command=command)
