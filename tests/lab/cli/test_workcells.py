"""``drywet workcell check``, as typed."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from devices.incubator.bioshake import FRAMING
from digital_twin.chemistry import chemistry
from digital_twin.instruments.bioshake import BioShakeTwin
from digital_twin.serve import serve
from digital_twin.world import World
from lab.app.benches import belief_of
from lab.app.drivers import seats
from lab.cli.main import app
from lab.clock import LabClock
from lab.errors import CampaignFileError
from lab.files import load_workcell

BENCH = Path(__file__).parents[3] / "workcells" / "protein_bench_twin.yaml"


@pytest.fixture
def dead_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@pytest.fixture
def shaker_port() -> Iterator[int]:
    """A shaker that answers as a real one would, on a port."""
    ports: list[int] = []
    up, over = threading.Event(), asyncio.Event()
    spec = load_workcell(BENCH)
    with LabClock(virtual=False) as clock:
        world = World(
            clock=clock,
            seed=1,
            ledger=None,
            bench=belief_of(spec, ()),
            chemistry=chemistry("protein_g"),
            seats=seats(spec),
        )
        model = BioShakeTwin(world, name="shaker", position="shaker", serial="BS-4711")

        async def answer() -> None:
            async with serve(model, framing=FRAMING) as port:
                ports.append(port)
                up.set()
                await over.wait()

        server = threading.Thread(target=clock.run, args=(answer(),))
        server.start()
        assert up.wait(30)
        yield ports[0]
        clock.soon(over.set)
        server.join()


def mixed_bench(folder: Path, port: int, address: str = "tcp:192.168.0.1:10100") -> Path:
    """The bench of twins, of which the device at one address is real, and on this machine."""
    text = BENCH.read_text()
    assert address in text
    text = text.replace(address, f"tcp:127.0.0.1:{port}\n    twin: false")
    path = folder / "mixed.yaml"
    path.write_text(text)
    return path


def test_every_instrument_of_a_bench_says_who_it_is_and_what_it_shows() -> None:
    done = CliRunner().invoke(app, ["workcell", "check", str(BENCH), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["usable"] is True
    devices = {one["device"]: one for one in told["devices"]}
    assert list(devices) == ["handler", "reader", "thermocycler", "shaker", "arm"]
    assert {one["identity"]["origin"] for one in devices.values()} == {"twin"}
    assert devices["thermocycler"]["shows"] == {
        "temperature_c": 22.0,
        "lid_temperature_c": 22.0,
        "lid": "open",
    }


def test_an_instrument_that_does_not_answer_is_named_and_the_others_are_asked_all_the_same(
    tmp_path: Path, dead_port: int
) -> None:
    path = mixed_bench(tmp_path, dead_port)
    done = CliRunner().invoke(
        app, ["workcell", "check", str(path), "--json", "--store", str(tmp_path / "lab.db")]
    )
    assert done.exit_code == 1
    devices = {one["device"]: one for one in json.loads(done.output)["devices"]}
    assert "cannot connect" in devices["arm"]["error"]
    assert devices["arm"]["identity"] is None
    assert {role for role, one in devices.items() if one["error"]} == {"arm"}
    assert devices["shaker"]["twin"] is True
    assert devices["arm"]["twin"] is False


def test_a_real_instrument_on_a_bench_of_twins_is_told_apart_and_its_driver_says_that_it_is_new_to_it(
    tmp_path: Path, shaker_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = mixed_bench(tmp_path, shaker_port, "serial:/dev/ttyUSB0")
    with caplog.at_level(logging.WARNING, logger="drywet.devices"):
        done = CliRunner().invoke(
            app, ["workcell", "check", str(path), "--json", "--store", str(tmp_path / "lab.db")]
        )
    assert done.exit_code == 0, done.output
    devices = {one["device"]: one for one in json.loads(done.stdout)["devices"]}
    assert devices["shaker"]["identity"]["origin"] == "real"
    assert devices["shaker"]["identity"]["serial"] == "BS-4711"
    assert devices["arm"]["identity"]["origin"] == "twin"
    (said,) = {record.getMessage() for record in caplog.records if record.name == "drywet.devices"}
    assert "shaker" in said
    assert "nobody has run it on the instrument yet" in said


def test_the_text_of_a_check_has_a_line_for_each_instrument() -> None:
    done = CliRunner().invoke(app, ["workcell", "check", str(BENCH)])
    assert done.exit_code == 0
    assert [line.split()[1] for line in done.output.splitlines() if line.startswith("✓")] == [
        "handler",
        "reader",
        "thermocycler",
        "shaker",
        "arm",
    ]
    assert "lid open" in done.output


def test_a_file_that_is_wrong_is_refused_before_anything_is_connected(tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text(BENCH.read_text().replace("incubator/bioshake", "incubator/bioshak"))
    done = CliRunner().invoke(app, ["workcell", "check", str(path)])
    assert done.exit_code != 0
    assert "bioshak" in str(done.exception)


@pytest.mark.parametrize("command", ["check", "protocol"])
def test_contents_that_the_twin_does_not_know_are_named_with_file_and_line(
    tmp_path: Path, command: str
) -> None:
    wrong = tmp_path / "bench.yaml"
    text = BENCH.read_text(encoding="utf-8").replace("holds: assay_buffer", "holds: assay_bufer")
    wrong.write_text(text, encoding="utf-8")
    line = next(n for n, row in enumerate(text.splitlines(), start=1) if "assay_bufer" in row)
    protocol = tmp_path / "fill.py"
    protocol.write_text(
        "from protocols.scripts import Plate, protocol\n\n\n@protocol\ndef fill(bench, plate: Plate):\n"
        '    yield from bench.transfer(10, "reporter", plate["A1"])\n'
    )
    words = {
        "check": ["workcell", "check", str(wrong)],
        "protocol": ["protocol", "run", str(protocol), "--workcell", str(wrong)],
    }[command]
    store = ["--store", str(tmp_path / "lab.db")]
    refused = CliRunner().invoke(app, [*words, *store])
    assert isinstance(refused.exception, CampaignFileError)
    assert (refused.exception.file, refused.exception.line) == (wrong, line)
    assert refused.exception.reason == "The twin has no measured stability for 'assay_bufer'."
    assert "assay_buffer and reporter" in refused.exception.way_out
