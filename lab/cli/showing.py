"""``drywet status``: where campaigns stand. Reads only, so it works beside a process that writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.app import Settings
from lab.app.resolving import unresolved
from lab.cli import text
from lab.cli.choosing import chosen, open_to_read
from lab.cli.resolving import show_unresolved
from lab.cli.summary import how_to_go_on, show_finding
from lab.report.goal_words import goal_words
from lab.report.reading import read_contents
from lab.report.wording import standing
from lab.store import CampaignRecord, Store
from lab.store.locks import writer_of
from lab.types import CampaignStatus, Goal, History, JsonValue, Observation

__all__ = ["show_status"]

_EVENTS_SHOWN = 5
_CAMPAIGNS_SHOWN = 15

_STYLES = {
    CampaignStatus.RUNNING: "cyan",
    CampaignStatus.FINISHED: "green",
    CampaignStatus.STOPPED: "yellow",
    CampaignStatus.HELD: "bold red",
    CampaignStatus.ABORTED: "dim",
}


def show_status(name: str | None, *, store: str | None, as_json: bool, out: Console) -> None:
    """Show the campaigns of a store, and one of them closer.

    Args:
        name: of that one; None for the newest.

    Raises:
        BadInput: no such campaign, or the store can't be read.
    """
    settings = Settings() if store is None else Settings(store=store)
    with open_to_read(settings.store) as opened:
        record = chosen(opened, name)
        if as_json:
            from lab.cli.text import print_json

            print_json(_to_json(opened, record))
            return
        records = [r for r in opened.campaigns() if not r.campaign.baseline_of]
        if name is None and len(records) > 1:
            out.print(_campaigns(opened, records[-_CAMPAIGNS_SHOWN:]))
            out.print()
        _show_one(opened, record, store, out)


def _campaigns(store: Store, records: Sequence[CampaignRecord]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("campaign", "status", "experiments", "best so far", "started (UTC)"):
        table.add_column(heading, no_wrap=heading != "campaign")
    for record in records:
        campaign, history = record.campaign, store.history(record.campaign.id)
        best = next(iter(history.serving(campaign.goal)), None)
        table.add_row(
            escape(campaign.name),
            f"[{_STYLES[record.status]}]{record.status}[/]",
            f"{history.spent} of {campaign.budget}",
            "-" if best is None else escape(text.result(*best)),
            f"{record.created_utc:%Y-%m-%d %H:%M}",
        )
    return table


def _show_one(store: Store, record: CampaignRecord, store_option: str | None, out: Console) -> None:
    campaign = record.campaign
    contents = read_contents(store, campaign.id)
    where = f"[dim]{campaign.id}, in {escape(store.url)}[/]"
    out.print(f"[bold]{escape(campaign.name)}[/]  {where}", highlight=False, soft_wrap=True)
    out.print(standing(contents), markup=False, highlight=False, style=_STYLES[record.status])
    if record.sentence:
        out.print(record.sentence, markup=False, highlight=False)
    out.print()
    show_finding(contents, out)
    writer = "" if "://" in store.url else writer_of(Path(store.url)) or ""
    if record.status is CampaignStatus.RUNNING and not writer and "://" not in store.url:
        out.print("No process carries it on: the one that did has ended.", style="yellow", highlight=False)
    waiting = unresolved(store, record.bench_id)
    if waiting:
        out.print()
        show_unresolved(waiting, out)
    events = store.events(campaign.id)[-_EVENTS_SHOWN:]
    if events:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        for event in events:
            table.add_row(f"{event.utc:%Y-%m-%d %H:%M:%S}", escape(event.sentence))
        out.print("\n[dim]Last events (UTC)[/]")
        out.print(table)
    out.print()
    if waiting:
        return  # What to do about those comes first, and stands there.
    out.print(
        how_to_go_on(campaign.name, record.status, store_option, writer),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _to_json(store: Store, one: CampaignRecord) -> dict[str, JsonValue]:
    return {
        "store": store.url,
        "campaigns": [
            _campaign_json(record, store.history(record.campaign.id)) for record in store.campaigns()
        ],
        "campaign": {
            **_campaign_json(one, store.history(one.campaign.id)),
            "results": _results_json(store.history(one.campaign.id), one.campaign.goal),
            "events": [
                {"number": e.number, "utc": e.utc.isoformat(), "kind": e.kind, "sentence": e.sentence}
                for e in store.events(one.campaign.id)
            ],
        },
    }


def _campaign_json(record: CampaignRecord, history: History) -> dict[str, JsonValue]:
    campaign = record.campaign
    usable = history.usable(campaign.goal.target)
    best = next(iter(history.serving(campaign.goal)), None)
    return {
        "id": campaign.id,
        "name": campaign.name,
        "baseline_of": campaign.baseline_of or None,
        "status": str(record.status),
        "sentence": record.sentence,
        "target": campaign.goal.target,
        "direction": campaign.goal.direction,
        "goal": goal_words(campaign.goal),
        "targets": list(campaign.goal.targets),
        "budget": campaign.budget,
        "spent": history.spent,
        "measured": len(usable),
        "best": None
        if best is None
        else {
            "candidate": best[0].candidate.id,
            "value": best[1].value,
            "standard_error": best[1].standard_error,
            "unit": best[1].unit,
        },
        "started_utc": record.created_utc.isoformat(),
    }


def _results_json(history: History, goal: Goal) -> list[JsonValue]:
    """Every experiment with its result in the first objective's target, and the value of each target that has one."""
    by_target: dict[str, dict[str, Observation]] = {target: {} for target in goal.targets}
    for observation in history.observations:
        by_target.setdefault(observation.target, {})[observation.experiment_id] = observation
    by_experiment = by_target[goal.target]
    return [
        {
            "experiment": experiment.id,
            "candidate": experiment.candidate.id,
            "status": str(experiment.status),
            "reason": experiment.reason.sentence,
            "value": None if found is None else found.value,
            "values": {
                target: of_target[experiment.id].value
                for target, of_target in by_target.items()
                if experiment.id in of_target
            },
            "standard_error": None if found is None else found.standard_error,
            "ok": None if found is None else found.quality.ok,
            "flags": [] if found is None else list(found.quality.flags),
            "origin": None if found is None else str(found.origin),
        }
        for experiment in history.experiments
        for found in [by_experiment.get(experiment.id)]
    ]
