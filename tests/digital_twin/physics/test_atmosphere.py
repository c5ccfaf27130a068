"""Air of a chamber: its formulas against their differential equation, and what it does to a plate."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from digital_twin.atmosphere import ROOM_HUMIDITY_PERCENT, Atmosphere
from digital_twin.physics.atmosphere import (
    CONTROLLED_S,
    DOOR_OPEN_S,
    LEAK_S,
    ROOM_CO2_PERCENT,
    approach,
    mean_over,
)
from digital_twin.world import Impossible, World
from lab.clock import LabClock
from tests.devices.line_bench import SEATS, Water, make_bench


def test_a_stirred_tank_follows_its_mass_balance() -> None:
    value, dt = 0.04, 0.05
    for _ in range(round(300.0 / dt)):
        value += dt * (5.0 - value) / CONTROLLED_S
    exact = approach(elapsed_s=300.0, start=0.04, end=5.0, time_constant_s=CONTROLLED_S)
    assert value == pytest.approx(exact, rel=1e-3)


def test_two_half_ways_are_one_whole_way() -> None:
    half = approach(elapsed_s=40.0, start=90.0, end=40.0, time_constant_s=DOOR_OPEN_S)
    whole = approach(elapsed_s=80.0, start=90.0, end=40.0, time_constant_s=DOOR_OPEN_S)
    assert approach(elapsed_s=40.0, start=half, end=40.0, time_constant_s=DOOR_OPEN_S) == pytest.approx(whole)


@pytest.mark.parametrize(("begin_s", "end_s"), [(0.0, 10.0), (30.0, 4000.0), (5.0, 5.0)])
def test_the_mean_is_the_mean_of_the_way(begin_s: float, end_s: float) -> None:
    times = np.linspace(begin_s, end_s, 20001)
    values = [approach(elapsed_s=t, start=40.0, end=90.0, time_constant_s=CONTROLLED_S) for t in times]
    found = mean_over(begin_s=begin_s, end_s=end_s, start=40.0, end=90.0, time_constant_s=CONTROLLED_S)
    assert found == pytest.approx(float(np.mean(values)), rel=1e-4)


def test_an_open_door_lets_the_rooms_air_in_whatever_is_set_and_a_shut_one_keeps_it() -> None:
    air = Atmosphere(since_s=0.0).changed(0.0, co2_percent=5.0, humidity_percent=90.0, open_=False)
    assert air.co2_at(20 * CONTROLLED_S) == pytest.approx(5.0)
    assert air.humidity_at(20 * CONTROLLED_S) == pytest.approx(90.0)
    opened = air.changed(3000.0, co2_percent=5.0, humidity_percent=90.0, open_=True)
    assert opened.co2_at(3000.0 + 20 * DOOR_OPEN_S) == pytest.approx(ROOM_CO2_PERCENT)
    shut = air.changed(3000.0, co2_percent=None, humidity_percent=None, open_=False)
    assert shut.humidity_at(3000.0 + 0.1 * LEAK_S) > 0.8 * 90.0
    assert shut.humidity_at(3000.0 + 20 * LEAK_S) == pytest.approx(ROOM_HUMIDITY_PERCENT)


def _left_ul(humidity_percent: float | None) -> float:
    """What is left in a well after six hours at 37 C in a shut chamber."""
    with LabClock(virtual=True) as clock:

        async def body() -> float:
            bench = make_bench(plate_at="chamber")
            world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
            world.act("chamber", "move_door", position="chamber", shut=True)
            world.act(
                "chamber",
                "set_atmosphere",
                position="chamber",
                co2_percent=None,
                humidity_percent=humidity_percent,
            )
            world.act("chamber", "set_temperature", position="chamber", temperature_c=37.0)
            await asyncio.sleep(6 * 3600.0)
            world.act("chamber", "set_temperature", position="chamber", temperature_c=None)
            return world.volume_ul("assay_1", "A1")

        return clock.run(body())


def test_humid_air_keeps_a_plate_from_drying() -> None:
    dry, humid = _left_ul(None), _left_ul(95.0)
    assert humid - dry > 1.0
    assert humid < 51.0


def test_air_that_is_more_than_full_is_impossible() -> None:
    with LabClock(virtual=True) as clock:

        async def body() -> None:
            bench = make_bench(plate_at="chamber")
            world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
            with pytest.raises(Impossible):
                world.act(
                    "chamber",
                    "set_atmosphere",
                    position="chamber",
                    co2_percent=101.0,
                    humidity_percent=None,
                )
            assert not world.ledger.actions

        clock.run(body())
