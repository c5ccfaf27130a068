"""Everything that is known of a campaign after a case: its store, the twin's ledger, the belief, and the harness's diary."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from digital_twin import world as twin
from digital_twin.actions import ACTIONS
from lab.app.benches import reopen_bench
from lab.app.prepare import load_stored
from lab.bench import Bench
from lab.clock import LabClock
from lab.store import CampaignRecord, EventRecord, Store
from lab.store.records import BarRecord, RunOutcome
from lab.types import Batch, History, Step
from tests.crash.cases import BY_HAND, NAME, Scene
from tests.crash.deeds import Deed, Past, deed_of
from tests.crash.diary import read_diary
from tests.crash.truth import Act, Truth, read_ledger

__all__ = ["Evidence", "gather", "gather_campaign"]

READINGS = ("read_fluorescence", "read_absorbance")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the oracle goes by.

    Args:
        runs: of all campaigns on the bench; so are ``events``.
        steps: of all runs, every try, in the order of beginning; by run.
        documents: of each run's last stretch.
        kept_barred: step id -> wells that are barred on its account.
        belief: replayed from the journal, as a new controller would begin with it.
        world_ul: (labware, well) -> what is truly there, noise and drying included.
        readings: line of the ledger -> numbers that the reader showed then.
        diary: what the harness saw.
        by_hand: runs of one command each, which somebody sent by hand.
    """

    record: CampaignRecord
    history: History
    batches: Sequence[Batch]
    runs: Sequence[RunOutcome]
    steps: Mapping[str, Sequence[Step]]
    documents: Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]]
    events: Sequence[EventRecord]
    barred: Mapping[tuple[str, str], str]
    kept_barred: Mapping[str, Sequence[tuple[str, str]]]
    belief: Bench
    past: Past
    world_ul: Mapping[tuple[str, str], float]
    readings: Mapping[int, Sequence[float]]
    diary: Sequence[Mapping[str, Any]]
    by_hand: frozenset[str] = frozenset()

    @property
    def acts(self) -> Sequence[Act]:
        """Every line of the ledger."""
        return self.past.acts

    @property
    def last(self) -> Truth:
        """The bench as the ledger leaves it."""
        return self.past.truths[-1]

    @property
    def kills(self) -> list[Mapping[str, Any]]:
        """Where controllers were killed."""
        return [note for note in self.diary if note["what"] == "kill"]

    @cached_property
    def step_of_line(self) -> dict[int, str]:
        """Line of the ledger -> step that was under way on the instrument; empty where none was.

        The last note on a line counts: one before it is of a controller that was killed before it wrote the line.
        """
        return {note["index"]: note["step"] for note in self.diary if note["what"] == "action"}

    @cached_property
    def acts_of(self) -> dict[str, list[Act]]:
        """Step id -> its lines."""
        found: dict[str, list[Act]] = defaultdict(list)
        for act in self.acts:
            found[self.step_of_line.get(act.index, "")].append(act)
        return found

    @cached_property
    def ended(self) -> dict[str, int]:
        """Step id -> line of the ledger before which it was last said to be over."""
        return {note["step"]: note["index"] for note in self.diary if note["what"] == "end"}

    def tries(self, run_id: str) -> list[list[Step]]:
        """The tries of each step of a run, in the order of the plan."""
        by_place: dict[tuple[str, int], list[Step]] = defaultdict(list)
        for step in self.steps[run_id]:
            by_place[step.branch, step.ordinal].append(step)
        return list(by_place.values())

    def deed(self, tries: Sequence[Step]) -> Deed:
        """What the ledger says of some tries of one step."""
        acts = sorted((act for step in tries for act in self.acts_of[step.id]), key=lambda act: act.index)
        ended = self.ended.get(tries[-1].id, len(self.acts))
        return deed_of(tries[-1].action, tries[-1].arguments, acts, self.past, ended)

    def is_barred(self, labware: str, well: str) -> bool:
        """Whether what is in a well must not be used."""
        return (labware, well) in self.barred or (labware, "*") in self.barred


def gather(scene: Scene) -> Evidence:
    """Read what a case left behind. In a process of its own: it rebuilds the world.

    Raises:
        AssertionError: there is not exactly one campaign.
    """
    os.chdir(scene.folder)
    with Store.open(scene.store, read_only=True) as store:
        assert len(store.campaigns()) == 1, "a campaign was started twice"
        return gather_campaign(store, store.campaign(NAME), read_diary(scene.diary))


def gather_campaign(store: Store, record: CampaignRecord, diary: Sequence[Mapping[str, Any]]) -> Evidence:
    """What there is about a campaign, and about all that was done on its bench, by others too.

    In a process of its own: it rebuilds the world.

    Args:
        diary: notes on this bench.
    """
    here = [one.campaign.id for one in store.campaigns() if one.bench_id == record.bench_id]
    runs = [run for campaign_id in here for run in store.runs(campaign_id)]
    acts, truths = read_ledger(Path(store.bench(record.bench_id).ledger))
    belief, world_ul, readings = _belief_and_world(store, record)
    lines = [act.index for act in acts if act.action in READINGS]
    return Evidence(
        record=record,
        history=store.history(record.campaign.id),
        batches=store.batches(record.campaign.id),
        runs=runs,
        steps={one.run.id: store.steps(one.run.id) for one in runs},
        documents={one.run.id: store.documents(one.run.id) for one in runs},
        events=[event for campaign_id in here for event in store.events(campaign_id)],
        barred=store.barred(record.bench_id),
        kept_barred=_in_force(store.bars(record.bench_id)),
        belief=belief,
        past=Past(acts, truths),
        world_ul=world_ul,
        readings=dict(zip(lines, readings, strict=True)),
        diary=diary,
        by_hand=frozenset(
            run.run.id
            for one in store.campaigns()
            if one.campaign.name.startswith(BY_HAND)
            for run in store.runs(one.campaign.id)
        ),
    )


def _in_force(bars: Sequence[BarRecord]) -> dict[str, list[tuple[str, str]]]:
    lifted = {bar.lifts for bar in bars}
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for bar in bars:
        if bar.lifts is None and bar.number not in lifted:
            found[bar.step_id].append((bar.labware, bar.well))
    return found


def _belief_and_world(
    store: Store, record: CampaignRecord
) -> tuple[Bench, dict[tuple[str, str], float], list[list[float]]]:
    """Belief from the journal, true volumes from the ledger, and what readers showed on the way."""
    shown: list[list[float]] = []
    for name in READINGS:
        ACTIONS[name] = _overheard(ACTIONS[name], shown)
    worlds: list[twin.World] = []
    rebuild = twin.World.rebuild

    def rebuilt(*args: Any, **kwargs: Any) -> twin.World:
        worlds.append(rebuild(*args, **kwargs))
        return worlds[-1]

    setattr(twin.World, "rebuild", rebuilt)  # noqa: B010  (mypy refuses the assignment; this process ends soon)
    with LabClock(virtual=True) as clock:
        bench = reopen_bench(load_stored(record).workcell, clock, store, record.bench_id)
        belief = bench.session.bench.copy()
    (world,) = worlds
    true_ul = {
        (item.id, well): world.volume_ul(item.id, well)
        for item in belief.labware.values()
        for well in item.wells
    }
    world.close()
    return belief, true_ul, shown


def _overheard(prepare: Any, shown: list[list[float]]) -> Any:
    def prepared(*args: Any, **kwargs: Any) -> Any:
        effect = prepare(*args, **kwargs)

        def took_effect(rng: Any) -> Any:
            answer = effect(rng)
            shown.append(list(answer))
            return answer

        return took_effect

    return prepared
