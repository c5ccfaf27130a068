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
from lab.app.prepare import Prepared, Rehearsal, rehearse
from lab.bench import Bench
from lab.dry_run import DryRun, commands_of, dry_run
from lab.errors import BadInput, CampaignFileError
from lab.files import CampaignFile, Material, SourceFile, load_workcell
from lab.interfaces import Command
from lab.store import CampaignRecord, Store
from lab.strict import did_you_mean
from lab.types import (
    Batch,
    CampaignStatus,
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
from protocols import protocol, protocol_names
from protocols.registry import NEEDED
from protocols.scripts import (
    Plate,
    PlateMap,
    Reading,
    Reagent,
    Script,
    Wells,
    load_script,
    read_plate_map,
    read_scripts,
    readings_of,
)
from protocols.scripts.form import Entry, Form, form_of_model
from protocols.scripts.script import IMAGINED, parameters_of

__all__ = [
    "ListedProtocol",
    "ScriptRehearsal",
    "Tried",
    "finished_before",
    "list_protocols",
    "prepare_script",
    "read_setting",
    "rehearse_script",
    "script_form",
    "script_readings",
    "write_readings",
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
) -> Prepared:
    """A protocol with its parameters, as a campaign of one experiment.

    Args:
        named: ``FILE`` or ``FILE:function``.
        settings: parameter -> what a person wrote for it, or a value that is read already.
        seed: of what it chooses at random, and of a twin's noise.
        library: table of ``variant,plate,well`` that says what the plates of candidates hold.

    Raises:
        BadInput: no such protocol, a parameter that it does not have or can't take, or a workcell file that is wrong.
    """
    script = load_script(named)
    parameters, written = _read_settings(script, settings)
    spec = load_workcell(workcell)
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


def script_readings(store: Store, record: CampaignRecord) -> tuple[tuple[str, Reading], ...]:
    """What a campaign's runs have read, with the run that each reading is of, in order."""
    return tuple(
        (one.run.id, reading)
        for one in store.runs(record.campaign.id)
        for reading in readings_of(store.documents(one.run.id))
    )


def write_readings(store: Store, record: CampaignRecord, path: Path) -> int:
    """Every well of every reading as a line of a CSV file; gives the number of lines.

    Raises:
        BadInput: it can't be written.
    """
    uses = {
        (one.run.id, use.labware, use.well): use.content
        for one in store.runs(record.campaign.id)
        for use in one.run.layout.wells
    }
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(
        ["reading", "run", "plate", "well", "content", "mode", "cycle", "value", "saturated", "lab_time_s"]
    )
    lines = 0
    for number, (run, reading) in enumerate(script_readings(store, record), start=1):
        for well, trace in reading.traces.items():
            content = uses.get((run, reading.plate, well), "")
            for cycle, value in enumerate(trace, start=1):
                lines += 1
                table.writerow(
                    [
                        number,
                        run,
                        reading.plate,
                        well,
                        content,
                        reading.mode,
                        cycle,
                        "" if value != value else value,
                        "yes" if well in reading.saturated else "no",
                        reading.lab_time_s,
                    ]
                )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written.getvalue(), encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"The readings can't be written: {error.strerror}.",
            way_out="Name another file: --csv FILE",
            file=path,
        ) from error
    return lines


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
    return script.foreseen(batch, campaign, belief_of(file.workcell, file.material), parameters)[0]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProtocol:
    """A protocol that there is.

    Args:
        where: ``drywet``, or the file that it stands in.
        wrong: why it can't be used; None where it can.
    """

    name: str
    where: str
    summary: str
    wrong: BadInput | None = None


def list_protocols(folder: Path | None) -> tuple[ListedProtocol, ...]:
    """Ours, then those of a folder: functions, and modules with the five names of a campaign's protocol.

    Raises:
        BadInput: there is no such folder.
    """
    found = [
        ListedProtocol(name=name, where="drywet", summary=_first_line(protocol(name).__doc__))
        for name in protocol_names()
    ]
    for file in () if folder is None else read_scripts(folder):
        where = str(file.path)
        if file.wrong is not None:
            found.append(
                ListedProtocol(name=file.path.stem, where=where, summary="can't be used", wrong=file.wrong)
            )
        found += [
            ListedProtocol(name=name, where=where, summary=script.form.summary)
            for name, script in file.scripts.items()
        ]
        if file.module is not None and all(hasattr(file.module, name) for name in NEEDED):
            found.append(
                ListedProtocol(name=file.path.stem, where=where, summary=_first_line(file.module.__doc__))
            )
    return tuple(found)


def script_form(named: str) -> tuple[Form, str]:
    """The form of a protocol, one of ours by its name too, and what it is called.

    Raises:
        BadInput: no such protocol.
    """
    if named in protocol_names():
        module = protocol(named)
        return form_of_model(module.Parameters, _first_line(module.__doc__)), named
    script = load_script(named)
    return script.form, script.name


def finished_before(where: str, prepared: Prepared) -> bool:
    """Whether the last run of this protocol came to its end, so that the next one begins afresh.

    Args:
        where: the store, which need not be there.
    """
    if "://" not in where and not Path(where).exists():
        return False
    with Store.open(where, read_only=True) as store:
        records = [record for record in store.campaigns() if record.campaign.name == prepared.file.name]
    return bool(records) and records[-1].status in (CampaignStatus.FINISHED, CampaignStatus.ABORTED)


def _first_line(docstring: str | None) -> str:
    return (docstring or "").strip().split("\n\n")[0].replace("\n", " ")
