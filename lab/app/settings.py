"""Settings that are not a campaign's: read from the environment (``DRYWET_...``), overridden by the command line."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from lab.errors import BadInput

__all__ = ["Settings", "read_pace"]


class Settings(BaseSettings):
    """Where things are kept.

    Args:
        store: file of the SQLite database, or a ``postgresql+psycopg://`` URL.
        notify: file of channels over which people are told; empty for ``notify.yaml`` beside the store.
    """

    model_config = SettingsConfigDict(env_prefix="DRYWET_", frozen=True)

    store: str = ".drywet/drywet.db"
    notify: str = ""

    @property
    def twin_folder(self) -> Path:
        """Where twins keep their ledgers: beside a SQLite file, and under ``.drywet`` here for a server's store."""
        return (Path(".drywet") if "://" in self.store else Path(self.store).parent) / "twins"


def read_pace(written: str) -> float | None:
    """``max`` (None), ``wall`` (1) or a factor, as lab seconds per wall second.

    Raises:
        BadInput: neither of these.
    """
    if written == "max":
        return None
    if written == "wall":
        return 1.0
    try:
        pace = float(written)
    except ValueError:
        pace = 0.0
    if not 0.0 < pace < float("inf"):
        raise BadInput(
            f"A pace is not {written!r}.", way_out="Write max, wall, or a factor such as 60.", field="--pace"
        )
    return pace
