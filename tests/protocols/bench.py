"""A bench on paper: real labware, real commands, devices that do nothing but say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from bluesky.utils import Msg

from devices.labware import labware_type, make_labware
from lab.bench import Bench, Labware, Position, well_names
from lab.interfaces import Command, StepEnd, Ticket, Workcell
from lab.types import Batch, Campaign, Candidate, Experiment, Goal, PlannerChoice, ProtocolChoice, Reason

WELLS = well_names(8, 12)

DEVICES = {
    "handler": ("distribute", "add_reagent", "mix", "work"),
    "reader": ("fluorescence", "absorbance", "measure"),
    "thermocycler": ("heat", "open_lid", "close_lid"),
    "shaker": ("incubate",),
    "arm": ("move", "put_lid", "take_lid"),
    "furnace": ("anneal",),
    "spectrometer": ("zero", "spectrum"),
    "chamber": ("keep",),
}


class Done:
    """A status that is over."""

    done = True
    success = True

    def add_callback(self, callback: Callable[[Any], None]) -> None:
        callback(self)

    def exception(self, timeout: float | None = 0.0) -> BaseException | None:
        return None


@dataclass(eq=False)
class PaperVerb:
    """Carries a command out by noting it."""

    device: str
    verb: str
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    sent: list[Command] = field(default_factory=list)
    restored: list[Any] = field(default_factory=list)
    parent: Any = None
    last: Any = None

    @property
    def name(self) -> str:
        return f"{self.device}-{self.verb}"

    def set(self, command: Command) -> Done:
        self.sent.append(command)
        self.last = command.to_json()
        return Done()

    def problems(self, command: Command, bench: Bench) -> Sequence[str]:
        past = [
            f"{self.device}: {name} {getattr(command, name):g} is outside {low:g} to {high:g}."
            for name, (low, high) in self.limits.items()
            if not low <= getattr(command, name) <= high
        ]
        return (*command.problems(bench), *past)

    def duration_s(self, command: Command, bench: Bench) -> float:
        return command.duration_s(bench)

    def result(self) -> Any:
        return self.last

    async def restore(self, result: Any) -> None:
        self.restored.append(result)
        self.last = result


class PaperReader:
    """Shows what ``optics`` says of the plate that was read last."""

    name = "reader"
    parent = None

    def __init__(self, **verbs: PaperVerb) -> None:
        self.__dict__.update(verbs)
        self.fluorescence = verbs["fluorescence"]
        self.optics: Callable[[str], tuple[np.ndarray, np.ndarray]] = lambda plate: (
            np.zeros(96),
            np.zeros(96, dtype=bool),
        )

    def read(self) -> dict[str, Any]:
        plate = "" if self.fluorescence.last is None else self.fluorescence.last["plate"]
        value, saturated = self.optics(plate)
        data = {"value": value, "saturated": saturated, "plate": plate, "lab_time_s": 100.0}
        return {f"reader-{key}": {"value": item, "timestamp": 0.0} for key, item in data.items()}

    def describe(self) -> dict[str, Any]:
        array = {"source": "paper", "dtype": "array", "shape": [96]}
        return {
            "reader-value": {**array, "dtype_numpy": "<f8"},
            "reader-saturated": {**array, "dtype_numpy": "|b1"},
            "reader-plate": {"source": "paper", "dtype": "string", "shape": []},
            "reader-lab_time_s": {"source": "paper", "dtype": "number", "shape": []},
        }

    def read_configuration(self) -> dict[str, Any]:
        return {f"reader-{key}": {"value": n, "timestamp": 0.0} for key, n in (("rows", 8), ("columns", 12))}

    def describe_configuration(self) -> dict[str, Any]:
        about = {"source": "paper", "dtype": "integer", "shape": []}
        return {"reader-rows": about, "reader-columns": about}


def paper_devices(without: Sequence[str] = ()) -> dict[str, Any]:
    devices: dict[str, Any] = {}
    for device, verbs in DEVICES.items():
        if device not in without:
            made = {verb: PaperVerb(device, verb) for verb in verbs}
            devices[device] = (
                PaperReader(**made) if device == "reader" else SimpleNamespace(name=device, **made)
            )
    return devices


def paper_workcell(bench: Bench, *, without: Sequence[str] = ()) -> Workcell:
    devices = paper_devices(without)
    return Workcell(name="paper", devices=devices, bench=bench, twins=frozenset(devices))


CANDIDATES = tuple(Candidate(id=f"V{n}", values={"n": n}) for n in range(1, 121))
REFERENCE = Candidate(id="WT")


def make_bench(*, assay_plates: int = 10, library_ul: float = 100.0, tips: int = 96, lids: int = 2) -> Bench:
    """Two library plates, a deck with three free places, the usual instruments."""
    names = [candidate.id for candidate in CANDIDATES] + ["WT"] * 6
    positions = [
        *(Position(name=f"deck_tips_{n}", device="handler") for n in (1, 2, 3, 4)),
        Position(name="deck_buffer", device="handler"),
        Position(name="deck_reporter", device="handler"),
        *(Position(name=name, device="handler") for name in ("deck_source", "deck_plate_1", "deck_plate_2")),
        *(Position(name=name, device=name) for name in ("thermocycler", "shaker", "reader")),
        *(Position(name=f"hotel_{n}", device="arm", home=True) for n in range(1, assay_plates + 3)),
        *(Position(name=f"lids_{n}", device="arm", home=True) for n in range(1, lids + 1)),
    ]
    plate = labware_type("pcr_plate_96")
    labware: list[Labware] = []
    for number in (1, 2):
        mine = names[(number - 1) * 96 : number * 96]
        contents = {well: (name, library_ul) for well, name in zip(WELLS, mine, strict=False)}
        labware.append(make_labware(f"library_{number}", plate, f"hotel_{number}", contents=contents))
    labware += [make_labware(f"assay_{n}", plate, f"hotel_{n + 2}") for n in range(1, assay_plates + 1)]
    labware += [
        make_labware(f"lid_{n}", labware_type("auto_sealing_lid"), f"lids_{n}") for n in range(1, lids + 1)
    ]
    for n, kind in enumerate(("tips_50ul", "tips_50ul", "tips_300ul", "tips_300ul"), start=1):
        rack = make_labware(f"tips_{n}", labware_type(kind), f"deck_tips_{n}")
        rack.tips = rack.tips[:tips]
        labware.append(rack)
    trough = labware_type("trough_60ml")
    for name, content in (("buffer", "assay_buffer"), ("reporter", "reporter")):
        labware.append(make_labware(name, trough, f"deck_{name}", contents={"A1": (content, 50_000.0)}))
    return Bench(positions, labware)


def make_campaign(protocol: str = "thermal_challenge", **parameters: Any) -> Campaign:
    sources = {
        c.id: ("library_1" if n < 96 else "library_2", WELLS[n % 96]) for n, c in enumerate(CANDIDATES)
    }
    return Campaign(
        id="cmp_paper",
        name="paper",
        goal=Goal(target="residual_activity"),
        candidates=CANDIDATES,
        reference=REFERENCE,
        planner=PlannerChoice(name="random"),
        protocol=ProtocolChoice(name=protocol, parameters=parameters),
        budget=96,
        batch_size=12,
        seed=7,
        workcell="paper",
        sources=sources | {"WT": ("library_2", WELLS[24])},
    )


def make_batch(size: int = 12, first: int = 1) -> Batch:
    """Experiments on candidates of both library plates."""
    chosen = [CANDIDATES[(first - 1 + 11 * n) % len(CANDIDATES)] for n in range(size)]
    experiments = tuple(
        Experiment(id=f"exp_{n}", candidate=c, reason=Reason(planner="random", sentence="drawn"))
        for n, c in enumerate(chosen)
    )
    return Batch(id="bat_1", campaign_id="cmp_paper", number=1, experiments=experiments)


def commands_of(plan: Iterator[Msg], bench: Bench) -> list[tuple[str, Command]]:
    """(device, command) of every step of a plan, in order; ``bench`` believes each."""
    found: list[tuple[str, Command]] = []
    answer: Any = None
    try:
        while True:
            msg = plan.send(answer)  # type: ignore[attr-defined]
            answer = None
            if msg.command == "step_begin":
                found.append((msg.obj.device, msg.args[0]))
                answer = Ticket(key="", done=False)
            elif msg.command == "step_end":
                found[-1][1].believe(bench)
                answer = StepEnd(again=False, result=found[-1][1].to_json())
    except StopIteration:
        return found


def with_bench(workcell: Workcell, bench: Bench) -> Workcell:
    return replace(workcell, bench=bench)
