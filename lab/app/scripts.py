"""Protocols that are functions: tried out dry, and made into campaigns of one experiment that run like any other."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lab.app.benches import belief_of, sketch
from lab.app.prepare import Prepared
from lab.app.rehearsal import Rehearsal, rehearse
from lab.bench import Bench
from lab.dry_run import DryRun, commands_of, dry_run
from lab.errors import BadInput, CampaignFileError, DrywetError
from lab.files import CampaignFile, Material, SourceFile, load_workcell
from lab.interfaces import Command
from lab.strict import did_you_mean
from lab.types import (
    Batch,
    Candidate,
    Experiment,
    Goal,
    JsonValue,
    PlannerChoice,
    Policies,
    ProtocolChoice,
    Reason,
    new_id,
)
from protocols.scripts import (
    Plate,
    PlateMap,
    Reagent,
    Script,
    Wells,
    load_script,
    read_plate_map,
)
from protocols.scripts.form import Entry
from protocols.scripts.script import IMAGINED, parameters_of

__all__ = [
    "ScriptRehearsal",
    "Tried",
    "prepare_script",
    "read_setting",
    "rehearse_script",
]

_NOTHING = Candidate(id="none")
"""In place of the reference that every campaign has: a protocol alone compares with nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One way through a protocol, tried out dry.

    Args:
        imagined: what every reading showed.
        lines: of the file that ask for the steps, in their order.
        before: the bench at its beginning.
        after: the bench at its end, as believed; up to the first step that can't be imagined.
    """

    imagined: float
    dry_run: DryRun
    lines: tuple[int, ...]
    before: Bench
    after: Bench


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRehearsal:
    """What a protocol would do.

    Args:
        ways: through it: with readings of nothing, and with readings of something where that leads elsewhere.
        labels: (labware, well) -> what the protocol calls it.
        problems: of all ways; empty when it can be started.
    """

    rehearsal: Rehearsal
    ways: tuple[Tried, ...]
    labels: Mapping[tuple[str, str], str]
    problems: tuple[str, ...]

    @property
    def longest(self) -> Tried:
        """The way with the most steps."""
        return max(self.ways, key=lambda way: len(way.dry_run.steps))


def read_setting(entry: Entry, text: str) -> JsonValue:
    """A parameter's value as it is written on a command line; whether it fits is for the form to say.

    Raises:
        BadInput: a plate map that can't be read, or a text that is no value.
    """
    if entry.kind is PlateMap and not text.lstrip().startswith("{"):
        return read_plate_map(text)
    if entry.kind in (str, Plate, Wells, Reagent) or (entry.unit and not _is_number(text)):
        return text
    if entry.words.startswith(("samples", "list of")) and not text.lstrip().startswith("["):
        text = f"[{text}]"
    try:
        value: JsonValue = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise BadInput(
            f"{entry.name}={text} can't be read.",
            way_out="Write a number, a text or [a, list].",
            field=entry.name,
        ) from error
    return float(value) if entry.kind is float and type(value) is int else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def prepare_script(
    named: str,
    workcell: Path,
    settings: Mapping[str, JsonValue],
    *,
    seed: int = 1,
    library: Path | None = None,
    workcell_text: str | None = None,
) -> Prepared:
    """A protocol with its parameters, as a campaign of one experiment.

    Args:
        named: ``FILE`` or ``FILE:function``.
        settings: parameter -> what a person wrote for it, or a value that is read already.
        seed: of what it chooses at random, and of a twin's noise.
        library: table of ``variant,plate,well`` that says what the plates of candidates hold.
        workcell_text: to be read in place of the workcell file.

    Raises:
        BadInput: no such protocol, a parameter that it does not have or can't take, or a workcell file that is wrong.
    """
    script = load_script(named)
    parameters, written = _read_settings(script, settings)
    spec = load_workcell(workcell, text=workcell_text)
    material = () if library is None else tuple(_material(library, spec.library))
    text = (
        f"{script.name} {sorted(written.items())!r} {seed} {spec.source.sha256} {material!r}\n{script.text}"
    )
    file = CampaignFile(
        source=SourceFile(
            path=Path(script.file), text=script.text, sha256=hashlib.sha256(script.text.encode()).hexdigest()
        ),
        name=script.name,
        goal=Goal(target="readings"),
        candidates=(Candidate(id=script.name, values=_plain(written)),),
        reference=_NOTHING,
        material=material,
        sources={one.content: (one.labware, one.well) for one in reversed(material)},
        planner=PlannerChoice(name="random"),
        baseline="",
        protocol=ProtocolChoice(name=f"{script.file}:{script.name}", parameters=written),
        policies=Policies(),
        budget=1,
        batch_size=1,
        seed=seed,
        workcell=spec,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )
    file = replace(file, goal=Goal(target=_first_target(script, file, parameters)))
    from planners import planner

    return Prepared(
        file=file, planner=planner("random"), baseline=None, protocol=script, parameters=parameters
    )


def rehearse_script(prepared: Prepared) -> ScriptRehearsal:
    """Try a protocol out dry, the ways that readings can lead it, and see that it asks for the same steps twice.

    Raises:
        Infeasible: there is no way to lay it out on this bench.
        BadInput: the protocol fails, or is not the same twice; names its line.
        ActionOutsideStep: it acts outside a step; names its line.
    """
    script, file = prepared.protocol, prepared.file
    assert isinstance(script, Script)
    rehearsal = rehearse(prepared)
    ways: list[Tried] = []
    problems = dict.fromkeys(rehearsal.problems)
    for imagined in IMAGINED:
        workcell = sketch(file.workcell, file.material)

        def plan(
            lines: list[int] | None = None, *, imagined: float = imagined, workcell: Any = workcell
        ) -> Any:
            return script.plan(
                rehearsal.batch,
                rehearsal.campaign,
                workcell,
                rehearsal.layout,
                prepared.parameters,
                imagined=imagined,
                lines=lines,
            )

        lines: list[int] = []
        walked = dry_run(plan(lines), workcell)
        commands = commands_of(plan())
        _refuse_other_steps(commands, commands_of(plan()), lines, script.file)
        if ways and _steps(walked) == _steps(ways[0].dry_run):
            continue
        problems.update(dict.fromkeys(walked.problems))
        before = belief_of(file.workcell, file.material)
        ways.append(
            Tried(
                imagined=imagined,
                dry_run=walked,
                lines=tuple(lines),
                before=before,
                after=_after(before, commands),
            )
        )
    return ScriptRehearsal(
        rehearsal=rehearsal,
        ways=tuple(ways),
        labels={(labware, well): label for labware, well, label in rehearsal.layout.choices["labels"]},
        problems=tuple(problems),
    )


def _read_settings(script: Script, settings: Mapping[str, JsonValue]) -> tuple[Any, dict[str, JsonValue]]:
    """The parameters, and the same as the store keeps them.

    Raises:
        CampaignFileError: all that is wrong with them.
    """
    entries = {entry.name: entry for entry in script.form.entries}
    for name in settings:
        if name not in entries:
            raise CampaignFileError(
                f"The protocol {script.name} has no parameter {name!r}.",
                way_out=did_you_mean(name, entries, what="It has:") or "It takes none.",
                field=name,
            )
    values = {
        name: read_setting(entries[name], value) if isinstance(value, str) else value
        for name, value in settings.items()
    }
    parameters = parameters_of(script, values)
    return parameters, parameters.model_dump(mode="json")


def _plain(written: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Numbers and short texts, which describe what was tried."""
    return {name: value for name, value in written.items() if isinstance(value, int | float | str)}


