"""``drywet`` as a person types it, in a folder of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.cli import main, options
from lab.files import write_new_campaign


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Drywet = Callable[..., Answer]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with no setting from outside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DRYWET_STORE", raising=False)
    set_width(monkeypatch, 100)
    return tmp_path


def set_width(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """As wide as a test expects, whatever width the terminal had when this process wrote to it first."""
    monkeypatch.setenv("COLUMNS", str(columns))
    for console in (options.out, options.err):
        monkeypatch.setattr(console, "_width", columns)


@pytest.fixture
def drywet(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Drywet:
    """Runs a command line in this process: ``drywet("run", "heat.yaml")``."""

    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["drywet", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Answer(code=int(ended.value.code or 0), out=captured.out, err=captured.err)

    return run


@pytest.fixture
def campaign(folder: Path) -> Path:
    """``heat.yaml``, a small campaign that is right, with its workcell and candidates beside it."""
    written = write_new_campaign(Path("heat.yaml"))[0]
    change(written, "budget: 24 ", "budget: 6 ")
    change(written, "batch_size: 8 ", "batch_size: 3 ")
    return written


def change(file: Path, old: str, new: str) -> int:
    """Replace the one place where ``old`` stands in a file; gives its line."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
    file.write_text(text.replace(old, new), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1
