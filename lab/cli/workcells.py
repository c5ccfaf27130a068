"""``drywet workcell``: a bench looked at by itself, without a campaign."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lab.cli.options import JsonOption, StoreOption, err, out

if TYPE_CHECKING:
    from lab.app.check_bench import Answered

__all__ = ["workcell_commands"]

workcell_commands = typer.Typer(no_args_is_help=True, help="Look at a bench by itself, without a campaign.")


@workcell_commands.callback()
def _group() -> None:
    """What stands before a command; without it a group of one command would be that command."""


@workcell_commands.command()
def check(
    file: Annotated[Path, typer.Argument(help="A workcell file (YAML).", show_default=False)],
    force: Annotated[
        bool, typer.Option("--force", help="Even if a program that is alive has the instruments.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Connect to every instrument, ask who it is and what it shows, and let go.

    Nothing is moved, but some instruments move when they are connected to. Exit code 1 when one can't be used.

    Example: [bold]drywet workcell check workcells/protein_bench_twin.yaml[/bold]
    """
    from lab.app.check_bench import check_bench
    from lab.app.control import control_folder, present
    from lab.app.safe_bench import twin_or_name
    from lab.app.settings import Settings
    from lab.cli.controlling import refuse_held

    twin, name = twin_or_name(file)
    if not twin and not force:
        settings = Settings() if store is None else Settings(store=store)
        refuse_held(present(control_folder(settings)), name, file)
    name, answers = check_bench(file)
    unusable = [answer.role for answer in answers if answer.error]
    if as_json:
        from lab.cli.text import print_json

        print_json(
            {"workcell": name, "usable": not unusable, "devices": [_to_json(answer) for answer in answers]}
        )
    else:
        _show(name, answers, out)
        if unusable:
            err.print(f"Can't be used: {', '.join(unusable)}.", markup=False, highlight=False)
    raise typer.Exit(int(bool(unusable)))


def _to_json(answer: Answered) -> dict[str, object]:
    return {
        "device": answer.role,
        "driver": answer.driver,
        "twin": answer.twin,
        "address": answer.address,
        "identity": None if answer.identity is None else answer.identity.to_json(),
        "shows": dict(answer.shows),
        "error": answer.error,
    }


def _show(name: str, answers: tuple[Answered, ...], out: Console) -> None:
    from rich.markup import escape

    out.print(f"[bold]{escape(name)}[/]", highlight=False)
    width = max(len(answer.role) for answer in answers)
    for answer in answers:
        mark = "[red]✗[/]" if answer.error else "[green]✓[/]"
        who = answer.driver
        if (identity := answer.identity) is not None:
            kind = "[yellow]twin[/]" if answer.twin else "real"
            who = f"{kind}  {escape(identity.vendor)} {escape(identity.model)}, serial {escape(identity.serial)}, "
            who += f"firmware {escape(identity.firmware)}"
        where = f"  [dim]{escape(answer.address)}[/]" if answer.address else ""
        out.print(f"{mark} {answer.role:<{width}}  {who}{where}", highlight=False, soft_wrap=True)
        shows = ", ".join(f"{signal} {value}" for signal, value in answer.shows.items())
        indent = " " * (width + 4)
        for line, style in ((shows, "dim"), (answer.error, "red")):
            if line:
                out.print(f"{indent}{escape(line)}", highlight=False, soft_wrap=True, style=style)
