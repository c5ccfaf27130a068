"""The mechanistic planner: measure where a result is expected to tell most about the parameters of a known curve.

The goal's direction does not matter to it: it learns the curve of the goal's target. What it has learned is
in every reason, and as a table from :meth:`MechanisticPlanner.posterior`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from lab.errors import BadInput
from lab.interfaces import Beliefs
from lab.strict import StrictModel
from lab.types import Advice, Campaign, Candidate, Experiment, History, Proposal, Reason, new_id
from planners.asking import begin, seed_of
from planners.bo.results import read_history
from planners.words import quantity

if TYPE_CHECKING:
    from planners.mechanistic.fitting import Fitted

__all__ = ["Estimate", "MechanisticPlanner", "MechanisticSettings"]


class MechanisticSettings(StrictModel):
    """What a campaign file may set under ``planner: settings:``.

    Attributes:
        mechanism: the curve. ``thermal_inactivation`` is first order with an Eyring rate, of ``temperature_c`` and
            ``duration_s``; ``michaelis_menten``, ``substrate_inhibition`` and ``dose_response`` (four-parameter logistic)
            are of ``concentration_mmol_l``.
        inputs: for inputs that candidates have under another name: the mechanism's name -> the candidates'.
        fixed: for inputs that candidates do not have: their value in all experiments.
        group: name of the value, or ``sequence``, that says which group a candidate belongs to (plate, variant); each has
            parameters of its own, drawn around common ones. Empty for one curve. With three results a group and more, 95 %
            intervals hold what they should; of eight groups with one each they held 68 % (curves drawn from the prior).
        varies: parameters that differ between groups; by default those that the mechanism says.
        scale: largest result to expect, in the target's unit; by default the largest measured, 1 before that.
        least_gain: nats that a batch must be expected to tell; below, the advice is to stop.
        draws: from the posterior, behind each expected gain.
    """

    mechanism: str = Field(
        default="thermal_inactivation",
        pattern="^(thermal_inactivation|michaelis_menten|substrate_inhibition|dose_response)$",
    )
    inputs: dict[str, str] = Field(default_factory=dict)
    fixed: dict[str, float] = Field(default_factory=dict)
    group: str = ""
    varies: tuple[str, ...] = ()
    scale: float | None = Field(default=None, gt=0.0)
    least_gain: float = Field(default=0.1, ge=0.0, le=100.0)
    draws: int = Field(default=192, ge=64, le=1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is believed of one parameter.

    Args:
        group: whose it is; empty where all groups have it in common.
        unit: of all numbers.
        low, high: hold the parameter with a probability of 95 %.
    """

    name: str
    label: str
    group: str
    unit: str
    mean: float
    sd: float
    low: float
    high: float


class MechanisticPlanner:
    """Chooses by expected information gain about a mechanism's parameters.

    Args:
        settings: checked.
    """

    name = "mechanistic"

    def __init__(self, settings: MechanisticSettings) -> None:
        self.settings = settings

    def ask(
        self,
        n: int,
        campaign: Campaign,
        history: History,
        pending: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> Proposal:
        """Up to n experiments; repeats of failed results first.

        Raises:
            BadInput: n below 1, candidates without the mechanism's inputs, or inputs that are no numbers.
        """
        turn = begin(self.name, n, campaign, history, pending, seed_of(rng))
        if not turn.wanted:
            return turn.proposal()
        free = [campaign.candidates[int(row)] for row in turn.free]
        from planners.mechanistic.fitting import fitted, quiet_pyro

        with quiet_pyro(rng):
            under_way = read_history(campaign, history, pending, turn.again).pending
            model = fitted(self.settings, campaign, history, under_way)
            chosen = model.chosen(turn.wanted, free, under_way)
            made = tuple(
                Experiment(
                    id=new_id("exp"),
                    candidate=free[row],
                    reason=self._reason(model, free[row], gain, turn.seed),
                )
                for row, gain in chosen
            )
        total = sum(gain for _, gain in chosen)
        return turn.proposal(made, self._advice(len(made), total, model))

    def predict(
        self, campaign: Campaign, history: History, candidates: Sequence[Candidate], rng: np.random.Generator
    ) -> Beliefs | None:
        """As :class:`lab.interfaces.Believing` says; None before anything was measured."""
        from planners.mechanistic.fitting import fitted, quiet_pyro

        with quiet_pyro(rng):
            model = fitted(self.settings, campaign, history, candidates)
            return model.beliefs(candidates) if model.count else None

    def believe(
        self,
        campaign: Campaign,
        history: History,
        candidates: Sequence[Candidate],
        rng: np.random.Generator,
        *,
        draws: int = 0,
    ) -> Mapping[str, Beliefs] | None:
        """As :meth:`lab.interfaces.Believing.believe` says, of the target whose curve it learns."""
        from planners.mechanistic.fitting import fitted, quiet_pyro

        with quiet_pyro(rng):
            model = fitted(self.settings, campaign, history, candidates)
            return {campaign.goal.target: model.beliefs(candidates, draws)} if model.count else None

    def posterior(
        self, campaign: Campaign, history: History, rng: np.random.Generator
    ) -> tuple[Estimate, ...]:
        """What is believed of every parameter, group by group; what the prior says where nothing was measured.

        Raises:
            BadInput: candidates without the mechanism's inputs.
        """
        from planners.mechanistic.fitting import fitted, quiet_pyro

        with quiet_pyro(rng):
            return fitted(self.settings, campaign, history).estimates()

    def _reason(self, model: Fitted, candidate: Candidate, gain: float, seed: tuple[int, ...]) -> Reason:
        beliefs = model.beliefs([candidate])
        about = model.told_most(candidate)
        whose = f" of {about.group}" if about.group else ""
        unit = f" {about.unit}" if about.unit else ""
        known = "now" if model.count else "so far taken for"
        return Reason(
            planner=self.name,
            sentence=(
                f"Expected to tell most about the {about.label}{whose}: {known} {quantity(about.mean)} +- "
                f"{quantity(about.sd)}{unit}; information gain {quantity(max(gain, 0.0))} nats."
            ),
            acquisition="information_gain",
            acquisition_value=gain,
            predicted_mean=float(beliefs.mean[0]),
            predicted_sd=float(beliefs.sd[0]),
            interval=(float(beliefs.low[0]), float(beliefs.high[0])),
            seed=seed,
        )

    def _advice(self, count: int, gain: float, model: Fitted) -> Advice | None:
        if not model.count:
            return None
        text = f"The next {count} experiments are expected to tell {quantity(max(gain, 0.0))} nats about the parameters"
        if gain < self.settings.least_gain:
            return Advice(
                stop=True,
                sentence=f"{text}, less than the {quantity(self.settings.least_gain)} that are asked for.",
            )
        return Advice(stop=False, sentence=f"{text}.")


def refuse_input(name: str, known: Sequence[str], field: str) -> BadInput:
    """The error for an input that no candidate has."""
    return BadInput(
        f"The mechanism needs {name}, which the candidates do not have.",
        way_out=f"They have {', '.join(known) or 'no values'}; name one under inputs, or a fixed value under fixed.",
        field=field,
    )
