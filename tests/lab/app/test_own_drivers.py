"""A driver of the user's own, named in the workcell file by its import path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lab.app.benches import sketch
from lab.app.drivers import seats
from lab.errors import CampaignFileError
from lab.files import load_workcell
from tests.project.source_tree import REPOSITORY

OWN = """
from devices.incubator.bioshake import BioShake
from devices.transport import InProcess
from digital_twin.instruments.bioshake import BioShakeTwin


def build(fitting):
    assert fitting.settings == {"adapter": "flat"}
    model = BioShakeTwin(fitting.world, name=fitting.spec.role, position=fitting.position)
    return BioShake(fitting.spec.role, InProcess(model), limits=fitting.spec.limits)


build.seat = "shaker"

number = 3
"""


def bench(folder: Path, driver: str) -> Path:
    text = (REPOSITORY / "workcells" / "protein_bench_twin.yaml").read_text(encoding="utf-8")
    assert "driver: incubator/bioshake" in text
    path = folder / "bench.yaml"
    path.write_text(
        text.replace("driver: incubator/bioshake", f"driver: {driver}\n    settings: {{adapter: flat}}"),
        encoding="utf-8",
    )
    return path


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_own_shakers.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_own_shakers", raising=False)
    return "my_own_shakers"


def test_a_function_of_the_users_own_builds_the_device(tmp_path: Path, own_module: str) -> None:
    spec = load_workcell(bench(tmp_path, f"{own_module}:build"))
    device = sketch(spec, ()).devices["shaker"]
    assert device.name == "shaker"
    assert seats(spec)["shaker"] == "shaker"
    assert device.incubate.limits["temperature_c"] == (20.0, 70.0)


@pytest.mark.parametrize(
    ("driver", "reason"),
    [
        ("my_own_shaker:build", "No module named 'my_own_shaker'"),
        ("my_own_shakers:built", "has no attribute 'built'"),
        ("my_own_shakers:number", "is no function"),
    ],
)
def test_a_driver_that_can_not_be_had_is_refused_with_its_line(
    tmp_path: Path, own_module: str, driver: str, reason: str
) -> None:
    with pytest.raises(CampaignFileError, match=reason) as wrong:
        sketch(load_workcell(bench(tmp_path, driver)), ())
    assert wrong.value.field == "devices.shaker.driver"
    assert wrong.value.line is not None
