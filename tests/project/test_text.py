"""What may not stand in the repository."""

from __future__ import annotations

import re

from tests.project.source_tree import REPOSITORY, tracked_files

# Written in pieces, so that this file does not hold what it looks for.
HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "debian" + ".org",
    "crates" + ".io",
]
FOLDERS = "|".join(
    ["wo" + "rk", "ro" + "ot", "ho" + "me", "tm" + "p", "opt" + "/wheels", "opt" + "/py" + "pi"]
)
PATHS = re.compile(rf"(?<![\w./~$}}*-])/(?:{FOLDERS})/|\." + "library/")


def test_no_file_names_a_package_registry_or_a_folder_of_the_machine_it_was_written_on():
    found = []
    for path in tracked_files():
        raw = path.read_bytes()
        if b"\0" in raw[:8192]:
            continue
        for number, line in enumerate(raw.decode("utf-8").splitlines(), start=1):
            if any(host in line for host in HOSTS) or PATHS.search(line):
                found.append(f"{path.name}:{number}: {line.strip()[:100]}")
    assert found == []


def test_every_text_file_ends_its_last_line_and_no_line_in_blanks():
    found = []
    for path in tracked_files():
        if (
            path.suffix not in (".py", ".md", ".toml", ".yaml", ".txt", ".csv", ".j2", ".cfg")
            and path.name != "Makefile"
        ):
            continue
        text = path.read_text(encoding="utf-8")
        if text and not text.endswith("\n"):
            found.append(f"{path.name}: no newline at its end")
        found += [
            f"{path.name}:{n}: blanks at the end"
            for n, line in enumerate(text.splitlines(), 1)
            if line != line.rstrip()
        ]
    assert found == []


def test_every_exemption_from_a_check_gives_its_reason():
    """``# noqa: X`` and ``# type: ignore[x]`` are followed by why, there or on the line above; a test's name says it."""
    found = []
    mark = re.compile(r"#\s*(?:noqa: [A-Z0-9, ]+|type: ignore\[[a-z-, ]+\])(?P<rest>.*)$")
    for path in tracked_files():
        if path.suffix != ".py" or path.is_relative_to(REPOSITORY / "tests"):
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            match = mark.search(line)
            above = lines[number - 1].strip() if number else ""
            if match and not match["rest"].strip(" #-") and not above.startswith("#"):
                found.append(f"{path.name}:{number + 1}: {line.strip()}")
    assert found == []
