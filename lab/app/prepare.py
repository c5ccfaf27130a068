"""From files to campaigns that can be started: every name looked up, every parameter checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.app.benches import belief_of
from lab.engine.supply import delivery_problem
from lab.errors import BadInput, CampaignFileError
from lab.files import CampaignFile, WorkcellSpec, load_campaign, load_workcell
from lab.interfaces import Planner, ProtocolModule
from lab.store import CampaignRecord
from lab.strict import did_you_mean, read_strictly
from lab.types import (
    Campaign,
    History,
    JsonValue,
    PlannerChoice,
    ProtocolChoice,
    new_id,
)

if TYPE_CHECKING:
    from protocols.scripts import Script

__all__ = [
    "Loaded",
    "Prepared",
    "load_stored",
    "prepare",
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


def prepare(path: Path | str, *, text: str | None = None, within: Path | None = None) -> Prepared:
    """Read a campaign file and the files that it names, and look up what they name.

    Args:
        text: to be read in place of the file of that path.
        within: folder that all it names must lie in; None lets it name any.

    Raises:
        BadInput: what is wrong, with file, line and way out.
    """
    file = load_campaign(path, text=text, within=within)
    if within is not None:
        _keep_within(file, within)
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


def _keep_within(file: CampaignFile, folder: Path) -> None:
    """Refuse a protocol of one's own, or a model's file, that lies elsewhere: its code would run here.

    Raises:
        CampaignFileError: which.
    """
    here = file.path.parent
    named = {"protocol.name": file.protocol.name.partition(":")[0]} if ".py" in file.protocol.name else {}
    for n, choice in enumerate(file.models, start=1):
        for name, value in choice.settings.items():
            if isinstance(value, str) and (Path(value).is_absolute() or ".." in Path(value).parts):
                named[f"models[{n}].settings.{name}"] = value
    for field, written in named.items():
        if not (here / Path(written).expanduser()).resolve().is_relative_to(folder.resolve()):
            raise file.error(
                field, f"{written} lies outside the lab's folder.", "Put it there, and name it from there."
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
    path = Path(record.files["workcell_folder"]) / "workcell.yaml"
    return load_workcell(path, text=record.files["workcell"])


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
