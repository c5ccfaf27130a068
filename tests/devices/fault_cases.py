"""Drivers, their jobs, and one thing that goes wrong with one of them: what :mod:`tests.devices.fault_plays` plays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from digital_twin.faults import (
    FaultRule,
    FaultScript,
    Repertoire,
)
from digital_twin.ledger import Action
from digital_twin.world import World
from lab.bench import Bench
from lab.clock import LabClock
from tests.devices.taps import Spoil, Tap
from tests.devices.wire_kinds import LINE, Bad, Shape

__all__ = ["CHECK", "CONNECT", "READ", "Case", "DriverBench", "Job", "Outcome", "Setup", "Verdict"]


class Outcome(StrEnum):
    """What became of a case."""

    FOUND = "found"
    """It ended as a typed fault, and what was said after that is true."""

    RIGHT = "right"
    """The job is done in spite of it, and what the driver says is true."""

    WRONG = "wrong"
    """The driver said what is not so."""

    HANG = "hang"
    UNTYPED = "untyped"
    """An exception that is no fault of a device."""

    STUCK = "stuck"
    """With the wire well again it does not work."""

    MISSED = "missed"
    """The fault did not happen; the case says nothing."""


@dataclass(slots=True)
class Setup:
    """A driver that is not connected yet, and what is behind it."""

    device: Any
    bench: Bench
    world: World
    tap: Tap


def nothing(world: World, actions: Sequence[Action]) -> bool:
    """Of what leaves nothing behind."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a driver is asked for while something goes wrong.

    Args:
        command: to carry out; None: to connect, or to read all that it shows, as the name says.
        first: what is done before it.
        happened: whether the ledger says that the whole command was carried out, once.
        begun: whether the ledger says that it was begun, in a way that it must not be sent again.
        near: how far numbers may be from those of the job left alone: a share, and as it is.
        values: whether what it gives has to be as when it is left alone; False where it says what was used up.
    """

    name: str
    command: Any = None
    first: tuple[Any, ...] = ()
    happened: Callable[[World, Sequence[Action]], bool] | None = None
    begun: Callable[[World, Sequence[Action]], bool] = nothing
    near: tuple[float, float] = (0.02, 0.3)
    values: bool = True


CONNECT = Job(name="connect")
READ = Job(name="read")
CHECK = Job(name="check")
"""Reading, and asking who it is: what every wire has to carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverBench:
    """One driver for cases.

    Args:
        driver: as workcell files call it.
        name: of the device.
        setup: makes it over a world, with a script of faults, for a job.
        without: kinds of bad answers that its seam can't have -> why.
        repertoire: of faults of the instrument itself.
        seam: where the answers are spoilt, in words.
        shape: of its answers.
        names_in_unicode: whether a name that is no ASCII is one for its protocol.
    """

    driver: str
    name: str
    jobs: tuple[Job, ...]
    setup: Callable[[LabClock, FaultScript, Job], AbstractAsyncContextManager[Setup]]
    repertoire: Repertoire
    seam: str
    shape: Shape = LINE
    names_in_unicode: bool = False
    without: Mapping[Bad, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What goes wrong: an answer on the wire, or a rule of the bench's script."""

    bench: DriverBench
    job: Job
    kind: str
    seed: int
    spoil: Spoil | None = None
    rule: FaultRule | None = None

    @property
    def key(self) -> str:
        """For people, and to play it again."""
        where = self.rule.key if self.rule is not None else f"answer {self.spoil.at}" if self.spoil else ""
        return f"{self.bench.driver} {self.job.name} {self.kind} {self.seed} ({where})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a case, and why it is held to be so."""

    outcome: Outcome
    sentence: str = ""
