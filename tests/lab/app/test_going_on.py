"""A program that starts again finds the bench as the last one left it, with a plate in the gripper if need be."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.types import CampaignStatus, StepStatus
from tests.campaign_files import write_campaign
from tests.lab.app.test_giving_up import opened, resume, run


@pytest.mark.parametrize("verb", ["move", "put_lid", "take_lid"])
def test_what_the_gripper_holds_is_put_down_by_the_next_program(tmp_path: Path, verb: str) -> None:
    """The cable is out right after the pick; the run is held, and the program ends."""
    file = write_campaign(tmp_path, budget=2, batch_size=2)
    file.write_text(
        file.read_text().replace("policies:\n", "policies:\n  recovery:\n    connection_lost: hold\n")
    )
    bench = tmp_path / "bench.yaml"
    rule = f"{{device: arm, fault: connection_lost, verb: {verb}, at: [1], moment: after}}"
    bench.write_text(f"{bench.read_text().rstrip()}\nfaults:\n  rules:\n    - {rule}\n")
    held = run(tmp_path, file)
    assert held.status is CampaignStatus.HELD
    assert "The gripper holds it; the next try goes on with putting it down." in held.sentence
    outcome = resume(tmp_path)
    assert outcome.status is CampaignStatus.FINISHED
    with opened(tmp_path) as laboratory:
        (one,) = laboratory.store.runs(outcome.campaign.id)
        tries = [step.status for step in laboratory.store.steps(one.run.id) if step.action == verb]
    assert tries[:2] == [StepStatus.FAILED, StepStatus.DONE]
    assert tries.count(StepStatus.FAILED) == 1
