"""One case of the killed service: what people ask of it that day, and where it is killed. A line of text and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.campaign_files import write_campaign
from tests.crash.cases import BATCH_SIZE, shortened

__all__ = ["DAYS", "Kill", "ServiceCase", "ServiceScene", "write_lab"]

DAYS = {
    "one": "One campaign is handed in.",
    "approval": "A campaign asks a person about each of its batches.",
    "schedule": "A campaign begins by the clock.",
    "paused": "A campaign is paused, and later let go on.",
    "by_hand": "A campaign ends, and somebody sends a command by hand.",
    "two": "Two campaigns share a bench.",
    "stopped": "Two campaigns share a bench; one of them is stopped, and resumed when the other has finished.",
}
"""Name -> what people ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Where a service is killed.

    Args:
        at: kill point (``action-after``, ``create_campaign-before``).
        verb: of the step that is under way there; empty for any.
        nth: how often this is passed before the kill, it included.
        armed: count only from when the people say so.
    """

    at: str
    verb: str = ""
    nth: int = 1
    armed: bool = False

    def __str__(self) -> str:
        return f"{self.at}/{self.verb}/{self.nth}{'/armed' if self.armed else ''}"

    @classmethod
    def read(cls, text: str) -> Kill:
        """What :func:`str` wrote."""
        at, verb, nth, *armed = text.split("/")
        return cls(at=at, verb=verb, nth=int(nth), armed=bool(armed))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCase:
    """What happens to one service.

    Args:
        day: one of :data:`DAYS`.
        kills: one for each process, in order; who has none is left alone.
        policy: of its campaigns, for unknown outcomes.
        store: ``sqlite`` or ``postgres``.
    """

    day: str
    kills: tuple[Kill, ...] = ()
    policy: str = "redo_batch"
    store: str = "sqlite"

    def __str__(self) -> str:
        kills = [f"kill={kill}" for kill in self.kills]
        return ",".join([f"day={self.day}", f"policy={self.policy}", f"store={self.store}", *kills])

    @classmethod
    def read(cls, text: str) -> ServiceCase:
        """What :func:`str` wrote.

        Raises:
            KeyError: no case.
        """
        words = [word.partition("=")[::2] for word in text.split(",")]
        fields = dict(words)
        kills = tuple(Kill.read(value) for name, value in words if name == "kill")
        return cls(day=fields["day"], kills=kills, policy=fields["policy"], store=fields["store"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceScene:
    """Where a case takes place.

    Args:
        folder: of the lab.
        store: path or URL.
        port: that the service listens at.
        ahead_s: of the computer's clock, the service's clock on the wall; so that no test waits for a minute to pass.
    """

    case: ServiceCase
    folder: Path
    store: str
    port: int
    ahead_s: float = 60.0

    @property
    def diary(self) -> Path:
        """What the harness saw, line by line."""
        return self.folder / "diary.jsonl"

    @property
    def armed(self) -> Path:
        """Is there once the people have said that kills count."""
        return self.folder / "armed"


def write_lab(folder: Path, name: str, policy: str, *, seed: int = 1, budget: int = 4, more: str = "") -> str:
    """Write the files of a small campaign, as :func:`tests.crash.cases.write_files` does; gives its text.

    Args:
        more: lines to add to the campaign file.
    """
    path = write_campaign(folder, name, budget=budget, batch_size=BATCH_SIZE, seed=seed, baseline="random")
    bench = folder / "bench.yaml"
    # Enough to do every batch again, twice.
    bench.write_text(
        bench.read_text().replace("holds: candidates, volume_ul: 120}", "holds: candidates, volume_ul: 180}")
    )
    text = shortened(path.read_text(), policy)
    path.write_text(f"{text}\n{more}")
    return path.read_text()
