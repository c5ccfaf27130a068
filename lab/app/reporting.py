"""A campaign's report, with the cards and versions that only the composition root has at hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lab.errors import BadInput
from lab.interfaces import ModelCard
from lab.report import write_report
from lab.store import Store
from lab.types import Campaign

__all__ = ["cards_for", "report_campaign"]

_CITED = ("drywet", "bluesky", "ophyd-async", "pylabrobot", "numpy", "scipy", "sqlmodel")


def report_campaign(store: Store, campaign_id: str, path: Path) -> Path:
    """Write the report of a campaign, by identifier or name; see :func:`lab.report.write_report`."""
    found = store.campaign(campaign_id).campaign
    return write_report(store, found.id, path, model_cards=cards_for(found), versions=_versions())


def cards_for(campaign: Campaign) -> tuple[ModelCard, ...]:
    """Cards of all that planners use and of what the campaign names; the report prints those that reasons cite."""
    import planners

    return (*planners.cards(), *_named_cards(campaign))


def _named_cards(campaign: Campaign) -> Iterator[ModelCard]:
    """Cards of the campaign's models that can still be made; of the others the report says that it has none."""
    import models

    for choice in campaign.models:
        with suppress(BadInput):
            yield models.model(choice, parent=campaign.reference.sequence).card


def _versions() -> dict[str, str]:
    """What this process is made of; the report is usually written by the version that ran the campaign."""
    found = {}
    for name in _CITED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
