"""``drywet protocol list``, ``show`` and ``dry-run``: what there is, what it can be told, what it would do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.app.pictures import draw_deck
from lab.app.prepare import Prepared
from lab.app.rehearsal_words import dry_run_json
from lab.app.script_listing import ListedProtocol, list_protocols, script_form
from lab.app.scripts import ScriptRehearsal, Tried, prepare_script, rehearse_script
from lab.cli import text
from lab.cli.dry_running import arguments_words
from lab.errors import BadInput
from lab.types import JsonValue

__all__ = ["Asked", "show_form", "show_list", "show_rehearsal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A protocol as a command line names it."""

    named: str
    workcell: Path
    settings: Sequence[str]
    seed: int
    library: Path | None

    def prepare(self) -> Prepared:
        """Read it, its parameters and its workcell.

        Raises:
            BadInput: what is wrong with any of them.
        """
        values: dict[str, str] = {}
        for one in self.settings:
            name, sign, value = one.partition("=")
            if not sign or not name.strip():
                raise BadInput(f"{one!r} sets nothing.", way_out="Write --set name=value", field="--set")
            if name.strip() in values:
                raise BadInput(f"{name.strip()} is set twice.", way_out="Set it once.", field="--set")
            values[name.strip()] = value
        return prepare_script(self.named, self.workcell, values, seed=self.seed, library=self.library)


def show_list(folder: Path | None, *, as_json: bool, out: Console, err: Console) -> int:
    """List protocols; gives the exit code: 2 where a file of the folder can't be used.

    Raises:
        BadInput: there is no such folder.
    """
    found = list_protocols(folder)
    if as_json:
        text.print_json({"protocols": [_listed_json(one) for one in found]})
    else:
        _print_list(found, out)
        for one in found:
            if one.wrong is not None:
                err.print(f"{one.wrong}", markup=False, highlight=False, soft_wrap=True)
    return 2 if any(one.wrong is not None for one in found) else 0


