"""A store such as a campaign leaves behind, made through the store's own calls from one seed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from lab.bench import well_names
from lab.store import Store
from lab.types import (
    AMINO_ACIDS,
    Batch,
    Campaign,
    CampaignStatus,
    Candidate,
    Experiment,
    Goal,
    Layout,
    Observation,
    Origin,
    PlannerChoice,
    Proposal,
    ProtocolChoice,
    Quality,
    Reason,
    Run,
    RunStatus,
    StepStatus,
    WellUse,
    new_id,
)

PARENT = "MTYKLILNGKTLKGETTTEAVDAATAEKVFKQYANDNGVDGEWTYDDATKTFTVTE"
METHOD = "residual activity after 10 min at 82 C in thermolysin, reporter binding, over the unheated plate"
_WELLS = well_names(8, 12)
_WILD_TYPE = 0.19


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to make.

    Args:
        batches: carried out.
        flagged: share of results that fail the quality check.
        knows: correlation of the planner's predictions with the truth; None for a planner that predicts nothing.
    """

    seed: int = 7
    pool: int = 600
    budget: int = 96
    batch_size: int = 12
    batches: int = 8
    flagged: float = 0.04
    knows: float | None = 0.9
    direction: str = "maximize"
    origin: Origin = Origin.TWIN
    planner: str = "adaptive"
    baseline_of: str = ""
    name: str = "thermostable_protein_g"
    reference_in_details: bool = True
    extra: dict[str, str] = field(default_factory=dict)


def pool(size: int, seed: int) -> tuple[tuple[Candidate, ...], dict[str, float]]:
    """Single substitutions of protein G and the share of its activity that each would keep."""
    rng = np.random.default_rng([seed, 1])
    burial = rng.uniform(0.1, 1.0, len(PARENT))
    found: list[tuple[Candidate, float]] = []
    for position in range(1, len(PARENT)):
        for letter in AMINO_ACIDS:
            if letter == PARENT[position]:
                continue
            change = rng.normal(-2.2 * burial[position], 1.3)
            sequence = PARENT[:position] + letter + PARENT[position + 1 :]
            activity = 0.97 / (1 + math.exp(1.45 - change)) + 0.01
            found.append(
                (Candidate(id=f"{PARENT[position]}{position + 1}{letter}", sequence=sequence), activity)
            )
    chosen = sorted(rng.permutation(len(found))[:size])
    return tuple(found[i][0] for i in chosen), {found[i][0].id: found[i][1] for i in chosen}


def campaign_of(recipe: Recipe, candidates: tuple[Candidate, ...]) -> Campaign:
    return Campaign(
        id=new_id("cmp"),
        name=recipe.name,
        goal=Goal(target="residual_activity", direction=recipe.direction),  # type: ignore[arg-type]
        candidates=candidates,
        reference=Candidate(id="WT", sequence=PARENT),
        planner=PlannerChoice(name=recipe.planner),
        protocol=ProtocolChoice(
            name="thermal_challenge",
            parameters={"challenge_temperature_c": 82.0, "challenge_duration_s": 600.0, "replicates": 3},
        ),
        budget=recipe.budget,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        workcell="protein_bench_twin",
        baseline_of=recipe.baseline_of,
    )


