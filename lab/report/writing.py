"""The one call of this package."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import BadInput

if TYPE_CHECKING:  # they bring the run engine and the database, which the wording of a number does not need
    from lab.interfaces import ModelCard
    from lab.store import Store

__all__ = ["write_report"]


def write_report(
    store: Store,
    campaign_id: str,
    path: Path,
    *,
    model_cards: Sequence[ModelCard] = (),
    versions: Mapping[str, str] | None = None,
) -> Path:
    """Write the report of a campaign as one HTML file that needs nothing outside itself.

    It renders in any state of the campaign, from just begun to finished, and the same store gives the same bytes.
    The file appears whole or not at all.

    Args:
        campaign_id: its identifier, or the name of the newest campaign of that name.
        path: where the file goes; its folder is made where it is missing, and a file of that name replaced.
        model_cards: of the encoders and models that the reasons cite, for the report to print.
        versions: name -> version of what carried the campaign out, beyond what the runs recorded.

    Returns:
        ``path``, absolute.

    Raises:
        BadInput: no such campaign, or the file cannot be written.
    """
    # Imported here: they bring matplotlib, which whoever imports this package may not need.
    from lab.report.page import render_page
    from lab.report.reading import read_contents

    page = render_page(read_contents(store, campaign_id), model_cards=model_cards, versions=versions)
    return _put(page, Path(path).absolute())


def _put(page: str, path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(page)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadInput(
            f"the report can't be written: {error.strerror or error}.",
            way_out="Choose a folder that you may write to, on a disk with room.",
            file=path,
        ) from error
    return path