def _print_list(found: Sequence[ListedProtocol], out: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("protocol", "from", "what it does"):
        table.add_column(heading, no_wrap=heading == "protocol")
    for one in found:
        table.add_row(escape(one.name), escape(one.where), escape(one.summary))
    out.print(table)


def _listed_json(one: ListedProtocol) -> dict[str, JsonValue]:
    return {
        "name": one.name,
        "from": one.where,
        "summary": one.summary,
        "problem": None if one.wrong is None else str(one.wrong),
    }


def show_form(named: str, *, as_json: bool, out: Console) -> None:
    """What a protocol can be told.

    Raises:
        BadInput: no such protocol.
    """
    form, name = script_form(named)
    if as_json:
        text.print_json(form.schema)
        return
    out.print(f"[bold]{escape(name)}[/]  {escape(form.summary)}", highlight=False, soft_wrap=True)
    if not form.entries:
        out.print("It takes no parameters.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("parameter", "type", "unit", "default", "limits", "what it is"):
        table.add_column(heading, no_wrap=heading == "parameter")
    for entry in form.entries:
        default = "[bold]needed[/]" if entry.required else escape(_shown(entry.default))
        table.add_row(entry.name, entry.words, entry.unit, default, entry.limits, escape(entry.help))
    out.print(table)


def _shown(value: JsonValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | int):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, dict):
        return f"{len(value)} wells" if value else "none"
    return "none" if value is None else str(value)


def show_rehearsal(asked: Asked, *, picture: Path | None, as_json: bool, out: Console, err: Console) -> int:
    """Try a protocol out and say what it would do; gives the exit code: 2 when something would not work.

    Raises:
        BadInput: it can't be tried out at all.
    """
    prepared = asked.prepare()
    rehearsal = rehearse_script(prepared)
    drawn = None if picture is None else draw_deck(rehearsal, picture)
    if as_json:
        text.print_json(_to_json(rehearsal, drawn))
    else:
        _print(rehearsal, prepared, asked, out)
        if drawn is not None:
            out.print(f"\nDeck and plates: [bold]{escape(str(drawn))}[/]", highlight=False, soft_wrap=True)
        _print_verdict(rehearsal, prepared, asked, out, err)
    return 2 if rehearsal.problems else 0


def _print(rehearsal: ScriptRehearsal, prepared: Prepared, asked: Asked, out: Console) -> None:
    campaign = rehearsal.rehearsal.campaign
    out.print(
        f"[bold]{escape(campaign.name)}[/] on {escape(campaign.workcell)}, tried out dry. Nothing was moved.",
        highlight=False,
        soft_wrap=True,
    )
    told = ", ".join(f"{name} {_shown(value)}" for name, value in campaign.protocol.parameters.items())
    if told:
        out.print(f"With {told}.", markup=False, highlight=False, soft_wrap=True, style="dim")
    for way in rehearsal.ways:
        _print_way(way, several=len(rehearsal.ways) > 1, out=out)


def _print_way(way: Tried, *, several: bool, out: Console) -> None:
    walked = way.dry_run
    title = f"Where every reading shows {way.imagined:g}" if several else "Its steps"
    table = Table(box=None, pad_edge=False, header_style="dim", title=f"\n{title}", title_justify="left")
    table.add_column("", justify="right")
    table.add_column("line", justify="right", no_wrap=True)
    table.add_column("begins", justify="right", no_wrap=True)
    table.add_column("takes", justify="right", no_wrap=True)
    table.add_column("instrument", no_wrap=True)
    table.add_column("action", no_wrap=True)
    table.add_column("with")
    for step, line in zip(walked.steps, way.lines, strict=False):
        table.add_row(
            str(step.ordinal),
            str(line),
            text.duration(step.begin_s),
            text.duration(step.duration_s),
            escape(step.device),
            escape(step.action.replace("_", " ")),
            escape(arguments_words(step.arguments)),
        )
    out.print(table)
    out.print()
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    facts.add_row("  time", f"{text.duration(walked.duration_s)} for {text.count(len(walked.steps), 'step')}")
    facts.add_row("  plates", escape(", ".join(walked.plates)) or "none")
    facts.add_row(
        "  tips", _joined(f"{t.used} of {t.tip_volume_ul:g} µl ({t.left} left)" for t in walked.tips)
    )
    facts.add_row("  liquids", _joined(_liquids(way)))
    out.print(facts)


def _liquids(way: Tried) -> list[str]:
    """What is drawn of what stood on the bench from the start; what the protocol has made itself is no consumable."""
    drawn: defaultdict[str, float] = defaultdict(float)
    left: defaultdict[str, float] = defaultdict(float)
    for use in way.dry_run.volumes:
        if use.content:
            drawn[use.content] += use.drawn_ul
            left[use.content] += use.left_ul
    return [
        f"{text.volume(drawn[content])} of {escape(content)} ({text.volume(left[content])} left)"
        for content in drawn
    ]


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(parts) or "none"


def _print_verdict(
    rehearsal: ScriptRehearsal, prepared: Prepared, asked: Asked, out: Console, err: Console
) -> None:
    out.print()
    if not rehearsal.problems:
        settings = "".join(f" --set {one}" for one in asked.settings)
        out.print(
            f"[green]Nothing stands in its way.[/] Run it with: drywet protocol run {escape(asked.named)} "
            f"--workcell {escape(str(asked.workcell))}{escape(settings)}",
            highlight=False,
            soft_wrap=True,
        )
        return
    err.print("[bold red]This can't be carried out:[/]", highlight=False)
    for problem in rehearsal.problems:
        err.print(f"  - {problem}", markup=False, highlight=False, soft_wrap=True)
    err.print(
        f"Change {asked.named}, its parameters, or what {asked.workcell} holds, and try again.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _to_json(rehearsal: ScriptRehearsal, picture: Path | None) -> dict[str, JsonValue]:
    return {
        "protocol": rehearsal.rehearsal.campaign.name,
        "parameters": dict(rehearsal.rehearsal.campaign.protocol.parameters),
        "problems": list(rehearsal.problems),
        "picture": None if picture is None else str(picture),
        "ways": [_way_json(way) for way in rehearsal.ways],
    }


def _way_json(way: Tried) -> dict[str, JsonValue]:
    walked = dry_run_json(way.dry_run)
    steps = cast("list[dict[str, JsonValue]]", walked["steps"])
    lined = [{**step, "line": line} for step, line in zip(steps, way.lines, strict=False)]
    return {"readings_show": way.imagined, **walked, "steps": lined}
