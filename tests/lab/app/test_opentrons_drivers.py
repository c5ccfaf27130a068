"""Opentrons robots in workcell files: built, refused with the line, and run by a protocol from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from devices.opentrons_robot.robot import OpentronsRobot
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


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("robot: ot2", "robot: star", "devices.handler.settings.robot"),
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
