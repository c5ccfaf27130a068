"""The one world: what can happen in it, and that its ledger tells all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digital_twin.chemistry import chemistry
from digital_twin.state import State
from digital_twin.world import Impossible, World
from lab.errors import BadInput
from tests.twin_bench import HandClock, Hands, hands, small_bench


def truth(world: World) -> dict[str, object]:
    """Everything that is true in a world, in a form that can be compared exactly."""
    state: State = world.state
    state.head("handler")
    pieces = {
        piece.id: (
            piece.position,
            piece.lid,
            piece.on,
            sorted(piece.tips),
            None if piece.wells is None else piece.wells.volume_ul.tolist(),
            None if piece.wells is None else {k: v.tolist() for k, v in piece.wells.amounts_pmol.items()},
            None if piece.wells is None else piece.wells.unmixed.tolist(),
            piece.wells_c.tolist(),
            piece.time_s,
        )
        for piece in state.pieces.values()
    }
    channels = {
        name: [(c.tip_volume_ul, c.liquid.volume_ul, dict(c.liquid.amounts_pmol), c.air_ul) for c in head]
        for name, head in state.channels.items()
    }
    return {
        "pieces": pieces,
        "channels": channels,
        "held": dict(state.held),
        "shut": set(state.shut),
        "shaking": dict(state.shaking_rpm),
        "climates": dict(state.climates),
    }


def challenge(lab: Hands, *, temperature_c: float = 75.0, rows: str = "ABCD") -> list[float]:
    """A small thermal challenge: pick, seal, heat, cool, stop with reporter, shake, read. Gives back the reading.

    Well H1 is the blank.
    """
    lab.transfer(("buffer", "A1"), ("assay_1", "H1"), 50.0)
    for row in rows:
        lab.transfer(("buffer", "A1"), ("assay_1", f"{row}1"), 45.0)
        lab.transfer(("library", f"{row}1"), ("assay_1", f"{row}1"), 5.0)
    lab.carry("lids_1", "deck_plate_1", lid=True)
    lab.carry("deck_plate_1", "cycler")
    lab.heat(temperature_c, 600.0)
    lab.world.act("arm", "pick", position="cycler", lid=True)
    lab.world.act("arm", "place", position="lids_1")
    lab.carry("cycler", "deck_plate_1")
    for row in f"{rows}H":
        lab.transfer(("reporter", "A1"), ("assay_1", f"{row}1"), 50.0)
    lab.carry("deck_plate_1", "shaker")
    lab.world.act("shaker", "shake", position="shaker", rpm=1500)
    lab.wait(300.0)
    lab.world.act("shaker", "shake", position="shaker", rpm=0)
    lab.carry("shaker", "reader")
    return lab.read()


# ------------------------------------------------------------------------------------------------------------- ledger


def test_a_world_rebuilt_from_its_ledger_is_the_live_world(tmp_path: Path) -> None:
    lab = hands(ledger=tmp_path / "world.jsonl")
    challenge(lab)
    lab.world.close()
    clock = HandClock(World.lab_time_of(tmp_path / "world.jsonl"))
    again = World.rebuild(tmp_path / "world.jsonl", clock=clock, chemistry=chemistry("protein_g"))
    assert truth(again) == truth(lab.world)
    assert clock.now() == lab.clock.now()
    again.close()


def test_a_rebuilt_world_goes_on_as_the_live_one_would(tmp_path: Path) -> None:
    lab = hands(ledger=tmp_path / "world.jsonl")
    challenge(lab)
    clock = HandClock(lab.clock.now())
    again = World.rebuild(tmp_path / "world.jsonl", clock=clock, chemistry=chemistry("protein_g"))
    rebuilt = Hands(again, clock)
    for one in (lab, rebuilt):
        one.wait(120.0)
    assert rebuilt.read() == lab.read()
    again.close()
    lab.world.close()


def test_a_world_killed_at_any_action_is_the_world_as_of_that_action(tmp_path: Path) -> None:
    lab = hands(ledger=tmp_path / "world.jsonl")
    states = [truth(lab.world)]
    original = lab.world.act

    def noted(instrument: str, action: str, **arguments: object) -> object:
        result = original(instrument, action, **arguments)
        states.append(truth(lab.world))
        return result

    lab.world.act = noted  # type: ignore[method-assign]
    challenge(lab, rows="A")
    lab.world.close()
    lines = (tmp_path / "world.jsonl").read_bytes().splitlines(keepends=True)
    for actions, expected in enumerate(states):
        path = tmp_path / f"killed_{actions}.jsonl"
        torn = lines[actions + 1][:-7] if actions + 1 < len(lines) else b""
        path.write_bytes(b"".join(lines[: actions + 1]) + torn)
        again = World.rebuild(path, clock=HandClock(1e6), chemistry=chemistry("protein_g"))
        assert truth(again) == expected
        again.close()


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    first, second, other = (hands(seed=seed) for seed in (7, 7, 8))
    readings = [challenge(lab) for lab in (first, second, other)]
    assert readings[0] == readings[1]
    assert truth(first.world) == truth(second.world)
    assert readings[0] != readings[2]


def test_noise_does_not_depend_on_what_other_instruments_do() -> None:
    quiet, busy = hands(), hands()
    for lab in (quiet, busy):
        lab.transfer(("reporter", "A1"), ("assay_1", "A1"), 50.0)
        lab.carry("deck_plate_1", "reader")
    for _ in range(5):
        busy.world.act("shaker", "shake", position="shaker", rpm=500)
        busy.world.act("thermocycler", "set_temperature", position="cycler", temperature_c=60.0)
    assert busy.read() == quiet.read()


def test_questions_change_nothing() -> None:
    asked, left_alone = hands(), hands()
    for lab, curious in ((asked, True), (left_alone, False)):
        lab.carry("deck_plate_1", "cycler")
        lab.world.act("thermocycler", "set_temperature", position="cycler", temperature_c=75.0)
        for _ in range(40):
            lab.wait(7.0)
            if curious:
                lab.world.temperature_c("cycler")
                lab.world.at("cycler")
                lab.world.volume_ul("assay_1", "A1")
                lab.world.tips_on("handler")
        lab.carry("cycler", "deck_plate_1")
    assert truth(asked.world) == truth(left_alone.world)


def test_a_bench_with_unknown_contents_is_refused() -> None:
    bench = small_bench()
    bench.well("library", "A1").parts = {"mystery": 60.0}
    with pytest.raises(BadInput, match="mystery"):
        hands(bench=bench)


def test_an_unknown_seat_is_refused() -> None:
    with pytest.raises(BadInput, match="sauna"):
        World(
            clock=HandClock(),
            seed=1,
            ledger=None,
            bench=small_bench(),
            chemistry=chemistry("protein_g"),
            seats={"cycler": "sauna"},
        )


# --------------------------------------------------------------------------------------------------------- impossible


IMPOSSIBLE: dict[str, tuple[str, Callable[[Hands], object]]] = {
    "picking where nothing stands": (
        "nothing stands",
        lambda lab: lab.world.act("arm", "pick", position="shaker"),
    ),
    "picking at no position": ("no position", lambda lab: lab.world.act("arm", "pick", position="moon")),
    "placing with empty hands": (
        "holds nothing",
        lambda lab: lab.world.act("arm", "place", position="shaker"),
    ),
    "taking a lid that is not there": (
        "has no lid",
        lambda lab: lab.world.act("arm", "pick", position="deck_plate_1", lid=True),
    ),
    "drawing without a tip": ("has no tip", lambda lab: lab.draw("buffer", "A1", 10.0)),
    "dropping no tip": ("no tip to drop", lambda lab: lab.world.act("handler", "drop_tips", channels=[3])),
    "a tip from an empty spot": (
        "no tip at",
        lambda lab: lab.world.act("handler", "pick_up_tips", channels=[0], tips=[["tips_1", "Z9"]]),
    ),
    "reading with the door open": (
        "door",
        lambda lab: (
            lab.carry("deck_plate_2", "reader"),
            lab.world.act("reader", "read_absorbance", position="reader", wavelength_nm=280),
        ),
    ),
    "shaking backwards": (
        "can't shake",
        lambda lab: lab.world.act("shaker", "shake", position="shaker", rpm=-1),
    ),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_the_impossible_is_refused_in_a_sentence(what: str) -> None:
    sentence, attempt = IMPOSSIBLE[what]
    with pytest.raises(Impossible, match=sentence):
        attempt(hands())


def test_what_is_refused_changes_nothing_and_is_not_on_record(tmp_path: Path) -> None:
    lab = hands(ledger=tmp_path / "world.jsonl")
    lab.fetch(0)
    before, on_disk = truth(lab.world), (tmp_path / "world.jsonl").read_bytes()
    lab.wait(60.0)
    for labware, well, volume_ul in (("assay_1", "A1", 500.0), ("hotel", "A1", 1.0), ("buffer", "B1", 1.0)):
        with pytest.raises(Impossible):
            lab.draw(labware, well, volume_ul)
    assert truth(lab.world) == before
    assert (tmp_path / "world.jsonl").read_bytes() == on_disk
    lab.world.close()


def test_a_second_piece_does_not_fit_where_one_stands() -> None:
    lab = hands()
    lab.world.act("arm", "pick", position="deck_plate_1")
    with pytest.raises(Impossible, match="already stands"):
        lab.world.act("arm", "place", position="deck_plate_2")
    assert lab.world.held("arm") == "assay_1"


def test_a_gripper_holds_one_piece() -> None:
    lab = hands()
    lab.world.act("arm", "pick", position="deck_plate_1")
    with pytest.raises(Impossible, match="already holds assay_1"):
        lab.world.act("arm", "pick", position="deck_plate_2")


def test_no_arm_reaches_into_a_shut_place() -> None:
    lab = hands()
    lab.carry("deck_plate_1", "cycler")
    lab.world.act("thermocycler", "shut", position="cycler", shut=True)
    with pytest.raises(Impossible, match="is shut"):
        lab.world.act("arm", "pick", position="cycler")
    lab.world.act("thermocycler", "shut", position="cycler", shut=False)
    assert lab.world.act("arm", "pick", position="cycler") == "assay_1"


def test_a_lid_keeps_tips_out() -> None:
    lab = hands()
    lab.carry("lids_1", "deck_plate_1", lid=True)
    lab.fetch(0)
    lab.draw("buffer", "A1", 20.0)
    with pytest.raises(Impossible, match="lid_1"):
        lab.give("assay_1", "A1", 20.0)


def test_a_plate_elsewhere_is_out_of_the_channels_reach() -> None:
    lab = hands()
    lab.carry("deck_plate_1", "hotel_1")
    lab.fetch(0)
    with pytest.raises(Impossible, match="does not stand on the deck"):
        lab.draw("assay_1", "A1", 10.0)


def test_a_well_never_runs_over() -> None:
    lab = hands()
    lab.fetch(0, rack="tips_large")
    lab.draw("buffer", "A1", 250.0)
    with pytest.raises(Impossible, match="run over"):
        lab.give("assay_1", "A1", 250.0)


# ------------------------------------------------------------------------------------------------- liquid, conserved


WELLS = [f"{row}{column}" for row in "ABCH" for column in (1, 2, 12)]
MOVES = st.lists(
    st.tuples(
        st.sampled_from(
            [("buffer", "A1"), ("reporter", "A1"), ("library", "A1"), ("library", "B1"), ("assay_1", "A1")]
        ),
        st.sampled_from([("assay_1", well) for well in WELLS] + [("assay_2", "A1")]),
        st.floats(min_value=0.5, max_value=12.0),
        st.booleans(),
    ),
    max_size=12,
)


def inventory(world: World) -> tuple[float, dict[str, float]]:
    """Volume and amount of each species in all wells and tips."""
    volume, amounts = 0.0, {}
    for piece in world.state.pieces.values():
        if piece.wells is not None:
            volume += float(piece.wells.volume_ul.sum())
            for species, per_well in piece.wells.amounts_pmol.items():
                amounts[species] = amounts.get(species, 0.0) + float(per_well.sum())
    for channel in world.state.head("handler"):
        volume += channel.liquid.volume_ul
        for species, amount in channel.liquid.amounts_pmol.items():
            amounts[species] = amounts.get(species, 0.0) + amount
    return volume, amounts


@settings(max_examples=40, deadline=None)
@given(moves=MOVES)
def test_pipetting_makes_and_loses_nothing(
    moves: list[tuple[tuple[str, str], tuple[str, str], float, bool]],
) -> None:
    lab = hands()
    before_ul, before = inventory(lab.world)
    lab.fetch(0, rack="tips_large")
    for source, target, volume_ul, contact in moves:
        lab.draw(*source, volume_ul)
        lab.give(*target, volume_ul, contact=contact)
    after_ul, after = inventory(lab.world)
    assert after_ul == pytest.approx(before_ul, rel=1e-12)
    assert {s: a for s, a in after.items() if a > 0.0} == pytest.approx(before, rel=1e-9)
    for piece in lab.world.state.pieces.values():
        if piece.wells is not None:
            assert np.all(piece.wells.volume_ul >= 0.0)
            assert all(np.all(a >= 0.0) for a in piece.wells.amounts_pmol.values())


@settings(max_examples=15, deadline=None)
@given(
    temperature_c=st.floats(min_value=20.0, max_value=95.0),
    duration_s=st.floats(min_value=0.0, max_value=7200.0),
)
def test_time_takes_water_only_and_turns_native_into_cleaved(temperature_c: float, duration_s: float) -> None:
    lab = hands()
    for well in ("A1", "D6"):
        lab.transfer(("library", "A1"), ("assay_1", well), 10.0)
        lab.transfer(("buffer", "A1"), ("assay_1", well), 40.0)
    wells = lab.world.state.pieces["assay_1"].wells
    assert wells is not None
    before_ul, before = wells.volume_ul.copy(), {k: v.copy() for k, v in wells.amounts_pmol.items()}
    lab.carry("deck_plate_1", "cycler")
    lab.heat(temperature_c, duration_s)
    lab.carry("cycler", "deck_plate_1")
    assert np.all(wells.volume_ul <= before_ul)
    np.testing.assert_allclose(
        wells.amount("native:WT") + wells.amount("cleaved:WT"),
        before["native:WT"] + before.get("cleaved:WT", np.zeros(96)),
        rtol=1e-9,
    )
    np.testing.assert_array_equal(wells.amount("divalent"), before["divalent"])


def test_a_well_that_is_short_gives_air_and_the_wells_served_first_get_less() -> None:
    lab = hands()
    lab.fetch(0, rack="tips_large")
    held_ul = lab.world.volume_ul("library", "A1")
    lab.draw("library", "A1", 90.0)
    given = []
    for well in ("A1", "B1", "C1"):
        lab.give("assay_1", well, 30.0)
        given.append(lab.world.volume_ul("assay_1", well))
    left_ul = lab.world.volume_ul("library", "A1")
    assert 0.0 < left_ul < 3.0
    assert given[0] < 10.0 < given[2]
    assert sum(given) < held_ul


def test_a_tip_that_touches_carries_over_and_one_from_above_does_not() -> None:
    carried = {}
    for contact in (True, False):
        lab = hands()
        lab.transfer(("library", "A1"), ("assay_1", "A1"), 20.0)
        lab.fetch(0)
        lab.draw("buffer", "A1", 40.0)
        for well in ("A1", "B1"):
            lab.give("assay_1", well, 15.0, contact=contact)
        wells = lab.world.state.pieces["assay_1"].wells
        assert wells is not None
        carried[contact] = float(wells.amount("native:WT")[wells.index("B1")])
    assert carried[False] == 0.0
    assert 0.0 < carried[True] < 1.0


def test_channels_differ_and_stay_as_they_are() -> None:
    lab = hands()
    for repeat in range(12):
        lab.fetch(*range(8), rack="tips_large")
        for channel, row in enumerate("ABCDEFGH"):
            lab.draw("buffer", "A1", 20.0, channel=channel)
            lab.give("assay_1", f"{row}{repeat + 1}", 10.0, channel=channel)
        lab.world.act("handler", "drop_tips", channels=list(range(8)))
    wells = lab.world.state.pieces["assay_1"].wells
    assert wells is not None
    volumes = wells.volume_ul.reshape(8, 12)
    assert volumes.mean() == pytest.approx(10.0, rel=0.05)
    between, within = volumes.mean(axis=1).std(), volumes.std(axis=1, ddof=1).mean()
    assert between > 2.0 * within / np.sqrt(12)


# --------------------------------------------------------------------------------------------------- time and the assay


def test_open_wells_at_the_rim_dry_first_and_a_lid_keeps_them() -> None:
    lost = {}
    for sealed in (False, True):
        lab = hands()
        for well in ("A1", "D6"):
            lab.transfer(("buffer", "A1"), ("assay_1", well), 50.0)
        before = {well: lab.world.volume_ul("assay_1", well) for well in ("A1", "D6")}
        if sealed:
            lab.carry("lids_1", "deck_plate_1", lid=True)
        lab.wait(8 * 3600.0)
        lab.carry("deck_plate_1", "hotel_1")
        lost[sealed] = {well: before[well] - lab.world.volume_ul("assay_1", well) for well in before}
    assert lost[False]["A1"] > 1.2 * lost[False]["D6"] > 1.0
    assert lost[True]["A1"] < 0.1 * lost[False]["A1"]


def test_a_humid_hotel_dries_plates_more_slowly_than_the_open_bench() -> None:
    left = {}
    for place in ("shaker", "hotel_1"):
        lab = hands()
        lab.transfer(("buffer", "A1"), ("assay_1", "D6"), 50.0)
        lab.carry("deck_plate_1", place)
        lab.wait(24 * 3600.0)
        lab.carry(place, "deck_plate_1")
        left[place] = lab.world.volume_ul("assay_1", "D6")
    assert left["hotel_1"] > left["shaker"] + 5.0


def test_a_block_ramps_and_the_plate_in_it_lags_behind() -> None:
    lab = hands()
    lab.transfer(("buffer", "A1"), ("assay_1", "D6"), 50.0)
    lab.carry("deck_plate_1", "cycler")
    lab.world.act("thermocycler", "set_temperature", position="cycler", temperature_c=75.0)
    lab.wait(10.0)
    assert 50.0 < lab.world.temperature_c("cycler") < 65.0
    piece = lab.world.state.pieces["assay_1"]
    lab.world.state.evolve(piece, lab.clock.now())
    assert 22.0 < float(piece.wells_c.mean()) < lab.world.temperature_c("cycler") - 5.0
    lab.wait(120.0)
    assert lab.world.temperature_c("cycler") == pytest.approx(75.0, abs=0.01)
    lab.world.state.evolve(piece, lab.clock.now())
    assert float(piece.wells_c.mean()) == pytest.approx(75.0, abs=0.05)
    assert 0.1 < float(np.ptp(piece.wells_c)) < 0.6


def test_a_slower_ramp_is_kept() -> None:
    lab = hands()
    lab.world.act("thermocycler", "set_temperature", position="cycler", temperature_c=72.0, ramp_c_per_s=0.1)
    lab.wait(100.0)
    assert lab.world.temperature_c("cycler") == pytest.approx(32.0, abs=0.1)


def test_a_place_that_is_off_goes_back_to_room_temperature() -> None:
    lab = hands()
    lab.world.act("thermocycler", "set_temperature", position="cycler", temperature_c=60.0)
    lab.wait(120.0)
    lab.world.act("thermocycler", "set_temperature", position="cycler", temperature_c=None)
    lab.wait(60.0)
    assert 40.0 < lab.world.temperature_c("cycler") < 59.0
    lab.wait(7200.0)
    assert lab.world.temperature_c("cycler") == pytest.approx(22.0, abs=0.1)


def test_the_challenge_tells_stable_variants_from_unstable_ones() -> None:
    heated, unheated = hands(), hands()
    after, before = challenge(heated, temperature_c=75.0), challenge(unheated, temperature_c=25.0)
    blank = 84
    rows = {name: row * 12 for row, name in enumerate(("WT", "T16I", "A26V", "T25E"))}
    share = {
        name: (after[well] - after[blank]) / (before[well] - before[blank]) for name, well in rows.items()
    }
    assert share["T16I"] > share["T25E"] > share["WT"] > share["A26V"]
    assert share["WT"] == pytest.approx(0.17, abs=0.06)
    assert share["T16I"] > 0.5
    assert abs(share["A26V"]) < 0.05


def test_reporter_stops_the_protease() -> None:
    lab = hands()
    for volume_ul, source in ((5.0, ("library", "A1")), (45.0, ("buffer", "A1")), (50.0, ("reporter", "A1"))):
        lab.transfer(source, ("assay_1", "A1"), volume_ul)
    wells = lab.world.state.pieces["assay_1"].wells
    assert wells is not None
    before = wells.amount("native:WT").sum()
    lab.carry("deck_plate_1", "cycler")
    lab.heat(80.0, 600.0)
    lab.carry("cycler", "deck_plate_1")
    assert wells.amount("native:WT").sum() == pytest.approx(before, rel=1e-9)


def test_shaking_finishes_what_layering_began() -> None:
    readings = {}
    for rpm in (0, 1500):
        lab = hands()
        for source, volume_ul in (
            (("library", "B1"), 5.0),
            (("buffer", "A1"), 45.0),
            (("reporter", "A1"), 50.0),
        ):
            lab.transfer(source, ("assay_1", "A1"), volume_ul)
        lab.carry("deck_plate_1", "shaker")
        lab.world.act("shaker", "shake", position="shaker", rpm=rpm)
        lab.wait(120.0)
        lab.world.act("shaker", "shake", position="shaker", rpm=0)
        lab.carry("shaker", "reader")
        readings[rpm] = lab.read()[0]
    assert readings[1500] > 1.2 * readings[0]


def test_too_much_gain_saturates_and_less_gain_only_scales() -> None:
    lab = hands()
    for source, volume_ul in ((("library", "B1"), 5.0), (("buffer", "A1"), 45.0), (("reporter", "A1"), 50.0)):
        lab.transfer(source, ("assay_1", "A1"), volume_ul)
    lab.wait(3600.0)
    lab.carry("deck_plate_1", "reader")
    assert lab.read(gain=2500.0)[0] == 260_000.0
    readings = [lab.read(gain=gain) for gain in (1000.0,) * 6]
    wet, dry = np.array([r[0] for r in readings]), np.array([r[95] for r in readings])
    assert 100_000.0 < wet.mean() < 250_000.0
    assert 0.002 < wet.std() / wet.mean() < 0.03
    assert dry.max() < 200.0
    faint = np.array([lab.read(gain=300.0)[0] for _ in range(6)])
    assert faint.std() / faint.mean() < 0.05


def test_a_plate_read_through_a_lid_is_dark() -> None:
    lab = hands()
    lab.transfer(("reporter", "A1"), ("assay_1", "A1"), 50.0)
    lab.carry("lids_1", "deck_plate_1", lid=True)
    lab.carry("deck_plate_1", "reader")
    assert max(lab.read()) < 500.0