def fill(store: Store, recipe: Recipe) -> Campaign:
    """Make the campaign, and run ``recipe.batches`` batches of it."""
    candidates, truth = pool(recipe.pool, recipe.seed)
    campaign = campaign_of(recipe, candidates)
    bench = store.create_bench(
        workcell="protein_bench_twin",
        twin=recipe.origin is Origin.TWIN,
        seed=recipe.seed,
        ledger="",
        snapshot={},
    )
    store.create_campaign(
        campaign, bench.id, "0" * 64, {"campaign.yaml": f"name: {recipe.name}\nbudget: {recipe.budget}\n"}
    )
    rng = np.random.default_rng([recipe.seed, len(recipe.planner)])
    clock = 0.0
    repeats: list[Experiment] = []
    for number in range(1, recipe.batches + 1):
        batch = store.propose(campaign.id, _choose(campaign, store, recipe, truth, rng, number, repeats))
        run = store.create_run(batch, _layout(batch, rng))
        clock = _carry_out(store, run, batch, truth, recipe, rng, clock)
        observations = _observations(batch, run, truth, recipe, rng, clock)
        store.record(observations)
        repeats = [
            e
            for e, o in zip(batch.experiments, observations, strict=True)
            if not o.quality.ok and not e.repeat_of
        ]
    if recipe.batches * recipe.batch_size >= recipe.budget:
        store.set_campaign_status(
            campaign.id,
            CampaignStatus.FINISHED,
            f"The budget of {recipe.budget} experiments is spent.",
            clock,
        )
    return campaign


def _choose(
    campaign: Campaign,
    store: Store,
    recipe: Recipe,
    truth: dict[str, float],
    rng: np.random.Generator,
    number: int,
    repeats: list[Experiment],
) -> Proposal:
    asked = {e.candidate.id for e in store.history(campaign.id).experiments}
    free = [c for c in campaign.candidates if c.id not in asked]
    if recipe.knows is None or number == 1:
        chosen = [free[i] for i in rng.permutation(len(free))[: campaign.batch_size - len(repeats)]]
    else:
        sign = campaign.goal.sign
        score = {c.id: sign * truth[c.id] + rng.normal(0, 0.3 / number) for c in free}
        chosen = sorted(free, key=lambda c: -score[c.id])[: campaign.batch_size - len(repeats)]
    fresh = [
        Experiment(id=new_id("exp"), candidate=c, reason=_reason(c, recipe, truth, rng, number))
        for c in chosen
    ]
    again = [
        Experiment(
            id=new_id("exp"),
            candidate=e.candidate,
            reason=Reason(
                planner=recipe.planner, sentence="its wells failed the quality check", seed=(7, 1, number)
            ),
            repeat_of=e.id,
        )
        for e in repeats
    ]
    return Proposal(experiments=(*again, *fresh))


def _reason(
    candidate: Candidate, recipe: Recipe, truth: dict[str, float], rng: np.random.Generator, number: int
) -> Reason:
    if recipe.knows is None or number == 1:
        return Reason(
            planner=recipe.planner,
            sentence="drawn at random from what was never measured",
            seed=(7, 1, number),
        )
    sd = 0.25 / math.sqrt(number)
    mean = truth[candidate.id] + rng.normal(0, sd * 1.1)
    position = candidate.id[1:-1]
    return Reason(
        planner=recipe.planner,
        sentence=f"predicted {mean:.2f} ± {sd:.2f}; position {position} was measured {rng.integers(0, 4)} times",
        acquisition="upper confidence bound",
        acquisition_value=mean + 2 * sd,
        predicted_mean=mean,
        predicted_sd=sd,
        model_cards=("one_hot@1", "z_scales@1"),
        seed=(7, 1, number),
    )


def _layout(batch: Batch, rng: np.random.Generator) -> Layout:
    plates = {"unheated": f"assay_{2 * batch.number - 1}", "heated_82": f"assay_{2 * batch.number}"}
    wells: list[WellUse] = []
    for labware in plates.values():
        free = [_WELLS[i] for i in rng.permutation(96)]
        for experiment in batch.experiments:
            wells += [
                WellUse(
                    labware=labware,
                    well=free.pop(),
                    content=experiment.candidate.id,
                    kind="variant",
                    experiment_id=experiment.id,
                )
                for _ in range(3)
            ]
        wells += [WellUse(labware=labware, well=free.pop(), content="WT", kind="reference") for _ in range(6)]
        wells += [WellUse(labware=labware, well=free.pop(), content="blank", kind="blank") for _ in range(6)]
    return Layout(labware=plates, wells=tuple(wells))


