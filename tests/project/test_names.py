"""The names that the packages take and give."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

from tests.project.source_tree import PACKAGES, REPOSITORY, modules

ALL_MODULES = [name for package in PACKAGES for name, _ in modules(package)]


def test_the_seven_packages_are_ours_wherever_python_is_started(tmp_path):
    script = (
        "import importlib.util, json, sys\n"
        "print(json.dumps({n: importlib.util.find_spec(n).origin for n in sys.argv[1:]}))"
    )
    found = subprocess.run(
        [sys.executable, "-P", "-c", script, *PACKAGES],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert json.loads(found) == {name: str(REPOSITORY / name / "__init__.py") for name in PACKAGES}


def test_no_installed_distribution_brings_a_package_of_our_names():
    others = {
        name: [d for d in packages_distributions().get(name, []) if d.lower() != "drywet"]
        for name in PACKAGES
    }
    assert others == {name: [] for name in PACKAGES}


def test_no_file_of_the_console_has_the_name_of_a_package():
    """Streamlit puts the folder first on the path, so such a file would hide the package."""
    here = {path.stem for path in (REPOSITORY / "ui").iterdir() if not path.name.startswith("__")}
    assert here & {*packages_distributions(), *sys.stdlib_module_names, *PACKAGES} == set()


@pytest.mark.parametrize("name", ALL_MODULES)
def test_a_module_has_the_names_it_lists_and_lists_each_once(name):
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", [])
    assert [item for item in listed if not hasattr(module, item)] == []
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_module_that_defines_public_names_lists_them(package):
    silent = []
    for name, path in modules(package):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        defined = [
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_"
        ]
        lists = any(
            isinstance(node, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)
            for node in tree.body
        )
        if defined and not lists:
            silent.append(name)
    assert silent == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_lists_what_it_brings_forward(package):
    """Each name that an ``__init__`` takes from its own modules is public."""
    for name, path in modules(package):
        if path.name != "__init__.py":
            continue
        taken = {
            alias.asname or alias.name
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package
            for alias in node.names
        }
        listed = set(getattr(importlib.import_module(name), "__all__", []))
        assert {t for t in taken if not t.startswith("_")} - listed == set(), name
