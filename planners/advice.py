"""Whether another batch is worth its cost."""

import numpy as np

from lab.types import Advice
from planners import words
from planners.choosing import Choice
from planners.committee import Model
from planners.seen import Seen

__all__ = ["advise"]

_DRAWS = 512
"""Joint draws behind the advice; their error is a few percent of the spread, and the advice compares orders of magnitude."""


def advise(choice: Choice, model: Model, seen: Seen, rng: np.random.Generator) -> Advice:
    """Stop when the whole batch is expected to better the best by less than the error of one measurement.

    The expectation is of the best of the batch under the joint posterior, in the target's unit. Where analyses report
    no error, the residual that the model learned stands for it.
    """
    joint = model.gp.covariance(choice.rows, choice.rows)
    size, turn = np.linalg.eigh(0.5 * (joint + joint.T))
    root = turn * np.sqrt(np.maximum(size, 0.0))
    outputs = model.gp.mean[choice.rows] + rng.standard_normal((_DRAWS, len(choice.rows))) @ root.T
    best_of_batch = outputs.max(axis=1)
    best = float(model.values(np.array([choice.incumbent]))[0])
    gains = np.maximum(model.sign * (model.values(best_of_batch) - best), 0.0)
    gain = float(gains.mean())
    near = np.array([choice.incumbent, choice.incumbent - np.sqrt(model.gp.residual_variance)])
    learned = float(np.ptp(model.values(near)))
    reported = seen.standard_errors[seen.standard_errors > 0.0]
    error = float(np.median(reported)) if len(reported) else learned
    text = (
        f"The next {len(choice.rows)} experiments are expected to better the best so far ({words.quantity(best)}) by "
        f"{words.quantity(gain)}; the error of one measurement is {words.quantity(error)}."
    )
    if gain < error:
        return Advice(stop=True, sentence=f"{text} Going on is unlikely to show a better candidate.")
    return Advice(stop=False, sentence=text)
