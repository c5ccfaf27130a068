"""A campaign that was stopped in the midst of its second batch, to look at and to correct."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.app import Laboratory, Settings, prepare
from lab.engine.progress import Progress, StepEnded
from lab.types import CampaignStatus
from tests.campaign_files import write_campaign

STOPPED_AFTER = 60
"""Steps: a batch of three takes some fifty."""


@pytest.fixture(scope="session")
def _stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    file = write_campaign(folder, budget=9, batch_size=3)
    seen: list[StepEnded] = []
    with Laboratory.open(Settings(store=str(folder / "lab.db"))) as laboratory:

        def watch(event: Progress) -> None:
            if isinstance(event, StepEnded):
                seen.append(event)
                if len(seen) == STOPPED_AFTER:
                    laboratory.request_stop("lunch")

        laboratory.watch = watch
        (outcome,) = laboratory.run([prepare(file)], baseline=False)
        assert outcome.status is CampaignStatus.STOPPED
        assert outcome.measured == 3
        assert laboratory.store.batches_asked(outcome.campaign.id) == 2
    return folder / "lab.db"


@pytest.fixture
def stopped(_stopped: Path, tmp_path: Path) -> Path:
    """A copy of its store for one test. Its twin's ledger is everybody's, so it is not to be resumed."""
    copy = tmp_path / "lab.db"
    shutil.copy(_stopped, copy)
    return copy
