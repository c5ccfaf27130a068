"""What every protocol keeps, ours and those to come. A new one needs a case here, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import protocols
from lab.bench import Bench
from lab.dry_run import dry_run
from lab.errors import BadInput, Infeasible
from lab.interfaces import ProtocolModule, RunRecord, Workcell
from lab.types import Batch, Campaign, Layout, WellUse
from tests.protocols import blends, films, relative
from tests.protocols.bench import CANDIDATES, DEVICES, make_batch, make_bench, make_campaign, paper_workcell
from tests.protocols.synthetic import Plates

CAMPAIGN = make_campaign()
BATCH = make_batch()
TRUTH = {c.id: (n % 20) / 19 for n, c in enumerate(CANDIDATES)} | {"WT": 0.3}


@dataclass(frozen=True, kw_only=True)
class Case:
    """How to try one protocol out.

    Args:
        parameters: as a campaign file has them.
        record: (layout, parameters, rng) -> documents of a run in which each candidate's ``target`` is truly its ``truth``.
        target: the observation to look at.
        truth: by candidate id.
        bench: a fresh one, as it is asked for: ``tips`` in each rack, ``library_ul`` of all material.
        tips: whether it takes them from racks; people take them from boxes that nobody counts.
    """

    target: str
    record: Callable[[Layout, Any, np.random.Generator], RunRecord]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    campaign: Campaign = CAMPAIGN
    batch: Batch = BATCH
    truth: Mapping[str, float] = field(default_factory=lambda: TRUTH)
    bench: Callable[..., Bench] = make_bench
    tips: bool = True


def _challenge(layout: Layout, parameters: Any, rng: np.random.Generator) -> RunRecord:
    return Plates(layout, TRUTH, rng).record(parameters.roles)


def _ageing(layout: Layout, parameters: Any, rng: np.random.Generator) -> RunRecord:
    return blends.Readings(layout, blends.TRUTH, rng).record()


def _films(layout: Layout, parameters: Any, rng: np.random.Generator) -> RunRecord:
    return films.Looks(layout, blends.TRUTH, rng).record()


def _activity(layout: Layout, parameters: Any, rng: np.random.Generator) -> RunRecord:
    plate = relative.Plate(layout, relative.TRUTH, rng)
    return plate.curves(parameters.readings, parameters.interval_s)


def _expression(layout: Layout, parameters: Any, rng: np.random.Generator) -> RunRecord:
    return relative.Plate(layout, relative.TRUTH, rng).end_points()


def _by_hand(layout: Layout, parameters: Any, rng: np.random.Generator) -> RunRecord:
    return relative.Plate(layout, relative.TRUTH, rng).end_points("by_hand")


CASES: dict[str, list[Case]] = {
    "by_hand": [
        Case(
            target="relative_signal",
            record=_by_hand,
            parameters={"second_reagent": "reporter", "second_volume_ul": 20.0, "instructions": ["Shake."]},
            truth=relative.TRUTH,
            tips=False,
        ),
    ],
    "film_ageing": [
        Case(
            target="degradation",
            record=_films,
            parameters={"replicates": 4},
            campaign=films.make_film_campaign(),
            batch=blends.make_blend_batch(),
            truth=blends.TRUTH,
            bench=films.make_ink_bench,
        ),
    ],
    "formulation_ageing": [
        Case(
            target="degradation",
            record=_ageing,
            parameters={"replicates": 4},
            campaign=blends.make_blend_campaign(),
            batch=blends.make_blend_batch(),
            truth=blends.TRUTH,
            bench=blends.make_stock_bench,
        ),
    ],
    "kinetic_activity": [
        Case(
            target="relative_activity",
            record=_activity,
            parameters={"substrate": "reporter"},
            truth=relative.TRUTH,
        ),
    ],
    "reporter_expression": [
        Case(
            target="relative_expression",
            record=_expression,
            parameters={"water": "assay_buffer", "mix": "reporter"},
            truth=relative.TRUTH,
        ),
    ],
    "thermal_challenge": [
        Case(target="residual_activity", record=_challenge),
        Case(
            target="residual_activity",
            record=_challenge,
            parameters={"challenge_temperature_c": [70, 80, 90], "replicates": 2},
        ),
    ],
}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A protocol with a case of it."""

    module: ProtocolModule
    case: Case

    @property
    def parameters(self) -> Any:
        return protocols.read_parameters(self.module.Parameters, self.case.parameters)

    def layout(self, seed: int = 1, bench: Bench | None = None) -> Layout:
        rng = np.random.default_rng(seed)
        return self.module.layout(
            self.case.batch, self.case.campaign, bench or self.case.bench(), self.parameters, rng
        )

    def steps(self, layout: Layout, workcell: Workcell) -> list[tuple[str, str, Any]]:
        plan = self.module.plan(self.case.batch, self.case.campaign, workcell, layout, self.parameters)
        return [(s.device, s.action, s.arguments) for s in dry_run(plan, workcell).steps]


