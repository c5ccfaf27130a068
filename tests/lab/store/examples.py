"""Small values to put into a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.bench import Bench, Labware, LabwareType, Position, WellContents
from lab.store import BenchRecord, Store
from lab.types import (
    Advice,
    Batch,
    Campaign,
    Candidate,
    Experiment,
    Goal,
    Layout,
    Observation,
    Origin,
    PlannerChoice,
    Policies,
    Proposal,
    ProtocolChoice,
    Quality,
    Reason,
    Run,
    Step,
    WellUse,
    new_id,
)

POOL = tuple(Candidate(id=f"T16{letter}", sequence="MTYKLILNGKTLKGE" + letter) for letter in "ACDEFGHIKL")


def a_campaign(name: str = "thermostable", budget: int = 6) -> Campaign:
    return Campaign(
        id=new_id("cmp"),
        name=name,
        goal=Goal(target="residual_activity"),
        candidates=POOL,
        reference=Candidate(id="WT", sequence="MTYKLILNGKTLKGET", values={"ph": 7.4}),
        planner=PlannerChoice(name="adaptive", settings={"beta": 2.0}),
        protocol=ProtocolChoice(name="thermal_challenge", parameters={"replicates": 3}),
        budget=budget,
        batch_size=3,
        seed=7,
        workcell="protein_bench_twin",
        sources={candidate.id: ("library_1", f"A{n}") for n, candidate in enumerate(POOL, start=1)},
        policies=Policies(repeat_failed=2),
    )


def an_experiment(candidate: Candidate = POOL[0], repeat_of: str | None = None) -> Experiment:
    return Experiment(
        id=new_id("exp"),
        candidate=candidate,
        reason=Reason(
            planner="adaptive",
            sentence="Predicted 0.8 ± 0.1.",
            acquisition="ucb",
            acquisition_value=0.1 + 0.2,
            predicted_mean=0.8,
            predicted_sd=0.1,
            model_cards=("one_hot@1",),
            seed=(7, 1, 1),
        ),
        repeat_of=repeat_of,
    )


def a_proposal(count: int = 3) -> Proposal:
    return Proposal(
        experiments=tuple(an_experiment(POOL[n % len(POOL)]) for n in range(count)),
        advice=Advice(stop=False, sentence="Go on."),
    )


def an_observation(experiment: Experiment, run: Run, value: float = 0.5, ok: bool = True) -> Observation:
    return Observation(
        id=new_id("obs"),
        experiment_id=experiment.id,
        target="residual_activity",
        sample_id=new_id("smp"),
        run_id=run.id,
        value=value,
        standard_error=0.03,
        unit="1",
        quality=Quality(
            ok=ok, flags=() if ok else ("high_cv",), sentence="" if ok else "The wells disagree."
        ),
        method="residual activity after 10 min at 82 C",
        origin=Origin.TWIN,
        replicates=3,
        lab_time_s=5400.25,
        details={"wells": ["B7", "C3", "E11"], "values": [0.47, 0.5, 0.53]},
    )


def a_layout(batch: Batch) -> Layout:
    return Layout(
        labware={"heated_82": "assay_1", "unheated": "assay_2"},
        wells=tuple(
            WellUse(
                labware="assay_1",
                well=f"A{n}",
                content=experiment.candidate.id,
                kind="variant",
                experiment_id=experiment.id,
                sample_id=new_id("smp"),
            )
            for n, experiment in enumerate(batch.experiments, start=1)
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    bench: BenchRecord
    campaign: Campaign
    batch: Batch
    run: Run


def stocked(store: Store, plates: Mapping[str, Mapping[str, Sequence[str]]]) -> BenchRecord:
    """A bench with some plates: labware id -> well -> what is in it, 10 ul of each."""
    kind = LabwareType(name="pcr", kind="plate", rows=16, columns=24, max_volume_ul=200.0)
    labware = [
        Labware(
            id=name,
            type=kind,
            position=name,
            home=name,
            wells={
                well: WellContents(volume_ul=10.0 * len(parts), parts=dict.fromkeys(parts, 10.0))
                for well, parts in wells.items()
            },
        )
        for name, wells in plates.items()
    ]
    bench = Bench([Position(name=name, device="arm", home=True) for name in plates], labware)
    return store.create_bench(workcell="bench", twin=True, seed=1, ledger="", snapshot=bench.to_json())


def opened_run(store: Store, bench: BenchRecord | None = None, name: str = "thermostable") -> Opened:
    bench = bench or store.create_bench(
        workcell="protein_bench_twin", twin=True, seed=7, ledger="ledger.jsonl", snapshot={"labware": []}
    )
    campaign = a_campaign(name)
    store.create_campaign(campaign, bench.id, "sha256:0", {"campaign.yaml": "name: thermostable\n"})
    batch = store.propose(campaign.id, a_proposal())
    run = store.create_run(batch, a_layout(batch), attempt=1)
    return Opened(bench=bench, campaign=campaign, batch=batch, run=run)


def begin(store: Store, run: Run, ordinal: int, *, key: str = "", dispatch: bool = False) -> Step:
    """Begin the step at a place of the main branch; its key is that of the place unless one is given."""
    return store.begin_step(
        run.id,
        key or f"{run.batch_id}/1/main/{ordinal}/heat/0f",
        "main",
        ordinal,
        "heat",
        "thermocycler",
        {"plate": "assay_1", "temperature_c": 82.0, "duration_s": 600.0},
        10.0 * ordinal,
        dispatch=dispatch,
    )
