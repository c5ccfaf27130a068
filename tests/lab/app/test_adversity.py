"""Disks that are full or read-only, databases that are locked or gone, in mid-run: a clear hold, and nothing is lost.

Each is a real command in a process of its own. When the trouble is over, ``drywet resume`` ends the campaign with the table
of one that nobody disturbed, and the oracle of the crash tests holds its store against the twin's ledger.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.store import Store
from tests.lab.app.adverse_stage import Trouble, fill
from tests.lab.app.adversity import Adventure, Stage, disk, stage

__all__ = ["stage"]

DISK = "8m"

pytestmark = pytest.mark.slow


def says(err: str, *parts: str) -> bool:
    """Whether a person is told all of this, in as many lines as an error takes: a heading, a reason, a way out."""
    assert all(part in err for part in parts), err
    return len(err.strip().splitlines()) <= 3


# ------------------------------------------------------------------------------------------------------------- a full disk


def test_a_disk_that_is_full_from_the_start_starts_nothing(stage: Stage, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", size="64k") as small:
        adventure = Adventure(stage, tmp_path)
        fill(str(small))
        refused = adventure.run()
        assert refused.code == 2
        assert says(refused.err, "No space left on device", "keep the store elsewhere")
        assert not list(small.glob("twins/*"))
        (small / "filler").unlink()
        subprocess.run(["mount", "-o", f"remount,size={DISK}", small], check=True)
        begun = adventure.run()
        assert begun.code == 0, begun.err
        adventure.is_over()


@pytest.mark.parametrize(
    ("at", "verb", "nth"),
    [
        ("begin_step-before", "distribute", 1),
        ("mark_step-before", "distribute", 2),
        ("end_step-before", "distribute", 1),
        ("append_documents-before", "", 1),
        ("record-before", "", 1),
    ],
)
def test_a_disk_that_fills_up_in_mid_run_holds_the_campaign(
    stage: Stage, tmp_path: Path, at: str, verb: str, nth: int
) -> None:
    with disk(tmp_path / "disk", size=DISK) as small:
        (tmp_path / "twins").mkdir()
        (small / "twins").symlink_to(tmp_path / "twins")  # The ledger's disk has space.
        adventure = Adventure(stage, tmp_path)
        held = adventure.run(Trouble(at=at, verb=verb, nth=nth, what="fill", on=str(small)))
        assert held.code == 1
        assert "Held after 0 of 2 experiments." in held.out
        assert "Go on with: drywet resume crash" in held.out
        assert says(held.err, "the disk is full", "Free some space; what was written before is kept.")
        still = adventure.drywet("resume")
        assert still.code in (1, 2)
        # Which of its files it could not write first depends on how full the disk's last block is.
        assert any(words in still.err for words in ("the disk is full", "No space left on device"))
        assert "Free some space" in still.err
        (small / "filler").unlink()
        adventure.ends_as_if_nothing_had_happened()


def test_a_full_disk_of_the_twins_ledger_holds_and_says_that_the_safe_state_is_not_certain(
    stage: Stage, tmp_path: Path
) -> None:
    with disk(tmp_path / "disk" / "twins", size="256k") as small:
        adventure = Adventure(stage, tmp_path)
        held = adventure.run(
            Trouble(at="action-before", verb="distribute", nth=5, what="fill", on=str(small))
        )
        assert held.code == 1
        assert says(
            held.err,
            "Not known to be in the safe state, look at the bench: handler",
            "It was held before that. crash:",
            "the twin's ledger can't be written: No space left on device",
            "go on with: drywet resume",
        )
        (small / "filler").unlink()
        asked = adventure.drywet("resume")
        assert asked.code == 1
        assert "drywet resolve" in asked.err
        assert list(adventure.settle().values()) == ["discard"]
        assert adventure.drywet("resume").code == 0
        # Tips stayed on the handler, as the person was told; and that batch was done again on fresh material.
        assert adventure.judged()["violations"] == ["A controller ended (exit 1), and 1 tips are on handler."]


def test_a_full_disk_of_the_log_stops_nothing(stage: Stage, tmp_path: Path) -> None:
    with disk(tmp_path / "small", size="64k") as small:
        (tmp_path / "disk").mkdir()
        log = small / "drywet.log"
        (tmp_path / "disk" / "drywet.log").symlink_to(log)
        adventure = Adventure(stage, tmp_path)
        whole = adventure.run(Trouble(at="begin_step-before", nth=2, what="fill", on=str(small)))
        assert (whole.code, whole.err) == (0, "")
        adventure.is_over()


# ------------------------------------------------------------------------------------------------------ a read-only disk


@contextmanager
def disk_of_a_file(folder: Path) -> Iterator[None]:
    """A file system in a file, on ``disk``; skips where this user may make none."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a file system that fails")
    image, place = folder / "image", folder / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(16_000_000)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, place], capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody make a file system in a file")
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def repair(folder: Path) -> None:
    """What a person does about a file system that has turned read-only."""
    subprocess.run(["umount", folder / "disk"], check=True)
    mended = subprocess.run(["e2fsck", "-fp", folder / "image"], capture_output=True)
    assert mended.returncode in (0, 1), mended.stdout
    subprocess.run(["mount", "-o", "loop", folder / "image", folder / "disk"], check=True)


