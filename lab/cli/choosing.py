"""Which campaign of a store a person means."""

from __future__ import annotations

from lab.errors import BadInput
from lab.store import CampaignRecord, Store

__all__ = ["chosen"]


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
