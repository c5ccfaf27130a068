"""What arrives from outside, read strictly, and said in sentences."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field

from lab.errors import CampaignFileError
from lab.strict import StrictModel, did_you_mean, read_strictly


class Hold(StrictModel):
    duration_s: float | None = Field(default=None, lt=3600.0)
    at_c: tuple[float, ...] | None = None
    names: tuple[str, ...] = ()
    volumes_ul: list[float] = Field(default_factory=list)


class Recipe(StrictModel):
    first: Hold
    others: list[Hold] = Field(default_factory=list)


def problems(
    model: type[BaseModel], written: dict[str, object], **words: str
) -> list[tuple[str | None, str, str]]:
    with pytest.raises(CampaignFileError) as refused:
        read_strictly(model, written, **words)
    return [(one.field, one.reason, one.way_out) for one in refused.value.problems]


def test_units_are_read_where_a_name_ends_in_one_and_lists_become_what_is_meant():
    read = read_strictly(
        Hold, {"duration_s": "10 min", "at_c": ["20 C", 30], "names": ["a"], "volumes_ul": ["1 ml"]}
    )
    assert read == Hold(duration_s=600.0, at_c=(20.0, 30.0), names=("a",), volumes_ul=[1000.0])


@pytest.mark.parametrize("written", [float("inf"), float("nan"), "1e999 s"])
def test_no_number_is_infinite(written):
    [(field, reason, _)] = problems(Hold, {"duration_s": written})
    assert (field, reason) == ("duration_s", "duration_s is no finite number.")


def test_a_misspelt_field_is_told_once_and_not_as_missing_too():
    assert problems(Recipe, {"frist": {}}) == [
        ("frist", "There is no field 'frist' here.", "Did you mean 'first'?")
    ]


def test_what_is_wrong_in_an_entry_of_a_list_is_told_with_its_number_and_the_name_of_the_list():
    assert problems(Recipe, {"first": {}, "others": [{"duration_s": 3600}, 3]}) == [
        (
            "others[1].duration_s",
            "duration_s is 3600, but less than 3600.0 is needed.",
            "Give less than 3600.0.",
        ),
        ("others[2]", "others holds fields, not 3.", "Write its fields below it, indented."),
    ]


def test_the_place_and_the_words_for_an_unknown_field_are_the_callers():
    words = {"within": "planner.settings", "unknown": "It has no setting {}.", "known": "It has:"}
    assert problems(Recipe, {"first": {}, "zzz": 1}, **words) == [
        ("planner.settings.zzz", "It has no setting 'zzz'.", "It has: first, others.")
    ]


def test_a_misspelt_name_gets_the_likeliest_capitals_aside_or_all_in_their_order():
    assert did_you_mean("t2a", ["WT", "T2A"]) == "Did you mean 'T2A'?"
    assert did_you_mean("zscales", ["one_hot", "z_scales"], quoted=False) == "Did you mean z_scales?"
    assert did_you_mean("x", ["wells", "plates"], what="Known are") == "Known are wells, plates."
    assert did_you_mean("x", []) == ""
