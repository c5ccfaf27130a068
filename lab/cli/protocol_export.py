"""``drywet protocol export``: the pipetting of a protocol as a file for an Opentrons robot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import err
from lab.cli.protocol import LibraryOption, ProtocolArgument, SeedOption, SetOption, WorkcellOption

__all__ = ["export_protocol"]


def export_protocol(
    named: ProtocolArgument,
    workcell: WorkcellOption,
    into: Annotated[
        Path, typer.Option("--into", help="Write the Opentrons protocol here (.py).", show_default=False)
    ],
    settings: SetOption = None,
    by_hand: Annotated[
        bool,
        typer.Option("--by-hand", help="Pause where a step is no pipetting, for a person to do it."),
    ] = False,
    seed: SeedOption = 1,
    library: LibraryOption = None,
) -> None:
    """Write the pipetting of a protocol as a Python protocol for an Opentrons OT-2 or Flex.

    The bench must have such a robot. Steps that are no pipetting, or that depend on readings, are refused by name.
    """
    from lab.app.opentrons_export import export_script
    from lab.cli.protocol_telling import Asked
    from lab.errors import BadInput

    asked = Asked(named=named, workcell=workcell, settings=settings or [], seed=seed, library=library)
    text = export_script(asked.prepare(), by_hand=by_hand)
    try:
        with into.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise BadInput(
            f"{into} can't be written: {error.strerror or error}.", way_out="Name a new file.", field="--into"
        ) from error
    err.print(f"Wrote {into}. Try it first in the Opentrons App, which simulates it.", highlight=False)
