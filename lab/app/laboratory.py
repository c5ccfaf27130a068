"""One process at work on one store: campaigns on benches, each in a lane and a thread of its own, on one clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.app.benches import OpenBench, open_bench
from lab.app.prepare import Prepared, prepare_stored, rehearse
from lab.app.settings import Settings
from lab.campaign import CampaignLoop
from lab.engine import Lane
from lab.engine.progress import Progress, Watcher
from lab.errors import BadInput, DrywetError
from lab.files import WorkcellSpec
from lab.store import CampaignRecord, Store
from lab.types import Campaign, CampaignStatus, Experiment, JsonValue, Observation, PlannerChoice, new_id

__all__ = ["Laboratory", "Outcome"]

UNFINISHED = (CampaignStatus.RUNNING, CampaignStatus.STOPPED, CampaignStatus.HELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one campaign ended this time.

    Args:
        results: usable results, best first.
        lab_s: lab time that went by since this process began.
        wall_s: wall time of the same.
        error: what holds it, if it is held.
    """

    campaign: Campaign
    status: CampaignStatus
    sentence: str
    results: tuple[tuple[Experiment, Observation], ...]
    measured: int
    twin: bool
    lab_s: float
    wall_s: float
    error: DrywetError | None = None

    def top(self, n: int) -> tuple[tuple[Experiment, Observation], ...]:
        """The n best usable results."""
        return self.results[:n]

    def to_json(self) -> dict[str, JsonValue]:
        """For ``--json``."""
        return {
            "campaign": self.campaign.id,
            "name": self.campaign.name,
            "baseline_of": self.campaign.baseline_of or None,
            "status": str(self.status),
            "sentence": self.sentence,
            "budget": self.campaign.budget,
            "measured": self.measured,
            "twin": self.twin,
            "lab_time_s": self.lab_s,
            "wall_time_s": self.wall_s,
            "best": [
                {"candidate": e.candidate.id, "value": o.value, "standard_error": o.standard_error, "unit": o.unit}
                for e, o in self.top(10)
            ],
        }


@dataclass(slots=True)
class _Assignment:
    """A campaign, what carries it out, and what became of it."""

    campaign: Campaign
    prepared: Prepared
    bench: OpenBench
    lane: Lane
    status: CampaignStatus = CampaignStatus.RUNNING
    sentence: str = ""
    error: DrywetError | None = None
    bug: BaseException | None = field(default=None, repr=False)


