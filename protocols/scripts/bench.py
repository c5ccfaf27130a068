"""The bench as a protocol sees it: what it can be told, each a step, and the carrying that nobody has to write.

A protocol is walked several times: to lay a run out, to try it dry, on the bench, and again when a run is resumed. Every
walk must ask for the same steps. So nothing here looks at the bench as it is: each walk begins with the bench as it was
when the run was laid out, and imagines what its own steps change.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import Msg

from devices.incubator import Incubate
from devices.liquid_handler import Distribute, Mix
from devices.plate_reader import ReadAbsorbance, ReadFluorescence
from devices.thermocycler import Heat, OpenLid
from lab.bench import Bench, Labware
from lab.errors import ActionOutsideStep, BadInput, Infeasible
from lab.interfaces import Command, Workcell
from lab.types import JsonValue
from lab.units import read_quantity
from protocols import steps
from protocols.scripts.carrying import Carrying
from protocols.scripts.kinds import Plate, Sample, Samples, Well, Wells
from protocols.scripts.readings import Reading
from protocols.stock import Pick, Stock, unused_plates

__all__ = ["TURN", "Action", "ImaginedResult", "ScriptBench"]

T = TypeVar("T")
Plan = Generator[Msg, Any, T]

TURN = Msg("null", None, "turn")
"""Stands between two actions: where branches take turns. Nobody but :mod:`protocols.scripts` sees it."""

Source = str | Well | Sequence[Well]
Quantity = float | str
"""A number in the unit of the parameter's name, or text such as ``"10 min"``."""


class Action:
    """Something that the bench is asked to do. It is done where the protocol says ``yield from``.

    Args:
        what: name of the method, for messages.
        make: gives the plan when it is asked for.
        line: of the protocol's file that asks for it.
    """

    __slots__ = ("_make", "line", "taken", "what")

    def __init__(self, what: str, make: Callable[[], Plan[Any]], line: int) -> None:
        self.what = what
        self._make = make
        self.line = line
        self.taken = False

    def __iter__(self) -> Iterator[Any]:
        self.taken = True
        return self._make()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self.refusal()

    def __getitem__(self, key: Any) -> Any:
        raise self.refusal()

    def refusal(self) -> ActionOutsideStep:
        """Why it is refused when nobody says ``yield from``."""
        return ActionOutsideStep(
            f"bench.{self.what}(...) in line {self.line} is no step yet. Write: yield from bench.{self.what}(...)"
        )


