"""What parts expect of each other. Implementations never import each other; the composition root introduces them.

The seams: :class:`Command` and :class:`Verb` between plans and devices, :class:`Planner` and :class:`Encoder` between the
campaign loop and choosing, :class:`ProtocolModule` between the loop and recipes, :class:`Clock` under everything that waits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from bluesky.protocols import Status
from bluesky.utils import Msg

from lab.bench import Bench
from lab.errors import DeviceFault
from lab.types import (
    Batch,
    Campaign,
    Candidate,
    Experiment,
    History,
    JsonValue,
    Layout,
    Mark,
    Observation,
    Origin,
    Proposal,
)

__all__ = [
    "Answer",
    "Beliefs",
    "Believing",
    "Clock",
    "Command",
    "Document",
    "Encoder",
    "Marker",
    "ModelCard",
    "Place",
    "Planner",
    "Prediction",
    "Predictor",
    "ProtocolModule",
    "Reconciliation",
    "RunRecord",
    "Scorer",
    "StepEnd",
    "Ticket",
    "Untried",
    "Verb",
    "Workcell",
]

Document = tuple[str, Mapping[str, Any]]
"""A Bluesky document: its name (``start``, ``descriptor``, ``event``, ``stop``) and its body."""


Place = tuple[str, str]
"""Labware id and well; ``*`` for all of its wells."""

Marker = Callable[[str, JsonValue], Awaitable[None]]
"""Writes down how far a command has got: name of the part that is sent next, and what to know of it (see Mark). What is
marked is on disk when it returns.
"""


class Answer(StrEnum):
    """What an instrument, or a person, says came of a step."""

    DONE = "done"
    NOT_DONE = "not_done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What came of a step, as far as its instrument can tell. Never a guess.

    Args:
        answer: NOT_DONE only where the whole command may be sent again without harm to the material.
        sentence: how that is known, for a person.
        result: what the command gave back, when it is DONE.
        part: what was used up or done though the command as a whole is not DONE (tips, liquid), JSON, for
            ``Command.believe_part``; None where nothing was.
        doubtful: wells of which nobody knows what they hold, when it is UNKNOWN; None means all that the command touches.
        amid: whether the instrument stands in the midst of the command, with a plate in its gripper, say, so that nobody
            else may use it before the command is tried once more.
    """

    answer: Answer
    sentence: str
    result: JsonValue = None
    part: JsonValue = None
    doubtful: tuple[Place, ...] | None = None
    amid: bool = False


class Clock(Protocol):
    """Lab time. Wall time on hardware; on a twin, time that jumps to the next timer when nothing is left to do."""

    def now(self) -> float:
        """Lab time in seconds since the bench session began."""
        ...

    def hold(self, what: str) -> AbstractContextManager[None]:
        """Keep lab time from jumping while work runs outside the loop. Any thread; re-entrant.

        Raises:
            ClockStalled: in whoever waits on the clock, when a hold outlasts the wall-time limit; names ``what``.
        """
        ...

    def when_quiet(self, callback: Callable[[], None]) -> None:
        """Call back once on the loop, when nothing is ready to run and nothing holds the clock, before time moves on."""
        ...


