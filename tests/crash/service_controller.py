"""The service of a case: ``drywet serve`` in a forked child of a warm parent, with kill points in it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from digital_twin.world import World
from tests.crash import controller
from tests.crash.diary import Diary, read_diary
from tests.crash.points import Points
from tests.crash.service_cases import Kill, ServiceScene

__all__ = ["ServicePoints", "begin_service", "warm_up"]

WARM = (
    "argon2",
    "lab.app.house.serve",
    "lab.cli.serving",
    "lab.client",
    "lab.timetable",
    "opentelemetry.sdk.trace",
    "sse_starlette",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
)
"""What a service imports beside the controller's."""


def warm_up() -> None:
    """Import what a service needs, before the first fork."""
    controller.warm_up()
    for name in WARM:
        import_module(name)


@dataclass(slots=True)
class ServicePoints(Points):
    """The kill points of one service.

    Args:
        kill: where it is killed; None for nowhere.
        armed: file that is there once an armed kill counts.
    """

    kill: Kill | None = None
    armed: Path = Path()
    _met: int = 0
    _worlds: list[World] = field(default_factory=list)

    @classmethod
    def of_stage(cls, scene: ServiceScene, stage: int) -> ServicePoints:
        """Those of one process of a case."""
        notes = read_diary(scene.diary)
        done = sum(note["what"] == "kill" for note in notes)
        kills = scene.case.kills
        return cls(
            diary=Diary(scene.diary, stage),
            verbs={note["step"]: note["verb"] for note in notes if note["what"] == "begin"},
            kill=kills[done] if done < len(kills) else None,
            armed=scene.armed,
        )

    def see(self, world: World) -> None:
        """A world begins, of a bench or of a trial."""
        self._worlds.append(world)

    def _index(self) -> int:
        # Worlds of trials have no file; of the benches, the newest is at work.
        real = [world for world in self._worlds if getattr(getattr(world, "ledger", None), "path", None)]
        return len(real[-1].ledger.actions) if real else self.lines

    def reach(self, kind: str, verb: str, *, torn: Callable[[], None] | None = None, **doing: str) -> None:
        """Pass a point, or be killed at it."""
        kill = self.kill
        if kill is None or kind != kill.at or kill.verb not in ("", verb):
            return
        with self._lock:
            if kill.armed and not self.armed.exists():
                return
            self._met += 1
            if self._met < kill.nth:
                return
            if torn is not None:
                torn()
            self.diary.note(
                "kill", at=kind, nth=self._met, verb=verb, index=self._index(), flying=self._flying, **doing
            )
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60.0)


def begin_service(scene: ServiceScene, stage: int) -> int:
    """Fork a service off; gives its process id."""
    log = scene.folder / f"stage_{stage}.log"
    pid = os.fork()
    if pid == 0:
        controller.be_the_child(lambda: _serve(scene, stage), log, log.with_suffix(".json"))
    return pid


def _serve(scene: ServiceScene, stage: int) -> Any:
    from lab.cli.main import app
    from lab.service.timekeeper import Timekeeper

    ServicePoints.of_stage(scene, stage).install()
    os.chdir(scene.folder)
    ahead = timedelta(seconds=scene.ahead_s)
    setattr(  # noqa: B010  (mypy refuses the assignment)
        Timekeeper.__init__, "__defaults__", (lambda: None, lambda: datetime.now(UTC) + ahead)
    )
    words = ["serve", "--store", scene.store, "--folder", str(scene.folder), "--port", str(scene.port)]
    return app(words, standalone_mode=False)
