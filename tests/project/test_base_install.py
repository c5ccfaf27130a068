"""What works where only the base of drywet is installed, as after ``make demo``, whatever this environment has more."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lab.files import write_new_campaign
from tests.lab.cli.conftest import change
from tests.project.source_tree import REPOSITORY, canonical, project

ONLY_THE_BASE = """
import sys

hidden = frozenset(sys.argv.pop(1).split(","))

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else self.finder.find_spec(name, path, target)

sys.meta_path = [Without(finder) for finder in sys.meta_path]

from lab.cli import main

main()
"""


def data_packages() -> set[str]:
    """What is installed with the base for its data alone, without what it needs itself."""
    lines = (REPOSITORY / "requirements-data.txt").read_text(encoding="utf-8").splitlines()
    return {canonical(line.partition("==")[0]) for line in lines if not line.startswith("#")}


@functools.cache
def hidden() -> tuple[str, ...]:
    """Top-level modules that neither the base brings nor what the base needs."""
    todo = [Requirement(text) for text in project()["project"]["dependencies"]]
    base: set[tuple[str, str]] = set()
    while todo:
        wanted = todo.pop()
        name = canonical(wanted.name)
        for extra in ("", *wanted.extras):
            if (name, extra) in base:
                continue
            base.add((name, extra))
            for text in importlib.metadata.distribution(wanted.name).requires or ():
                further = Requirement(text)
                if further.marker is None or further.marker.evaluate({"extra": extra}):
                    todo.append(further)
    names = {name for name, _ in base} | {"drywet"} | data_packages()
    return tuple(
        sorted(
            top
            for top, brought_by in importlib.metadata.packages_distributions().items()
            if not {canonical(one) for one in brought_by} & names
        )
    )


def drywet(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ONLY_THE_BASE, ",".join(hidden()), *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("DRYWET_")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a small campaign that ran there."""
    folder = tmp_path_factory.mktemp("base")
    file = write_new_campaign(folder / "heat.yaml")[0]
    change(file, "budget: 24 ", "budget: 6 ")
    change(file, "batch_size: 8 ", "batch_size: 3 ")
    answer = drywet(folder, "run", "heat.yaml", "--report", "heat.html")
    assert answer.returncode == 0, answer.stderr
    assert (folder / "heat.html").is_file()
    return folder


def test_what_is_hidden_is_what_extras_bring():
    assert {"httpx", "fastapi", "streamlit", "torch", "argon2", "cronsim", "pandas"} <= set(hidden())
    assert not {"bluesky", "sqlmodel", "typer", "numpy", "matplotlib"} & set(hidden())


@pytest.mark.parametrize(
    "command",
    [
        "approve",
        "dry-run heat.yaml",
        "inventory",
        "protocol list",
        "report",
        "results",
        "samples",
        "status",
        "workcell check protein_bench_twin.yaml",
    ],
)
def test_a_command_of_the_base_needs_nothing_more(folder: Path, command: str):
    answer = drywet(folder, *command.split())
    assert "Traceback" not in answer.stderr
    assert "not installed" not in answer.stderr
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    "command",
    [
        "console",
        "login --name ada --password-stdin --service http://localhost:1",
        "schedule list",
        "serve",
        "users list",
    ],
)
def test_a_command_of_an_extra_says_what_to_install(folder: Path, command: str):
    answer = drywet(folder, *command.split())
    assert "Traceback" not in answer.stderr
    assert "pip install 'drywet[" in answer.stderr
    assert answer.returncode == 2
