"""A planner of ours as a worker: the same lines as every peer, history and campaign as the laboratory's loop gives them.

Run by the harness: python -m benchmarks.planning.ours JSON, which holds ``planner``, ``settings`` and ``extras``.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import numpy as np
from pydantic import ConfigDict

import models
import planners
from benchmarks.planning.peers.wire import Interval, Opened, serve
from benchmarks.planning.sets import PlanningSet, load
from lab.errors import BadInput
from lab.interfaces import Believing, ModelCard
from lab.strict import StrictModel
from lab.types import (
    Campaign,
    Candidate,
    Experiment,
    ExperimentStatus,
    History,
    Observation,
    Origin,
    PlannerChoice,
    ProtocolChoice,
    Quality,
    Reason,
    new_id,
)
from models import registry

__all__ = ["OurPlanner", "PublishedScores", "campaign_of"]

DRAWN = Reason(planner="random", sentence="The same first experiments for every method.")


class ScoreSettings(StrictModel):
    """Whose scores."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    set: str


class PublishedScores:
    """Scores that a set brings along, such as ESM-1v's of TEM-1, behind the seam of pretrained models."""

    card = ModelCard(
        name="published_scores",
        version="1",
        licence="of the set",
        source="benchmarks/planning/README.md",
        inputs="candidates of one set",
        outputs="the score published with the set",
    )

    def __init__(self, settings: ScoreSettings, *, parent: str = "") -> None:
        del parent
        found = load(settings.set)
        if found.scores is None:
            raise BadInput(f"The set {settings.set} brings no scores.")
        self.score_of = dict(zip((c.id for c in found.candidates), found.scores.tolist(), strict=True))

    def score(self, candidates: Sequence[Candidate]) -> np.ndarray:
        """n candidates -> (n,).

        Raises:
            BadInput: a candidate is not of the set.
        """
        missing = next((c.id for c in candidates if c.id not in self.score_of), None)
        if missing is not None:
            raise BadInput(f"{missing} is not among the candidates that scores were published of.")
        return np.array([self.score_of[c.id] for c in candidates])


def campaign_of(chosen: PlanningSet, planner: PlannerChoice, seed: int, extras: bool = False) -> Campaign:
    """A campaign over the whole set, with the models that say what peers are told; ``extras`` adds pretrained ones."""
    return Campaign(
        id="cmp_benchmark",
        name=chosen.name,
        goal=chosen.goal,
        candidates=chosen.candidates,
        reference=Candidate(id="parent", sequence=chosen.parent),
        planner=planner,
        protocol=ProtocolChoice(name="none"),
        budget=chosen.protocol.budget,
        batch_size=chosen.protocol.batch,
        seed=seed,
        workcell="none",
        alphabet=chosen.alphabet,
        models=chosen.models + chosen.extras * extras,
    )


class OurPlanner:
    """A registered planner in one campaign."""

    def __init__(self, choice: PlannerChoice, opened: Opened, extras: bool = False) -> None:
        self.planner = planners.planner(choice.name, choice.settings)
        self.set = load(opened.set)
        self.campaign = campaign_of(self.set, choice, opened.seed, extras)
        self.seed = opened.seed
        self.row_of = {c.id: i for i, c in enumerate(self.set.candidates)}
        self.asked: dict[int, Experiment] = {}
        self.history = History()

    def tell(self, rows: Sequence[int], merits: np.ndarray) -> None:
        for row in rows:
            experiment = self.asked.pop(row, None) or Experiment(
                id=new_id("exp"), candidate=self.set.candidates[row], reason=DRAWN
            )
            done = replace(experiment, status=ExperimentStatus.MEASURED)
            seen = tuple(
                _observation(done, outcome.name, float(outcome.values[row])) for outcome in self.set.outcomes
            )
            self.history = History(
                experiments=(*self.history.experiments, done),
                observations=(*self.history.observations, *seen),
            )

    def ask(self, n: int) -> tuple[list[int], list[Interval]]:
        rng = np.random.default_rng([self.seed, len(self.history.experiments)])
        chosen = self.planner.ask(n, self.campaign, self.history, (), rng).experiments
        rows = [self.row_of[e.candidate.id] for e in chosen]
        self.asked = dict(zip(rows, chosen, strict=True))
        return rows, [self._turned(e.reason.interval) for e in chosen]

    def predict(self, rows: Sequence[int]) -> list[Interval] | None:
        if not isinstance(self.planner, Believing):
            return None
        rng = np.random.default_rng([self.seed, 5, len(self.history.experiments)])
        wanted = [self.set.candidates[row] for row in rows]
        beliefs = self.planner.predict(self.campaign, self.history, wanted, rng)
        if beliefs is None:
            return None
        return [self._turned((float(a), float(b))) for a, b in zip(beliefs.low, beliefs.high, strict=True)]

    def _turned(self, interval: tuple[float, float] | None) -> Interval:
        """An interval in the target's unit as one of merits."""
        if interval is None or self.set.outcomes[0].direction == "maximize":
            return interval
        return -interval[1], -interval[0]


def _observation(experiment: Experiment, target: str, value: float) -> Observation:
    return Observation(
        id=new_id("obs"),
        experiment_id=experiment.id,
        target=target,
        sample_id="",
        run_id="",
        value=value,
        standard_error=math.nan,
        unit="",
        quality=Quality(ok=True),
        method="published",
        origin=Origin.REPLAY,
        replicates=1,
        lab_time_s=0.0,
    )


def main() -> None:
    """Serve one planner; a protein that the general score was fitted to is scored by one fitted without it."""
    given = json.loads(sys.argv[1])
    choice = PlannerChoice(name=given["planner"], settings=given["settings"])
    registry.MODELS["published_scores"] = ("benchmarks.planning.ours", "PublishedScores", "ScoreSettings")

    def make(opened: Opened) -> OurPlanner:
        made = OurPlanner(choice, opened, given["extras"])
        if made.set.accession:
            blind(made.set)
        return made

    serve(make)


def blind(chosen: PlanningSet) -> None:
    """From now on in this process, the general score is one that never saw the set's protein or its homologues."""
    from benchmarks.fit_substitution_effects import scorer_without
    from benchmarks.stabilities import substitutions

    made = scorer_without(substitutions(), chosen.accession, chosen.parent)
    for module in (models, registry):
        patch.object(module, "scorer", lambda name, *, parent, pool=(): made).start()


if __name__ == "__main__":
    main()
