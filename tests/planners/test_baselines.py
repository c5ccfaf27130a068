import numpy as np

import planners
from lab.types import History
from tests.planners.campaigns import campaign, conditions, measured, variants


def ids(name: str, n: int, history: History, seed: int = 0, **kwargs: object) -> list[str]:
    made = campaign(variants(letters="ADFKW"), name)
    proposal = planners.planner(name).ask(n, made, history, (), np.random.default_rng(seed))
    return [e.candidate.id for e in proposal.experiments]


def test_random_draws_every_candidate_equally_often() -> None:
    pool = variants(letters="ADFKW")
    counts = dict.fromkeys((c.id for c in pool), 0)
    for seed in range(600):
        for chosen in ids("random", 10, History(), seed):
            counts[chosen] += 1
    expected = 6000 / len(pool)
    spread = sum((count - expected) ** 2 / expected for count in counts.values())
    assert spread < len(pool) + 4 * np.sqrt(2 * len(pool))


def test_sobol_goes_on_where_the_last_batch_ended() -> None:
    pool = {c.id: c for c in variants(letters="ADFKW")}
    whole = ids("sobol", 16, History())
    first = ids("sobol", 8, History())
    second = ids("sobol", 8, measured([pool[i] for i in first], lambda c: 0.5))
    assert first + second == whole


def test_sobol_covers_positions_more_evenly_than_chance() -> None:
    pool = variants()

    def emptiest(name: str, seed: int) -> int:
        made = campaign(pool, name)
        batch = planners.planner(name).ask(28, made, History(), (), np.random.default_rng(seed)).experiments
        return len({int(e.candidate.id[1:-1]) for e in batch})

    assert emptiest("sobol", 0) > np.mean([emptiest("random", seed) for seed in range(20)])


def test_sobol_spreads_named_values() -> None:
    made = campaign(conditions(), "sobol", parent="")
    batch = planners.planner("sobol").ask(9, made, History(), (), np.random.default_rng(0)).experiments
    assert len({e.candidate.values["temperature_c"] for e in batch}) == 4
    assert len({e.candidate.values["solvent"] for e in batch}) == 3
