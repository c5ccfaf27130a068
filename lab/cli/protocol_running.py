"""``drywet protocol run`` and ``replay``: a protocol on a workcell, and its results once more from what was recorded."""

from __future__ import annotations

import math
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.app import Outcome, Settings
from lab.app.replay import Replayed, replay
from lab.app.script_records import finished_before, script_readings, write_readings
from lab.app.scripts import rehearse_script
from lab.cli import text
from lab.cli.choosing import chosen, open_to_read
from lab.cli.deck import ask_for_deck
from lab.cli.protocol_telling import Asked
from lab.cli.running import Wishes, run_prepared
from lab.cli.summary import how_to_go_on
from lab.errors import Infeasible
from lab.report.wording import number
from lab.store import CampaignRecord, Store
from lab.types import CampaignStatus, JsonValue

__all__ = ["run_script", "show_replay"]

_SHOWN = 12
"""Readings whose wells are summed up on the screen; all are in the table that is written."""


def run_script(
    asked: Asked,
    wishes: Wishes,
    *,
    new: bool,
    deck_checked: bool,
    csv: Path | None,
    out: Console,
    err: Console,
) -> int:
    """Try a protocol out dry, run it, print what it gave and write its readings; gives the exit code.

    On a real bench somebody looks at the deck first, if nobody has (``deck_checked``).

    Raises:
        BadInput: it can't be run; nothing was started.
    """
    prepared = asked.prepare()
    rehearsal = rehearse_script(prepared)
    if rehearsal.problems:
        raise Infeasible(rehearsal.problems, way_out="See every step with: drywet protocol dry-run")
    fresh = new or finished_before(wishes.settings.store, prepared)
    if not deck_checked:
        where = wishes.settings.store
        ask_for_deck([asked.workcell], err, store=where, new=fresh, campaign=prepared.file.name)

    def show(store: Store, outcome: Outcome, store_option: str | None, console: Console) -> None:
        record = store.campaign(outcome.campaign.id)
        path = csv or Path(f"{outcome.campaign.name}_readings.csv")
        _show_outcome(store, outcome, record, path, store_option, console)

    return run_prepared([prepared], wishes, new=fresh, out=out, err=err, show=show)


def _show_outcome(
    store: Store,
    outcome: Outcome,
    record: CampaignRecord,
    path: Path,
    store_option: str | None,
    out: Console,
) -> None:
    readings = script_readings(store, record)
    if readings:
        out.print(_readings_table(store, record))
        if len(readings) > _SHOWN:
            out.print(f"and {len(readings) - _SHOWN} more readings.", highlight=False)
        lines = write_readings(store, record, path)
        out.print(
            f"Readings: [bold]{escape(str(path))}[/] ({lines:,} lines)", highlight=False, soft_wrap=True
        )
    for observation in store.history(record.campaign.id).observations:
        error = observation.standard_error
        spread = f" ± {number(error, error)}" if math.isfinite(error) else ""
        unit = "" if observation.unit == "1" else f" {observation.unit}"
        shown = number(observation.value, error) if math.isfinite(observation.value) else "no value"
        out.print(
            f"{observation.target}: {shown}{spread}{unit} {observation.quality.sentence}".rstrip(),
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if outcome.twin:
        out.print(
            "Measured on a digital twin: nothing here is evidence about a real sample.",
            style="yellow",
            highlight=False,
        )
    done = "Done" if outcome.status is CampaignStatus.FINISHED else outcome.status.capitalize()
    why = "" if outcome.status is CampaignStatus.FINISHED else f" {outcome.sentence}"
    out.print(
        f"{done} after {text.duration(outcome.lab_s)} of lab time, {text.duration(outcome.wall_s)} here.{why}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    out.print(
        how_to_go_on(outcome.campaign.name, outcome.status, store_option),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _readings_table(store: Store, record: CampaignRecord) -> Table:
    """One line for each reading and content: wells, mean, lowest and highest."""
    uses = {
        (one.run.id, use.labware, use.well): use.content
        for one in store.runs(record.campaign.id)
        for use in one.run.layout.wells
    }
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "plate", "mode", "content", "wells", "mean", "lowest", "highest"):
        table.add_column(
            heading, no_wrap=True, justify="left" if heading in ("plate", "mode", "content") else "right"
        )
    for place, (run, reading) in enumerate(script_readings(store, record)[:_SHOWN], start=1):
        groups: dict[str, list[float]] = {}
        for well, value in reading.items():
            content = uses.get((run, reading.plate, well))
            if content is not None and math.isfinite(value):
                groups.setdefault(content, []).append(value)
        for content, values in groups.items():
            shown = (sum(values) / len(values), min(values), max(values))
            table.add_row(
                str(place),
                escape(reading.plate),
                reading.mode,
                escape(content),
                str(len(values)),
                *(f"{value:.4g}" for value in shown),
            )
    return table


def show_replay(
    campaign: str | None, *, into: Path | None, store: str | None, as_json: bool, out: Console
) -> int:
    """Replay a campaign and hold it against what was recorded; gives the exit code: 1 where they differ.

    Raises:
        BadInput: no such campaign, it has no run that is done, or ``into`` is there already.
    """
    settings = Settings() if store is None else Settings(store=store)
    with open_to_read(settings.store) as opened:
        found = replay(opened, chosen(opened, campaign), into)
    if as_json:
        text.print_json(_replay_json(found, into))
        return 0 if found.alike else 1
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("candidate", "target", "recorded", "replayed", ""):
        table.add_column(heading, justify="right" if heading in ("recorded", "replayed") else "left")
    for pair in found.pairs:
        recorded = "none" if pair.recorded is None else f"{pair.recorded.value:.6g}"
        replayed = "none" if pair.replayed is None else f"{pair.replayed.value:.6g}"
        told = "the same" if pair.alike else "[bold red]differs[/]"
        table.add_row(escape(pair.candidate), escape(pair.target), recorded, replayed, told)
    out.print(table)
    runs = text.count(found.runs, "run")
    documents = text.count(found.documents, "document")
    out.print(
        f"{documents} of {runs} went through sink and analysis again, without an instrument. "
        + ("All results are the same." if found.alike else "Some results differ from what was recorded."),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if into is not None:
        out.print(f"Kept in {into}; the recorded results stand as they were.", markup=False, highlight=False)
    return 0 if found.alike else 1


def _replay_json(found: Replayed, into: Path | None) -> dict[str, JsonValue]:
    return {
        "campaign": found.campaign,
        "runs": found.runs,
        "documents": found.documents,
        "alike": found.alike,
        "into": None if into is None else str(into),
        "results": [
            {
                "candidate": pair.candidate,
                "target": pair.target,
                "recorded": None if pair.recorded is None else pair.recorded.value,
                "replayed": None if pair.replayed is None else pair.replayed.value,
                "origin": None if pair.replayed is None else str(pair.replayed.origin),
                "alike": pair.alike,
            }
            for pair in found.pairs
        ],
    }
