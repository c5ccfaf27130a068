"""The hash of a campaign's tables: whatever it looks for and where, it is another one for another campaign."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.report.digest import content_sha256
from lab.spaces import LinearConstraint, Parameter
from lab.types import (
    Campaign,
    Candidate,
    Goal,
    Limit,
    ModelChoice,
    Objective,
    PastResult,
    SearchSpace,
)
from tests.protocols.blends import make_blend_campaign

HIT = Goal(target="efficiency", direction="hit", level=0.5)
BOTH = Goal(target="efficiency", also=(Objective(target="degradation", direction="minimize"),))
LIMITED = Goal(target="efficiency", limits=(Limit(target="degradation", at_most=0.3),))
HEAT = Parameter(name="temperature_c", low=20.0, high=80.0)
SPACE = SearchSpace(parameters=(HEAT,), folder="here")
PAST = PastResult(candidate=Candidate(id="blend_1"), target="efficiency", value=0.4)
MODEL = ModelChoice(name="descriptors", settings={"file": "one.csv"})


def base(**changes: object) -> Campaign:
    return replace(make_blend_campaign(), id="cmp_1", **changes)  # type: ignore[arg-type]


def hash_of(campaign: Campaign) -> str:
    return content_sha256(campaign, (), ())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (base(goal=HIT), base(goal=replace(HIT, level=0.5000001))),
        (base(goal=BOTH), base(goal=replace(BOTH, also=(Objective(target="degradation"),)))),
        (base(goal=LIMITED), base(goal=replace(LIMITED, limits=()))),
        (
            base(goal=LIMITED),
            base(goal=replace(LIMITED, limits=(Limit(target="degradation", at_least=0.3),))),
        ),
        (
            base(candidates=(), space=SPACE),
            base(candidates=(), space=replace(SPACE, parameters=(replace(HEAT, high=90.0),))),
        ),
        (
            base(candidates=(), space=SPACE),
            base(
                candidates=(),
                space=replace(
                    SPACE,
                    constraints=(LinearConstraint(coefficients={"temperature_c": 1.0}, at_most=50.0),),
                ),
            ),
        ),
        (base(past=(PAST,)), base(past=(replace(PAST, value=0.41),))),
        (
            base(models=(MODEL,)),
            base(models=(replace(MODEL, settings={"file": "two.csv"}),)),
        ),
        (base(), base(shared=("temperature_c",))),
    ],
    ids=[
        "a level",
        "the direction of a further objective",
        "whether there is a limit",
        "the side of a limit",
        "a bound of the space",
        "a constraint of the space",
        "an earlier result",
        "a setting of a model",
        "what batches share",
    ],
)
def test_campaigns_that_differ_in_one_thing_have_different_hashes(one: Campaign, other: Campaign) -> None:
    assert hash_of(one) != hash_of(other)


def test_the_folder_of_a_spaces_rules_does_not_count() -> None:
    one = base(candidates=(), space=replace(SPACE, rules=("rules:allowed",)))
    moved = replace(one, space=replace(SPACE, rules=("rules:allowed",), folder="elsewhere"))
    assert hash_of(one) == hash_of(moved)
