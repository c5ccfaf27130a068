"""``drywet serve``: the lab service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from lab.app import Settings
from lab.cli.logs import logging_to
from lab.errors import MissingData

__all__ = ["serve_lab"]


def serve_lab(given: Mapping[str, object], *, store: str | None, out: Console) -> int:
    """Serve until somebody ends the program; gives the exit code.

    Args:
        given: settings of the service as on the command line; those that are None are the environment's.

    Raises:
        BadInput: something can't be used; nothing was started.
        MissingData: the packages of the service are not installed.
    """
    try:
        from lab.app.house.serve import serve
        from lab.app.house.settings import ServiceSettings
        from lab.service.first_admin import FILE
    except ModuleNotFoundError as missing:
        raise MissingData(
            f"The lab service needs {missing.name}, which is not installed.",
            way_out="pip install 'drywet[service,console]'",
        ) from missing
    settings = Settings() if store is None else Settings(store=store)
    service = ServiceSettings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # read by pydantic

    def ready(address: str) -> None:
        out.print(f"drywet serves [bold]{settings.store}[/] at {address}", highlight=False, soft_wrap=True)
        if (_folder(settings) / FILE).exists():
            out.print("Nobody can log in yet. In another terminal: drywet users add NAME --role admin")
        out.print("Ctrl-C ends it at a step boundary; what is under way goes on at the next start.")

    def ending() -> None:
        out.print("Stopping after the steps under way. Ctrl-C twice breaks them off.", highlight=False)

    with logging_to(_folder(settings)):
        left = serve(settings, service, ready, ending)
    for sentence in left.sentences:
        out.print(sentence, markup=False, highlight=False, soft_wrap=True)
    if not left.safe:
        out.print(
            "[bold red]An instrument may not be in its safe state.[/] Look at the bench; then: drywet safe --workcell FILE"
        )
        return 1
    out.print("Everything is stopped and safe.")
    return 0


def _folder(settings: Settings) -> Path:
    return settings.twin_folder.parent