@pytest.mark.parametrize(("at", "verb"), [("end_step-before", "distribute"), ("append_documents-before", "")])
def test_a_file_system_that_turns_read_only_in_mid_run_holds_the_campaign(
    stage: Stage, tmp_path: Path, at: str, verb: str
) -> None:
    with disk_of_a_file(tmp_path):
        adventure = Adventure(stage, tmp_path)
        held = adventure.run(Trouble(at=at, verb=verb, what="turn_read_only", on=str(adventure.disk)))
        assert held.code == 1
        assert says(
            held.err, "the disk did not take or give what it was asked to", "what was written before is kept"
        )
        repair(tmp_path)
        adventure.ends_as_if_nothing_had_happened()


def test_a_heater_that_a_read_only_ledger_keeps_on_is_told_and_off_before_anything_goes_on(
    stage: Stage, tmp_path: Path
) -> None:
    with disk_of_a_file(tmp_path):
        adventure = Adventure(stage, tmp_path)
        held = adventure.run(
            Trouble(at="action-after", verb="incubate", what="turn_read_only", on=str(adventure.disk))
        )
        assert held.code == 1
        assert says(
            held.err,
            "Not known to be in the safe state, look at the bench: shaker",
            "can't be written: Read-only file system",
            "go on with: drywet resume",
        )
        repair(tmp_path)
        assert adventure.drywet("resume").code == 0
        found = adventure.judged()
        assert found["results"] == 2
        assert all(sentence.startswith("A controller ended (exit 1)") for sentence in found["violations"])


