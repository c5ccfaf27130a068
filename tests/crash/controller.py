"""The processes of one case: the controller that is killed and started again, each in a forked child of a warm parent.

The parent has imported things and nothing else: no thread, no loop, no store. So a child begins in a few milliseconds
where a fresh interpreter would take a second.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from lab.app import Laboratory, Settings, prepare
from lab.errors import StoreUnusable
from lab.types import CampaignStatus
from protocols.registry import PROTOCOLS
from tests.crash import sabotage
from tests.crash.cases import NAME, PROTOCOL, Scene
from tests.crash.points import Points

__all__ = ["KILLED", "Hung", "be_the_child", "in_child", "warm_up", "work"]

KILLED = -signal.SIGKILL
LIMIT_S = 120.0
"""Wall time that one process may take; past it, it hangs."""

OPEN_S = 20.0
"""Wall time that a database server may take to see that its client is dead, and to let go of its lock."""


class Hung(Exception):
    """A process did not end within its limit."""


WARM = (
    "alembic.command",
    "alembic.autogenerate",
    "devices.incubator.bioshake",
    "digital_twin.chemistry.protein_g",
    "digital_twin.instruments.bioshake",
    "digital_twin.instruments.liquid_handler",
    "digital_twin.instruments.plate_reader",
    "digital_twin.instruments.preciseflex",
    "digital_twin.instruments.thermocycler",
    "lab.store.schema",
    "networkx",
    "ophyd",
    "planners",
    "sqlalchemy.dialects.postgresql",
    "tests.crash.every_verb",
    "tests.crash.person",
)
"""What a controller imports once it is at work."""


def warm_up() -> None:
    """Import what a controller needs, before the first fork."""
    for name in WARM:
        import_module(name)
    PROTOCOLS[PROTOCOL] = "tests.crash.every_verb"
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)


def in_child(task: Callable[[], Any], log: Path) -> tuple[int, Any]:
    """Do something in a forked child; gives how it ended (its exit status, or -9 when killed) and what it returned.

    Args:
        task: returns what JSON can write.
        log: file for what it prints, tracebacks among it.

    Raises:
        Hung: it did not end in time; its threads' stacks are in the log.
    """
    answer = log.with_suffix(".json")
    answer.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        be_the_child(task, log, answer)
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code, json.loads(answer.read_text()) if answer.exists() else None
        time.sleep(0.004)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise Hung(f"a process did not end within {LIMIT_S:.0f} s")


def be_the_child(task: Callable[[], Any], log: Path, answer: Path) -> None:
    """Do something in a process that was just forked, and end it; never returns."""
    code = 70
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        faulthandler.enable(file=output)
        faulthandler.dump_traceback_later(LIMIT_S - 10.0, file=output)
        answer.write_text(json.dumps(task()))
        code = 0
    except BaseException:  # noqa: BLE001  Nothing may run on in the parent's place; the log and the exit status tell.
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def work(scene: Scene, stage: int) -> dict[str, Any]:
    """Run the case's campaign, or go on with it; to be called in a child of its own.

    Returns:
        How it ended: ``status``, ``sentence``, the kill points passed, or ``error`` where it went wrong.
    """
    points = Points.of(scene, stage)
    points.install()
    sabotage.commit(scene.case.sabotage)
    os.chdir(scene.folder)
    with _open(scene.store) as laboratory:
        if laboratory.store.campaigns():
            record = laboratory.store.campaign(NAME)
            if record.status in (CampaignStatus.FINISHED, CampaignStatus.ABORTED):
                return {"status": str(record.status), "sentence": record.sentence, "error": "", "passed": []}
            (outcome,) = laboratory.resume(NAME)
        else:
            (outcome,) = laboratory.run([prepare(scene.file)], baseline=False)
    ended = {
        "status": str(outcome.status),
        "sentence": outcome.sentence,
        "error": type(outcome.error).__name__ if outcome.error else "",
    }
    points.diary.note("ended", index=points._index(), **ended)
    return {**ended, "passed": [asdict(one) for one in points.passed]}


def _open(store: str) -> Laboratory:
    """Open the store; a server takes a moment to see that the one before is dead."""
    deadline = time.monotonic() + OPEN_S
    while True:
        try:
            return Laboratory.open(Settings(store=store))
        except StoreUnusable as refusal:
            if "://" not in store or "is writing" not in str(refusal) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