@runtime_checkable
class Command(Protocol):
    """One action of an instrument, as a frozen value. Pure: looks at belief, never at hardware."""

    verb: ClassVar[str]
    """Name of the device attribute that carries it out, and the step's action in the journal."""

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done on the bench as believed, one sentence each; empty when it can."""
        ...

    def believe(self, bench: Bench) -> None:
        """Change the belief as the finished command changes the bench."""
        ...

    def believe_part(self, bench: Bench, part: JsonValue) -> None:
        """Change the belief by what a command that was broken off did all the same; see :class:`Reconciliation`."""
        ...

    @property
    def transfers(self) -> tuple[tuple[Place, Place, float], ...]:
        """What it brings from where to where: source, target, volume_ul; lineage is read from this."""
        ...

    @property
    def draws(self) -> tuple[Place, ...]:
        """Wells that it takes material from; refused where one of them is barred."""
        ...

    @property
    def touches(self) -> tuple[Place, ...]:
        """Wells whose material is in doubt when nobody knows what came of the command; none for a reading."""
        ...

    def duration_s(self, bench: Bench) -> float:
        """Expected lab time on the bench as it is before the command."""
        ...

    def to_json(self) -> dict[str, JsonValue]:
        """Its arguments; ``type(self).from_json`` reads them back."""
        ...

    @classmethod
    def from_json(cls, arguments: Mapping[str, JsonValue]) -> Command:
        """The command that ``to_json`` wrote."""
        ...


@runtime_checkable
class Verb(Protocol):
    """A device attribute that carries out one type of command; the run engine moves it with ``set``."""

    @property
    def name(self) -> str:
        """Dotted by ophyd with dashes: ``thermocycler-heat``."""
        ...

    @property
    def device(self) -> str:
        """Name of the device in the workcell; what a step leases."""
        ...

    @property
    def limits(self) -> Mapping[str, tuple[float, float]]:
        """Name of a command's field -> lowest and highest value that this device takes."""
        ...

    @property
    def stop_waits(self) -> bool:
        """Whether a stop waits until the command under way has ended. Not for what goes on whoever watches it."""
        ...

    def engage(self, *, token: int, limit_s: float, mark: Marker, step: str = "") -> None:
        """What the command that is set next works under.

        Args:
            token: of the lease; the device refuses a command under a lower one than it has seen (StaleLease).
            limit_s: lab time after which it counts as late (CommandTimeout).
            mark: writes down how far it has got.
            step: key of the step in the journal, the same for each try of it.
        """
        ...

    def set(self, value: Any) -> Status:
        """Start the command; the status ends when the instrument has done it, or with a typed fault."""
        ...

    def break_off(self, reason: str) -> Any:
        """End the command under way in its midst, or keep the one that is engaged from being sent; harmless when idle.

        Returns:
            The status of the command that was under way, whose ``task`` ends when it has cleaned up; None where none was.
        """
        ...

    def problems(self, command: Any, bench: Bench) -> Sequence[str]:
        """What :meth:`Command.problems` says, and the limits of this device."""
        ...

    def duration_s(self, command: Any, bench: Bench) -> float:
        """Expected lab time of the command on this device."""
        ...

    def limit_s(self, command: Any, bench: Bench) -> float:
        """Lab time after which the command counts as late."""
        ...

    def result(self) -> JsonValue:
        """What the last finished command gave back; JSON, goes to the journal."""
        ...

    def remark(self) -> DeviceFault | None:
        """What was not as it should be though the last command is done (wells that saturate); None where all is well."""
        ...

    async def reconcile(self, command: Any, marks: Sequence[Mark]) -> Reconciliation:
        """Say what came of a command that was sent and not seen to end; asks the instrument, moves nothing.

        Args:
            marks: how far it had got, oldest first; the last one names the part that was under way.

        Raises:
            DeviceFault: the instrument does not answer; nothing is known then.
        """
        ...

    async def restore(self, result: JsonValue) -> None:
        """Take a journaled result as if the command had just finished, so that a resumed plan reads it again."""
        ...

    async def close(self, command: Any, marks: Sequence[Mark], why: str) -> None:
        """A step is over, given up or for a person to decide: what is still asked for because of it is taken back.

        Moves nothing; safe to repeat; nothing for instruments that keep no requests.

        Args:
            marks: of the step, as for :meth:`reconcile`.
            why: in a sentence.

        Raises:
            DeviceFault: it can't be taken back now.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What ``step_begin`` gives back to the plan.

    Args:
        key: of the step in the journal.
        done: the step was done in an earlier stretch, or given up there; its result is restored and nothing may be sent.
        result: of the done step; None otherwise.
    """

    key: str
    done: bool
    result: JsonValue = None


class Untried(dict[str, JsonValue]):
    """In place of what a step gives back, in a walk in which nothing is done; no instrument gives this back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnd:
    """What ``step_end`` gives back to the plan.

    Args:
        again: the step is to be tried once more, from its ``step_begin``.
        result: what the action gave back; None where it was given up.
    """

    again: bool
    result: JsonValue = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workcell:
    """The instruments of one bench, as plans see them.

    Args:
        name: as in the workcell file.
        devices: role -> ophyd-async device (``handler``, ``reader``, ``thermocycler``, ``shaker``, ``arm``).
        bench: what is believed of its labware; the live one while running, a copy in a dry run.
        twins: roles of the devices that are simulated.
    """

    name: str
    devices: Mapping[str, Any]
    bench: Bench
    twins: frozenset[str] = frozenset()

    @property
    def twin(self) -> bool:
        """Whether every device is simulated."""
        return self.twins.issuperset(self.devices)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What a model or encoding is and what it was tested on.

    Args:
        weights_sha256: empty for what has no weights.
        tested_on: where its figures come from; empty when nothing was measured.
    """

    name: str
    version: str
    licence: str
    source: str
    inputs: str
    outputs: str
    weights_sha256: str = ""
    tested_on: str = ""

    @property
    def label(self) -> str:
        """``name@version``, as reasons and reports cite it."""
        return f"{self.name}@{self.version}"


