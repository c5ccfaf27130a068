"""Parameters as people write them."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from lab.errors import CampaignFileError
from lab.strict import StrictModel
from protocols import read_parameters
from protocols.thermal_challenge import Parameters, method


class Small(StrictModel):
    hold_s: float = Field(default=60.0, ge=1.0, le=3600.0)
    steps_c: tuple[float, ...] = (20.0,)
    cycles: int = Field(default=3, ge=1)
    label: str = ""


def problems(written: dict[str, object]) -> list[str]:
    with pytest.raises(CampaignFileError) as refused:
        read_parameters(Small, written)
    return [f"{one.field}: {one.reason} {one.way_out}".rstrip() for one in refused.value.problems]


def test_quantities_may_be_written_with_their_unit_also_in_lists() -> None:
    assert read_parameters(Small, {"hold_s": "10 min", "steps_c": ["20 C", 30]}) == Small(
        hold_s=600.0, steps_c=(20.0, 30.0)
    )


def test_parameters_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Small().hold_s = 5.0  # type: ignore[misc]


def test_every_problem_is_named_with_its_field() -> None:
    temperature, *others = problems({"hold": 3, "cycles": 0, "steps_c": ["hot"], "label": 3})
    assert temperature.startswith("steps_c: steps_c is a number, not 'hot'.")
    assert others == [
        "cycles: cycles is 0, too little. Give 1 or more.",
        "label: label is text, not 3.",
        "hold: The protocol has no parameter 'hold'. Did you mean 'hold_s'?",
    ]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"hold_s": "10 lightyears"}, "hold_s can't be given in 'lightyears'."),
        ({"hold_s": "1.2.3 s"}, "hold_s is a number, not '1.2.3 s'."),
        ({"hold_s": "1e999 s"}, "hold_s is no finite number."),
        ({"hold_s": True}, "hold_s is a number, not True."),
        ({"hold_s": 4000}, "hold_s is 4000, too much. Give 3600.0 or less."),
        ({"hold_s": float("nan")}, "hold_s is no finite number."),
        ({"cycles": 2.5}, "cycles is a whole number, not 2.5."),
        ({"cycles": "3"}, "cycles is a whole number, not '3'."),
        ({"steps_c": 20}, "steps_c is a list, not 20."),
        ({"frobnicate": 1}, "It has: hold_s, steps_c, cycles, label."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(written: dict[str, object], said: str) -> None:
    assert said in " ".join(problems(written))


def test_the_challenge_takes_one_temperature_or_several() -> None:
    one = read_parameters(Parameters, {"challenge_temperature_c": 82})
    assert one.heated == {"heated_82c": 82.0}
    several = read_parameters(Parameters, {"challenge_temperature_c": ["75 C", 82.5]})
    assert several.heated == {"heated_75c": 75.0, "heated_82_5c": 82.5}
    assert several.roles == ("unheated", "heated_75c", "heated_82_5c")


@pytest.mark.parametrize(
    ("temperatures", "said"),
    [
        ([], "one to six temperatures"),
        ([75, 75], "names a temperature twice"),
        (120, "challenge_temperature_c is 120"),
        ([20, 75], "challenge_temperature_c is 20"),
        (True, "challenge_temperature_c"),
    ],
)
def test_temperatures_that_make_no_challenge_are_refused(temperatures: object, said: str) -> None:
    with pytest.raises(CampaignFileError, match=said):
        read_parameters(Parameters, {"challenge_temperature_c": temperatures})


def test_a_method_says_what_was_done() -> None:
    written = read_parameters(
        Parameters, {"challenge_temperature_c": [75, 82.5], "challenge_duration_s": "10 min"}
    )
    assert method(written).startswith("residual activity after 10 min at 75 C and 82.5 C")


def test_every_parameter_of_the_challenge_says_what_it_is() -> None:
    assert [name for name, about in Parameters.model_fields.items() if not about.description] == []