def _carry_out(
    store: Store,
    run: Run,
    batch: Batch,
    truth: dict[str, float],
    recipe: Recipe,
    rng: np.random.Generator,
    clock: float,
) -> float:
    documents: list[tuple[str, dict]] = [("start", {"uid": run.id, "versions": {"bluesky": "1.15.1"}})]
    actions = [("handler", "distribute", 35.0)] * 12 + [("arm", "move", 20.0)] * 3
    actions += [("handler", "add_reagent", 90.0)] * 2
    actions += [("arm", "move", 20.0), ("thermocycler", "heat", 900.0), ("arm", "move", 20.0)]
    actions += [("handler", "add_reagent", 120.0), ("shaker", "incubate", 1800.0), ("arm", "move", 20.0)]
    actions += [("reader", "fluorescence", 75.0), ("arm", "move", 20.0), ("reader", "fluorescence", 75.0)]
    plates = iter(run.layout.labware.items())
    for ordinal, (device, action, seconds) in enumerate(actions, start=1):
        step = store.begin_step(
            run.id, f"{run.id}-{ordinal}", "", ordinal, action, device, {}, clock, dispatch=True
        )
        clock += seconds
        store.end_step(step.id, StepStatus.DONE, None, "", clock)
        if device == "reader":
            role, labware = next(plates)
            documents.append(("event", {"data": _reading(run, role, labware, truth, rng, clock)}))
    documents.append(("stop", {"exit_status": "success"}))
    store.append_documents(run.id, 1, documents)
    store.finish_run(run.id, RunStatus.DONE, uid=run.id)
    return clock + 120.0


def _reading(
    run: Run, role: str, labware: str, truth: dict[str, float], rng: np.random.Generator, clock: float
) -> dict:
    values = rng.normal(310, 8, 96)
    for use in run.layout.wells:
        if use.labware != labware or use.kind == "blank":
            continue
        kept = 1.0 if role == "unheated" else truth.get(use.content, _WILD_TYPE)
        values[_WELLS.index(use.well)] += 21000 * kept * rng.normal(1, 0.045)
    return {
        "reader-value": values,
        "reader-plate": labware,
        "reader-mode": "fluorescence",
        "reader-saturated": np.zeros(96, dtype=bool),
        "reader-lab_time_s": clock,
        "reader-origin": "twin",
    }


def _observations(
    batch: Batch, run: Run, truth: dict[str, float], recipe: Recipe, rng: np.random.Generator, clock: float
) -> tuple[Observation, ...]:
    reference = {"reference_value": _WILD_TYPE + rng.normal(0, 0.008), "reference_standard_error": 0.008}
    found = []
    for experiment in batch.experiments:
        bad = rng.random() < recipe.flagged
        error = 0.012 + 0.03 * truth[experiment.candidate.id] + (0.2 if bad else 0.0)
        quality = (
            Quality(ok=False, flags=("high_cv",), sentence="Its three wells differ by 41 %.")
            if bad
            else Quality(ok=True)
        )
        details = {
            "degrees_of_freedom": 6,
            **(reference if recipe.reference_in_details else {}),
        }
        found.append(
            Observation(
                id=new_id("obs"),
                experiment_id=experiment.id,
                target="residual_activity",
                sample_id="",
                run_id=run.id,
                value=truth[experiment.candidate.id] + rng.normal(0, error),
                standard_error=error,
                unit="share",
                quality=quality,
                method=METHOD,
                origin=recipe.origin,
                replicates=4 if bad else 6,
                lab_time_s=clock,
                details=details,
            )
        )
    return tuple(found)


def baseline(recipe: Recipe, campaign: Campaign) -> Recipe:
    """The recipe of the random campaign beside ``campaign``."""
    return replace(
        recipe, planner="random", knows=None, baseline_of=campaign.id, name=f"{recipe.name}_random"
    )
