from __future__ import annotations

import json
import math
import struct
from enum import IntFlag
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lab.store.encoding import from_text, to_text
from lab.types import Origin, Quality

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
keys = st.text() | st.sampled_from(["$float", "$array", "$dict", "$", "$other"])
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=30,
)
arrays = hnp.arrays(
    dtype=st.one_of(
        hnp.boolean_dtypes(),
        hnp.integer_dtypes(endianness="?"),
        hnp.unsigned_integer_dtypes(endianness="?"),
        hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    ),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


def exact(value: Any) -> Any:
    """A value in which unequal means unequal: types told apart, floats as their bits."""
    match value:
        case bool() | None | str():
            return value
        case int():
            return ("int", value)
        case float():
            return ("float", struct.pack("<d", value))
        case list():
            return [exact(item) for item in value]
        case dict():
            return {key: exact(item) for key, item in value.items()}
    raise AssertionError(type(value))


@given(json_values)
def test_what_goes_in_comes_out_to_the_bit(value: Any) -> None:
    assert exact(from_text(to_text(value))) == exact(value)


@given(json_values)
def test_the_text_is_json_that_any_program_reads(value: Any) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    text = to_text({"value": value, "nan": math.nan})
    json.loads(text, parse_constant=refuse)
    assert text.isascii()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_no_word_for_come_back(value: float) -> None:
    back = from_text(to_text([value, {"deep": value}]))
    assert repr(back) == repr([value, {"deep": value}])


@given(arrays)
def test_an_array_comes_back_with_its_type_shape_and_bits(array: np.ndarray) -> None:
    back = from_text(to_text({"reading": array}))["reading"]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)  # takes nan for equal to nan


def test_an_array_of_text_comes_back() -> None:
    array = np.array([["A1", "B12"], ["", "µ"]])
    np.testing.assert_array_equal(from_text(to_text(array)), array)


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        (np.float64(0.1), 0.1),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.int64(-3), -3),
        (np.bool_(True), True),
        (np.str_("A1"), "A1"),
        ((1, (2, 3)), [1, [2, 3]]),
        (Origin.TWIN, "twin"),
        (IntFlag("Lid", ["OPEN", "SHUT"])(3), 3),
        (Quality(ok=False, flags=("high_cv",)), {"ok": False, "flags": ["high_cv"], "sentence": ""}),
    ],
)
def test_what_is_nearly_json_becomes_json(given_: Any, kept: Any) -> None:
    assert exact(from_text(to_text(given_))) == exact(kept)


@pytest.mark.parametrize(
    "value",
    [
        b"bytes",
        {1, 2},
        object(),
        1j,
        np.array([1j]),
        np.array([object()]),
        np.array(["2026-11-22"], dtype="datetime64[D]"),
        np.array([1.0], dtype=np.longdouble) if np.dtype(np.longdouble).itemsize > 8 else object(),
        {1: "a key that is no text"},
        Quality,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_be_lost_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        to_text({"deep": [value]})
