"""What lies in a space, and descriptions of spaces that mean nothing."""

from collections.abc import Callable

import pytest

from lab.spaces import Candidate, LinearConstraint, Mixture, Parameter, SearchSpace, Sites

PH = Parameter(name="ph", low=5.0, high=9.0, resolution=0.25)
SALT = Parameter(name="salt_mmol_l", low=0.01, high=100.0, log=True)
CYCLES = Parameter(name="cycles", kind="integer", low=1, high=4)
GLASS = Parameter(name="glass", kind="ordinal", levels=(0.5, 1, 4))
BUFFER = Parameter(name="buffer", kind="categorical", levels=("tris", "hepes"))


@pytest.mark.parametrize(
    ("parameter", "near", "value"),
    [
        (PH, 6.9, 7.0),
        (PH, 99.0, 9.0),
        (SALT, 0.0123456, 0.01235),
        (SALT, 1e-9, 0.01),
        (CYCLES, 2.6, 3.0),
        (GLASS, 2.1, 1.0),
        (Parameter(name="x", low=0.0, high=1.0, resolution=0.3), 1.0, 0.9),
        (Parameter(name="x", low=2.0, high=2.0), 7.0, 2.0),
    ],
)
def test_a_number_is_snapped_to_the_nearest_that_the_bench_can_tell(
    parameter: Parameter, near: float, value: float
) -> None:
    assert parameter.snapped(near) == value
    assert parameter.holds(parameter.snapped(near))
    assert parameter.snapped(parameter.snapped(near)) == value


