"""A small bench and its world, for tests of the twin and of the devices above it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from devices.labware import labware_type, make_labware
from digital_twin.chemistry import chemistry
from digital_twin.world import World
from lab.bench import Bench, Position

SEATS = {"cycler": "cycler", "shaker": "shaker", "reader": "reader"}

POSITIONS = tuple(
    Position(name=name, device=device, home=home)
    for name, device, home in (
        ("deck_tips_1", "handler", False),
        ("deck_tips_2", "handler", False),
        ("deck_tips_3", "handler", False),
        ("deck_buffer", "handler", False),
        ("deck_reporter", "handler", False),
        ("deck_source", "handler", False),
        ("deck_plate_1", "handler", False),
        ("deck_plate_2", "handler", False),
        ("cycler", "thermocycler", False),
        ("shaker", "shaker", False),
        ("reader", "reader", False),
        ("hotel_1", "arm", True),
        ("hotel_2", "arm", True),
        ("lids_1", "arm", True),
    )
)

VARIANTS = ("WT", "T16I", "A26V", "T25E")
"""In the library, down column 1: the wild type, two that are more stable, one that is less."""


def library(variants: tuple[str, ...] = VARIANTS) -> Mapping[str, tuple[str, float]]:
    """Wells A1, B1, ... of a library plate, 60 ul each."""
    return {f"{chr(ord('A') + row)}1": (variant, 60.0) for row, variant in enumerate(variants)}


def small_bench() -> Bench:
    """Tips, troughs, a library and two assay plates on the deck; a lid at its place."""
    plate = labware_type("pcr_plate_96")
    return Bench(
        POSITIONS,
        [
            make_labware("tips_1", labware_type("tips_50ul"), "deck_tips_1"),
            make_labware("tips_2", labware_type("tips_50ul"), "deck_tips_2"),
            make_labware("tips_large", labware_type("tips_300ul"), "deck_tips_3"),
            make_labware(
                "buffer",
                labware_type("trough_60ml"),
                "deck_buffer",
                contents={"A1": ("assay_buffer", 50_000.0)},
            ),
            make_labware(
                "reporter",
                labware_type("trough_60ml"),
                "deck_reporter",
                contents={"A1": ("reporter", 50_000.0)},
            ),
            make_labware("library", plate, "deck_source", contents=library()),
            make_labware("assay_1", plate, "deck_plate_1"),
            make_labware("assay_2", plate, "deck_plate_2"),
            make_labware("lid_1", labware_type("auto_sealing_lid"), "lids_1"),
        ],
    )


class HandClock:
    """A clock that a test sets by hand. Implements :class:`lab.interfaces.Clock`."""

    def __init__(self, now_s: float = 0.0) -> None:
        self.now_s = now_s

    def now(self) -> float:
        return self.now_s

    def hold(self, what: str) -> AbstractContextManager[None]:
        return nullcontext()

    def when_quiet(self, callback: Callable[[], None]) -> None:
        callback()


class Hands:
    """A world whose clock moves by hand, and short ways to act on it."""

    def __init__(self, world: World, clock: HandClock) -> None:
        self.world = world
        self.clock = clock

    def wait(self, duration_s: float) -> None:
        self.clock.now_s += duration_s

    def fetch(self, *channels: int, rack: str = "tips_1") -> None:
        spots = sorted(self.world.state.pieces[rack].tips)[: len(channels)]
        self.world.act(
            "handler", "pick_up_tips", channels=list(channels), tips=[[rack, spot] for spot in spots]
        )

    def draw(self, labware: str, well: str, volume_ul: float, channel: int = 0) -> None:
        self.world.act(
            "handler", "aspirate", channels=[channel], labware=labware, wells=[well], volumes_ul=[volume_ul]
        )

    def give(
        self, labware: str, well: str, volume_ul: float, *, channel: int = 0, contact: bool = False
    ) -> None:
        self.world.act(
            "handler",
            "dispense",
            channels=[channel],
            labware=labware,
            wells=[well],
            volumes_ul=[volume_ul],
            contact=contact,
        )

    def transfer(self, source: tuple[str, str], target: tuple[str, str], volume_ul: float) -> None:
        rack = "tips_1" if volume_ul <= 50.0 else "tips_large"
        self.fetch(0, rack=rack)
        self.draw(*source, volume_ul)
        self.give(*target, volume_ul)
        self.world.act("handler", "drop_tips", channels=[0])

    def carry(self, origin: str, destination: str, *, lid: bool = False) -> None:
        self.world.act("arm", "pick", position=origin)
        self.world.act("arm", "place", position=destination, lid=lid)

    def heat(self, temperature_c: float, duration_s: float) -> None:
        """Set the cycler, hold, and cool to 25 C within a minute."""
        self.world.act("thermocycler", "set_temperature", position="cycler", temperature_c=temperature_c)
        self.wait(20.0 + duration_s)
        self.world.act("thermocycler", "set_temperature", position="cycler", temperature_c=25.0)
        self.wait(60.0)

    def read(self, *, gain: float = 1000.0) -> list[float]:
        self.world.act("reader", "shut", position="reader", shut=True)
        return self.world.act(
            "reader", "read_fluorescence", position="reader", excitation_nm=480, emission_nm=540, gain=gain
        )


def hands(*, seed: int = 7, ledger: Path | None = None, bench: Bench | None = None) -> Hands:
    """A fresh world of the small bench."""
    clock = HandClock()
    world = World(
        clock=clock,
        seed=seed,
        ledger=ledger,
        bench=small_bench() if bench is None else bench,
        chemistry=chemistry("protein_g"),
        seats=SEATS,
    )
    return Hands(world, clock)
