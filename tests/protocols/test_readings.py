"""Readings out of documents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lab.errors import NonsenseReply
from lab.interfaces import Document
from protocols.readings import plate_readings

DESCRIPTOR: Document = (
    "descriptor",
    {
        "uid": "d1",
        "name": "fluorescence",
        "configuration": {"reader": {"data": {"reader-rows": 8, "reader-columns": 12}}},
    },
)


def event(plate: str, value: Any, *, descriptor: str = "d1", at_s: float = 1.0) -> Document:
    data = {
        "reader-value": value,
        "reader-saturated": np.arange(len(value)) == 13,
        "reader-plate": plate,
        "reader-lab_time_s": at_s,
    }
    return ("event", {"descriptor": descriptor, "data": data})


def test_values_are_row_major() -> None:
    (reading,) = plate_readings([DESCRIPTOR, event("p", np.arange(96.0))], stream="fluorescence").values()
    assert (reading.values["A1"], reading.values["A12"], reading.values["B1"]) == (0.0, 11.0, 12.0)
    assert reading.saturated == {"B2"}


def test_lists_serve_as_well_as_arrays() -> None:
    found = plate_readings([DESCRIPTOR, event("p", [1.0] * 96)], stream="fluorescence")
    assert found["p"].values["H12"] == 1.0


def test_other_streams_are_left_alone_and_the_last_reading_of_a_plate_counts() -> None:
    other: Document = ("descriptor", {**DESCRIPTOR[1], "uid": "d2", "name": "absorbance"})
    documents = [
        DESCRIPTOR,
        other,
        event("p", np.zeros(96), at_s=1.0),
        event("p", np.ones(96), at_s=2.0),
        event("q", np.ones(96), descriptor="d2"),
    ]
    found = plate_readings(documents, stream="fluorescence")
    assert list(found) == ["p"]
    assert found["p"].lab_time_s == 2.0
    assert found["p"].values["A1"] == 1.0


def test_a_reading_of_the_wrong_length_is_nonsense() -> None:
    with pytest.raises(NonsenseReply, match="95 values for 96 wells"):
        plate_readings([DESCRIPTOR, event("p", np.zeros(95))], stream="fluorescence")
