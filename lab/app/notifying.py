"""The channels over which a lab's people are told, from the file that says so."""

from __future__ import annotations

from pathlib import Path

from lab.app.settings import Settings
from lab.errors import BadInput
from lab.files.notify import NOTIFY_FILE, load_channels
from lab.notices import Channel

__all__ = ["channels_of", "notify_file"]


def notify_file(settings: Settings) -> Path:
    """Where the channels stand: named by ``DRYWET_NOTIFY``, or else beside the store."""
    return Path(settings.notify) if settings.notify else settings.twin_folder.parent / NOTIFY_FILE


def channels_of(settings: Settings) -> tuple[Channel, ...]:
    """The channels of a lab; none where it has no file of them.

    Raises:
        BadInput: the file is wrong, or one is named that is not there.
    """
    path = notify_file(settings)
    if not settings.notify and not path.exists():
        return ()
    if not path.is_file():
        raise BadInput(f"There is no file {path}.", way_out="Correct DRYWET_NOTIFY, or leave it out.")
    return load_channels(path)
