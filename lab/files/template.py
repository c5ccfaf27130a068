"""What ``drywet new`` writes: a commented campaign file to edit, and beside it the two files that it names."""

from __future__ import annotations

import json
import shlex
from importlib import resources
from pathlib import Path
from string import Template

from lab.errors import CampaignFileError

__all__ = ["write_new_campaign"]

_WORKCELL = "protein_bench_twin.yaml"


def write_new_campaign(path: Path | str) -> tuple[Path, ...]:
    """Write a campaign that runs as it is, on a twin, with one library plate of protein G variants.

    Args:
        path: the campaign file; its name without suffix becomes the campaign's.

    Returns:
        The files that were written: the campaign, its candidates, and the workcell unless one of that name was there.

    Raises:
        CampaignFileError: a file is there already, or can't be written; nothing is overwritten.
    """
    path = Path(path)
    if path.suffix not in (".yaml", ".yml"):
        path = path.with_name(f"{path.name}.yaml")
    name = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in path.stem).lstrip("_-")
    if not name:
        raise CampaignFileError(
            "This name has no letter or digit that a campaign's name could have.",
            way_out="Call it my_campaign.yaml, for example.",
            file=path,
        )
    table, workcell = path.with_name(f"{path.stem}_candidates.csv"), path.with_name(_WORKCELL)
    for file in (path, table):
        if file.exists():
            raise CampaignFileError(
                "This file exists already.", way_out="Choose another name, or move it away.", file=file
            )
    campaign = Template(_text("campaign.yaml")).substitute(
        file=shlex.quote(str(path)), name=name[:64], candidates=json.dumps(table.name), workcell=workcell.name
    )
    texts = {path: campaign, table: _text("candidates.csv")}
    if not workcell.exists():
        texts[workcell] = _text(_WORKCELL)
    for file, text in texts.items():
        _write(file, text)
    return tuple(texts)


def _text(name: str) -> str:
    return (resources.files("lab.files") / "templates" / name).read_text(encoding="utf-8")


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise CampaignFileError(
            f"It can't be written: {error.strerror or error}.",
            way_out="Choose a folder that you may write to and that has room.",
            file=file,
        ) from error
