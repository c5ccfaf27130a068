"""Climate chambers from a workcell file: as twins, at addresses, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.climate_chamber.chamber import ClimateChamber
from devices.climate_chamber.ioc import IocChamber
from devices.climate_chamber.lads import LadsChamber
from devices.climate_chamber.sila import SilaChamber
from lab.app.benches import sketch
from lab.errors import CampaignFileError
from lab.files import load_workcell

BENCH = """\
name: chambers
twin: TWIN
devices:
  incubator:
    driver: climate_chamber/lads
    address: opc.tcp://192.168.0.30:4840
    limits: {temperature_c: [4, 45]}
    settings: {device: Incubator, unit: Chamber, functions: {CO2: CO2Controller}}
  stage:
    driver: climate_chamber/epics
    address: "epics:lab3:stage:"
    limits: {temperature_c: [4, 60]}
    settings: {vendor: Lake Shore, model: "336", serial: LSA1234, serial_variable: SN, rest_c: 25}
  oven:
    driver: climate_chamber/sila
    address: sila:192.168.0.40:50052
    limits: {temperature_c: [10, 60]}
    settings: {certificate: oven.pem}
positions:
  incubator: {device: incubator, home: true}
  stage: {device: stage}
  oven: {device: oven}
labware:
  - {id: blends, type: flat_plate_96, count: 1, at: incubator}
"""
TWIN = BENCH.replace("twin: TWIN", "twin: true\nchemistry: photovoltaic_blends")
REAL = BENCH.replace("twin: TWIN", "twin: false")


def devices(folder: Path, text: str) -> dict[str, object]:
    file = folder / "bench.yaml"
    file.write_text(text, encoding="utf-8")
    (folder / "oven.pem").write_text("-----BEGIN CERTIFICATE-----", encoding="utf-8")
    return dict(sketch(load_workcell(file), ()).devices)


@pytest.mark.parametrize("text", [TWIN, REAL], ids=["twin", "real"])
def test_the_same_file_gives_the_same_devices_for_a_twin_and_for_instruments(
    tmp_path: Path, text: str
) -> None:
    made = devices(tmp_path, text)
    for role, kind in (("incubator", LadsChamber), ("stage", IocChamber), ("oven", SilaChamber)):
        device = made[role]
        assert type(device) is kind
        assert isinstance(device, ClimateChamber)
        assert device.keep.limits["temperature_c"][1] == (45.0 if role == "incubator" else 60.0)


@pytest.mark.parametrize(
    ("was", "is_now", "field", "said"),
    [
        ("opc.tcp://192.168.0.30:4840", "tcp:192.168.0.30:4840", "incubator.address", "no address"),
        ("    address: opc.tcp://192.168.0.30:4840\n", "", "incubator.address", "has no address"),
        ("device: Incubator, ", "", "incubator.settings.device", "device is not said"),
        ("unit: Chamber, ", "", "incubator.settings.unit", "unit is not said"),
        ("{CO2: CO2Controller}", "{Ozone: O3}", "incubator.settings.functions", "no function 'Ozone'"),
        ("unit: Chamber", "units: Chamber", "incubator.settings.units", "units"),
        ("temperature_c: [4, 45]", "shaking_rpm: [4, 45]", "incubator.limits.shaking_rpm", "no limit"),
        ("epics:lab3:stage:", "ca:lab3:stage:", "stage.address", "no prefix"),
        ("epics:lab3:stage:", "epics:lab3,stage:", "stage.address", "no prefix"),
        ("serial: LSA1234, ", "", "stage.settings.serial", "is not said"),
        ("rest_c: 25", "rest_c: 2", "stage.settings.rest_c", "outside its limits"),
        ("{temperature_c: [4, 60]}", "{hold_s: [0, 60]}", "stage.limits.temperature_c", "is not said"),
        ("sila:192.168.0.40:50052", "sila:192.168.0.40", "oven.address", "no address"),
        ("certificate: oven.pem", "certificate: none.pem", "oven.settings.certificate", "no certificate"),
        ("certificate: oven.pem", "encrypted: perhaps", "oven.settings.encrypted", "encrypted"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_place(
    tmp_path: Path, was: str, is_now: str, field: str, said: str
) -> None:
    assert was in REAL
    with pytest.raises(CampaignFileError, match=said) as refused:
        devices(tmp_path, REAL.replace(was, is_now))
    assert refused.value.field == f"devices.{field}"
