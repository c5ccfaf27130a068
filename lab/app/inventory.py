"""The inventory of a bench of the store: what is there, what is on its way, and who has reserved how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.app.belief import BelievedBench, read_bench
from lab.app.stock import (
    LEAST_UL,
    Amounts,
    Claim,
    batches_left,
    reagents,
    refuse_shortages,
    stock_of,
    tips_name,
)
from lab.app.unfinished import UNFINISHED
from lab.bench import Bench
from lab.errors import BadInput
from lab.interfaces import Place
from lab.store import CampaignRecord, Store
from lab.types import JsonValue, RunStatus, StepStatus

if TYPE_CHECKING:
    from lab.app.prepare import Prepared

__all__ = ["BenchInventory", "read_inventory", "refuse_other_material", "refuse_to_begin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchInventory:
    """What a bench has, and who needs it.

    Args:
        there: as believed; nothing of what is barred, and of unknown amounts the least.
        pending: what steps that are on their way will have used.
        unknown: what may be there besides, or may be gone.
        expected: name of a campaign -> what its open run is still going to use.
        claims: of unfinished campaigns, beyond their open runs.
        barred: places that hold, or are, inventory but must not be used -> why.
    """

    bench_id: str
    workcell: str
    there: Amounts
    pending: Amounts
    unknown: Amounts
    expected: Mapping[str, Amounts]
    claims: tuple[Claim, ...]
    barred: Mapping[Place, str]

    def reserved(self, name: str) -> dict[str, float]:
        """Campaign -> what it has reserved of one thing: for its open run, and for the batches after it."""
        found: dict[str, float] = {}
        for campaign, amounts in self.expected.items():
            found[campaign] = found.get(campaign, 0.0) + amounts.get(name, 0.0)
        for claim in self.claims:
            found[claim.campaign] = found.get(claim.campaign, 0.0) + claim.of(name)
        return {campaign: amount for campaign, amount in found.items() if amount > LEAST_UL}

    def free(self, name: str) -> float:
        """What nobody has reserved; below zero where more is reserved than there is."""
        left = self.there.get(name, 0.0) - self.pending.get(name, 0.0) - sum(self.reserved(name).values())
        return 0.0 if abs(left) <= LEAST_UL else left

    @property
    def names(self) -> tuple[str, ...]:
        """What there is, in the order of the bench, then what is only asked for."""
        asked = [name for claim in self.claims for name in claim.needs]
        return tuple(dict.fromkeys([*self.there, *self.unknown, *asked]))

    def to_json(self) -> dict[str, JsonValue]:
        """For a program: counts and ul."""
        return {
            "bench": self.bench_id,
            "workcell": self.workcell,
            "items": [
                {
                    "name": name,
                    "there": self.there.get(name, 0.0),
                    "on_its_way": self.pending.get(name, 0.0),
                    "unknown": self.unknown.get(name, 0.0),
                    "reserved": dict(self.reserved(name)),
                    "free": self.free(name),
                }
                for name in self.names
            ],
            "barred": [
                {"labware": labware, "well": well, "why": why} for (labware, well), why in self.barred.items()
            ],
        }


def read_inventory(store: Store, bench_id: str) -> BenchInventory:
    """The inventory of a bench of the store. Changes nothing, and works beside a process that runs there."""
    believed = read_bench(store, bench_id)
    bench = believed.bench.copy()
    there = stock_of(bench)
    for step in store.open_steps(bench_id):
        if step.status is StepStatus.DISPATCHED:
            believed.command_of(step).believe(bench)
    on_its_way = stock_of(bench)
    expected = _expected(store, believed, bench)
    return BenchInventory(
        bench_id=bench_id,
        workcell=believed.workcell.name,
        there=there,
        pending=_less(there, on_its_way),
        unknown=_unknown(believed),
        expected=expected,
        claims=tuple(_claim(store, record) for record in believed.campaigns if record.status in UNFINISHED),
        barred=_barred(believed.bench),
    )


def refuse_to_begin(store: Store, bench_id: str, claim: Claim) -> None:
    """Refuse a campaign on a bench that others use too, where they have reserved what it needs.

    Raises:
        Infeasible: with one sentence for each thing there is too little of; names who has reserved it.
    """
    inventory = read_inventory(store, bench_id)
    reserved = {name: inventory.reserved(name) for name in claim.needs}
    there = {name: inventory.there.get(name, 0.0) - inventory.pending.get(name, 0.0) for name in claim.needs}
    refuse_shortages(there, reserved, [claim])


def refuse_other_material(store: Store, bench_id: str, prepared: Prepared) -> None:
    """Refuse a campaign on a bench whose wells hold other candidates than its file says.

    Raises:
        BadInput: names the first such well.
    """
    first = Bench.from_json(store.bench(bench_id).first_snapshot)
    for one in prepared.file.material:
        there = first.labware.get(one.labware)
        if there is None or one.content not in there.wells[one.well].parts:
            raise BadInput(
                f"{one.content} is not in {one.labware} {one.well} of the bench as others use it.",
                way_out="Finish or give up what waits on that bench first, or name another workcell.",
                file=prepared.file.path,
                field="candidates",
            )


def _expected(store: Store, believed: BelievedBench, bench: Bench) -> dict[str, dict[str, float]]:
    """What open runs are still going to use; changes the bench as they will. Of a campaign that was given up, nothing."""
    expected = {}
    names = {r.campaign.id: r.campaign.name for r in believed.campaigns if r.status in UNFINISHED}
    for run in store.open_runs(believed.id):
        if run.campaign_id not in names:
            continue
        before = stock_of(bench)
        for command in believed.still_to_do(store, run):
            command.believe(bench)
        for labware in run.layout.labware.values():
            bench.labware[labware].clean = False
        expected[names[run.campaign_id]] = _less(before, stock_of(bench))
    return expected


def _claim(store: Store, record: CampaignRecord) -> Claim:
    campaign = record.campaign
    batches = store.batches(campaign.id)
    asked = sum(len(batch.experiments) for batch in batches)
    # A batch whose run was given up is laid out once more; one that waits for material was not laid out yet.
    runs = [store.last_run(batch.id) for batch in store.open_batches(campaign.id)]
    waiting = sum(run is None or run.status is RunStatus.ABANDONED for run in runs)
    return Claim(campaign=campaign.name, needs=record.needs, batches=batches_left(campaign, asked, waiting))


def _unknown(believed: BelievedBench) -> dict[str, float]:
    unknown = {tips_name(size): float(count) for size, count in believed.unknown_tips.items()}
    for labware, well, content in reagents(believed.bench):
        more_ul = believed.bench.well(labware, well).unknown_ul
        if more_ul > 0:
            unknown[content] = unknown.get(content, 0.0) + more_ul
    return unknown


def _barred(bench: Bench) -> dict[Place, str]:
    """What would be inventory if it were not barred."""
    found = {}
    for (labware, well), why in bench.barred.items():
        item = bench.labware[labware]
        if item.type.kind in ("trough", "tip_rack") or (item.type.kind == "plate" and item.clean):
            found[labware, well] = why
    return found


def _less(before: Amounts, after: Amounts) -> dict[str, float]:
    """What was used between two states."""
    used = {name: amount - after.get(name, 0.0) for name, amount in before.items()}
    return {name: amount for name, amount in used.items() if amount > LEAST_UL}
