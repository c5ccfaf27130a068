"""``drywet safe``: instruments behind real sockets are brought to their safe state when no program does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from digital_twin.instruments.bioshake import BioShakeTwin
from digital_twin.instruments.thermocycler import ThermocyclerTwin
from digital_twin.serve import serve
from digital_twin.world import World
from lab.app.watching import Controller
from lab.clock import LabClock
from tests.devices.line_bench import CASES, SEATS, Water, Wire, make_bench
from tests.lab.cli.conftest import Drywet, change

CYCLER, SHAKER, _ = CASES


class Instruments:
    """A thermocycler and a shaker that answer on loopback ports, as instruments do."""

    def __init__(self, clock: LabClock) -> None:
        self._clock = clock
        self._stack = AsyncExitStack()
        world = World(clock=clock, seed=1, ledger=None, bench=make_bench(), chemistry=Water(), seats=SEATS)
        self.world = world
        self.cycler = Wire(ThermocyclerTwin(world, name="thermocycler", position="thermocycler"))
        self.shaker = Wire(BioShakeTwin(world, name="shaker", position="shaker"))
        self.ports: dict[str, int] = {}

    async def open(self) -> None:
        self.ports["thermocycler"] = await self._stack.enter_async_context(
            serve(self.cycler, framing=CYCLER.framing)
        )
        self.ports["shaker"] = await self._stack.enter_async_context(
            serve(self.shaker, framing=SHAKER.framing)
        )

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture
def instruments() -> Iterator[Instruments]:
    with LabClock(virtual=False) as clock:
        made = Instruments(clock)
        clock.run(made.open())
        yield made
        clock.run(made.close())


def workcell(instruments: Instruments) -> Path:
    """A file of a bench whose instruments are said to be real."""
    file = Path("bench.yaml")
    file.write_text(
        f"""
name: cold_room
twin: false
devices:
  thermocycler: {{driver: thermocycler/opentrons, address: "tcp:127.0.0.1:{instruments.ports["thermocycler"]}"}}
  shaker: {{driver: incubator/bioshake, address: "tcp:127.0.0.1:{instruments.ports["shaker"]}"}}
positions:
  thermocycler: {{device: thermocycler}}
  shaker: {{device: shaker}}
labware:
  - {{id: assay, type: pcr_plate_96, at: shaker}}
""",
        encoding="utf-8",
    )
    return file


def told_off(wire: Wire, *requests: str) -> bool:
    """Whether an instrument was told all of these things."""
    return set(requests) <= set(wire.sent)


def test_every_instrument_of_the_file_is_told_its_safe_state(
    folder: Path, drywet: Drywet, instruments: Instruments
) -> None:
    answer = drywet("safe", "--workcell", str(workcell(instruments)))
    assert (answer.code, answer.err) == (0, "")
    assert "thermocycler: safe" in answer.out
    assert "shaker: safe" in answer.out
    assert "All 2 instruments of cold_room are in their safe state." in answer.out
    assert told_off(instruments.cycler, "M18")
    assert told_off(instruments.shaker, "tempOff", "shakeOff")


def test_an_instrument_that_refuses_is_told_of_and_keeps_no_other_from_its_safe_state(
    folder: Path, drywet: Drywet, instruments: Instruments
) -> None:
    file = workcell(instruments)
    model = instruments.cycler.model

    async def refuse(line: str) -> str:
        return "ERR502:lid:Lid motor fault OK" if line == "M18" else await model.reply(line)

    instruments.cycler.instead = refuse
    answer = drywet("safe", "--workcell", str(file), "--json")
    assert answer.code == 1
    assert answer.json["sentence"] == "NOT known to be in the safe state: thermocycler. Look at the bench."
    cycler, shaker = answer.json["devices"]
    assert "Lid motor fault" in cycler["error"]
    assert shaker == {"device": "shaker", "safe": True, "error": ""}
    assert told_off(instruments.shaker, "tempOff", "shakeOff")


def test_an_instrument_that_is_not_there_is_told_of_and_keeps_no_other_from_its_safe_state(
    folder: Path, drywet: Drywet, instruments: Instruments
) -> None:
    file = workcell(instruments)
    change(file, f"tcp:127.0.0.1:{instruments.ports['thermocycler']}", "tcp:127.0.0.1:9")
    answer = drywet("safe", "--workcell", str(file))
    assert answer.code == 1
    assert "thermocycler: not connected:" in answer.out
    assert "shaker: safe" in answer.out
    assert "NOT known to be in the safe state: thermocycler." in answer.err
    assert told_off(instruments.shaker, "tempOff", "shakeOff")


class AtWork:
    """A laboratory that holds this bench."""

    real_workcells = ("cold_room",)

    def standings(self, campaign: str | None = None) -> tuple[Any, ...]:
        return ()


def test_a_bench_that_a_living_program_holds_is_left_to_it_unless_forced(
    folder: Path, drywet: Drywet, instruments: Instruments
) -> None:
    file = workcell(instruments)
    laboratory: Any = AtWork()
    with Controller(Path(".drywet/control"), "here.db") as controller:
        controller.steer(laboratory)
        asyncio.run(_until_it_says_so(Path(".drywet/control")))
        refused = drywet("safe", "--workcell", str(file))
        assert refused.code == 2
        assert "works on this bench" in refused.err
        assert "drywet stop --now" in refused.err
        assert instruments.cycler.sent == []
        forced = drywet("safe", "--workcell", str(file), "--force")
    assert forced.code == 0
    assert told_off(instruments.cycler, "M18")


async def _until_it_says_so(control: Path) -> None:
    from lab.app.control import present

    async with asyncio.timeout(20):
        while not any(one.real for one in present(control)):  # noqa: ASYNC110  another thread writes a file
            await asyncio.sleep(0.02)


def test_a_twin_has_nothing_real_to_make_safe(folder: Path, drywet: Drywet, campaign: Path) -> None:
    answer = drywet("safe", "--workcell", "protein_bench_twin.yaml")
    assert (answer.code, answer.err) == (0, "")
    assert "all its instruments are simulated, and there is nothing real to make safe" in answer.out
