"""Which store, and which campaign in it, a person means."""

from __future__ import annotations

from pathlib import Path

from lab.errors import BadInput, StoreUnusable
from lab.store import CampaignRecord, Store

__all__ = ["chosen", "open_to_read", "refuse_missing"]


def refuse_missing(where: str) -> None:
    """Refuse a store that nobody has made yet, where one is to be read or gone on with.

    Raises:
        StoreUnusable: there is no such file.
    """
    if "://" not in where and not Path(where).exists():
        raise StoreUnusable(
            f"There is no store at {where}.",
            way_out="Go to the folder where the campaign was started, or name its store: --store FILE",
        )


def open_to_read(where: str) -> Store:
    """A store for looking, which works while another process writes to it.

    Raises:
        StoreUnusable: there is none, or it can't be read.
    """
    refuse_missing(where)
    return Store.open(where, read_only=True)


def chosen(store: Store, name: str | None) -> CampaignRecord:
    """The campaign of this name or id; without one the newest that is nobody's baseline.

    Raises:
        BadInput: there is none.
    """
    if name is not None:
        return store.campaign(name)
    own = [record for record in store.campaigns() if not record.campaign.baseline_of]
    if not own:
        raise BadInput(f"{store.url} holds no campaign.", way_out="Start one with: drywet run FILE")
    return own[-1]
