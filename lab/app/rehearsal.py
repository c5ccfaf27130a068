"""The first batch of a campaign tried dry: what it would be and do, and why it can't be carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from lab.app.benches import sketch
from lab.app.prepare import Prepared
from lab.app.stock import Amounts, Claim, batches_left, needs_of, refuse_shortages, shortages, stock_of
from lab.bench import Bench
from lab.campaign import Streams
from lab.dry_run import DryRun, dry_run
from lab.engine.supply import free_wells, in_stock
from lab.errors import BadInput, Infeasible
from lab.types import Batch, Campaign, Candidate, Experiment, History, Layout, Reason, new_id

__all__ = ["Rehearsal", "refuse", "refuse_clashes", "rehearse", "rehearse_together"]


_SHOWN = 4
"""Sentences about the edges of a space; where one candidate is out of reach, others mostly are too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What the first batch of a campaign would be and do.

    Args:
        batches: that the whole budget takes.
        problems: of the first batch, and of having enough for all of them; empty when it can be started.
        stock: what the bench has of tips, plates and reagents; see :mod:`lab.app.inventory`.
        needs: what one batch takes of that.
    """

    campaign: Campaign
    batch: Batch
    layout: Layout
    dry_run: DryRun
    batches: int
    problems: tuple[str, ...]
    stock: Amounts
    needs: Amounts

    @property
    def claim(self) -> Claim:
        """What the whole budget takes of the bench."""
        return Claim(campaign=self.campaign.name, needs=self.needs, batches=self.batches)


def rehearse(prepared: Prepared) -> Rehearsal:
    """Choose a campaign's first batch and walk through its run, without a store and without moving anything.

    Raises:
        Infeasible: the protocol finds no way to lay the batch out on this bench.
    """
    campaign = prepared.file.campaign(new_id("cmp"))
    workcell = sketch(prepared.file.workcell, prepared.file.material)
    rng = np.random.default_rng([campaign.seed, Streams.CHOOSING, 1])
    proposal = prepared.planner.ask(campaign.batch_size, campaign, History(), (), rng)
    _as_if_delivered(workcell.bench, prepared.file.workcell.library, campaign, proposal.experiments)
    batch = Batch(id=new_id("bat"), campaign_id=campaign.id, number=1, experiments=proposal.experiments)
    rng = np.random.default_rng([campaign.seed, Streams.LAYOUT, 1])
    layout = prepared.protocol.layout(batch, campaign, workcell.bench.copy(), prepared.parameters, rng)
    plan = prepared.protocol.plan(batch, campaign, workcell, layout, prepared.parameters)
    walked = dry_run(plan, workcell)
    batches = batches_left(campaign, 0, 0)
    stock, needs = stock_of(workcell.bench), needs_of(walked, workcell.bench)
    alone = Claim(campaign=campaign.name, needs=needs, batches=batches)
    problems = walked.problems or _out_of_reach(prepared, campaign) or tuple(shortages(stock, {}, [alone]))
    return Rehearsal(
        campaign=campaign,
        batch=batch,
        layout=layout,
        dry_run=walked,
        batches=batches,
        problems=problems,
        stock=stock,
        needs=needs,
    )


def _as_if_delivered(
    bench: Bench, library: Sequence[str], campaign: Campaign, experiments: Sequence[Experiment]
) -> None:
    """Fill what a first batch would have to order into free wells of the library, where the campaign orders at all.

    Raises:
        Infeasible: there are too few free wells.
    """
    policy = campaign.material
    if policy is None:
        return
    missing = [
        experiment.candidate.id
        for experiment in experiments
        if not in_stock(bench, experiment.candidate.id, policy.least_ul)
    ]
    free = list(islice(free_wells(bench, library), len(missing)))
    if len(free) < len(missing):
        raise Infeasible(
            (
                f"{len(missing)} candidates of the first batch have to come, and {len(free)} library wells are free.",
            ),
            way_out="Add library plates to the workcell file.",
        )
    for content, (labware, well) in zip(missing, free, strict=True):
        bench.fill(labware, well, {content: policy.volume_ul})


def _out_of_reach(prepared: Prepared, campaign: Campaign) -> tuple[str, ...]:
    """What of a campaign's space the bench can't carry out, one sentence each; none where it can, and none for a pool.

    Candidates at the edges of the space, one for the least and one for the most of each value, are laid out and walked
    through in batches of their own, each on a fresh bench. That finds limits of volumes and temperatures where a protocol
    takes them from values; what lies inside edges that can be reached, and values that no protocol reads, are not looked at.
    """
    if campaign.space is None:
        return ()
    from planners.drawing import edges
    from planners.shared import setting_of

    rng = np.random.default_rng(campaign.seed)
    together: dict[object, list[Candidate]] = {}
    for candidate in edges(campaign, rng):
        together.setdefault(setting_of(candidate, campaign.shared), []).append(candidate)
    problems: list[str] = []
    for group in together.values():
        for start in range(0, len(group), campaign.batch_size):
            problems += _problems_of(prepared, campaign, group[start : start + campaign.batch_size])
    return tuple(dict.fromkeys(f"At the edge of the space: {problem}" for problem in problems))[:_SHOWN]


def _problems_of(prepared: Prepared, campaign: Campaign, candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Why a batch of some candidates can't be carried out on a fresh bench."""
    reason = Reason(planner=campaign.planner.name, sentence="At the edge of the space.")
    batch = Batch(
        id=new_id("bat"),
        campaign_id=campaign.id,
        number=1,
        experiments=tuple(Experiment(id=new_id("exp"), candidate=c, reason=reason) for c in candidates),
    )
    workcell = sketch(prepared.file.workcell, prepared.file.material)
    rng = np.random.default_rng([campaign.seed, Streams.LAYOUT, 1])
    try:
        layout = prepared.protocol.layout(batch, campaign, workcell.bench.copy(), prepared.parameters, rng)
    except Infeasible as wrong:
        return tuple(wrong.problems)
    plan = prepared.protocol.plan(batch, campaign, workcell, layout, prepared.parameters)
    return tuple(dry_run(plan, workcell).problems)


