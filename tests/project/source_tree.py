"""The repository as the project tests look at it."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["PACKAGES", "REPOSITORY", "canonical", "modules", "project", "tracked_files"]

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("lab", "devices", "planners", "models", "protocols", "digital_twin", "ui")


def project() -> dict[str, Any]:
    """``pyproject.toml``."""
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def tracked_files() -> list[Path]:
    """Files that git tracks or would track, that are there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return [path for name in listed.split("\0") if name and (path := REPOSITORY / name).is_file()]


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Dotted names and files of a package's modules; what is run by file (a migration, a page) is none."""
    for path in sorted((REPOSITORY / package).rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        if (
            "__pycache__" in parts
            or "versions" in parts
            or parts[-1] in ("env", "__main__")
            or parts[:2] == ("ui", "pages")
        ):
            continue
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def canonical(name: str) -> str:
    """A distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
