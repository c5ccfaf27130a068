"""What of the house concerns what planners believe: slices through a candidate, and which parameters matter."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.app.house.thinking import Thinker
from lab.campaign import Streams, best_so_far
from lab.errors import BadInput
from lab.store import Store
from lab.strict import did_you_mean
from lab.types import Campaign, Candidate, ExperimentStatus, History, JsonValue

if TYPE_CHECKING:
    from lab.interfaces import Beliefs
    from planners.axes import Axis, Landscape
    from planners.posterior import Slice

__all__ = ["BeliefsOfPlanners", "Question", "answered"]

_TOGETHER = 3000
"""Points up to which the curves along all parameters are worked out at once, so that choosing another takes no fit."""

_UNDER_WAY = {ExperimentStatus.PROPOSED, ExperimentStatus.APPROVED, ExperimentStatus.RUNNING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a campaign's planner knows.

    Args:
        history: what was measured, without the batches that wait or are under way.
        batch: number of the batch that is chosen by this, or was, as long as it is not measured.
        chosen: whether it was.
        mark: the same as long as the planner knows the same.
    """

    campaign: Campaign
    history: History
    batch: int
    chosen: bool
    mark: str

    @property
    def rng(self) -> np.random.Generator:
        """The generator that the batch is chosen with."""
        return np.random.default_rng([self.campaign.seed, Streams.CHOOSING, self.batch])


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be worked out.

    Args:
        centre: through which slices go; None to be told what matters.
        along: names of axes; none for curves along all of them.
    """

    standing: Standing
    centre: Candidate | None = None
    along: tuple[str, ...] = ()


class BeliefsOfPlanners:
    """Implements what :class:`lab.service.house.House` says of beliefs.

    Attributes:
        store, thinker: of the house.
    """

    store: Store
    thinker: Thinker

    def posterior(
        self, campaign_id: str, *, along: Sequence[str], at: str, wait_s: float
    ) -> Mapping[str, JsonValue] | None:
        """See :meth:`lab.service.house.House.posterior`."""
        standing = standing_of(self.store, campaign_id)
        centre, what = _centre(self.store, standing, at)
        if len(along) > 2 or len(set(along)) < len(along):
            raise BadInput("A slice is along one parameter, or two different ones.", field="along")
        mark = (standing.mark, "slices", centre.id)

        def ask(*names: str) -> Any:
            question = Question(standing=standing, centre=centre, along=names)
            return self.thinker.ask((*mark, *names), lambda: question, wait_s)

        found = ask()
        if found is not None and along:
            known = [axis["name"] for axis in found["axes"]]
            if strange := [name for name in along if name not in known]:
                raise BadInput(
                    f"The candidates of this campaign do not differ in {strange[0]!r}.",
                    way_out=did_you_mean(strange[0], known, what="They differ in", quoted=False),
                    field="along",
                )
            if len(along) == 2 or along[0] not in found["slices"]:
                found = ask(*along)
        if found is None:
            return None
        name = " and ".join(along) or next(iter(found["slices"]), "")
        return found | {"slice": found["slices"].get(name), "centre": found["centre"] | {"what": what}}

    def importances(self, campaign_id: str, *, wait_s: float) -> Mapping[str, JsonValue] | None:
        """See :meth:`lab.service.house.House.importances`."""
        standing = standing_of(self.store, campaign_id)
        question = Question(standing=standing)
        found: Mapping[str, JsonValue] | None = self.thinker.ask(
            (standing.mark, "importances"), lambda: question, wait_s
        )
        return found


def standing_of(store: Store, campaign_id: str) -> Standing:
    """What a campaign's planner knows this moment.

    Raises:
        BadInput: there is no such campaign, or nothing usable has been measured in it.
    """
    campaign = store.campaign(campaign_id).campaign
    history = store.history(campaign.id)
    if not any(history.usable(target) for target in campaign.goal.targets):
        raise BadInput(
            "Nothing usable has been measured yet, so there is nothing that the planner could have learned."
        )
    batch_of = {e.id: batch.number for batch in store.open_batches(campaign.id) for e in batch.experiments}
    waiting = {e.id for e in history.experiments if e.status in _UNDER_WAY}
    open_ = [batch_of[one] for one in waiting if one in batch_of]
    known = History(
        experiments=tuple(e for e in history.experiments if e.id not in waiting),
        observations=history.observations,
    )
    batch = min(open_, default=store.batches_asked(campaign.id) + 1)
    said = [(o.experiment_id, o.target, o.value, o.standard_error, o.usable) for o in known.observations]
    stands = [(e.id, str(e.status)) for e in known.experiments]
    digest = hashlib.sha256(repr((said, stands)).encode()).hexdigest()[:24]
    mark = f"{campaign.id} {batch} {digest}"
    return Standing(campaign=campaign, history=known, batch=batch, chosen=bool(open_), mark=mark)


def _centre(store: Store, standing: Standing, at: str) -> tuple[Candidate, str]:
    """The candidate that an identifier means, and what it is.

    Raises:
        BadInput: it means none.
    """
    campaign = standing.campaign
    if not at:
        best = best_so_far(campaign, standing.history)
        if best is not None:
            return best[0].candidate, "best"
        measured = {o.experiment_id for o in standing.history.observations}
        return next(e.candidate for e in standing.history.experiments if e.id in measured), "measured"
    for experiment in store.history(campaign.id).experiments:
        if at in (experiment.id, experiment.candidate.id):
            return experiment.candidate, "experiment"
    for candidate in (*campaign.candidates, campaign.reference):
        if candidate.id == at:
            return candidate, "candidate"
    raise BadInput(f"{at} is no experiment and no candidate of this campaign.", field="at")


# What follows is done in the other program.


def answered(question: Question) -> dict[str, JsonValue]:
    """The answer to a question, as JSON.

    Raises:
        BadInput: there is none; says why.
    """
    told = _slices(question) if question.centre is not None else _importances(question)
    if told is None:
        raise BadInput(
            f"Too little has been measured for {question.standing.campaign.planner.name} to have a model.",
            way_out="Wait for the next batch.",
        )
    return _about(question.standing) | told


def _about(standing: Standing) -> dict[str, JsonValue]:
    campaign, history = standing.campaign, standing.history
    units = {o.target: o.unit for o in history.observations}
    return {
        "campaign_id": campaign.id,
        "planner": campaign.planner.name,
        "results": len(history.usable(campaign.goal.target)),
        "batch": standing.batch if standing.chosen else None,
        "targets": [
            {"name": target, "unit": units.get(target, ""), "wanted": _wanted(campaign, target)}
            for target in campaign.goal.targets
        ],
    }


def _wanted(campaign: Campaign, target: str) -> str:
    """What is wanted of a target, in words."""
    words = [
        f"{o.direction} {o.level:g}" if o.level is not None else str(o.direction)
        for o in campaign.goal.objectives
        if o.target == target
    ]
    for limit in campaign.goal.limits:
        if limit.target == target:
            words += [f"at least {limit.at_least:g}"] if limit.at_least is not None else []
            words += [f"at most {limit.at_most:g}"] if limit.at_most is not None else []
    return ", ".join(words)


def _importances(question: Question) -> dict[str, JsonValue] | None:
    from planners import planner
    from planners.importances import importances

    standing = question.standing
    choice = standing.campaign.planner
    chooser = planner(choice.name, choice.settings)
    found = importances(chooser, standing.campaign, standing.history, standing.rng)
    if found is None:
        return None
    return {
        "measure": found.measure,
        "importances": {
            target: [{name: getattr(one, name) for name in type(one).__dataclass_fields__} for one in told]
            for target, told in found.targets.items()
        },
    }


def _slices(question: Question) -> dict[str, JsonValue] | None:
    from planners import planner
    from planners.landscapes import landscape_of
    from planners.posterior import slices

    standing, centre = question.standing, question.centre
    assert centre is not None
    landscape = landscape_of(standing.campaign, standing.history)
    at = landscape.at(centre)
    along = [question.along] if question.along else _curves(landscape.axes, [*at])
    if not along:
        raise BadInput(
            f"There is no slice through {centre.id}: it differs from the other candidates in nothing that has a name.",
            way_out="Choose another candidate.",
            field="at",
        )
    choice = standing.campaign.planner
    chooser = planner(choice.name, choice.settings)
    found = slices(chooser, standing.campaign, standing.history, centre, along, standing.rng)
    if found is None:
        return None
    known = {c.id for c in standing.campaign.candidates}
    known |= {e.candidate.id for e in standing.history.experiments} | {centre.id}
    return {
        "axes": [_axis(axis) for axis in landscape.axes],
        "centre": {"candidate_id": centre.id, "at": dict(at)},
        "measured": _measured(standing, landscape, at),
        "slices": {
            " and ".join(axis.name for axis in one.along): _slice(one, known, centre) for one in found
        },
    }


def _curves(axes: Sequence[Axis], there: Sequence[str]) -> list[tuple[str, ...]]:
    """Axes that the candidate is somewhere on, as many as can be worked out together."""
    found: list[tuple[str, ...]] = []
    points = 0
    for axis in axes:
        points += len(axis.values)
        if axis.name in there and (points <= _TOGETHER or not found):
            found.append((axis.name,))
    return found


def _axis(axis: Axis) -> JsonValue:
    return {"name": axis.name, "kind": axis.kind, "log": axis.log, "values": list(axis.values)}


def _slice(one: Slice, known: set[str], centre: Candidate) -> JsonValue:
    return {
        "along": [axis.name for axis in one.along],
        "points": [
            {"at": list(place), "candidate_id": candidate.id if candidate.id in known else ""}
            for place, candidate in zip(one.points, one.candidates, strict=True)
        ],
        "targets": {target: _numbers(beliefs) for target, beliefs in one.beliefs.items()},
        "centre": next((n for n, c in enumerate(one.candidates) if c.id == centre.id), None),
    }


def _numbers(beliefs: Beliefs) -> JsonValue:
    return {
        "mean": beliefs.mean.tolist(),
        "sd": beliefs.sd.tolist(),
        "low": beliefs.low.tolist(),
        "high": beliefs.high.tolist(),
        "level": beliefs.level,
    }


def _measured(standing: Standing, landscape: Landscape, at: Mapping[str, Any]) -> JsonValue:
    """What was measured, where that is, and how far it is from the candidate along each axis."""
    values: dict[str, dict[str, list[float]]] = {}
    for target in standing.campaign.goal.targets:
        for experiment, o in standing.history.usable(target):
            values.setdefault(experiment.id, {})[target] = [float(o.value), float(o.standard_error)]
    told = []
    for experiment in standing.history.experiments:
        place = landscape.at(experiment.candidate) if experiment.id in values else {}
        if place:
            apart = {
                axis.name: axis.apart(place[axis.name], at[axis.name])
                for axis in landscape.axes
                if axis.name in at
            }
            told.append(
                {
                    "experiment_id": experiment.id,
                    "candidate_id": experiment.candidate.id,
                    "at": dict(place),
                    "apart": apart,
                    "values": values[experiment.id],
                }
            )
    return told
