"""A run that is given up, on the twin: cleared away, done again or ended, and never on a guess."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from devices.plate_hotel import Move, PutLid, TakeLid
from devices.plate_hotel.arm import PlateArm
from lab.app import Laboratory, Outcome, Settings, prepare
from lab.app.resolving import Verdict, resolve, unresolved
from lab.engine.progress import FaultMet, Progress, StepEnded
from lab.errors import BadInput, ConnectionLost, StoreUnusable
from lab.interfaces import Answer, Reconciliation
from lab.store import Store
from lab.types import CampaignStatus, ExperimentStatus, JsonValue, RunStatus, Step
from tests.campaign_files import write_campaign

Transfer = Move | PutLid | TakeLid


def campaign(folder: Path, recovery: Mapping[str, str]) -> Path:
    """Two experiments in one batch, with ladders of its own."""
    path = write_campaign(folder, budget=2, batch_size=2)
    ladders = "".join(f"    {fault}: {word}\n" for fault, word in recovery.items())
    path.write_text(path.read_text().replace("policies:\n", f"policies:\n  recovery:\n{ladders}"))
    return path


def opened(folder: Path) -> Laboratory:
    return Laboratory.open(Settings(store=str(folder / "lab.db")))


def run(folder: Path, file: Path) -> Outcome:
    with opened(folder) as laboratory:
        (outcome,) = laboratory.run([prepare(file)], baseline=False)
    return outcome


def resume(folder: Path) -> Outcome:
    with opened(folder) as laboratory:
        (outcome,) = laboratory.resume()
    return outcome


def waiting(folder: Path) -> tuple[Step, ...]:
    with opened(folder) as laboratory:
        (bench,) = laboratory.store.benches()
        return unresolved(laboratory.store, bench.id)


def attempts(folder: Path, outcome: Outcome) -> list[tuple[int, RunStatus]]:
    with opened(folder) as laboratory:
        return [(one.run.attempt, one.run.status) for one in laboratory.store.runs(outcome.campaign.id)]


@pytest.mark.parametrize("verb", ["move", "put_lid", "take_lid"])
def test_a_run_whose_plate_or_lid_is_lost_is_given_up_once_a_person_has_found_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """The arm has done it, then the cable is out, and by the time it is asked it stands elsewhere."""
    carry_out = PlateArm._carry_out

    async def lose_the_line(self: PlateArm, command: Transfer) -> JsonValue:
        result = await carry_out(self, command)
        if command.verb == verb:
            raise ConnectionLost("the cable is out", device="arm")
        return result

    async def cannot_tell(self: PlateArm, command: Transfer, marks: object) -> Reconciliation:
        return Reconciliation(answer=Answer.UNKNOWN, sentence="The arm does not stand at the destination.")

    file = campaign(tmp_path, {"unknown_outcome": "redo_batch"})
    with monkeypatch.context() as patched:
        patched.setattr(PlateArm, "_carry_out", lose_the_line)
        patched.setattr(PlateArm, "_reconcile", cannot_tell)
        outcome = run(tmp_path, file)
    (step,) = waiting(tmp_path)
    assert outcome.status is CampaignStatus.HELD
    assert outcome.sentence.endswith(f"drywet resolve {step.id} --as not-done|done")
    assert attempts(tmp_path, outcome) == [(1, RunStatus.FAILED)]
    with opened(tmp_path) as laboratory:
        with pytest.raises(BadInput, match="given up already"):
            resolve(laboratory.store, step.id, Verdict.DISCARD, who="ada")
        said = resolve(laboratory.store, step.id, Verdict.DONE, who="ada")
    assert said.endswith("Its run is given up all the same (redo_batch), and can be cleared away now.")
    outcome = resume(tmp_path)
    assert outcome.status is CampaignStatus.FINISHED
    assert attempts(tmp_path, outcome) == [(1, RunStatus.ABANDONED), (2, RunStatus.DONE)]
    assert waiting(tmp_path) == ()


@pytest.mark.parametrize("write", ["bar", "finish_run", "set_experiment_status", "set_campaign_status"])
def test_a_campaign_that_is_being_given_up_when_the_program_ends_is_given_up_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    """The reader saturates, which is to end it; the store takes all until one of the writes that close it, and no more."""
    file = campaign(tmp_path, {"saturated": "abort"})
    text = file.read_text()
    assert text.count("    replicates: 3\n") == 1
    file.write_text(text.replace("    replicates: 3\n", "    replicates: 3\n    gain: 255\n"))
    closing: list[str] = []

    def cut_off_at(name: str) -> None:
        takes = getattr(Store, name)

        def taken(self: Store, *arguments: Any, **keywords: Any) -> Any:
            if name == "bar":
                closing.append(name)
            if closing and (name == write or write in closing[1:]):
                closing.append(name)
                raise StoreUnusable("The disk is full.")
            return takes(self, *arguments, **keywords)

        patched.setattr(Store, name, taken)

    with monkeypatch.context() as patched:
        for name in ("bar", "finish_run", "set_experiment_status", "set_campaign_status"):
            cut_off_at(name)
        with suppress(StoreUnusable):
            run(tmp_path, file)
    assert write in closing
    with opened(tmp_path) as laboratory:
        (record,) = laboratory.store.campaigns()
    assert record.status is CampaignStatus.RUNNING
    outcome = resume(tmp_path)
    assert outcome.status is CampaignStatus.ABORTED
    assert outcome.measured == 0
    assert attempts(tmp_path, outcome) == [(1, RunStatus.ABANDONED)]
    with opened(tmp_path) as laboratory:
        experiments = laboratory.store.history(outcome.campaign.id).experiments
    assert {experiment.status for experiment in experiments} == {ExperimentStatus.ABANDONED}


def test_a_stop_while_a_run_is_cleared_away_is_kept_and_the_rest_is_cleared_afterwards(
    tmp_path: Path,
) -> None:
    file = campaign(tmp_path, {"failed_aspirate": "redo_batch"})
    bench = tmp_path / "bench.yaml"
    rule = "{device: handler, fault: failed_aspirate, verb: distribute, at: [3]}"
    bench.write_text(f"{bench.read_text().rstrip()}\nfaults:\n  rules:\n    - {rule}\n")
    seen: list[Progress] = []

    def stop_after_the_first_step_of_clearing(event: Progress) -> None:
        if isinstance(event, StepEnded) and any(isinstance(one, FaultMet) for one in seen):
            laboratory.request_stop("That is enough.")
        seen.append(event)

    with opened(tmp_path) as laboratory:
        laboratory.watch = stop_after_the_first_step_of_clearing
        (stopped,) = laboratory.run([prepare(file)], baseline=False)
    assert stopped.status is CampaignStatus.STOPPED
    assert attempts(tmp_path, stopped) == [(1, RunStatus.STOPPED)]
    outcome = resume(tmp_path)
    assert outcome.status is CampaignStatus.FINISHED
    assert attempts(tmp_path, outcome) == [(1, RunStatus.ABANDONED), (2, RunStatus.DONE)]
    with opened(tmp_path) as laboratory:
        given_up = laboratory.store.runs(outcome.campaign.id)[0].run
        moves = [
            step.arguments["labware"]
            for step in laboratory.store.steps(given_up.id)
            if step.branch.startswith("clearing")
        ]
    assert len(moves) == len(set(moves)) == 3  # each piece is brought home once
