"""Candidates by what they consist of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.report.naming import called, full_name, is_mixture, made_of, noun, tick_labels
from lab.report.numbers import setting
from lab.types import Candidate
from tests.protocols.blends import make_blend_campaign


def described(**values: object) -> Candidate:
    return Candidate(id="c_1", values=values)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"PCE10": 0.3, "P3HT": 0.0, "PCBM": 0.7}, "PCE10 30 %, PCBM 70 %"),
        ({"a": 0.125, "b": 0.875}, "a 12.5 %, b 87.5 %"),
        ({"red_ink": 1.0, "blue_ink": 0.0}, "red ink 100 %"),
        ({"temperature_c": 40.0, "solvent": "toluene"}, "temperature 40 °C, solvent toluene"),
        ({"flow": 0.123456789, "cycles": 3.0}, "flow 0.1235, cycles 3"),
        ({"share": 1.0}, "share 1"),
        ({"low": 0.4, "high": 0.4}, "low 0.4, high 0.4"),
        ({}, ""),
    ],
)
def test_shares_of_a_whole_are_per_cents_and_other_values_carry_their_units(values, told):
    assert plain(made_of(described(**values))) == told


def test_a_mixture_is_shares_that_sum_to_one():
    assert is_mixture(described(a=0.5, b=0.5))
    assert not is_mixture(described(a=1.5, b=-0.5))
    assert not is_mixture(described(a="half", b=0.5))
    assert not is_mixture(described(a=True, b=0))


def test_a_sequence_goes_by_its_name():
    assert full_name(Candidate(id="T16I", sequence="MTY")) == "T16I"
    assert plain(full_name(described(a=0.2, b=0.8))) == "c_1 (a 20 %, b 80 %)"


def test_a_candidate_that_is_named_after_its_values_is_not_told_twice():
    drawn = Candidate(id="a=0.2 b=0.8", values={"a": 0.2, "b": 0.8})
    assert plain(full_name(drawn)) == "a 20 %, b 80 %"
    assert called("blend_1", "a 20 %") == ("blend_1", "a 20 %")
    assert called("T16I", "") == ("T16I", "")


def test_what_is_too_long_for_an_axis_goes_by_its_name():
    long = ", ".join(f"ingredient {n} 10 %" for n in range(10))
    assert tick_labels([("c_1", "a 20 %, b 80 %"), ("c_2", long)]) == ["a 20 %, b 80 %", "c_2"]
    assert tick_labels([("T16I", ""), ("Y3F", "")]) == ["T16I", "Y3F"]


def test_candidates_that_their_values_do_not_tell_apart_go_by_their_names_beside_an_axis():
    shown = [("pos19-09", "position 19"), ("pos109-16", "position 109"), ("pos19-16", "position 19")]
    assert tick_labels(shown) == ["pos19-09", "pos109-16", "pos19-16"]


def test_the_word_for_a_candidate_follows_the_reference():
    campaign = make_blend_campaign()
    assert noun(campaign) == "blend"
    assert noun(replace(campaign, reference=Candidate(id="WT", sequence="MTY"))) == "variant"
    assert noun(replace(campaign, reference=described(temperature_c=40.0))) == "candidate"


def test_a_setting_that_is_a_table_is_told_without_brackets():
    assert setting("stocks", {"red": "red", "green": "jade"}) == ("stocks", "red, green: jade")
