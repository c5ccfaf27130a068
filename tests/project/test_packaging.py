"""What is declared is what is used, what is locked is what is installed, and the wheel holds what it needs."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement

from tests.project.source_tree import PACKAGES, REPOSITORY, canonical, modules, project

USES = {
    "planning": ("planners", "models"),
    "notebook": ("planners.frames", "planners.notebook"),
    "hub": ("models",),
    "postgres": ("lab.store",),
    "excel": ("lab.worklists",),
    "opentrons": ("devices.opentrons_robot", "digital_twin"),
    "buses": ("devices", "digital_twin"),
    "epics": ("devices",),
    "testing": ("lab.testing",),
    "service": ("lab.service", "lab.app", "lab.client", "lab.timetable", "lab.cli.schedule"),
    "console": ("ui", "lab.client"),
}
"""Optional dependencies, by extra, and the modules that may import them."""

ELSEWHERE = {"lab.worklists.allotropy_worker"}
"""Modules that run in an environment of their own, as programs."""


def imports(package: str) -> Iterator[tuple[str, str]]:
    """Each module of a package with the top-level modules it imports, anywhere in it."""
    for name, path in modules(package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((name, alias.name.split(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield name, (node.module or "").split(".")[0]


def declared(requirements: list[str]) -> set[str]:
    return {canonical(Requirement(text).name) for text in requirements}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_import_is_declared_by_us_where_it_is_used(package):
    base = declared(project()["project"]["dependencies"])
    extras = project()["project"]["optional-dependencies"]
    brought_by = importlib.metadata.packages_distributions()
    undeclared = set()
    for module, top in imports(package):
        if top in sys.stdlib_module_names or top in PACKAGES or module in ELSEWHERE:
            continue
        allowed = set(base)
        for extra, places in USES.items():
            if module.startswith(places):
                allowed |= declared(extras[extra])
        if not {canonical(name) for name in brought_by.get(top, [])} & allowed:
            undeclared.add((module, top))
    assert undeclared == set()


def locked() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    return {
        canonical(name): version
        for name, _, version in (line.partition("==") for line in lines if not line.startswith("#"))
    }


def test_the_lock_pins_everything_that_is_installed_for_us():
    told = project()["project"]
    extras = told["optional-dependencies"].values()
    todo = [Requirement(text) for texts in (told["dependencies"], *extras) for text in texts]
    seen: set[tuple[str, str]] = set()
    missing = set()
    while todo:
        wanted = todo.pop()
        name = canonical(wanted.name)
        for extra in ("", *wanted.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            if name not in locked():
                missing.add(name)
            for text in importlib.metadata.distribution(wanted.name).requires or ():
                further = Requirement(text)
                if further.marker is None or further.marker.evaluate({"extra": extra}):
                    todo.append(further)
    assert missing == set()


def test_the_lock_names_versions_and_nothing_of_this_machine():
    for line in (REPOSITORY / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.!]*", line), line


def test_the_wheel_holds_the_seven_packages_with_their_data_and_nothing_else(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == set(PACKAGES)
    for folder in PACKAGES:
        for path in (REPOSITORY / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert str(path.relative_to(REPOSITORY)) in names
    assert any(name.endswith("/entry_points.txt") for name in names)
    assert any(name.endswith("/LICENSE") for name in names)
