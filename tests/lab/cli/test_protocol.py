"""``drywet protocol`` as a person types it: protocols of their own in a folder, on a twin."""

from __future__ import annotations

import csv
import io
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from lab.app import Laboratory, Settings, prepare
from lab.app.script_records import finished_before
from lab.app.scripts import prepare_script
from lab.cli import main
from lab.engine.progress import Progress, StepEnded
from lab.interfaces import Document
from lab.store import Store
from lab.types import CampaignStatus, JsonValue
from protocols.scripts import script as scripts
from tests.campaign_files import REPOSITORY, write_campaign
from tests.lab.cli.conftest import Answer, Drywet, change, set_width

DILUTION = '''
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from protocols.scripts import Measured, Plate, Reagent, Wells, protocol


@protocol
def dilution_series(
    bench,
    plate: Plate,
    sample: Reagent = "reporter",
    wells: Wells = "A1:A3",
    factor: Annotated[float, Field(ge=1.5, le=10)] = 2.0,
    incubation_s: float = "10 min",
):
    """Dilute a liquid along a row and read each step.

    Args:
        factor: From one well to the next.
    """
    carried_ul = 80 / (factor - 1)
    yield from bench.add(80, "assay_buffer", plate, wells[1:])
    yield from bench.transfer(80 + carried_ul, sample, plate[wells[0]])
    for strong, weak in pairwise(wells):
        yield from bench.transfer(carried_ul, plate[strong], plate[weak], mix_cycles=3)
    bench.label(plate, wells[:1], "undiluted")
    reading = yield from bench.read_fluorescence(plate, 485, 520)
    if reading[wells[0]] > 0.5:
        yield from bench.incubate(plate, incubation_s, temperature_c=37)
        reading = yield from bench.read_fluorescence(plate, 485, 520)
    return {"first": reading[wells[0]], "all": Measured.of(reading.of(wells), "counts")}
'''

ASSAY = '''
from protocols.scripts import Measured, Samples, protocol


@protocol(measures="signal")
def assay(bench, samples: Samples, replicates: int = 3, volume_ul: float = 20.0):
    """How much light does each variant give with the reporter?"""
    plate = bench.fresh_plate()
    wells = bench.place(samples, plate, replicates)
    for sample in samples:
        yield from bench.transfer(volume_ul, sample.source, [plate[well] for well in wells[sample.id]])
    yield from bench.add(30, "reporter", plate, plate.wells)
    yield from bench.read_fluorescence(plate, 485, 520)


@assay.analyse_with
def signal(run):
    return {sample: {"signal": Measured.of(run.values(sample))} for sample in run.samples}
'''

BENCH = ("--workcell", "bench.yaml")


@pytest.fixture
def mine(folder: Path) -> Path:
    """A folder with a protocol and a bench."""
    shutil.copy(REPOSITORY / "workcells" / "protein_bench_twin.yaml", folder / "bench.yaml")
    (folder / "dilution.py").write_text(DILUTION)
    return folder


class TestList:
    def test_tells_ours_and_those_of_a_folder(self, mine: Path, drywet: Drywet) -> None:
        answer = drywet("protocol", "list", "--folder", ".")
        assert answer.code == 0
        assert "thermal_challenge" in answer.out
        assert re.search(r"dilution_series +dilution\.py +Dilute a liquid along a row", answer.out)

    def test_says_what_is_wrong_with_a_file_and_lists_the_others(self, mine: Path, drywet: Drywet) -> None:
        (mine / "broken.py").write_text("from protocols.scripts import protocol\n@protocol\ndef x(bench\n")
        answer = drywet("protocol", "list", "--folder", ".")
        assert answer.code == 2
        assert "broken.py, line 3" in answer.err
        assert "dilution_series" in answer.out

    def test_runs_no_file_that_has_no_protocol(self, mine: Path, drywet: Drywet) -> None:
        (mine / "tidy_up.py").write_text("from pathlib import Path\nPath('gone').touch()\n")
        assert drywet("protocol", "list", "--folder", ".").code == 0
        assert not (mine / "gone").exists()

    def test_of_no_folder_is_refused(self, mine: Path, drywet: Drywet) -> None:
        answer = drywet("protocol", "list", "--folder", "nowhere")
        assert (answer.code, "no such folder" in answer.err) == (2, True)


