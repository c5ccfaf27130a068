"""A campaign's results as a mechanism sees them, and what follows: estimates, predictions, gains."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyro
import torch
from torch import Tensor

from lab.errors import BadInput
from lab.interfaces import Beliefs
from lab.types import Campaign, Candidate, History
from planners.bo.results import Column, read_history
from planners.mechanistic.inference import Design, Draws, MechanisticModel, posterior_draws
from planners.mechanistic.information import InformationGain, share_explained
from planners.mechanistic.mechanisms import MECHANISMS, Mechanism
from planners.mechanistic.planner import Estimate, MechanisticSettings, refuse_input

__all__ = ["Fitted", "fitted", "quiet_pyro"]

_KEPT = 2000
"""Draws behind estimates and predictions."""

_LOOKED_AT = 2000
"""Different points whose gains are worked out; more are thinned at random."""


_LARGEST_ERROR = 1e3
"""Of a result beside a scale of 1: what is less sure already says nothing."""


@contextmanager
def quiet_pyro(rng: np.random.Generator) -> Iterator[None]:
    """Torch on one thread, seeded from ``rng``, Pyro's parameter store left alone, and all as it was before when done."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(), pyro.validation_enabled(False):
        torch.manual_seed(int(rng.integers(2**62)))
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Candidates to points of a mechanism.

    Args:
        names: input -> name of the candidates' value.
        fixed: input -> its value everywhere.
        group: value or ``sequence`` that names a candidate's group; empty for none.
        groups: their names, in order.
    """

    names: Mapping[str, str]
    fixed: Mapping[str, float]
    group: str
    groups: tuple[str, ...]

    def design(self, candidates: Sequence[Candidate]) -> Design:
        """n candidates -> their points.

        Raises:
            BadInput: an input that is missing, or no number.
        """
        inputs = {}
        for name, called in self.names.items():
            inputs[name] = torch.tensor([_number(c, called) for c in candidates], dtype=torch.double)
        for name, value in self.fixed.items():
            inputs[name] = torch.full((len(candidates),), value, dtype=torch.double)
        index = {name: i for i, name in enumerate(self.groups)}
        groups = [index[_group_of(c, self.group)] for c in candidates]
        return Design(inputs=inputs, groups=torch.tensor(groups, dtype=torch.long))


class Fitted:
    """A mechanism fitted to what was measured.

    Attributes:
        count: results that it rests on.
    """

    def __init__(
        self,
        model: MechanisticModel,
        draws: Draws,
        reader: Reader,
        scale: float,
        error: float,
        column: Column | None,
    ) -> None:
        self._model, self._draws, self._reader, self._scale, self._error = model, draws, reader, scale, error
        self.count = 0 if column is None else len(column.values)
        self._few = draws.values

    def with_few(self, count: int) -> None:
        """How many draws gains are worked out with."""
        self._few = self._draws.values[:count]

    def beliefs(self, candidates: Sequence[Candidate], draws: int = 0) -> Beliefs:
        """What the curve is at candidates; with so many of the draws behind it."""
        values = self._scale * self._model.means(self._draws.values, self._reader.design(candidates)).numpy()
        values = np.broadcast_to(values, (len(self._draws.values), len(candidates)))
        low, high = np.quantile(values, (0.025, 0.975), axis=0)
        return Beliefs(
            mean=values.mean(axis=0),
            sd=values.std(axis=0),
            low=low,
            high=high,
            draws=values[:draws].copy() if draws else None,
        )

    def estimates(self) -> tuple[Estimate, ...]:
        """Every parameter, once for all groups or once for each."""
        several = len(self._reader.groups) > 1
        made = []
        for prior in self._model.priors:
            own = several and prior.name in self._model.varies
            for index, group in enumerate(self._reader.groups if own else ("",)):
                values = self._natural(prior.name, index).numpy()
                low, high = np.quantile(values, (0.025, 0.975))
                made.append(
                    Estimate(
                        name=prior.name,
                        label=prior.label,
                        group=group,
                        unit="" if prior.unit == "target" else prior.unit,
                        mean=float(values.mean()),
                        sd=float(values.std()),
                        low=float(low),
                        high=float(high),
                    )
                )
        return tuple(made)

    def _natural(self, name: str, group: int, draws: Tensor | None = None) -> Tensor:
        """Draws of one parameter of one group, in its unit."""
        values = self._draws.values if draws is None else draws
        working = self._model.working(values, torch.tensor([group]))
        found = self._model.natural(working)[name][:, 0]
        prior = next(p for p in self._model.priors if p.name == name)
        return found * self._scale if prior.unit == "target" else found

    def told_most(self, candidate: Candidate) -> Estimate:
        """The parameter of which a result at a candidate takes most of the uncertainty away."""
        design = self._reader.design([candidate])
        means = self._model.means(self._draws.values, design).expand(-1, 1)[:, 0]
        noise = self._noise(self._draws.values)[:, 0]
        group = int(design.groups[0])
        name = self._reader.groups[group] if len(self._reader.groups) > 1 else ""
        working = self._model.working(self._draws.values, design.groups)
        shares = {p.name: share_explained(working[p.name][:, 0], means, noise) for p in self._model.priors}
        best = max(shares, key=lambda parameter: shares[parameter])
        own = name if best in self._model.varies else ""
        return next(e for e in self.estimates() if e.name == best and e.group == own)

    def _noise(self, draws: Tensor) -> Tensor:
        """Standard deviation of one result, by draw: S x 1."""
        learned = self._model.split(draws)["noise"].exp()
        return (learned**2 + self._error**2).sqrt()

    def chosen(
        self, n: int, free: Sequence[Candidate], pending: Sequence[Candidate]
    ) -> list[tuple[int, float]]:
        """Places of n candidates and what each adds, one after the other, those pending taken as measured before."""
        draws = self._few
        gain = InformationGain(len(draws))
        noise = self._noise(draws)
        if pending:
            means = self._model.means(draws, self._reader.design(pending))
            for column in means.expand(-1, len(pending)).T:
                gain.measure(column, noise[:, 0])
        left = torch.randperm(len(free))[: max(n, _LOOKED_AT)]
        means = self._model.means(draws, self._reader.design(free)).expand(-1, len(free))
        found = []
        for _ in range(n):
            gains = gain.gains(means[:, left], noise.expand(-1, len(left)))
            at = int(torch.argmax(torch.nan_to_num(gains, nan=-1e9)))
            row = int(left[at])
            found.append((row, float(gains[at])))
            gain.measure(means[:, row], noise[:, 0])
            left = torch.cat([left[:at], left[at + 1 :]])
        return found


def fitted(
    settings: MechanisticSettings, campaign: Campaign, history: History, also: Sequence[Candidate] = ()
) -> Fitted:
    """The mechanism that settings name, fitted to the campaign's results.

    Args:
        also: candidates that will be asked about; a group of theirs that was not measured is one as any other may be.

    Raises:
        BadInput: candidates without its inputs, or settings that name what it does not have.
    """
    mechanism = MECHANISMS[settings.mechanism]
    column = read_history(campaign, history, ()).columns.get(campaign.goal.target)
    everyone = (*campaign.candidates, *(column.candidates if column else ()))
    reader = _reader(settings, mechanism, everyone, also)
    ranges = {
        name: (float(values.min()), float(values.max()))
        for name, values in reader.design(everyone).inputs.items()
    }
    for name, (low, _) in ranges.items():
        if low < 0.0 and name != "temperature_c":
            raise BadInput(
                f"{name} is {low:g}, and the mechanism {settings.mechanism} knows none below 0.", field=name
            )
    priors = mechanism.priors(ranges)
    varies = settings.varies or mechanism.varies
    if strange := [name for name in varies if name not in {p.name for p in priors}]:
        raise BadInput(
            f"{strange[0]} is no parameter of {settings.mechanism}.",
            way_out=f"Its parameters are {', '.join(p.name for p in priors)}.",
            field="planner.settings.varies",
        )
    several = len(reader.groups) > 1
    model = MechanisticModel(
        curve=mechanism.curve(ranges),
        priors=priors,
        group_count=len(reader.groups),
        varies=tuple(varies) if several else (),
    )
    scale = settings.scale or _scale(column)
    errors = np.zeros(0) if column is None else np.minimum(_errors(column) / scale, _LARGEST_ERROR)
    values = np.zeros(0) if column is None else column.values / scale
    design = reader.design(column.candidates if column else ())
    draws = posterior_draws(model, design, torch.as_tensor(errors), torch.as_tensor(values), _KEPT)
    made = Fitted(model, draws, reader, scale, float(np.median(errors)) if len(errors) else 0.0, column)
    made.with_few(settings.draws)
    return made


def _errors(column: Column) -> np.ndarray:
    return np.zeros(len(column.values)) if column.errors is None else column.errors


def _scale(column: Column | None) -> float:
    if column is None:
        return 1.0
    largest = max(float(np.abs(column.values).max()), float(_errors(column).min()))
    return largest if largest > 0.0 else 1.0


def _reader(
    settings: MechanisticSettings,
    mechanism: Mechanism,
    candidates: Sequence[Candidate],
    also: Sequence[Candidate],
) -> Reader:
    names, fixed = {}, {}
    there = set.intersection(*(set(c.values) for c in candidates)) if candidates else set()
    for where, given in (("inputs", settings.inputs), ("fixed", settings.fixed)):
        if strange := [name for name in given if name not in mechanism.inputs]:
            raise BadInput(
                f"{strange[0]} is no input of {settings.mechanism}.",
                way_out=f"Its inputs are {', '.join(mechanism.inputs)}.",
                field=f"planner.settings.{where}",
            )
    for name, otherwise in mechanism.inputs.items():
        called = settings.inputs.get(name, name)
        if name in settings.fixed:
            fixed[name] = settings.fixed[name]
        elif called in there:
            names[name] = called
        elif np.isfinite(otherwise) and name not in settings.inputs:
            fixed[name] = otherwise
        else:
            raise refuse_input(called, sorted(there), "planner.settings.inputs")
    if settings.group and settings.group != "sequence" and settings.group not in there:
        raise BadInput(
            f"Candidates are to be grouped by {settings.group}, which they do not have.",
            way_out=f"They have {', '.join(sorted(there)) or 'no values'}.",
            field="planner.settings.group",
        )
    if settings.group and settings.group != "sequence":
        lacking = next((c for c in also if settings.group not in c.values), None)
        if lacking is not None:
            raise BadInput(
                f"Candidate {lacking.id} has no {settings.group}, by which candidates are grouped.",
                field=settings.group,
            )
    known = (*candidates, *also) if settings.group else ()
    groups = tuple(dict.fromkeys(_group_of(c, settings.group) for c in known)) or ("",)
    return Reader(names=names, fixed=fixed, group=settings.group, groups=groups)


def _group_of(candidate: Candidate, group: str) -> str:
    if not group:
        return ""
    return candidate.sequence if group == "sequence" else str(candidate.values[group])


def _number(candidate: Candidate, name: str) -> float:
    value = candidate.values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise BadInput(
            f"Candidate {candidate.id} has {value!r} for {name}, where the mechanism needs a number.",
            field=name,
        )
    return float(value)