class Laboratory:
    """Composes store, benches, lanes and loops, and runs campaigns on them.

    Args:
        store: open for writing.
        folder: where twins keep their ledgers.
        pace: of virtual time; None is as fast as it goes.
    """

    def __init__(self, store: Store, folder: Path, pace: float | None) -> None:
        self.store = store
        self.watch: Watcher = lambda event: None
        self._folder = folder
        self._pace = pace
        self._stop: str | None = None
        self._lanes: list[Lane] = []
        self._campaigns: dict[str, Campaign] = {}

    @classmethod
    def open(cls, settings: Settings, *, pace: float | None = None, must_exist: bool = False) -> Self:
        """Open the store for writing.

        Args:
            must_exist: refuse to make a new store.

        Raises:
            StoreUnusable: it can't be opened, with the way out.
        """
        store = Store.open(settings.store, must_exist=must_exist)
        return cls(store, settings.twin_folder, pace)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.store.close()

    @property
    def campaigns(self) -> Mapping[str, Campaign]:
        """Those under way, by id; baselines last."""
        return self._campaigns

    def request_stop(self, reason: str) -> None:
        """Stop every campaign before its next step. Any thread, also a signal handler; safe to repeat."""
        self._stop = self._stop or reason
        for lane in self._lanes:
            lane.request_stop(self._stop)

    def run(self, prepared: Sequence[Prepared], *, new: bool = False, baseline: bool = True) -> tuple[Outcome, ...]:
        """Run campaigns side by side, or go on with those that were stopped.

        Args:
            new: start afresh, whatever the store holds under these names.
            baseline: also run the baselines that the files ask for.

        Raises:
            BadInput: one of them can't be run; nothing was started.
        """
        stopped = {id(p): None if new else self._unfinished(p) for p in prepared}
        for one in prepared:
            if stopped[id(one)] is None:
                rehearse(one, prepared)
        with ExitStack() as stack:
            team = _Team(self, stack)
            for one in prepared:
                record = stopped[id(one)]
                if record is None:
                    team.start(one, baseline=baseline)
                else:
                    team.go_on(record)
            return self._carry_out(team)

    def resume(self, name: str | None) -> tuple[Outcome, ...]:
        """Go on with a stopped campaign of the store, and with its baseline.

        Raises:
            BadInput: there is none of this name, or it has finished.
        """
        record = self.store.campaign(name) if name is not None else self._newest_unfinished()
        if record.status not in UNFINISHED:
            raise BadInput(
                f"{record.campaign.name} has {record.status}; there is nothing to go on with.",
                way_out=f"See it with: drywet report {record.campaign.name}",
            )
        with ExitStack() as stack:
            team = _Team(self, stack)
            team.go_on(record)
            return self._carry_out(team)

    def _newest_unfinished(self) -> CampaignRecord:
        unfinished = [
            r for r in self.store.campaigns() if r.status in UNFINISHED and not r.campaign.baseline_of
        ]
        if not unfinished:
            raise BadInput("No campaign in this store waits to go on.", way_out="Start one with: drywet run FILE")
        return unfinished[-1]

    def _unfinished(self, prepared: Prepared) -> CampaignRecord | None:
        """The stopped campaign that this file asks to go on with; None when there is nothing of this name."""
        name = prepared.file.name
        records = [r for r in self.store.campaigns() if r.campaign.name == name and not r.campaign.baseline_of]
        if not records:
            return None
        last = records[-1]
        if last.status not in UNFINISHED:
            raise BadInput(
                f"Campaign {name} has {last.status} in this store.",
                way_out=f"See it with: drywet report {name}. Run it once more with: drywet run --new {prepared.file.path}",
                file=prepared.file.path,
            )
        if last.content_hash != prepared.content_hash:
            raise BadInput(
                f"Campaign {name} was stopped, and this file or its workcell or candidates have changed since.",
                way_out=f"Go on with the campaign as it was: drywet resume {name}. Start afresh: drywet run --new {prepared.file.path}",
                file=prepared.file.path,
            )
        return last

    def _carry_out(self, team: _Team) -> tuple[Outcome, ...]:
        self._campaigns |= {a.campaign.id: a.campaign for a in team.assignments}
        self._lanes = [a.lane for a in team.assignments]
        if self._stop is not None:
            self.request_stop(self._stop)
        began_wall, began_lab = time.monotonic(), team.clock.now()
        threads = [
            threading.Thread(target=_work, args=(assignment, self._tell), name=assignment.campaign.name)
            for assignment in team.assignments
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall_s, lab_s = time.monotonic() - began_wall, team.clock.now() - began_lab
        for assignment in team.assignments:
            if assignment.bug is not None:
                raise assignment.bug
        return tuple(self._outcome(a, lab_s, wall_s) for a in team.assignments)

    def _tell(self, event: Progress) -> None:
        self.watch(event)

    def _outcome(self, assignment: _Assignment, lab_s: float, wall_s: float) -> Outcome:
        campaign = assignment.campaign
        usable = self.store.history(campaign.id).usable(campaign.goal.target)
        best_first = sorted(usable, key=lambda pair: -campaign.goal.sign * pair[1].value)
        return Outcome(
            campaign=campaign,
            status=assignment.status,
            sentence=assignment.sentence,
            results=tuple(best_first),
            measured=len(usable),
            twin=assignment.bench.session.workcell.twin,
            lab_s=lab_s,
            wall_s=wall_s,
            error=assignment.error,
        )


class _Team:
    """The benches, lanes and loops of one call, on one clock; everything it opens is closed by the stack it is given."""

    def __init__(self, laboratory: Laboratory, stack: ExitStack) -> None:
        self._laboratory = laboratory
        self._stack = stack
        self._benches: dict[str, OpenBench] = {}
        self.assignments: list[_Assignment] = []