class TestShow:
    def test_tells_name_type_unit_default_limits_and_help(self, mine: Path, drywet: Drywet) -> None:
        out = drywet("protocol", "show", "dilution.py").out
        assert "Dilute a liquid along a row and read each step." in out
        assert re.search(r"factor +number +2 +1\.5 to 10 +From one well to the next\.", out)
        assert re.search(r"incubation_s +number +s +10 min", out)
        assert re.search(r"plate +plate +fresh", out)

    def test_of_one_of_ours_is_its_form_too(self, mine: Path, drywet: Drywet) -> None:
        out = drywet("protocol", "show", "thermal_challenge").out
        assert re.search(r"replicates +whole number", out)

    def test_gives_programs_a_json_schema(self, mine: Path, drywet: Drywet) -> None:
        schema = drywet("protocol", "show", "dilution.py", "--json").json
        assert schema["properties"]["factor"]["minimum"] == 1.5


class TestDryRun:
    def test_tells_every_step_with_its_line_time_and_what_it_uses(self, mine: Path, drywet: Drywet) -> None:
        answer = drywet("protocol", "dry-run", "dilution.py", *BENCH, "--set", "factor=3")
        assert answer.code == 0, answer.err
        line = DILUTION.splitlines().index("    for strong, weak in pairwise(wells):") + 2
        assert re.search(
            rf"{line} .*handler +distribute +40 µl from A1 of assay_1 into A2 of assay_1", answer.out
        )
        assert "Where every reading shows 0" in answer.out
        assert "Where every reading shows 1" in answer.out
        assert re.search(r"plates +assay_1", answer.out)
        assert re.search(r"tips +2 of 50 µl", answer.out)
        assert "of assay_buffer" in answer.out
        assert "Nothing stands in its way." in answer.out

    def test_draws_deck_and_plates(self, mine: Path, drywet: Drywet) -> None:
        for name in ("deck.svg", "deck.png"):
            assert drywet("protocol", "dry-run", "dilution.py", *BENCH, "--picture", name).code == 0
        text = "".join(ET.parse(mine / "deck.svg").getroot().itertext())
        for word in (
            "dilution_series on protein_bench_twin",
            "assay_1",
            "50 ml assay_buffer",
            "reporter",
            "undiluted",
        ):
            assert word in text, word
        assert (mine / "deck.png").read_bytes()[:4] == b"\x89PNG"

    def test_a_picture_of_another_kind_is_refused(self, mine: Path, drywet: Drywet) -> None:
        answer = drywet("protocol", "dry-run", "dilution.py", *BENCH, "--picture", "deck.gif")
        assert (answer.code, "SVG or a PNG" in answer.err) == (2, True)

    def test_gives_programs_the_steps(self, mine: Path, drywet: Drywet) -> None:
        found = drywet("protocol", "dry-run", "dilution.py", *BENCH, "--json").json
        assert found["problems"] == []
        assert [way["readings_show"] for way in found["ways"]] == [0.0, 1.0]
        assert found["ways"][1]["steps"][-1]["device"] == "arm"

    def test_says_what_can_not_be_carried_out(self, mine: Path, drywet: Drywet) -> None:
        answer = drywet("protocol", "dry-run", "dilution.py", *BENCH, "--set", "factor=1.5")
        assert answer.code == 2
        assert "This can't be carried out:" in answer.err
        assert "A1 of assay_1 would hold 240 ul" in answer.err

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            (["factor=100"], "factor is 100"),
            (["factor=two"], "factor is a number"),
            (["facter=2"], "Did you mean 'factor'?"),
            (["factor"], "sets nothing"),
            (["factor=2", "factor=3"], "set twice"),
            (["wells=Q1"], "has no Q1"),
            (["incubation_s=10 kg"], "can't be given in 'kg'"),
            (["plate=lid_1"], "no plate lid_1"),
            (["sample=gold"], "Nothing on the bench holds gold"),
        ],
    )
    def test_a_parameter_that_it_can_not_take_is_refused(
        self, mine: Path, drywet: Drywet, settings: list[str], said: str
    ) -> None:
        options = [part for one in settings for part in ("--set", one)]
        answer = drywet("protocol", "dry-run", "dilution.py", *BENCH, *options)
        assert answer.code == 2
        assert said in answer.err
        assert "Traceback" not in answer.err

    @pytest.mark.parametrize("named", ["nowhere.py", "dilution.py:nothing", "bench.yaml", "."])
    def test_what_is_no_protocol_is_refused(self, mine: Path, drywet: Drywet, named: str) -> None:
        answer = drywet("protocol", "dry-run", named, *BENCH)
        assert answer.code == 2
        assert "Traceback" not in answer.err

    def test_a_protocol_that_is_not_the_same_twice_is_refused_with_its_line(
        self, mine: Path, drywet: Drywet
    ) -> None:
        loose = "bench.transfer(carried_ul * __import__('random').random(),"
        place = change(mine / "dilution.py", "bench.transfer(carried_ul,", loose)
        answer = drywet("protocol", "dry-run", "dilution.py", *BENCH)
        assert answer.code == 2
        assert f"dilution.py, line {place}" in answer.err
        assert "bench.rng" in answer.err


