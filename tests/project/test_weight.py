"""``drywet --help`` answers at once: what is heavy is imported by what needs it."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = (
    "alembic",
    "bluesky",
    "botorch",
    "gpytorch",
    "matplotlib",
    "numpy",
    "ophyd_async",
    "pandas",
    "pydantic",
    "pylabrobot",
    "pyro",
    "scipy",
    "sqlalchemy",
    "sqlmodel",
    "streamlit",
    "torch",
)


def imported_by(statement: str) -> set[str]:
    """Top-level modules that are there after a statement in a fresh Python."""
    script = (
        f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{n.split('.')[0] for n in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


def test_the_command_line_imports_nothing_heavy():
    assert imported_by("import lab.cli") & set(HEAVY) == set()


def test_the_rooms_leave_out_what_only_some_of_their_modules_need():
    rooms = "import lab, devices, planners, models, protocols, digital_twin, ui"
    some = {"botorch", "gpytorch", "matplotlib", "pylabrobot", "pyro", "sqlmodel", "streamlit", "torch"}
    assert imported_by(rooms) & some == set()


def test_help_is_one_page_of_commands():
    script = "import sys; sys.argv = ['drywet', '--help']; from lab.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    for command in ("run", "resume", "new", "dry-run", "status", "report", "doctor"):
        assert f" {command} " in done.stdout
