"""The bench as a protocol sees it: what it can be told, each a step, and the carrying that nobody has to write.

A protocol is walked several times: to lay a run out, to try it dry, on the bench, and again when a run is resumed. Every
walk must ask for the same steps. So nothing here looks at the bench as it is: each walk begins with the bench as it was
when the run was laid out, and imagines what its own steps change.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import bluesky.plan_stubs as bps
from bluesky.utils import Msg

from devices.incubator import Incubate
from devices.liquid_handler import Distribute, Mix
from devices.plate_reader import ReadAbsorbance, ReadFluorescence
from devices.thermocycler import Heat, OpenLid
from lab.bench import Bench
from lab.errors import BadInput, Infeasible
from lab.interfaces import Command, Untried, Workcell
from lab.types import JsonValue
from lab.units import read_quantity
from protocols import steps
from protocols.scripts.actions import TURN, Action, ImaginedResult, Plan, in_turns
from protocols.scripts.carrying import Carrying
from protocols.scripts.imagined import ImaginedBench
from protocols.scripts.kinds import Plate, Well
from protocols.scripts.pouring import Quantity, Source, picks_of, refuse_shortage, tip_for, volumes_of
from protocols.scripts.readings import Reading
from protocols.stock import Stock

__all__ = ["ScriptBench"]

T = TypeVar("T")


class ScriptBench(ImaginedBench):
    """What a protocol works with. Every method that moves or measures something is taken with ``yield from``.

    Args:
        bench: as it was when the run was laid out; changed as the steps would change it.
        workcell: with the devices; None while a run is laid out, when nothing is asked of them.
        plates: that the run may take fresh, in order; None while it is laid out.
        seed: of :attr:`rng`.
        imagined: what every reading shows while nothing is measured.
        file: of the protocol, to find its lines.
    """

    def __init__(
        self,
        bench: Bench,
        workcell: Workcell | None,
        *,
        plates: Sequence[str] | None,
        seed: int,
        imagined: float,
        file: str,
    ) -> None:
        super().__init__(bench, plates, seed)
        self._workcell = workcell
        self._imagined = imagined
        self._file = file
        self._actions: list[Action] = []
        self._carrying = Carrying(bench, self._carry_out)
        self._under_way = 0

    # ---------------------------------------------------------------------------------------------------- liquids

    def transfer(
        self,
        volume_ul: Quantity | Sequence[float],
        source: Source,
        target: Well | Sequence[Well],
        *,
        mix_cycles: int = 0,
        fresh_tips: bool | None = None,
    ) -> Any:
        """Liquid from one well, or of one reagent, into one well or several; or from several wells into as many.

        Args:
            volume_ul: for each target; one number is the same for all.
            source: a reagent's name, a well, or as many wells as there are targets.
            mix_cycles: strokes of mixing in each target.
            fresh_tips: one for each target; by default where targets are mixed.
        """
        targets = [target] if isinstance(target, Well) else list(target)
        volumes = volumes_of(volume_ul, len(targets))
        one_each = mix_cycles > 0 if fresh_tips is None else fresh_tips

        def plan() -> Plan[None]:
            for pick in picks_of(self._bench, source, targets, volumes, one_each=one_each):
                command = Distribute(
                    source_labware=pick.source[0],
                    source_well=pick.source[1],
                    targets=pick.targets,
                    tip_volume_ul=pick.tip_volume_ul,
                    mix_cycles=mix_cycles,
                )
                yield from self._on("handler", command.stands_here)
                yield from self._carry_out("handler", command)

        return self._action("transfer", plan)

    def add(self, volume_ul: Quantity, reagent: str, plate: Plate, wells: str | Iterable[str]) -> Any:
        """The same volume of a reagent into many wells, eight at a time, from above: nothing touches what is in them."""
        names = self._wells(plate, wells)
        volume = read_quantity("volume_ul", volume_ul)

        def plan() -> Plan[None]:
            stock = Stock(self._bench)
            found = stock.reagent(reagent, volume, (plate.id,), names)
            refuse_shortage(stock)
            command = found.command(plate.id, tuple(names))
            yield from self._on("handler", command.stands_here)
            yield from self._carry_out("handler", command)

        return self._action("add", plan)

    def mix(self, plate: Plate, wells: str | Iterable[str], *, volume_ul: Quantity, cycles: int = 5) -> Any:
        """Mix wells by drawing up and giving back, each with a fresh tip."""
        names = self._wells(plate, wells)
        stroke = read_quantity("volume_ul", volume_ul)

        def plan() -> Plan[None]:
            tip = tip_for(self._bench, stroke)
            for first in range(0, len(names), 8):
                command = Mix(
                    labware=plate.id,
                    wells=tuple(names[first : first + 8]),
                    volume_ul=stroke,
                    cycles=cycles,
                    tip_volume_ul=tip,
                )
                yield from self._on("handler", command.stands_here)
                yield from self._carry_out("handler", command)

        return self._action("mix", plan)

    # ------------------------------------------------------------------------------------------------- temperature

    def incubate(
        self,
        plate: Plate,
        duration_s: Quantity,
        *,
        temperature_c: float,
        shaking_rpm: float | None = None,
        sealed: bool = False,
    ) -> Any:
        """Keep a plate at a temperature on the shaker; ``sealed`` puts a lid on for as long."""
        command = Incubate(
            plate=plate.id,
            temperature_c=float(temperature_c),
            hold_s=read_quantity("duration_s", duration_s),
            shaking_rpm=None if shaking_rpm is None else float(shaking_rpm),
        )

        def plan() -> Plan[None]:
            yield from self._on("shaker", (plate.id,), lid=sealed)
            if sealed:
                yield from self._carrying.seal(plate.id)
            yield from self._carry_out("shaker", command)
            if sealed:
                yield from self._carrying.unseal(plate.id)

        return self._action("incubate", plan)

    def heat(
        self,
        plate: Plate,
        duration_s: Quantity,
        *,
        temperature_c: float,
        cool_to_c: float = 25.0,
        lid_temperature_c: float = 105.0,
    ) -> Any:
        """Seal a plate, heat it on the thermocycler, cool it and take the lid off again."""
        command = Heat(
            plate=plate.id,
            temperature_c=float(temperature_c),
            hold_s=read_quantity("duration_s", duration_s),
            cool_to_c=float(cool_to_c),
            lid_temperature_c=float(lid_temperature_c),
        )

        def plan() -> Plan[None]:
            yield from self._on("thermocycler", (plate.id,), lid=True, before=OpenLid())
            yield from self._carrying.seal(plate.id)
            yield from self._carry_out("thermocycler", command)
            yield from self._carry_out("thermocycler", OpenLid())
            yield from self._carrying.unseal(plate.id)

        return self._action("heat", plan)

    # ----------------------------------------------------------------------------------------------------- reading

    def read_absorbance(
        self, plate: Plate, wavelength_nm: float, *, cycles: int = 1, interval_s: Quantity = 0.0
    ) -> Any:
        """Read a plate; gives a :class:`~protocols.scripts.Reading`. Cycles beyond 1 make a kinetic measurement."""
        command = ReadAbsorbance(
            plate=plate.id,
            wavelength_nm=float(wavelength_nm),
            cycles=cycles,
            interval_s=read_quantity("interval_s", interval_s),
        )
        return self._action("read_absorbance", lambda: self._read(plate, command))

    def read_fluorescence(
        self,
        plate: Plate,
        excitation_nm: float,
        emission_nm: float,
        *,
        gain: float = 100.0,
        cycles: int = 1,
        interval_s: Quantity = 0.0,
    ) -> Any:
        """Read a plate; gives a :class:`~protocols.scripts.Reading`. Cycles beyond 1 make a kinetic measurement."""
        command = ReadFluorescence(
            plate=plate.id,
            excitation_nm=float(excitation_nm),
            emission_nm=float(emission_nm),
            gain=float(gain),
            cycles=cycles,
            interval_s=read_quantity("interval_s", interval_s),
        )
        return self._action("read_fluorescence", lambda: self._read(plate, command))

    # -------------------------------------------------------------------------------------------- anything else

    def do(self, device: str, what: str | Command, *, stream: str = "", **arguments: Any) -> Any:
        """One step of any device of the workcell; gives what it gives back, as the journal keeps it.

        Args:
            device: its role (``furnace``).
            what: name of one of its verbs, with the command's arguments; or a command.
            stream: puts what the device shows afterwards into an event of that name.
        """

        def plan() -> Plan[Any]:
            command = what if not isinstance(what, str) else self._command(device, what, arguments)
            if command is None:
                return ImaginedResult(self._imagined)  # being laid out: the devices are not there to ask
            yield from self._on(device, _stands(command, self._bench))
            result = yield from self._carry_out(device, command)
            if stream and self._workcell is not None and result is not None:
                yield from bps.create(name=stream)
                yield from bps.read(self._workcell.devices[device])
                yield from bps.save()
            return ImaginedResult(self._imagined) if isinstance(result, Untried) else result

        return self._action("do", plan)

    def wait(self, duration_s: Quantity) -> Any:
        """Let time go by, from the end of the step before; other campaigns may use the instruments meanwhile."""
        seconds = read_quantity("duration_s", duration_s)

        def plan() -> Plan[None]:
            yield from self._carrying.home()
            if self._workcell is not None:
                yield from bps.sleep(seconds)

        return self._action("wait", plan)

    def in_turns(self, *branches: Generator[Msg, Any, Any]) -> Any:
        """Branches that go on side by side: one action of each in turn, until all have ended; gives what they give back.

        The order is the same in every walk. Two actions never overlap: a run has one step under way.
        """

        def plan() -> Plan[tuple[Any, ...]]:
            return (yield from in_turns(branches))

        return self._action("in_turns", plan)

    # ------------------------------------------------------------------------------------------- for the runner

    @property
    def line_under_way(self) -> int:
        """Line of the protocol's file that asks for what is being done."""
        return self._under_way

    @property
    def working(self) -> bool:
        """Whether places are claimed."""
        return self._carrying.working

    def finish(self) -> Plan[None]:
        """At the end of the protocol: everything goes home.

        Raises:
            ActionOutsideStep: the protocol asked for something and did not take it.
        """
        self.refuse_untaken()
        yield from self._carrying.home()

    def refuse_untaken(self) -> None:
        """Raise ActionOutsideStep where an action was asked for and never taken."""
        for action in self._actions:
            if not action.taken:
                raise action.refusal()

    def _action(self, what: str, make: Callable[[], Plan[T]]) -> Action:
        line = self._line()

        def plan() -> Plan[T]:
            yield TURN
            self._under_way = line
            return (yield from make())

        action = Action(what, plan, line)
        self._actions.append(action)
        return action

    def _line(self) -> int:
        """The line of the protocol that is being carried out."""
        frame = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == self._file:
                return frame.f_lineno
            if frame.f_back is None:
                break
            frame = frame.f_back
        return 0

    def _on(
        self,
        device: str,
        labware: Sequence[str],
        *,
        lid: bool = False,
        before: Command | None = None,
    ) -> Plan[None]:
        yield from self._carrying.bring(device, labware, lid=lid, before=before)

    def _carry_out(self, device: str, command: Command) -> Plan[JsonValue]:
        """One step, and what it changes in imagination."""
        result: JsonValue = Untried()
        if self._workcell is not None:
            result = yield from steps.carry_out(self._workcell, device, command)
        self._believe(command)
        return result

    def _believe(self, command: Command) -> None:
        try:
            command.believe(self._bench)
        except (KeyError, ValueError) as missing:
            raise Infeasible(
                tuple(command.problems(self._bench)) or (f"{command.verb} can't be imagined: {missing}.",)
            ) from missing

    def _read(self, plate: Plate, command: ReadAbsorbance | ReadFluorescence) -> Plan[Reading]:
        yield from self._on("reader", (plate.id,))
        mode = command.verb
        stream = mode if command.cycles == 1 else f"{mode}_kinetic"
        result: JsonValue = Untried()
        if self._workcell is not None:
            result = yield from steps.read(self._workcell, command, stream=stream)
        shape = (plate.rows, plate.columns)
        if result is None:
            return Reading.imagined(plate.id, mode, shape, command.cycles, float("nan"))
        if isinstance(result, Untried):
            return Reading.imagined(plate.id, mode, shape, command.cycles, self._imagined)
        return Reading.from_result(plate.id, mode, result)

    def _command(self, device: str, verb: str, arguments: Mapping[str, Any]) -> Command | None:
        if self._workcell is None:
            return None
        found: Any = steps.verb_of(self._workcell, device, verb)
        plain = {name: value.id if isinstance(value, Plate) else value for name, value in arguments.items()}
        try:
            made: Command = found.command_type(**plain)
        except TypeError as wrong:
            raise BadInput(
                f"{device} can't {verb} with {', '.join(plain) or 'nothing'}: {wrong}.",
                way_out=f"It takes: {', '.join(found.command_type.__dataclass_fields__)}.",
            ) from wrong
        return made


def _stands(command: Command, bench: Bench) -> tuple[str, ...]:
    """Labware that has to stand on the device that carries a command out."""
    named = getattr(command, "stands_here", None)
    if named is None:
        named = [getattr(command, field, "") for field in ("plate", "labware")]
    return tuple(name for name in named if name in bench.labware)
