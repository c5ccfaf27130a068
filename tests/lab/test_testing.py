"""The fixture for users' protocols lets a good one pass, and catches what breaks the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.errors import BadInput
from lab.testing import BrokenContract, TwinRun, _refuse_other_ways, twin
from tests.campaign_files import REPOSITORY

__all__ = ["twin"]  # the fixture, for pytest to find

BENCH = REPOSITORY / "workcells" / "protein_bench_twin.yaml"
Twin = Callable[..., TwinRun]

HEAD = """import random
from protocols.scripts import Measured, Plate, Wells, protocol


@protocol
def mine(bench, plate: Plate, volume_ul: float = 50.0):
"""

GOOD = """
    yield from bench.add(volume_ul, "assay_buffer", plate, "A1:H1")
    yield from bench.transfer(20, "reporter", [plate[well] for well in ("A1", "B1")])
    reading = yield from bench.read_fluorescence(plate, 485, 520)
    if reading["A1"] > reading["H1"]:
        yield from bench.wait("10 min")
        yield from bench.mix(plate, "A1:B1", volume_ul=20)
        reading = yield from bench.read_fluorescence(plate, 485, 520)
    return {"bright": reading["A1"], "dark": Measured.of(reading.of("C1:H1"))}
"""


def written(folder: Path, body: str, *, head: str = HEAD) -> Path:
    """A protocol with that body, in a file."""
    path = folder / "mine.py"
    path.write_text(head + body.strip("\n") + "\n")
    return path


def test_a_good_protocol_passes_and_tells_what_it_did(tmp_path: Path, twin: Twin) -> None:
    run = twin(written(tmp_path, GOOD), workcell=BENCH, kills=2, volume_ul=60)
    assert run.results["bright"] > run.results["dark"] > 0
    assert len(run.kills) == 2
    assert [reading.mode for reading in run.readings] == ["fluorescence"] * 2
    assert ("handler", "mix") in [(device, action) for device, action, _ in run.steps]
    assert run.dry_run.plates == ("assay_1",)
    assert sum(use.used for use in run.dry_run.tips) == 8 + 1


@pytest.mark.parametrize(
    ("body", "caught"),
    [
        ('    yield from bench.add(250, "assay_buffer", plate, "A1")', "more than its 200 ul"),
        ("    yield from bench.incubate(plate, 60, temperature_c=95)", "temperature_c 95 is outside"),
        (
            (
                "    wells = [plate[well] for plate in bench.fresh_plates(3) for well in plate.wells]\n    "
                'yield from bench.transfer(60, "assay_buffer", wells, fresh_tips=True)'
            ),
            "tips of 300 ul are needed",
        ),
        ('    yield from bench.transfer(50, plate["A1"], plate["A2"])', "can give 0 ul"),
        (
            '    yield from bench.do("arm", "move", labware=plate.id, destination="shaker")',
            "without claiming that position",
        ),
        (
            '    bench.add(50, "assay_buffer", plate, "A1")\n    yield from bench.wait(1)',
            "Write: yield from bench.add",
        ),
        (
            (
                "    from bluesky.utils import Msg\n"
                "    yield Msg('set', plate, 1) if bench._workcell else Msg('null')\n    yield from bench.wait(1)"
            ),
            "outside a step",
        ),
        (
            '    yield from bench.transfer(random.uniform(10, 50), "assay_buffer", plate["A1"])',
            "asks for other steps",
        ),
        (
            "    while (yield from bench.read_absorbance(plate, 600))['A1'] < 5:\n        pass",
            "more than 5,000 actions",
        ),
        (
            "    yield from bench.wait(1)\n    raise RuntimeError('not finished')",
            "RuntimeError: not finished",
        ),
    ],
)
def test_a_protocol_that_can_not_be_carried_out_is_caught_before_it_runs(
    tmp_path: Path, twin: Twin, body: str, caught: str
) -> None:
    with pytest.raises(BrokenContract) as broken:
        twin(written(tmp_path, body), workcell=BENCH)
    assert caught in str(broken.value)


def test_steps_that_follow_the_order_of_a_set_are_caught(tmp_path: Path, twin: Twin) -> None:
    body = """
    for well in {"A1", "B1", "C1", "D1", "E1", "F1", "G1", "H1"}:
        yield from bench.transfer(20, "assay_buffer", plate[well])
"""
    with pytest.raises(BrokenContract, match="In another process the protocol asks for other steps"):
        twin(written(tmp_path, body), workcell=BENCH)


def test_a_failure_that_only_a_reading_leads_to_is_caught_on_the_twin(tmp_path: Path, twin: Twin) -> None:
    body = """
    yield from bench.add(50, "reporter", plate, "A1")
    reading = yield from bench.read_fluorescence(plate, 485, 520)
    if reading["A1"] > 2:
        reading["Q1"]
"""
    with pytest.raises(BrokenContract, match=r"line 10.*KeyError: 'Q1'"):
        twin(written(tmp_path, body), workcell=BENCH, kills=0)


def test_steps_that_change_when_the_run_is_resumed_are_caught(tmp_path: Path, twin: Twin) -> None:
    # The same in every dry run, another once the run has been stopped: what is on the disk is not the protocol's to read.
    body = """
    from pathlib import Path
    yield from bench.add(50, "assay_buffer", plate, "A1")
    reading = yield from bench.read_absorbance(plate, 600)
    if reading["A1"] not in (0.0, 1.0):
        there = Path(__file__).with_name("been_here")
        again = there.exists()
        there.touch()
        yield from bench.add(20 if again else 50, "assay_buffer", plate, "B1")
"""
    with pytest.raises(BrokenContract, match=r"Killed after step \d+ and resumed, the run differs"):
        twin(written(tmp_path, body), workcell=BENCH, kills=1)


def test_a_bench_of_real_instruments_is_refused(tmp_path: Path, twin: Twin) -> None:
    real = tmp_path / "bench.yaml"
    real.write_text(BENCH.read_text().replace("twin: true", "twin: false"))
    with pytest.raises(BrokenContract, match="real instruments"):
        twin(written(tmp_path, GOOD), workcell=real)


def test_a_parameter_that_it_does_not_have_is_the_tests_own_mistake(tmp_path: Path, twin: Twin) -> None:
    with pytest.raises(BadInput, match="no parameter 'volume'"):
        twin(written(tmp_path, GOOD), workcell=BENCH, volume=60)


class TestAnotherProcess:
    WAYS = ([["arm", "move", 1], ["reader", "read", 2]], [["arm", "move", 1]])

    def test_that_finds_the_same_ways_is_fine(self) -> None:
        _refuse_other_ways(self.WAYS, self.WAYS)

    @pytest.mark.parametrize(
        ("there", "sentence"),
        [
            (([["arm", "move", 3], ["reader", "read", 2]], [["arm", "move", 1]]), "step 1 is"),
            (([["arm", "move", 1]], [["arm", "move", 1]]), "has 1 steps in place of 2"),
            (WAYS[:1], "1 ways in place of 2"),
            ((*WAYS, WAYS[0]), "3 ways in place of 2"),
            ((), "0 ways in place of 2"),
        ],
    )
    def test_that_finds_others_is_told_of(self, there: tuple[list[list[object]], ...], sentence: str) -> None:
        with pytest.raises(BrokenContract, match=sentence):
            _refuse_other_ways(self.WAYS, there)
