"""A slice of the table of faults by driver: one case of each kind with each job. See benchmarks/driver_faults.py."""

from __future__ import annotations

import pytest

from lab.app.drivers import DRIVERS
from tests.devices.fault_benches import BENCHES
from tests.devices.fault_cases import DriverBench, Outcome
from tests.devices.fault_plays import cases_of, play
from tests.devices.wire_kinds import Bad

WITHOUT_A_TWIN = {name for name in DRIVERS if name.startswith("person/")}
SAME_DRIVER = {"climate_chamber/lads_light": "climate_chamber/lads"}


def test_every_driver_that_has_a_twin_is_tried() -> None:
    tried = {bench.driver for bench in BENCHES}
    assert len(tried) == len(BENCHES)
    assert set(DRIVERS) - WITHOUT_A_TWIN - set(SAME_DRIVER) == tried
    assert set(SAME_DRIVER.values()) <= tried


@pytest.mark.parametrize("bench", BENCHES, ids=lambda bench: bench.driver)
def test_what_goes_wrong_is_a_typed_fault_or_does_no_harm(bench: DriverBench) -> None:
    cases = [case for case in cases_of(bench, [0]) if case.kind != Bad.OTHER_DIGIT]
    verdicts = [(case, play(case)) for case in cases]
    bad = [
        f"{case.key}: {verdict.outcome}: {verdict.sentence}"
        for case, verdict in verdicts
        if verdict.outcome not in (Outcome.FOUND, Outcome.RIGHT)
    ]
    assert bad == []
    assert {case.kind for case in cases if case.spoil} | set(bench.without) >= set(Bad) - {Bad.OTHER_DIGIT}
