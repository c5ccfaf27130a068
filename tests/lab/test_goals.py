"""What a goal makes of values, and goals that contradict themselves."""

from collections.abc import Callable

import pytest

from lab.goals import Goal, Limit, Objective


@pytest.mark.parametrize(
    ("objective", "better", "worse"),
    [
        (Objective(target="y"), 2.0, 1.0),
        (Objective(target="y", direction="minimize"), 1.0, 2.0),
        (Objective(target="y", direction="hit", level=5.0), 5.5, 4.0),
        (Objective(target="y", direction="exceed", level=5.0), 6.0, 5.5),
    ],
)
def test_the_better_of_two_values_has_the_larger_merit(
    objective: Objective, better: float, worse: float
) -> None:
    assert objective.merit(better) > objective.merit(worse)


def test_to_map_all_values_are_equally_good() -> None:
    assert Objective(target="y", direction="map").merit(3.0) == Objective(target="y", direction="map").merit(
        -8.0
    )


def test_a_goal_lists_its_objectives_and_every_target_once() -> None:
    goal = Goal(
        target="yield",
        also=(Objective(target="cost", direction="minimize"),),
        limits=(Limit(target="cost", at_most=3.0), Limit(target="purity", at_least=0.9)),
    )
    assert goal.objectives == (
        Objective(target="yield"),
        Objective(target="cost", direction="minimize"),
    )
    assert goal.targets == ("yield", "cost", "purity")


@pytest.mark.parametrize(("value", "kept"), [(1.0, True), (2.0, True), (2.1, False), (0.9, False)])
def test_a_limit_holds_from_bound_to_bound(value: float, kept: bool) -> None:
    assert Limit(target="y", at_least=1.0, at_most=2.0).holds(value) is kept


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Goal(target="y", direction="hit"), "takes a level"),
        (lambda: Goal(target="y", direction="exceed", level=float("nan")), "takes a level"),
        (lambda: Goal(target="y", level=1.0), "takes no level"),
        (lambda: Goal(target="y", also=(Objective(target="y"),)), "twice"),
        (lambda: Goal(target="y", direction="map", also=(Objective(target="z"),)), "goal of its own"),
        (
            lambda: Goal(target="y", also=(Objective(target="z", direction="exceed", level=1.0),)),
            "goal of its own",
        ),
        (lambda: Limit(target="y"), "needs at_least or at_most"),
        (lambda: Limit(target="y", at_least=2.0, at_most=1.0), "at least 2 and at most 1"),
        (lambda: Limit(target="y", at_least=float("nan")), "finite"),
    ],
)
def test_a_goal_that_contradicts_itself_is_refused(make: Callable[[], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()
