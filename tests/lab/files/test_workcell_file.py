"""Workcell files: what a right one gives, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.bench import Position
from lab.files import DeviceSpec, LabwareSpec, load_workcell

REPOSITORY = Path(__file__).parents[3]


def test_a_right_file_gives_the_bench(desk):
    bench = desk.load_workcell()
    assert bench.name == "bench"
    assert bench.twin is True
    assert bench.devices["shaker"] == DeviceSpec(
        role="shaker",
        driver="incubator/bioshake",
        twin=True,
        address="serial:/dev/ttyUSB0",
        limits={"temperature_c": (20.0, 70.0)},
    )
    assert bench.positions[:3] == (
        Position(name="deck", device="handler"),
        Position(name="hotel_1", device="arm", home=True),
        Position(name="hotel_2", device="arm", home=True),
    )
    assert bench.stations == {"deck": 1, **{f"hotel_{n}": 10 + n for n in range(1, 7)}}
    assert bench.labware[1] == LabwareSpec(
        id="library_2",
        group="library",
        type="pcr_plate_96",
        position="hotel_2",
        holds="candidates",
        volume_ul=60.0,
    )
    assert bench.labware[2].volume_ul == 50_000.0
    assert bench.library == ("library_1", "library_2")
    assert (len(bench.library_wells), bench.library_wells[0], bench.library_wells[-1]) == (96, "A1", "H12")


def test_the_workcell_of_the_repository_is_right():
    bench = load_workcell(REPOSITORY / "workcells" / "protein_bench_twin.yaml")
    assert set(bench.devices) == {"handler", "reader", "thermocycler", "shaker", "arm"}
    assert [p.name for p in bench.positions if p.home][-1] == "lids_4"
    assert len({item.position for item in bench.labware}) == len(bench.labware)


def test_labware_knows_the_line_of_its_group(desk):
    error = desk.load_workcell().error_of_labware("library_2", "It is cracked.")
    assert (error.line, error.field) == (14, "labware.library")


def test_larger_plates_have_more_wells(desk):
    desk.change(desk.workcell, "pcr_plate_96", "pcr_plate_384")
    assert desk.load_workcell().library_wells[-1] == "P24"


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "reason", "way_out"),
    [
        (
            "chemistry: protein_g\n",
            "",
            2,
            "twin",
            "A twin has to know what its liquids do.",
            "Add a line such as `chemistry: protein_g`.",
        ),
        ("twin: true", "twin: yes", 2, "twin", "twin is true or false, not 'yes'.", "Write true or false."),
        (
            "    driver: incubator/bioshake",
            "    drivers: incubator/bioshake\n    driver: x",
            6,
            "devices.shaker.drivers",
            "There is no field 'drivers' here.",
            "Did you mean 'driver'?",
        ),
        (
            "address: serial:/dev/ttyUSB0",
            "address: /dev/ttyUSB0",
            7,
            "devices.shaker.address",
            "'/dev/ttyUSB0' is no address.",
            "Write serial:/dev/ttyUSB0 or tcp:192.168.0.1:10100.",
        ),
        (
            "tcp:192.168.0.1:10100",
            "tcp:192.168.0.1:70000",
            9,
            "devices.arm.address",
            "'tcp:192.168.0.1:70000' is no address.",
            "Write serial:/dev/ttyUSB0 or tcp:192.168.0.1:10100.",
        ),
        (
            "[20, 70]",
            "[70, 20]",
            8,
            "devices.shaker.limits.temperature_c",
            "temperature_c is no range.",
            "Write [lowest, highest], with the lower one first.",
        ),
        (
            "[20, 70]",
            "[20]",
            8,
            "devices.shaker.limits.temperature_c",
            "temperature_c is no range.",
            "Write [lowest, highest], with the lower one first.",
        ),
        (
            "[20, 70]",
            "[20, 70 K]",
            8,
            "devices.shaker.limits.temperature_c",
            "temperature_c can't be given in 'K'.",
            "Write a bare number or one of these units: c, °c.",
        ),
        (
            "{temperature_c: [20, 70]}",
            "{temperature: [20, 70]}",
            8,
            "devices.shaker.limits.temperature",
            "The name 'temperature' does not end in a unit.",
            "Units are _ul, _c, _s, _c_per_min, _ul_per_min, _nm, _mm, _rpm, _umol_l, _mmol_l.",
        ),
        (
            "{temperature_c: [20, 70]}",
            "20",
            8,
            "devices.shaker.limits",
            "limits holds fields, not 20.",
            "Write its fields below it, indented.",
        ),
        (
            "deck: {device: handler",
            "deck: {device: handle",
            11,
            "positions.deck.device",
            "There is no device 'handle'.",
            "Did you mean 'handler'?",
        ),
        (
            "first_station: 11",
            "first_station: 1",
            12,
            "positions.hotel",
            "hotel_1 and deck have the same station 1.",
            "Renumber one.",
        ),
        (
            "first_station: 11",
            "station: 11",
            12,
            "positions.hotel.station",
            "A bank of slots has many stations.",
            "Write first_station.",
        ),
        (
            "handler, station: 1",
            "handler, first_station: 1",
            11,
            "positions.deck.first_station",
            "Only a bank of slots has a first_station.",
            "Write station.",
        ),
        (
            "slots: 6",
            "slots: 0",
            12,
            "positions.hotel.slots",
            "slots is 0, but at least 1 is needed.",
            "Give 1 or more.",
        ),
        (
            "at: hotel",
            "at: hotell",
            14,
            "labware[1].at",
            "There is no position 'hotell'.",
            "Did you mean 'hotel'?",
        ),
        (
            "count: 2, at: hotel",
            "count: 7, at: hotel",
            14,
            "labware[1].at",
            "hotel has 6 free slots, too few for 7 pieces of library.",
            "Correct the count or the positions.",
        ),
        (
            "count: 2, at: hotel",
            "count: 2, at: [hotel_3, deck, hotel_4]",
            14,
            "labware[1].at",
            "2 pieces of library need 2 positions, not 3.",
            "Correct the count or the positions.",
        ),
        (
            "at: deck",
            "at: hotel_1",
            15,
            "labware[2].at",
            "library_1 stands at hotel_1 already.",
            "One place holds one piece.",
        ),
        (
            "{id: buffer",
            "{id: library_2",
            15,
            "labware[2].id",
            "Two pieces of labware have the id library_2.",
            "Rename one.",
        ),
        (
            ", volume_ul: 60}",
            "}",
            14,
            "labware[1].volume_ul",
            "library holds candidates, but how much is not said.",
            "Add volume_ul.",
        ),
        (
            "volume_ul: 60}",
            "volume_ul: 60 kg}",
            14,
            "labware[1].volume_ul",
            "volume_ul can't be given in 'kg'.",
            "Write a bare number or one of these units: ul, µl, ml, nl.",
        ),
        (
            "holds: assay_buffer, ",
            "",
            15,
            "labware[2].volume_ul",
            "buffer has a volume of nothing.",
            "Add holds.",
        ),
        (
            "holds: assay_buffer",
            "holds: candidates",
            15,
            "labware[2].holds",
            "library holds the candidates already.",
            "Give them one line of plates.",
        ),
    ],
)
def test_what_is_wrong_is_named(desk, old, new, line, field, reason, way_out):
    desk.change(desk.workcell, old, new)
    bad = desk.problems(desk.load_workcell)[0]
    assert (bad.file, bad.line, bad.field) == ("bench.yaml", line, field)
    assert (bad.reason, bad.way_out) == (reason, way_out)


def test_a_bench_without_a_library_cannot_serve_a_campaign(desk):
    desk.change(desk.workcell, ", holds: candidates, volume_ul: 60", "")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("bench.yaml", 13, "labware")
    assert bad.reason == "No labware here holds candidates."
    assert bad.way_out == "Add `holds: candidates` to the plates."


def test_a_workcell_error_reached_through_a_campaign_names_the_workcell_file(desk):
    desk.change(desk.workcell, "twin: true", "twinn: true")
    files = {bad.file for bad in desk.problems()}
    assert files == {"bench.yaml"}