def _first_target(script: Script, file: CampaignFile, parameters: Any) -> str:
    campaign = file.campaign(new_id("cmp"))
    experiment = Experiment(
        id=new_id("exp"), candidate=file.candidates[0], reason=Reason(planner="random", sentence="")
    )
    batch = Batch(id=new_id("bat"), campaign_id=campaign.id, number=1, experiments=(experiment,))
    try:
        return script.foreseen(batch, campaign, belief_of(file.workcell, file.material), parameters)[0]
    except DrywetError:
        return file.goal.target  # What is wrong with it is for its rehearsal to say.


def _material(path: Path, plates: Sequence[str]) -> Iterator[Material]:
    """Rows of a library table.

    Raises:
        CampaignFileError: it lacks a column, or names a plate that there is none of.
    """
    from lab.files.source import read_source

    source = read_source(path, "library table")
    rows = csv.DictReader(io.StringIO(source.text))
    missing = [name for name in ("variant", "plate", "well") if name not in (rows.fieldnames or ())]
    if missing:
        raise source.error(
            "",
            f"The library table has no column {missing[0]!r}.",
            "It has variant, plate, well.",
            line=1,
        )
    for line, row in enumerate(rows, start=2):
        plate = str(row["plate"]).strip()
        named = plates[int(plate) - 1] if plate.isdigit() and 0 < int(plate) <= len(plates) else plate
        if named not in plates:
            raise source.error("plate", f"The workcell has no library plate {plate!r}.", "", line=line)
        (well,) = Wells.read(str(row["well"]), 16, 24)
        yield Material(content=str(row["variant"]).strip(), labware=named, well=well)


def _steps(walked: DryRun) -> list[tuple[str, str, JsonValue]]:
    return [(step.device, step.action, step.arguments) for step in walked.steps]


def _refuse_other_steps(
    first: Sequence[Command], second: Sequence[Command], lines: Sequence[int], file: str
) -> None:
    """Refuse a protocol that does not ask for the same steps each time: a resumed run could not be told from another.

    Raises:
        BadInput: names the line of the first step that differs.
    """
    for number in range(max(len(first), len(second))):
        one = first[number] if number < len(first) else None
        other = second[number] if number < len(second) else None
        if one != other:
            shown = " then ".join("nothing" if c is None else f"{c.verb} {c.to_json()}" for c in (one, other))
            raise BadInput(
                f"Walked twice, the protocol asks for other steps: step {number + 1} is {shown}.",
                way_out="Let steps depend on parameters and readings alone; for choices at random use bench.rng.",
                file=file,
                line=lines[number] if number < len(lines) else None,
            )


def _after(before: Bench, commands: Sequence[Command]) -> Bench:
    bench = before.copy()
    for command in commands:
        try:
            command.believe(bench)
        except (KeyError, ValueError):
            break  # the dry run says so, as one of its problems
    return bench
