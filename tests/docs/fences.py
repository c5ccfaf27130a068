"""Fenced blocks of a Markdown page, and how each kind is tried out."""

from __future__ import annotations

import doctest
import os
import re
import secrets
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ruamel.yaml import YAML

__all__ = ["SET_UP", "Fence", "Page", "fences"]

SET_UP = "<!-- CI runs this one itself -->"
"""Stands above a fence that sets the whole machine up: too long for a test, and CI's first act anyway."""

_OPEN = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}|~{3,})(?P<kind>[\w-]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """One fenced block.

    Args:
        line: of its first line of content, counted from 1.
        kind: the word after the ticks.
        set_up: whether it is marked as one that CI runs itself.
    """

    page: Path
    line: int
    kind: str
    text: str
    set_up: bool

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.page.name}:{self.line}"


def fences(page: Path) -> list[Fence]:
    """All fenced blocks of a page, in order.

    Raises:
        ValueError: one of them never ends.
    """
    found: list[Fence] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        opened = _OPEN.match(lines[number])
        number += 1
        if opened is None:
            continue
        first = number
        while number < len(lines) and lines[number].strip() != opened["ticks"]:
            number += 1
        if number == len(lines):
            raise ValueError(f"{page.name}:{first}: this fence never ends")
        before = [line for line in lines[: first - 1] if line.strip()]
        text = "\n".join(line.removeprefix(opened["indent"]) for line in lines[first:number]) + "\n"
        marked = bool(before) and before[-1].strip() == SET_UP
        found.append(Fence(page=page, line=first + 1, kind=opened["kind"], text=text, set_up=marked))
        number += 1
    return found


class Page:
    """Tries the fences of one page out in order: later ones see the names and files of earlier ones.

    What they leave running is ended with the block.

    Args:
        folder: a copy of the repository's files, in which everything happens.
        environment: of the processes started.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._mark = f"PAGE_TRIED_OUT={secrets.token_hex(8)}"
        self._environment = {**environment, **dict([self._mark.split("=")])}
        self._names: dict[str, Any] = {"__name__": "__main__"}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended, or is somebody else's
                if self._mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)

    def try_out(self, fence: Fence) -> None:
        """Run one fence.

        Raises:
            AssertionError: it does not do what the page says, or nobody knows how to run its kind.
        """
        match fence.kind:
            case "python":
                self._python(fence)
            case "bash" | "sh":
                self._shell(fence, fence.text)
            case "console":
                self._console(fence)
            case "yaml":
                YAML(typ="safe", pure=True).load(fence.text)
            case "text" | "mermaid":
                pass  # drawings and output, which no one can run
            case _:
                raise AssertionError(
                    f"{fence.where}: a fence is python, bash, console, yaml, text or mermaid, not {fence.kind!r}"
                )

    def _python(self, fence: Fence) -> None:
        if fence.text.lstrip().startswith(">>>"):
            example = doctest.DocTestParser().get_doctest(
                fence.text, self._names, fence.where, str(fence.page), fence.line - 1
            )
            output: list[str] = []
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
            runner.run(example, out=output.append, clear_globs=False)
            assert runner.summarize(verbose=False).failed == 0, "".join(output)
            return
        code = compile("\n" * (fence.line - 1) + fence.text, str(fence.page), "exec")
        exec(code, self._names)

    def _shell(self, fence: Fence, commands: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{fence.where}: exit code {done.returncode}\n{done.stdout}"
        return done.stdout

    def _console(self, fence: Fence) -> None:
        """``$ command`` and what it prints, where ``...`` stands for anything."""
        checker = doctest.OutputChecker()
        for part in re.split(r"^\$ ", fence.text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            given = self._shell(fence, command)
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            if expected.strip():
                assert checker.check_output(expected, given, flags), (
                    f"{fence.where}: $ {command}\nexpected:\n{expected}\ngot:\n{given}"
                )
