"""The machines that PyLabRobot speaks to, as a workcell file has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab.app.benches import sketch
from lab.cli.main import app
from lab.errors import BadInput
from lab.files import load_workcell

BENCH = """\
name: machines
twin: true
chemistry: protein_g
devices:
  handler: {driver: liquid_handler/evo, settings: {z_offset_mm: 1.5}}
  reader: {driver: plate_reader/synergy, limits: {wavelength_nm: [300, 700]}}
  balance: {driver: balance/mettler_toledo, address: "serial:/dev/ttyUSB0"}
  centrifuge: {driver: centrifuge/microspin, address: "tcp:192.168.0.40:1000"}
  incubator:
    driver: plate_hotel/cytomat
    address: serial:/dev/ttyUSB1
    settings: {model: C6002, transfer: gate, temperature_c: 37}
  shaker: {driver: incubator/inheco_thermoshake, address: "hid:0815", settings: {slot: 2}}
  cold_plate: {driver: temperature_module/inheco_cpac, address: "hid:0815", settings: {slot: 3}}
  feed:
    driver: pump/masterflex
    address: serial:/dev/ttyUSB2
    settings: {ul_per_turn: 60, source_at: feed_bottle, rpm: [10, 600]}
  cycler: {driver: thermocycler/atc, address: "tcp:192.168.0.60:7000"}
positions:
  cycler: {device: cycler}
  feed_bottle: {device: feed}
  feed_outlet: {device: feed}
  shaker: {device: shaker}
  cold_plate: {device: cold_plate}
  deck_tips: {device: handler}
  deck_buffer: {device: handler}
  deck_plate: {device: handler}
  reader: {device: reader}
  pan: {device: balance}
  bucket_1: {device: centrifuge}
  bucket_2: {device: centrifuge}
  gate: {device: incubator}
  shelf: {device: incubator, slots: 10, home: true}
labware:
  - {id: library, type: pcr_plate_96, count: 2, at: shelf, holds: candidates, volume_ul: 60}
  - {id: tips, type: tecan_tips_50ul, at: deck_tips}
  - {id: buffer, type: trough_60ml, at: deck_buffer, holds: assay_buffer, volume_ul: 50 ml}