@runtime_checkable
class Encoder(Protocol):
    """Candidates to numbers."""

    @property
    def card(self) -> ModelCard:
        """What it is."""
        ...

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> float64 n x d.

        Raises:
            BadInput: a candidate that its card does not cover.
        """
        ...


@runtime_checkable
class Scorer(Protocol):
    """Candidates to one number each, known before anything is measured (zero-shot)."""

    @property
    def card(self) -> ModelCard:
        """What it is."""
        ...

    def score(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> (n,), larger promises more; only differences mean something.

        Raises:
            BadInput: a candidate that its card does not cover.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a predictive model says of n candidates.

    Args:
        mean, low, high: (n,) in ``unit``; the interval from low to high holds the true value with probability ``level``.
        unit: of all three.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    unit: str
    level: float = 0.95


@runtime_checkable
class Predictor(Protocol):
    """Candidates to a quantity with a unit, with calibrated intervals."""

    @property
    def card(self) -> ModelCard:
        """What it is, and what it was tested on."""
        ...

    def predict(self, candidates: Sequence[Any]) -> Prediction:
        """n candidates -> their predicted values.

        Raises:
            BadInput: a candidate that its card does not cover.
        """
        ...


class Planner(Protocol):
    """Chooses experiments. A function of history: keeps nothing between calls."""

    @property
    def name(self) -> str:
        """As a campaign file names it."""
        ...

    def ask(
        self,
        n: int,
        campaign: Campaign,
        history: History,
        pending: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> Proposal:
        """Choose up to n experiments (fewer only when the pool is exhausted).

        Args:
            n: at least 1.
            history: everything asked and measured so far.
            pending: chosen but not measured yet; never chosen again.
            rng: the only source of randomness; the same inputs and generator state give the same candidates.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Beliefs:
    """What a planner expects of m candidates: of their true value, not of another reading of it.

    Args:
        mean, sd: (m,) in the target's unit.
        low, high: (m,) in the target's unit; the interval holds the true value with probability ``level``.
        draws: d x m values that all candidates could have together, in the target's unit; none where none were asked for.
    """

    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float = 0.95
    draws: np.ndarray | None = None


@runtime_checkable
class Believing(Protocol):
    """What planners with a model offer beside choosing."""

    def predict(
        self, campaign: Campaign, history: History, candidates: Sequence[Candidate], rng: np.random.Generator
    ) -> Beliefs | None:
        """What it expects of candidates, in the pool or not, for the goal's first objective.

        None while too little was measured for a model.

        Raises:
            BadInput: a candidate that the campaign's space can't describe.
        """
        ...

    def believe(
        self,
        campaign: Campaign,
        history: History,
        candidates: Sequence[Candidate],
        rng: np.random.Generator,
        *,
        draws: int = 0,
    ) -> Mapping[str, Beliefs] | None:
        """The same of every objective and limit that has a model, from one fit: target -> what is expected of it.

        Means and intervals are those that :meth:`Planner.ask` gives as reasons, where it is asked with the same generator.

        Args:
            draws: how many sets of values that all candidates could have together come with them.

        Raises:
            BadInput: a candidate that the campaign's space can't describe.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What a run left behind for analysis.

    Args:
        documents: of its last stretch, in order; complete, since a resumed stretch re-emits earlier readings.
        barred: sample id -> why it must not be used; wells of such samples do not count.
    """

    run_id: str
    layout: Layout
    documents: tuple[Document, ...]
    origin: Origin
    barred: Mapping[str, str] = field(default_factory=dict)


class ProtocolModule(Protocol):
    """A laboratory recipe: a module of ``protocols/`` (or of a folder the user names) with these names."""

    Parameters: Any
    """Frozen pydantic model of its parameters; unknown fields are errors."""

    def targets(self, parameters: Any) -> tuple[str, ...]:
        """Names of the observations that its analysis gives, which is what a goal may speak of."""
        ...

    def layout(
        self, batch: Batch, campaign: Campaign, bench: Bench, parameters: Any, rng: np.random.Generator
    ) -> Layout:
        """Choose plates and wells. Pure; stored before the run starts.

        Raises:
            Infeasible: not enough plates, wells or material.
        """
        ...

    def plan(
        self, batch: Batch, campaign: Campaign, workcell: Workcell, layout: Layout, parameters: Any
    ) -> Generator[Msg, Any, Any]:
        """The Bluesky plan of one run: messages from ``protocols.steps`` only. The same arguments give the same steps."""
        ...

    def analyse(
        self, record: RunRecord, batch: Batch, campaign: Campaign, parameters: Any
    ) -> tuple[Observation, ...]:
        """Documents to observations, one per experiment and target; a bad one is flagged, never dropped."""
        ...
