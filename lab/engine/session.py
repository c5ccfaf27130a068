"""One bench in use: its instruments, what is believed of its labware, and who may use what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from lab.bench import Bench
from lab.clock import LabClock
from lab.engine.arbiter import Arbiter, Lease
from lab.engine.belief import believe_orders, believe_step
from lab.engine.interlocks import InterlockKeeper
from lab.engine.safety import make_safe
from lab.engine.settle import ASK_S, STATUS, doubtful, in_full, look, part_of, sentence_of, what_came_of
from lab.errors import DeviceFault, FaultKind
from lab.interfaces import Answer, Command, Place, Reconciliation, Verb, Workcell
from lab.orders import Order
from lab.store import Store
from lab.types import JsonValue, Run, Step, StepStatus

__all__ = ["BenchSession"]

_MADE_SAFE = "made_safe"
"""Mark of a step that was in the air when the instruments were brought to their safe state, which some forget it by."""


class BenchSession:
    """The live bench that the lanes of one process share.

    Belief is the stored first snapshot, what all steps since have done or may have done, in the order in which they were
    settled, and what is barred. (Some 50 us a step: a bench of 100,000 steps is back in seconds, and no later snapshot can
    disagree with the journal.)

    Args:
        bench_id: of the bench's record in the store.
        workcell: its instruments; its ``bench`` is the live belief, changed only here.
        clock: that everything on this bench waits on.
        store: where the journal is.
        commands: device and verb name -> command type, to read the journal back.
        interlocks: of the workcell; None where it has none.
    """

    def __init__(
        self,
        *,
        bench_id: str,
        workcell: Workcell,
        clock: LabClock,
        store: Store,
        commands: Mapping[tuple[str, str], type[Command]],
        interlocks: InterlockKeeper | None = None,
    ) -> None:
        self.bench_id = bench_id
        self.workcell = workcell
        self.clock = clock
        self.store = store
        self._commands = commands
        self.interlocks = interlocks or InterlockKeeper((), None, {}, clock)
        self._holder: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._expected: dict[str, list[Command]] = {}
        self.priorities: dict[str, int] = {}
        self.arbiter = Arbiter(
            clock,
            workcell.bench,
            self._holder,
            self._names,
            priority=self.priorities,
            first_token=store.last_token(bench_id),
            expired=self._take_back,
        )
        self._kept: dict[tuple[str, str], Lease] = {}
        self._last_sent_s: dict[str, float] = {}
        believe_orders(workcell.bench, store.received(bench_id))
        for step in store.settled_steps_since(bench_id, 0):
            self._last_sent_s[step.device] = max(_begun_s(step), self._last_sent_s.get(step.device, 0.0))
            self._believe(step.run_id, self.command_of(step), step.status, step.part)
        self._bar(store.barred(bench_id))

    @property
    def bench(self) -> Bench:
        """The live belief."""
        return self.workcell.bench

    def command_of(self, step: Step) -> Command:
        """The command of a journaled step."""
        return self._commands[step.device, step.action].from_json(step.arguments)

    def verb_of(self, step: Step) -> Verb:
        """What carries out a journaled step."""
        verb: Verb = getattr(self.workcell.devices[step.device], step.action)
        return verb

    async def come_back(self) -> None:
        """After an interruption, before anything else: look, bring every instrument to its safe state, then ask what came of
        the steps that were in the air, and write it down.

        Raises:
            DeviceFault: an instrument does not reach its safe state; nothing may go on.
        """
        cut_off = [s for s in self.store.open_steps(self.bench_id) if s.status is StepStatus.DISPATCHED]
        marks = {step.id: self.store.marks(step.id) for step in cut_off}
        for device in {step.device for step in cut_off}:
            await look(self.workcell.devices[device])
        for step in cut_off:
            self.store.mark_step(step.id, _MADE_SAFE, None, self.clock.now())
        unsafe = await make_safe(self.workcell.devices)
        if unsafe:
            raise DeviceFault(f"Not in a safe state: {'; '.join(unsafe.values())}")
        for step in cut_off:
            wiped = any(mark.name == _MADE_SAFE for mark in marks[step.id])
            if wiped and self.workcell.devices[step.device].forgets_when_safe:
                outcome = Reconciliation(
                    answer=Answer.UNKNOWN,
                    sentence="The program was cut off once more before the instrument could be asked.",
                )
            else:
                of_command = [mark for mark in marks[step.id] if mark.name != _MADE_SAFE]
                outcome = await what_came_of(self.verb_of(step), self.command_of(step), of_command)
            remark = None
            if outcome.answer is Answer.DONE:
                await self.verb_of(step).restore(outcome.result)
                remark = self.verb_of(step).remark()
            await self.settle(step.id, step.run_id, self.command_of(step), outcome, remark)
            sentence = f"{outcome.answer.replace('_', ' ')}: {outcome.sentence}"
            self.store.log(
                self.store.run(step.run_id).campaign_id,
                "reconcile",
                sentence_of(step.action, step.device, step.id, sentence, None),
                self.clock.now(),
                {"step": step.id, "answer": str(outcome.answer), "run": step.run_id},
            )
            if outcome.answer is Answer.UNKNOWN:
                await self.close(
                    step.id, self.verb_of(step), self.command_of(step), "Nobody knows what came of it."
                )
            self._keep_for(step, outcome)
        await self._take_up({step.device for step in cut_off if marks[step.id]})

    async def _take_up(self, asked: set[str]) -> None:
        """Ask again about the step that each instrument tried last, where it was not done and is to be tried once more.

        What an instrument holds since then it has to know as that step's: a plate in the gripper, say. Nothing is written.

        Args:
            asked: devices that were asked about a later step.
        """
        failed = [
            step
            for run in self.store.open_runs(self.bench_id)
            for step in self.store.steps(run.id)
            if step.status is StepStatus.FAILED
        ]
        for step in sorted(failed, key=_begun_s, reverse=True):
            if step.device in asked or _begun_s(step) < self._last_sent_s.get(step.device, 0.0):
                continue
            marks = [mark for mark in self.store.marks(step.id) if mark.name != _MADE_SAFE]
            if marks:
                asked.add(step.device)
                self._keep_for(step, await what_came_of(self.verb_of(step), self.command_of(step), marks))

    def _keep_for(self, step: Step, outcome: Reconciliation) -> None:
        """An instrument in the midst of a step is nobody else's before the run that it is of has tried it once more."""
        if outcome.amid and self.active(step.run_id):
            lease = self.arbiter.keep(step.run_id, step.device)
            if lease is not None:
                self._kept[step.run_id, step.device] = lease

    def take_kept(self, run_id: str, device: str) -> Lease | None:
        """The lease of a device that was kept for a run since it came back, once; None where none was. Loop thread only."""
        return self._kept.pop((run_id, device), None)

    def receive(self, order: Order) -> None:
        """Believe what was delivered just now. Loop thread only."""
        believe_orders(self.bench, [order])

    async def settle(
        self,
        step_id: str,
        run_id: str,
        command: Command,
        outcome: Reconciliation,
        fault: DeviceFault | None = None,
    ) -> None:
        """Write down what came of a step, then believe it; what nobody knows of is barred in the same breath."""
        status, part = STATUS[outcome.answer], part_of(outcome)
        bars = dict.fromkeys(
            doubtful(command, outcome), f"Nobody knows what {command.verb} ({step_id}) did to it."
        )
        error = "" if status is StepStatus.DONE else in_full(fault, outcome) if fault else outcome.sentence
        ended = self.clock.now()
        await self.clock.outside(
            "the journal",
            lambda: self.store.end_step(
                step_id,
                status,
                outcome.result,
                error,
                ended,
                fault="" if fault is None else str(fault.kind),
                part=part,
                bars=bars,
            ),
        )
        self._believe(run_id, command, status, part)
        self._bar(bars)

    async def close(self, step_id: str, verb: Verb, command: Command, why: str) -> None:
        """A step is over: whatever its instrument is still asked for because of it is taken back.

        Where that fails it is kept among what happened, and nothing rests on it: no later step takes what comes of it.
        """
        step = await self.clock.outside("the journal", lambda: self.store.marks(step_id))
        marks = [mark for mark in step if mark.name != _MADE_SAFE]
        if not marks:
            return
        try:
            async with asyncio.timeout(ASK_S):
                await verb.close(command, marks, why)
        except (DeviceFault, TimeoutError) as fault:
            said = str(fault) or f"{verb.device} did not answer within {ASK_S:.0f} s."
            campaign_id = self.store.run(self.store.step(step_id).run_id).campaign_id
            self.store.log(campaign_id, "fault", f"{step_id} is over, but: {said}", self.clock.now())

    async def close_run(self, run: Run) -> None:
        """A run is given up: whatever is still asked for because of its steps is taken back."""
        for step in self.store.steps(run.id):
            if step.status in {StepStatus.FAILED, StepStatus.UNKNOWN}:
                await self.close(step.id, self.verb_of(step), self.command_of(step), "Its run was given up.")

    def in_question(self, step_id: str, command: Command, fault: FaultKind) -> tuple[Place, ...]:
        """Wells that go if a step is left out: of an unknown outcome those in doubt, else all that it serves. Blocking."""
        if fault is not FaultKind.UNKNOWN_OUTCOME:
            return command.touches
        bars = self.store.bars(self.bench_id)
        lifted = {bar.lifts for bar in bars}
        return tuple(
            (bar.labware, bar.well) for bar in bars if bar.step_id == step_id and bar.number not in lifted
        )

    def leave_out(self, run_id: str, step_id: str, command: Command, places: Iterable[Place]) -> None:
        """Bar the samples that a step which is given up leaves out. Blocking."""
        self.bar(dict.fromkeys(places, f"{command.verb} ({step_id}) was given up."), run_id=run_id)

    def bar(self, bars: Mapping[Place, str], *, run_id: str = "") -> None:
        """Keep places from being used, durably. Blocking."""
        fresh = {place: why for place, why in bars.items() if not self.bench.why_barred(*place)}
        if fresh:
            self.store.bar(self.bench_id, fresh, who="drywet", run_id=run_id, lab_time_s=self.clock.now())
            self._bar(fresh)

    def _bar(self, bars: Mapping[Place, str]) -> None:
        for place, why in bars.items():
            self.bench.bar([place], why)

    def left_by(self, run_id: str) -> tuple[str, ...]:
        """Labware that a run moved, or may have moved, and has not brought home, in the order of the workcell file."""
        return tuple(item for item in self.bench.labware if self._holder.get(item) == run_id)

    def left_standing(self) -> tuple[str, ...]:
        """Labware that runs which do not work here have not brought home, a sentence for each of them, for a person."""
        gone = dict.fromkeys(run for run in self._holder.values() if not self.active(run))
        return tuple(
            f"Not at home: {', '.join(self.left_by(run_id))}, left there by {run_id}. "
            "Go on with the campaign that left it, or bring it home, and start again."
            for run_id in gone
        )

    def lost_by(self, run_id: str) -> str:
        """What a run may have moved or not, and how a person settles it, for a person; empty where all is known."""
        lost = [item for name in self.left_by(run_id) if (item := self.bench.labware[name]).maybe is not None]
        if not lost:
            return ""
        places = "; ".join(
            f"{item.id} is {f'at {item.position}' if item.position else 'on its plate'} or at {item.maybe}"
            for item in lost
        )
        steps = " and ".join(
            step.id
            for step in self.store.steps(run_id)
            if step.status is StepStatus.UNKNOWN and self._moves(self.command_of(step))
        )
        return (
            f"{places}. Put it where it was before the step or where the step should have brought it, then say which: "
            f"drywet resolve {steps} --as not-done|done"
        )

    def _moves(self, command: Command) -> bool:
        """Whether a command, done now, would change where labware is."""
        after = self.bench.copy()
        command.believe(after)
        before = {item.id: (item.position, item.maybe) for item in self.bench.labware.values()}
        return before != {item.id: (item.position, item.maybe) for item in after.labware.values()}

    async def _take_back(self, lease: Lease) -> None:
        """A lease has run out: nothing more is taken from its holder, and its devices are brought to their safe state."""
        devices = {name: d for name, d in self.workcell.devices.items() if name in lease.devices}
        for device in devices.values():
            device.fence.admit(lease.token + 1)
        unsafe = await make_safe(devices)
        if unsafe:
            raise DeviceFault("; ".join(unsafe.values()))

    def what_if(self) -> Workcell:
        """The same instruments over the bench as it will be when every open run has ended, to plan the next one on.

        Any thread but the loop's; blocking.
        """
        bench, expected = self.clock.run(self._now())
        for command in expected:
            command.believe(bench)
        for run in self.store.open_runs(self.bench_id):
            for labware in run.layout.labware.values():
                bench.labware[labware].clean = False
        return replace(self.workcell, bench=bench)

    async def _now(self) -> tuple[Bench, list[Command]]:
        """The belief, and what open runs are still going to do.

        Both on the loop, where steps are settled: between the two, no step can become what neither of them tells of.
        """
        bench = self.bench.copy()
        for item in bench.labware.values():
            run_id = self._holder.get(item.id, "")
            if item.position is not None and self.active(run_id) and run_id not in self._expected:
                # Its run was given up, and takes it home.
                item.position, item.maybe, item.clean = item.home, None, False
        return bench, [command for commands in self._expected.values() for command in commands]

    def expect(self, run_id: str, commands: Iterable[Command]) -> None:
        """Keep in mind what an open run is still going to do, so that the next one plans around it. Any thread."""
        self.clock.soon(self._expected.__setitem__, run_id, list(commands))

    def pass_over(self, run_id: str) -> None:
        """The next thing that a run was going to do will not be done. Loop thread only."""
        if waiting := self._expected.get(run_id):
            waiting.pop(0)

    def believe(self, run_id: str, command: Command) -> None:
        """Change the belief as a done command did, and keep in mind who moved what."""
        self._believe(run_id, command, StepStatus.DONE, None)

    def _believe(self, run_id: str, command: Command, status: StepStatus, part: JsonValue) -> None:
        if status is StepStatus.DONE:
            self.pass_over(run_id)
        before = {item.id: (item.position, item.maybe) for item in self.bench.labware.values()}
        believe_step(self.bench, command, status, part)
        for item in self.bench.labware.values():
            if (item.position, item.maybe) == before[item.id]:
                continue
            if item.position == item.home and item.maybe is None:
                self._holder.pop(item.id, None)
            else:
                self._holder[item.id] = run_id

    def enter(self, run_id: str, name: str, priority: int = 0) -> None:
        """A run begins to work here.

        Args:
            name: of its campaign; decides who is served first of two that ask at the same moment.
            priority: of its campaign; who is served first of those that wait.
        """
        self._names[run_id] = name
        self.priorities[run_id] = priority

    def leave(self, run_id: str) -> None:
        """A run no longer works here, whatever it left standing. Loop thread only."""
        self._names.pop(run_id, None)
        self.priorities.pop(run_id, None)
        self.give_up(run_id)
        self._kept = {key: lease for key, lease in self._kept.items() if key[0] != run_id}
        self.arbiter.release(run_id)

    def give_up(self, run_id: str) -> None:
        """A run no longer follows its plan, and will take away what it left standing, a plate in the gripper too.

        Loop thread only.
        """
        self._expected.pop(run_id, None)
        self.arbiter.release_claims(run_id)

    def active(self, run_id: str) -> bool:
        """Whether a run is at work here."""
        return run_id in self._names


def _begun_s(step: Step) -> float:
    return step.begun_lab_s or 0.0
