"""A process that is killed while a campaign asks a person, or while the person answers: ``python -m ... FOLDER POINT``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.store import Store, approvals
from lab.types import new_id


def die(*anything: Any, **more: Any) -> None:
    """As when the power goes."""
    os.kill(os.getpid(), signal.SIGKILL)


def at_work(folder: Path, name: str) -> None:
    """Work on the campaign until it would call this method of the store."""
    from lab.app import Laboratory, Settings, prepare

    setattr(Store, name, die)
    with Laboratory.open(Settings(store=str(folder / "lab.db"))) as laboratory:
        laboratory.run([prepare(folder / "small.yaml")], baseline=False)


def answering(folder: Path, answer: Callable[[Store, Any], object]) -> None:
    """Answer the request, with all of it written and nothing of it kept."""
    approvals._log = die
    with Store.open(folder / "lab.db") as store:
        (waiting,) = store.approvals()
        answer(store, waiting)


def edit(store: Store, waiting: Any) -> None:
    from dataclasses import replace

    old = store.whole_batch(waiting.batch_id).experiments[0]
    new = replace(old, id=new_id("exp"), candidate=replace(old.candidate, id="T17A"))
    store.edit_batch(waiting.id, old.id, new, who="ada", why="So.")


POINTS: dict[str, Callable[[Path], None]] = {
    "proposed": lambda folder: at_work(folder, "ask_for_batch"),
    "approved": lambda folder: at_work(folder, "create_run"),
    "approving": lambda folder: answering(folder, lambda store, one: store.approve(one.id, who="ada")),
    "rejecting": lambda folder: answering(
        folder, lambda store, one: store.reject(one.id, who="ada", why="So.")
    ),
    "editing": lambda folder: answering(folder, edit),
}

if __name__ == "__main__":
    POINTS[sys.argv[2]](Path(sys.argv[1]))
