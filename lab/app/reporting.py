"""A campaign's report, with the cards and versions that only the composition root has at hand."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lab.interfaces import ModelCard
from lab.report import write_report
from lab.store import Store

__all__ = ["report_campaign"]

_CITED = ("drywet", "bluesky", "ophyd-async", "pylabrobot", "numpy", "scipy", "sqlmodel")


def report_campaign(store: Store, campaign_id: str, path: Path) -> Path:
    """Write the report of a campaign, by identifier or name; see :func:`lab.report.write_report`."""
    found = store.campaign(campaign_id).campaign.id
    return write_report(store, found, path, model_cards=_cards(), versions=_versions())


def _cards() -> tuple[ModelCard, ...]:
    """Cards of every model that planners use; the report prints those that reasons cite."""
    import planners

    return planners.cards()


def _versions() -> dict[str, str]:
    """What this process is made of; the report is usually written by the version that ran the campaign."""
    found = {}
    for name in _CITED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