class ImaginedResult(dict[str, Any]):
    """In place of what an instrument gives back, in a dry run: the same number whatever is asked for."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self._value = value

    def __missing__(self, key: str) -> float:
        return self._value


class ScriptBench:
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
        self._bench = bench
        self._workcell = workcell
        self._allowed = None if plates is None else set(plates)
        self._imagined = imagined
        self._file = file
        self._fresh: list[str] = []
        self._numbers = count(1)
        self._labels: dict[Well, str] = {}
        self._owners: dict[Well, str] = {}
        self._actions: list[Action] = []
        self._carrying = Carrying(bench, self._carry_out)
        self._under_way = 0
        self.rng = np.random.default_rng(seed)
        """For choices at random; the same in every walk of a run."""

    # ----------------------------------------------------------------------------------------------- what there is

    def fresh_plate(self) -> Plate:
        """The next plate that was never used.

        Raises:
            Infeasible: there is none, or it was not foreseen when the run was laid out.
        """
        found = [item for item in unused_plates(self._bench) if item.id not in self._fresh]
        if not found:
            raise Infeasible(
                ("No unused plate is left on the bench.",), way_out="Put more into the workcell file."
            )
        item = found[0]
        if self._allowed is not None and item.id not in self._allowed:
            raise Infeasible(
                (f"The protocol takes {item.id}, which its dry run did not take.",),
                way_out="Take all plates before the first reading: plates = bench.fresh_plates(3)",
            )
        self._fresh.append(item.id)
        return self._plate(item)

    def fresh_plates(self, number: int) -> tuple[Plate, ...]:
        """Several plates that were never used; errors as of :meth:`fresh_plate`."""
        return tuple(self.fresh_plate() for _ in range(number))

    def plate(self, name: str) -> Plate:
        """A plate of the workcell file by its id; ``fresh`` is the next unused one.

        Raises:
            Infeasible: there is none of this name.
        """
        if name == "fresh":
            return self.fresh_plate()
        item = self._bench.labware.get(name)
        if item is None or item.type.kind != "plate":
            plates = [one.id for one in self._bench.of_kind("plate")]
            raise Infeasible(
                (f"There is no plate {name} on this bench.",),
                way_out=f"It has {', '.join(plates[:12])}{' and more' if len(plates) > 12 else ''}.",
            )
        return self._plate(item)

    def holding(self, content: str) -> tuple[Well, ...]:
        """Wells that hold nothing but one liquid, in the order of the workcell file."""
        return tuple(Well(*place) for place in Stock(self._bench).wells_of(content))

    def volume_ul(self, well: Well) -> float:
        """What a well holds by now, as the steps so far would leave it; nothing is measured."""
        return self._bench.well(well.labware, well.well).volume_ul

    def label(self, plate: Plate, wells: str | Iterable[str], name: str) -> None:
        """Say what wells are for (``blank``); the name stands in tables and pictures."""
        for well in self._wells(plate, wells):
            self._labels[Well(plate.id, well)] = name

    def place(
        self, samples: Samples | Sequence[Sample], plate: Plate, replicates: int, *, at_random: bool = True
    ) -> dict[str, Wells]:
        """Give each sample wells of a plate; the results that are read there are that sample's.

        Args:
            at_random: wells drawn at random, as edges of plates differ from their middle; column by column otherwise.

        Raises:
            Infeasible: the plate has too few wells.
        """
        wells = [well for well in plate.wells if Well(plate.id, well) not in self._owners]
        if len(wells) < replicates * len(samples):
            raise Infeasible(
                (
                    f"{len(samples)} samples with {replicates} wells each do not fit {len(wells)} wells of {plate}.",
                )
            )
        if at_random:
            self.rng.shuffle(wells)
        given: dict[str, Wells] = {}
        for number, sample in enumerate(samples):
            mine = Wells(wells[number * replicates : (number + 1) * replicates])
            given[sample.id] = mine
            for well in mine:
                self._owners[Well(plate.id, well)] = sample.id
        return given

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
        volumes = self._volumes(volume_ul, len(targets))
        one_each = mix_cycles > 0 if fresh_tips is None else fresh_tips

        def plan() -> Plan[None]:
            for pick in self._picks(source, targets, volumes, one_each=one_each):
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
            self._refuse(stock)
            command = found.command(plate.id, tuple(names))
            yield from self._on("handler", command.stands_here)
            yield from self._carry_out("handler", command)

        return self._action("add", plan)

    def mix(self, plate: Plate, wells: str | Iterable[str], *, volume_ul: Quantity, cycles: int = 5) -> Any:
        """Mix wells by drawing up and giving back, each with a fresh tip."""
        names = self._wells(plate, wells)
        stroke = read_quantity("volume_ul", volume_ul)

        def plan() -> Plan[None]:
            tip = self._tip(stroke)
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
            return ImaginedResult(self._imagined) if result == {} else result

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
            return (yield from _in_turns(branches))

        return self._action("in_turns", plan)

    # ------------------------------------------------------------------------------------------- for the runner

    @property
    def fresh(self) -> tuple[str, ...]:
        """Plates that were taken fresh, in order."""
        return tuple(self._fresh)

    @property
    def labels(self) -> Mapping[Well, str]:
        """What wells are for."""
        return self._labels

    @property
    def owners(self) -> Mapping[Well, str]:
        """Wells of samples."""
        return self._owners

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
        result: JsonValue = {}
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
        result: JsonValue = {}
        if self._workcell is not None:
            result = yield from steps.read(self._workcell, command, stream=stream)
        shape = (plate.rows, plate.columns)
        if result is None:
            return Reading.imagined(plate.id, mode, shape, command.cycles, float("nan"))
        if not result:
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

    def _plate(self, item: Labware) -> Plate:
        return Plate(item.id, item.type.rows, item.type.columns)

    def _wells(self, plate: Plate, wells: str | Iterable[str]) -> Wells:
        return Wells.read(wells, plate.rows, plate.columns)

    def _volumes(self, written: Quantity | Sequence[float], number: int) -> list[float]:
        if isinstance(written, str | int | float):
            return [read_quantity("volume_ul", written)] * number
        if len(written) != number:
            raise BadInput(
                f"{len(written)} volumes are given for {number} wells.", way_out="Give one for each."
            )
        return [float(volume) for volume in written]

    def _tip(self, volume_ul: float) -> float:
        sizes = sorted({rack.type.tip_volume_ul for rack in self._bench.of_kind("tip_rack")})
        size = next((size for size in sizes if size >= volume_ul), None)
        if size is None:
            raise Infeasible((f"No tip on the bench holds {volume_ul:g} ul.",), way_out="Use less.")
        return size

    def _picks(
        self, source: Source, targets: Sequence[Well], volumes: Sequence[float], *, one_each: bool
    ) -> Iterator[Pick]:
        """What each tip does, one after the other, so that each finds the bench as the last one left it."""
        whole = [(well.labware, well.well, ul) for well, ul in zip(targets, volumes, strict=True)]
        pairs: list[tuple[str | Well, list[tuple[str, str, float]]]]
        if isinstance(source, str | Well):
            pairs = [(source, [one]) for one in whole] if one_each else [(source, whole)]
        elif len(source) == len(whole):
            pairs = [(well, [one]) for well, one in zip(source, whole, strict=True)]
        else:
            raise BadInput(
                f"{len(source)} wells are to give to {len(whole)} wells.",
                way_out="Give one well or one reagent for all, or one well for each.",
            )
        for origin, some in pairs:
            stock = Stock(self._bench)
            content = origin if isinstance(origin, str) else str(origin)
            places = stock.wells_of(origin) if isinstance(origin, str) else ((origin.labware, origin.well),)
            if isinstance(origin, Well):
                stock = _Given(self._bench, (origin.labware, origin.well))
            picks = stock.picks(content, [[one] for one in some], places)
            self._refuse(stock)
            yield from picks

    def _refuse(self, stock: Stock) -> None:
        if stock.problems:
            raise Infeasible(tuple(stock.problems), way_out="Refill, or use smaller volumes.")


class _Given(Stock):
    """A stock that draws from one named well, whatever it holds: the step itself says where that is too little."""

    def __init__(self, bench: Bench, place: tuple[str, str]) -> None:
        super().__init__(bench)
        self._left[place] = float("inf")


def _stands(command: Command, bench: Bench) -> tuple[str, ...]:
    """Labware that has to stand on the device that carries a command out."""
    named = getattr(command, "stands_here", None)
    if named is None:
        named = [getattr(command, field, "") for field in ("plate", "labware")]
    return tuple(name for name in named if name in bench.labware)


def _in_turns(branches: Sequence[Generator[Msg, Any, Any]]) -> Plan[tuple[Any, ...]]:
    """One action of each branch in turn."""
    results: list[Any] = [None] * len(branches)
    waiting = [(number, iter(branch)) for number, branch in enumerate(branches)]
    while waiting:
        still = []
        for number, branch in waiting:
            try:
                yield from _one_action(branch)
            except _Ended as end:
                results[number] = end.value
            else:
                still.append((number, branch))
        waiting = still
    return tuple(results)


class _Ended(Exception):
    """A branch has ended; not an error."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def _one_action(branch: Any) -> Plan[None]:
    """A branch up to where its next action would begin.

    Raises:
        _Ended: with what it gives back.
    """
    answer: Any = None
    thrown: BaseException | None = None
    while True:
        try:
            msg = branch.send(answer) if thrown is None else branch.throw(thrown)
        except StopIteration as end:
            raise _Ended(end.value) from None
        answer, thrown = None, None
        if msg is TURN:
            yield TURN
            return
        try:
            answer = yield msg
        except GeneratorExit:
            branch.close()
            raise
        except Exception as error:  # noqa: BLE001  whatever is thrown belongs to the branch
            thrown = error