"""


def check(folder: Path, text: str = BENCH) -> tuple[int, str]:
    path = folder / "bench.yaml"
    path.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(
        app, ["workcell", "check", str(path), "--json", "--store", str(folder / "lab.db")]
    )
    return done.exit_code, done.output


def test_each_is_built_from_the_file_on_its_twin_and_says_who_it_is(tmp_path: Path) -> None:
    code, said = check(tmp_path)
    assert code == 0, said
    devices = {one["device"]: one for one in json.loads(said)["devices"]}
    assert {role: one["identity"]["model"] for role, one in devices.items()} == {
        "handler": "Freedom EVO",
        "reader": "Synergy H1",
        "balance": "WXS205SDU",
        "centrifuge": "MicroSpin",
        "incubator": "Cytomat C6002",
        "shaker": "ThermoShake",
        "cold_plate": "CPAC",
        "feed": "Masterflex L/S",
        "cycler": "Applied Biosystems ATC",
    }
    assert {one["identity"]["origin"] for one in devices.values()} == {"twin"}
    assert all(one["identity"]["serial"].startswith("TWIN") for one in devices.values())


@pytest.mark.parametrize(
    ("written", "instead", "reason"),
    [
        ("z_offset_mm: 1.5", "z_offset_mm: high", "'high' is no z_offset_mm"),
        ("z_offset_mm: 1.5", "z_offset_mm: 90", "90 is no z_offset_mm"),
        ("z_offset_mm: 1.5", "z_ofset_mm: 1", "no setting 'z_ofset_mm'"),
        ("wavelength_nm: [300, 700]", "wavelength_nm: [10, 20]", "No wavelength_nm"),
        ("transfer: gate", "transfer: door", "'door' is no position of incubator"),
        ("transfer: gate, ", "", "needs a transfer station"),
        ("model: C6002", "model: C6003", "no model 'C6003'"),
        ("temperature_c: 37", "temperature_c: 370", "370 is no temperature_c"),
        ('60:7000"}', '60:7001", twin: false}', "does not listen on port 7001"),
        ('60:7000"}', '60:7000", twin: false, settings: {serial_number: "1"}}', "7443 needs settings"),
        ("ul_per_turn: 60, ", "", "feed is not calibrated"),
        ("source_at: feed_bottle", "source_at: bottle", "feed needs two positions"),
        ("rpm: [10, 600]", "rpm: 600", "600 is no rpm"),
        ("rpm: [10, 600]", "drive: 2.5", "no number 2.5"),
        ("slot: 2", "slot: 7", "7 is no slot"),
        ("slot: 2", "slot: 1.5", "no slot 1.5"),
        (
            '"hid:0815", settings: {slot: 2}}',
            '"tcp:h:1", settings: {slot: 2}, twin: false}',
            "no control box",
        ),
        ("  bucket_2: {device: centrifuge}\n", "", "1 positions belong to it"),
        (
            'address: "serial:/dev/ttyUSB0"}',
            'address: "tcp:192.168.0.9:10", twin: false}',
            "is no serial port",
        ),
        (
            'address: "tcp:192.168.0.40:1000"}',
            'address: "serial:/dev/ttyUSB9", twin: false}',
            "is no TCP address",
        ),
    ],
)
def test_what_the_file_says_wrong_is_told_with_its_place(
    tmp_path: Path, written: str, instead: str, reason: str
) -> None:
    assert written in BENCH
    path = tmp_path / "bench.yaml"
    path.write_text(BENCH.replace(written, instead), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        sketch(load_workcell(path), ())
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("driver", "address", "settings"),
    [
        ("balance/mettler_toledo", "serial:PORT", "{}"),
        ("plate_hotel/cytomat", "serial:PORT", "{transfer: gate}"),
        ("centrifuge/microspin", "tcp:127.0.0.1:1", "{}"),
        ("pump/masterflex", "serial:PORT", "{ul_per_turn: 60, source_at: gate}"),
    ],
)
def test_a_machine_that_is_not_there_is_named(
    tmp_path: Path, driver: str, address: str, settings: str
) -> None:
    at = address.replace("PORT", str(tmp_path / "no_port"))
    text = (
        "name: machines\ntwin: false\n"
        f"devices: {{machine: {{driver: {driver}, address: '{at}', settings: {settings}}}}}\n"
        "positions: {pan: {device: machine, home: true}, gate: {device: machine}}\n"
        "labware: [{id: plate, type: pcr_plate_96, at: pan}]\n"
    )
    if driver == "balance/mettler_toledo":
        text = text.replace(", gate: {device: machine}", "")
    code, said = check(tmp_path, text)
    assert code != 0
    (machine,) = json.loads(said)["devices"]
    assert machine["identity"] is None
    assert any(words in json.dumps(machine) for words in ("can't be reached", "cannot connect"))


def test_devices_at_the_same_address_share_one_box_and_others_do_not(tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    other = "  other: {driver: temperature_module/inheco_cpac, address: 'hid:0816', settings: {slot: 3}, twin: false}\n"
    text = BENCH.replace("{slot: 2}}", "{slot: 2}, twin: false}").replace(
        "{slot: 3}}", "{slot: 3}, twin: false}"
    )
    text = text.replace("positions:\n", other + "positions:\n  other: {device: other}\n", 1)
    path.write_text(text, encoding="utf-8")
    devices = sketch(load_workcell(path), ()).devices
    shaker, cold_plate, apart = (devices[role]._link.where for role in ("shaker", "cold_plate", "other"))
    assert (shaker, cold_plate, apart) == (
        "Inheco control box 0815, slot 2",
        "Inheco control box 0815, slot 3",
        "Inheco control box 0816, slot 3",
    )
    boxes = [devices[role]._link._transport._box for role in ("shaker", "cold_plate", "other")]
    assert boxes[0] is boxes[1]
    assert boxes[0] is not boxes[2]
