import numpy as np
import pytest

import planners
from lab.types import AMINO_ACIDS, Campaign, Candidate, History
from planners import focus
from tests.planners.campaigns import campaign, experiment, measured

LIBRARY = tuple(
    Candidate(id=a + b + c, sequence=a + b + c) for a in AMINO_ACIDS for b in AMINO_ACIDS for c in AMINO_ACIDS
)
GRID = tuple(
    Candidate(id=f"{x}/{y}/{s}", values={"x": float(x), "y": float(y), "solvent": s})
    for x in range(40)
    for y in range(40)
    for s in ("DMAc", "water")
)


def small(monkeypatch: pytest.MonkeyPatch, near: int = 60, drawn: int = 100) -> None:
    monkeypatch.setattr(focus, "_LARGE", 1000)
    monkeypatch.setattr(focus, "_NEAR", near)
    monkeypatch.setattr(focus, "_DRAWN", drawn)


def value(candidate: Candidate) -> float:
    return float(sum(letter in "WFY" for letter in candidate.sequence))


def cut(made: Campaign, history: History, seed: int = 0, **kwargs: object) -> list[str]:
    found = focus.focused(made, history, (), np.random.default_rng(seed), **kwargs)  # type: ignore[arg-type]
    return [candidate.id for candidate in found.candidates]


def test_a_pool_that_is_not_large_is_left_alone() -> None:
    made = campaign(LIBRARY, parent="AAA")
    assert focus.focused(made, History(), (), np.random.default_rng(0)) is made


def test_all_neighbours_of_the_best_stay_and_what_was_chosen_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)
    tried = [*LIBRARY[5:8000:900], next(c for c in LIBRARY if c.id == "WFY")]
    kept = cut(campaign(LIBRARY, parent="AAA"), measured(tried, value), keep={"CCC"})
    assert {c.id for c in tried} | {"CCC"} <= set(kept)
    assert {a + "FY" for a in AMINO_ACIDS} | {"W" + a + "Y" for a in AMINO_ACIDS} <= set(kept)
    assert len(kept) < 1000
    order = {c.id: i for i, c in enumerate(LIBRARY)}
    assert kept == sorted(kept, key=order.__getitem__)


def test_numbers_near_the_best_stay_and_levels_count_as_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, near=9, drawn=1)
    best = next(c for c in GRID if c.id == "20/20/water")
    kept = cut(campaign(GRID, parent=""), measured([best], lambda c: 1.0))
    around = {f"{x}/{y}/water" for x, y in ((20, 20), (19, 20), (21, 20), (20, 19), (20, 21))}
    assert around <= set(kept)
    assert sum(name.endswith("DMAc") for name in kept) <= 1


def test_every_ask_draws_another_part_and_the_same_seed_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)
    made = campaign(LIBRARY, parent="AAA")
    assert cut(made, History(), 1) == cut(made, History(), 1) != cut(made, History(), 2)


def test_the_planner_chooses_from_a_large_pool_what_it_has_not_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small(monkeypatch)
    made, history = campaign(LIBRARY, parent="AAA"), measured(LIBRARY[::400], value)
    running = (experiment(LIBRARY[1]),)
    batch = planners.planner("adaptive").ask(5, made, history, running, np.random.default_rng(0)).experiments
    names = {e.candidate.id for e in batch}
    assert len(names) == 5
    assert not names & {c.id for c in (*LIBRARY[::400], LIBRARY[1])}
    assert np.mean([value(e.candidate) for e in batch]) > np.mean([value(c) for c in LIBRARY]) + 0.5
