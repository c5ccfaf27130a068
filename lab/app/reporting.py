"""A campaign's report, with the cards and versions that only the composition root has at hand."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lab.interfaces import ModelCard
from lab.report import write_report
from lab.store import Store
from lab.types import Campaign

__all__ = ["report_campaign"]

_CITED = ("drywet", "bluesky", "ophyd-async", "pylabrobot", "numpy", "scipy", "sqlmodel")


def report_campaign(store: Store, campaign_id: str, path: Path) -> Path:
    """Write the report of a campaign, by identifier or name; see :func:`lab.report.write_report`."""
    campaign = store.campaign(campaign_id).campaign
    return write_report(store, campaign.id, path, model_cards=_cards(campaign), versions=_versions())


def _cards(campaign: Campaign) -> tuple[ModelCard, ...]:
    """Cards of every encoding that can read the campaign's pool; the report prints those that reasons cite."""
    from models import encoder, encoder_names

    has_sequences = any(candidate.sequence for candidate in campaign.candidates)
    names = [name for name in encoder_names() if (name != "named_values") == has_sequences]
    parent, pool = campaign.reference.sequence, campaign.candidates
    return tuple(encoder(name, parent=parent, pool=pool).card for name in names)


def _versions() -> dict[str, str]:
    """What this process is made of; the report is usually written by the version that ran the campaign."""
    found = {}
    for name in _CITED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
