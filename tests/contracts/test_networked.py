"""The family contract of line devices, for those that stand on a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from devices.climate_chamber import Keep
from lab.clock import LabClock
from tests.contracts.test_devices import (  # noqa: F401  (collected here, over the cases of this module)
    Body,
    test_a_command_takes_about_as_long_as_it_says,
    test_a_dropped_connection_is_a_lost_one,
    test_a_garbled_reply_is_nonsense,
    test_a_mock_never_opens_the_wire,
    test_a_verb_that_is_done_may_be_given_again,
    test_it_works_again_once_the_instrument_does,
    test_readings_are_described_by_the_same_names,
    test_says_who_it_is_and_stamps_the_origin_of_its_readings,
    test_silence_is_a_timeout,
    test_the_instruments_own_error_is_quoted,
    test_the_safe_state_may_be_asked_for_twice,
    test_what_is_past_a_limit_is_refused_before_anything_is_sent,
)
from tests.contracts.test_devices_broken_off import _all_cuts as all_cuts
from tests.contracts.test_devices_broken_off import _orphaned as orphaned
from tests.devices.chamber_bench import CHAMBERS, LADS, LADS_PARTS, kept, warmed
from tests.devices.line_bench import Case, rig
from tests.devices.line_cuts import When
from tests.devices.line_trials import Trial


@pytest.fixture(params=list(CHAMBERS))
def case(request: pytest.FixtureRequest) -> Case:
    return CHAMBERS[request.param]


@pytest.fixture
def on_rig(case: Case) -> Iterator[Callable[[Body], None]]:
    with LabClock(virtual=True) as clock:

        def run(body: Body) -> None:
            async def whole() -> None:
                async with rig(case, clock) as made:
                    await body(made)

            clock.run(whole())

        yield run


COOL = Trial(
    case=LADS,
    command=Keep(plate="assay_1", temperature_c=23.0, hold_s=20.0),
    parts=LADS_PARTS,
    answers="done not_done",
    happened=kept(23.0, 20.0),
    begun=warmed,
)


def test_at_room_temperature_a_plate_may_wait_in_the_chamber_for_whoever_comes_back(tmp_path: Path) -> None:
    mode = partial(orphaned, after_s=3600.0)
    with LabClock(virtual=True) as clock:
        answers = clock.run(all_cuts(COOL, clock, tmp_path, (When.DURING,), mode))
    assert answers == set(COOL.answers.split()), "the chamber's own timer has ended it"