def test_values_are_listed_where_they_can_be_counted() -> None:
    assert CYCLES.values == (1.0, 2.0, 3.0, 4.0)
    assert GLASS.values == (0.5, 1, 4)
    assert PH.values is not None
    assert len(PH.values) == 17
    assert SALT.values is None


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (PH, 4.9),
        (PH, True),
        (PH, "7"),
        (PH, float("nan")),
        (CYCLES, 2.5),
        (GLASS, 2.0),
        (BUFFER, "water"),
        (BUFFER, 1.0),
    ],
)
def test_values_outside_bounds_and_levels_are_no_values(parameter: Parameter, value: object) -> None:
    assert not parameter.holds(value)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Parameter(name="x", low=2.0, high=1.0), "from 2 down to 1"),
        (lambda: Parameter(name="x", low=0.0), "needs a low and a high"),
        (lambda: Parameter(name="x", low=0.0, high=float("inf")), "needs a low and a high"),
        (lambda: Parameter(name="x", low=0.0, high=1.0, log=True), "above 0"),
        (lambda: Parameter(name="x", kind="integer", low=0.5, high=3), "integer between bounds"),
        (lambda: Parameter(name="x", kind="integer", low=0, high=3, resolution=2), "its resolution is 1"),
        (lambda: Parameter(name="x", kind="ordinal", levels=(2, 1)), "ascending"),
        (lambda: Parameter(name="x", kind="ordinal", levels=(1, float("nan"))), "no finite number"),
        (lambda: Parameter(name="x", kind="categorical", levels=("a", 1)), "must be text"),
        (lambda: Parameter(name="x", kind="categorical", levels=("a", "a")), "each once"),
        (lambda: Parameter(name=" ", low=0.0, high=1.0), "needs a name"),
        (lambda: Mixture(ingredients=("a",)), "at least two"),
        (lambda: Mixture(ingredients=("a", "b"), most={"a": 0.3, "b": 0.3}), "can't add up to 1"),
        (
            lambda: Mixture(ingredients=("a", "b", "c"), at_most=1, most=dict.fromkeys("abc", 0.9)),
            "can't add up",
        ),
        (lambda: Mixture(ingredients=("a", "b"), least=0.6, most={"a": 0.8, "b": 0.8}), "can't add up to 1"),
        (lambda: Mixture(ingredients=("a", "b"), resolution=0.3), "steps of 0.3"),
        (lambda: Mixture(ingredients=("a", "b"), most={"z": 0.3}), "z is no ingredient"),
        (lambda: Sites(parent="MTY", positions=(4,), letters=("A",)), "between 1 and 3"),
        (lambda: Sites(parent="MTY", positions=(2, 1), letters=("A", "A")), "ascending"),
        (lambda: Sites(parent="MTY", positions=(1,), letters=("AA",)), "twice"),
        (lambda: LinearConstraint(coefficients={"x": 0.0}, at_most=1.0), "not 0"),
        (lambda: LinearConstraint(coefficients={"x": 1.0}), "needs at_least or at_most"),
        (lambda: LinearConstraint(coefficients={"x": 1.0}, at_most=float("nan")), "finite"),
        (lambda: SearchSpace(), "needs parameters"),
        (lambda: SearchSpace(parameters=(PH, PH)), "ph names two values"),
        (
            lambda: SearchSpace(
                parameters=(BUFFER,),
                constraints=(LinearConstraint(coefficients={"buffer": 1.0}, at_most=1.0),),
            ),
            "buffer is no number",
        ),
    ],
)
def test_a_description_that_means_nothing_is_refused_and_says_why(
    make: Callable[[], object], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        make()


BLEND = Mixture(ingredients=("a", "b", "c"), at_most=2, least=0.1, most={"c": 0.5}, resolution=0.05)


@pytest.mark.parametrize(
    ("amounts", "inside"),
    [
        ((0.5, 0.5, 0.0), True),
        ((1.0, 0.0, 0.0), True),
        ((0.5, 0.0, 0.5), True),
        ((0.3, 0.3, 0.4), False),
        ((0.4, 0.0, 0.6), False),
        ((0.95, 0.05, 0.0), False),
        ((0.5, 0.4, 0.0), False),
        ((1.2, -0.2, 0.0), False),
        ((True, 0.0, 0.0), False),
    ],
)
def test_a_mixture_keeps_to_its_total_and_to_what_each_ingredient_may_be(
    amounts: tuple[float, float, float], inside: bool
) -> None:
    assert BLEND.holds(dict(zip("abc", amounts, strict=True))) is inside


@pytest.mark.parametrize(
    ("sequence", "inside"), [("MTY", True), ("MAY", True), ("MAA", False), ("MTA", False), ("MT", False)]
)
def test_substitutions_stand_where_they_may_and_are_not_too_many(sequence: str, inside: bool) -> None:
    sites = Sites(parent="MTY", positions=(2, 3), letters=("AG", "F"), at_most=1)
    assert sites.holds(sequence) is inside


def test_a_candidate_lies_in_a_space_when_every_part_and_linear_constraint_says_so() -> None:
    space = SearchSpace(
        parameters=(PH, BUFFER),
        mixture=BLEND,
        sites=Sites(parent="MTY", positions=(2,), letters=("AG",)),
        constraints=(LinearConstraint(coefficients={"ph": 1.0, "a": -2.0}, at_least=5.0),),
    )
    values = {"ph": 7.0, "buffer": "tris", "a": 0.5, "b": 0.5, "c": 0.0}
    assert space.holds(Candidate(id="x", sequence="MAY", values=values))
    assert not space.holds(Candidate(id="x", sequence="MFY", values=values))
    assert not space.holds(Candidate(id="x", sequence="MAY", values={**values, "ph": 5.0}))
    assert not space.holds(Candidate(id="x", sequence="MAY", values={**values, "more": 1.0}))
    assert not space.holds(Candidate(id="x", sequence="MAY", values={"ph": 7.0}))


def test_a_linear_constraint_reads_as_one_would_write_it() -> None:
    constraint = LinearConstraint(coefficients={"x": 1.0, "y": -2.5}, at_least=0.0, at_most=3.0)
    assert str(constraint) == "0 <= x - 2.5 y <= 3"
