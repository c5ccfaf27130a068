"""Furnace, syringe pump and spectrometer from a workcell file: as twins, at addresses, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.furnace.eurotherm import Eurotherm3216
from devices.spectrometer.aq6370 import AQ6370
from devices.spectrometer.light_path import StagePath
from devices.syringe_pump.ne1000 import NE1000
from lab.app.benches import sketch
from lab.errors import CampaignFileError
from lab.files import load_workcell

BENCH = """\
name: films
twin: TWIN
devices:
  furnace:
    driver: furnace/eurotherm
    address: modbus:192.168.0.40:502/1
    limits: {temperature_c: [25, 150], ramp_c_per_min: [1, 20]}
    settings: {cooling_constant_s: 1500}
  pump:
    driver: syringe_pump/ne1000
    address: serial:/dev/ttyUSB0
    limits: {rate_ul_per_min: [10, 2000]}
    settings: {diameter_mm: 14.43, syringe_volume_ul: 10000, syringe_at: pump_syringe}
  spectrometer:
    driver: spectrometer/aq6370
    address: tcp:192.168.0.41:10001
    settings: {stage: "serial:/dev/ttyUSB1", a1_mm: [12.5, 8]}
positions:
  furnace: {device: furnace, home: true}
  pump_syringe: {device: pump}
  pump_outlet: {device: pump}
  spectrometer: {device: spectrometer}
labware:
  - {id: blends, type: flat_plate_96, count: 1, at: furnace}
  - {id: syringe, type: syringe_10ml, at: pump_syringe, holds: solvent, volume_ul: 9 ml}
"""
TWIN = BENCH.replace("twin: TWIN", "twin: true\nchemistry: photovoltaic_blends")
REAL = BENCH.replace("twin: TWIN", "twin: false")


def devices(folder: Path, text: str) -> dict[str, object]:
    file = folder / "bench.yaml"
    file.write_text(text, encoding="utf-8")
    return dict(sketch(load_workcell(file), ()).devices)


@pytest.mark.parametrize("text", [TWIN, REAL], ids=["twin", "real"])
def test_the_same_file_gives_the_same_devices_for_a_twin_and_for_instruments(
    tmp_path: Path, text: str
) -> None:
    made = devices(tmp_path, text)
    furnace, pump, spectrometer = made["furnace"], made["pump"], made["spectrometer"]
    assert isinstance(furnace, Eurotherm3216)
    assert isinstance(pump, NE1000)
    assert isinstance(spectrometer, AQ6370)
    assert furnace.anneal.limits["ramp_c_per_min"] == (1.0, 20.0)
    assert pump.dispense.limits["rate_ul_per_min"] == (10.0, 2000.0)
    assert isinstance(spectrometer._path, StagePath)


@pytest.mark.parametrize(
    ("was", "is_now", "field", "said"),
    [
        (
            "cooling_constant_s: 1500",
            "cooling_constant_s: 0",
            "furnace.settings.cooling_constant_s",
            "of 0 s",
        ),
        ("cooling_constant_s: 1500", "cooling: 3", "furnace.settings.cooling", "no setting 'cooling'"),
        ("modbus:192.168.0.40:502/1", "tcp:192.168.0.40:502", "furnace.address", "no address"),
        ("diameter_mm: 14.43", "diameter_mm: wide", "pump.settings.diameter_mm", "has to be a number"),
        ("diameter_mm: 14.43, ", "", "pump.settings.diameter_mm", "has to be a number"),
        ("diameter_mm: 14.43", "diameter_mm: 140", "pump.settings.diameter_mm", "140 mm wide"),
        (
            "syringe_at: pump_syringe",
            "syringe_at: furnace",
            "pump.settings.syringe_at",
            "needs two positions",
        ),
        ("serial:/dev/ttyUSB0", "visa:ASRL1::INSTR", "pump.address", "no address"),
        ("a1_mm: [12.5, 8]", "a1_mm: [12.5]", "spectrometer.settings.a1_mm", "two numbers"),
        ("a1_mm: [12.5, 8]", "well: A1", "spectrometer.settings.well", "fixed, or has a stage"),
        ('"serial:/dev/ttyUSB1"', '"ttyUSB1"', "spectrometer.settings.stage", "no address"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_place(
    tmp_path: Path, was: str, is_now: str, field: str, said: str
) -> None:
    assert was in REAL
    with pytest.raises(CampaignFileError, match=said) as refused:
        devices(tmp_path, REAL.replace(was, is_now))
    assert refused.value.field == f"devices.{field}"
