"""Where a run's readings come from, by what its instruments wrote under them."""

from __future__ import annotations

from collections.abc import Iterable

from lab.interfaces import Document, Workcell
from lab.types import Origin

__all__ = ["origin_of"]


def origin_of(documents: Iterable[Document], workcell: Workcell) -> Origin:
    """Origin of what a run has measured.

    Every device that is read stamps its readings (``reader-origin`` in the descriptor's configuration). One twin on the
    bench makes all of it the twin's, for no real reader can tell what a twin has pipetted; then what a person wrote down
    counts as that person's.

    Args:
        documents: of the run's last stretch.
        workcell: that it ran on.
    """
    stamps = {
        value
        for name, document in documents
        if name == "descriptor"
        for of_device in document.get("configuration", {}).values()
        for key, value in of_device.get("data", {}).items()
        if key.endswith("-origin")
    }
    if workcell.twins or Origin.TWIN in stamps:
        return Origin.TWIN
    return Origin.MANUAL if Origin.MANUAL in stamps else Origin.REAL
