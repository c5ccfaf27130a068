"""``drywet run`` and ``drywet resume``: campaigns in worker threads, the view in this one."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from lab.app import Laboratory, Outcome, Settings, prepare, read_pace
from lab.cli.view import LiveView, duration_text
from lab.engine.progress import Progress
from lab.errors import BadInput
from lab.report import write_report
from lab.types import CampaignStatus

__all__ = ["resume_campaign", "run_files"]

EXIT_CODES = {CampaignStatus.FINISHED: 0, CampaignStatus.HELD: 1, CampaignStatus.STOPPED: 3}


def run_files(
    files: Sequence[Path],
    *,
    store: str | None,
    new: bool,
    report: Path | None,
    pace: str,
    baseline: bool,
    as_json: bool,
    out: Console,
    err: Console,
) -> int:
    """Run or go on with the campaigns of these files; gives the exit code."""
    prepared = [prepare(path) for path in files]
    settings = Settings() if store is None else Settings(store=store)
    with Laboratory.open(settings, pace=read_pace(pace)) as laboratory:
        outcomes = _watched(laboratory, lambda: laboratory.run(prepared, new=new, baseline=baseline), as_json, out)
        return _conclude(laboratory, outcomes, report, as_json, out, err)


def resume_campaign(
    name: str | None,
    *,
    store: str | None,
    report: Path | None,
    pace: str,
    as_json: bool,
    out: Console,
    err: Console,
) -> int:
    """Go on with a campaign of the store; gives the exit code."""
    settings = Settings() if store is None else Settings(store=store)
    with Laboratory.open(settings, pace=read_pace(pace), must_exist=True) as laboratory:
        outcomes = _watched(laboratory, lambda: laboratory.resume(name), as_json, out)
        return _conclude(laboratory, outcomes, report, as_json, out, err)


def _watched(
    laboratory: Laboratory, work: Callable[[], tuple[Outcome, ...]], as_json: bool, out: Console
) -> tuple[Outcome, ...]:
    """Do the work in a thread and show it here, so that Ctrl-C finds this thread awake."""
    events: queue.SimpleQueue[Progress] = queue.SimpleQueue()
    laboratory.watch = events.put
    outcomes: list[tuple[Outcome, ...]] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            outcomes.append(work())
        except BaseException as error:  # Raised again below, in the thread that reports it.
            failure.append(error)

    worker = threading.Thread(target=target, name="campaigns")
    with _stop_on_interrupt(laboratory, out):
        worker.start()
        if as_json:
            worker.join()
        else:
            _show(laboratory, events, worker, out)
    if failure:
        raise failure[0]
    return outcomes[0]


def _show(laboratory: Laboratory, events: queue.SimpleQueue[Progress], worker: threading.Thread, out: Console) -> None:
    view: LiveView | None = None
    live = Live(console=out, refresh_per_second=8, transient=True)
    with live:
        while worker.is_alive() or not events.empty():
            try:
                event = events.get(timeout=0.1)
            except queue.Empty:
                continue
            if view is None:
                view = LiveView(live.console, laboratory.campaigns)
                live.update(view)
            view.tell(event)


@contextmanager
def _stop_on_interrupt(laboratory: Laboratory, out: Console) -> Iterator[None]:
    """Ctrl-C and a polite kill stop between two steps; a second Ctrl-C says that it is under way."""
    asked: list[float] = []

    def stop(number: int, frame: Any) -> None:
        reason = "stopped by Ctrl-C" if number == signal.SIGINT else "stopped by a signal"
        laboratory.request_stop(reason)
        again = "Still s" if asked else "S"
        out.print(f"[yellow]{again}topping after the step under way; nothing is lost.[/yellow]")
        asked.append(time.monotonic())

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _conclude(
    laboratory: Laboratory,
    outcomes: tuple[Outcome, ...],
    report: Path | None,
    as_json: bool,
    out: Console,
    err: Console,
) -> int:
    from lab.cli.main import explain, print_json

    asked_for = [o for o in outcomes if not o.campaign.baseline_of]
    written = None
    if report is not None and asked_for:
        written = write_report(laboratory.store, asked_for[0].campaign.id, report)
    if as_json:
        print_json([outcome.to_json() for outcome in outcomes])
    else:
        for outcome in asked_for:
            _summarise(outcome, outcomes, out)
        if written is not None:
            out.print(f"Report: [bold]{written}[/bold]", highlight=False, soft_wrap=True)
        elif asked_for:
            out.print("Write the report with: [bold]drywet report[/bold]", highlight=False)
    for outcome in outcomes:
        if outcome.error is not None:
            explain(outcome.error)
    codes = [
        2 if isinstance(outcome.error, BadInput) else EXIT_CODES.get(outcome.status, 1) for outcome in outcomes
    ]
    return max(codes, key=lambda code: (code == 2, code == 1, code == 3), default=0)


def _summarise(outcome: Outcome, outcomes: tuple[Outcome, ...], out: Console) -> None:
    campaign = outcome.campaign
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "candidate", "value", "95 % interval", "why it was chosen"):
        table.add_column(heading, no_wrap=heading != "why it was chosen")
    for rank, (experiment, observation) in enumerate(outcome.top(5), start=1):
        spread = 1.96 * observation.standard_error
        table.add_row(
            str(rank),
            f"[bold]{experiment.candidate.id}[/bold]",
            f"{observation.value:.3f}",
            f"{observation.value - spread:.3f} to {observation.value + spread:.3f}",
            experiment.reason.sentence,
        )
    out.print(Panel(table, title=f"{campaign.name}: {campaign.goal.target}", title_align="left", border_style="green"))
    baseline = next((o for o in outcomes if o.campaign.baseline_of == campaign.id), None)
    if baseline is not None and (pair := next(iter(baseline.top(1)), None)) is not None:
        out.print(
            f"Baseline ({baseline.campaign.planner.name}) on an identical twin found "
            f"{pair[0].candidate.id} {pair[1].value:.3f}.",
            highlight=False,
        )
    ratio = outcome.lab_s / outcome.wall_s if outcome.wall_s else 0.0
    twin = "twin" if outcome.twin else "hardware"
    out.print(
        f"{outcome.measured} of {campaign.budget} experiments measured on {twin}; {duration_text(outcome.lab_s)} of lab time"
        + (f" in {outcome.wall_s:.1f} s of wall time ({ratio:,.0f} to 1)." if outcome.twin else "."),
        highlight=False,
    )
    if outcome.status is CampaignStatus.STOPPED:
        out.print(f"Stopped: {outcome.sentence}. Go on with: [bold]drywet resume {campaign.name}[/bold]", highlight=False)
    elif outcome.status is CampaignStatus.FINISHED:
        out.print(outcome.sentence, highlight=False)
