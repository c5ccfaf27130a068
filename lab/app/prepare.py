"""From files to campaigns that can be started: every name looked up, every parameter checked, the first batch tried dry."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.app.benches import belief_of, sketch
from lab.app.stock import Amounts, Claim, batches_left, needs_of, refuse_shortages, shortages, stock_of
from lab.bench import Bench
from lab.campaign import Streams
from lab.dry_run import DryRun, dry_run
from lab.engine.supply import delivery_problem, free_wells, in_stock
from lab.errors import BadInput, CampaignFileError, Infeasible
from lab.files import CampaignFile, WorkcellSpec, load_campaign, load_workcell
from lab.interfaces import Planner, ProtocolModule
from lab.store import CampaignRecord
from lab.strict import did_you_mean, read_strictly
from lab.types import (
    Batch,
    Campaign,
    Candidate,
    Experiment,
    History,
    JsonValue,
    Layout,
    PlannerChoice,
    ProtocolChoice,
    Reason,
    new_id,
)

if TYPE_CHECKING:
    from protocols.scripts import Script

__all__ = [
    "Loaded",
    "Prepared",
    "Rehearsal",
    "load_stored",
    "prepare",
    "rehearse",
    "stored_protocol",
    "stored_workcell",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A campaign with what its names stand for."""

    campaign: Campaign
    workcell: WorkcellSpec
    planner: Planner
    protocol: ProtocolModule
    parameters: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A campaign file, checked as far as that goes without a bench.

    Args:
        baseline: the planner of its baseline; None where it asks for none.
    """

    file: CampaignFile
    planner: Planner
    baseline: Planner | None
    protocol: ProtocolModule
    parameters: Any

    @property
    def texts(self) -> dict[str, str]:
        """The files as they are now, for the store, and the folder from which the workcell file names others."""
        from protocols.scripts import Script

        workcell = self.file.workcell.source
        texts = {
            "campaign": self.file.text,
            "workcell": workcell.text,
            "workcell_folder": str(workcell.path.parent.resolve()),
        }
        # Of a protocol that is a function of the user's own, for a resumed run must find it as it was.
        return texts | ({"protocol": self.protocol.text} if isinstance(self.protocol, Script) else {})

    def load(self, campaign: Campaign, planner: Planner) -> Loaded:
        """A campaign of this file."""
        return Loaded(
            campaign=campaign,
            workcell=self.file.workcell,
            planner=planner,
            protocol=self.protocol,
            parameters=self.parameters,
        )


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


def prepare(path: Path | str) -> Prepared:
    """Read a campaign file and the files that it names, and look up what they name.

    Raises:
        BadInput: what is wrong, with file, line and way out.
    """
    file = load_campaign(path)
    protocol, parameters = _protocol(file)
    file = _with_script(file, protocol)
    _check_goal(file, protocol.targets(parameters))
    _check_material(file)
    _check_models(file)
    _check_space(file)
    return Prepared(
        file=file,
        planner=_planner(file, "planner", file.planner),
        baseline=_planner(file, "baseline", PlannerChoice(name=file.baseline)) if file.baseline else None,
        protocol=protocol,
        parameters=parameters,
    )


def load_stored(record: CampaignRecord) -> Loaded:
    """A campaign as the store holds it, whatever its files say by now."""
    from planners import planner

    campaign = record.campaign
    module, parameters = stored_protocol(record)
    return Loaded(
        campaign=campaign,
        workcell=stored_workcell(record),
        planner=planner(campaign.planner.name, campaign.planner.settings),
        protocol=module,
        parameters=parameters,
    )


def stored_workcell(record: CampaignRecord) -> WorkcellSpec:
    """The workcell file of a campaign, as it was when the campaign started."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workcell.yaml"
        path.write_text(record.files["workcell"], encoding="utf-8")
        return load_workcell(path, beside=Path(record.files["workcell_folder"]))


def stored_protocol(record: CampaignRecord) -> tuple[ProtocolModule, Any]:
    """The protocol of a campaign in the store, and its parameters."""
    from protocols import protocol, read_parameters
    from protocols.scripts import script_from_text, split_name

    choice = record.campaign.protocol
    if "protocol" in record.files:
        path, function = split_name(choice.name)
        module: ProtocolModule = script_from_text(record.files["protocol"], path, function)
    else:
        module = protocol(choice.name)
    return module, read_parameters(module.Parameters, choice.parameters)


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


_SHOWN = 4
"""Sentences about the edges of a space; where one candidate is out of reach, others mostly are too."""


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


def _planner(file: CampaignFile, field: str, choice: PlannerChoice) -> Planner:
    from planners import planner, planner_names

    if choice.name not in planner_names():
        raise file.unknown_name(
            field if field == "baseline" else f"{field}.name", "planner", choice.name, planner_names()
        )
    try:
        return planner(choice.name, choice.settings)
    except BadInput as wrong:
        raise _at(file, "", wrong) from wrong  # planners name the whole field


def _check_material(file: CampaignFile) -> None:
    """Refuse to order what could never be used: its experiments would wait for ever.

    Raises:
        CampaignFileError: what comes does not fit a library plate, or is too little.
    """
    if file.ordering is None:
        return
    bench = belief_of(file.workcell, ())
    for plate in file.workcell.library:
        problem = delivery_problem(bench, plate, file.ordering.volume_ul, file.ordering.least_ul)
        if problem:
            raise file.error("material.volume_ul", problem, "Order another volume, or lower least_ul.")