def _trials() -> Iterator[Any]:
    for name in protocols.protocol_names():
        for n, case in enumerate(CASES.get(name, [])):
            yield pytest.param(Trial(module=protocols.protocol(name), case=case), id=f"{name}-{n}")


trials = pytest.mark.parametrize("trial", list(_trials()))


def _without_ids(layout: Layout) -> tuple[Any, ...]:
    wells = [(u.labware, u.well, u.content, u.kind, u.experiment_id) for u in layout.wells]
    return dict(layout.labware), wells, dict(layout.choices)


def test_every_protocol_has_a_case_here() -> None:
    assert sorted(CASES) == sorted(protocols.protocol_names())


@trials
def test_the_same_arguments_give_the_same_layout_and_steps(trial: Trial) -> None:
    first, second = trial.layout(), trial.layout()
    assert _without_ids(first) == _without_ids(second)
    assert trial.steps(first, paper_workcell(trial.case.bench())) == trial.steps(
        second, paper_workcell(trial.case.bench())
    )


@trials
def test_another_seed_gives_another_layout(trial: Trial) -> None:
    assert _without_ids(trial.layout(seed=1))[1] != _without_ids(trial.layout(seed=2))[1]


@trials
def test_a_layout_leaves_the_bench_as_it_was(trial: Trial) -> None:
    bench = trial.case.bench()
    before = bench.to_json()
    trial.layout(bench=bench)
    assert bench.to_json() == before


@trials
def test_the_dry_run_finds_nothing_wrong_and_everything_ends_at_home(trial: Trial) -> None:
    workcell = paper_workcell(trial.case.bench())
    plan = trial.module.plan(
        trial.case.batch, trial.case.campaign, workcell, trial.layout(), trial.parameters
    )
    walked = dry_run(plan, workcell)  # raises when an action stands outside a step
    assert walked.problems == ()
    assert walked.steps
    assert walked.duration_s > 0.0


@trials
def test_every_piece_of_labware_ends_at_home_and_every_lid_off_its_plate(trial: Trial) -> None:
    bench = trial.case.bench()
    workcell = paper_workcell(bench)
    by_verb = {verb: device for device, verbs in DEVICES.items() for verb in verbs}
    for device, action, arguments in trial.steps(trial.layout(), workcell):
        assert by_verb[action] == device
        _command(action, arguments).believe(bench)
    assert {item.id: item.position for item in bench.labware.values()} == {
        item.id: item.home for item in bench.labware.values()
    }
    assert [item.lid for item in bench.labware.values() if item.lid] == []


@trials
def test_steps_come_back_from_the_journal_equal(trial: Trial) -> None:
    for _, action, arguments in trial.steps(trial.layout(), paper_workcell(trial.case.bench())):
        written = json.loads(json.dumps(arguments))
        assert json.loads(json.dumps(_command(action, written).to_json())) == written


@trials
def test_a_resumed_plan_asks_for_the_same_steps_whatever_is_left_on_the_bench(trial: Trial) -> None:
    """Volumes, tips and places differ when a run is resumed; its steps must not."""
    layout = trial.layout()
    fresh = trial.steps(layout, paper_workcell(trial.case.bench()))
    spent = trial.case.bench()
    for item in spent.labware.values():
        item.tips.clear()
        item.clean = False
        for well in item.wells.values():
            well.volume_ul, well.parts = 199.0, {"leftovers": 199.0}
    spent.move(layout.labware[next(iter(layout.labware))], "reader")
    assert trial.steps(layout, paper_workcell(spent)) == fresh


@trials
def test_a_stored_layout_gives_the_same_steps(trial: Trial) -> None:
    layout = trial.layout()
    read = json.loads(json.dumps(asdict(layout)))
    stored = Layout(
        labware=read["labware"], wells=tuple(WellUse(**use) for use in read["wells"]), choices=read["choices"]
    )
    assert trial.steps(stored, paper_workcell(trial.case.bench())) == trial.steps(
        layout, paper_workcell(trial.case.bench())
    )


