"""Published measurements as pools that every method chooses from, by name.

:data:`DEVELOPMENT` may be tuned on; :data:`REPORT` may not even be looked at before the planner is frozen. README.md says
what each is. The loaders are in ``materials.py`` and ``proteins.py``; files come from ``../shared/data`` beside the
repository and from the package mavenn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Literal

import numpy as np

from lab.errors import BadInput
from lab.types import Candidate, Goal, ModelChoice, Objective

__all__ = [
    "DEVELOPMENT",
    "REPORT",
    "TIMING",
    "Column",
    "Outcome",
    "PlanningSet",
    "Protocol",
    "encode",
    "load",
    "names",
]


@dataclass(frozen=True, slots=True)
class Protocol:
    """Experiments drawn at random, then batches, to a budget."""

    first: int
    batch: int
    budget: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured of every candidate: (N,) values in the set's unit, and which way is better."""

    name: str
    values: np.ndarray
    direction: Literal["maximize", "minimize"] = "maximize"

    @property
    def merits(self) -> np.ndarray:
        """(N,) values, turned so that larger is better."""
        return self.values if self.direction == "maximize" else -self.values


@dataclass(frozen=True, slots=True)
class Column:
    """One parameter of the pool, as peers with parameters of their own are told it.

    Args:
        values: N numbers, or N labels.
        table: label -> numbers that describe it; empty where a label is only a name.
        derived: follows from the other columns, so that it can't be chosen on its own.
    """

    name: str
    values: Sequence[float] | Sequence[str]
    table: Mapping[str, Sequence[float]] = field(default_factory=dict)
    derived: bool = False

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers."""
        return not isinstance(self.values[0], str)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningSet:
    """A pool with everything that was measured of it.

    Args:
        candidates: N of them, as our planners are given them.
        outcomes: one, or two for a set with two objectives.
        columns: the same candidates as parameters.
        parent: sequence that substitutions are counted from; empty where there is none.
        accession: of the protein (UniProt), where ``models/substitution_effects.py`` was fitted to it.
        scores: (N,) what a pretrained model says before anything is measured; None without one. Peers see it as a column.
        models: what a campaign of ours names so that it knows of a candidate what the columns say to peers.
        extras: pretrained models that a user of ours would name besides; no peer has a place for them.
        alphabet: what the letters of sequences are.
    """

    name: str
    candidates: tuple[Candidate, ...]
    outcomes: tuple[Outcome, ...]
    columns: tuple[Column, ...]
    protocol: Protocol
    parent: str = ""
    accession: str = ""
    scores: np.ndarray | None = None
    models: tuple[ModelChoice, ...] = ()
    extras: tuple[ModelChoice, ...] = ()
    alphabet: Literal["protein", "dna"] = "protein"

    @property
    def merits(self) -> np.ndarray:
        """N x outcomes, larger is better."""
        return np.stack([outcome.merits for outcome in self.outcomes], axis=1)

    @property
    def goal(self) -> Goal:
        """What a campaign on it looks for."""
        first, *rest = (Objective(target=o.name, direction=o.direction) for o in self.outcomes)
        return Goal(target=first.target, direction=first.direction, also=tuple(rest))

    def first_rows(self, seed: int) -> np.ndarray:
        """The experiments that every method of a seed starts from."""
        draw = np.random.default_rng([seed, 1])
        return draw.choice(len(self.candidates), self.protocol.first, replace=False)


def encode(columns: Sequence[Column]) -> np.ndarray:
    """Candidates as points of the unit cube: N x d, columns that do not vary left out.

    A number is one coordinate; a label is its table, whose widest axis fills the unit, or one coordinate for each label.
    """
    blocks = []
    for column in columns:
        if column.is_number:
            block = np.array(column.values, dtype=np.float64)[:, None]
        else:
            labels = sorted(set(map(str, column.values)))
            place = {label: i for i, label in enumerate(labels)}
            table = (
                np.array([column.table[label] for label in labels]) if column.table else np.eye(len(labels))
            )
            block = table[[place[str(label)] for label in column.values]]
        low, width = block.min(axis=0), np.ptp(block, axis=0)
        if width.max() > 0.0:
            blocks.append(((block - low) / width.max())[:, width > 0.0])
    return np.concatenate(blocks, axis=1)


def _loader(module: str, function: str, *args: object) -> Callable[[str], PlanningSet]:
    def made(name: str) -> PlanningSet:
        # loaders read this module's types, so they are imported when one is asked for
        from importlib import import_module

        found: PlanningSet = getattr(import_module(f"benchmarks.planning.{module}"), function)(name, *args)
        return found

    return made


_olympus = partial(_loader, "materials", "olympus")
_pvlab = partial(_loader, "materials", "pvlab")

DEVELOPMENT: dict[str, Callable[[str], PlanningSet]] = {
    "crossed_barrel": _pvlab("Crossed_barrel", "maximize", Protocol(10, 5, 100)),
    "crossed_barrel_sequential": _pvlab("Crossed_barrel", "maximize", Protocol(2, 1, 100)),
    "p3ht": _pvlab("P3HT", "maximize", Protocol(10, 5, 50)),
    "photo_wf3": _olympus(Protocol(10, 5, 100)),
    "direct_arylation": _loader("materials", "arylation", False, Protocol(5, 5, 100)),
    "direct_arylation_dft": _loader("materials", "arylation", True, Protocol(5, 5, 100)),
    "gb1": _loader("proteins", "gb1", None, Protocol(10, 5, 100)),
    "gb1_whole": _loader("proteins", "gb1_whole", Protocol(10, 5, 100)),
    "gb1_2000": _loader("proteins", "gb1", 2000, Protocol(10, 5, 100)),
    "tem1": _loader("proteins", "tem1", None, Protocol(16, 16, 96)),
    **{f"tem1_window_{i}": _loader("proteins", "tem1", i, Protocol(12, 12, 96)) for i in range(1, 5)},
    **{
        f"fireprot_{short}": _loader("proteins", "fireprot", accession)
        for short, accession in {
            "nuclease": "P00644",
            "t4_lysozyme": "P00720",
            "barnase": "P00648",
            "human_lysozyme": "P61626",
            "dhfr": "P0ABQ4",
            "rnase_h": "P0A7Y4",
        }.items()
    },
}
"""Name -> loader of the sets that planners may be tuned on."""

REPORT: dict[str, Callable[[str], PlanningSet]] = {
    "gb1_ddg": _loader("proteins", "gb1_ddg", Protocol(12, 12, 96)),
    "autoam": _pvlab("AutoAM", "maximize", Protocol(5, 5, 30)),
    "agnp": _pvlab("AgNP", "minimize", Protocol(10, 5, 50)),
    "perovskite": _pvlab("Perovskite", "minimize", Protocol(5, 5, 30)),
    "buchwald": _loader("materials", "buchwald", Protocol(10, 5, 100)),
    "hplc": _olympus(Protocol(10, 5, 100)),
    "photo_pce10": _olympus(Protocol(10, 5, 100)),
    "fullerenes": _olympus(Protocol(10, 5, 50)),
    "colors_bob": _olympus(Protocol(10, 5, 50)),
    "suzuki": _olympus(Protocol(10, 5, 50)),
    "alkox": _olympus(Protocol(5, 5, 30)),
    "lnp3": _olympus(Protocol(10, 5, 100), "encap_efficiency"),
    "lac_promoter": _loader("proteins", "lac_promoter", Protocol(10, 5, 100)),
    "abeta": _loader("proteins", "abeta", Protocol(10, 5, 100)),
    "yield_cost": _loader("materials", "yield_cost", Protocol(10, 5, 100)),
}
"""Name -> loader of the sets that the frozen planner is judged on, once."""


TIMING: dict[str, Callable[[str], PlanningSet]] = {
    "numbers_5000": _loader("materials", "made_up", 5_000),
    "numbers_150000": _loader("materials", "made_up", 150_000),
    "gb1_5000": _loader("proteins", "gb1", 5_000, Protocol(95, 5, 100)),
    "gb1_all": _loader("proteins", "gb1", None, Protocol(95, 5, 100)),
}
"""Name -> loader of pools on which one ask with 95 measured is timed; what is chosen there is not looked at."""


def names(wanted: Sequence[str]) -> list[str]:
    """Names of sets, where ``dev`` and ``report`` stand for all of a kind.

    Raises:
        BadInput: no set has one of the names.
    """
    every = DEVELOPMENT | REPORT
    found: list[str] = []
    for name in wanted:
        kind = {"dev": DEVELOPMENT, "report": REPORT}.get(name)
        if kind is None and name not in every:
            raise BadInput(
                f"There is no set named {name!r}.", way_out=f"Known are dev, report, {', '.join(every)}."
            )
        found += [name] if kind is None else list(kind)
    return list(dict.fromkeys(found))


@cache
def load(name: str) -> PlanningSet:
    """The set of that name.

    Raises:
        BadInput: no set has that name.
        MissingData: its files are not here.
    """
    if name not in TIMING:
        names([name])
    return (DEVELOPMENT | REPORT | TIMING)[name](name)