def refuse(rehearsal: Rehearsal) -> None:
    """Refuse what can't be carried out.

    Raises:
        Infeasible: with the rehearsal's problems.
    """
    if rehearsal.problems:
        raise Infeasible(rehearsal.problems, way_out="Change the campaign or what the workcell holds.")


def rehearse_together(prepared: Sequence[Prepared]) -> dict[str, Rehearsal]:
    """Rehearse campaigns that are to begin side by side: each by itself, and those that share a fresh bench together.

    Returns:
        Name of the campaign -> its rehearsal.

    Raises:
        Infeasible: one of them can't be carried out, or they would not all find enough on their bench.
    """
    rehearsed = {one.file.name: rehearse(one) for one in prepared}
    for rehearsal in rehearsed.values():
        refuse(rehearsal)
    for sharing in _by_bench(prepared):
        first, *others = [rehearsed[one.file.name] for one in sharing]
        refuse_shortages(first.stock, {}, [first.claim, *(other.claim for other in others)])
    return rehearsed


def _by_bench(prepared: Sequence[Prepared]) -> list[list[Prepared]]:
    """Those that share a workcell file, together."""
    benches: dict[Path, list[Prepared]] = {}
    for one in prepared:
        benches.setdefault(one.file.workcell_path.resolve(), []).append(one)
    return list(benches.values())


def refuse_clashes(prepared: Sequence[Prepared]) -> None:
    """Refuse campaigns that cannot run side by side.

    Raises:
        BadInput: two of one name, or two on one bench that find other variants in its wells.
    """
    names: dict[str, Prepared] = {}
    benches: dict[Path, Prepared] = {}
    for one in prepared:
        file = one.file
        if file.name in names:
            raise BadInput(
                f"Two campaigns of the name {file.name} can't run side by side.",
                way_out="Give each file once, and each campaign a name of its own.",
                file=file.path,
                field="name",
            )
        names[file.name] = one
        other = benches.setdefault(file.workcell_path.resolve(), one)
        if set(other.file.material) != set(file.material):
            raise BadInput(
                f"{file.name} and {other.file.name} share a bench, but their candidate files put different variants "
                "into its wells.",
                way_out="Give both the same candidate file, or each a workcell file of its own.",
                file=file.path,
            )
