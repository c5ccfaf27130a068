"""No page of code that nobody ran: every fence of the README and of docs is executed."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.fences import Fence, Page, fences
from tests.project.source_tree import REPOSITORY, tracked_files

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
WITH_FENCES = [page for page in PAGES if fences(page)]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A copy of the repository's files to try a page out in, whose commands are those of this installation."""
    folder = tmp_path / "drywet"
    for path in tracked_files():
        target = folder / path.relative_to(REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    monkeypatch.chdir(folder)
    scripts = str(Path(sys.executable).parent)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DRYWET_")}
    environment = {"PATH": f"{scripts}{os.pathsep}{kept['PATH']}", "COLUMNS": "120", "NO_COLOR": "1"}
    with Page(folder, {**kept, **environment}) as page:
        yield page


@pytest.mark.timeout(900)  # a page may run whole campaigns
@pytest.mark.parametrize("page", WITH_FENCES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_the_page_does_what_it_says(page: Path, copy: Page):
    for fence in fences(page):
        if not fence.set_up:
            copy.try_out(fence)


def test_the_set_up_commands_of_the_readme_are_what_ci_runs():
    marked = [fence for page in PAGES for fence in fences(page) if fence.set_up]
    assert {fence.page.name for fence in marked} == {"README.md"}
    commands = [line for fence in marked for line in fence.text.splitlines() if line.strip()]
    assert commands == ["make demo", "make test"]
    script = (REPOSITORY / ".ci" / "run").read_text().splitlines()
    ran = [line for line in script if line.strip() and not line.startswith("#")]
    assert ran[0] == "set -euo pipefail"
    assert [line for line in ran[1:] if not line.startswith("cd ")] == commands


def test_ci_can_start_its_script():
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)


def test_links_between_pages_lead_somewhere():
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if (
                "://" not in target
                and not target.startswith("mailto:")
                and not (page.parent / target).exists()
            ):
                broken.append(f"{page.name}: {target}")
    assert broken == []


class TestFences:
    """The runner itself: a page that is wrong fails."""

    def page(self, tmp_path: Path, text: str) -> list[Fence]:
        page = tmp_path / "page.md"
        page.write_text(text)
        return fences(page)

    def run(self, tmp_path: Path, text: str) -> None:
        with Page(tmp_path, os.environ) as page:
            for fence in self.page(tmp_path, text):
                page.try_out(fence)

    @pytest.mark.skipif(sys.platform != "linux", reason="processes are found under /proc")
    def test_what_a_page_leaves_running_is_ended(self, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="exit code 3"):
            self.run(tmp_path, "```bash\nsetsid sleep 600 > sleep.log 2>&1 &\necho $! > left\nexit 3\n```\n")
        left = Path("/proc") / (tmp_path / "left").read_text().strip()
        end = time.monotonic() + 10.0
        while left.exists() and "(sleep) Z" not in (left / "stat").read_text():
            assert time.monotonic() < end, "it still runs"
            time.sleep(0.05)

    @pytest.mark.parametrize(
        "text",
        [
            "```python\nx = 1\n```\n\n```python\nassert x == 1\n```\n",
            "```python\n>>> [2 * n for n in range(40)]\n[0, 2, ..., 78]\n```\n",
            "- in a list\n\n  ```bash\n  echo there > file\n  test -s file\n  ```\n",
            "```console\n$ echo one two three\none ... three\n$ true\n```\n",
            "````text\n```python\nnot run\n```\n````\n",
            "```yaml\na: [1, 2]\n```\n",
        ],
    )
    def test_a_right_fence_passes(self, tmp_path: Path, text: str):
        self.run(tmp_path, text)

    @pytest.mark.parametrize(
        "text",
        [
            "```python\nassert 1 == 2\n```\n",
            "```python\n>>> 1 + 1\n3\n```\n",
            "```bash\nfalse\ntrue\n```\n",
            "```console\n$ echo one\ntwo\n```\n",
            "```console\n$ false\n```\n",
            "```\nof no kind\n```\n",
            "```cobol\nSTOP RUN.\n```\n",
        ],
    )
    def test_a_wrong_fence_fails(self, tmp_path: Path, text: str):
        with pytest.raises(AssertionError):
            self.run(tmp_path, text)

    def test_a_fence_that_never_ends_is_an_error(self, tmp_path: Path):
        with pytest.raises(ValueError, match=r"page\.md:2: this fence never ends"):
            self.page(tmp_path, "words\n```python\nx = 1\n")

    def test_a_fence_knows_its_line_and_its_mark(self, tmp_path: Path):
        (fence,) = self.page(tmp_path, "words\n\n<!-- CI runs this one itself -->\n\n```bash\nmake\n```\n")
        assert (fence.line, fence.kind, fence.text, fence.set_up) == (6, "bash", "make\n", True)
