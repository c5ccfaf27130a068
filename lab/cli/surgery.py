"""The commands of ``drywet samples``, ``drywet results`` and ``drywet inventory``, with their help."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli.options import (
    ByOption,
    CampaignName,
    JsonOption,
    ListsByDefault,
    StoreOption,
    WhyOption,
    out,
    who_says,
)

__all__ = ["inventory", "results", "samples"]

_HELP = {"help_option_names": ["-h", "--help"]}

samples = typer.Typer(cls=ListsByDefault, rich_markup_mode="rich", context_settings=_HELP)
results = typer.Typer(cls=ListsByDefault, rich_markup_mode="rich", context_settings=_HELP)

PlaceArgument = Annotated[
    str,
    typer.Argument(
        help="A sample's id or the end of it, LABWARE:WELL, or LABWARE for all of it.", show_default=False
    ),
]
ObservationArgument = Annotated[
    str, typer.Argument(help="The result's id, or the end of it.", show_default=False)
]
OnOption = Annotated[
    str | None,
    typer.Option(
        "--campaign",
        help="Whose bench is meant; that of the newest campaign if left out.",
        show_default=False,
    ),
]


@samples.callback()
def _samples() -> None:
    """Show material, where it came from, and keep what must not be used from being used.

    Lists the samples of a campaign when no command is named: [bold]drywet samples my_campaign[/bold]
    """


@samples.command("list")
def list_samples(
    campaign: CampaignName = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what stood on the bench from the start.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List samples: where they stand, what is in them, and which are barred and why."""
    from lab.cli.samples import show_samples

    show_samples(campaign, everything=everything, store=store, as_json=as_json, out=out)


@samples.command("show")
def show_sample(
    sample: PlaceArgument, campaign: OnOption = None, store: StoreOption = None, as_json: JsonOption = False
) -> None:
    """Show what a sample was made from, and what was made from it."""
    from lab.cli.samples import show_lineage

    show_lineage(sample, campaign, store=store, as_json=as_json, out=out)


@samples.command("bar")
def bar_sample(
    sample: PlaceArgument,
    why: WhyOption = "",
    by: ByOption = None,
    retract: Annotated[
        bool, typer.Option("--retract", help="Also retract the results that rest on it.")
    ] = False,
    campaign: OnOption = None,
    store: StoreOption = None,
) -> None:
    """Keep material from being used, and everything that was made from it.

    No protocol draws from barred material, and wells of it do not count in the results of runs that are still under way.
    Results that are recorded already stay until somebody retracts them; they are named.
    """
    from lab.cli.samples import bar

    bar(sample, campaign, why=why, who=who_says(by), retract=retract, store=store, out=out)


@samples.command("lift")
def lift_sample(
    sample: PlaceArgument,
    why: WhyOption = "",
    by: ByOption = None,
    campaign: OnOption = None,
    store: StoreOption = None,
) -> None:
    """Let barred material be used again, and what is barred for its sake only."""
    from lab.cli.samples import lift

    lift(sample, campaign, why=why, who=who_says(by), store=store, out=out)


@results.callback()
def _results() -> None:
    """Show results, and correct what is known to be wrong with them. Nothing is ever deleted.

    Lists the results of a campaign when no command is named: [bold]drywet results my_campaign[/bold]
    """


@results.command("list")
def list_results(
    campaign: CampaignName = None, store: StoreOption = None, as_json: JsonOption = False
) -> None:
    """List results with their ids, and what was said about them since."""
    from lab.cli.results import show_results

    show_results(campaign, store=store, as_json=as_json, out=out)


@results.command("past")
def past_results(campaign: CampaignName = None, store: StoreOption = None) -> None:
    """Print usable results as the table that [bold]past[/bold] in another campaign's file names.

    For example: [bold]drywet results past spring > spring.csv[/bold]
    """
    from lab.cli.results import write_past

    write_past(campaign, store=store, out=out)


@results.command("retract")
def retract_result(
    result: ObservationArgument, why: WhyOption = "", by: ByOption = None, store: StoreOption = None
) -> None:
    """Take a result back: planner, best so far and report go on without it."""
    from lab.cli.results import retract

    retract(result, why=why, who=who_says(by), store=store, out=out)


@results.command("supersede")
def supersede_result(
    result: ObservationArgument,
    value: Annotated[
        float, typer.Option("--value", help="The right value, in the same unit.", show_default=False)
    ],
    standard_error: Annotated[
        float, typer.Option("--standard-error", help="Of that value.", show_default=False)
    ],
    why: WhyOption = "",
    by: ByOption = None,
    store: StoreOption = None,
) -> None:
    """Put another value in the place of a result."""
    from lab.cli.results import supersede

    supersede(
        result,
        value=value,
        standard_error=standard_error,
        why=why,
        who=who_says(by),
        store=store,
        out=out,
    )


@results.command("replicate")
def replicate_result(
    experiment: Annotated[
        str, typer.Argument(help="The experiment's id, or the end of it.", show_default=False)
    ],
    of: Annotated[
        str, typer.Option("--of", help="The experiment that it measured once more.", show_default=False)
    ],
    why: WhyOption = "",
    by: ByOption = None,
    store: StoreOption = None,
) -> None:
    """Say that one experiment measured once more what another one did."""
    from lab.cli.results import replicate

    replicate(experiment, of=of, why=why, who=who_says(by), store=store, out=out)


def inventory(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A campaign, or a workcell's name; benches of unfinished campaigns if left out.",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show tips, plates and reagents: what is there, what is on its way, and who has reserved it."""
    from lab.cli.inventory import show_inventory

    show_inventory(name, store=store, as_json=as_json, out=out)