def _check_goal(file: CampaignFile, measured: Sequence[str]) -> None:
    """Refuse a goal that speaks of what the protocol does not measure: the whole budget would bring no result.

    Args:
        measured: targets of the protocol.

    Raises:
        CampaignFileError: the first such target.
    """
    goal = file.goal
    first, *also = goal.objectives
    spoken = [
        (f"goal.{first.direction}", first.target),
        *((f"goal.also[{n}].{o.direction}", o.target) for n, o in enumerate(also, start=1)),
        *((f"goal.limits[{n}].target", limit.target) for n, limit in enumerate(goal.limits, start=1)),
    ]
    for field, target in spoken:
        if target not in measured:
            raise file.error(
                field,
                f"The protocol {file.protocol.name} does not measure {target!r}.",
                did_you_mean(target, measured, what="It measures:"),
            )


def _check_models(file: CampaignFile) -> None:
    """Refuse models that do not exist or that no planner can go by, and settings that they do not have.

    Weights and files are not looked at yet.

    Raises:
        CampaignFileError: what is wrong with the first of them.
    """
    from models import guides, model_names, model_settings

    for n, choice in enumerate(file.models, start=1):
        if choice.name not in model_names():
            raise file.unknown_name(f"models[{n}].name", "model", choice.name, model_names())
        if not guides(choice.name):
            raise file.error(
                f"models[{n}].name",
                f"The model {choice.name} predicts, and planners go by features and scores alone.",
                "Leave it out, and ask it in a script.",
            )
        try:
            read_strictly(
                model_settings(choice.name),
                choice.settings,
                within=f"models[{n}].settings",
                unknown=f"The model {choice.name} has no setting {{}}.",
                known="Its settings are:",
            )
        except BadInput as wrong:
            raise _at(file, "", wrong) from wrong


def _check_space(file: CampaignFile) -> None:
    """Refuse a space in which nothing may be chosen, or whose rules can't be imported.

    Raises:
        CampaignFileError: which of its constraints or rules leaves nothing.
    """
    if file.space is None:
        return
    from planners.drawing import pool_of

    try:
        pool_of(file.campaign(new_id("cmp")), History(), (), np.random.default_rng(file.seed), spread=64)
    except BadInput as wrong:
        raise _at(file, "", wrong) from wrong


def _protocol(file: CampaignFile) -> tuple[ProtocolModule, Any]:
    from protocols import protocol, protocol_names

    choice: ProtocolChoice = file.protocol
    if ".py" in choice.name:
        script = _script(file)
        return script, _parameters(file, script, choice.parameters)
    if choice.name not in protocol_names():
        raise file.unknown_name("protocol.name", "protocol", choice.name, protocol_names())
    module = protocol(choice.name)
    return module, _parameters(file, module, choice.parameters)


def _script(file: CampaignFile) -> Script:
    """The function that a campaign file names as its protocol (``my_assays.py:growth``), beside that file.

    Raises:
        CampaignFileError: there is none, it can't be imported, or it takes no samples to work on.
    """
    from protocols.scripts import load_script

    try:
        script = load_script(str(file.path.parent / file.protocol.name))
    except BadInput as wrong:
        where = "" if wrong.line is None else f" (line {wrong.line} of {wrong.file})"
        raise file.error("protocol.name", f"{wrong.reason.rstrip('.')}{where}.", wrong.way_out) from wrong
    if not script.form.takes_samples:
        raise file.error(
            "protocol.name",
            f"{script.name} takes no samples, so it can't be the plan of a campaign.",
            f"Give it a parameter for them: def {script.name}(bench, samples: Samples, ...)",
        )
    if not script.measures:
        raise file.error(
            "protocol.name",
            f"{script.name} does not say what it measures.",
            'Write it above the function: @protocol(measures="signal")',
        )
    return script


def _with_script(file: CampaignFile, protocol: ProtocolModule) -> CampaignFile:
    """A campaign with another text of its protocol is another campaign."""
    from protocols.scripts import Script

    if not isinstance(protocol, Script):
        return file
    return replace(file, sha256=hashlib.sha256(f"{file.sha256}\n{protocol.text}".encode()).hexdigest())


def _parameters(file: CampaignFile, module: ProtocolModule, written: Mapping[str, JsonValue]) -> Any:
    from protocols import read_parameters

    try:
        return read_parameters(module.Parameters, written)
    except BadInput as wrong:
        raise _at(file, "protocol.parameters.", wrong) from wrong


def _at(file: CampaignFile, within: str, wrong: BadInput) -> CampaignFileError:
    """An error of a part that knows no files, at its place in the campaign file."""
    problems = wrong.problems if isinstance(wrong, CampaignFileError) else (wrong,)
    first, *others = [
        file.error(f"{within}{one.field or ''}".rstrip("."), one.reason, one.way_out) for one in problems
    ]
    return CampaignFileError(
        first.reason,
        way_out=first.way_out,
        file=first.file,
        line=first.line,
        field=first.field,
        others=tuple(others),
    )


def refuse(rehearsal: Rehearsal) -> None:
    """Refuse what can't be carried out.

    Raises:
        Infeasible: with the rehearsal's problems.
    """
    if rehearsal.problems:
        raise Infeasible(rehearsal.problems, way_out="Change the campaign or what the workcell holds.")


def refuse_together(rehearsals: Sequence[Rehearsal]) -> None:
    """Refuse campaigns that are to share a fresh bench, and would not all find enough on it.

    Raises:
        Infeasible: with one sentence for each thing there is too little of.
    """
    if rehearsals:
        refuse_shortages(rehearsals[0].stock, {}, [rehearsal.claim for rehearsal in rehearsals])
