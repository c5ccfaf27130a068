"""What a chooser knows: how results become part of it, and the file that keeps it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lab.errors import BadInput
from lab.types import (
    INFEASIBLE,
    Campaign,
    Candidate,
    Experiment,
    ExperimentStatus,
    Observation,
    Origin,
    Quality,
    Reason,
    new_id,
)
from planners.frames import Told

__all__ = ["State", "read", "take_down", "write"]

_VERSION = 1
"""Of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that a chooser knows; replaced as a whole, so that what goes wrong changes nothing.

    Args:
        with_reference: whether every batch carries the reference.
        experiments: chosen or told, in order; those not measured yet are proposed.
        references: target -> values told of the reference.
        asks: so far; seeds the next.
    """

    campaign: Campaign
    with_reference: bool = False
    experiments: tuple[Experiment, ...] = ()
    observations: tuple[Observation, ...] = ()
    references: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    asks: int = 0


def write(path: str | Path, state: State) -> None:
    """Everything, as JSON; a file of that name is replaced as a whole or not at all.

    Raises:
        BadInput: the space has a rule that is a function.
    """
    from pydantic import TypeAdapter

    space = state.campaign.space
    if space is not None and any(not isinstance(rule, str) for rule in space.rules):
        raise BadInput(
            "A rule of the space is a function and can't be saved.",
            way_out="Write it as module:function.",
            field="space.rules",
        )
    held = TypeAdapter(State).dump_python(state, mode="json")
    target = Path(path)
    aside = target.with_name(f"{target.name}.part")
    aside.write_text(json.dumps({"version": _VERSION, "state": held}), encoding="utf-8")
    aside.replace(target)


def read(path: str | Path) -> State:
    """What :func:`write` wrote.

    Raises:
        BadInput: there is no such file, or it is none of ours.
    """
    from pydantic import TypeAdapter

    try:
        held = json.loads(Path(path).read_text(encoding="utf-8"))
        if held["version"] != _VERSION:
            raise BadInput(f"The file is of version {held['version']}, not {_VERSION}.", file=path)
        return TypeAdapter(State).validate_python(held["state"])
    except FileNotFoundError as error:
        raise BadInput("There is no such file.", file=path) from error
    except (ValueError, KeyError, TypeError) as error:  # pydantic's is a ValueError
        raise BadInput(
            "This is not a file that a chooser saved.", way_out="Take one that save() wrote.", file=path
        ) from error


def take_down(
    candidate: Candidate,
    lines: Sequence[Told],
    experiments: list[Experiment],
    observations: list[Observation],
    references: Mapping[str, tuple[float, ...]],
    first: str,
) -> None:
    """Close the experiment that waits for these lines, or add one for them, with an observation a target.

    Args:
        lines: of the one candidate.
        experiments, observations: added to.
        references: target -> values of the reference.
        first: target that a line without any speaks of.
    """
    at = next(
        (
            i
            for i, e in enumerate(experiments)
            if e.status is ExperimentStatus.PROPOSED and e.candidate.id == candidate.id
        ),
        None,
    )
    earlier = [
        e for e in experiments if e.candidate.id == candidate.id and e.status is not ExperimentStatus.PROPOSED
    ]
    if at is None:
        reason = Reason(planner="", sentence="Told without being asked for.")
        repeat = earlier[-1].id if earlier else None
        experiments.append(Experiment(id=new_id("exp"), candidate=candidate, reason=reason, repeat_of=repeat))
        at = len(experiments) - 1
    failed = any(line.failed for line in lines)
    targets = list(dict.fromkeys(target for line in lines for target in line.results)) or [first]
    done = [_observed(experiments[at].id, target, lines, failed, references) for target in targets]
    experiments[at] = replace(experiments[at], status=ExperimentStatus.MEASURED)
    observations += done


def _observed(
    experiment: str,
    target: str,
    lines: Sequence[Told],
    failed: bool,
    references: Mapping[str, tuple[float, ...]],
) -> Observation:
    """What lines of one candidate say of a target: the mean, and its error from the replicates or as it was given."""
    values = np.array([v for line in lines if math.isfinite(v := line.results.get(target, math.nan))])
    errors = np.array([e for line in lines if math.isfinite(e := line.errors.get(target, math.nan))])
    error = math.nan
    if len(errors) and len(errors) == len(values):
        error = float(np.sqrt(np.square(errors).sum()) / len(errors))
    elif len(values) > 1:
        error = float(values.std(ddof=1) / math.sqrt(len(values)))
    quality = Quality(ok=True)
    if failed:
        quality = Quality(ok=False, flags=(INFEASIBLE,), sentence="The candidate can't be had.")
    elif not len(values):
        quality = Quality(ok=False, flags=("no_value",), sentence="There was no value.")
    known = references.get(target, ())
    return Observation(
        id=new_id("obs"),
        experiment_id=experiment,
        target=target,
        sample_id="",
        run_id="",
        value=float(values.mean()) if len(values) else math.nan,
        standard_error=error,
        unit="",
        quality=quality,
        method="told in a notebook",
        origin=Origin.MANUAL,
        replicates=len(values),
        lab_time_s=0.0,
        details={"reference_value": float(np.mean(known))} if known else {},
    )
