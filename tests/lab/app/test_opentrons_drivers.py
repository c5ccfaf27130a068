"""Opentrons robots in workcell files: built, refused with the line, and run by a protocol from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from devices.incubator.opentrons import HeaterShaker
from devices.magnet.opentrons import MagneticModule
from devices.opentrons_robot.robot import OpentronsRobot
from devices.temperature_module.opentrons import TemperatureModule
from devices.thermocycler.opentrons import OpentronsThermocycler
from lab.app.benches import sketch
from lab.cli.main import app
from lab.errors import CampaignFileError
from lab.files import load_workcell
from tests.project.source_tree import REPOSITORY

WORKCELL = REPOSITORY / "workcells" / "opentrons_bench_twin.yaml"
TEXT = WORKCELL.read_text(encoding="utf-8")

CYCLER = """  thermocycler:
    driver: thermocycler/opentrons_robot
    address: http://192.168.0.20
"""


def write(folder: Path, *changes: tuple[str, str]) -> Path:
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    file = folder / "bench.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("twin", ["true", "false"])
def test_a_robot_and_a_thermocycler_on_it_are_built_from_the_file(tmp_path: Path, twin: str) -> None:
    file = write(
        tmp_path,
        ("twin: true", f"twin: {twin}"),
        ("devices:\n", "devices:\n" + CYCLER),
        ("positions:\n", "positions:\n  cycler: {device: thermocycler, station: 4}\n"),
    )
    devices = sketch(load_workcell(file), ()).devices
    assert isinstance(devices["handler"], OpentronsRobot)
    assert isinstance(devices["thermocycler"], OpentronsThermocycler)
    assert devices["handler"].distribute.limits["volume_ul"] == (1.0, 300.0)


MODULES = """  shaker:
    driver: incubator/opentrons_robot
    address: http://192.168.0.20
    limits: {temperature_c: [20, 60], shaking_rpm: [200, 1500]}
  cold:
    driver: temperature_module/opentrons_robot
    address: http://192.168.0.20
    limits: {temperature_c: [4, 40]}
  magnet:
    driver: magnet/opentrons_robot
    address: http://192.168.0.20
    limits: {height_mm: [0, 12]}
    settings: {serial: MDV20P1234}
"""
PLACES = """positions:
  on_shaker: {device: shaker, station: 5}
  on_cold: {device: cold, station: 6}
  on_magnet: {device: magnet, station: 7}
"""


@pytest.mark.parametrize("twin", ["true", "false"])
def test_modules_of_a_robot_are_built_from_the_file(tmp_path: Path, twin: str) -> None:
    file = write(
        tmp_path,
        ("twin: true", f"twin: {twin}"),
        ("devices:\n", "devices:\n" + MODULES),
        ("positions:\n", PLACES),
    )
    devices = sketch(load_workcell(file), ()).devices
    kinds = {"shaker": HeaterShaker, "cold": TemperatureModule, "magnet": MagneticModule}
    for role, kind in kinds.items():
        assert isinstance(devices[role], kind)
    assert devices["magnet"].engage.limits["height_mm"] == (0.0, 12.0)
    assert devices["shaker"].incubate.limits["shaking_rpm"] == (200.0, 1500.0)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("{serial: MDV20P1234}", "{number: 5}", "devices.magnet.settings.number"),
        ("{serial: MDV20P1234}", "{serial: 5}", "devices.magnet.settings.serial"),
        ("height_mm: [0, 12]", "height_mm: [30, 40]", "devices.magnet.limits.height_mm"),
        ("temperature_c: [4, 40]", "celsius: [4, 40]", "devices.cold.limits.celsius"),
    ],
)
def test_what_a_module_does_not_have_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, place: str
) -> None:
    file = write(tmp_path, ("devices:\n", "devices:\n" + MODULES), ("positions:\n", PLACES), (old, new))
    with pytest.raises(CampaignFileError) as refused:
        sketch(load_workcell(file), ())
    assert refused.value.field == place


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("robot: ot2", "robot: star", "devices.handler.settings.robot"),
        (
            "robot: ot2",
            "robot: ot2\n      labware_offsets: {deck_buffer: {x: 9.0}}",
            "devices.handler.settings.labware_offsets.deck_buffer.x",
        ),
        (
            "robot: ot2",
            "robot: ot2\n      recovery: {lost_tip: pray}",
            "devices.handler.settings.recovery.lost_tip",
        ),
        ("deck_buffer: 4", "deck_buffer: 17", "devices.handler.settings.slots.deck_buffer"),
        ("left: p20_single_gen2", "left: p2000", "devices.handler.settings.pipettes.left"),
        ("        deck_plate_2: 9\n", "", "devices.handler.settings.slots"),
        ("volume_ul: [1, 300]", "volume_ml: [1, 300]", "devices.handler.limits.volume_ml"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, place: str
) -> None:
    with pytest.raises(CampaignFileError) as refused:
        sketch(load_workcell(write(tmp_path, (old, new))), ())
    assert refused.value.field == place
    assert refused.value.line is not None


@pytest.mark.parametrize("address", ["    address: tcp:192.168.0.20:31950\n", ""])
def test_a_real_robot_needs_an_address_that_it_can_be_reached_at(tmp_path: Path, address: str) -> None:
    file = write(
        tmp_path, ("twin: true", "twin: false"), ("    address: http://192.168.0.20:31950\n", address)
    )
    with pytest.raises(CampaignFileError, match="address"):
        sketch(load_workcell(file), ())


SCRIPT = '''
from protocols.scripts import Plate, protocol

@protocol
def mine(bench, plate: Plate):
    """Some buffer, and reporter into it."""
    yield from bench.add(60, "assay_buffer", plate, [f"{row}1" for row in "ABCDEFGH"])
    yield from bench.transfer(5, "reporter", plate["A1"], mix_cycles=2)
'''


def test_a_protocol_runs_on_the_twin_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(SCRIPT, encoding="utf-8")
    store = str(tmp_path / "s.db")
    done = CliRunner().invoke(
        app,
        [
            "protocol",
            "run",
            str(file),
            "--workcell",
            str(WORKCELL),
            "--store",
            store,
            "--csv",
            str(tmp_path / "r.csv"),
        ],
    )
    assert done.exit_code == 0, done.output
    listed = CliRunner().invoke(app, ["status", "--store", store])
    assert listed.exit_code == 0


def test_the_protocol_of_the_page_that_tells_modules_runs_from_the_command_line(tmp_path: Path) -> None:
    bench = write(
        tmp_path,
        ("devices:\n", "devices:\n" + MODULES),
        ("positions:\n", PLACES.replace("station: 7}", "station: 7, home: true}")),
        ("at: [deck_plate_1, deck_plate_2]", "at: [on_magnet, deck_plate_2]"),
    )
    page = (REPOSITORY / "docs" / "instruments" / "opentrons.md").read_text(encoding="utf-8")
    (script,) = [text for text in page.split("```python\n") if "def clean_up" in text.partition("```")[0]]
    file = tmp_path / "mine.py"
    file.write_text(script.partition("```")[0], encoding="utf-8")
    store = str(tmp_path / "s.db")
    done = CliRunner().invoke(app, ["protocol", "run", str(file), "--workcell", str(bench), "--store", store])
    assert done.exit_code == 0, done.output
