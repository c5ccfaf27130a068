"""Models that a campaign names, in the hands of the default planner: what they bring on measured values."""

from dataclasses import replace

import numpy as np

from lab.types import Candidate, ModelChoice
from models.formation_enthalpy import measured_enthalpies
from tests.planners.campaigns import campaign, play


def found_of_the_best(
    pool: list[Candidate], truth: dict[str, float], best: int, budget: int, *choices: ModelChoice
) -> int:
    """How many of the best candidates a campaign measures."""
    named = campaign(pool, parent="", batch_size=8)
    named = replace(named, models=choices, budget=budget, reference=replace(pool[0], id="reference"))
    history = play(named, lambda candidate: truth[candidate.id], 0, budget)
    wanted = set(sorted(truth, key=lambda name: truth[name])[-best:])
    return sum(experiment.candidate.id in wanted for experiment in history.experiments)


def test_composition_vectors_find_compounds_that_names_of_formulas_do_not() -> None:
    formulas, enthalpies, _ = measured_enthalpies()
    rows = np.random.default_rng(0).choice(len(formulas), 400, replace=False)
    pool = [Candidate(id=formulas[row], values={"formula": formulas[row]}) for row in rows]
    truth = {formulas[row]: -float(enthalpies[row]) for row in rows}
    with_vectors = found_of_the_best(pool, truth, 20, 48, ModelChoice(name="composition"))
    without = found_of_the_best(pool, truth, 20, 48)
    assert with_vectors >= 12
    assert with_vectors > 2 * without
