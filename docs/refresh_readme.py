"""Runs the demo and puts what it printed and the first page of its report into the README.

    python docs/refresh_readme.py

Needs Chromium for the picture.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
README = REPOSITORY / "README.md"
PICTURE = REPOSITORY / "docs" / "images" / "report.png"
LARGEST_BYTES = 300_000
WIDTH = 100
TABLE = "│╭╰"


def run_demo(folder: Path) -> str:
    """What the demo prints, without the lines that name files of this machine."""
    drywet = Path(sys.executable).parent / "drywet"
    campaign = REPOSITORY / "campaigns" / "thermostable_protein_g.yaml"
    done = subprocess.run(
        [drywet, "run", campaign, "--store", folder / "lab.db", "--report", folder / "report.html"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": str(WIDTH), "NO_COLOR": "1"},
    )
    lines: list[str] = []
    for line in done.stdout.splitlines():
        if not line.startswith(("Report:", "All of it")):
            lines += [line] if line[:1] in TABLE else textwrap.wrap(line, WIDTH)
    return "\n".join(line.rstrip() for line in lines)


def take_picture(report: Path) -> None:
    """The first page of a report, as a browser shows it."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no Chromium to take the picture with.")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1000,1130"]
    subprocess.run(
        [chromium, *options, f"--screenshot={PICTURE}", report.as_uri()],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if PICTURE.stat().st_size > LARGEST_BYTES:
        sys.exit(f"{PICTURE} is larger than {LARGEST_BYTES:,} bytes.")


def main() -> None:
    """Replace the README's one fence of text, and the picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        printed = run_demo(folder)
        take_picture(folder / "report.html")
    before = README.read_text(encoding="utf-8")
    after, fences = re.subn(r"(?s)(?<=```text\n).*?(?=\n```)", lambda _: printed, before, count=1)
    if fences != 1:
        sys.exit("The README has no fence of text.")
    README.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
