"""``drywet dry-run``: what a campaign would do, told before anything moves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.app import Rehearsal, prepare, rehearse
from lab.app.rehearsal_words import rehearsal_json
from lab.cli import text
from lab.dry_run import DryStep
from lab.types import JsonValue

__all__ = ["arguments_words", "show_dry_run"]


def show_dry_run(file: Path, *, steps: bool, as_json: bool, out: Console, err: Console) -> int:
    """Choose a campaign's first batch, walk through its run and say what it would do.

    Args:
        steps: also every step.

    Returns:
        The exit code: 2 when something would not work.

    Raises:
        BadInput: a file is wrong, or no plate layout exists.
    """
    rehearsal = rehearse(prepare(file))
    if as_json:
        from lab.cli.text import print_json

        print_json(rehearsal_json(rehearsal))
    else:
        _show_batch(rehearsal, out)
        _show_campaign(rehearsal, out)
        if steps:
            out.print(_step_table(rehearsal.dry_run.steps))
        _show_verdict(rehearsal, file, out, err)
    return 2 if rehearsal.problems else 0


def _show_batch(rehearsal: Rehearsal, out: Console) -> None:
    campaign, walked = rehearsal.campaign, rehearsal.dry_run
    names = ", ".join(experiment.candidate.id for experiment in rehearsal.batch.experiments)
    _line(
        out,
        f"[bold]{escape(campaign.name)}[/] on {escape(campaign.workcell)}, tried out dry. Nothing was moved.",
    )
    out.print()
    _line(out, f"[bold]First of {text.count(rehearsal.batches, 'batch', 'batches')}[/]")
    rows = [
        ("candidates", f"{escape(names)}  [dim](chosen by {escape(campaign.planner.name)})[/]"),
        ("time", f"{text.duration(walked.duration_s)} for {text.count(len(walked.steps), 'step')}"),
        ("plates", escape(", ".join(walked.plates)) or "none"),
        ("tips", _joined(f"{t.used} of {t.tip_volume_ul:g} µl ({t.left} left)" for t in walked.tips)),
        ("liquids", _joined(_liquids(rehearsal))),
    ]
    out.print(_facts(rows))


def _liquids(rehearsal: Rehearsal) -> list[str]:
    """What is drawn, candidates taken together: a person fills troughs and trusts the library."""
    pool = {candidate.id for candidate in rehearsal.campaign.candidates}
    drawn: dict[str, float] = defaultdict(float)
    left: dict[str, float] = defaultdict(float)
    for use in rehearsal.dry_run.volumes:
        content = "variants" if use.content in pool else use.content
        drawn[content] += use.drawn_ul
        left[content] += use.left_ul
    return [
        f"{text.volume(drawn[content])} of {escape(content)}"
        + ("" if content == "variants" else f" ({text.volume(left[content])} left)")
        for content in drawn
    ]


def _show_campaign(rehearsal: Rehearsal, out: Console) -> None:
    walked, n = rehearsal.dry_run, rehearsal.batches
    out.print()
    _line(out, f"[bold]Whole campaign[/], {text.count(rehearsal.campaign.budget, 'experiment')}, about")
    rows = [
        ("time", text.duration(walked.duration_s * n)),
        ("plates", str(len(walked.plates) * n)),
        ("tips", _joined(f"{t.used * n:,} of {t.tip_volume_ul:g} µl" for t in walked.tips)),
    ]
    out.print(_facts(rows))


def _step_table(steps: tuple[DryStep, ...]) -> Table:
    table = Table(
        box=None, pad_edge=False, header_style="dim", title="\nSteps of the first batch", title_justify="left"
    )
    table.add_column("", justify="right")
    table.add_column("begins", justify="right", no_wrap=True)
    table.add_column("takes", justify="right", no_wrap=True)
    table.add_column("instrument", no_wrap=True)
    table.add_column("action", no_wrap=True)
    table.add_column("with")
    for step in steps:
        table.add_row(
            str(step.ordinal),
            text.duration(step.begin_s),
            text.duration(step.duration_s),
            escape(step.device),
            escape(step.action.replace("_", " ")),
            escape(arguments_words(step.arguments)),
        )
    return table


_WORDS = {
    "plate": "",
    "labware": "",
    "lid": "",
    "destination": "to ",
    "source_labware": "from ",
    "source_well": "",
}
"""Argument of a command -> what stands before its value; others are named."""

_UNITS = {"_ul": "µl", "_c": "°C", "_nm": "nm", "_rpm": "rpm"}


def arguments_words(arguments: JsonValue) -> str:
    """``assay_1, 75 °C, 10 min``; long lists are counted."""
    if not isinstance(arguments, dict):
        return ""
    if "targets" in arguments:
        return _distributed(arguments)
    told = (_argument(name, value) for name, value in arguments.items())
    return ", ".join(part for part in told if part)


def _distributed(arguments: dict[str, JsonValue]) -> str:
    """``50 µl from A1 of assay_1 into A2 of assay_1``; many wells are counted."""
    targets = arguments["targets"]
    volumes = sorted({volume_ul for _, _, volume_ul in targets})
    volume = f"{volumes[0]:g}" if len(volumes) == 1 else f"{volumes[0]:g} to {volumes[-1]:g}"
    plates = list(dict.fromkeys(labware for labware, _, _ in targets))
    wells = ", ".join(well for _, well, _ in targets) if len(targets) <= 4 else f"{len(targets)} wells"
    mixed = f", mixed {arguments['mix_cycles']} times" if arguments.get("mix_cycles") else ""
    source = f"{arguments['source_well']} of {arguments['source_labware']}"
    return f"{volume} µl from {source} into {wells} of {', '.join(plates)}{mixed}"


def _argument(name: str, value: JsonValue) -> str:
    words = name.replace("_", " ")
    if name == "tip_volume_ul" or value in ("", None, [], (), {}, 0):
        return ""
    if isinstance(value, list | tuple):
        return f"{len(value)} {words}" if len(value) > 2 else f"{words} {', '.join(map(str, value))}"
    if name.endswith("_s") and isinstance(value, int | float):
        return text.duration(value)
    unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), None)
    if unit is not None:
        plain = words.rpartition(" ")[0]
        shown = f"{value:g} {unit}"
        return shown if plain in ("volume", "temperature") else f"{plain} {shown}"
    return f"{_WORDS[name]}{value}" if name in _WORDS else f"{words} {value}"


def _show_verdict(rehearsal: Rehearsal, file: Path, out: Console, err: Console) -> None:
    out.print()
    if not rehearsal.problems:
        _line(out, f"[green]Nothing stands in its way.[/] Run it with: drywet run {escape(str(file))}")
        return
    err.print("[bold red]This can't be carried out:[/]", highlight=False)
    for problem in rehearsal.problems:
        err.print(f"  - {problem}", markup=False, highlight=False, soft_wrap=True)
    err.print(
        f"Change {file}, or what its workcell holds, and try again.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _facts(rows: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(f"  {name}", value or "none")
    return table


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def _line(out: Console, markup: str) -> None:
    out.print(markup, highlight=False, soft_wrap=True)