@trials
def test_each_missing_device_is_one_sentence(trial: Trial) -> None:
    needed = {device for device, _, _ in trial.steps(trial.layout(), paper_workcell(trial.case.bench()))}
    for device in sorted(needed):
        workcell = paper_workcell(trial.case.bench(), without=(device,))
        plan = trial.module.plan(
            trial.case.batch, trial.case.campaign, workcell, trial.layout(), trial.parameters
        )
        (problem,) = dry_run(plan, workcell).problems
        assert device in problem


@trials
def test_tips_that_run_out_are_a_problem(trial: Trial) -> None:
    bench = trial.case.bench(tips=4)
    workcell = paper_workcell(bench)
    plan = trial.module.plan(
        trial.case.batch, trial.case.campaign, workcell, trial.layout(bench=bench), trial.parameters
    )
    problems = dry_run(plan, workcell).problems
    assert any("tips" in problem for problem in problems) == trial.case.tips
    assert len(problems) < 12


@trials
def test_material_that_runs_out_is_refused_at_the_layout(trial: Trial) -> None:
    with pytest.raises(Infeasible, match="are needed"):
        trial.layout(bench=trial.case.bench(library_ul=5.0))


@trials
def test_unknown_parameters_are_refused(trial: Trial) -> None:
    with pytest.raises(ValidationError):
        trial.module.Parameters(frobnication_level=11)
    with pytest.raises(BadInput, match="frobnication_level"):
        protocols.read_parameters(trial.module.Parameters, {"frobnication_level": 11})


@trials
def test_parameters_are_frozen(trial: Trial) -> None:
    parameters = trial.parameters
    name = next(iter(trial.module.Parameters.model_fields))
    with pytest.raises(ValidationError):
        setattr(parameters, name, getattr(parameters, name))


@trials
def test_analysis_gives_one_observation_for_each_experiment_and_recovers_the_truth(trial: Trial) -> None:
    layout = trial.layout()
    record = trial.case.record(layout, trial.parameters, np.random.default_rng(5))
    found = trial.module.analyse(record, trial.case.batch, trial.case.campaign, trial.parameters)
    assert len({(o.experiment_id, o.target) for o in found}) == len(found)
    assert {o.target for o in found} == set(trial.module.targets(trial.parameters))
    seen = {o.experiment_id: o for o in found if o.target == trial.case.target}
    assert set(seen) == {e.id for e in trial.case.batch.experiments}
    samples = {use.sample_id for use in layout.wells}
    for experiment in trial.case.batch.experiments:
        observation = seen[experiment.id]
        assert observation.value == pytest.approx(trial.case.truth[experiment.candidate.id], abs=0.15)
        assert observation.run_id == record.run_id
        assert observation.origin is record.origin
        assert observation.sample_id in samples
        json.dumps(dict(observation.details))


@trials
def test_standard_errors_cover_the_truth(trial: Trial) -> None:
    inside = []
    for seed in range(12):
        record = trial.case.record(trial.layout(seed), trial.parameters, np.random.default_rng(seed))
        content = {e.id: e.candidate.id for e in trial.case.batch.experiments}
        inside += [
            abs(o.value - trial.case.truth[content[o.experiment_id]]) < 1.96 * o.standard_error
            for o in trial.module.analyse(record, trial.case.batch, trial.case.campaign, trial.parameters)
            if o.target == trial.case.target
        ]
    assert 0.88 < np.mean(inside) <= 0.99


def _command(action: str, arguments: Mapping[str, Any]) -> Any:
    from devices.climate_chamber import Keep
    from devices.furnace import Anneal
    from devices.incubator import Incubate
    from devices.liquid_handler import AddReagent, Distribute, Mix
    from devices.person import MeasureByHand, WorkByHand
    from devices.plate_hotel import Move, PutLid, TakeLid
    from devices.plate_reader import ReadAbsorbance, ReadFluorescence
    from devices.spectrometer import TakeSpectrum, Zero
    from devices.thermocycler import CloseLid, Heat, OpenLid

    kinds = (
        AddReagent,
        Anneal,
        CloseLid,
        Distribute,
        Heat,
        Incubate,
        Keep,
        MeasureByHand,
        Mix,
        Move,
        OpenLid,
        PutLid,
        ReadAbsorbance,
        ReadFluorescence,
        TakeLid,
        TakeSpectrum,
        WorkByHand,
        Zero,
    )
    return {kind.verb: kind for kind in kinds}[action].from_json(arguments)
