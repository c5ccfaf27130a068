"""The repository's own campaigns, made smaller or otherwise changed, in a folder of its own."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def write_campaign(
    folder: Path,
    name: str = "small",
    *,
    workcell: str = "bench.yaml",
    like: str = "thermostable_protein_g",
    **changes: str | int,
) -> Path:
    """Write campaign, candidate and workcell file; gives the path of the first.

    Args:
        workcell: name of the workcell file; campaigns that share one share the bench.
        like: name of the campaign in the repository that it is made from.
        changes: top-level fields of the campaign file with their new values (``budget=6``).
    """
    text = (REPOSITORY / "campaigns" / f"{like}.yaml").read_text()
    table, bench = (
        re.findall(rf"^ *{field}: *(\S+)", text, re.MULTILINE)[0] for field in ("file", "workcell")
    )
    fields = {"name": name, "workcell": workcell, **changes}
    lines = text.splitlines()
    for field, value in fields.items():
        (place,) = [n for n, line in enumerate(lines) if line.startswith(f"{field}:")]
        lines[place] = f"{field}: {value}"
    (folder / table).write_text((REPOSITORY / "campaigns" / table).read_text())
    (folder / workcell).write_text((REPOSITORY / "campaigns" / bench).read_text())
    path = folder / f"{name}.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path
