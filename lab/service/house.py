"""What the service asks of the program around it: to read, begin, steer and show campaigns and benches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.engine.progress import Progress
from lab.submissions import CampaignText
from lab.types import Campaign, JsonValue, Step

__all__ = ["Checked", "House", "Live", "Stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A campaign text that can be read, tried out dry.

    Args:
        campaign: as it would be frozen.
        twin: whether nothing real would move.
        devices: roles that its first batch uses.
        rehearsal: steps, hours, plates, tips and reagents of its first batch; what ``drywet dry-run --json`` says.
        problems: why it can't be started; empty when it can.
        sha256: of all its files, as they are now.
    """

    campaign: Campaign
    twin: bool
    devices: tuple[str, ...]
    rehearsal: Mapping[str, JsonValue]
    problems: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """How a campaign under way stands this moment.

    Args:
        bench_id: where.
        status: as the store says it, or ``running``.
        pausing: it is to stand still; ``paused`` once it does.
        run_id: of the run under way; empty between runs.
        step: ended in this run, of ``steps``; 0 where it is not known how many there are.
        doing: device and action of the last step that ended; empty before the first.
        left_s: lab time that the rest of the run takes by its dry run; None where that is not known.
        lab_time_s: of its bench.
        pace: lab seconds per wall second; None is as fast as it goes.
    """

    campaign_id: str
    name: str
    bench_id: str
    twin: bool
    status: str
    at_work: bool
    pausing: bool
    paused: bool
    stopping: bool
    run_id: str
    batch: int
    step: int
    steps: int
    doing: str
    left_s: float | None
    lab_time_s: float
    pace: float | None


class Stopped(Protocol):
    """What a stop in the midst of a step did."""

    def to_json(self) -> Mapping[str, JsonValue]:
        """For a person and for a program: ``safe`` and ``sentence`` among it."""


class House(Protocol):
    """The laboratories of one process, over its store."""

    @property
    def folder(self) -> Path:
        """The lab's folder: all that campaigns name lies in it."""

    @property
    def queue_alive(self) -> bool:
        """Whether somebody looks at the queue."""

    def loop_delays(self) -> Mapping[str, float]:
        """Wall seconds that the loop of each workcell at work took to answer just now; a second where it takes longer."""

    def check(self, document: CampaignText) -> Checked:
        """Read a campaign and try its first batch out dry. Nothing is kept, and nothing moves.

        Raises:
            BadInput: what is wrong with it.
        """

    def look(self) -> None:
        """Have the queue looked at now, in place of in a moment."""

    def resume(self, campaign_id: str) -> None:
        """Go on with a campaign that was stopped or held, on its bench.

        Raises:
            BadInput: there is nothing to go on with, or its bench is being given back this moment.
        """

    def give_up(self, campaign_id: str, why: str) -> None:
        """End a campaign that stands still between two runs, for good; what it proposed and never did is abandoned.

        Raises:
            BadInput: it runs, stopped in the middle of a run, or is over.
        """

    def verbs(self, bench_id: str) -> Sequence[Mapping[str, JsonValue]]:
        """What each device of a bench can be told: ``device``, ``verb``, ``summary`` and ``parts``.

        Raises:
            BadInput: nothing ever ran there.
        """

    def by_hand(
        self, bench_id: str, device: str, verb: str, arguments: Mapping[str, JsonValue], *, who: str
    ) -> str:
        """Send one command to a device of a bench, as a run of one step that is journaled, leased and held to interlocks.

        Returns:
            The campaign that it is kept as.

        Raises:
            BadInput: there is no such device or verb, or the workcell is at work as another bench.
            BenchBusy: the device is in use.
        """

    def pause(self, reason: str, campaign: str | None = None) -> None:
        """Begin no more steps for a while."""

    def note(self, kind: str, sentence: str, campaign: str | None = None) -> None:
        """Keep with campaigns under way that somebody asked something of them: ``pause``, ``continue``.

        Raises:
            StoreUnusable: it can't be kept.
        """

    def let_go_on(self, campaign: str | None = None) -> None:
        """Begin steps again after :meth:`pause`."""

    def request_stop(self, reason: str, campaign: str | None = None) -> None:
        """Stop before the next step. Asks neither the store nor anybody's role."""

    def stop_now(self, reason: str, campaign: str | None = None) -> Stopped:
        """Break the step under way off and bring the devices to their safe state, within a bound; what came of it."""

    def is_under_way(self, campaign: str) -> bool:
        """Whether a campaign, by name or identifier, runs, or is about to go on: whether there is anything to stop."""

    def live(self, campaign: str | None = None) -> Sequence[Live]:
        """Campaigns under way, or one of them."""

    def listen(self, listener: Callable[[Progress], None]) -> Callable[[], None]:
        """Be told what happens, in the thread in which it does; gives back what ends that."""

    def bench(self, bench_id: str) -> Mapping[str, JsonValue]:
        """What is believed of a bench: positions, labware, volumes, tips and what is barred.

        Raises:
            BadInput: nothing is known of it.
        """

    def devices(self, bench_id: str) -> Sequence[Mapping[str, JsonValue]]:
        """The devices of a bench at work: what each is, who has it, and what is kept from it by interlocks."""

    def protocols(self) -> Sequence[Mapping[str, JsonValue]]:
        """Protocols with the JSON schema of their parameters and what they measure."""

    def planners(self) -> Sequence[Mapping[str, JsonValue]]:
        """Planners with the JSON schema of their settings."""

    def report(self, campaign_id: str, path: Path) -> Path:
        """Write the report of a campaign."""

    def posterior(
        self, campaign_id: str, *, along: Sequence[str], at: str, wait_s: float
    ) -> Mapping[str, JsonValue] | None:
        """What a campaign's planner expects along one or two parameters, through a candidate; of every target.

        It is worked out outside this program. None where that takes longer than ``wait_s`` of wall time: ask again.

        Args:
            along: names; none for the first one.
            at: an experiment or a candidate; empty for the best so far.

        Returns:
            ``planner``, ``results``, ``batch``, ``targets``, ``axes``, ``centre``, ``measured`` and ``slice``.

        Raises:
            BadInput: nothing was measured, the planner learns no model, or there is no such parameter or candidate.
        """

    def importances(self, campaign_id: str, *, wait_s: float) -> Mapping[str, JsonValue] | None:
        """How much each parameter of a campaign matters, as far as its planner knows; None while it is worked out.

        Returns:
            ``planner``, ``results``, ``batch``, ``targets``, ``measure`` and ``importances``, by target.

        Raises:
            BadInput: nothing was measured, or the planner learns no model.
        """

    def lineage(self, sample_id: str) -> Mapping[str, JsonValue]:
        """What a sample was made from and went into: ``made_from`` and ``went_into``, with volumes in µl.

        Raises:
            BadInput: there is no such sample.
        """

    def unresolved(self, bench_id: str) -> Sequence[Step]:
        """Steps of a bench that wait for a person to say what came of them."""

    def resolve(self, step_id: str, verdict: str, *, who: str, why: str) -> str:
        """Settle a step of unknown outcome; see ``drywet resolve``.

        Raises:
            BadInput: there is none, it is settled, or it can't be settled so.
        """
