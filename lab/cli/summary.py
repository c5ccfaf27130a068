"""What was found, in a few lines: at the end of a run, and in ``drywet status``. The numbers are the report's."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from lab.app import Outcome
from lab.app.resolving import unresolved
from lab.cli import text
from lab.report.goal_words import goal_sentences, target_name
from lab.report.naming import called, made_of
from lab.report.reading import read_contents
from lab.report.values import Contents, Estimate, Variant
from lab.report.wording import banner, baseline_sentence, headline, interval, number
from lab.store import Store
from lab.types import CampaignStatus

__all__ = ["how_to_go_on", "show_finding", "show_outcome", "top_table"]

_SHOWN = 5


def show_outcome(store: Store, outcome: Outcome, store_option: str | None, out: Console) -> None:
    """How one campaign ended this time, what it found, and what to do next."""
    contents = read_contents(store, outcome.campaign.id)
    show_finding(contents, out)
    speed = outcome.lab_s / outcome.wall_s if outcome.wall_s > 0 else 0.0
    ratio = f", {speed:,.0f} times as fast" if outcome.twin and speed > 1.5 else ""
    _line(out, f"{text.duration(outcome.lab_s)} of lab time in {text.duration(outcome.wall_s)}{ratio}.")
    done = _measured(contents)
    if outcome.status is CampaignStatus.FINISHED:
        _line(out, f"Finished after {text.count(done, 'experiment')}. {outcome.sentence}")
    else:
        far = f"{done} of {outcome.campaign.budget} experiments"
        _line(out, f"{outcome.status.capitalize()} after {far}. {outcome.sentence}".rstrip())
    go_on = how_to_go_on(outcome.campaign.name, outcome.status, store_option)
    if unresolved(store, store.campaign(outcome.campaign.id).bench_id):
        go_on = f"Once the step that nobody knows of is resolved: {go_on[0].lower()}{go_on[1:]}"
    _line(out, go_on)


def show_finding(contents: Contents, out: Console) -> None:
    """The headline, the best candidates, the baseline, and where the numbers come from."""
    campaign = contents.campaign
    if contents.variants:
        which = "some" if campaign.goal.direction == "map" else "best"
        title = f"{escape(campaign.name)}: {which} of {text.count(_measured(contents), 'experiment')}"
        out.print(Panel.fit(top_table(contents), title=title, title_align="left", border_style="green"))
    _line(out, headline(contents))
    for sentence in goal_sentences(contents):
        _line(out, sentence)
    # To map a target, no value is better than another, and none is the one that a planner ends at.
    if contents.baseline is not None and contents.variants and campaign.goal.direction != "map":
        _line(out, baseline_sentence(contents.curve, contents.baseline, campaign.goal))
    origins = set(contents.origins)
    if origins == {"twin"}:
        _line(
            out, "Measured on a digital twin: nothing here is evidence about a real sample.", style="yellow"
        )
    elif "twin" in origins:
        _line(out, f"{banner(contents)[1]}: the report tells which result is which.", style="yellow")


def top_table(contents: Contents) -> Table:
    """The best candidates so far."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right")
    table.add_column("candidate", style="bold")
    names = [called(v.candidate_id, v.made_of) for v in contents.variants[:_SHOWN]]
    described = any(more for _, more in names)
    if described:
        table.add_column("made of")
    table.add_column(target_name(contents.campaign.goal.target), justify="right")
    table.add_column("95 % interval")
    others = contents.targets[1:]
    for target in others:
        table.add_column(f"{target_name(target.name)}, {target.wanted}", justify="right")
    table.add_column("wells", justify="right")
    table.add_column("runs", justify="right")
    if others:
        table.add_column("")
    for rank, (variant, (name, more)) in enumerate(
        zip(contents.variants[:_SHOWN], names, strict=True), start=1
    ):
        estimate = variant.estimate
        table.add_row(
            str(rank),
            _narrow(name),
            *([_narrow(more)] if described else []),
            number(estimate.value, estimate.standard_error),
            interval(estimate, brackets=False),
            *(_value(target.estimates.get(variant.candidate_id)) for target in others),
            str(variant.wells),
            str(variant.runs),
            *([_standing(variant)] if others else []),
        )
    if contents.reference is not None:
        reference = contents.reference
        table.add_row(
            "",
            escape(contents.campaign.reference.id),
            *([_narrow(made_of(contents.campaign.reference))] if described else []),
            number(reference.value, reference.standard_error),
            interval(reference, brackets=False),
            *(_value(target.reference) for target in others),
            "",
            str(contents.reference_runs),
            style="dim",
        )
    return table


def _value(estimate: Estimate | None) -> str:
    """Of a target beside the first: ``0.87 ± 0.02``."""
    if estimate is None:
        return "–"
    error = estimate.standard_error
    return f"{number(estimate.value, error)} ± {number(error, error)}"


def _standing(variant: Variant) -> str:
    """How a candidate serves a goal of more than one target."""
    if variant.broken:
        return "breaks a limit"
    return "Pareto set" if variant.on_front else ""


def _narrow(told: str) -> str:
    """What a candidate is made of, as a column of a terminal can break it: never before a per cent sign."""
    return escape(told.replace("\u00a0%", "%"))


def how_to_go_on(name: str, status: CampaignStatus, store_option: str | None, writer: str = "") -> str:
    """The command that a person wants next.

    Args:
        writer: the process that writes to the store right now; empty when none does.
    """
    store = f" --store {store_option}" if store_option else ""
    if status is CampaignStatus.FINISHED:
        return f"All of it on one page: drywet report {name}{store}"
    if status is CampaignStatus.ABORTED:
        return f"What was measured: drywet report {name}{store}"
    if status is CampaignStatus.RUNNING and writer:
        return f"It runs in {writer}; Ctrl-C there stops it between two steps."
    return f"Go on with: drywet resume {name}{store}"


def _measured(contents: Contents) -> int:
    """Experiments with a result, usable or not."""
    return sum(result.observation is not None for result in contents.results)


def _line(out: Console, sentence: str, style: str = "") -> None:
    out.print(sentence, markup=False, highlight=False, style=style, soft_wrap=not out.is_terminal)
