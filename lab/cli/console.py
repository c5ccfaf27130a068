"""``drywet console``: the web console, in a server of its own."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from lab.errors import BadInput, MissingData

__all__ = ["run_console"]

SETTINGS = {
    "server.headless": "true",
    "server.enableXsrfProtection": "true",
    "server.enableCORS": "true",
    "server.fileWatcherType": "none",
    "server.maxUploadSize": "8",
    "browser.gatherUsageStats": "false",
    "runner.magicEnabled": "false",
    "runner.postScriptGC": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "logger.level": "warning",
    "theme.light.primaryColor": "#1f6fb2",
    "theme.dark.primaryColor": "#5aa9e6",
}
"""Of Streamlit: nothing leaves the machine, nothing of the code is shown, and nobody waits while all memory is looked
through for garbage, as Streamlit does after every page that it has drawn: Python does so where it is worth while."""


def run_console(service: str, *, host: str, port: int, names: str, out: Console) -> NoReturn:
    """Become the console's server, until somebody ends it.

    Args:
        service: address of the lab service.
        names: host names that it answers to, beside those of the machine itself, with blanks between.

    Raises:
        MissingData: Streamlit is not installed.
        BadInput: the address is none.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise MissingData(
            "The console needs streamlit, which is not installed.", way_out="pip install 'drywet[console]'"
        )
    if not service.startswith(("http://", "https://")):
        raise BadInput(
            f"{service} is no address of a service.", way_out="Write http://HOST:PORT.", field="--service"
        )
    spec = importlib.util.find_spec("ui")
    assert spec is not None  # it comes with this package
    assert spec.submodule_search_locations is not None
    program = Path(next(iter(spec.submodule_search_locations))) / "server.py"
    flags = [f"--{name}={value}" for name, value in SETTINGS.items()]
    flags += [f"--server.address={host}", f"--server.port={port}"]
    told = {"DRYWET_CONSOLE_SERVICE": service.rstrip("/"), "DRYWET_CONSOLE_NAMES": names}
    shown = "localhost" if host in ("127.0.0.1", "::1") else host
    out.print(
        f"The console of {service} is at [bold]http://{shown}:{port}[/]", highlight=False, soft_wrap=True
    )
    command = [sys.executable, "-m", "streamlit", "run", str(program), *flags]
    sys.stdout.flush()
    os.execve(sys.executable, command, os.environ | told)
