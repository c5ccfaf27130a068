"""What is believed of a bench of the store, read beside a process that may be at work there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.app.benches import commands_of_devices, sketch_over
from lab.app.prepare import stored_protocol, stored_workcell
from lab.bench import Bench
from lab.dry_run import commands_of
from lab.engine.belief import believe_orders, believe_step
from lab.engine.journal import MAIN
from lab.errors import BadInput
from lab.interfaces import Command, Workcell
from lab.recovery import Recovery
from lab.store import CampaignRecord, Store
from lab.types import Run, Step, StepStatus

__all__ = ["BelievedBench", "read_bench"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BelievedBench:
    """A bench as the journal leaves it, and how to read that journal.

    Args:
        workcell: devices that are not connected, over the belief.
        commands: device and verb name -> command type.
        settled: steps that changed the belief, in the order in which they ended, with their commands.
        unknown_tips: capacity -> tips that steps of unknown outcome may have used; the belief counts them as gone.
        campaigns: that run or ran here, oldest first.
    """

    id: str
    workcell: Workcell
    commands: Mapping[tuple[str, str], type[Command]]
    settled: tuple[tuple[Step, Command], ...]
    unknown_tips: Mapping[float, int]
    campaigns: tuple[CampaignRecord, ...]

    @property
    def bench(self) -> Bench:
        """The belief."""
        return self.workcell.bench

    def command_of(self, step: Step) -> Command:
        """The command of a journaled step."""
        return self.commands[step.device, step.action].from_json(step.arguments)

    def still_to_do(self, store: Store, run: Run) -> tuple[Command, ...]:
        """What an open run has not begun yet; what is in the air is not among it."""
        record = store.campaign(run.campaign_id)
        module, parameters = stored_protocol(record)
        (batch,) = [b for b in store.batches(run.campaign_id) if b.id == run.batch_id]
        plan = module.plan(batch, record.campaign, self.workcell, run.layout, parameters)
        begun = {
            step.ordinal
            for step in store.steps(run.id)
            if step.branch == MAIN
            and (
                step.status in (StepStatus.DONE, StepStatus.DISPATCHED)
                or step.recovery == Recovery.SKIP_SAMPLE
            )
        }
        return tuple(c for n, c in enumerate(commands_of(plan), start=1) if n not in begun)


def read_bench(store: Store, bench_id: str) -> BelievedBench:
    """The belief of a bench, replayed from its first snapshot over the journal. Changes nothing.

    Raises:
        BadInput: no campaign ever ran there, so nothing tells what its instruments are.
    """
    record = store.bench(bench_id)
    campaigns = tuple(c for c in store.campaigns() if c.bench_id == bench_id)
    if not campaigns:
        raise BadInput(
            f"No campaign ever ran on bench {bench_id}.", way_out="Start one with: drywet run FILE"
        )
    spec = stored_workcell(campaigns[0])
    bench = Bench.from_json(record.first_snapshot)
    believe_orders(bench, store.received(bench_id))
    workcell = sketch_over(spec, bench)
    commands = commands_of_devices(workcell)
    settled = []
    unknown_tips: dict[float, int] = {}
    for step in store.settled_steps_since(bench_id, 0):
        command = commands[step.device, step.action].from_json(step.arguments)
        if step.status is StepStatus.UNKNOWN:
            _count_unknown(unknown_tips, bench, command, step)
        believe_step(bench, command, step.status, step.part)
        settled.append((step, command))
    for place, why in store.barred(bench_id).items():
        bench.bar([place], why)
    return BelievedBench(
        id=bench_id,
        workcell=workcell,
        commands=commands,
        settled=tuple(settled),
        unknown_tips=unknown_tips,
        campaigns=campaigns,
    )


def _count_unknown(unknown: dict[float, int], bench: Bench, command: Command, step: Step) -> None:
    """Tips that only one of the two possible courses of events used."""
    certain, believed = bench.copy(), bench.copy()
    if step.part is not None:
        command.believe_part(certain, step.part)
    believe_step(believed, command, StepStatus.UNKNOWN, step.part)
    for rack in bench.of_kind("tip_rack"):
        more = len(certain.labware[rack.id].tips) - len(believed.labware[rack.id].tips)
        if more > 0:
            size = rack.type.tip_volume_ul
            unknown[size] = unknown.get(size, 0) + more
