"""What a protocol file for an Opentrons robot would do, by Opentrons' own software.

The package ``opentrons`` has an environment of its own (``make opentrons-env``), since its pins hold back all else. It is
asked as a program: ``python -m opentrons.cli analyze --json-output=FILE PROTOCOL``.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.errors import BadInput, MissingData

__all__ = ["ENVIRONMENT", "analyse", "analyser_python"]

ENVIRONMENT = "DRYWET_OPENTRONS_PYTHON"
"""Variable that names the Python that has ``opentrons``, where it is not the one of ``make opentrons-env``."""

ANALYSIS_S = 300.0
"""Wall-clock time that an analysis may take; a short protocol takes 5 s."""


def analyser_python() -> Path | None:
    """The Python that has ``opentrons``; None where there is none."""
    named = os.environ.get(ENVIRONMENT)
    if named is not None:
        return Path(named) if Path(named).is_file() else None
    for folder in (Path.cwd(), Path(__file__).resolve().parents[2]):
        python = folder / ".venv-opentrons" / "bin" / "python"
        if python.is_file():
            return python
    return None


def analyse(name: str, text: bytes) -> Mapping[str, Any]:
    """The analysis of a protocol file as the program writes it: ``commands``, ``labware``, ``pipettes``, ``errors``, more.

    It blocks for some seconds: call it off the loop.

    Args:
        name: of the file, ending in ``.py``.
        text: of it; it is carried out on a simulated deck, as a robot does.

    Raises:
        MissingData: the environment is not there.
        BadInput: the program can't read the file at all, or does not come to an end.
    """
    python = analyser_python()
    if python is None:
        raise MissingData(
            "Opentrons' software, which analyses protocol files, is not installed.",
            way_out="Install it into an environment of its own: make opentrons-env",
        )
    with tempfile.TemporaryDirectory() as folder:
        file, result = Path(folder) / Path(name).name, Path(folder) / "analysis.json"
        file.write_bytes(text)
        # Settings of a robot app of this user must not change what comes out.
        environment = {**os.environ, "OT_API_CONFIG_DIR": folder, "OPENTRONS_SIMULATION": "1"}
        try:
            done = subprocess.run(
                [python, "-m", "opentrons.cli", "analyze", f"--json-output={result}", str(file)],
                capture_output=True,
                text=True,
                timeout=ANALYSIS_S,
                env=environment,
                cwd=folder,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise BadInput(f"{name} was not analysed in {ANALYSIS_S:g} s.", file=name) from late
        if not result.is_file():
            said = (done.stderr or done.stdout).strip().splitlines()
            raise BadInput(
                f"Opentrons' software can't analyse it: {said[-1] if said else 'no reason given'}", file=name
            )
        analysis: Mapping[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return analysis
