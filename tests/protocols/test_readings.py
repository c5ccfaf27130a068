"""Readings out of documents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lab.errors import NonsenseReply
from lab.interfaces import Document
from protocols.readings import plate_kinetics, plate_readings

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


def kinetic(cycles: np.ndarray) -> Document:
    name, body = event("p", cycles[-1])
    body["data"]["reader-cycles"] = cycles.ravel()
    return name, body


def test_traces_have_one_value_for_each_cycle_of_a_well() -> None:
    cycles = np.arange(3.0)[:, None] * 1000.0 + np.arange(96.0)
    (reading,) = plate_kinetics([DESCRIPTOR, kinetic(cycles)], stream="fluorescence").values()
    assert reading.traces["A1"].tolist() == [0.0, 1000.0, 2000.0]
    assert reading.traces["B1"].tolist() == [12.0, 1012.0, 2012.0]
    assert reading.saturated == {"B2"}
    assert reading.lab_time_s == 1.0


def test_what_a_reader_gave_no_number_for_stays_none_in_a_trace() -> None:
    cycles = np.zeros((3, 96))
    cycles[1, 5] = np.nan
    found = plate_kinetics([DESCRIPTOR, kinetic(cycles)], stream="fluorescence")["p"]
    assert np.isnan(found.traces["A6"]).tolist() == [False, True, False]


@pytest.mark.parametrize("size", [0, 95, 200])
def test_cycles_that_do_not_fill_plates_are_nonsense(size: int) -> None:
    document = kinetic(np.zeros((2, 96)))
    document[1]["data"]["reader-cycles"] = np.zeros(size)
    with pytest.raises(NonsenseReply, match=f"{size} values for 96 wells"):
        plate_kinetics([DESCRIPTOR, document], stream="fluorescence")