AT = ("--store", "lab.db")


def command(*arguments: str) -> Answer:
    """A command line in this process, for fixtures of the whole module."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["drywet", *arguments])
        set_width(patch, 100)
        with pytest.raises(SystemExit) as ended:
            main()
    return Answer(code=int(ended.value.code or 0), out=out.getvalue(), err=err.getvalue())


@contextmanager
def at_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a protocol and a bench, to be in."""
    folder = tmp_path_factory.mktemp("mine")
    shutil.copy(REPOSITORY / "workcells" / "protein_bench_twin.yaml", folder / "bench.yaml")
    (folder / "dilution.py").write_text(DILUTION)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@dataclass(frozen=True)
class Done:
    """The protocol, run once."""

    folder: Path
    run: Answer


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    with at_work(tmp_path_factory) as folder:
        return Done(folder, command("protocol", "run", "dilution.py", *BENCH, *AT))


@pytest.fixture(scope="module")
def halfway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a person has stopped the protocol after five steps."""
    with (
        at_work(tmp_path_factory) as folder,
        Laboratory.open(Settings(store=str(folder / "lab.db"))) as laboratory,
    ):

        def watch(event: Progress) -> None:
            if isinstance(event, StepEnded) and event.number == 5:
                laboratory.request_stop("lunch")

        laboratory.watch = watch
        (outcome,) = laboratory.run([prepare_script("dilution.py", Path("bench.yaml"), {})])
        assert outcome.status is CampaignStatus.STOPPED
    return folder


class TestRun:
    def test_prints_what_was_read_and_writes_every_well(self, done: Done) -> None:
        answer = done.run
        assert (answer.code, answer.err) == (0, "")
        assert re.search(r"1 +assay_1 +fluorescence +undiluted +1", answer.out)
        assert re.search(r"^first: \d", answer.out, re.MULTILINE)
        assert re.search(r"^all: .* counts", answer.out, re.MULTILINE)
        assert "Measured on a digital twin" in answer.out
        with (done.folder / "dilution_series_readings.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 2 * 96
        mine = next(row for row in rows if (row["reading"], row["well"]) == ("2", "A2"))
        assert (mine["plate"], mine["content"]) == ("assay_1", "assay_buffer+reporter")
        assert float(mine["value"]) > 100

    def test_is_known_to_status_results_and_samples_by_its_name(
        self, done: Done, drywet: Drywet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(done.folder)
        assert "dilution_series" in drywet("status", *AT).out
        results = drywet("results", "dilution_series", *AT, "--json").json["results"]
        assert [one["target"] for one in results] == ["first", "all"]
        assert {one["origin"] for one in results} == {"twin"}
        assert "assay_1:A2" in drywet("samples", *AT).out
        assert "tips" in drywet("inventory", *AT).out

    def test_once_it_is_done_it_begins_afresh(
        self, done: Done, drywet: Drywet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(done.folder)
        assert finished_before("lab.db", prepare_script("dilution.py", Path("bench.yaml"), {}))
        assert not finished_before("none.db", prepare_script("dilution.py", Path("bench.yaml"), {}))

    def test_that_was_stopped_and_changed_since_is_not_gone_on_with(
        self, halfway: Path, drywet: Drywet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(halfway)
        answer = drywet("protocol", "run", "dilution.py", *BENCH, *AT, "--set", "factor=3")
        assert answer.code == 2
        assert "changed since" in answer.err
        assert not finished_before("lab.db", prepare_script("dilution.py", Path("bench.yaml"), {}))

    def test_of_what_is_not_done_there_is_no_replay(
        self, halfway: Path, drywet: Drywet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(halfway)
        answer = drywet("protocol", "replay", *AT)
        assert (answer.code, "No run of dilution_series is done" in answer.err) == (2, True)

    def test_that_was_stopped_goes_on_with_the_protocol_as_it_was(
        self, halfway: Path, drywet: Drywet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(halfway)
        Path("dilution.py").write_text("this is no Python any more")
        answer = drywet("resume", *AT)
        assert answer.code == 0, answer.err
        with Store.open(halfway / "lab.db", read_only=True) as store:
            (record,) = store.campaigns()
            (run,) = store.runs(record.campaign.id)
            steps = store.steps(run.run.id)
        assert run.run.stretch == 2
        assert len({step.key for step in steps}) == len(steps)

    def test_that_fails_at_a_reading_is_held_with_its_line(self, mine: Path, drywet: Drywet) -> None:
        branch = "    if reading[wells[0]] > 0.5:"
        place = change(mine / "dilution.py", branch, f"    if reading[wells[0]] > 2: 1 / 0\n{branch}")
        answer = drywet("protocol", "run", "dilution.py", *BENCH, *AT)
        assert answer.code == 2
        assert f"dilution.py, line {place}" in answer.err
        assert "ZeroDivisionError" in answer.err
        assert "Traceback" not in answer.err


class TestReplay:
    @pytest.fixture(autouse=True)
    def there(self, done: Done, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(done.folder)

    def test_gives_the_same_results_and_changes_nothing(self, drywet: Drywet) -> None:
        before = drywet("results", *AT, "--json").json
        answer = drywet("protocol", "replay", *AT, "--into", "again.db", "--json")
        assert answer.code == 0, answer.err
        assert answer.json["alike"] is True
        assert {one["origin"] for one in answer.json["results"]} == {"replay"}
        assert drywet("results", *AT, "--json").json == before
        again = drywet("results", "--store", "again.db", "--json").json["results"]
        assert [one["value"] for one in again] == [one["value"] for one in before["results"]]
        assert {one["origin"] for one in again} == {"replay"}

    def test_into_a_store_that_is_there_is_refused(self, drywet: Drywet) -> None:
        answer = drywet("protocol", "replay", *AT, "--into", "lab.db")
        assert (answer.code, "something there already" in answer.err) == (2, True)

    def test_tells_a_result_that_comes_out_otherwise(
        self, drywet: Drywet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        honest = scripts.returned_of

        def other(documents: Sequence[Document]) -> dict[str, JsonValue]:
            return {**honest(documents), "first": [1.0, None, "1", 1, ""]}

        monkeypatch.setattr(scripts, "returned_of", other)
        answer = drywet("protocol", "replay", *AT)
        assert answer.code == 1
        assert "differs" in answer.out


def test_a_campaign_with_one_of_our_protocols_is_replayed_as_far_as_it_is_done(
    stopped: Path, drywet: Drywet
) -> None:
    answer = drywet("protocol", "replay", "small", "--store", str(stopped), "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["runs"], answer.json["alike"]) == (1, True)
    assert {one["target"] for one in answer.json["results"]} == {"residual_activity"}
    assert len(answer.json["results"]) == 3


class TestInACampaign:
    def test_a_function_is_the_plan_and_its_analysis_gives_the_results(
        self, folder: Path, drywet: Drywet
    ) -> None:
        (folder / "assays.py").write_text(ASSAY)
        file = script_campaign(folder)
        answer = drywet("run", str(file), "--no-baseline", *AT)
        assert answer.code == 0, answer.err
        results = drywet("results", *AT, "--json").json["results"]
        assert [(one["target"], one["replicates"], one["ok"]) for one in results] == [("signal", 3, True)] * 2
        assert len({one["candidate"] for one in results}) == 2
        replayed = drywet("protocol", "replay", *AT, "--json").json
        assert (replayed["alike"], len(replayed["results"])) == (True, 2)

    def test_with_another_text_it_is_another_campaign(self, folder: Path, drywet: Drywet) -> None:
        (folder / "assays.py").write_text(ASSAY)
        file = script_campaign(folder)
        before = prepare(file).file.sha256
        change(folder / "assays.py", "bench.add(30,", "bench.add(31,")
        assert prepare(file).file.sha256 != before

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("samples: Samples, ", "", "takes no samples"),
            ('(measures="signal")', "", "does not say what it measures"),
            ('measures="signal"', 'measures="light"', "does not measure 'signal'"),
            ("volume_ul: float = 20.0", "volume_ul=20.0", "volume_ul has no type"),
            ("def assay(", "def other(", "no protocol 'assay'"),
        ],
    )
    def test_a_function_that_is_no_plan_for_it_is_refused(
        self, folder: Path, drywet: Drywet, old: str, new: str, said: str
    ) -> None:
        text = ASSAY.replace(old, new)
        name = "other" if "def other" in text else "assay"
        text = text.replace("@assay.", f"@{name}.")
        (folder / "assays.py").write_text(text)
        answer = drywet("dry-run", str(script_campaign(folder)))
        assert answer.code == 2
        assert said in answer.err
        assert "small.yaml" in answer.err


def script_campaign(folder: Path) -> Path:
    """A small campaign of protein G variants whose protocol is ``assays.py:assay``."""
    file = write_campaign(folder, budget=2, batch_size=2)
    text = re.sub(
        r"^protocol:\n(?: .*\n)+",
        "protocol:\n  name: assays.py:assay\n\n",
        file.read_text(),
        flags=re.MULTILINE,
    )
    text = re.sub(r"(maximize: )\w+", r"\1signal", text)
    file.write_text(text)
    return file
