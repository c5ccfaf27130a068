"""Batches whose experiments have values in common, such as the one temperature of a plate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from lab.errors import BadInput
from lab.spaces import Candidate, JsonValue
from lab.types import Campaign, Experiment, History, Proposal

__all__ = ["choose_together", "fits", "setting_of", "with_setting"]

_SETTINGS = 3
"""Settings that are compared; each costs the planner another choice."""

Setting = tuple[JsonValue, ...]


class Ask(Protocol):
    """A planner's ``ask``."""

    def __call__(
        self,
        n: int,
        campaign: Campaign,
        history: History,
        pending: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> Proposal:
        """See :class:`lab.interfaces.Planner`."""
        ...


def fits(candidate: Candidate, fixed: Mapping[str, JsonValue]) -> bool:
    """Whether it has the values that the next batch must have."""
    return all(name in candidate.values and candidate.values[name] == value for name, value in fixed.items())


def setting_of(candidate: Candidate, shared: Sequence[str]) -> Setting:
    """Its values of the names, in their order.

    Raises:
        BadInput: it lacks one.
    """
    for name in shared:
        if name not in candidate.values:
            raise BadInput(
                f"Batches are to share {name}, but candidate {candidate.id} has no such value.",
                way_out="Name values that every candidate has.",
                field="shared",
            )
    return tuple(candidate.values[name] for name in shared)


def choose_together(
    ask: Ask,
    n: int,
    campaign: Campaign,
    history: History,
    pending: Sequence[Experiment],
    rng: np.random.Generator,
) -> tuple[Mapping[str, JsonValue], Proposal]:
    """The setting of the next batch, and up to n experiments at it; fewer where it has fewer left.

    The planner first chooses freely. The settings of what it chose are then tried, each with a batch of its own, and the one
    whose batch is worth most is kept: the fullest, and among those the one with the largest mean acquisition. Where no
    acquisition chose, or a repeat comes first, the first choice's setting is kept if it fills the batch.

    Raises:
        BadInput: candidates lack a value that is to be shared, and whatever the planner refuses.
    """
    if campaign.space is None:
        for candidate in campaign.candidates:
            setting_of(candidate, campaign.shared)
    else:
        _check_parameters(campaign)
    free = ask(n, campaign, history, pending, rng)
    if not free.experiments:
        return {}, free
    first = free.experiments[0]
    repeating = first.repeat_of is not None
    settings = dict.fromkeys(setting_of(e.candidate, campaign.shared) for e in free.experiments)
    best: tuple[Mapping[str, JsonValue], Proposal] | None = None
    for setting in list(settings)[: 1 if repeating else _SETTINGS]:
        fixed: Mapping[str, JsonValue] = dict(zip(campaign.shared, setting, strict=True))
        proposal = ask(n, replace(campaign, fixed=fixed), history, pending, rng)
        if best is None or _worth(proposal) > _worth(best[1]):
            best = fixed, proposal
        if len(proposal.experiments) == n and not first.reason.acquisition:
            break
    assert best is not None
    return best


def with_setting(proposal: Proposal, shared: Sequence[str]) -> Proposal:
    """A batch whose reasons say what its experiments have in common."""
    return replace(proposal, experiments=tuple(_explained(e, shared) for e in proposal.experiments))


def _check_parameters(campaign: Campaign) -> None:
    """Refuse shared values that a space does not have as parameters."""
    assert campaign.space is not None
    names = [parameter.name for parameter in campaign.space.parameters]
    for name in campaign.shared:
        if name not in names:
            raise BadInput(
                f"Batches are to share {name}, which is no parameter of the space.",
                way_out=f"Its parameters are {', '.join(names)}." if names else "It has none.",
                field="shared",
            )


def _worth(proposal: Proposal) -> tuple[int, float]:
    """How full a batch is, and its mean acquisition."""
    values = [
        e.reason.acquisition_value
        for e in proposal.experiments
        if e.reason.acquisition_value is not None and e.repeat_of is None
    ]
    return len(proposal.experiments), float(np.mean(values)) if values else -np.inf


def _explained(experiment: Experiment, shared: Sequence[str]) -> Experiment:
    """With the setting in its reason."""
    values = setting_of(experiment.candidate, shared)
    told = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in zip(shared, values, strict=True)
    )
    sentence = f"{experiment.reason.sentence} The whole batch has {told}."
    return replace(experiment, reason=replace(experiment.reason, sentence=sentence))
