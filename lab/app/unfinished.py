"""Campaigns of a store that have not finished: which of them to go on with, and who goes on beside it."""

from __future__ import annotations

from collections.abc import Sequence

from lab.app.prepare import Prepared
from lab.errors import BadInput
from lab.store import CampaignRecord, Store
from lab.types import CampaignStatus

__all__ = ["UNFINISHED", "of_file", "waiting", "with_company"]

UNFINISHED = (CampaignStatus.RUNNING, CampaignStatus.STOPPED, CampaignStatus.HELD)


def waiting(store: Store, name: str | None = None) -> CampaignRecord:
    """The stopped campaign to go on with.

    Args:
        name: or identifier; the newest that waits to go on when left out.

    Raises:
        BadInput: there is none of this name, or it has finished.
    """
    record = _newest(store) if name is None else store.campaign(name)
    if record.status not in UNFINISHED:
        raise BadInput(
            f"{record.campaign.name} has {record.status}; there is nothing to go on with.",
            way_out=f"See it with: drywet report {record.campaign.name}",
        )
    return record


def of_file(store: Store, prepared: Prepared) -> CampaignRecord | None:
    """The stopped campaign that this file asks to go on with; None where the store has none of its name.

    Raises:
        BadInput: it has finished, or its files have changed since.
    """
    name, path = prepared.file.name, prepared.file.path
    records = [r for r in store.campaigns() if r.campaign.name == name and not r.campaign.baseline_of]
    if not records:
        return None
    last = records[-1]
    if last.status not in UNFINISHED:
        raise BadInput(
            f"Campaign {name} has {last.status} in this store.",
            way_out=f"See it with: drywet report {name}. Run it once more with: drywet run --new {path}",
            file=path,
        )
    if last.content_hash != prepared.file.sha256:
        raise BadInput(
            f"Campaign {name} was stopped, and its campaign, candidate or workcell file has changed since.",
            way_out=f"Go on with it as it was: drywet resume {name}. Start afresh: drywet run --new {path}",
            file=path,
        )
    return last


def with_company(store: Store, records: Sequence[CampaignRecord]) -> list[CampaignRecord]:
    """Campaigns to go on with, each followed by its unfinished baselines and by those stopped amid a run on its bench.

    The latter's plates may stand where the others need to work, and only they will take them away.
    """
    known = store.campaigns()
    company: dict[str, CampaignRecord] = {}
    for record in records:
        company[record.campaign.id] = record
        for other in known:
            baseline = other.campaign.baseline_of == record.campaign.id and other.status in UNFINISHED
            if baseline or (other.bench_id == record.bench_id and _stopped_amid_a_run(store, other)):
                company.setdefault(other.campaign.id, other)
    return list(company.values())


def _stopped_amid_a_run(store: Store, record: CampaignRecord) -> bool:
    if record.status not in (CampaignStatus.RUNNING, CampaignStatus.STOPPED):
        return False  # What is held waits for a person.
    return store.batch_at_work(record.campaign.id) is not None


def _newest(store: Store) -> CampaignRecord:
    found = [r for r in store.campaigns() if r.status in UNFINISHED and not r.campaign.baseline_of]
    if not found:
        raise BadInput("No campaign in this store waits to go on.", way_out="Start one with: drywet run FILE")
    return found[-1]