def test_a_store_on_a_read_only_disk_is_shown_and_not_gone_on_with(stage: Stage, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", size=DISK) as small:
        adventure = Adventure(stage, tmp_path)
        assert adventure.run(Trouble(at="end_step-before", verb="distribute", what="die")).code == -9
        subprocess.run(["mount", "-o", "remount,ro", small], check=True)
        refused = adventure.drywet("resume")
        assert refused.code == 2
        assert says(refused.err, "Read-only file system", "Make the folder writable")
        shown = adventure.drywet("status")
        assert shown.code == 0, shown.err
        assert "No process carries it on" in shown.out
        subprocess.run(["mount", "-o", "remount,rw", small], check=True)
        adventure.ends_as_if_nothing_had_happened()


# -------------------------------------------------------------------------------------------- a database that others touch


def test_a_database_that_another_program_locks_for_a_moment_is_waited_for(
    stage: Stage, tmp_path: Path
) -> None:
    adventure = Adventure(stage, tmp_path)
    lock = Trouble(at="end_step-before", verb="distribute", what="lock", on=f"0.7:{adventure.store}")
    waited = adventure.run(lock)
    assert (waited.code, waited.err) == (0, "")
    adventure.is_over()


@pytest.mark.parametrize("at", ["begin_step-before", "end_step-before"])
def test_a_database_that_stays_locked_holds_the_campaign(stage: Stage, tmp_path: Path, at: str) -> None:
    adventure = Adventure(stage, tmp_path)
    lock = Trouble(at=at, verb="distribute", what="lock", on=f"stdin:{adventure.store}")
    held = adventure.run(lock, busy_wait_s=0.3)
    assert held.code == 1
    assert says(held.err, "the database is locked by another program", "a database browser, a backup")
    adventure.ends_as_if_nothing_had_happened()


def bring_back(store: Path) -> None:
    """What the person is told to do."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{store}{suffix}").unlink(missing_ok=True)
    Path(f"{store}.saved-1").rename(store)


GONE = "this file was deleted, moved or replaced while the store was open."


@pytest.mark.parametrize(
    ("what", "files"), [("delete", "{0}:{0}-wal:{0}-shm"), ("move_away", "{0}"), ("replace_by_copy", "{0}")]
)
def test_a_database_that_is_taken_away_in_mid_run_holds_and_is_saved(
    stage: Stage, tmp_path: Path, what: str, files: str
) -> None:
    adventure = Adventure(stage, tmp_path)
    store = Path(adventure.store)
    held = adventure.run(Trouble(at="end_step-before", verb="distribute", what=what, on=files.format(store)))
    assert held.code == 1
    assert says(
        held.err,
        GONE,
        f"All that was written is saved in {store}.saved-1.",
        "give the saved file the name lab.db",
    )
    if what != "replace_by_copy":
        assert adventure.drywet("resume").code == 2
        assert not store.exists()  # Nobody begins a new one in its place.
    bring_back(store)
    adventure.ends_as_if_nothing_had_happened()


def test_a_database_that_is_put_back_goes_on_where_it_was(stage: Stage, tmp_path: Path) -> None:
    adventure = Adventure(stage, tmp_path)
    store = adventure.store
    trouble = Trouble(at="begin_step-before", verb="mix", what="move_away", on=store)
    assert adventure.run(trouble).code == 1
    for suffix in ("", "-wal", "-shm"):
        moved = Path(store).with_name(f"moved_lab.db{suffix}")
        if moved.exists():
            moved.rename(store + suffix)
    adventure.ends_as_if_nothing_had_happened()


@pytest.mark.parametrize(
    ("suffix", "sentence"),
    [("-wal", "All that was written is saved in"), (".lock", "Another program may write to the store.")],
)
def test_a_file_beside_the_database_that_is_deleted_in_mid_run_holds(
    stage: Stage, tmp_path: Path, suffix: str, sentence: str
) -> None:
    adventure = Adventure(stage, tmp_path)
    path = adventure.store + suffix
    held = adventure.run(Trouble(at="begin_step-before", verb="mix", what="delete", on=path))
    assert held.code == 1
    assert says(held.err, f"{path}: {GONE}", sentence)
    if suffix == "-wal":
        bring_back(Path(adventure.store))
    adventure.ends_as_if_nothing_had_happened()


# ---------------------------------------------------------------------------------------------------------- one writer


def test_a_second_program_on_the_store_is_told_who_works_there_and_disturbs_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    adventure = Adventure(stage, tmp_path)
    arguments = ["resume", "--store", adventure.store]
    first = adventure.run(
        Trouble(at="end_step-before", verb="distribute", what="come_second", on=json.dumps(arguments))
    )
    assert first.code == 0, first.err
    (second,) = first.second
    assert second["code"] == 2
    assert says(
        second["err"], "lab.db: process ", "is writing to this store", "Wait until it ends or stop it"
    )
    adventure.is_over()


def test_the_lock_of_a_killed_program_and_a_copy_of_it_are_no_locks(stage: Stage, tmp_path: Path) -> None:
    adventure = Adventure(stage, tmp_path)
    assert adventure.run(Trouble(at="begin_step-before", verb="mix", what="die")).code == -9
    lock = Path(f"{adventure.store}.lock")
    left = json.loads(lock.read_text())
    assert isinstance(left["pid"], int)
    copy = lock.with_name("copy")
    copy.write_text(lock.read_text())
    lock.unlink()
    copy.rename(lock)
    assert "No process carries it on" in adventure.drywet("status").out
    adventure.ends_as_if_nothing_had_happened()
    with Store.open(adventure.store):
        pass  # Given back by the one that went on.
