"""One bench in use: its instruments, what is believed of its labware, and who may use what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lab.bench import Bench
from lab.clock import LabClock
from lab.engine.arbiter import Arbiter
from lab.interfaces import Command, Workcell
from lab.store import Store

__all__ = ["BenchSession"]


class BenchSession:
    """The live bench that the lanes of one process share.

    Belief is the stored first snapshot plus the commands of all steps done since, in the order they ended. (Some 50 us a
    step: a bench of 100,000 steps is back in seconds, and no later snapshot can disagree with the journal.)

    Args:
        bench_id: of the bench's record in the store.
        workcell: its instruments; its ``bench`` is the live belief, changed only here.
        clock: that everything on this bench waits on.
        store: where the journal is.
        commands: verb name -> command type, to read the journal back.
    """

    def __init__(
        self,
        *,
        bench_id: str,
        workcell: Workcell,
        clock: LabClock,
        store: Store,
        commands: Mapping[str, type[Command]],
    ) -> None:
        self.bench_id = bench_id
        self.workcell = workcell
        self.clock = clock
        self.store = store
        self._commands = commands
        self._holder: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._expected: dict[str, list[Command]] = {}
        self.arbiter = Arbiter(clock, workcell.bench, self._holder, self._names)
        for step in store.done_steps_since(bench_id, 0):
            self.believe(step.run_id, commands[step.action].from_json(step.arguments))

    @property
    def bench(self) -> Bench:
        """The live belief."""
        return self.workcell.bench

    def what_if(self) -> Workcell:
        """The same instruments over the bench as it will be when every open run has ended, to plan the next one on."""
        bench = self.bench.copy()
        for commands in self._expected.values():
            for command in commands:
                command.believe(bench)
        for run in self.store.open_runs(self.bench_id):
            for labware in run.layout.labware.values():
                bench.labware[labware].clean = False
        return replace(self.workcell, bench=bench)

    def expect(self, run_id: str, commands: Iterable[Command]) -> None:
        """Keep in mind what an open run is still going to do, so that the next one plans around it."""
        self._expected[run_id] = list(commands)

    def believe(self, run_id: str, command: Command) -> None:
        """Change the belief as a done command did, and keep in mind who moved what."""
        if waiting := self._expected.get(run_id):
            waiting.pop(0)
        before = {item.id: item.position for item in self.bench.labware.values()}
        command.believe(self.bench)
        for item in self.bench.labware.values():
            if item.position == before[item.id]:
                continue
            if item.position == item.home:
                self._holder.pop(item.id, None)
            else:
                self._holder[item.id] = run_id

    def enter(self, run_id: str, name: str) -> None:
        """A run begins to work here.

        Args:
            name: of its campaign; decides who is served first of two that ask at the same moment.
        """
        self._names[run_id] = name

    def leave(self, run_id: str) -> None:
        """A run no longer works here, whatever it left standing. Loop thread only."""
        self._names.pop(run_id, None)
        self._expected.pop(run_id, None)
        self.arbiter.release(run_id)
        self.arbiter.release_claims(run_id)

    def active(self, run_id: str) -> bool:
        """Whether a run is at work here."""
        return run_id in self._names
