"""``drywet workcell check``, as typed."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab.cli.main import app

BENCH = Path(__file__).parents[3] / "workcells" / "protein_bench_twin.yaml"


@pytest.fixture
def dead_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def mixed_bench(folder: Path, port: int) -> Path:
    """The bench of twins, whose arm is real and not there."""
    text = BENCH.read_text()
    assert "tcp:192.168.0.1:10100" in text
    text = text.replace("tcp:192.168.0.1:10100", f"tcp:127.0.0.1:{port}\n    twin: false")
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
